//! Every small store for Docker's local lookup: up to three children, each of which
//! is right or wrong in each of six ways. The component, the library and the plain
//! model must agree about all of them; for the guarded reading, whose rules the model
//! does not have, they are written down here.

use std::ops::AddAssign;
use std::thread;

use layerwise::docker::{Answer, Options, Outcome};
use layerwise::host::{Image, Provenance};
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use layerwise_conformance::docker::{Native, SharedStore, Subject};
use layerwise_model::docker::case::{Asked, Case, Parent};
use layerwise_model::docker::laws;
use layerwise_model::docker::store::{Store, id_of};
use layerwise_runner::Component;

/// The ways in which one child can be right or wrong.
const CHILDREN: u32 = 1 << 6;

/// The most children of a store.
const MOST: u32 = 3;

/// How many stores there are.
pub const STORES: u32 = 1 + CHILDREN + CHILDREN * CHILDREN + CHILDREN * CHILDREN * CHILDREN;

/// One child, by what is right with it.
#[derive(Clone, Copy, Debug)]
struct Child {
    /// It stands on the parent that is asked for, and not on none.
    parent: bool,
    /// It was built here.
    built_here: bool,
    /// Its command is the one asked for.
    command: bool,
    /// So is all else of its config.
    config: bool,
    /// It is for the platform that is built for.
    platform: bool,
    /// It is newer than others.
    newer: bool,
}

impl Child {
    fn of(number: u32) -> Self {
        let bit = |place: u32| number >> place & 1 == 1;
        Self {
            parent: bit(0),
            built_here: bit(1),
            command: bit(2),
            config: bit(3),
            platform: bit(4),
            newer: bit(5),
        }
    }

    /// The image; its place in the store makes its id its own.
    fn image(self, place: usize, base: &str) -> Image {
        let pick = |right, a, b| if right { a } else { b };
        let document = format!(
            r#"{{"created":"{}","os":"linux","architecture":"{}","comment":"{place}","container_config":{{"Cmd":["{}"],"Env":["{}"]}},"rootfs":{{"type":"layers"}}}}"#,
            pick(self.newer, "2024-01-02T00:00:00Z", "2024-01-01T00:00:00Z"),
            pick(self.platform, "amd64", "arm64"),
            pick(self.command, "make", "test"),
            pick(self.config, "A=1", "A=2"),
        );
        Image {
            id: id_of(&document),
            document: Some(document),
            parent: self.parent.then(|| base.to_owned()),
            built: if self.built_here {
                Provenance::BuiltHere
            } else {
                Provenance::Elsewhere
            },
        }
    }
}

/// The children of a store by its number.
fn children(mut number: u32) -> Vec<Child> {
    let mut count = 0;
    let mut stores = 1;
    while count < MOST && number >= stores {
        number -= stores;
        stores *= CHILDREN;
        count += 1;
    }
    (0..count)
        .map(|place| Child::of(number >> (6 * place) & (CHILDREN - 1)))
        .collect()
}

/// The store with a number, and the two steps that are asked: on the parent of some
/// children, and on none.
fn case(children: &[Child]) -> Case {
    let base = r#"{"created":"2023-01-01T00:00:00Z","os":"linux","architecture":"amd64","container_config":{},"rootfs":{"type":"layers"}}"#;
    let base = Image {
        id: id_of(base),
        document: Some(base.to_owned()),
        parent: None,
        built: Provenance::BuiltHere,
    };
    let mut store = Store::default();
    for (place, child) in children.iter().enumerate() {
        store.images.push(child.image(place, &base.id));
    }
    let step = |parent| Asked {
        parent,
        config: Some(r#"{"Cmd":["make"],"Env":["A=1"]}"#.to_owned()),
        platform: Platform {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            ..Platform::default()
        },
    };
    let steps = vec![step(Parent::Id(base.id.clone())), step(Parent::Scratch)];
    store.images.push(base);
    Case {
        store,
        cache_from: Vec::new(),
        steps,
    }
}

/// What the guarded reading answers, by its plain rules: the newest child that is right
/// in all ways, of equally new ones that with the smallest id.
fn expected(children: &[Child], case: &Case) -> [Option<String>; 2] {
    let answer = |with_parent: bool| {
        let right = children
            .iter()
            .zip(&case.store.images)
            .filter(|(child, _)| {
                child.parent == with_parent
                    && child.built_here
                    && child.command
                    && child.config
                    && child.platform
            });
        right
            .min_by_key(|(child, image)| (!child.newer, image.id.clone()))
            .map(|(_, image)| image.id.clone())
    };
    [answer(true), answer(false)]
}

/// What came of asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Stores.
    pub stores: u64,
    /// Steps that were hits.
    pub hits: u64,
    /// Steps that were misses.
    pub misses: u64,
}

impl AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.stores += other.stores;
        self.hits += other.hits;
        self.misses += other.misses;
    }
}

/// Asks about the store with a number: the library and the component, in both readings.
fn check(number: u32, component: &dyn Subject) -> Result<Seen, String> {
    let children = children(number);
    let case = case(&children);
    let failed = |what: String| format!("store {number}: {children:?}\n{what}");
    let played = case.play();
    for subject in [&Native as &dyn Subject, component] {
        laws::agrees(&case, &played, subject).map_err(failed)?;
    }
    let native = guarded(&case, &Native).map_err(failed)?;
    let inside = guarded(&case, component).map_err(failed)?;
    if native != inside {
        return Err(failed(format!("natively {native:?}, inside {inside:?}")));
    }
    let mut seen = Seen {
        stores: 1,
        ..Seen::default()
    };
    for (answer, want) in native.iter().zip(expected(&children, &case)) {
        let outcome = if want.is_some() {
            seen.hits += 1;
            Outcome::HitLocal
        } else {
            seen.misses += 1;
            Outcome::Miss
        };
        if (&answer.outcome, &answer.image) != (&outcome, &want) {
            return Err(failed(format!("{answer:?} instead of {want:?}")));
        }
    }
    Ok(seen)
}

/// The answers of the guarded reading.
fn guarded(case: &Case, subject: &dyn Subject) -> Result<Vec<Answer>, String> {
    let store: SharedStore = case.memory();
    let options = Options {
        semantics: Semantics::guarded(),
        ..Options::default()
    };
    let words = |error: layerwise::error::Error| error.to_string();
    let mut session = subject.open(store, options).map_err(words)?;
    let steps = case.steps.iter().map(|step| step.after(None));
    steps
        .map(|step| session.lookup(&step).map_err(words))
        .collect()
}

/// Asks about the first store and every so many-th after it, on all cores.
///
/// # Errors
/// The first disagreement that was found.
pub fn check_every(step: usize) -> Result<Seen, String> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = |core| -> Result<Seen, String> {
        let component = Component::new(crate::engine::engine());
        let mut seen = Seen::default();
        let numbers = (0..STORES).step_by(step).skip(core).step_by(cores);
        for number in numbers {
            seen += check(number, &component)?;
        }
        Ok(seen)
    };
    thread::scope(|scope| {
        let shares: Vec<_> = (0..cores)
            .map(|core| scope.spawn(move || share(core)))
            .collect();
        let mut all = Seen::default();
        for seen in shares {
            all += seen.join().map_err(|_| "a thread panicked".to_owned())??;
        }
        Ok(all)
    })
}
