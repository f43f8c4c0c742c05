//! A sample of the small stores; `.ci/live exhaustive` asks about all of them.

#![allow(clippy::expect_used, reason = "a test")]

use layerwise_fuzz::small::{STORES, check_every};

#[test]
fn a_sample_of_the_small_stores() {
    // No common factor with 64, so that every property comes with every other.
    const STEP: u32 = 499;
    let seen = check_every(STEP as usize).expect("all agree");
    assert_eq!(seen.stores, u64::from(STORES.div_ceil(STEP)));
    assert!(seen.hits >= 40 && seen.misses >= 400, "{seen:?}");
}
