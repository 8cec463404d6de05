//! See `gateway::fuzzing::headers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gateway::fuzzing::headers(bytes));
