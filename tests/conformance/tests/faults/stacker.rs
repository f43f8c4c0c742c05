//! The build cache of stacker.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use layerwise::error::Error;
use layerwise::explain::{Explanation, Finding};
use layerwise::host::{FailureCode, Silent};
use layerwise::stacker::testing::{BaseTag, Equality, FileHash, LayerText};
use layerwise::stacker::{
    Answer, Change, Effect, HostFacts, LayerDefinition, LayerType, Opened, Options, Outcome,
    Reading, Semantics, Session, State, Stored,
};
use layerwise_conformance::memory_fs::MemoryFs;
use layerwise_conformance::stacker::{Cache, Native, Subject, run};

use super::failing::{CODES, Failing, Fault, each};
use super::{SMALL, broken, typed, vectors};

const READINGS: [Reading; 2] = [Reading::Guarded, Reading::Compatible];

#[test]
fn every_vector_in_both_readings() {
    let subject = Faulty::default();
    run(&vectors("stacker.json.gz"), &subject).expect("format");
    eprintln!("{} operations with a fault", subject.runs.get());
    assert!(subject.runs.get() > 10_000);
}

#[derive(Default)]
struct Faulty {
    native: Native,
    runs: Rc<Cell<u64>>,
}

/// A cache whose lookups and puts are done with each fault first.
struct FaultyCache<'a> {
    fs: &'a Arc<MemoryFs>,
    options: Options,
    runs: Rc<Cell<u64>>,
    inner: Box<dyn Cache + 'a>,
}

/// An answer, and whether opening said that it dropped something.
type Done<A> = (Result<A, Error>, bool);

impl FaultyCache<'_> {
    /// Does something in a session of its own, in each reading, with each fault.
    fn each_fault<A>(
        &self,
        act: impl Fn(&Failing<Arc<MemoryFs>>, &Options) -> Done<A>,
        law: impl Fn(&Fault, &Result<A, Error>, &Done<A>, &Arc<MemoryFs>, &Options),
    ) {
        for reading in READINGS {
            let mut options = self.options.clone();
            options.semantics.reading = reading;
            let mut clean = None;
            let runs = each(&CODES, SMALL / 4, |fault| {
                let fs = Arc::new(self.fs.copy());
                let failing = Failing::new(Arc::clone(&fs), fault);
                let answer = act(&failing, &options);
                let asked = failing.asked();
                match &clean {
                    None => clean = Some(answer.0),
                    Some(clean) => law(&fault, clean, &answer, &fs, &options),
                }
                asked
            });
            self.runs.set(self.runs.get() + runs);
        }
    }

    fn lookups(&self, name: &str) {
        self.each_fault(
            |failing, options| look(failing, options, name),
            |fault, clean, (answer, dropped), fs, options| {
                held(fault, clean, answer);
                let (again, _) = look(&Failing::new(Arc::clone(fs), Fault::NONE), options, name);
                let dropped = *dropped && may_drop(fault, options);
                if hit(clean) != hit(&again) && !(dropped && hit(&again).is_none()) {
                    broken(fault, "afterwards the answer is right", &(clean, again));
                }
            },
        );
    }

    fn puts(&self, name: &str, manifests: &str, host: &HostFacts) {
        let put = |failing: &Failing<Arc<MemoryFs>>, options: &Options| {
            let opened = Session::open(failing, &Silent, options.clone());
            let dropped = dropped(&opened);
            (
                opened.and_then(|mut session| session.put(name, manifests, host)),
                dropped,
            )
        };
        let [guarded, compatible] = READINGS.map(|reading| {
            let mut options = self.options.clone();
            options.semantics.reading = reading;
            hit(&look(
                &Failing::new(Arc::new(self.fs.copy()), Fault::NONE),
                &options,
                name,
            )
            .0)
        });
        let before = |reading| match reading {
            Reading::Guarded => guarded,
            Reading::Compatible => compatible,
        };
        self.each_fault(put, |fault, clean, (answer, dropped), fs, options| {
            let dropped = *dropped && may_drop(fault, options);
            if let Err(error) = answer {
                typed(fault, error);
            }
            if let (Ok(clean), Ok(answer)) = (clean, answer)
                && clean.hash != answer.hash
            {
                broken(
                    fault,
                    "what is put is what is put without",
                    &(clean, answer),
                );
            }
            // Nothing that is there is a hit that would not be one of the old
            // or the new state.
            let (now, _) = look(&Failing::new(Arc::clone(fs), Fault::NONE), options, name);
            let before = before(options.semantics.reading);
            let put_hash = clean.as_ref().ok().map(|stored| stored.hash);
            if hit(&now).is_some() && hit(&now) != before && hit(&now) != put_hash {
                broken(fault, "the old or the new entry", &(before, now));
            }
            if before.is_some() && hit(&now).is_none() && !dropped {
                broken(fault, "what was there is not lost", &(before, now));
            }
            let (again, _) = put(&Failing::new(Arc::clone(fs), Fault::NONE), options);
            let hash = |put: &Result<Stored, Error>| put.as_ref().ok().map(|put| put.hash);
            if hash(clean) != hash(&again) && !dropped {
                broken(fault, "afterwards it can be put", &(clean, again));
            }
        });
    }
}

/// Whether opening says that it drops something: a cache file that the host
/// calls damaged, or an entry whose result cannot be looked at (stacker spec,
/// section 4). Where opening fails, it was dropped or it was not.
fn dropped(opened: &Result<Session<&Failing<Arc<MemoryFs>>, &Silent>, Error>) -> bool {
    opened.as_ref().map_or(true, |session| {
        let opened = session.opened();
        opened.state == State::Unreadable || !opened.pruned.is_empty()
    })
}

/// Whether the fault says that something is gone. One that is about the host
/// alone drops nothing in the guarded reading.
fn may_drop(fault: &Fault, options: &Options) -> bool {
    use FailureCode::{Cancelled, Deadline, Denied, Full, TooLarge, Unauthorized, Unavailable};
    let of_the_host = [
        Cancelled,
        Deadline,
        Denied,
        Full,
        TooLarge,
        Unauthorized,
        Unavailable,
    ];
    options.semantics.reading == Reading::Compatible || !of_the_host.contains(&fault.code)
}

fn look(fs: &Failing<Arc<MemoryFs>>, options: &Options, name: &str) -> Done<Answer> {
    let opened = Session::open(fs, &Silent, options.clone());
    let dropped = dropped(&opened);
    (opened.and_then(|mut session| session.lookup(name)), dropped)
}

fn hit(answer: &Result<Answer, Error>) -> Option<u64> {
    let answer = answer.as_ref().ok()?;
    (answer.outcome == Outcome::Hit).then_some(answer.hash)?
}

fn held(fault: &Fault, clean: &Result<Answer, Error>, answer: &Result<Answer, Error>) {
    if let Err(error) = answer {
        typed(fault, error);
    }
    if hit(answer).is_some() && hit(clean) != hit(answer) {
        broken(
            fault,
            "a hit is the hit without the fault",
            &(clean, answer),
        );
    }
}

impl Cache for FaultyCache<'_> {
    fn opened(&mut self) -> Result<Opened, Error> {
        self.inner.opened()
    }

    fn define(&mut self, definitions: &[LayerDefinition]) -> Result<(), Error> {
        for new in definitions {
            self.options.definitions.retain(|old| old.name != new.name);
            self.options.definitions.push(new.clone());
        }
        self.inner.define(definitions)
    }

    fn lookup(&mut self, name: &str) -> Result<Answer, Error> {
        self.lookups(name);
        self.inner.lookup(name)
    }

    fn base_hash(&mut self, name: &str) -> Result<String, Error> {
        self.inner.base_hash(name)
    }

    fn put(&mut self, name: &str, manifests: &str, host: &HostFacts) -> Result<Stored, Error> {
        self.puts(name, manifests, host);
        self.inner.put(name, manifests, host)
    }

    fn plan(
        &mut self,
        name: &str,
        manifests: &str,
        host: &HostFacts,
    ) -> Result<Vec<Effect>, Error> {
        self.inner.plan(name, manifests, host)
    }

    fn explain(&mut self, name: &str) -> Result<Explanation, Error> {
        self.inner.explain(name)
    }

    fn causes(&mut self) -> Result<Vec<Finding>, Error> {
        self.inner.causes()
    }

    fn entries(&mut self) -> Result<Vec<String>, Error> {
        self.inner.entries()
    }

    fn entry(&mut self, name: &str) -> Result<Option<String>, Error> {
        self.inner.entry(name)
    }

    fn refresh(&mut self) -> Result<(), Error> {
        self.inner.refresh()
    }
}

impl Subject for Faulty {
    fn open<'a>(
        &'a self,
        fs: &'a Arc<MemoryFs>,
        options: Options,
    ) -> Result<Box<dyn Cache + 'a>, Error> {
        let inner = self.native.open(fs, options.clone())?;
        Ok(Box::new(FaultyCache {
            fs,
            options,
            runs: Rc::clone(&self.runs),
            inner,
        }))
    }

    fn hash_value(&self, name: &str, value: &str, semantics: &Semantics) -> Result<u64, Error> {
        Native.hash_value(name, value, semantics)
    }

    fn vis(&self, name: &str) -> Result<String, Error> {
        Native.vis(name)
    }

    fn unvis(&self, text: &str) -> Result<String, Error> {
        Native.unvis(text)
    }

    fn hash_file(&self, fs: &Arc<MemoryFs>, path: &str) -> Result<FileHash, Error> {
        each(&CODES, SMALL, |fault| {
            let failing = Failing::new(Arc::clone(fs), fault);
            if let Err(error) = layerwise::stacker::testing::hash_file(&failing, path) {
                typed(&fault, &error);
            }
            failing.asked()
        });
        Native.hash_file(fs, path)
    }

    fn tree_text(&self, fs: &Arc<MemoryFs>, root: &str, host: &HostFacts) -> Result<String, Error> {
        each(&CODES, SMALL, |fault| {
            let failing = Failing::new(Arc::clone(fs), fault);
            let text = layerwise::stacker::testing::tree_text(&failing, root, host);
            match (fault.at, &text) {
                (usize::MAX, _) => {}
                (_, Ok(text)) => broken(&fault, "no text of half a tree", text),
                (_, Err(error)) => typed(&fault, error),
            }
            failing.asked()
        });
        Native.tree_text(fs, root, host)
    }

    fn compare_tree(
        &self,
        fs: &Arc<MemoryFs>,
        stored: &str,
        root: &str,
    ) -> Result<Vec<Change>, Error> {
        each(&CODES, SMALL, |fault| {
            let failing = Failing::new(Arc::clone(fs), fault);
            let changes = layerwise::stacker::testing::compare_tree(&failing, stored, root);
            match (fault.at, &changes) {
                (usize::MAX, _) => {}
                (_, Ok(changes)) => broken(&fault, "no comparison of half a tree", changes),
                (_, Err(error)) => typed(&fault, error),
            }
            failing.asked()
        });
        Native.compare_tree(fs, stored, root)
    }

    fn parse_layer_type(&self, text: &str) -> Result<LayerType, Error> {
        Native.parse_layer_type(text)
    }

    fn parse_tag(&self, from: &str, semantics: &Semantics) -> Result<BaseTag, Error> {
        Native.parse_tag(from, semantics)
    }

    fn encode_layer(&self, definition: &str, semantics: &Semantics) -> Result<LayerText, Error> {
        Native.encode_layer(definition, semantics)
    }

    fn compare_layers(
        &self,
        have: &str,
        want: &str,
        semantics: &Semantics,
    ) -> Result<Equality, Error> {
        Native.compare_layers(have, want, semantics)
    }
}
