//! The stacker build cache through the component: the same bytes as from the
//! native library, and what is left of a session that is refused or stopped.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::path::Path;
use std::sync::Arc;

use layerwise::error::Error;
use layerwise::explain::{Explanation, Finding};
use layerwise::oci::sha256;
use layerwise::stacker::testing::{BaseTag, Equality, FileHash, LayerText};
use layerwise::stacker::{
    self, Answer, Change, Effect, Epoch, HostFacts, LayerDefinition, LayerType, Opened, Options,
    Outcome, Places, Reading, Semantics, Stored,
};
use layerwise_conformance::memory_fs::MemoryFs;
use layerwise_conformance::stacker::{Cache, Native, Subject, run};
use layerwise_host::stacker::Session;
use layerwise_host::{
    Engine, EngineOptions, Error as HostError, Imports, Interrupt, SessionLimits, Stop,
};
use layerwise_runner::Component;

/// Notes every complete answer of an implementation, and every file system it
/// leaves behind.
struct Recorder<'s> {
    subject: &'s dyn Subject,
    reading: Reading,
    dry_run: bool,
    log: RefCell<Vec<String>>,
}

impl Recorder<'_> {
    fn note<T: Debug>(&self, call: &str, answer: T) -> T {
        note(&self.log, call, answer)
    }

    fn semantics(&self, given: &Semantics) -> Semantics {
        Semantics {
            reading: self.reading,
            ..given.clone()
        }
    }
}

fn note<T: Debug>(log: &RefCell<Vec<String>>, call: &str, answer: T) -> T {
    log.borrow_mut().push(format!("{call}: {answer:?}"));
    answer
}

/// All objects, and how often which call was made.
fn state(fs: &MemoryFs) -> String {
    sha256(format!("{fs:?}").as_bytes()).to_string()
}

impl Subject for Recorder<'_> {
    fn open<'a>(
        &'a self,
        fs: &'a Arc<MemoryFs>,
        options: Options,
    ) -> Result<Box<dyn Cache + 'a>, Error> {
        let options = Options {
            semantics: self.semantics(&options.semantics),
            dry_run: self.dry_run,
            ..options
        };
        let opened = self.subject.open(fs, options);
        self.note("open", (opened.as_ref().err(), state(fs)));
        Ok(Box::new(Recorded {
            cache: opened?,
            fs,
            log: &self.log,
        }))
    }

    fn hash_value(&self, name: &str, value: &str, semantics: &Semantics) -> Result<u64, Error> {
        let semantics = self.semantics(semantics);
        let answer = self.subject.hash_value(name, value, &semantics);
        self.note("hash-value", answer)
    }

    fn vis(&self, name: &str) -> Result<String, Error> {
        self.note("vis", self.subject.vis(name))
    }

    fn unvis(&self, text: &str) -> Result<String, Error> {
        self.note("unvis", self.subject.unvis(text))
    }

    fn hash_file(&self, fs: &Arc<MemoryFs>, path: &str) -> Result<FileHash, Error> {
        self.note("hash-file", self.subject.hash_file(fs, path))
    }

    fn tree_text(&self, fs: &Arc<MemoryFs>, root: &str, host: &HostFacts) -> Result<String, Error> {
        self.note("tree-text", self.subject.tree_text(fs, root, host))
    }

    fn compare_tree(
        &self,
        fs: &Arc<MemoryFs>,
        stored: &str,
        root: &str,
    ) -> Result<Vec<Change>, Error> {
        self.note("compare-tree", self.subject.compare_tree(fs, stored, root))
    }

    fn parse_layer_type(&self, text: &str) -> Result<LayerType, Error> {
        self.note("parse-layer-type", self.subject.parse_layer_type(text))
    }

    fn parse_tag(&self, from: &str, semantics: &Semantics) -> Result<BaseTag, Error> {
        let semantics = self.semantics(semantics);
        self.note("parse-tag", self.subject.parse_tag(from, &semantics))
    }

    fn encode_layer(&self, definition: &str, semantics: &Semantics) -> Result<LayerText, Error> {
        let semantics = self.semantics(semantics);
        let answer = self.subject.encode_layer(definition, &semantics);
        self.note("encode-layer", answer)
    }

    fn compare_layers(
        &self,
        have: &str,
        want: &str,
        semantics: &Semantics,
    ) -> Result<Equality, Error> {
        let semantics = self.semantics(semantics);
        let answer = self.subject.compare_layers(have, want, &semantics);
        self.note("compare-layers", answer)
    }
}

struct Recorded<'a> {
    cache: Box<dyn Cache + 'a>,
    fs: &'a MemoryFs,
    log: &'a RefCell<Vec<String>>,
}

impl Recorded<'_> {
    fn note<T: Debug>(&mut self, call: &str, answer: T) -> T {
        note(self.log, "causes", self.cache.causes()).expect("a live session");
        note(self.log, "state", state(self.fs));
        note(self.log, call, answer)
    }
}

impl Cache for Recorded<'_> {
    fn opened(&mut self) -> Result<Opened, Error> {
        let answer = self.cache.opened();
        self.note("opened", answer)
    }

    fn define(&mut self, definitions: &[LayerDefinition]) -> Result<(), Error> {
        let answer = self.cache.define(definitions);
        self.note("define", answer)
    }

    fn lookup(&mut self, name: &str) -> Result<Answer, Error> {
        let answer = self.cache.lookup(name);
        self.note("lookup", answer)
    }

    fn base_hash(&mut self, name: &str) -> Result<String, Error> {
        let answer = self.cache.base_hash(name);
        self.note("base-hash", answer)
    }

    fn put(&mut self, name: &str, manifests: &str, host: &HostFacts) -> Result<Stored, Error> {
        let answer = self.cache.put(name, manifests, host);
        for key in self.entries()? {
            self.entry(&key)?;
        }
        self.note("put", answer)
    }

    fn plan(
        &mut self,
        name: &str,
        manifests: &str,
        host: &HostFacts,
    ) -> Result<Vec<Effect>, Error> {
        let answer = self.cache.plan(name, manifests, host);
        self.note("plan", answer)
    }

    fn explain(&mut self, name: &str) -> Result<Explanation, Error> {
        let answer = self.cache.explain(name);
        self.note("explain", answer)
    }

    fn causes(&mut self) -> Result<Vec<Finding>, Error> {
        self.cache.causes()
    }

    fn entries(&mut self) -> Result<Vec<String>, Error> {
        let answer = self.cache.entries();
        self.note("entries", answer)
    }

    fn entry(&mut self, name: &str) -> Result<Option<String>, Error> {
        let answer = self.cache.entry(name);
        self.note("entry", answer)
    }

    fn refresh(&mut self) -> Result<(), Error> {
        self.cache.refresh()
    }
}

fn engine() -> Engine {
    Engine::new(&EngineOptions::default()).expect("engine")
}

#[test]
fn native_and_component_give_the_same_bytes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/stacker.json.gz");
    let text = layerwise_conformance::load(&path).expect("vector file");
    let component = Component::new(&engine());
    // A dry run leaves the file as it was, so most scenarios end at their first put.
    for (reading, dry_run, at_least) in [
        (Reading::Compatible, false, 10),
        (Reading::Guarded, false, 10),
        (Reading::Guarded, true, 1),
    ] {
        let record = |subject: &dyn Subject| {
            let recorder = Recorder {
                subject,
                reading,
                dry_run,
                log: RefCell::default(),
            };
            let report = run(&text, &recorder).expect("format");
            (recorder.log.into_inner(), report)
        };
        let (native, expected) = record(&Native);
        let (through, report) = record(&component);
        for (native, through) in native.iter().zip(&through) {
            assert_eq!(native, through, "{reading:?}, dry run {dry_run}");
        }
        assert_eq!(native.len(), through.len());
        assert_eq!(
            format!("{:?}", expected.mismatches),
            format!("{:?}", report.mismatches)
        );
        assert_eq!(
            (expected.passed, expected.failed),
            (report.passed, report.failed)
        );
        if reading == Reading::Compatible {
            assert_eq!(report.failed, 0);
        }
        let count = |what: &str| native.iter().filter(|line| line.contains(what)).count();
        for what in [
            "lookup: Ok(Answer { outcome: Hit",
            "outcome: Miss",
            "lookup: Err",
        ] {
            assert!(
                count(what) >= at_least,
                "{reading:?}: {what}: {}",
                count(what)
            );
        }
    }
}

#[test]
fn the_catalogue_is_that_of_the_library() {
    let mut functions = engine()
        .stacker_functions(Imports::default(), SessionLimits::default())
        .expect("an instance");
    let native: Vec<_> = stacker::Reason::RULES
        .iter()
        .map(|rule| {
            [
                rule.code,
                rule.section,
                rule.meaning,
                rule.example,
                rule.advice,
            ]
        })
        .map(|texts| texts.map(str::to_owned))
        .collect();
    let through: Vec<_> = functions
        .rules()
        .expect("rules")
        .into_iter()
        .map(|rule| {
            [
                rule.code,
                rule.section,
                rule.meaning,
                rule.example,
                rule.advice,
            ]
        })
        .collect();
    assert_eq!(native, through);
    assert!(through.len() > 30, "{}", through.len());
}

fn project() -> (Arc<MemoryFs>, Imports) {
    let fs = Arc::new(MemoryFs::default());
    fs.put_file("/w/state/imports/a/d/f", "x").expect("a file");
    let lent = Imports {
        files: Arc::<MemoryFs>::clone(&fs),
        ..Imports::default()
    };
    (fs, lent)
}

fn options(definitions: &[(&str, &str)]) -> Options {
    Options {
        places: Places {
            stacker: "/w/state".into(),
            rootfs: "/w/roots".into(),
            oci: "/w/oci".into(),
        },
        epoch: Epoch::Unset,
        definitions: definitions
            .iter()
            .map(|(name, document)| LayerDefinition {
                name: (*name).into(),
                document: (*document).into(),
            })
            .collect(),
        ..Options::default()
    }
}

fn host() -> HostFacts {
    HostFacts {
        now: "2024-03-05T09:07:03".into(),
        ..HostFacts::default()
    }
}

const LAYER: &str = r#"{"from":{"type":"scratch"},"imports":[{"path":"/src/d"}]}"#;

#[test]
fn refusals_are_typed_and_leave_the_session_alive() {
    let engine = engine();
    let limits = SessionLimits::default();
    let open = |lent: Imports, options: Options| engine.stacker(lent, options, limits);
    let code = |error: HostError| match error {
        HostError::Refused(Error::LimitExceeded(excess)) => excess.limit,
        HostError::Refused(error) => error.problem().expect("a problem").code.clone(),
        other => panic!("not refused: {other}"),
    };
    let (fs, lent) = project();
    let options = options(&[("a", LAYER)]);
    // The defaults of the guarded reading: what is not stated is refused.
    let unstated = Options {
        epoch: Epoch::Unstated,
        ..options.clone()
    };
    let refused = open(lent.clone(), unstated).err().map(code);
    assert_eq!(refused.as_deref(), Some("stacker/input-missing"));
    let small = Options {
        limits: vec![("document-bytes".into(), 10)],
        ..options.clone()
    };
    let refused = open(lent.clone(), small).err().map(code);
    assert_eq!(refused.as_deref(), Some("document-bytes"));
    // A host that lends no file system.
    let refused = open(Imports::default(), options.clone()).err().map(code);
    assert_eq!(refused.as_deref(), Some("stacker/read-cache"));

    let mut session = open(lent, options).expect("session");
    let refused = session.put("b", "null", &host()).err().map(code);
    assert_eq!(refused.as_deref(), Some("stacker/layer-not-defined"));
    assert_eq!(session.causes().expect("causes").len(), 1);
    let bad = session.define(&[LayerDefinition {
        name: "a".into(),
        document: "{".into(),
    }]);
    assert_eq!(
        bad.err().map(code).as_deref(),
        Some("stacker/bad-definition")
    );
    session.put("a", "null", &host()).expect("put");
    let answer = session.lookup("a").expect("lookup");
    assert_eq!(answer.outcome, Outcome::Hit);
    assert!(answer.hash.is_some());
    fs.put_file("/w/state/imports/a/d/f", "y").expect("a file");
    session.refresh().expect("a live session");
    let answer = session.lookup("a").expect("lookup");
    assert_eq!(
        answer
            .reason
            .map(|reason| reason.code.into_owned())
            .as_deref(),
        Some("stacker/import-dir-changed")
    );
}

#[test]
fn a_stopped_session_is_dead() {
    let engine = Engine::new(&EngineOptions {
        interrupt: Interrupt::Fuel,
        ..EngineOptions::default()
    })
    .expect("engine");
    let (fs, lent) = project();
    for n in 0..200 {
        fs.put_file(&format!("/w/state/imports/a/d/{n}"), "x")
            .expect("a file");
    }
    // Opening is cheap, reading the tree is not.
    let limits = SessionLimits {
        fuel: 1_000_000,
        ..SessionLimits::default()
    };
    let mut session: Session = engine
        .stacker(lent, options(&[("a", LAYER)]), limits)
        .expect("session");
    let stopped = session.put("a", "null", &host());
    assert!(
        matches!(
            stopped,
            Err(HostError::Stopped {
                stop: Stop::Fuel,
                ..
            })
        ),
        "{stopped:?}"
    );
    assert!(fs.text(b"/w/state/build.cache").is_none());
    assert!(matches!(session.lookup("a"), Err(HostError::Dead)));
    assert!(matches!(session.opened(), Err(HostError::Dead)));
    assert!(matches!(session.refresh(), Err(HostError::Dead)));
}

/// The component's stack is small and its calls must not depend on the nesting
/// of documents or the length of chains.
#[test]
fn deep_documents_and_long_chains_do_not_trap() {
    let engine = engine();
    let limits = SessionLimits::default();
    let deep = |depth: usize| {
        let (open, close) = (r#"{"x":["#.repeat(depth / 2), "]}".repeat(depth / 2));
        format!("{open}1{close}")
    };
    let compatible = Semantics {
        reading: Reading::Compatible,
        version: None,
    };
    let mut functions = engine
        .stacker_functions(Imports::default(), limits)
        .expect("an instance");
    for (depth, fits) in [(9_990, true), (200_000, false)] {
        let deep = format!(r#"{{"more":{}}}"#, deep(depth));
        let layer = functions.encode_layer(&deep, &compatible);
        assert_eq!(layer.is_ok(), fits, "{depth}: {layer:?}");
        let equal = functions.compare_layers(&deep, &deep, &compatible);
        assert_eq!(equal.is_ok(), fits, "{depth}: {equal:?}");
        let hash = functions.hash_value("Layer", &deep, &compatible);
        assert_eq!(hash.is_ok(), fits, "{depth}: {hash:?}");
        let (fs, lent) = project();
        let text = format!(r#"{{"cache":{{}},"version":16,"more":{deep}}}"#);
        fs.put_file("/w/state/build.cache", &text).expect("a file");
        let mut options = options(&[]);
        options.semantics = compatible.clone();
        let opened = engine.stacker(lent, options, limits);
        match opened.err() {
            None => assert!(fits),
            Some(HostError::Refused(_)) => assert!(!fits),
            Some(other) => panic!("{other}"),
        }
    }

    const LENGTH: usize = 2_000;
    let definition = |n: usize| match n {
        0 => r#"{"from":{"type":"scratch"}}"#.to_owned(),
        _ => format!(r#"{{"from":{{"type":"built","tag":"l{}"}}}}"#, n - 1),
    };
    let mut cache = r#"{"cache":{"#.to_owned();
    let mut base = String::new();
    for n in 0..LENGTH {
        let entry = format!(
            r#"{{"Manifests":null,"Imports":{{}},"OverlayDirs":{{}},"Name":"l{n}","Layer":{},"Base":"{base}"}}"#,
            definition(n)
        );
        let hash = functions.hash_value("CacheEntry", &entry, &compatible);
        base = hash.expect("a hash").to_string();
        let comma = if n > 0 { "," } else { "" };
        write!(cache, "{comma}\"l{n}\":{entry}").expect("text");
    }
    cache.push_str(r#"},"version":16}"#);
    let (fs, lent) = project();
    fs.put_file("/w/state/build.cache", &cache).expect("a file");
    let chain: Vec<_> = (0..LENGTH)
        .map(|n| (format!("l{n}"), definition(n)))
        .collect();
    let chain: Vec<_> = chain
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    let mut options = options(&chain);
    options.semantics = compatible;
    let top = format!("l{}", LENGTH - 1);
    let mut session = engine.stacker(lent, options, limits).expect("session");
    let answer = session.lookup(&top).expect("lookup");
    assert_eq!(answer.outcome, Outcome::Hit);
    let explanation = session.explain(&top).expect("a live session");
    assert_eq!(explanation.considered, LENGTH as u64);
}
