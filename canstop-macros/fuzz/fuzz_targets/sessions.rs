#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| canstop_macros_fuzz::sessions(input));
