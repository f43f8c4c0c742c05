//! The library against the plain model of Docker's rules, and the laws of its
//! guarded reading, on random cases.

use layerwise::host::Provenance;
use layerwise::oci::sha256;
use layerwise_conformance::docker::Native;
use layerwise_model::docker::case::Case;
use layerwise_model::docker::generate;
use layerwise_model::docker::laws::{self, Strange, Verdict};
use layerwise_model::docker::vector::vector;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// The laws of `tests/model`.
pub fn model(bytes: &[u8]) {
    // Proptest's own way to read cases out of bytes halves them at each choice
    // and is soon out of them, so that the bytes are a seed only.
    let mut seed = [0; 32];
    for (byte, given) in seed.iter_mut().zip(sha256(bytes).hex().bytes()) {
        *byte = given;
    }
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let shuffled = generate::case().prop_flat_map(|case| {
        let images = Just(case.store.images.clone()).prop_shuffle();
        (Just(case), images)
    });
    let built = prop_oneof![Just(Provenance::Elsewhere), Just(Provenance::Unknown)];
    let strange = (0..64_usize, 0..64_usize, built, any::<bool>());
    let inputs = (shuffled, strange, 0..1_000_usize);
    let Ok(tree) = inputs.new_tree(&mut runner) else {
        return;
    };
    let ((case, images), (of, place, built, broken), field) = tree.current();
    let strange = Strange {
        of,
        place,
        built,
        broken,
    };
    let shuffled = {
        let mut shuffled = case.clone();
        shuffled.store.images = images;
        shuffled
    };
    let played = case.play();
    let holds = |verdict: Verdict| holds(&case, verdict);
    holds(laws::agrees(&case, &played, &Native));
    holds(laws::untrusted_changes_nothing(&case, &strange, &Native));
    holds(laws::one_change_is_a_miss(&case, field, &Native));
    holds(laws::hits_are_justified(&case, &Native));
    holds(laws::plan_is_lookup(&case, &Native));
    holds(laws::order_changes_nothing(&case, &shuffled, &Native));
}

fn holds(case: &Case, verdict: Verdict) {
    if let Err(what) = verdict {
        panic!("{what}\n{}", vector(case, "fuzz/model"));
    }
}
