#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| radslag_tests::fuzz::bundle(bytes));
