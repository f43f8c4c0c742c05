//! The lookups of one build stage.

use super::answer::{Answer, Creation, Effect, Link, Outcome};
use super::containerd::Containerd;
use super::decide::{Decision, Verdict, decide};
use super::key::Key;
use super::last::Last;
use super::options::{CacheFrom, LIMITS, Options, Step, StoreKind};
use super::platform::Matcher;
use super::read::read_asked;
use super::reason::{Finding, Reason};
use super::request::{Mode, Request, Requested, Sources};
use super::source::Source;
use super::store::{Lent, Store};
use super::version::Rules;
use crate::error::{Error, Problem};
use crate::explain::{Difference, Explanation};
use crate::host::{Failure, FailureCode, ImageStore};
use crate::limits::Limit;
use crate::oci::Digest;
use crate::prelude::*;

/// The lookups of one build stage over a host's images. Documents are read and
/// parsed once; dropping the session frees everything.
#[derive(Debug)]
pub struct Session<H> {
    store: Store<H>,
    mode: Mode,
    host_os: String,
    sources: Sources,
    /// Names that were passed over when the session was opened.
    skipped: Vec<Finding>,
    /// Sources dropped by a restore from another one.
    dropped: Vec<Finding>,
    last: Last,
    /// How many lookups were asked for.
    asked: u64,
    /// The platform of the last step, prepared.
    matcher: Option<Matcher>,
}

impl<H: ImageStore> Session<H> {
    /// Opens a session (Docker spec, section 3). A name that cannot be
    /// resolved, or whose document is invalid, is passed over.
    ///
    /// # Errors
    /// `unsupported` for an unknown version, `invalid` for an unknown limit,
    /// `limit-exceeded`, and `host` when the host cancels.
    pub fn open(host: H, options: Options) -> Result<Self, Error> {
        let Options {
            semantics,
            cache_from,
            policy,
            store,
            machine,
            host_os,
            docker_version,
            last,
            limits,
        } = options;
        let mut rules = Rules::of(&semantics)?;
        if rules.docker_version.is_some() && !docker_version.is_empty() {
            rules.docker_version = Some(docker_version);
        }
        let limits = LIMITS.with(&limits)?;
        let names = u64::try_from(cache_from.len()).unwrap_or(u64::MAX);
        limits.check(Limit::Sources, names, "open", "cache-from")?;
        let guarded = semantics.is_guarded();
        let lent = match store {
            StoreKind::GraphDriver => Lent::GraphDriver(host),
            StoreKind::Containerd => {
                let longest = limits.get(Limit::DocumentBytes);
                let depth = limits.depth();
                let images = Containerd::new(host, &machine, &rules, longest, depth);
                Lent::Containerd(Box::new(images))
            }
        };
        let mut session = Self {
            store: Store::new(lent, rules, limits, policy.dry_run),
            mode: Mode {
                guarded,
                skip_unreadable: policy.skip_unreadable,
                // Images for another platform are not unpacked in that store: the step
                // after one fails.
                same_platform: policy.same_platform || guarded && store == StoreKind::Containerd,
            },
            host_os,
            sources: Sources::LocalOnly,
            skipped: Vec::new(),
            dropped: Vec::new(),
            last: Last::of(last),
            asked: 0,
            matcher: None,
        };
        if !cache_from.is_empty() {
            session.open_sources(&cache_from)?;
        }
        Ok(session)
    }

    fn open_sources(&mut self, cache_from: &[CacheFrom]) -> Result<(), Error> {
        let names: Vec<String> = cache_from.iter().map(|s| s.reference.clone()).collect();
        let mut sources = Vec::new();
        // The same image under two names is read once, and used twice.
        let mut known: BTreeMap<String, Rc<Source>> = BTreeMap::new();
        for (name, answer) in cache_from.iter().zip(self.store.resolve(&names)) {
            let opened = answer.and_then(|image| {
                if let Some(source) = known.get(&image.id) {
                    let mut source = (**source).clone();
                    source.trusted = name.trusted;
                    source.reference.clone_from(&name.reference);
                    return Ok((source, 0));
                }
                let text = image.document.unwrap_or_default();
                let document = self.store.read(&image.id, &text)?;
                let source = Source::of(image.id, &name.reference, name.trusted, document);
                Ok((source, text.len()))
            });
            match opened {
                Ok((source, bytes)) => {
                    self.store.hold(&source.id, bytes)?;
                    let source = Rc::new(source);
                    known.insert(source.id.clone(), Rc::clone(&source));
                    sources.push(source);
                }
                Err(failure) => self.skip(&name.reference, &failure)?,
            }
        }
        self.sources = Sources::Given(sources);
        Ok(())
    }

    /// Passes over a name, or stops when the host was told to.
    fn skip(&mut self, name: &str, failure: &Failure) -> Result<(), Error> {
        let stopped = match failure.code {
            FailureCode::Cancelled => Some(Reason::OpenCancelled),
            FailureCode::Deadline => Some(Reason::OpenDeadline),
            _ => None,
        };
        if let Some(reason) = stopped {
            let message = failure.message.clone();
            return Err(Error::Host(Problem::new(reason, "resolve", name, message)));
        }
        self.skipped.push(
            Finding::new(Reason::Unresolved, name)
                .with([Difference::fact("cause", &failure.message)]),
        );
        Ok(())
    }

    /// Decides about a step and makes the changes that go with the answer.
    /// Restoring narrows the sources to the one that was used.
    ///
    /// # Errors
    /// `docker/child-unreadable`, `docker/parent-unreadable`,
    /// `docker/set-parent-failed`, `docker/restore-failed`, and `invalid` for a
    /// config that is not one. Nothing was changed then.
    pub fn lookup(&mut self, step: &Step) -> Result<Answer, Error> {
        let request = self.request(step)?;
        self.asked = self.asked.saturating_add(1);
        let decision = decide(&mut self.store, &self.sources, &request, &mut ())?;
        self.apply(&request, decision)
    }

    /// Decides as [`Session::lookup`] does and changes nothing.
    ///
    /// # Errors
    /// As `lookup`, but for the changes.
    pub fn plan(&mut self, step: &Step) -> Result<Answer, Error> {
        let request = self.request(step)?;
        let decision = decide(&mut self.store, &self.sources, &request, &mut ())?;
        let mut answer = self.announce(&request, &decision)?;
        if let Verdict::Restored(_, restored) = decision.verdict {
            let id = restored.id();
            answer.image = Some(id.clone());
            answer.effects = vec![Effect::Create(Creation {
                id,
                parent: request.parent,
                document: Some(restored.document),
                manifest: restored.manifest,
                layer: restored.layer,
            })];
        }
        Ok(answer)
    }

    /// Looks steps up one after the other, each standing on the image of the
    /// one before, until one misses.
    ///
    /// # Errors
    /// As [`Session::lookup`], for the step that failed; the changes of the
    /// steps before it were made.
    pub fn replay(&mut self, steps: &[Step]) -> Result<Vec<Answer>, Error> {
        self.store.replaying = true;
        let answers = self.replay_all(steps);
        self.store.replaying = false;
        self.store.lineage = None;
        answers
    }

    fn replay_all(&mut self, steps: &[Step]) -> Result<Vec<Answer>, Error> {
        let mut answers: Vec<Answer> = Vec::with_capacity(steps.len());
        for step in steps {
            let parent = match answers.last() {
                None => step.parent.clone(),
                Some(before) if before.image.is_none() => break,
                Some(before) => before.image.clone(),
            };
            let answer = self.lookup(&Step {
                parent,
                ..step.clone()
            })?;
            answers.push(answer);
        }
        Ok(answers)
    }

    /// Decides as [`Session::plan`] does and gives a verdict for every
    /// candidate. A step whose lookup would fail is explained too.
    ///
    /// # Errors
    /// `invalid` for a config that is not one, `limit-exceeded`.
    pub fn explain(&mut self, step: &Step) -> Result<Explanation, Error> {
        let request = self.request(step)?;
        let last = self.last.images(&self.store)?;
        let mut explanation =
            super::explain::explain(&mut self.store, &self.sources, &request, last)?;
        if explanation.summary.code == Reason::MissNoUsableSource {
            for skipped in &self.skipped {
                let evidence = &mut explanation.summary.differences;
                evidence.push(Difference::fact("name", &skipped.subject));
                evidence.extend(skipped.differences.iter().cloned());
            }
        }
        explanation.findings.extend(self.skipped.iter().cloned());
        explanation.findings.extend(self.dropped.iter().cloned());
        sort_by_key(&mut explanation.findings, |finding| finding.cascade);
        Ok(explanation.text())
    }

    /// Ids of the sources in use, in order.
    pub fn sources(&self) -> Vec<String> {
        let given = self.sources.list().iter();
        given.map(|source| source.id.clone()).collect()
    }

    /// The names that were passed over when the session was opened.
    pub fn skipped(&self) -> Vec<crate::explain::Finding> {
        self.skipped.iter().cloned().map(Finding::text).collect()
    }

    fn source(&self, place: usize) -> Option<String> {
        let source = self.sources.list().get(place);
        source.map(|source| source.id.clone())
    }

    /// Reads what a step asks; the platform is normalised when it changes.
    fn request(&mut self, step: &Step) -> Result<Request, Error> {
        let matcher = match self.matcher.take() {
            Some(matcher) if *matcher.builder() == step.platform => matcher,
            _ => Matcher::new(&step.platform, &self.host_os, &self.store.rules),
        };
        self.matcher = Some(matcher.clone());
        let config = match &step.config {
            None => None,
            Some(text) => {
                let rules = &self.store.rules;
                let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
                let limits = &self.store.limits;
                limits.check(Limit::DocumentBytes, bytes, "read config", "config")?;
                read_asked(text, rules, limits.depth())?.map(|config| {
                    let key = Key::of(&config, rules.compared);
                    Requested::new(config, key)
                })
            }
        };
        let parent = step.parent.clone().filter(|id| !id.is_empty());
        if let Some(name) = parent.as_ref().filter(|id| id.parse::<Digest>().is_err()) {
            return Err(Error::Invalid(Problem::new(
                Reason::InvalidArgument,
                "read parent",
                name,
                "a parent is given by its id, and this is not one: resolve the name first",
            )));
        }
        Ok(Request {
            parent,
            config,
            matcher,
            last: step.last,
            mode: self.mode,
        })
    }

    /// What an answer says before anything is made: all of it, but for the image
    /// that a restore makes.
    ///
    /// # Errors
    /// That of a lookup that fails.
    fn announce(&self, request: &Request, decision: &Decision) -> Result<Answer, Error> {
        let mut answer = Answer {
            outcome: Outcome::Miss,
            image: None,
            source: None,
            effects: Vec::new(),
            notes: decision.notes.iter().cloned().map(Finding::text).collect(),
        };
        match &decision.verdict {
            Verdict::Failed(error) => return Err(error.clone()),
            Verdict::Miss => {}
            Verdict::Local(id) => {
                answer.outcome = Outcome::HitLocal;
                answer.image = Some(id.clone());
            }
            Verdict::Exact(place) => {
                answer.outcome = Outcome::HitSource;
                answer.source = self.source(*place);
                answer.image = self.source(*place);
                answer.effects = link(answer.image.as_deref(), request.parent.as_deref());
            }
            Verdict::Restored(place, _) => {
                answer.outcome = Outcome::HitRestored;
                answer.source = self.source(*place);
            }
            Verdict::Aborts(place, finding) => {
                answer.outcome = Outcome::RestoreFailed;
                answer.source = self.source(*place);
                answer.notes.push(finding.clone().text());
            }
        }
        Ok(answer)
    }

    fn apply(&mut self, request: &Request, decision: Decision) -> Result<Answer, Error> {
        let mut answer = self.announce(request, &decision)?;
        if let Some(Effect::SetParent(link)) = answer.effects.first() {
            self.store
                .set_parent(&link.target, &link.parent)
                .map_err(|failure| {
                    failed(
                        Reason::SetParentFailed,
                        "set parent",
                        &link.target,
                        &failure,
                    )
                })?;
        }
        if let Verdict::Restored(place, restored) = decision.verdict {
            let source = answer.source.as_deref().unwrap_or_default();
            let creation = self
                .store
                .create(request.parent.as_deref(), *restored)
                .map_err(|failure| failed(Reason::RestoreFailed, "restore", source, &failure))?;
            self.stick_to(place);
            answer.image = Some(creation.id.clone());
            answer.effects = vec![Effect::Create(creation)];
        }
        Ok(answer)
    }

    /// Drops all sources but one ("stick to one target"). The lookups of the session
    /// are its steps, counted from 1.
    fn stick_to(&mut self, place: usize) {
        let Sources::Given(given) = &mut self.sources else {
            return;
        };
        let Some(kept) = given.get(place).cloned() else {
            return;
        };
        for source in given.iter().filter(|source| source.id != kept.id) {
            self.dropped.push(
                Finding::new(Reason::DroppedByStick, &source.id)
                    .with([
                        Difference::fact("step", self.asked),
                        Difference::fact("source", &kept.id),
                    ])
                    .cascade(),
            );
        }
        *given = vec![kept];
    }
}

/// The link of an exact hit; `None` if the step starts from scratch.
fn link(target: Option<&str>, parent: Option<&str>) -> Vec<Effect> {
    match (target, parent) {
        (Some(target), Some(parent)) => vec![Effect::SetParent(Link {
            target: target.to_owned(),
            parent: parent.to_owned(),
        })],
        _ => Vec::new(),
    }
}

fn failed(reason: Reason, operation: &str, subject: &str, failure: &Failure) -> Error {
    Problem::new(reason, operation, subject, failure.message.clone()).from_failure(failure)
}
