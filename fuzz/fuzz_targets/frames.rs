#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| udpchat_fuzz::frames(data));
