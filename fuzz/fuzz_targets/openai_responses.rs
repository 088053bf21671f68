//! `cargo fuzz run openai_responses --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("openai_responses", bytes));
