//! The page of threats names tests of the hosts in other languages that exist.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where the tests of a language are, what ends the names of their files, and how
/// one begins.
type Language = (&'static str, &'static str, fn(&str) -> String);

const LANGUAGES: [Language; 3] = [
    ("host-examples/python/tests", ".py", |name| {
        format!("def {name}(")
    }),
    ("host-examples/javascript/test", ".js", |name| {
        format!("test('{name}'")
    }),
    ("host-examples/go", ".go", |name| {
        format!("func {name}(t *testing.T)")
    }),
];

/// Whether a span such as `file.py::name` is a test that exists; nothing when it is
/// something else.
fn exists(span: &str) -> Option<bool> {
    let (file, name) = span.split_once("::")?;
    let (folder, _, beginning) = LANGUAGES
        .iter()
        .find(|(_, ending, _)| file.ends_with(ending))?;
    let text = fs::read_to_string(root().join(folder).join(file)).unwrap_or_default();
    Some(text.contains(&beginning(name)))
}

#[test]
fn tests_in_other_languages_exist() {
    let page = fs::read_to_string(root().join("tests/THREATS.md")).expect("the page");
    let mut named = 0;
    for span in page.split('`').skip(1).step_by(2) {
        if let Some(there) = exists(span) {
            assert!(there, "{span}");
            named += 1;
        }
    }
    assert!(named > 40, "only {named} tests are named");
}

#[test]
fn a_test_that_does_not_exist_is_noticed() {
    for (span, there) in [
        ("test_marks.py::test_a_mark_does_not_travel", Some(true)),
        ("test_marks.py::test_a_mark_does_not", Some(false)),
        ("none.py::test_a_mark_does_not_travel", Some(false)),
        ("dirfs/fs_test.go::TestAWalkHasLimits", Some(true)),
        ("dirfs/fs_test.go::TestAWalk", Some(false)),
        ("tests/threats.rs::every_threat", None),
    ] {
        assert_eq!(exists(span), there, "{span}");
    }
}
