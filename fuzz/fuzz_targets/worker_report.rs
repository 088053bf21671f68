//! `cargo fuzz run worker_report --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("worker_report", bytes));
