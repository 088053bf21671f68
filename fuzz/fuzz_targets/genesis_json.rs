//! `cargo fuzz run genesis_json --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("genesis_json", bytes));
