//! The rules of stacker sessions that vectors cannot say, through the component:
//! what a chain costs, broken cache files, other writers, and that each
//! deviation from upstream is reported.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::sync::{Arc, LazyLock};

use layerwise::error::Error;
use layerwise::semantics::Semantics;
use layerwise::stacker::{
    Epoch, HostFacts, LayerDefinition, Options, Outcome, Places, Reading, State,
};
use layerwise_conformance::memory_fs::{Body, MemoryFs, Object};
use layerwise_host::stacker::Session;
use layerwise_host::{Engine, EngineOptions, Error as HostError, Imports, SessionLimits};

const CACHE: &[u8] = b"/w/state/build.cache";

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(&EngineOptions::default()).unwrap());

/// A file system with one directory to import a layer, and options.
struct World {
    fs: Arc<MemoryFs>,
    options: Options,
}

impl World {
    fn new(layers: &[(&str, &str)]) -> Self {
        let fs = MemoryFs::default();
        for (name, _) in layers {
            let file = format!("/w/state/imports/{name}/d/f");
            fs.put_file(&file, name).unwrap();
        }
        let definition = |(name, document): &(&str, &str)| LayerDefinition {
            name: (*name).to_owned(),
            document: (*document).to_owned(),
        };
        let options = Options {
            places: Places {
                stacker: "/w/state".to_owned(),
                rootfs: "/w/roots".to_owned(),
                oci: "/w/oci".to_owned(),
            },
            epoch: Epoch::Unset,
            definitions: layers.iter().map(definition).collect(),
            ..Options::default()
        };
        Self {
            fs: Arc::new(fs),
            options,
        }
    }

    /// Layers on each other, each with a directory.
    fn chain(layers: usize) -> Self {
        let layers: Vec<(String, String)> = (0..layers)
            .map(|n| {
                let from = match n.checked_sub(1) {
                    None => r#"{"type":"scratch"}"#.to_owned(),
                    Some(below) => format!(r#"{{"type":"built","tag":"l{below}"}}"#),
                };
                let document = format!(r#"{{"from":{from},"imports":[{{"path":"/src/d"}}]}}"#);
                (format!("l{n}"), document)
            })
            .collect();
        let layers: Vec<_> = layers.iter().map(|(a, b)| (&**a, &**b)).collect();
        Self::new(&layers)
    }

    fn reading(mut self, reading: Reading) -> Self {
        self.options.semantics = Semantics {
            reading,
            version: None,
        };
        self
    }

    fn open(&self) -> Result<Session, String> {
        let lent = Imports {
            files: Arc::<MemoryFs>::clone(&self.fs),
            ..Imports::default()
        };
        let limits = SessionLimits::default();
        let opened = ENGINE.stacker(lent, self.options.clone(), limits);
        opened.map_err(code)
    }

    fn walks(&self) -> u64 {
        self.fs.calls().walk
    }
}

/// The code of an error without the name of the system.
fn code(error: HostError) -> String {
    match error {
        HostError::Refused(Error::LimitExceeded(excess)) => excess.limit,
        HostError::Refused(error) => error.problem().unwrap().code.replace("stacker/", ""),
        other => panic!("not refused: {other}"),
    }
}

/// `hit`, or the code of the miss or error.
fn verdict(session: &mut Session, name: &str) -> String {
    match session.lookup(name) {
        Ok(answer) if answer.outcome == Outcome::Hit => "hit".to_owned(),
        Ok(answer) => answer.reason.unwrap().code.replace("stacker/", ""),
        Err(error) => code(error),
    }
}

fn host() -> HostFacts {
    HostFacts {
        now: "2024-03-05T09:07:03".to_owned(),
        ..HostFacts::default()
    }
}

fn notes(session: &mut Session) -> Vec<String> {
    let notes = session.opened().unwrap().notes;
    notes
        .iter()
        .map(|note| note.code.replace("stacker/", ""))
        .collect()
}

/// Built layers cost one tree walk each, however they are asked.
#[test]
fn a_chain_costs_one_walk_a_layer() {
    for layers in [10, 100, 1_000] {
        let world = World::chain(layers);
        let names: Vec<_> = (0..layers).map(|n| format!("l{n}")).collect();
        let mut session = world.open().unwrap();
        for name in names.iter().take(100) {
            session.put(name, "null", &host()).unwrap();
        }
        let put = layers.min(100) as u64;
        assert_eq!(world.walks(), put, "puts");
        let names = &names[..layers.min(100)];
        for name in names {
            assert_eq!(verdict(&mut session, name), "hit");
        }
        assert_eq!(world.walks(), put, "the puts have just read everything");
        let mut session = world.open().unwrap();
        for name in names.iter().rev().chain(names) {
            assert_eq!(verdict(&mut session, name), "hit");
        }
        assert_eq!(world.walks(), 2 * put, "lookups");
        session.refresh().unwrap();
        world.fs.put_file("/w/state/imports/l0/d/f", "new").unwrap();
        for name in names.iter().skip(1) {
            assert_eq!(verdict(&mut session, name), "base-not-cached");
        }
        assert_eq!(
            world.walks(),
            2 * put + 1,
            "one look at the layer that misses"
        );
    }
}

#[test]
fn a_broken_cache_file_is_a_fresh_start() {
    let whole = {
        let world = World::chain(2);
        let mut session = world.open().unwrap();
        session.put("l0", "null", &host()).unwrap();
        session.put("l1", "null", &host()).unwrap();
        world.fs.text(CACHE).unwrap()
    };
    let cuts = (0..12).map(|n| whole.len() * n / 12);
    let cut = cuts.map(|length| whole[..length].to_owned());
    let other = [r#"{"cache":[],"version":16}"#, "[]", "null x", "\u{0}\u{0}"];
    for broken in cut.chain(other.map(str::to_owned)) {
        let world = World::chain(2);
        world.fs.put_file("/w/state/build.cache", &broken).unwrap();
        let mut session = world.open().unwrap();
        let opened = session.opened().unwrap();
        assert_eq!(opened.state, State::Unreadable, "{broken}");
        assert_eq!(opened.notes[0].code, "stacker/cache-unreadable");
        let kept = opened.notes[0].differences[0].have.clone().unwrap();
        assert_eq!(world.fs.text(kept.as_bytes()), Some(broken.clone()));
        session.put("l0", "null", &host()).unwrap();
        assert_eq!(verdict(&mut world.open().unwrap(), "l0"), "hit");
        assert_eq!(world.fs.text(kept.as_bytes()), Some(broken.clone()));

        let world = World::chain(2).reading(Reading::Compatible);
        world.fs.put_file("/w/state/build.cache", &broken).unwrap();
        let refused = world.open().err().unwrap();
        assert!(refused.starts_with("parse-"), "{refused}");
        assert_eq!(world.fs.text(CACHE), Some(broken));
    }
}

#[test]
fn two_sessions_keep_what_the_other_put() {
    let world = World::new(&[
        ("a", r#"{"from":{"type":"scratch"}}"#),
        ("b", r#"{"from":{"type":"scratch"}}"#),
    ]);
    let mut one = world.open().unwrap();
    let mut two = world.open().unwrap();
    assert_eq!(one.put("a", "null", &host()).unwrap().notes, []);
    let notes = two.put("b", "null", &host()).unwrap().notes;
    assert_eq!(notes[0].code, "stacker/merged");
    let mut third = world.open().unwrap();
    assert_eq!(third.entries().unwrap(), ["a", "b"]);
}

/// stacker spec, sections 11.1 to 11.4, in both readings.
#[test]
fn deviations_are_said() {
    let base = r#"{"from":{"type":"scratch"}}"#;
    for reading in [Reading::Guarded, Reading::Compatible] {
        // 1. What is walked is a link to a directory.
        let overlay =
            r#"{"from":{"type":"scratch"},"overlay_dirs":[{"Source":"/link","Dest":"/"}]}"#;
        let world = World::new(&[("a", overlay)]).reading(reading);
        let link = Object::new(Body::Link(b"/w/state".to_vec()), 0o777);
        world.fs.put(b"/link", link).unwrap();
        let refused = world.open().unwrap().put("a", "null", &host());
        assert_eq!(code(refused.unwrap_err()), "walk-root-not-a-directory");

        // 1. A blob that is shorter than its descriptor says.
        let world = World::new(&[("a", base), ("b", base)]).reading(reading);
        for (file, text) in [
            ("/w/oci/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#),
            ("/w/oci/index.json", r#"{"manifests":[]}"#),
            (
                "/w/oci/blobs/sha256/44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
                "{}",
            ),
        ] {
            world.fs.put_file(file, text).unwrap();
        }
        let short = concat!(
            r#"{"tar+false":{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":9,"#,
            r#""digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}}"#
        );
        let mut session = world.open().unwrap();
        session.put("a", short, &host()).unwrap();
        session.put("b", "null", &host()).unwrap();
        // 3. An entry without manifests stays while another is dropped.
        let mut session = world.open().unwrap();
        let pruned = session.opened().unwrap().pruned;
        assert_eq!((pruned.len(), &*pruned[0].key), (1, "a"));
        assert_eq!(pruned[0].reason.code, "stacker/manifest-missing");
        assert_eq!(notes(&mut session), ["entry-without-manifests"]);
        assert_eq!(session.entries().unwrap(), ["b"]);

        // 2. Layers that are built on each other.
        let on = |tag: &str| format!(r#"{{"from":{{"type":"built","tag":"{tag}"}}}}"#);
        let mut world = World::new(&[("a", base), ("b", &on("a"))]).reading(Reading::Compatible);
        let mut session = world.open().unwrap();
        session.put("a", "null", &host()).unwrap();
        session.put("b", "null", &host()).unwrap();
        let cyclic = world.fs.text(CACHE).unwrap().replacen(
            r#""Layer":{"from":{"type":"scratch"}}"#,
            r#""Layer":{"from":{"type":"built","tag":"b"}}"#,
            1,
        );
        world.fs.put_file("/w/state/build.cache", &cyclic).unwrap();
        world.options.semantics.reading = reading;
        world.options.definitions[0].document = on("b");
        let mut session = world.open().unwrap();
        assert_eq!(verdict(&mut session, "a"), "base-cycle");
        let causes = session.causes().unwrap();
        assert_eq!(causes.last().unwrap().code, "stacker/base-cycle");

        // 4. No entries at all.
        let world = World::new(&[("a", base)]).reading(reading);
        world
            .fs
            .put_file("/w/state/build.cache", r#"{"version":16}"#)
            .unwrap();
        let mut session = world.open().unwrap();
        assert_eq!(notes(&mut session), ["cache-member-missing"]);
        session.put("a", "null", &host()).unwrap();
        assert_eq!(verdict(&mut session, "a"), "hit");
    }
}

/// Threats T6 and T11: what only the guarded reading refuses, and that it says so.
#[test]
fn guarded_says_what_it_refuses() {
    let world = World::chain(2).reading(Reading::Compatible);
    let mut session = world.open().unwrap();
    session.put("l0", "null", &host()).unwrap();
    session.put("l1", "null", &host()).unwrap();
    assert_eq!(verdict(&mut session, "l1"), "hit");
    let weak = session.explain("l1").unwrap();
    assert!(
        weak.findings
            .iter()
            .any(|finding| finding.code == "stacker/weak-base")
    );
    let guarded = World::chain(2);
    let world = World {
        fs: world.fs,
        ..guarded
    };
    let mut session = world.open().unwrap();
    assert_eq!(verdict(&mut session, "l0"), "hit");
    // An entry that stacker wrote is usable, and it is said how weak it is.
    let notes = |session: &mut Session| {
        let notes = session.lookup("l1").unwrap().notes;
        notes.into_iter().map(|note| note.code).collect::<Vec<_>>()
    };
    assert_eq!(verdict(&mut session, "l1"), "hit");
    assert_eq!(notes(&mut session), ["stacker/base-unguarded"]);
    session.put("l1", "null", &host()).unwrap();
    assert!(notes(&mut world.open().unwrap()).is_empty());
    for (name, document) in [
        ("..", r#"{"from":{"type":"scratch"}}"#),
        (
            "a",
            r#"{"from":{"type":"scratch"},"imports":[{"path":"/src/.."}]}"#,
        ),
    ] {
        let refused = World::new(&[]);
        let definitions = vec![LayerDefinition {
            name: name.to_owned(),
            document: document.to_owned(),
        }];
        let options = Options {
            definitions,
            ..refused.options.clone()
        };
        let refused = World { options, ..refused };
        assert_eq!(refused.open().err().unwrap(), "unsafe-name", "{name}");
        assert!(
            refused.reading(Reading::Compatible).open().is_ok(),
            "{name}"
        );
    }
}
