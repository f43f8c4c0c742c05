//! The export `docker`.

use core::cell::RefCell;

use super::Engine;
use super::bindings::exports::layerwise::cache::docker as wit;
use super::bindings::layerwise::cache::types as shared;
use super::imports::Host;
use super::types::{convert, limits};
use crate::docker::{
    self, Answer, CacheFrom, Creation, Effect, Link, Options, Order, Outcome, Policy, Step,
    StoreKind,
};
use crate::prelude::*;

/// A session of the export.
pub struct Session(RefCell<docker::Session<Host>>);

impl wit::Guest for Engine {
    type Session = Session;

    fn open(options: wit::Options) -> Result<wit::Session, shared::Error> {
        let session = docker::Session::open(Host, options.into())?;
        Ok(wit::Session::new(Session(RefCell::new(session))))
    }

    fn compare_configs(
        have: Option<String>,
        want: Option<String>,
        semantics: shared::Semantics,
    ) -> Result<wit::Comparison, shared::Error> {
        let found =
            docker::testing::compare_configs(have.as_deref(), want.as_deref(), &semantics.into())?;
        Ok(wit::Comparison {
            equal: found.equal,
            differences: convert(found.differences),
            overlooked: convert(found.overlooked),
        })
    }

    fn match_platforms(
        builders: Vec<shared::Platform>,
        images: Vec<shared::Platform>,
        host_os: String,
        semantics: shared::Semantics,
    ) -> Result<Vec<Vec<bool>>, shared::Error> {
        let (builders, images) = (convert(builders), convert(images));
        Ok(docker::testing::match_platforms(
            &builders,
            &images,
            &host_os,
            &semantics.into(),
        )?)
    }

    fn step_platform(
        base: Option<shared::Platform>,
        build: Option<shared::Platform>,
        machine: shared::Platform,
        semantics: shared::Semantics,
    ) -> Result<shared::Platform, shared::Error> {
        let (base, build) = (base.map(Into::into), build.map(Into::into));
        let (machine, semantics) = (machine.into(), semantics.into());
        let platform = docker::step_platform(base.as_ref(), build.as_ref(), &machine, &semantics)?;
        Ok(platform.into())
    }

    fn normalize_platform(platform: shared::Platform, host_os: String) -> shared::Platform {
        docker::normalize_platform(&platform.into(), &host_os).into()
    }

    fn compare_parent(
        document: String,
        parent: Option<String>,
        semantics: shared::Semantics,
    ) -> Result<Option<shared::Finding>, shared::Error> {
        let found = docker::compare_parent(&document, parent.as_deref(), &semantics.into())?;
        Ok(found.map(Into::into))
    }

    fn compare_command(
        entry: String,
        config: String,
        semantics: shared::Semantics,
    ) -> Result<Option<shared::Finding>, shared::Error> {
        let found = docker::testing::compare_command(&entry, &config, &semantics.into())?;
        Ok(found.map(Into::into))
    }

    fn compare_history(a: String, b: String) -> Result<Vec<shared::Difference>, shared::Error> {
        Ok(convert(docker::testing::compare_history(&a, &b)?))
    }

    fn compare_images(
        old: String,
        new: String,
        semantics: shared::Semantics,
    ) -> Result<wit::ImageComparison, shared::Error> {
        let found = docker::compare_images(&old, &new, &semantics.into())?;
        let made = |made: docker::Made| wit::Made {
            command: made.command,
            layer: made.layer,
        };
        let step = |step: docker::StepComparison| wit::StepComparison {
            old: step.old.map(made),
            new: step.new.map(made),
            differences: convert(step.differences),
        };
        Ok(wit::ImageComparison {
            steps: found.steps.into_iter().map(step).collect(),
            differences: convert(found.differences),
        })
    }

    fn closest_history(
        documents: Vec<String>,
        commands: Vec<String>,
        semantics: shared::Semantics,
    ) -> Result<Option<u32>, shared::Error> {
        let place = docker::closest_history(&documents, &commands, &semantics.into())?;
        Ok(place.and_then(|place| u32::try_from(place).ok()))
    }

    fn recorded_steps(
        document: String,
        first: u32,
        made: Vec<Option<String>>,
        semantics: shared::Semantics,
    ) -> Result<wit::Recording, shared::Error> {
        let found = docker::recorded_steps(&document, first, &made, &semantics.into())?;
        let step = |step: docker::Recorded| wit::RecordedStep {
            config: step.config,
            approximate: step.approximate.map(Into::into),
            executed: step.executed,
        };
        Ok(wit::Recording {
            steps: found.steps.into_iter().map(step).collect(),
            findings: convert(found.findings),
        })
    }

    fn encode_image(
        text: String,
        order: wit::MemberOrder,
        semantics: shared::Semantics,
    ) -> Result<String, shared::Error> {
        let order = match order {
            wit::MemberOrder::Declared => Order::Declared,
            wit::MemberOrder::Sorted => Order::Sorted,
        };
        Ok(docker::encode_image(&text, order, &semantics.into())?)
    }
}

impl wit::GuestSession for Session {
    fn lookup(&self, step: wit::Step) -> Result<wit::Answer, shared::Error> {
        Ok(self.0.borrow_mut().lookup(&step.into())?.into())
    }

    fn plan(&self, step: wit::Step) -> Result<wit::Answer, shared::Error> {
        Ok(self.0.borrow_mut().plan(&step.into())?.into())
    }

    fn replay(&self, steps: Vec<wit::Step>) -> Result<Vec<wit::Answer>, shared::Error> {
        let steps: Vec<Step> = convert(steps);
        Ok(convert(self.0.borrow_mut().replay(&steps)?))
    }

    fn explain(&self, step: wit::Step) -> Result<shared::Explanation, shared::Error> {
        Ok(self.0.borrow_mut().explain(&step.into())?.into())
    }

    fn describe(&self) -> wit::Description {
        let session = self.0.borrow();
        wit::Description {
            sources: session.sources(),
            skipped: convert(session.skipped().to_vec()),
        }
    }
}

impl From<wit::Options> for Options {
    fn from(options: wit::Options) -> Self {
        let flag = |flag| options.policy.contains(flag);
        Self {
            policy: Policy {
                dry_run: flag(wit::Policy::DRY_RUN),
                skip_unreadable: flag(wit::Policy::SKIP_UNREADABLE),
                same_platform: flag(wit::Policy::SAME_PLATFORM),
            },
            store: match options.store {
                wit::StoreKind::GraphDriver => StoreKind::GraphDriver,
                wit::StoreKind::Containerd => StoreKind::Containerd,
            },
            machine: options.machine.into(),
            semantics: options.semantics.into(),
            cache_from: options
                .cache_from
                .into_iter()
                .map(|source| CacheFrom {
                    reference: source.reference,
                    trusted: source.trusted,
                })
                .collect(),
            host_os: options.host_os,
            docker_version: options.docker_version,
            last: options.last,
            limits: limits(options.limits),
        }
    }
}

impl From<wit::Step> for Step {
    fn from(step: wit::Step) -> Self {
        Self {
            parent: step.parent,
            config: step.config,
            platform: step.platform.into(),
            last: step.place.contains(wit::StepPlace::LAST),
        }
    }
}

impl From<Answer> for wit::Answer {
    fn from(answer: Answer) -> Self {
        Self {
            outcome: match answer.outcome {
                Outcome::HitLocal => wit::Outcome::HitLocal,
                Outcome::HitSource => wit::Outcome::HitSource,
                Outcome::HitRestored => wit::Outcome::HitRestored,
                Outcome::Miss => wit::Outcome::Miss,
                Outcome::RestoreFailed => wit::Outcome::RestoreFailed,
            },
            image: answer.image,
            source: answer.source,
            effects: convert(answer.effects),
            notes: convert(answer.notes),
        }
    }
}

impl From<Effect> for wit::Effect {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::SetParent(Link { target, parent }) => {
                Self::SetParent(wit::Link { target, parent })
            }
            Effect::Create(Creation {
                id,
                parent,
                document,
                manifest,
                layer,
            }) => Self::Create(wit::Creation {
                id,
                parent,
                document,
                manifest,
                layer,
            }),
        }
    }
}
