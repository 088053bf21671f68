//! `cargo fuzz run state_proof --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("state_proof", bytes));
