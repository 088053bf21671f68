//! `cargo fuzz run gateway_record --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("gateway_record", bytes));
