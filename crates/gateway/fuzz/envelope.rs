//! See `gateway::fuzzing::envelope`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gateway::fuzzing::envelope(bytes));
