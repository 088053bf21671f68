//! `cargo fuzz run signed_transaction --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("signed_transaction", bytes));
