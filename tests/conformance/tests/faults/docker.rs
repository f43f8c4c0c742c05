//! The image cache of Docker.

use std::cell::Cell;
use std::collections::BTreeSet;

use layerwise::docker::{self, Answer, Options, Outcome, Step};
use layerwise::error::Error;
use layerwise::explain::{Explanation, Finding};
use layerwise::host::{FailureCode, ImageStore};
use layerwise_conformance::docker::{
    Functions, Native, Session, SharedStore, Subject, run_moby, run_real,
};

use super::failing::{CODES, Failing, each};
use super::over::Images;
use super::{SMALL, broken, typed, vectors};

#[test]
fn moby() {
    let subject = Faulty::new(&CODES, SMALL);
    run_moby(&vectors("moby.json.gz"), &subject).expect("format");
    eprintln!("{} lookups with a fault", subject.runs.get());
    assert!(subject.runs.get() > 10_000);
}

#[test]
fn docker_real() {
    let subject = Faulty::new(
        &[
            FailureCode::NotFound,
            FailureCode::Corrupt,
            FailureCode::Unavailable,
            FailureCode::Deadline,
        ],
        SMALL / 8,
    );
    run_real(&vectors("docker-real.json.gz"), &subject).expect("format");
    eprintln!("{} lookups with a fault", subject.runs.get());
    assert!(subject.runs.get() > 10_000);
}

struct Faulty<'a> {
    codes: &'a [FailureCode],
    small: usize,
    runs: std::rc::Rc<Cell<u64>>,
}

impl<'a> Faulty<'a> {
    fn new(codes: &'a [FailureCode], small: usize) -> Self {
        Self {
            codes,
            small,
            runs: std::rc::Rc::default(),
        }
    }
}

/// A session whose lookups are done with each fault first.
struct FaultySession {
    store: SharedStore,
    options: Options,
    codes: Vec<FailureCode>,
    small: usize,
    runs: std::rc::Rc<Cell<u64>>,
    inner: docker::Session<SharedStore>,
}

impl FaultySession {
    fn each_fault(&self, step: &Step) {
        let mut clean = None;
        let mut good = Vec::new();
        let mut then = None;
        let runs = each(&self.codes, self.small, |fault| {
            let images = Images::over(&self.store);
            let failing = Failing::new(&images, fault);
            let answer = look(&failing, &self.options, step);
            let asked = failing.asked();
            match &clean {
                None => {
                    good = self.good(&answer, step);
                    then = image(&look(&images, &self.options, step));
                    clean = Some(answer);
                }
                Some(clean) => {
                    match &answer {
                        Err(error) => typed(&fault, error),
                        Ok(answer) if answer.outcome == Outcome::Miss => {}
                        Ok(hit) if clean.is_err() || good.contains(&hit.image) => {}
                        Ok(_) => broken(&fault, "a hit is one without the fault", &(clean, answer)),
                    }
                    let again = look(&images, &self.options, step);
                    let got = image(&again);
                    if got != image(clean) && got != then {
                        broken(&fault, "afterwards the answer is right", &(clean, again));
                    }
                }
            }
            asked
        });
        self.runs.set(self.runs.get() + runs);
    }

    /// The hits without a fault: the answer, and what it is when that image or
    /// the source it came from is not there, and so on.
    fn good(&self, clean: &Result<Answer, Error>, step: &Step) -> Vec<Option<String>> {
        let mut good = Vec::new();
        let mut without = vec![BTreeSet::new()];
        let mut next = clean.as_ref().ok().cloned();
        while let Some(hidden) = without.pop() {
            let images = Images::without(&self.store, hidden);
            let answer = next
                .take()
                .map_or_else(|| look(&images, &self.options, step), Ok);
            let Ok(hit) = answer else { continue };
            if hit.outcome == Outcome::Miss {
                continue;
            }
            for gone in [&hit.image, &hit.source].into_iter().flatten() {
                let mut hidden = images.hidden.clone();
                if hidden.insert(gone.clone()) && !without.contains(&hidden) {
                    without.push(hidden);
                }
            }
            if !good.contains(&hit.image) {
                good.push(hit.image);
            }
        }
        good
    }
}

fn image(answer: &Result<Answer, Error>) -> Option<Option<String>> {
    answer.as_ref().ok().map(|answer| answer.image.clone())
}

fn look<S: ImageStore>(store: &S, options: &Options, step: &Step) -> Result<Answer, Error> {
    docker::Session::open(store, options.clone())?.lookup(step)
}

impl Session for FaultySession {
    fn lookup(&mut self, step: &Step) -> Result<Answer, Error> {
        self.each_fault(step);
        self.inner.lookup(step)
    }

    fn plan(&mut self, step: &Step) -> Result<Answer, Error> {
        self.inner.plan(step)
    }

    fn replay(&mut self, steps: &[Step]) -> Result<Vec<Answer>, Error> {
        self.inner.replay(steps)
    }

    fn explain(&mut self, step: &Step) -> Result<Explanation, Error> {
        self.inner.explain(step)
    }

    fn sources(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.inner.sources())
    }

    fn skipped(&mut self) -> Result<Vec<Finding>, Error> {
        Ok(self.inner.skipped().to_vec())
    }
}

impl Subject for Faulty<'_> {
    fn open(&self, store: SharedStore, options: Options) -> Result<Box<dyn Session>, Error> {
        let inner = docker::Session::open(SharedStore::clone(&store), options.clone())?;
        Ok(Box::new(FaultySession {
            store,
            options,
            codes: self.codes.to_vec(),
            small: self.small,
            runs: std::rc::Rc::clone(&self.runs),
            inner,
        }))
    }

    fn functions(&self) -> &dyn Functions {
        &Native
    }
}
