//! The target `state`, for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::measure::timed(fuzz::state::check, data));
