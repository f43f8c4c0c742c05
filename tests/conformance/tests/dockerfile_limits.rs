//! The caps of a Dockerfile session: each is met under its name.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use layerwise::dockerfile::{Event, Options, Outcome, Session};
use layerwise::error::Error;
use layerwise::oci::Platform;
use layerwise_conformance::memory_fs::{Body, MemoryFs, Object};
use layerwise_stores::{Memory, Order};

/// What plays a build of a Dockerfile to its end, with one cap.
fn play(text: &str, cap: Option<(&str, u64)>) -> Result<(), Error> {
    let files = MemoryFs::default();
    for name in ["", "/a", "/b"] {
        let directory = Object::new(Body::Directory, 0o755);
        files
            .put(format!("/context{name}").as_bytes(), directory)
            .unwrap();
    }
    files.put_file("/context/a/f", "f").unwrap();
    let options = Options {
        host: Platform {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            ..Platform::default()
        },
        context: Some("/context".to_owned()),
        limits: cap
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        ..Options::default()
    };
    let images = Memory::new(Order::Sorted);
    let mut session = Session::open(text, options, images, Arc::new(files))?;
    loop {
        match session.advance()? {
            Event::Step(_) => session.report(Outcome::default())?,
            Event::Argument(_) | Event::Stage(_) => {}
            Event::Wanted(_) => session.lend(None, None)?,
            Event::Refused(refusal) => panic!("{refusal:?}"),
            Event::Done => return Ok(()),
        }
    }
}

#[test]
fn a_cap_that_is_met_is_named() {
    let nested = "FROM scratch\nENV A=${a:-${b:-${c:-d}}}\n";
    let grown = "FROM scratch\nARG X=0123456789abcdef\nENV Y=$X$X$X$X\n";
    let cases = [
        (
            "document-bytes",
            30,
            "FROM scratch\nENV A=0123456789abcdef\n",
        ),
        ("steps", 2, "FROM scratch\nENV A=1\nENV B=2\n"),
        ("values", 3, "FROM scratch\nENV A=1 B=2 C=3 D=4\n"),
        ("output-bytes", 40, grown),
        ("depth", 2, nested),
        ("entries", 2, "FROM scratch\nCOPY . /\n"),
    ];
    for (cap, value, text) in cases {
        play(text, None).unwrap();
        let Err(Error::LimitExceeded(excess)) = play(text, Some((cap, value))) else {
            panic!("{cap}");
        };
        assert_eq!((excess.limit.as_str(), excess.value), (cap, value));
    }
    let unknown = play(nested, Some(("children", 1)));
    assert!(matches!(unknown, Err(Error::Invalid(_))), "{unknown:?}");
}
