//! The caps of a stacker session: each is met under its name.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test")]

mod support;

use layerwise::error::Error;
use layerwise::host::Silent;
use layerwise::stacker::{Outcome, Reading, Session};
use support::stacker::{host, options, project};

/// Puts three layers without the cap, then opens and looks at the last with it.
fn lookup(cap: &str, value: u64) -> Result<Outcome, Error> {
    let fs = project(3);
    let mut options = options(3, Reading::Guarded);
    let mut session = Session::open(&fs, &Silent, options.clone()).unwrap();
    let manifests = format!(
        r#"{{"tar":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{}","size":1}}}}"#,
        "0".repeat(64)
    );
    for name in ["l0", "l1", "l2"] {
        let manifests = if cap == "manifests" {
            &manifests
        } else {
            "null"
        };
        session.put(name, manifests, &host()).unwrap();
    }
    options.limits = vec![(cap.to_owned(), value)];
    Session::open(&fs, &Silent, options)?
        .lookup("l2")
        .map(|answer| answer.outcome)
}

#[test]
fn a_cap_that_is_met_is_named() {
    for (cap, too_little, enough) in [
        ("cache-bytes", 10, 1_000_000),
        ("document-bytes", 10, 1_000_000),
        ("layers", 2, 3),
        ("manifests", 2, 3),
        ("entries", 1, 1_000_000),
        ("keys", 1, 1_000_000),
    ] {
        match lookup(cap, too_little) {
            Err(Error::LimitExceeded(excess)) => {
                assert_eq!((excess.limit.as_str(), excess.value), (cap, too_little));
            }
            other => panic!("{cap}: {other:?}"),
        }
        assert!(lookup(cap, enough).is_ok(), "{cap}");
    }
}

#[test]
fn a_definition_that_is_nested_too_deep_is_refused() {
    let refused = lookup("depth", 1).expect_err("depth");
    let problem = refused.problem().expect("a problem");
    assert_eq!(problem.code, "stacker/bad-definition");
    assert!(
        problem.message.contains("nested deeper than 1"),
        "{problem:?}"
    );
    assert!(lookup("depth", 100).is_ok());
}
