//! Docker's classic builder cache, decided by the component.

use layerwise::docker::{
    Answer, Comparison, Creation, Effect, ImageComparison, Link, Made, Options, Order, Outcome,
    Recorded, Recording, Step, StepComparison, StoreKind,
};
use layerwise::explain::{Difference, Explanation, Finding};
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use wasmtime::component::ResourceAny;

use crate::bindings::exports::layerwise::cache::docker as wit;
use crate::bindings::{convert, limits};
use crate::engine::Engine;
use crate::error::Error;
use crate::imports::Imports;
use crate::instance::{Instance, SessionLimits, call};

/// The lookups of one build stage; see `wit/docker.wit` for what each does.
pub struct Session {
    instance: Instance,
    session: ResourceAny,
}

impl Engine {
    /// Opens a session in an instance of its own.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn docker(
        &self,
        lent: Imports,
        options: Options,
        limits: SessionLimits,
    ) -> Result<Session, Error> {
        let mut instance = Instance::new(self, lent, limits)?;
        let options = options.into();
        let opened = call!(&mut instance, layerwise_cache_docker.call_open(&options))?;
        let session = opened.map_err(refused)?;
        Ok(Session { instance, session })
    }
}

fn refused(error: crate::bindings::layerwise::cache::types::Error) -> Error {
    Error::Refused(error.into())
}

/// Calls a method of the session's resource and turns a refusal into an error.
macro_rules! method {
    ($self:ident, $call:ident $(, $argument:expr)*) => {{
        let Self { instance, session } = $self;
        call!(instance, layerwise_cache_docker.session.$call(*session $(, $argument)*))
    }};
}

impl Session {
    /// The fuel that the last call took; none where time is what counts.
    pub fn spent(&self) -> Option<u64> {
        self.instance.spent()
    }

    /// Decides about a step and makes the changes that go with the answer.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn lookup(&mut self, step: &Step) -> Result<Answer, Error> {
        let step = step.into();
        Ok(method!(self, call_lookup, &step)?.map_err(refused)?.into())
    }

    /// Decides and changes nothing.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn plan(&mut self, step: &Step) -> Result<Answer, Error> {
        let step = step.into();
        Ok(method!(self, call_plan, &step)?.map_err(refused)?.into())
    }

    /// Looks steps up one after the other until one misses.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn replay(&mut self, steps: &[Step]) -> Result<Vec<Answer>, Error> {
        let steps: Vec<wit::Step> = steps.iter().map(Into::into).collect();
        Ok(convert(
            method!(self, call_replay, &steps)?.map_err(refused)?,
        ))
    }

    /// Gives a verdict for every candidate.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn explain(&mut self, step: &Step) -> Result<Explanation, Error> {
        let step = step.into();
        Ok(method!(self, call_explain, &step)?.map_err(refused)?.into())
    }

    /// Ids of the sources that are still in use, in order.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn sources(&mut self) -> Result<Vec<String>, Error> {
        Ok(method!(self, call_describe)?.sources)
    }

    /// The names that were skipped when the session was opened, and why.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn skipped(&mut self) -> Result<Vec<Finding>, Error> {
        Ok(convert(method!(self, call_describe)?.skipped))
    }
}

/// The predicates by themselves, in an instance that is used for nothing else.
pub struct Predicates {
    instance: Instance,
}

impl Engine {
    /// An instance for the functions that need no store.
    ///
    /// # Errors
    /// When the component cannot be started.
    pub fn docker_predicates(&self, limits: SessionLimits) -> Result<Predicates, Error> {
        Instance::new(self, Imports::default(), limits).map(|instance| Predicates { instance })
    }
}

/// Calls a function of the interface and turns a refusal into an error.
macro_rules! function {
    ($self:ident, $call:ident $(, $argument:expr)*) => {
        call!(&mut $self.instance, layerwise_cache_docker.$call($($argument),*))
    };
}

#[expect(
    missing_docs,
    reason = "the functions of wit/docker.wit, by their names"
)]
#[expect(
    clippy::missing_errors_doc,
    reason = "what the component refuses, or why it was stopped"
)]
impl Predicates {
    /// The fuel that the last call took; none where time is what counts.
    pub fn spent(&self) -> Option<u64> {
        self.instance.spent()
    }

    pub fn compare_configs(
        &mut self,
        have: Option<&str>,
        want: Option<&str>,
        semantics: &Semantics,
    ) -> Result<Comparison, Error> {
        let semantics = semantics.into();
        let found =
            function!(self, call_compare_configs, have, want, &semantics)?.map_err(refused)?;
        Ok(Comparison {
            equal: found.equal,
            differences: convert(found.differences),
            overlooked: convert(found.overlooked),
        })
    }

    pub fn match_platforms(
        &mut self,
        builders: &[Platform],
        images: &[Platform],
        host_os: &str,
        semantics: &Semantics,
    ) -> Result<Vec<Vec<bool>>, Error> {
        let builders: Vec<_> = builders.iter().map(Into::into).collect();
        let images: Vec<_> = images.iter().map(Into::into).collect();
        let semantics = semantics.into();
        function!(
            self,
            call_match_platforms,
            &builders,
            &images,
            host_os,
            &semantics
        )?
        .map_err(refused)
    }

    pub fn step_platform(
        &mut self,
        base: Option<&Platform>,
        build: Option<&Platform>,
        machine: &Platform,
        semantics: &Semantics,
    ) -> Result<Platform, Error> {
        let (base, build) = (base.map(Into::into), build.map(Into::into));
        let (machine, semantics) = (machine.into(), semantics.into());
        let platform = function!(
            self,
            call_step_platform,
            base.as_ref(),
            build.as_ref(),
            &machine,
            &semantics
        )?;
        Ok(platform.map_err(refused)?.into())
    }

    pub fn normalize_platform(
        &mut self,
        platform: &Platform,
        host_os: &str,
    ) -> Result<Platform, Error> {
        let platform = platform.into();
        Ok(function!(self, call_normalize_platform, &platform, host_os)?.into())
    }

    pub fn compare_parent(
        &mut self,
        document: &str,
        parent: Option<&str>,
        semantics: &Semantics,
    ) -> Result<Option<Finding>, Error> {
        let semantics = semantics.into();
        let found = function!(self, call_compare_parent, document, parent, &semantics)?;
        Ok(found.map_err(refused)?.map(Into::into))
    }

    pub fn compare_command(
        &mut self,
        entry: &str,
        config: &str,
        semantics: &Semantics,
    ) -> Result<Option<Finding>, Error> {
        let semantics = semantics.into();
        let found = function!(self, call_compare_command, entry, config, &semantics)?;
        Ok(found.map_err(refused)?.map(Into::into))
    }

    pub fn compare_history(&mut self, a: &str, b: &str) -> Result<Vec<Difference>, Error> {
        Ok(convert(
            function!(self, call_compare_history, a, b)?.map_err(refused)?,
        ))
    }

    pub fn compare_images(
        &mut self,
        old: &str,
        new: &str,
        semantics: &Semantics,
    ) -> Result<ImageComparison, Error> {
        let semantics = semantics.into();
        let found = function!(self, call_compare_images, old, new, &semantics)?.map_err(refused)?;
        let made = |made: wit::Made| Made {
            command: made.command,
            layer: made.layer,
        };
        let step = |step: wit::StepComparison| StepComparison {
            old: step.old.map(made),
            new: step.new.map(made),
            differences: convert(step.differences),
        };
        Ok(ImageComparison {
            steps: found.steps.into_iter().map(step).collect(),
            differences: convert(found.differences),
        })
    }

    pub fn closest_history(
        &mut self,
        documents: &[String],
        commands: &[String],
        semantics: &Semantics,
    ) -> Result<Option<usize>, Error> {
        let semantics = semantics.into();
        let found = function!(self, call_closest_history, documents, commands, &semantics)?;
        let place = found.map_err(refused)?;
        Ok(place.and_then(|place| usize::try_from(place).ok()))
    }

    pub fn recorded_steps(
        &mut self,
        document: &str,
        first: u32,
        made: &[Option<String>],
        semantics: &Semantics,
    ) -> Result<Recording, Error> {
        let semantics = semantics.into();
        let found = function!(self, call_recorded_steps, document, first, made, &semantics)?
            .map_err(refused)?;
        let step = |step: wit::RecordedStep| Recorded {
            config: step.config,
            approximate: step.approximate.map(Into::into),
            executed: step.executed,
        };
        Ok(Recording {
            steps: found.steps.into_iter().map(step).collect(),
            findings: convert(found.findings),
        })
    }

    pub fn encode_image(
        &mut self,
        text: &str,
        order: Order,
        semantics: &Semantics,
    ) -> Result<String, Error> {
        let semantics = semantics.into();
        let order = match order {
            Order::Declared => wit::MemberOrder::Declared,
            Order::Sorted => wit::MemberOrder::Sorted,
        };
        function!(self, call_encode_image, text, order, &semantics)?.map_err(refused)
    }
}

impl From<Options> for wit::Options {
    fn from(options: Options) -> Self {
        let mut policy = wit::Policy::empty();
        for (flag, set) in [
            (wit::Policy::DRY_RUN, options.policy.dry_run),
            (wit::Policy::SKIP_UNREADABLE, options.policy.skip_unreadable),
            (wit::Policy::SAME_PLATFORM, options.policy.same_platform),
        ] {
            if set {
                policy |= flag;
            }
        }
        Self {
            semantics: (&options.semantics).into(),
            cache_from: options
                .cache_from
                .into_iter()
                .map(|source| wit::Source {
                    reference: source.reference,
                    trusted: source.trusted,
                })
                .collect(),
            policy,
            store: match options.store {
                StoreKind::GraphDriver => wit::StoreKind::GraphDriver,
                StoreKind::Containerd => wit::StoreKind::Containerd,
            },
            machine: (&options.machine).into(),
            host_os: options.host_os,
            docker_version: options.docker_version,
            last: options.last,
            limits: limits(options.limits),
        }
    }
}

impl From<&Step> for wit::Step {
    fn from(step: &Step) -> Self {
        Self {
            parent: step.parent.clone(),
            config: step.config.clone(),
            platform: (&step.platform).into(),
            place: match step.last {
                true => wit::StepPlace::LAST,
                false => wit::StepPlace::empty(),
            },
        }
    }
}

impl From<wit::Answer> for Answer {
    fn from(answer: wit::Answer) -> Self {
        Self {
            outcome: match answer.outcome {
                wit::Outcome::HitLocal => Outcome::HitLocal,
                wit::Outcome::HitSource => Outcome::HitSource,
                wit::Outcome::HitRestored => Outcome::HitRestored,
                wit::Outcome::Miss => Outcome::Miss,
                wit::Outcome::RestoreFailed => Outcome::RestoreFailed,
            },
            image: answer.image,
            source: answer.source,
            effects: convert(answer.effects),
            notes: convert(answer.notes),
        }
    }
}

impl From<wit::Effect> for Effect {
    fn from(effect: wit::Effect) -> Self {
        match effect {
            wit::Effect::SetParent(link) => Self::SetParent(Link {
                target: link.target,
                parent: link.parent,
            }),
            wit::Effect::Create(creation) => Self::Create(Creation {
                id: creation.id,
                parent: creation.parent,
                document: creation.document,
                manifest: creation.manifest,
                layer: creation.layer,
            }),
        }
    }
}
