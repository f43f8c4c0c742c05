//! Layouts of metadata files.

use super::*;
use crate::go_json::Reader;

const STYLE: Style = Style {
    floats: Floats::Exponent,
    mixed_lists: true,
    limit: 1 << 20,
};

fn layer(json: &str) -> Layer {
    let mut reader = Reader::new(json, u32::MAX);
    Layer {
        data: Value::read(&mut reader, false, &mut u64::MAX.clone()).unwrap(),
        flags: Flags {
            launch: true,
            ..Flags::default()
        },
        ..Layer::default()
    }
}

fn write(json: &str) -> String {
    layer_file(&layer(json), false, STYLE).unwrap()
}

#[test]
fn lays_tables_out_as_upstream_does() {
    for (json, want) in [
        ("null", ""),
        ("{}", "[metadata]\n"),
        (r#""x""#, "metadata = \"x\"\n"),
        ("[]", "metadata = []\n"),
        (
            r#"[{"a":"b"},{}]"#,
            "[[metadata]]\n  a = \"b\"\n\n[[metadata]]\n",
        ),
        (
            r#"{"z":1,"t":{"u":{"b":true},"a":[]},"l":[{"x":{"y":"z"}},{}],"n":null}"#,
            "[metadata]\n  z = 1.0\n\n  [[metadata.l]]\n    [metadata.l.x]\n      y = \"z\"\n\n  \
                 [[metadata.l]]\n  [metadata.t]\n    a = []\n    [metadata.t.u]\n      b = true\n",
        ),
        (
            r#"{"a b":1,"":{"é":"x","a.b":[{"d":[{}],"c":{"n":null},"b":2}, 1]}}"#,
            "[metadata]\n  \"a b\" = 1.0\n  [metadata.\"\"]\n    \
                 \"a.b\" = [{b = 2.0, c = {}, d = [{}]}, 1.0]\n    \"é\" = \"x\"\n",
        ),
        // A comma for a null after the last line, but not after tables.
        (
            r#"[1,{"a":1,"b":null},{"a":null},{"a":1,"c":null,"b":{}},{"a":null,"b":1}]"#,
            "metadata = [1.0, {a = 1.0, }, {}, {a = 1.0, b = {}}, {b = 1.0}]\n",
        ),
    ] {
        assert_eq!(write(json), want, "{json}");
    }
}

#[test]
fn flags_stand_before_tables_and_after_lines() {
    let flags = "build = false\nlaunch = true\ncache = false\n";
    for (json, want) in [
        ("null", flags.to_owned()),
        ("{}", format!("{flags}\n[metadata]\n")),
        ("[{}]", format!("{flags}\n[[metadata]]\n")),
        ("true", format!("metadata = true\n{flags}")),
    ] {
        assert_eq!(layer_file(&layer(json), true, STYLE).unwrap(), want);
    }
}

#[test]
fn refuses_what_toml_cannot_say() {
    let refused = |json: &str, style| layer_file(&layer(json), false, style).unwrap_err();
    assert_eq!(
        refused(r#"{"a":{"b":[[1],[2,null]]}}"#, STYLE),
        Refused::NullInList("a.b[1][1]".to_owned())
    );
    let early = Style {
        mixed_lists: false,
        ..STYLE
    };
    assert_eq!(
        refused(r#"{"a":[{},1]}"#, early),
        Refused::MixedList("a[1]".to_owned())
    );
    // The first element says what the list is.
    let written = layer_file(&layer(r#"{"a":[1,{}],"b":[[{},1]]}"#), false, early);
    assert_eq!(
        written.unwrap(),
        "[metadata]\n  a = [1.0, {}]\n  b = [[{}, 1.0]]\n"
    );
    let name = "k".repeat(1000);
    let tables = vec![r#""t":{"#; 100].join("");
    let many = format!("{{\"{name}\":{{{tables}{}}}}}", "}".repeat(100));
    let small = Style {
        limit: 50_000,
        ..STYLE
    };
    assert_eq!(refused(&many, small), Refused::TooLarge);
}

#[test]
fn depth_costs_no_stack() {
    let lists = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(write(&lists).len() > 200_000);
    let tables = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let result = layer_file(&layer(&tables), false, STYLE);
    assert_eq!(result, Err(Refused::TooLarge));
}
