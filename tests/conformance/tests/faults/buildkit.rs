//! The remote cache of BuildKit.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use layerwise::buildkit::{self, Added, Alternative, Options, Outcome, Plan, Pushed};
use layerwise::error::Error;
use layerwise::host::{FailureCode, Silent};
use layerwise::oci::Descriptor;
use layerwise::semantics::{Reading, Semantics};
use layerwise_conformance::buildkit::{Cache, Checked, Exporter, Host, Native, Subject, run};

use super::failing::{Failing, Fault, each};
use super::{broken, typed, vectors};

/// The codes that are told apart, and one of the others.
const CODES: [FailureCode; 6] = [
    FailureCode::NotFound,
    FailureCode::Corrupt,
    FailureCode::Truncated,
    FailureCode::Conflict,
    FailureCode::Unsupported,
    FailureCode::Unavailable,
];

/// Exports ask for every layer.
const SMALL: usize = 4;

#[test]
fn every_vector() {
    let subject = Faulty::default();
    run(&vectors("buildkit.json.gz"), &subject).expect("format");
    eprintln!("{} operations with a fault", subject.0.get());
    assert!(subject.0.get() > 10_000);
}

/// Counts the operations.
#[derive(Default)]
struct Faulty(Rc<Cell<u64>>);

/// An export that is done with each fault first.
struct FaultyExporter {
    guarded: bool,
    host: Arc<Failing<Host>>,
    runs: Rc<Cell<u64>>,
    failing: buildkit::Exporter<Arc<Failing<Host>>, Silent>,
    inner: buildkit::Exporter<Arc<Host>, Arc<Host>>,
}

impl FaultyExporter {
    /// One session goes through all faults: none of them stays in it.
    fn each_fault(&self, repository: &str) {
        let mut clean = None;
        let runs = each(&CODES, SMALL, |fault| {
            self.host.set(fault);
            let pushed = self.failing.finalize(repository, None);
            let asked = self.host.asked();
            let Some(clean) = &clean else {
                clean = Some(pushed);
                return asked;
            };
            match (clean, &pushed) {
                (_, Err(error)) => typed(&fault, error),
                (Ok(clean), Ok(pushed)) => whole(&fault, clean, pushed),
                (Err(_), Ok(_)) => broken(&fault, "no success by a fault", &pushed),
            }
            asked
        });
        self.host.set(Fault::NONE);
        let again = self.failing.finalize(repository, None);
        if clean.as_ref() != Some(&again) {
            broken(
                &Fault::NONE,
                "afterwards it can be exported",
                &(clean, again),
            );
        }
        self.runs.set(self.runs.get() + runs);
    }
}

/// What is written despite a fault is the same; layers that cannot be had may be
/// left out of it, and then it says so.
fn whole(fault: &Fault, clean: &Pushed, pushed: &Pushed) {
    if clean.descriptor != pushed.descriptor && pushed.findings == clean.findings {
        broken(fault, "what is left out is said", &(clean, pushed));
    }
}

impl Exporter for FaultyExporter {
    fn add_all(&mut self, records: &str) -> Result<Vec<Added>, Error> {
        self.failing.add_all(records).ok();
        self.inner.add_all(records)
    }

    fn link(&mut self, record: u32, input: u32, alternative: &Alternative) -> Result<(), Error> {
        self.failing.link(record, input, alternative).ok();
        self.inner.link(record, input, alternative)
    }

    fn put_result(&mut self, record: u32, outcome: &Outcome) -> Result<(), Error> {
        self.failing.put_result(record, outcome).ok();
        self.inner.put_result(record, outcome)
    }

    fn plan(&mut self) -> Result<Plan, Error> {
        self.inner.plan()
    }

    fn finalize(&mut self, repository: &str) -> Result<Pushed, Error> {
        // Both readings push in the same way.
        if self.guarded {
            self.each_fault(repository);
        }
        self.inner.finalize(repository, None)
    }
}

impl Subject for Faulty {
    fn exporter(&self, host: Arc<Host>, options: &Options) -> Result<Box<dyn Exporter>, Error> {
        let faulty = Arc::new(Failing::new(host.fresh(), Fault::NONE));
        Ok(Box::new(FaultyExporter {
            guarded: options.semantics.reading == Reading::Guarded,
            runs: Rc::clone(&self.0),
            failing: buildkit::Exporter::open(Arc::clone(&faulty), Silent, options.clone())?,
            inner: buildkit::Exporter::open(Arc::clone(&host), host, options.clone())?,
            host: faulty,
        }))
    }

    fn parse(
        &self,
        config: &str,
        descriptors: &str,
        semantics: &Semantics,
    ) -> Result<Box<dyn Cache>, Error> {
        Native.parse(config, descriptors, semantics)
    }

    fn open_cache(
        &self,
        host: Arc<Host>,
        repository: &str,
        descriptor: &Descriptor,
        semantics: &Semantics,
    ) -> Result<Box<dyn Cache>, Error> {
        let text = |fault| {
            let failing = Failing::new(host.fresh(), fault);
            let input = buildkit::Input::Manifest {
                registry: &failing,
                observer: &Silent,
                repository,
                descriptor,
            };
            let options = buildkit::ReadOptions {
                semantics: semantics.clone(),
                ..buildkit::ReadOptions::default()
            };
            let opened = buildkit::read(input, &options);
            (opened.and_then(|cache| cache.encode()), failing.asked())
        };
        let (clean, _) = text(Fault::NONE);
        let runs = each(&CODES, SMALL, |fault| {
            let (cache, asked) = text(fault);
            match &cache {
                Err(error) if fault.at != usize::MAX => typed(&fault, error),
                Ok(_) if cache != clean => broken(&fault, "the cache without the fault", &cache),
                _ => {}
            }
            asked
        });
        self.0.set(self.0.get() + runs);
        Native.open_cache(host, repository, descriptor, semantics)
    }

    fn detect(&self, manifest: &str) -> Result<(String, String), Error> {
        Native.detect(manifest)
    }

    fn verify_config(&self, config: &str, descriptors: &str) -> Result<Checked, Error> {
        Native.verify_config(config, descriptors)
    }
}
