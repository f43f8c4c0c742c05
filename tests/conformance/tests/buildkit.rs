//! The vectors of BuildKit's remote cache against the native library.

use std::path::Path;
use std::rc::Rc;

use layerwise::buildkit::{
    self, Added, Alternative, Cache, Connection, Exporter, Offer, Options, Outcome, Plan, Pushed,
    Query,
};
use layerwise::error::Error;
use layerwise::host::{Failure, Level, Observer, Presence, Registry, Retrieval, Retrieved, Shelf};
use layerwise::host::{Stored, Transfer};
use layerwise::oci::Descriptor;
use layerwise::semantics::Semantics;
use layerwise_conformance::buildkit::{Host, Subject, run};

struct Native;

/// The host as the library wants it.
#[derive(Clone)]
struct Shared(Rc<Host>);

impl Subject for Native {
    type Exporter = Exporter<Shared, Shared>;
    type Cache = Cache;

    fn exporter(&self, host: Rc<Host>, options: &Options) -> Result<Self::Exporter, Error> {
        Exporter::open(Shared(Rc::clone(&host)), Shared(host), options.clone())
    }

    fn add(&self, exporter: &mut Self::Exporter, records: &str) -> Result<Vec<Added>, Error> {
        exporter.add_all(records)
    }

    fn link(
        &self,
        exporter: &mut Self::Exporter,
        record: u32,
        input: u32,
        alternative: &Alternative,
    ) -> Result<(), Error> {
        exporter.link(record, input, alternative)
    }

    fn result(
        &self,
        exporter: &mut Self::Exporter,
        record: u32,
        outcome: &Outcome,
    ) -> Result<(), Error> {
        exporter.put_result(record, outcome)
    }

    fn plan(&self, exporter: &Self::Exporter) -> Result<Plan, Error> {
        exporter.plan()
    }

    fn finalize(&self, exporter: &Self::Exporter, repository: &str) -> Result<Pushed, Error> {
        exporter.finalize(repository, None)
    }

    fn parse(
        &self,
        config: &str,
        descriptors: &str,
        semantics: &Semantics,
    ) -> Result<Cache, Error> {
        buildkit::parse(config, descriptors, semantics, &[])
    }

    fn detect(&self, manifest: &str) -> Result<(String, String), Error> {
        buildkit::detect(manifest)
    }

    fn open(
        &self,
        host: Rc<Host>,
        repository: &str,
        descriptor: &Descriptor,
        semantics: &Semantics,
    ) -> Result<Cache, Error> {
        let host = Shared(host);
        buildkit::open(&host, &host, repository, descriptor, semantics, &[])
    }

    fn verify(&self, config: &str, descriptors: &str) -> Result<Vec<String>, Error> {
        let report = buildkit::verify(config, descriptors, &[])?;
        Ok(report.findings.iter().map(|f| f.code.to_string()).collect())
    }

    fn records(&self, cache: &Cache) -> Result<u32, Error> {
        cache.records()
    }

    fn roots(&self, cache: &Cache) -> Result<Vec<String>, Error> {
        cache.roots()
    }

    fn links(&self, cache: &Cache) -> Result<Vec<Connection>, Error> {
        cache.links()
    }

    fn offers(&self, cache: &Cache) -> Result<Vec<Offer>, Error> {
        cache.offers()
    }

    fn lookup(&self, cache: &Cache, query: &Query) -> Result<Vec<String>, Error> {
        cache.lookup(query)
    }

    fn export(&self, cache: &Cache) -> Result<String, Error> {
        cache.encode()
    }
}

impl Registry for Shared {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        self.0.locate(reference)
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        self.0.resolve(references)
    }

    fn read(
        &self,
        repository: &str,
        wanted: &[Descriptor],
        limit: u64,
    ) -> Vec<Result<String, Failure>> {
        self.0.read(repository, wanted, limit)
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        self.0.has(repository, digests)
    }

    fn write(
        &self,
        repository: &str,
        shelf: Shelf,
        media_type: &str,
        document: &str,
    ) -> Result<Descriptor, Failure> {
        self.0.write(repository, shelf, media_type, document)
    }

    fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        self.0.store(repository, layers)
    }

    fn retrieve(&self, repository: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        self.0.retrieve(repository, layers)
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        self.0.tag(reference, digest)
    }

    fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure> {
        self.0.delete(repository, digest)
    }
}

impl Observer for Shared {
    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        self.0.log(level, message, fields);
    }

    fn progress(&self, operation: &str, item: &str, done: u64, total: u64) {
        self.0.progress(operation, item, done, total);
    }
}

#[test]
fn every_vector_holds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/buildkit.json.gz");
    let text = layerwise_conformance::load(&path).unwrap();
    let report = run(&Native, &text).unwrap();
    for mismatch in report.mismatches.iter().take(20) {
        eprintln!(
            "{}\n  expected {}\n  actual   {}",
            mismatch.name, mismatch.expected, mismatch.actual
        );
    }
    eprintln!("{} passed, {} failed", report.passed, report.failed);
    assert_eq!(report.failed, 0);
    assert!(report.passed > 1_000, "only {} cases ran", report.passed);
}

#[test]
fn unknown_members_and_ops_are_refused() {
    let head = r#"{"format":"buildkit-remote-cache-vectors/1","set":"x","upstream":{}"#;
    assert!(run(&Native, &format!("{head}}}")).is_ok());
    for rest in [
        r#","new_family":[]}"#,
        r#","hazards":[{"name":"x","upstream":"","require":"x","generate":{"kind":"tree"}}]}"#,
        r#","cases":[{"name":"x","ops":[{"op":"remove"}]}]}"#,
        r#","cases":[{"name":"x","ops":[],"extra":1}]}"#,
        r#","cases":[{"name":"x","ops":[{"op":"add","as":"a","digest":"d","more":1}]}]}"#,
    ] {
        assert!(run(&Native, &format!("{head}{rest}")).is_err(), "{rest}");
    }
    assert!(run(&Native, &head.replace("/1", "/2").replace("{}", "{}}")).is_err());
}

#[test]
fn a_wrong_expectation_fails() {
    let case = r#"{"format":"buildkit-remote-cache-vectors/1","set":"x","upstream":{},
        "cases":[{"name":"x","options":{"oci":true,"image_manifest":true},"ops":[],"expect":{"error":"boom"}}]}"#;
    let report = run(&Native, case).unwrap();
    assert_eq!((report.passed, report.failed), (0, 2));
}
