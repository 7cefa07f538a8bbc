#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| convened::esl::fuzzing::decoder(data));
