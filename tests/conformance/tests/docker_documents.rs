//! Documents that upstream reads in ways no vector shows; found by comparing
//! with its own packages over random documents (`tests/oracle/moby`).

use layerwise::docker::testing::encode_config;
use layerwise::docker::{Order, encode_image};
use layerwise::semantics::Semantics;

const NEWEST: Option<&str> = None;
const OLDER: Option<&str> = Some("26.0");

fn semantics(version: Option<&str>) -> Semantics {
    Semantics::compatible(version)
}

/// The member of a config after it was read and written, `None` if refused.
fn member(version: Option<&str>, name: &str, config: &str) -> Option<String> {
    let text = encode_config(config, &semantics(version)).ok()?;
    let members: serde_json::Value = serde_json::from_str(&text).ok()?;
    // What is left out counts as null.
    Some(members.get(name).cloned().unwrap_or_default().to_string())
}

#[test]
fn what_is_refused_stays_refused_when_it_comes_again() {
    for (name, config, newest, older) in [
        (
            "ExposedPorts",
            r#"{"ExposedPorts":{"1-2":{}},"ExposedPorts":null}"#,
            None,
            Some("null"),
        ),
        ("Cmd", r#"{"Cmd":"x","Cmd":["y"]}"#, None, Some(r#"["y"]"#)),
        ("Shell", r#"{"Shell":"x","Shell":null}"#, None, Some("null")),
        (
            "Tty",
            r#"{"MacAddress":1,"MacAddress":null}"#,
            Some("false"),
            None,
        ),
    ] {
        assert_eq!(member(NEWEST, name, config).as_deref(), newest, "{config}");
        assert_eq!(member(OLDER, name, config).as_deref(), older, "{config}");
    }
    let image = r#"{"rootfs":{},"config":{"Cmd":"x"},"config":null}"#;
    let encode = |version| encode_image(image, Order::Declared, &semantics(version));
    assert!(encode(NEWEST).is_err());
    assert!(encode(OLDER).is_ok());
}

#[test]
fn ports_that_are_spelled_differently_are_merged() {
    let config = r#"{"ExposedPorts":{"80":{}},"exposedports":{"080/TCP":null,"80/udp":{}}}"#;
    assert_eq!(
        member(NEWEST, "ExposedPorts", config).as_deref(),
        Some(r#"{"80/tcp":{},"80/udp":{}}"#)
    );
}

#[test]
fn null_in_a_repeated_list_keeps_what_earlier_lists_left() {
    for (config, newest, older) in [
        (r#"{"Cmd":["a"],"Cmd":[null]}"#, r#"["a"]"#, r#"[""]"#),
        (
            r#"{"Cmd":["a","b"],"Cmd":["c"],"Cmd":[null,null]}"#,
            r#"["c","b"]"#,
            r#"["",""]"#,
        ),
        (
            r#"{"Cmd":["a","b"],"Cmd":[],"Cmd":[null]}"#,
            r#"[""]"#,
            r#"[""]"#,
        ),
    ] {
        let read = |version| member(version, "Cmd", config);
        assert_eq!(read(NEWEST).as_deref(), Some(newest), "{config}");
        assert_eq!(read(OLDER).as_deref(), Some(older), "{config}");
    }
    let image = r#"{"rootfs":{"diff_ids":["a","b"],"diff_ids":["c"],"diff_ids":[null,null]},
        "history":[{"author":"a"},{"author":"b"}],"history":[{}],"history":[{},{"comment":"c"}]}"#;
    let text = encode_image(image, Order::Declared, &semantics(NEWEST)).unwrap();
    assert!(text.contains(r#""diff_ids":["c","b"]"#), "{text}");
    assert!(
        text.contains(r#""history":[{"author":"a"},{"author":"b","comment":"c"}]"#),
        "{text}"
    );
}

#[test]
fn documents_are_read_as_deep_as_go_reads_them() {
    let nested = |depth: usize| {
        let inner = depth - 1;
        format!(r#"{{"x":{}{}}}"#, "[".repeat(inner), "]".repeat(inner))
    };
    assert!(encode_config(&nested(10_000), &semantics(NEWEST)).is_ok());
    assert!(encode_config(&nested(10_001), &semantics(NEWEST)).is_err());
}
