//! `cargo fuzz run final_receipt --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("final_receipt", bytes));
