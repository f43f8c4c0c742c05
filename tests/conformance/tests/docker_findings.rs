//! What Docker's answers and explanations say beside the outcome, and rules of
//! single versions that no vector reaches.

#![allow(clippy::unwrap_used, reason = "a test")]

use layerwise::docker::{
    Answer, CacheFrom, Options, Outcome, Policy, Session, Step, compare_command, compare_configs,
    compare_history, compare_parent, encode_config, match_platforms, newest,
};
use layerwise::error::Error;
use layerwise::explain::{Difference, Explanation, Finding};
use layerwise::host::Provenance::{BuiltHere, Elsewhere};
use layerwise::oci::Platform;
use layerwise::semantics::{Reading, Semantics};
use layerwise_stores::{Memory, Order};

/// An image of one command, made at `created`.
fn image(command: &str, created: &str, more: &str) -> String {
    format!(
        r#"{{"created":"{created}","os":"linux","architecture":"amd64","container_config":{{"Cmd":["{command}"]{more}}},
        "config":{{}},"history":[{{"created_by":"{command}"}}],"rootfs":{{"type":"layers","diff_ids":["sha256:1"]}}}}"#
    )
}

const OLD: &str = "2024-01-01T00:00:00Z";
const NEW: &str = "2024-01-02T00:00:00Z";

fn step(config: &str) -> Step {
    Step {
        parent: None,
        config: Some(config.to_owned()),
        platform: platform("linux/amd64"),
    }
}

/// `os/architecture/variant`.
fn platform(name: &str) -> Platform {
    let mut parts = name.split('/').map(ToOwned::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    Platform {
        os: next(),
        architecture: next(),
        variant: next(),
        ..Platform::default()
    }
}

fn windows(version: &str) -> Platform {
    Platform {
        os_version: version.to_owned(),
        ..platform("windows/amd64")
    }
}

/// The guarded reading of a version.
fn guarded(version: &str) -> Semantics {
    Semantics {
        reading: Reading::Guarded,
        version: Some(version.to_owned()),
    }
}

fn trusted(reference: &str) -> Vec<CacheFrom> {
    vec![CacheFrom {
        reference: reference.to_owned(),
        trusted: true,
    }]
}

/// The answer about a step, and its explanation.
fn asked(store: &Memory, options: &Options, step: &Step) -> (Result<Answer, Error>, Explanation) {
    let mut session = Session::open(store, options.clone()).unwrap();
    let explained = session.explain(step).unwrap();
    (session.lookup(step), explained)
}

/// A finding as one line.
fn line(finding: &Finding) -> String {
    let code = finding.code.trim_start_matches("docker/");
    let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let difference = |d: &Difference| format!(" {}={}|{}", d.path, side(&d.have), side(&d.want));
    let list: String = finding.differences.iter().map(difference).collect();
    let hint = finding.hint.as_ref().map(|hint| format!(" ({hint})"));
    format!("{code}{list}{}", hint.unwrap_or_default())
}

fn lines<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<String> {
    findings.into_iter().map(line).collect()
}

#[test]
fn a_tie_is_noted_and_the_smallest_id_wins() {
    for (created, tie) in [
        (&[OLD][..], false),
        (&[OLD, NEW], false),
        (&[OLD, OLD, OLD], true),
    ] {
        let store = Memory::new(Order::Added);
        let mut ids = Vec::new();
        for (index, created) in created.iter().enumerate() {
            let text = image("a", created, "")
                .replace("\"config\":{}", &format!("\"author\":\"{index}\""));
            ids.push(store.add(&text, None, BuiltHere));
        }
        let (answer, explained) = asked(&store, &Options::default(), &step(r#"{"Cmd":["a"]}"#));
        let answer = answer.unwrap();
        let winner = if tie { ids.iter().min() } else { ids.last() };
        assert_eq!(answer.image.as_ref(), winner);
        assert_eq!(lines(&answer.notes), if tie { vec!["tie"] } else { vec![] });
        let losers = explained
            .findings
            .iter()
            .filter(|f| f.code == "docker/not-newest");
        for loser in losers {
            let last = loser.differences.last().unwrap();
            assert_eq!(last, &Difference::fact("tie", tie));
        }
    }
    let times: Vec<_> = [NEW, NEW, OLD].map(|time| Some(time.to_owned())).into();
    assert_eq!(newest(&times, &Semantics::guarded()), Ok(Some(0)));
}

#[test]
fn missing_labels_that_count_as_empty_are_noted() {
    let store = Memory::new(Order::Added);
    store.add(&image("a", OLD, r#","Labels":{"x":""}"#), None, BuiltHere);
    let step = step(r#"{"Cmd":["a"],"Labels":{"y":"v"}}"#);
    let compatible = Options {
        semantics: Semantics::compatible(None),
        ..Options::default()
    };
    let (answer, _) = asked(&store, &compatible, &step);
    assert_eq!(lines(&answer.unwrap().notes), ["label-quirk"]);
    let (answer, explained) = asked(&store, &Options::default(), &step);
    assert_eq!(answer.unwrap().outcome, Outcome::Miss);
    assert_eq!(
        lines(&explained.nearest),
        ["config-mismatch Labels[\"x\"]=|- Labels[\"y\"]=-|v"]
    );
    let same = self::step(r#"{"Cmd":["a"],"Labels":{"x":""}}"#);
    let (answer, _) = asked(&store, &compatible, &same);
    assert_eq!(lines(&answer.unwrap().notes), [""; 0]);
}

#[test]
fn sources_say_what_a_restore_loses_and_why_none_is_made() {
    let entry = |created: &str, rest: &str| {
        format!(
            r#"{{"created":"{created}","created_by":"a"{rest}}},{{"created_by":"b","empty_layer":true}}"#
        )
    };
    let source = |variant: &str, history: &str, diff_ids: &str| {
        format!(
            r#"{{"created":"{OLD}","os":"linux","architecture":"amd64","variant":"{variant}","config":{{}},
            "history":[{history}],"rootfs":{{"type":"layers","diff_ids":{diff_ids}}}}}"#
        )
    };
    let plain = entry(OLD, "");
    let far = entry("2024-01-01T00:00:00+24:00", "");
    for (document, guarded, compatible) in [
        (
            source("", &plain, r#"["sha256:1"]"#),
            (Outcome::HitRestored, ""),
            Ok(""),
        ),
        (
            source("v2", &plain, r#"["sha256:1"]"#),
            (
                Outcome::HitRestored,
                "source-platform-mismatch variant-lost variant=v2|-",
            ),
            Ok("source-platform-mismatch variant-lost variant=v2|-"),
        ),
        (
            source("", &far, r#"["sha256:1"]"#),
            (Outcome::Miss, "time-not-encodable index=0|-"),
            Err("docker/restore-failed"),
        ),
        (
            source("", &plain, r#"[""]"#),
            (
                Outcome::Miss,
                "empty-layer-digest index=0|- layer=0|0 rootfs.diff_ids.length=1|-",
            ),
            Ok(""),
        ),
        (
            source("", &plain, "[]"),
            (
                Outcome::Miss,
                "layer-index-out-of-range index=0|- layer=0|0 rootfs.diff_ids.length=0|-",
            ),
            Ok("layer-index-out-of-range index=0|- layer=0|0 rootfs.diff_ids.length=0|-"),
        ),
    ] {
        let store = Memory::new(Order::Added);
        let id = store.add(&document, None, Elsewhere);
        let mut options = Options {
            cache_from: trusted(&id),
            ..Options::default()
        };
        // The platform has evidence of its own, which is tried elsewhere.
        let notes = |answer: &Answer| {
            let short = |f: &Finding| match &*f.code {
                "docker/source-platform-mismatch" => "source-platform-mismatch".to_owned(),
                _ => line(f),
            };
            answer.notes.iter().map(short).collect::<Vec<_>>().join(" ")
        };
        let (answer, explained) = asked(&store, &options, &step(r#"{"Cmd":["a"]}"#));
        let answer = answer.unwrap();
        assert_eq!((answer.outcome, &*notes(&answer)), guarded, "{document}");
        let restores = explained
            .findings
            .iter()
            .any(|f| f.code == "docker/restore");
        assert_eq!(
            restores,
            answer.outcome == Outcome::HitRestored,
            "{document}"
        );
        for note in &answer.notes {
            assert!(
                explained.findings.iter().any(|f| f.code == note.code),
                "{note:?}"
            );
        }
        options.semantics = Semantics::compatible(None);
        let (answer, _) = asked(&store, &options, &step(r#"{"Cmd":["a"]}"#));
        let said = answer.as_ref().map(notes);
        let said = said
            .as_deref()
            .map_err(|error| &*error.problem().unwrap().code);
        assert_eq!(said, compatible, "{document}");
    }
}

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
fn versions_differ_in_what_they_write() {
    let config = "{\"User\":\"\\b\",\"MacAddress\":\"m\"}";
    let written = |version: &str| encode_config(config, &guarded(version)).unwrap();
    for (version, user, address) in [
        ("29", r#""User":"\b""#, false),
        ("26.0", r#""User":"\u0008""#, true),
        ("20.10", r#""User":"\u0008""#, true),
    ] {
        let text = written(version);
        assert!(text.contains(user), "{text}");
        assert_eq!(text.contains(r#""MacAddress":"m""#), address, "{text}");
    }
    let read = |text: &str| encode_config(text, &guarded("26.0")).is_ok();
    assert!(read(r#"{"MacAddress":null}"#));
    assert!(!read(r#"{"MacAddress":1}"#));
    assert!(!read(r#"{"MacAddress":1,"MacAddress":"m"}"#));
    assert!(encode_config(r#"{"MacAddress":1}"#, &guarded("29")).is_ok());
    assert!(
        !encode_config("{}", &guarded("26.0"))
            .unwrap()
            .contains("MacAddress")
    );
    for (version, own) in [
        ("29", None),
        ("26.0", Some("26.0.0")),
        ("20.10", Some("20.10.24")),
    ] {
        for given in ["", "1.2.3"] {
            let store = Memory::new(Order::Added);
            let history = r#""history":[{"created_by":"a","empty_layer":true},{"created_by":"b"}]"#;
            let source = image("a", OLD, "").replace(r#""history":[{"created_by":"a"}]"#, history);
            let options = Options {
                cache_from: trusted(&store.add(&source, None, Elsewhere)),
                semantics: guarded(version),
                docker_version: given.to_owned(),
                ..Options::default()
            };
            let mut session = Session::open(&store, options).unwrap();
            let answer = session.lookup(&step(r#"{"Cmd":["a"]}"#)).unwrap();
            assert_eq!(answer.outcome, Outcome::HitRestored);
            let made = store
                .images()
                .into_iter()
                .find(|i| Some(&i.id) == answer.image.as_ref());
            let document = made.unwrap().document.unwrap();
            let own = own.map(|own| if given.is_empty() { own } else { given });
            let says = own.map(|own| format!(r#""docker_version":"{own}""#));
            assert_eq!(
                document.contains("docker_version"),
                says.is_some(),
                "{document}"
            );
            assert!(document.contains(&says.unwrap_or_default()), "{document}");
        }
    }
}

#[test]
fn the_guarded_reading_of_an_old_version_compares_all() {
    for (child, built) in [
        (image("a", OLD, r#","WorkingDir":"/x""#), BuiltHere),
        (image("a", OLD, ""), Elsewhere),
        (image("a", OLD, "").replace("amd64", "arm64"), BuiltHere),
    ] {
        for (semantics, outcome) in [
            (Semantics::compatible(Some("20.10")), Outcome::HitLocal),
            (guarded("20.10"), Outcome::Miss),
        ] {
            let store = Memory::new(Order::Added);
            store.add(&child, None, built);
            let options = Options {
                semantics,
                ..Options::default()
            };
            let (answer, _) = asked(&store, &options, &step(r#"{"Cmd":["a"]}"#));
            assert_eq!(answer.unwrap().outcome, outcome, "{child}");
        }
    }
}

#[test]
fn configs_say_where_they_differ() {
    let differ = |have: &str, want: &str, version: &str| {
        let semantics = Semantics::compatible(Some(version));
        let found = compare_configs(Some(have), Some(want), &semantics).unwrap();
        assert_eq!(found.equal, found.differences.is_empty());
        let finding = Finding::new("", "").with(found.differences);
        line(&finding).trim_start().to_owned()
    };
    for (have, want, newest, early) in [
        (
            r#"{"Env":["a","b"]}"#,
            r#"{"Env":["a","c"]}"#,
            "Env[1]=b|c",
            "Env[1]=b|c",
        ),
        (
            r#"{"Cmd":["a"]}"#,
            r#"{"Cmd":["a","c"]}"#,
            "Cmd[1]=-|c",
            "Cmd[1]=-|c",
        ),
        // The old rules never take a config with an open standard input.
        (
            r#"{"OpenStdin":true}"#,
            "{}",
            "OpenStdin=true|false",
            "OpenStdin=true|false",
        ),
        (
            "{}",
            r#"{"OpenStdin":true}"#,
            "OpenStdin=false|true",
            "OpenStdin=false|true",
        ),
        (
            r#"{"OpenStdin":true}"#,
            r#"{"OpenStdin":true}"#,
            "",
            "OpenStdin=true|true",
        ),
    ] {
        assert_eq!(differ(have, want, "29"), newest, "{have} {want}");
        assert_eq!(differ(have, want, "20.10"), early, "{have} {want}");
    }
}

#[test]
fn commands_say_where_they_differ() {
    for (entry, want, said) in [
        ("ab", "ac", "first-differing-byte=1|-"),
        ("", "c", "first-differing-byte=0|-"),
        (
            "x # buildkit",
            "x",
            "first-differing-byte=1|- (this image was built by BuildKit, whose history the classic builder never matches)",
        ),
        (
            "|1 A=1 x",
            "|1 A=2 x",
            "first-differing-byte=5|- (only the build arguments differ)",
        ),
        (
            "|2 A=1 B=1 x",
            "x",
            "first-differing-byte=0|- (only the build arguments differ)",
        ),
        // No arguments are what has no equals sign, no count, or is too short.
        ("|1 A x", "x", "first-differing-byte=0|-"),
        ("|1 A x", "|1 B x", "first-differing-byte=3|-"),
        ("|n A=1 x", "x", "first-differing-byte=0|-"),
        ("|2 A=1 x", "x", "first-differing-byte=0|-"),
    ] {
        let entry_text = format!(r#"{{"created_by":"{entry}"}}"#);
        let config = format!(r#"{{"Cmd":["{want}"]}}"#);
        let found = compare_command(&entry_text, &config, &Semantics::guarded()).unwrap();
        let want = format!("command-mismatch history[0].created_by={entry}|{want} {said}");
        assert_eq!(found.as_ref().map(line), Some(want));
    }
}

#[test]
fn parents_say_where_they_differ() {
    let document = |history: &[&str], diff_ids: &str| {
        let history = history.join(",");
        format!(r#"{{"history":[{history}],"rootfs":{{"type":"layers","diff_ids":{diff_ids}}}}}"#)
    };
    let a = r#"{"created":"2024-01-01T00:00:00Z","created_by":"a"}"#;
    let zone = r#"{"created":"2024-01-01T00:00:00+00:00","created_by":"a"}"#;
    let later = r#"{"created":"2024-01-01T00:00:01+00:00","created_by":"a"}"#;
    let both = r#"{"created":"2024-01-01T00:00:00+00:00","created_by":"b"}"#;
    let far = r#"{"created":"2024-01-01T00:00:00+24:00","created_by":"a"}"#;
    let b = r#"{"created_by":"b"}"#;
    let one = r#"["1"]"#;
    for (image, parent, want) in [
        (document(&[], one), document(&[a], one), "no-history"),
        (
            document(&[a], one),
            document(&[a], one),
            "history-not-longer history.length=1|2",
        ),
        (
            document(&[a, b], "[]"),
            document(&[a], one),
            "parent-has-more-layers rootfs.diff_ids.length=0|1",
        ),
        (
            document(&[zone, b], one),
            document(&[a], one),
            "history-mismatch history[0].created=2024-01-01T00:00:00+00:00|2024-01-01T00:00:00Z \
             (only the spelling of the time zone differs: Z and +00:00 are not equal)",
        ),
        (
            document(&[later, b], one),
            document(&[a], one),
            "history-mismatch history[0].created=2024-01-01T00:00:01+00:00|2024-01-01T00:00:00Z",
        ),
        (
            document(&[both, b], one),
            document(&[a], one),
            "history-mismatch history[0].created=2024-01-01T00:00:00+00:00|2024-01-01T00:00:00Z \
             history[0].created_by=b|a",
        ),
        (
            document(&[far, b], one),
            document(&[a], one),
            "history-mismatch history[0].created=offset of 86400 s|2024-01-01T00:00:00Z",
        ),
        (
            document(&[a, b], r#"["1","2"]"#),
            document(&[a], r#"["3"]"#),
            "layer-mismatch rootfs.diff_ids[0]=1|3",
        ),
        (document(&[a, b], one), document(&[a], one), ""),
        (document(&[a], one), document(&[], "[]"), ""),
    ] {
        let found = compare_parent(&image, Some(&parent), &Semantics::guarded()).unwrap();
        assert_eq!(found.as_ref().map(line).unwrap_or_default(), want);
    }
    assert_eq!(compare_history(a, a), Ok(vec![]));
}

#[test]
fn what_changes_between_lookups_is_seen() {
    let store = Memory::new(Order::Added);
    let mut session = Session::open(&store, Options::default()).unwrap();
    let mut outcome = || session.lookup(&step(r#"{"Cmd":["a"]}"#)).unwrap().outcome;
    let other = store.add(&image("b", OLD, ""), None, BuiltHere);
    assert_eq!(outcome(), Outcome::Miss);
    assert_eq!(outcome(), Outcome::Miss);
    let child = store.add(&image("a", OLD, ""), None, BuiltHere);
    assert_eq!(outcome(), Outcome::HitLocal);
    assert_eq!(outcome(), Outcome::HitLocal);
    store.remove(&other);
    assert_eq!(outcome(), Outcome::HitLocal);
    store.remove(&child);
    assert_eq!(outcome(), Outcome::Miss);
}

#[test]
fn a_document_is_read_up_to_the_cap() {
    let document = image("a", OLD, "");
    let bytes = document.len() as u64;
    let asked = |cap: u64| {
        let store = Memory::new(Order::Added);
        store.add(&document, None, BuiltHere);
        let options = Options {
            limits: vec![("document-bytes".to_owned(), cap)],
            ..Options::default()
        };
        let (answer, _) = asked(&store, &options, &step(r#"{"Cmd":["a"]}"#));
        answer.map(|answer| answer.outcome)
    };
    assert_eq!(asked(bytes), Ok(Outcome::HitLocal));
    assert_eq!(asked(bytes + 1), Ok(Outcome::HitLocal));
    for cap in [bytes - 1, bytes - 2] {
        let refused = asked(cap).unwrap_err();
        let problem = refused.problem().unwrap();
        let want = format!("document of {bytes} bytes, limit document-bytes");
        assert_eq!(problem.message, want);
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

#[test]
fn a_replay_stands_each_step_on_the_one_before_and_ends_at_a_miss() {
    let store = Memory::new(Order::Added);
    let a = store.add(&image("a", OLD, ""), None, BuiltHere);
    let b = store.add(&image("b", OLD, ""), Some(&a), BuiltHere);
    let steps = ["a", "b", "c", "a"].map(|name| step(&format!(r#"{{"Cmd":["{name}"]}}"#)));
    let mut session = Session::open(&store, Options::default()).unwrap();
    let answers = session.replay(&steps).unwrap();
    let images: Vec<_> = answers.iter().map(|answer| answer.image.as_ref()).collect();
    assert_eq!(images, [Some(&a), Some(&b), None]);
}

#[test]
fn layers_that_decide_must_be_given() {
    let document = |entries: usize, rootfs: bool| {
        let history = vec![r#"{"created_by":"a"}"#; entries].join(",");
        let rootfs = if rootfs {
            r#","rootfs":{"type":"layers","diff_ids":["1"]}"#
        } else {
            ""
        };
        format!(r#"{{"history":[{history}]{rootfs}}}"#)
    };
    for (image, parent, refused) in [
        (document(2, true), document(1, true), false),
        (document(2, false), document(1, true), true),
        (document(2, true), document(1, false), true),
        // The histories have decided already.
        (document(1, false), document(1, true), false),
        (document(1, false), document(2, true), false),
        (document(0, false), document(1, false), false),
        (document(1, false), document(0, true), true),
        (document(1, true), document(0, true), false),
        (document(1, true), document(0, false), true),
    ] {
        let found = compare_parent(&image, Some(&parent), &Semantics::guarded());
        assert_eq!(found.is_err(), refused, "{image} {parent}");
    }
}

#[test]
fn every_rule_is_listed_once() {
    let codes: Vec<_> = layerwise::docker::rules()
        .iter()
        .map(|rule| rule.code)
        .collect();
    assert!(codes.contains(&"docker/tie"));
    let distinct: std::collections::BTreeSet<_> = codes.iter().collect();
    assert_eq!(distinct.len(), codes.len());
}

/// The children that a dry run makes or moves are seen by the steps after it.
#[test]
fn a_dry_run_is_explained_as_a_run() {
    let two = r#""history":[{"created_by":"a"},{"created_by":"b","empty_layer":true}]"#;
    let restorable = image("s", OLD, "").replace(r#""history":[{"created_by":"s"}]"#, two);
    let explained = |dry_run: bool, on_parent: bool| {
        let store = Memory::new(Order::Sorted);
        let parent = store.add(&image("a", OLD, ""), None, BuiltHere);
        let source = store.add(&restorable, None, BuiltHere);
        let options = Options {
            cache_from: trusted(&source),
            policy: Policy {
                dry_run,
                ..Policy::default()
            },
            ..Options::default()
        };
        let mut session = Session::open(&store, options).unwrap();
        let first = match on_parent {
            true => Step {
                parent: Some(parent.clone()),
                ..step(r#"{"Cmd":["b"]}"#)
            },
            false => step(r#"{"Cmd":["a"]}"#),
        };
        let answer = session.lookup(&first).unwrap();
        let other = r#"{"Cmd":["c"]}"#;
        let mut seen = Vec::new();
        for below in [None, Some(parent)] {
            let step = Step {
                parent: below,
                ..step(other)
            };
            let mut found = session.explain(&step).unwrap().findings;
            found.sort_by(|a, b| (&a.subject, &a.code).cmp(&(&b.subject, &b.code)));
            seen.push(lines(&found));
        }
        assert_eq!(store.images().len() > 2, !dry_run && !on_parent);
        (answer.outcome, answer.image, seen)
    };
    for (on_parent, outcome) in [(true, Outcome::HitSource), (false, Outcome::HitRestored)] {
        let run = explained(false, on_parent);
        assert_eq!(run.0, outcome);
        assert_eq!(explained(true, on_parent), run);
    }
}
