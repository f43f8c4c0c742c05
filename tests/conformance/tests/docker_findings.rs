//! What Docker's answers and explanations say beside the outcome, and rules of
//! single versions that no vector reaches.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use layerwise::docker::testing::{
    compare_command, compare_configs, compare_history, encode_config, newest,
};
use layerwise::docker::{Answer, Options, Outcome, Session, compare_parent};
use layerwise::explain::{Difference, Finding};
use layerwise::host::Provenance::{BuiltHere, Elsewhere};
use layerwise::semantics::Semantics;
use layerwise_stores::{Memory, Order};
use support::docker::{NEW, OLD, asked, guarded, image, line, lines, step, trusted};

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
            // That of a restored image is tried elsewhere, too.
            let told = |f: &&Finding| f.code != "docker/restored-command";
            let told = answer.notes.iter().filter(told);
            told.map(short).collect::<Vec<_>>().join(" ")
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
            "history-not-longer history.length=1|1",
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
    let codes: Vec<_> = layerwise::rules().map(|rule| rule.code).collect();
    assert!(codes.contains(&"docker/tie"));
    let distinct: std::collections::BTreeSet<_> = codes.iter().collect();
    assert_eq!(distinct.len(), codes.len());
}
