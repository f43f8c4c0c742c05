//! The command line `layerwise`.
fn main() {}
