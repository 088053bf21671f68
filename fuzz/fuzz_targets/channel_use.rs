//! `cargo fuzz run channel_use --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("channel_use", bytes));
