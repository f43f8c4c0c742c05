//! What must hold for every case. A law answers what it saw broken.

use std::sync::Arc;

use layerwise::docker::{Answer, CacheFrom, Effect, Options, Outcome, Step};
use layerwise::error::Error;
use layerwise::host::{Failure, Image, ImageStore, Provenance};
use layerwise::semantics::Semantics;
use layerwise_conformance::docker::{Session, SharedStore, Subject};
use layerwise_stores::{Faults, Memory, Order};

use super::case::{Case, Played};
use super::document;
use super::generate::pools;
use super::lookup::{HOST_OS, platform_of};
use super::platform::platform_match;
use super::predicates::{command_match, config_equal, labels, valid_parent};
use super::store::{Store, id_of};

/// What a law answers: nothing, or what was expected and what came.
pub type Verdict = Result<(), String>;

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, actual: &T) -> Verdict {
    if expected == actual {
        return Ok(());
    }
    Err(format!(
        "{what}\n  expected {expected:?}\n  actual   {actual:?}"
    ))
}

/// The compatible reading says what the model says: what was opened, every
/// answer, every effect, the sources after every step and the store at the end.
///
/// # Errors
/// The first disagreement.
pub fn agrees(case: &Case, played: &Played, subject: &dyn Subject) -> Verdict {
    let memory = case.memory();
    let opened = open(case, &memory, Semantics::compatible(None), subject);
    let (mut session, cache) = match (opened, &played.opened) {
        (Ok(session), Ok(cache)) => (session, cache),
        (Err(code), Err(error)) => return same("open", &error.code().to_owned(), &code),
        (opened, model) => {
            return same("open", &model.is_ok(), &opened.is_ok());
        }
    };
    let sources: Vec<String> = cache
        .sources
        .iter()
        .map(|source| source.id.clone())
        .collect();
    same("sources", &Ok(sources), &session.sources())?;
    let skipped = session
        .skipped()
        .map(|list| list.into_iter().map(|finding| finding.subject).collect());
    same("skipped", &Ok(cache.skipped.clone()), &skipped)?;
    for (index, told) in played.told.iter().enumerate() {
        let name = |what: &str| format!("step {index}: {what}");
        let planned = session.plan(&told.step);
        let answered = session.lookup(&told.step);
        match (&told.answer, answered) {
            (Ok(found), Ok(answer)) => {
                same(&name("outcome"), &found.outcome, &answer.outcome)?;
                same(&name("image"), &found.image, &answer.image)?;
                same(&name("source"), &found.source, &answer.source)?;
                let planned = planned.map_err(|error| name(&error.to_string()))?;
                same(&name("effects"), &found.effects, &planned.effects)?;
                same(
                    &name("plan"),
                    &without_documents(&planned),
                    &without_documents(&answer),
                )?;
            }
            (Err(error), Err(actual)) => {
                same(&name("error"), &error.code().to_owned(), &code(&actual))?;
            }
            (model, actual) => {
                return same(
                    &name("answer"),
                    &format!("{model:?}"),
                    &format!("{actual:?}"),
                );
            }
        }
        same(
            &name("sources"),
            &Ok(told.sources.clone()),
            &session.sources(),
        )?;
    }
    same("store", &played.store.images, &memory.images())
}

/// The guarded reading, with every source trusted: what is answered does not
/// depend on images and sources nobody vouches for.
///
/// # Errors
/// The first answer that changed.
pub fn untrusted_changes_nothing(case: &Case, added: &Strange, subject: &dyn Subject) -> Verdict {
    let before = ask(case, &case.memory(), subject, Asking::default());
    let mut larger = case.clone();
    let Some(image) = added.image(case) else {
        return Ok(());
    };
    let at = added.place % (case.store.images.len() + 1);
    larger.store.images.insert(at, image.clone());
    let after = ask(&larger, &larger.memory(), subject, Asking::default());
    same("with an untrusted image", &before, &after)?;
    let untrusted = Asking {
        untrusted: Some((added.place, image.id)),
        ..Asking::default()
    };
    if case.cache_from.is_empty() {
        return Ok(());
    }
    let after = ask(&larger, &larger.memory(), subject, untrusted);
    same("with an untrusted source", &before, &after)
}

/// An image that nobody vouches for.
#[derive(Clone, Debug)]
pub struct Strange {
    /// Which image it is a copy of.
    pub of: usize,
    /// Where it is put.
    pub place: usize,
    /// What is known of it.
    pub built: Provenance,
    /// Without a readable document.
    pub broken: bool,
}

impl Strange {
    /// A copy of an image of the case under another id, newer than any, and
    /// with the same parent.
    fn image(&self, case: &Case) -> Option<Image> {
        let images = &case.store.images;
        let of = images.get(self.of.checked_rem(images.len())?)?;
        let document = of.document.as_deref()?.trim_end().strip_suffix('}')?;
        let newer = r#""created":"2030-01-01T00:00:00Z""#;
        let document = if self.broken {
            format!("{document},{newer}")
        } else {
            format!("{document},{newer}}}")
        };
        Some(Image {
            id: id_of(&document),
            document: Some(document),
            parent: of.parent.clone(),
            built: self.built,
        })
    }
}

/// The guarded reading: a step whose config differs from every config of the
/// store in one compared member has no local answer, and one whose command
/// does has no answer at all.
///
/// # Errors
/// The first step that was a hit all the same.
pub fn one_change_is_a_miss(case: &Case, field: usize, subject: &dyn Subject) -> Verdict {
    let fields: Vec<(&str, &str)> = CHANGES
        .iter()
        .flat_map(|(name, texts)| texts.iter().map(move |text| (*name, *text)))
        .collect();
    let (name, text) = pools::pick(&fields, field);
    let mut changed = case.clone();
    for step in &mut changed.steps {
        if let Some(config) = &mut step.config {
            let open = config.strip_suffix('}').unwrap_or(config);
            *config = format!(r#"{open},"{name}":{text}}}"#);
        }
    }
    let answers = ask(&changed, &changed.memory(), subject, Asking::default());
    for answer in answers.answers.iter().flatten() {
        let allowed = match answer.outcome {
            Outcome::Miss | Outcome::RestoreFailed => true,
            Outcome::HitLocal => false,
            Outcome::HitSource | Outcome::HitRestored => name != "Cmd",
        };
        same(
            &format!("hit without {name} {text}: {answer:?}"),
            &true,
            &allowed,
        )?;
    }
    Ok(())
}

/// Values that no image of the pools has, at least one for each compared member.
const CHANGES: &[(&str, &[&str])] = &[
    ("Env", &[r#"["changed"]"#, r#"["a","changed"]"#]),
    ("Cmd", &[r#"["changed"]"#]),
    ("Entrypoint", &[r#"["changed"]"#]),
    ("Shell", &[r#"["changed"]"#]),
    ("OnBuild", &[r#"["changed"]"#]),
    ("ExposedPorts", &[r#"{"7/tcp":{}}"#]),
    ("Volumes", &[r#"{"/changed":{}}"#]),
    ("Labels", &[r#"{"changed":"v"}"#, r#"{"changed":""}"#]),
    ("User", &[r#""changed""#]),
    ("WorkingDir", &[r#""changed""#]),
    ("StopSignal", &[r#""changed""#]),
    ("StopTimeout", &["7"]),
    (
        "Healthcheck",
        &[
            r#"{"Interval":7}"#,
            r#"{"Timeout":7}"#,
            r#"{"StartPeriod":7}"#,
            r#"{"StartInterval":7}"#,
            r#"{"Retries":7}"#,
            r#"{"Test":["changed"]}"#,
        ],
    ),
];

/// The guarded reading: a local answer was built here, is a child of the parent
/// and is what was asked for, by the plain rules and with the same labels; an answer from a source was
/// made by the command that was asked for.
///
/// # Errors
/// The first answer that is not.
pub fn hits_are_justified(case: &Case, subject: &dyn Subject) -> Verdict {
    let memory = case.memory();
    let asked = ask(case, &memory, subject, Asking::default());
    let mut store = case.store.clone();
    store.images = memory.images();
    store.faults = Faults::default();
    let mut previous = None;
    for (step, answer) in case.steps.iter().zip(&asked.answers) {
        let step = step.after(previous.as_deref());
        if let Ok(answer) = answer
            && answer.outcome != Outcome::Miss
        {
            let justified = is_justified(&store, &step, answer);
            same(&format!("{step:?} {answer:?}"), &Some(true), &justified)?;
        }
        previous = answer.as_ref().map_or(None, |answer| answer.image.clone());
    }
    Ok(())
}

fn is_justified(store: &Store, step: &Step, answer: &Answer) -> Option<bool> {
    let config = document::read_config(step.config.as_deref()?)?;
    if answer.outcome == Outcome::HitLocal {
        let id = answer.image.as_deref()?;
        let image = store.get(id)?.document;
        let have = image.record("container_config")?;
        return Some(
            store.is_built_locally(id)
                && config_equal(&have, &config)
                && labels(&have) == labels(&config)
                && platform_match(&step.platform, &platform_of(&image), HOST_OS),
        );
    }
    let parent = match &step.parent {
        Some(id) => Some(store.get(id)?.document),
        None => None,
    };
    let source = store.get(answer.source.as_deref()?)?.document;
    let history = source.records("history");
    let n = parent
        .as_ref()
        .map_or(0, |parent| parent.records("history").len());
    Some(valid_parent(&source, parent.as_ref()) && command_match(&config, history.get(n)?))
}

/// The guarded reading: the order in which children are listed does not matter.
///
/// # Errors
/// The first answer that changed.
pub fn order_changes_nothing(case: &Case, shuffled: &Case, subject: &dyn Subject) -> Verdict {
    let before = ask(case, &case.memory(), subject, Asking::default());
    let after = ask(shuffled, &shuffled.memory(), subject, Asking::default());
    same("in another order", &before, &after)
}

/// The guarded reading: a plan that is carried out by hand does to the store
/// what the lookup does, and explaining does nothing.
///
/// # Errors
/// The first difference.
pub fn plan_is_lookup(case: &Case, subject: &dyn Subject) -> Verdict {
    let (plain, planned) = (case.memory(), case.memory());
    let before = ask(case, &plain, subject, Asking::default());
    let asking = Asking {
        plan: true,
        ..Asking::default()
    };
    let after = ask(case, &planned, subject, asking);
    same("planned and explained", &before, &after)?;
    same("store", &plain.images(), &planned.images())
}

/// The guarded reading: a dry run answers every step as a run does, and leaves
/// the store as it was.
///
/// # Errors
/// The first difference.
pub fn a_dry_run_is_a_run(case: &Case, subject: &dyn Subject) -> Verdict {
    let mut case = case.clone();
    case.store.faults = Faults::default();
    let (real, dry) = (case.memory(), case.memory());
    let untouched = dry.images();
    let asking = Asking {
        dry_run: true,
        ..Asking::default()
    };
    let run = ask(&case, &real, subject, Asking::default());
    let dry_run = ask(&case, &dry, subject, asking);
    same("in a dry run", &run, &dry_run)?;
    same("store", &untouched, &dry.images())
}

/// How to ask.
#[derive(Clone, Debug, Default)]
struct Asking {
    /// Opens with one more name that is not trusted, in this place.
    untrusted: Option<(usize, String)>,
    /// Explains and plans every step before it is looked up, and carries the
    /// plan out in a copy of the store.
    plan: bool,
    /// Opens a dry run.
    dry_run: bool,
}

/// What came of asking all steps.
#[derive(Debug, PartialEq)]
struct Asked {
    opened: Result<(), String>,
    /// Without notes, which may say more.
    answers: Vec<Result<Answer, String>>,
    sources: Vec<String>,
}

fn ask(case: &Case, memory: &Arc<Memory>, subject: &dyn Subject, asking: Asking) -> Asked {
    let mut asked = Asked {
        opened: Ok(()),
        answers: Vec::new(),
        sources: Vec::new(),
    };
    let mut names: Vec<CacheFrom> = case
        .cache_from
        .iter()
        .map(|name| source(name, true))
        .collect();
    if let Some((place, name)) = &asking.untrusted {
        names.insert(place % (names.len() + 1), source(name, false));
    }
    let store: SharedStore = Arc::<Memory>::clone(memory);
    let mut options = options(Semantics::guarded(), names);
    options.policy.dry_run = asking.dry_run;
    let mut session = match subject.open(store, options) {
        Ok(session) => session,
        Err(error) => {
            asked.opened = Err(code(&error));
            return asked;
        }
    };
    let mut previous = None;
    for step in &case.steps {
        let step = step.after(previous.as_deref());
        let answer = answer(&mut *session, memory, &step, &asking);
        let image = answer.as_ref().map(|answer| answer.image.clone());
        previous = image.unwrap_or_default();
        asked.answers.push(answer);
    }
    asked.sources = session.sources().unwrap_or_default();
    if let Some((_, name)) = &asking.untrusted {
        asked.sources.retain(|id| id != name);
    }
    asked
}

fn answer(
    session: &mut dyn Session,
    memory: &Arc<Memory>,
    step: &Step,
    asking: &Asking,
) -> Result<Answer, String> {
    let plain = |answer: Result<Answer, Error>| {
        let mut answer = without_documents(&answer.map_err(|error| code(&error))?);
        answer.notes.clear();
        Ok(answer)
    };
    if !asking.plan {
        return plain(session.lookup(step));
    }
    let before = memory.images();
    let (explained, planned) = (session.explain(step), session.plan(step));
    if memory.images() != before {
        return Err(format!("changed the store: {explained:?} {planned:?}"));
    }
    let copy = Memory::new(Order::Added);
    for image in &before {
        let document = image.document.as_deref().unwrap_or_default();
        copy.insert(&image.id, document, image.parent.as_deref(), image.built);
    }
    let answered = plain(session.lookup(step));
    if let (Ok(plan), Ok(answer)) = (planned, &answered) {
        for effect in &plan.effects {
            carry_out(effect, &copy).map_err(|failure| format!("{failure:?}"))?;
        }
        if copy.images() != memory.images() || plain(Ok(plan.clone())).as_ref() != Ok(answer) {
            return Err(format!("planned {plan:?} but did {answer:?}"));
        }
    }
    answered
}

fn carry_out(effect: &Effect, store: &Memory) -> Result<(), Failure> {
    match effect {
        Effect::SetParent(link) => store.set_parent(&link.target, &link.parent),
        Effect::Create(creation) => {
            let document = creation.document.as_deref().unwrap_or_default();
            let layer = creation.layer.as_deref();
            let created = store.create(creation.parent.as_deref(), document, layer);
            created.map(drop)
        }
    }
}

fn open(
    case: &Case,
    memory: &Arc<Memory>,
    semantics: Semantics,
    subject: &dyn Subject,
) -> Result<Box<dyn Session>, String> {
    let names = case
        .cache_from
        .iter()
        .map(|name| source(name, true))
        .collect();
    let store: SharedStore = Arc::<Memory>::clone(memory);
    subject
        .open(store, options(semantics, names))
        .map_err(|error| code(&error))
}

fn source(name: &str, trusted: bool) -> CacheFrom {
    CacheFrom {
        reference: name.to_owned(),
        trusted,
    }
}

fn options(semantics: Semantics, cache_from: Vec<CacheFrom>) -> Options {
    Options {
        semantics,
        cache_from,
        ..Options::default()
    }
}

fn code(error: &Error) -> String {
    error
        .problem()
        .map_or_else(|| error.to_string(), |problem| problem.code.clone())
}

fn without_documents(answer: &Answer) -> Answer {
    let mut answer = answer.clone();
    for effect in &mut answer.effects {
        if let Effect::Create(creation) = effect {
            creation.document = None;
        }
    }
    answer
}
