//! `cargo fuzz run text_assembler --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remuda_fuzz::run("text_assembler", bytes));
