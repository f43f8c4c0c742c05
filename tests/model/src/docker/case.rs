//! One random question: a store, the names to open with, and steps.

use std::sync::Arc;

use layerwise::docker::Step;
use layerwise::host::{Image, Provenance};
use layerwise::oci::Platform;
use layerwise_stores::{Memory, Order};

use super::lookup::{self, Cache, Error, Found};
use super::store::{Store, id_of};

/// A store and what is asked of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The images.
    pub store: Store,
    /// What `--cache-from` names.
    pub cache_from: Vec<String>,
    /// The steps, asked one after the other.
    pub steps: Vec<Asked>,
}

/// A step of a case.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The image it starts from.
    pub parent: Parent,
    /// The container config.
    pub config: Option<String>,
    /// What the builder builds for.
    pub platform: Platform,
}

/// The parent of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parent {
    /// None.
    Scratch,
    /// The answer of the step before; `None` if there is none.
    Previous,
    /// An image.
    Id(String),
}

impl Asked {
    /// The step, after the answer to the one before.
    pub fn after(&self, previous: Option<&str>) -> Step {
        let parent = match &self.parent {
            Parent::Scratch => None,
            Parent::Previous => previous.map(str::to_owned),
            Parent::Id(id) => Some(id.clone()),
        };
        Step {
            parent,
            config: self.config.clone(),
            platform: self.platform.clone(),
            last: false,
        }
    }
}

/// A step as it was asked, with what the model says about it.
#[derive(Clone, Debug)]
pub struct Told {
    /// The step.
    pub step: Step,
    /// The answer.
    pub answer: Result<Found, Error>,
    /// The sources afterwards.
    pub sources: Vec<String>,
}

/// A case after the model went through it.
#[derive(Clone, Debug)]
pub struct Played {
    /// The cache as it was opened.
    pub opened: Result<Cache, Error>,
    /// The steps; one that fails is the last.
    pub told: Vec<Told>,
    /// The store at the end.
    pub store: Store,
}

impl Case {
    /// A step from scratch in a store with one image, which is its result if
    /// the configs are equal.
    pub fn of_one_child(have: &str, want: &str) -> Self {
        let document = format!(
            r#"{{"created":"2024-01-01T00:00:00Z","os":"linux","rootfs":{{}},"container_config":{have}}}"#
        );
        let mut store = Store::default();
        store.images.push(Image {
            id: id_of(&document),
            document: Some(document),
            parent: None,
            built: Provenance::BuiltHere,
        });
        let step = Asked {
            parent: Parent::Scratch,
            config: Some(want.to_owned()),
            platform: Platform {
                os: "linux".to_owned(),
                ..Platform::default()
            },
        };
        Self {
            store,
            cache_from: Vec::new(),
            steps: vec![step],
        }
    }

    /// Asks the model.
    pub fn play(&self) -> Played {
        let mut store = self.store.clone();
        let opened = lookup::open(&store, &self.cache_from);
        let mut told = Vec::new();
        if let Ok(mut cache) = opened.clone() {
            let mut previous = None;
            for asked in &self.steps {
                let step = asked.after(previous.as_deref());
                let answer = cache.lookup(&mut store, &step);
                let sources = cache
                    .sources
                    .iter()
                    .map(|source| source.id.clone())
                    .collect();
                let image = answer.clone().map(|found| found.image);
                told.push(Told {
                    step,
                    answer,
                    sources,
                });
                match image {
                    Ok(image) => previous = image,
                    Err(_) => break,
                }
            }
        }
        Played {
            opened,
            told,
            store,
        }
    }

    /// The same store for the library.
    pub fn memory(&self) -> Arc<Memory> {
        let memory = Memory::new(Order::Added);
        for image in &self.store.images {
            let document = image.document.as_deref().unwrap_or_default();
            memory.insert(&image.id, document, image.parent.as_deref(), image.built);
        }
        for (name, id) in &self.store.references {
            memory.set_reference(name, id);
        }
        memory.set_faults(self.store.faults.clone());
        Arc::new(memory)
    }
}
