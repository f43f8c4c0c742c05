//! Glue: the laws are in the library of this package.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| layerwise_fuzz::bolt(bytes));

#[cfg(not(fuzzing))]
fn main() {
    layerwise_fuzz::run_files(layerwise_fuzz::bolt);
}
