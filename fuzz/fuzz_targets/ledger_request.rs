//! `cargo fuzz run ledger_request --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("ledger_request", bytes));
