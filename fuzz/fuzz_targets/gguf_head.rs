//! `cargo fuzz run gguf_head --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("gguf_head", bytes));
