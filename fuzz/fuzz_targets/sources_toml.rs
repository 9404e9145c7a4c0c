//! The target `sources_toml`, for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::measure::timed(fuzz::sources_toml::check, data));
