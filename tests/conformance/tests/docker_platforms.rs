//! What Docker's answers say of platforms, and which ones each version accepts.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use layerwise::docker::testing::match_platforms;
use layerwise::docker::{Options, Outcome, Policy, Step};
use layerwise::host::Provenance::{BuiltHere, Elsewhere};
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use layerwise_stores::{Memory, Order};
use support::docker::{OLD, asked, guarded, image, lines, platform, step, trusted, windows};

#[test]
fn a_source_for_another_platform_is_noted_or_refused() {
    let store = Memory::new(Order::Added);
    let document = image("a", OLD, "").replace("amd64", "arm64");
    let id = store.add(&document, None, Elsewhere);
    let evidence = "source-platform-mismatch platform=linux/arm64|linux/amd64 \
                    platform.normalized=linux/arm64|linux/amd64 part=architecture|- accepted=amd64, 386|-";
    for (same_platform, outcome) in [(false, Outcome::HitSource), (true, Outcome::Miss)] {
        let options = Options {
            cache_from: trusted(&id),
            policy: Policy {
                same_platform,
                ..Policy::default()
            },
            ..Options::default()
        };
        let (answer, explained) = asked(&store, &options, &step(r#"{"Cmd":["a"]}"#));
        let answer = answer.unwrap();
        assert_eq!(answer.outcome, outcome);
        assert_eq!(lines(&answer.notes), [evidence]);
        assert!(lines(&explained.findings).contains(&evidence.to_owned()));
    }
}

#[test]
fn a_platform_that_does_not_fit_is_shown() {
    let builder = |os_version: &str, variant: &str| Platform {
        os_version: os_version.to_owned(),
        ..platform(&format!("linux/arm64/{variant}"))
    };
    for (platform, want) in [
        (
            builder("1.2", "v8.1"),
            "platform-mismatch platform=linux/amd64|linux/arm64/v8.1 version 1.2 \
             platform.normalized=linux/amd64|linux/arm64/v8.1 version 1.2 part=architecture|- \
             accepted=arm64/v8.1, arm64/v8, arm/v8, arm/v7, arm/v6, arm/v5|-",
        ),
        (
            Platform {
                os_features: vec!["f".to_owned()],
                ..windows("10.0.20348")
            },
            "platform-mismatch platform=linux/amd64|windows/amd64 version 10.0.20348 features f \
             platform.normalized=linux/amd64|windows/amd64 version 10.0.20348 features f part=os|- \
             accepted=amd64, 386|-",
        ),
    ] {
        let store = Memory::new(Order::Added);
        store.add(&image("a", OLD, ""), None, BuiltHere);
        let step = Step {
            platform,
            ..step(r#"{"Cmd":["a"]}"#)
        };
        let (_, explained) = asked(&store, &Options::default(), &step);
        assert_eq!(lines(&explained.nearest), [want]);
        assert_eq!(lines(&explained.findings), [want]);
    }
}

#[test]
fn an_arm64_variant_that_accepts_nothing_is_said() {
    let said = |name: &str, semantics: Semantics| {
        let options = Options {
            semantics,
            ..Options::default()
        };
        let step = Step {
            platform: platform(name),
            ..step("{}")
        };
        let (_, explained) = asked(&Memory::new(Order::Added), &options, &step);
        let found = explained
            .findings
            .iter()
            .find(|f| f.code == "docker/unknown-arm64-variant");
        found.map(|finding| finding.subject.clone())
    };
    let strange = "linux/arm64/v10";
    assert_eq!(
        said(strange, Semantics::guarded()).as_deref(),
        Some(strange)
    );
    assert_eq!(said(strange, guarded("26.0")), None);
    assert_eq!(said("linux/arm64/v9", Semantics::guarded()), None);
    assert_eq!(said("linux/amd64/v10", Semantics::guarded()), None);
}

#[test]
fn versions_differ_in_the_platforms_they_accept() {
    let features = |list: &[&str]| Platform {
        os_features: list.iter().map(|f| (*f).to_owned()).collect(),
        ..platform("linux/amd64")
    };
    let linux = |version: &str| Platform {
        os_version: version.to_owned(),
        ..platform("linux/amd64")
    };
    let p = platform;
    for (builder, image, newest, before) in [
        (p("linux/arm64/v8.2"), p("linux/arm64/v8.1"), true, false),
        (p("linux/arm64/v8.2"), p("linux/arm64"), true, false),
        (p("linux/arm64/v8.2"), p("linux/arm64/v8.2"), true, true),
        (p("linux/arm64/v8.2"), p("linux/arm/v7"), true, false),
        (p("linux/arm64/v8.2"), p("linux/amd64/v7"), false, false),
        (p("linux/arm64"), p("linux/arm64"), true, true),
        (p("linux/arm64"), p("linux/arm64/v9"), false, false),
        (p("linux/arm64"), p("linux/arm/v8"), true, true),
        (p("linux/arm64"), p("linux/arm/v5"), true, true),
        (p("linux/arm64"), p("linux/arm/v4"), false, false),
        (p("linux/arm64"), p("linux/amd64"), false, false),
        (p("linux/arm64"), p("linux/386/v7"), false, false),
        (p("linux/arm64/v7"), p("linux/arm/v7"), false, true),
        (p("linux/arm64/v7"), p("linux/arm/v8"), false, false),
        (p("linux/riscv64"), p("linux/amd64"), false, false),
        // The first variant of amd64 is written without its number.
        (p("linux/amd64/1"), p("linux/amd64"), false, false),
        (p("linux/amd64/2"), p("linux/amd64"), true, true),
        (features(&[]), features(&["f"]), false, true),
        (features(&["f"]), features(&["f"]), true, true),
        (linux("10.0.1"), linux("10.0.2"), true, true),
        (windows("10.0.17763"), windows("10.1.17763"), false, true),
        (windows("10.0.17763"), windows("10.0.17763"), true, true),
    ] {
        let accepts = |semantics: &Semantics| {
            let pair = (std::slice::from_ref(&builder), std::slice::from_ref(&image));
            match_platforms(pair.0, pair.1, "linux", semantics).unwrap()[0][0]
        };
        let name = format!("{builder:?} {image:?}");
        assert_eq!(accepts(&Semantics::guarded()), newest, "{name}");
        for version in ["26.0", "20.10"] {
            assert_eq!(accepts(&guarded(version)), before, "{version} {name}");
        }
    }
}

#[test]
fn an_image_without_a_platform_is_said_with_what_it_has() {
    for (variant, want) in [("", "no-platform"), ("v7", "no-platform variant=v7|-")] {
        let store = Memory::new(Order::Added);
        let document = image("a", OLD, "").replace(
            r#""os":"linux","architecture":"amd64""#,
            &format!(r#""variant":"{variant}""#),
        );
        store.add(&document, None, BuiltHere);
        let (_, explained) = asked(&store, &Options::default(), &step(r#"{"Cmd":["a"]}"#));
        assert_eq!(lines(&explained.findings), [want]);
    }
}
