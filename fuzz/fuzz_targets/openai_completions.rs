//! `cargo fuzz run openai_completions --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("openai_completions", bytes));
