//! The library against the model on random cases.
//!
//! The seed is fixed, so that a run can be repeated; `PROPTEST_CASES` sets how
//! many cases there are and `PROPTEST_RNG_SEED` another seed. A failure prints
//! the smallest case found as a conformance vector.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::cell::RefCell;
use std::collections::BTreeMap;

use layerwise::docker::Outcome;
use layerwise::host::Provenance;
use layerwise::semantics::Semantics;
use layerwise_conformance::docker::{Functions as _, Native, run_moby};
use layerwise_model::docker::case::Case;
use layerwise_model::docker::document::{self, CONFIG, IMAGE};
use layerwise_model::docker::laws::{self, Strange};
use layerwise_model::docker::lookup::{Error, HOST_OS};
use layerwise_model::docker::platform::{normalize, platform_match};
use layerwise_model::docker::predicates::config_equal;
use layerwise_model::docker::vector::vector;
use layerwise_model::docker::{generate, time};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

const SEED: u64 = 20_240_615;

/// Runs a law on `cases` random values, or on as many as the environment says.
fn on_random<S: Strategy>(
    seed: u64,
    cases: u32,
    strategy: S,
    law: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let from_environment = Config::default();
    let set = |name| std::env::var_os(name).is_some();
    let config = Config {
        cases: if set("PROPTEST_CASES") {
            from_environment.cases
        } else {
            cases
        },
        rng_seed: if set("PROPTEST_RNG_SEED") {
            from_environment.rng_seed
        } else {
            RngSeed::Fixed(seed)
        },
        failure_persistence: None,
        ..from_environment
    };
    let seed = config.rng_seed;
    if let Err(error) = TestRunner::new(config).run(&strategy, law) {
        let text = error.to_string().replace("\\n", "\n");
        panic!("{seed:?}: {text}");
    }
}

/// A broken law with the case as a vector.
fn broken(verdict: laws::Verdict, case: &Case) -> Result<(), TestCaseError> {
    verdict
        .map_err(|what| TestCaseError::fail(format!("{what}\n{}\n", vector(case, "model/random"))))
}

#[test]
fn the_library_agrees_with_the_model() {
    agreement(SEED);
}

/// More of the same, on another core.
#[test]
fn the_library_agrees_with_the_model_again() {
    agreement(SEED + 1);
}

fn agreement(seed: u64) {
    let seen: RefCell<BTreeMap<String, u64>> = RefCell::default();
    on_random(seed, 12_000, generate::case(), |case| {
        let played = case.play();
        let mut seen = seen.borrow_mut();
        let mut count = |what: String| *seen.entry(what).or_default() += 1;
        match &played.opened {
            Ok(_) => {
                for told in &played.told {
                    count("steps".to_owned());
                    match &told.answer {
                        Ok(found) => count(format!("{:?}", found.outcome)),
                        Err(error) => count(format!("{error:?}")),
                    }
                }
            }
            Err(error) => {
                count("steps".to_owned());
                count(format!("{error:?}"));
            }
        }
        broken(laws::agrees(&case, &played, &Native), &case)
    });
    let seen = seen.into_inner();
    eprintln!("{seen:#?}");
    let steps = seen.get("steps").copied().unwrap_or_default();
    if steps < 20_000 {
        return; // Asked for fewer cases: too few to say how often things happen.
    }
    let at_least = |what: String, per_mille: u64| {
        let count = seen.get(&what).copied().unwrap_or_default();
        assert!(
            count * 1000 >= steps * per_mille,
            "{what}: {count} of {steps}"
        );
    };
    for outcome in [
        Outcome::HitLocal,
        Outcome::HitSource,
        Outcome::HitRestored,
        Outcome::Miss,
    ] {
        at_least(format!("{outcome:?}"), 10);
    }
    for error in [
        Error::OpenCancelled,
        Error::OpenDeadline,
        Error::ChildUnreadable,
        Error::ParentUnreadable,
        Error::SetParentFailed,
        Error::RestoreFailed,
    ] {
        at_least(format!("{error:?}"), 1);
    }
}

/// A case that is written down runs as a vector, in both readings: the guarded
/// one answers otherwise only as the runner allows.
#[test]
fn a_case_runs_as_a_vector() {
    on_random(SEED + 2, 1_500, generate::case(), |case| {
        let text = vector(&case, "model/random");
        let report =
            run_moby(&text, &Native).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(report.passed, 2, "{:?}\n{}", report.mismatches, text);
        Ok(())
    });
}

#[test]
fn guarded_laws() {
    let strange = (
        any::<Index>(),
        any::<Index>(),
        prop_oneof![Just(Provenance::Elsewhere), Just(Provenance::Unknown)],
        prop::bool::weighted(0.1),
    )
        .prop_map(|(of, place, built, broken)| Strange {
            of: of.index(1 << 16),
            place: place.index(1 << 16),
            built,
            broken,
        });
    let shuffled = generate::case().prop_flat_map(|case| {
        let images = Just(case.store.images.clone()).prop_shuffle();
        (Just(case), images)
    });
    on_random(
        SEED,
        4_000,
        (shuffled, strange, 0..1_000_usize),
        |((case, images), strange, field)| {
            broken(
                laws::untrusted_changes_nothing(&case, &strange, &Native),
                &case,
            )?;
            broken(laws::one_change_is_a_miss(&case, field, &Native), &case)?;
            broken(laws::hits_are_justified(&case, &Native), &case)?;
            broken(laws::plan_is_lookup(&case, &Native), &case)?;
            broken(laws::a_dry_run_is_a_run(&case, &Native), &case)?;
            let mut shuffled = case.clone();
            shuffled.store.images = images;
            broken(
                laws::order_changes_nothing(&case, &shuffled, &Native),
                &case,
            )
        },
    );
}

#[test]
fn platforms() {
    on_random(
        SEED,
        20_000,
        (generate::platform(), generate::platform()),
        |(builder, image)| {
            prop_assert_eq!(
                Native.normalize_platform(&builder, HOST_OS).ok(),
                Some(normalize(&builder, HOST_OS))
            );
            let pair = (std::slice::from_ref(&builder), std::slice::from_ref(&image));
            let semantics = Semantics::compatible(None);
            prop_assert_eq!(
                Native
                    .match_platforms(pair.0, pair.1, HOST_OS, &semantics)
                    .ok(),
                Some(vec![vec![platform_match(&builder, &image, HOST_OS)]])
            );
            Ok(())
        },
    );
}

#[test]
fn configs() {
    let semantics = Semantics::compatible(None);
    on_random(SEED, 20_000, generate::configs(), |(have, want)| {
        let records = (document::read_config(&have), document::read_config(&want));
        let (Some(a), Some(b)) = records else {
            return Err(TestCaseError::fail("the pools hold valid configs only"));
        };
        let compared = Native.compare_configs(Some(&have), Some(&want), &semantics);
        let equal = config_equal(&a, &b);
        prop_assert_eq!(compared.map(|compared| compared.equal), Ok(equal));
        prop_assert_eq!(
            Native.encode_config(&have, &semantics).ok(),
            document::write(&a, CONFIG)
        );
        let case = Case::of_one_child(&have, &want);
        let played = case.play();
        let found = played
            .told
            .first()
            .and_then(|told| told.answer.clone().ok());
        let hit = found.is_some_and(|found| found.outcome == Outcome::HitLocal);
        prop_assert_eq!(hit, equal);
        broken(laws::agrees(&case, &played, &Native), &case)
    });
}

#[test]
fn documents() {
    on_random(SEED, 4_000, generate::case(), |case| {
        for image in &case.store.images {
            let text = image.document.as_deref().unwrap_or_default();
            let semantics = Semantics::compatible(None);
            let written = Native.encode_image(text, layerwise::docker::Order::Declared, &semantics);
            let expected =
                document::read_image(text).and_then(|image| document::write(&image, IMAGE));
            prop_assert_eq!(written.ok(), expected, "{}", text);
        }
        Ok(())
    });
}

#[test]
fn times() {
    on_random(SEED, 20_000, generate::time(), |text| {
        let read = Native.parse_time(&text).ok();
        let expected = time::parse(&text);
        prop_assert_eq!(
            read.map(|time| (time.seconds, time.nanoseconds)),
            expected.as_ref().map(time::Time::instant),
            "{}",
            text
        );
        prop_assert_eq!(
            read.and_then(|time| time.to_text()),
            expected.and_then(|time| time.encode()),
            "{}",
            text
        );
        Ok(())
    });
}
