//! The cache image and the layer metadata restorer of Buildpacks.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use layerwise::buildpacks::{
    Addition, CacheImage, Commit, ImageOptions, LayerAnswer, Outcome, RecordedSha, RestoreOptions,
    RestorePlan, RestoreRequest, Restorer, Retrieval, State, WantedLayer,
};
use layerwise::error::Error;
use layerwise::explain::Explanation;
use layerwise::host::Silent;
use layerwise_conformance::buildpacks::{
    ImageSession, Native, RestoreSession, SharedFilesystem, SharedObserver, SharedRegistry,
    Subject, run, run_compatible,
};

use super::failing::{CODES, Failing, Fault, each};
use super::over::{Files, Repositories};
use super::{SMALL, broken, typed, vectors};

#[test]
fn guarded() {
    let subject = Faulty::default();
    run(&vectors("buildpacks.json.gz"), &subject).expect("format");
    eprintln!("{} sessions with a fault", subject.0.get());
    assert!(subject.0.get() > 10_000);
}

#[test]
fn compatible_with_each_version() {
    let subject = Faulty::default();
    run_compatible(&vectors("buildpacks.json.gz"), &subject).expect("format");
    eprintln!("{} sessions with a fault", subject.0.get());
    assert!(subject.0.get() > 10_000);
}

/// Counts the sessions.
#[derive(Default)]
struct Faulty(Rc<Cell<u64>>);

impl Subject for Faulty {
    fn open_image(
        &self,
        registry: SharedRegistry,
        observer: SharedObserver,
        options: ImageOptions,
    ) -> Result<Box<dyn ImageSession>, Error> {
        // What the registry has stays as it is for the sessions with faults.
        let over: SharedRegistry = std::sync::Arc::new(Repositories::over(&registry));
        Ok(Box::new(Image {
            inner: Native.open_image(over, observer, options.clone())?,
            registry,
            options,
            calls: Vec::new(),
            runs: Rc::clone(&self.0),
        }))
    }

    fn open_restorer(
        &self,
        files: SharedFilesystem,
        observer: SharedObserver,
        options: RestoreOptions,
    ) -> Result<Box<dyn RestoreSession>, Error> {
        Ok(Box::new(Metadata {
            inner: Native.open_restorer(
                SharedFilesystem::clone(&files),
                observer,
                options.clone(),
            )?,
            files,
            options,
            runs: Rc::clone(&self.0),
        }))
    }
}

/// A call of a session.
enum Call {
    Metadata,
    Set(String),
    Add(Vec<Addition>),
    Reuse(Vec<String>),
    Retrieve(Vec<WantedLayer>),
    Verify(Vec<String>),
    Commit,
}

/// What it answered.
#[derive(Debug)]
enum Said {
    Document(Retrieval),
    Nothing,
    Added,
    Layers(Vec<LayerAnswer>),
    Committed,
}

/// A session that is gone through again with each fault when it ends.
struct Image {
    inner: Box<dyn ImageSession>,
    registry: SharedRegistry,
    options: ImageOptions,
    calls: Vec<Call>,
    runs: Rc<Cell<u64>>,
}

type Session = CacheImage<SharedRegistry, Silent>;

impl Image {
    /// Opens, and makes the calls of the vector; an error ends none but the
    /// opening.
    fn go(&self, registry: SharedRegistry) -> Result<Vec<Result<Said, Error>>, Error> {
        let mut image = CacheImage::open(registry, Silent, self.options.clone())?;
        let calls = std::iter::once(&Call::Metadata).chain(&self.calls);
        Ok(calls.map(|call| say(&mut image, call)).collect())
    }

    fn each_fault(&self) {
        let mut clean: Option<Result<Vec<Result<Said, Error>>, Error>> = None;
        let mut becomes = String::new();
        let runs = each(&CODES, SMALL, |fault| {
            let over: SharedRegistry = std::sync::Arc::new(Repositories::over(&self.registry));
            let failing = std::sync::Arc::new(Failing::new(SharedRegistry::clone(&over), fault));
            let said = self.go(failing.clone());
            let asked = failing.asked();
            match &clean {
                None => {
                    clean = Some(said);
                    becomes = self.open(&over).map_or_else(
                        |error| error.to_string(),
                        |image| image.metadata().finding.code.to_string(),
                    );
                }
                Some(clean) => {
                    held(&fault, clean, &said);
                    self.whole(&fault, &over, &becomes);
                }
            }
            asked
        });
        self.runs.set(self.runs.get() + runs);
    }

    fn open(&self, registry: &SharedRegistry) -> Result<Session, Error> {
        CacheImage::open(
            SharedRegistry::clone(registry),
            Silent,
            self.options.clone(),
        )
    }

    /// What the name stands for now is an image of which every layer is there:
    /// the old one, or the new one.
    fn whole(&self, fault: &Fault, over: &SharedRegistry, becomes: &str) {
        let (before, now) = match (self.open(&self.registry), self.open(over)) {
            (Ok(before), Ok(now)) => (before, now),
            (_, Err(error)) => broken(fault, "afterwards it opens", &error),
            (Err(error), _) => broken(fault, "it opened before", &error),
        };
        let code = |image: &Session| image.metadata().finding.code;
        let lost = code(&before) == "buildpacks/hit" && code(&now) != "buildpacks/hit";
        if lost && code(&now) != becomes {
            broken(fault, "an image that was whole is whole", &now.metadata());
        }
        if before.exists() && !now.exists() {
            broken(fault, "an image that was there is there", &());
        }
    }
}

fn say(image: &mut Session, call: &Call) -> Result<Said, Error> {
    Ok(match call {
        Call::Metadata => Said::Document(image.metadata()),
        Call::Set(document) => {
            image.set_metadata(document)?;
            Said::Nothing
        }
        Call::Add(layers) => {
            image.add(layers)?;
            Said::Added
        }
        Call::Reuse(ids) => Said::Layers(image.reuse(ids)?),
        Call::Retrieve(layers) => Said::Layers(image.retrieve(layers)?),
        Call::Verify(ids) => Said::Layers(image.verify(ids)?),
        Call::Commit => {
            image.commit()?;
            Said::Committed
        }
    })
}

/// Metadata and layers that are had are those had without the fault.
fn held(
    fault: &Fault,
    clean: &Result<Vec<Result<Said, Error>>, Error>,
    said: &Result<Vec<Result<Said, Error>>, Error>,
) {
    let said = match said {
        Err(error) => return typed(fault, error),
        Ok(said) => said,
    };
    let Ok(clean) = clean else {
        broken(fault, "no session by a fault", said)
    };
    // What the image was or became in the run without the fault.
    let known = |document: &String| {
        clean
            .iter()
            .any(|said| matches!(said, Ok(Said::Document(said)) if said.document == *document))
    };
    for (clean, said) in clean.iter().zip(said) {
        let held = match (clean, said) {
            (_, Err(error)) => {
                typed(fault, error);
                true
            }
            (_, Ok(Said::Document(said))) => {
                said.finding.code != "buildpacks/hit" || known(&said.document)
            }
            (Ok(Said::Layers(clean)), Ok(Said::Layers(said))) => {
                let done = |answer: &LayerAnswer| answer.outcome == Outcome::Done;
                let mut both = clean.iter().zip(said);
                both.all(|(clean, said)| !done(said) || done(clean))
            }
            _ => true,
        };
        if !held {
            broken(fault, "a hit is the hit without the fault", &(clean, said));
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.each_fault();
        }
    }
}

impl ImageSession for Image {
    fn exists(&mut self) -> Result<bool, Error> {
        self.inner.exists()
    }

    fn name(&mut self) -> Result<String, Error> {
        self.inner.name()
    }

    fn metadata(&mut self) -> Result<Retrieval, Error> {
        self.calls.push(Call::Metadata);
        self.inner.metadata()
    }

    fn set_metadata(&mut self, document: &str) -> Result<(), Error> {
        self.calls.push(Call::Set(document.to_owned()));
        self.inner.set_metadata(document)
    }

    fn add(&mut self, layers: &[Addition]) -> Result<Vec<LayerAnswer>, Error> {
        self.calls.push(Call::Add(layers.to_vec()));
        self.inner.add(layers)
    }

    fn reuse(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error> {
        self.calls.push(Call::Reuse(diff_ids.to_vec()));
        self.inner.reuse(diff_ids)
    }

    fn retrieve(&mut self, layers: &[WantedLayer]) -> Result<Vec<LayerAnswer>, Error> {
        self.calls.push(Call::Retrieve(layers.to_vec()));
        self.inner.retrieve(layers)
    }

    fn verify(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error> {
        self.calls.push(Call::Verify(diff_ids.to_vec()));
        self.inner.verify(diff_ids)
    }

    fn plan(&mut self) -> Result<Commit, Error> {
        self.inner.plan()
    }

    fn commit(&mut self) -> Result<Commit, Error> {
        self.calls.push(Call::Commit);
        self.inner.commit()
    }

    fn state(&mut self) -> Result<State, Error> {
        self.inner.state()
    }

    fn explain(&mut self) -> Result<Explanation, Error> {
        self.inner.explain()
    }
}

/// A restorer whose restores are done with each fault first.
struct Metadata {
    inner: Box<dyn RestoreSession>,
    files: SharedFilesystem,
    options: RestoreOptions,
    runs: Rc<Cell<u64>>,
}

impl Metadata {
    fn each_fault(&self, request: &RestoreRequest) {
        let mut clean: Option<(Result<RestorePlan, Error>, BTreeMap<String, String>)> = None;
        let runs = each(&CODES, SMALL, |fault| {
            let files = std::sync::Arc::new(Files::over(&self.files));
            let failing = std::sync::Arc::new(Failing::new(files.clone(), fault));
            let open =
                |files: SharedFilesystem| Restorer::open(files, Silent, self.options.clone());
            let restored = open(failing.clone()).and_then(|mut session| session.restore(request));
            let asked = failing.asked();
            let written = files.written(&self.options.directory);
            let Some((clean, all)) = &clean else {
                clean = Some((restored, written));
                return asked;
            };
            match (clean, &restored) {
                (_, Err(error)) => typed(&fault, error),
                (Ok(clean), Ok(restored)) => {
                    for decision in restored.decisions.iter().filter(|one| one.restored) {
                        if !clean.decisions.contains(decision) {
                            broken(&fault, "restored as without the fault", decision);
                        }
                    }
                }
                (Err(_), Ok(_)) => {}
            }
            let other = written
                .iter()
                .find(|(path, text)| all.get(*path) != Some(text));
            if let (Ok(_), Some(other)) = (clean, other) {
                broken(&fault, "files as without the fault", &other);
            }
            let again = open(files.clone()).and_then(|mut session| session.restore(request));
            let same = *clean == again && files.written(&self.options.directory) == *all;
            if clean.is_ok() && !same {
                broken(&fault, "afterwards everything is restored", &(clean, again));
            }
            asked
        });
        self.runs.set(self.runs.get() + runs);
    }
}

impl RestoreSession for Metadata {
    fn plan(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        self.inner.plan(request)
    }

    fn restore(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        self.each_fault(request);
        self.inner.restore(request)
    }

    fn explain(&mut self, request: &RestoreRequest) -> Result<Explanation, Error> {
        self.inner.explain(request)
    }

    fn shas(&mut self) -> Result<Vec<RecordedSha>, Error> {
        self.inner.shas()
    }
}
