//! `cargo fuzz run job_provider --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("job_provider", bytes));
