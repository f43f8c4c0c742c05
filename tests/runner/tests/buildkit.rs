//! BuildKit's remote cache: the component answers what the native library
//! answers, to the byte.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use layerwise::buildkit::{
    self as native, Added, Alternative, Contents, Input, Options, Outcome, Plan, Policy, Pushed,
    Query, ReadOptions, Record,
};
use layerwise::error::Error as Refusal;
use layerwise::host::{Silent, Source};
use layerwise::oci::Descriptor;
use layerwise::semantics::{Reading, Semantics};
use layerwise_conformance::buildkit::{Cache, Checked, Exporter, Host, Native, Subject, run};
use layerwise_host::buildkit::{Cache as Cached, Session};
use layerwise_host::{Engine, EngineOptions, Error, Imports, SessionLimits};
use layerwise_runner::Component;

fn engine() -> Engine {
    Engine::new(&EngineOptions::default()).expect("engine")
}

fn vectors() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/buildkit.json.gz");
    layerwise_conformance::load(&path).expect("vector file")
}

/// Both answers in full; gives the native one on.
#[track_caller]
fn same<T, E, F>(native: Result<T, E>, component: Result<T, F>) -> Result<T, E>
where
    T: Debug,
    E: Into<Refusal> + Clone,
    F: Into<Refusal>,
{
    let other = component.map_err(Into::into);
    let own = native.as_ref().map_err(|error| error.clone().into());
    assert_eq!(format!("{own:?}"), format!("{other:?}"));
    native
}

/// Asks both implementations everything and compares complete answers.
struct Both(Component);

struct BothExporters {
    native: Box<dyn Exporter>,
    component: Box<dyn Exporter>,
    hosts: [Arc<Host>; 2],
}

struct BothCaches {
    native: Box<dyn Cache>,
    component: Box<dyn Cache>,
}

fn both_caches(
    native: Result<Box<dyn Cache>, Refusal>,
    component: Result<Box<dyn Cache>, Refusal>,
) -> Result<Box<dyn Cache>, Refusal> {
    match (native, component) {
        (Ok(native), Ok(component)) => Ok(Box::new(BothCaches { native, component })),
        (Err(native), Err(component)) => {
            assert_eq!(native, component);
            Err(native)
        }
        (native, component) => panic!(
            "native {:?}, component {:?}",
            native.map(|_| "a cache"),
            component.map(|_| "a cache")
        ),
    }
}

impl Subject for Both {
    fn exporter(&self, host: Arc<Host>, options: &Options) -> Result<Box<dyn Exporter>, Refusal> {
        let mirror = Arc::new(host.fresh());
        let exporters = BothExporters {
            native: Native.exporter(Arc::clone(&host), options)?,
            component: self.0.exporter(Arc::clone(&mirror), options)?,
            hosts: [host, mirror],
        };
        Ok(Box::new(exporters))
    }

    fn parse(
        &self,
        config: &str,
        descriptors: &str,
        semantics: &Semantics,
    ) -> Result<Box<dyn Cache>, Refusal> {
        both_caches(
            Native.parse(config, descriptors, semantics),
            self.0.parse(config, descriptors, semantics),
        )
    }

    fn open_cache(
        &self,
        host: Arc<Host>,
        repository: &str,
        descriptor: &Descriptor,
        semantics: &Semantics,
    ) -> Result<Box<dyn Cache>, Refusal> {
        let mirror = Arc::new(host.fresh());
        both_caches(
            Native.open_cache(host, repository, descriptor, semantics),
            self.0.open_cache(mirror, repository, descriptor, semantics),
        )
    }

    fn detect(&self, manifest: &str) -> Result<(String, String), Refusal> {
        same(Native.detect(manifest), self.0.detect(manifest))
    }

    fn verify_config(&self, config: &str, descriptors: &str) -> Result<Checked, Refusal> {
        same(
            Native.verify_config(config, descriptors),
            self.0.verify_config(config, descriptors),
        )
    }
}

impl Exporter for BothExporters {
    fn add_all(&mut self, records: &str) -> Result<Vec<Added>, Refusal> {
        same(
            self.native.add_all(records),
            self.component.add_all(records),
        )
    }

    fn link(&mut self, record: u32, input: u32, link: &Alternative) -> Result<(), Refusal> {
        same(
            self.native.link(record, input, link),
            self.component.link(record, input, link),
        )
    }

    fn put_result(&mut self, record: u32, outcome: &Outcome) -> Result<(), Refusal> {
        same(
            self.native.put_result(record, outcome),
            self.component.put_result(record, outcome),
        )
    }

    fn plan(&mut self) -> Result<Plan, Refusal> {
        same(self.native.plan(), self.component.plan())
    }

    fn finalize(&mut self, repository: &str) -> Result<Pushed, Refusal> {
        let pushed = same(
            self.native.finalize(repository),
            self.component.finalize(repository),
        );
        let [host, mirror] = &self.hosts;
        assert_eq!(
            host.seen(),
            mirror.seen(),
            "what the hosts were asked to do"
        );
        pushed
    }
}

impl Cache for BothCaches {
    fn contents(&mut self) -> Result<Contents, Refusal> {
        same(self.native.contents(), self.component.contents())
    }

    fn lookup(&mut self, query: &Query) -> Result<Vec<String>, Refusal> {
        same(self.native.lookup(query), self.component.lookup(query))
    }

    fn encode(&mut self) -> Result<String, Refusal> {
        same(self.native.encode(), self.component.encode())
    }
}

#[test]
fn every_answer_to_a_vector_is_the_same() {
    let report = run(&vectors(), &Both(Component::new(&engine()))).expect("vector file");
    assert_eq!(report.failed, 0);
    assert!(report.passed > 1_000, "only {} cases", report.passed);
}

/// The inputs of the cases that read a config.
fn configs() -> Vec<(String, String)> {
    let file: serde_json::Value = serde_json::from_str(&vectors()).expect("JSON");
    let cases = file.get("parse").and_then(|list| list.as_array());
    let cases = cases.expect("cases").iter();
    let cases = cases.map(|case| {
        let config = case["config_json"].as_str().expect("a config");
        let descriptors = match &case["descriptors"] {
            serde_json::Value::Null => "[]".to_owned(),
            list => list.to_string(),
        };
        (config.to_owned(), descriptors)
    });
    cases.collect()
}

#[test]
fn what_vectors_do_not_ask_is_the_same() {
    let host = Arc::new(Host::default());
    let lent = Imports {
        registry: Arc::<Host>::clone(&host),
        ..Imports::default()
    };
    let session = engine()
        .buildkit(lent, SessionLimits::default())
        .expect("session");
    let semantics = Semantics::default();
    let mut before: Option<(native::Cache, Cached)> = None;
    let mut compared = 0;
    for (config, descriptors) in configs() {
        let _ = same(
            native::inspect(input(&config, &descriptors), false, &[]),
            session.verify(&config, &descriptors, &[]),
        );
        let own = native::read(input(&config, &descriptors), &ReadOptions::default());
        let other = session.parse(&config, &descriptors, &semantics, &[]);
        let (Ok(own), Ok(other)) = (own, other) else {
            continue;
        };
        assert_eq!(own.describe(), other.describe().expect("a description"));
        let contents = same(own.contents(), other.contents()).expect("contents");
        let near = contents.links.first().map(|link| link.from.clone());
        for record in [None, near, Some("nobody".to_owned())] {
            let query = Query {
                record,
                digest: "sha256:unknown".to_owned(),
                ..Query::default()
            };
            let _ = same(own.explain(&query), other.explain(&query));
        }
        let options = Options {
            policy: Policy {
                fall_back: true,
                ..Policy::default()
            },
            source: Some(Source::Provider("workers".to_owned())),
            ..Options::default()
        };
        let mut merged = native::Exporter::open(Arc::clone(&host), Silent, options.clone())
            .expect("native exporter");
        let mut through = session.export_to(options).expect("exporter");
        let source = Source::Repository("there".to_owned());
        let _ = same(
            merged.merge(&own, Some(&source)),
            through.merge(&other, Some(&source)),
        );
        let _ = same(merged.plan(), through.plan());
        if let Some((old, old_other)) = &before {
            let _ = same(native::compare(old, &own), old_other.compare(&other));
            compared += 1;
        }
        before = Some((own, other));
    }
    assert!(compared > 50, "only {compared} comparisons");
}

fn digest(text: &str) -> String {
    layerwise::oci::sha256(text.as_bytes()).to_string()
}

fn record(name: &str, inputs: Vec<Vec<Alternative>>, source: Option<Source>) -> Record {
    Record {
        digest: digest(name),
        inputs,
        results: vec![Outcome {
            created: "2024-01-01T00:00:00Z".to_owned(),
            layers: vec![Descriptor {
                media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
                digest: digest("layer"),
                size: 7,
                annotations: vec![("containerd.io/uncompressed".to_owned(), digest("plain"))],
            }],
            source,
        }],
    }
}

#[test]
fn single_records_and_every_source_cross() {
    let host = Arc::new(Host::default());
    let lent = Imports {
        registry: Arc::<Host>::clone(&host),
        ..Imports::default()
    };
    let session = engine()
        .buildkit(lent, SessionLimits::default())
        .expect("session");
    for source in [
        None,
        Some(Source::File("layer.tar".to_owned())),
        Some(Source::Repository("source".to_owned())),
        Some(Source::Provider("workers".to_owned())),
    ] {
        let options = Options {
            source: Some(Source::Repository("source".to_owned())),
            ..Options::default()
        };
        let mut own = native::Exporter::open(Arc::clone(&host), Silent, options.clone())
            .expect("native exporter");
        let mut other = session.export_to(options).expect("exporter");
        let root = record("root", Vec::new(), source.clone());
        let from = same(own.add(&root), other.add(&root)).expect("a handle");
        for link in [
            Alternative {
                record: from,
                selector: "part".to_owned(),
                foreign: None,
            },
            Alternative {
                foreign: Some(digest("elsewhere")),
                ..Alternative::default()
            },
            Alternative::default(),
        ] {
            let step = record("step", vec![vec![link]], source.clone());
            let _ = same(own.add(&step), other.add(&step));
        }
        let link = Alternative::default();
        let _ = same(own.link(0, 0, &link), other.link(0, 0, &link));
        same(own.plan(), other.plan()).expect("a plan");
        for reference in [None, Some("name:tag")] {
            let _ = same(
                own.finalize("target", reference),
                other.finalize("target", reference),
            );
        }
    }
}

#[test]
fn functions_by_themselves_are_the_same() {
    let host = Arc::new(Host::default());
    let lent = Imports {
        registry: Arc::<Host>::clone(&host),
        ..Imports::default()
    };
    let session = engine()
        .buildkit(lent, SessionLimits::default())
        .expect("session");
    for value in ["true", "0", "yes"] {
        let given = [("oci-mediatypes".to_owned(), value.to_owned())];
        let _ = same(native::attributes(&given), session.attributes(&given));
    }
    let (own, other) = (native::rules(), session.rules().expect("rules"));
    assert_eq!(own.len(), other.len());
    for (own, other) in own.iter().zip(&other) {
        assert_eq!(
            [own.code, own.section, own.meaning, own.example, own.advice],
            [
                other.code.as_str(),
                &other.section,
                &other.meaning,
                &other.example,
                &other.advice
            ]
        );
    }
    let absent = Descriptor {
        media_type: String::new(),
        digest: digest("absent"),
        size: 3,
        annotations: Vec::new(),
    };
    let manifest = Input::Manifest {
        registry: &host,
        observer: &Silent,
        repository: "repository",
        descriptor: &absent,
    };
    let _ = same(
        native::inspect(manifest, true, &[]),
        session.inspect("repository", &absent, true, &[]),
    );
    let caps = [("records".to_owned(), 1)];
    let config = r#"{"records":[{"digest":"a"},{"digest":"b"}]}"#;
    for reading in [Reading::Guarded, Reading::Compatible] {
        let semantics = Semantics {
            reading,
            version: None,
        };
        let options = ReadOptions {
            semantics: semantics.clone(),
            any_size: false,
            limits: caps.to_vec(),
        };
        let own = native::read(input(config, "[]"), &options).map(|_| ());
        let other = session.parse(config, "[]", &semantics, &caps).map(|_| ());
        assert!(own.is_err(), "above the cap");
        let _ = same(own, other);
    }
}

fn input<'a>(text: &'a str, descriptors: &'a str) -> Input<'a> {
    let descriptors = Some(descriptors);
    Input::Config { text, descriptors }
}

#[test]
fn caches_of_two_instances_do_not_mix() {
    let engine = engine();
    let open = || {
        engine
            .buildkit(Imports::default(), SessionLimits::default())
            .expect("session")
    };
    let (one, two) = (open(), open());
    let read = |session: &Session| {
        session
            .parse("{}", "[]", &Semantics::default(), &[])
            .expect("a cache")
    };
    let (mine, other) = (read(&one), read(&two));
    assert!(matches!(mine.compare(&other), Err(Error::Engine(_))));
    let mut exporter = one.export_to(Options::default()).expect("exporter");
    assert!(matches!(
        exporter.merge(&other, None),
        Err(Error::Engine(_))
    ));
    assert!(exporter.merge(&mine, None).is_ok());
    assert!(mine.compare(&mine).is_ok(), "the instance goes on");
}
