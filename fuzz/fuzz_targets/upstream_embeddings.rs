//! `cargo fuzz run upstream_embeddings --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("upstream_embeddings", bytes));
