//! `cargo fuzz run chat_template --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("chat_template", bytes));
