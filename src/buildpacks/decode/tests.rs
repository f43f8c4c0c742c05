//! What labels are read, and what of them is refused.

use super::*;
use crate::buildpacks::limits::LIMITS;
use crate::limits::Limit;

fn read(text: &str, strict: bool) -> Result<String, String> {
    let reading = Reading {
        strict,
        integers: false,
        limits: &LIMITS,
    };
    decode(text, Document::Cache, reading)
        .map(|metadata| metadata.to_text())
        .map_err(|fault| fault.to_string())
}

const EMPTY: &str = r#"{"sbom":{"sha":""},"buildpacks":null}"#;

#[test]
fn nulls_are_zero_values() {
    for text in ["null", " {} ", r#"{"sbom":null,"buildpacks":null}"#] {
        assert_eq!(read(text, true).as_deref(), Ok(EMPTY), "{text}");
    }
    assert_eq!(
        read(
            r#"{"buildpacks":[null,{"layers":{"m":null},"store":{}}]}"#,
            true
        )
        .unwrap(),
        "{\"sbom\":{\"sha\":\"\"},\"buildpacks\":[{\"key\":\"\",\"version\":\"\",\
             \"layers\":null},{\"key\":\"\",\"version\":\"\",\"layers\":{\"m\":{\"sha\":\"\",\
             \"data\":null,\"build\":false,\"launch\":false,\"cache\":false}},\
             \"store\":{\"metadata\":null}}]}"
    );
}

#[test]
fn one_wrong_value_spoils_the_document() {
    for text in [
        "[]",
        "1",
        "{} x",
        "{}{}",
        "\u{feff}{}",
        "{\"buildpacks\":[],}",
        "{/**/}",
        r#"{"buildpacks":{}}"#,
        r#"{"sbom":"x"}"#,
        r#"{"sbom":{"sha":1}}"#,
        r#"{"buildpacks":[{"key":1}]}"#,
        r#"{"buildpacks":[{"layers":[]}]}"#,
        r#"{"buildpacks":[{"layers":{"l":{"cache":"true"}}}]}"#,
        r#"{"buildpacks":[{"layers":{"l":{"cache":1}}}]}"#,
        r#"{"buildpacks":[{"layers":{"l":[]}}]}"#,
        r#"{"buildpacks":[{"store":"x"}]}"#,
        r#"{"buildpacks":[{"store":{"metadata":"x"}}]}"#,
        r#"{"buildpacks":[{"layers":{"l":{"data":1e400}}}]}"#,
        r#"{"buildpacks":[{"layers":{"l":{"data":01}}}]}"#,
    ] {
        assert!(read(text, true).is_err(), "{text}");
        assert!(read(text, false).is_err(), "{text}");
    }
}

#[test]
fn members_of_the_application_label_are_known_there_only() {
    let text = r#"{"runImage":{"mirrors":[1]},"app":{},"process-types":[]}"#;
    assert_eq!(read(text, true).as_deref(), Ok(EMPTY));
    let app = |text: &str| {
        let reading = Reading {
            strict: true,
            integers: false,
            limits: &LIMITS,
        };
        decode(text, Document::App, reading)
    };
    for text in [
        r#"{"runImage":{"mirrors":[1]}}"#,
        r#"{"app":{}}"#,
        r#"{"process-types":[]}"#,
        r#"{"stack":{"runImage":{"image":1}}}"#,
    ] {
        assert!(app(text).is_err(), "{text}");
    }
    let text = r#"{"app":[{"sha":"1"},null],"sbom":{"sha":"s"},"config":{"sha":""},"launcher":{},
            "process-types":null,"runImage":{"topLayer":"t","reference":"r","image":"i",
            "mirrors":["m"]},"stack":{"runImage":{"image":"i","mirrors":[]}}}"#;
    assert_eq!(app(text).unwrap().sbom, "s");
}

#[test]
fn names_are_exact_and_given_once() {
    for (text, why) in [
        (
            r#"{"sbom":{},"sbom":{}}"#,
            "member \"sbom\" is repeated at byte 18",
        ),
        (
            r#"{"sbom":{"sha":"\ud800"}}"#,
            "half a surrogate pair at byte 16",
        ),
        (
            r#"{"sbom":{"sha":"\udc00\ud83d\ude00"}}"#,
            "half a surrogate pair at byte 16",
        ),
    ] {
        assert_eq!(read(text, true).unwrap_err(), why);
        assert!(read(text, false).is_ok());
    }
    assert!(read(r#"{"sbom":{"sha":"\\ud800\ud83d\ude00\n"}}"#, true).is_ok());
    let other_case = r#"{"SBOM":{"\u017fha":"x"}}"#;
    assert_eq!(read(other_case, true).as_deref(), Ok(EMPTY));
    assert!(read(other_case, false).unwrap().contains(r#""sha":"x""#));
    // A name inside `layers` or `data` may come twice: the last counts.
    let text = r#"{"buildpacks":[{"layers":{"l":{"sha":"1","data":{"a":1,"a":2}},"l":{}}}]}"#;
    assert!(
        read(text, true)
            .unwrap()
            .contains(r#""l":{"sha":"","data":null"#)
    );
}

#[test]
fn compatible_decodes_repeated_members_over_each_other() {
    let text = r#"{"buildpacks":[{"key":"a","version":"1","layers":{"x":{"sha":"1","cache":true}}},
            {"key":"b"}],"buildpacks":[{"key":"c","layers":{"y":{}}}],"Buildpacks":[null,{"version":"2"}]}"#;
    let text = read(text, false).unwrap();
    let layer = |sha, cache| {
        format!(r#"{{"sha":"{sha}","data":null,"build":false,"launch":false,"cache":{cache}}}"#)
    };
    assert_eq!(
        text,
        format!(
            "{{\"sbom\":{{\"sha\":\"\"}},\"buildpacks\":[{{\"key\":\"c\",\"version\":\"1\",\
                 \"layers\":{{\"x\":{},\"y\":{}}}}},{{\"key\":\"b\",\"version\":\"2\",\
                 \"layers\":null}}]}}",
            layer("1", true),
            layer("", false)
        )
    );
    let store = r#"{"buildpacks":[{"store":{"metadata":{"a":1}},"store":{"metadata":{"b":2}}}]}"#;
    assert!(
        read(store, false)
            .unwrap()
            .contains(r#""metadata":{"a":1,"b":2}"#)
    );
}

#[test]
fn limits_are_named() {
    let read_with = |limit: Limit, value: u64, text: &str| {
        let limits = LIMITS.with(&[(limit.name().to_owned(), value)]).unwrap();
        let reading = Reading {
            strict: true,
            integers: false,
            limits: &limits,
        };
        decode(text, Document::Cache, reading).map(|_| ())
    };
    let text = r#"{"buildpacks":[{"layers":{"l":{"data":[1,2]},"m":{}}},{}]}"#;
    for (limit, enough) in [
        (Limit::LabelBytes, text.len() as u64),
        (Limit::Depth, 6),
        (Limit::Buildpacks, 2),
        (Limit::Layers, 2),
        (Limit::Values, 3),
    ] {
        assert_eq!(read_with(limit, enough, text), Ok(()), "{limit:?}");
        let refused = read_with(limit, enough - 1, text);
        assert_eq!(refused, Err(Fault::Limit(limit, enough - 1)));
    }
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(10_001), "]".repeat(10_001));
    assert!(read(&deep, true).is_err());
    assert!(read(&deep, false).is_err());
}

#[test]
fn null_is_what_is_not_there() {
    let entry = |members: &str| format!(r#"{{"buildpacks":[{{"key":"b",{members}}}]}}"#);
    let without = read(&entry(r#""layers":{}"#), true).unwrap();
    for members in [
        r#""layers":{},"store":null"#,
        r#""layers":{},"store":{"metadata":{"a":1}},"store":null"#,
    ] {
        assert_eq!(
            read(&entry(members), false).as_ref(),
            Ok(&without),
            "{members}"
        );
    }
    let empty = read(&entry(r#""layers":{},"store":{}"#), true).unwrap();
    let null = read(&entry(r#""layers":{},"store":{"metadata":null}"#), true).unwrap();
    assert_eq!(null, empty);
}
