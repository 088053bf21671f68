//! `cargo fuzz run openai_embeddings --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("openai_embeddings", bytes));
