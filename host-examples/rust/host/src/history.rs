//! The steps that made an image, as far as a store still tells, and what each
//! of them would hit today.
//!
//! A history entry keeps the text of its command only. The container config of
//! a step is in the image that the step made: of a recorded parent, while the
//! store has it. What a builder asked, as far as that tells it, is the component's to
//! say; here the images are found and read.

use std::collections::{BTreeMap, BTreeSet};

use layerwise::docker::{Answer, Order, Reason, Step};
use layerwise::error::Problem;
use layerwise::explain::{Difference, Explanation, Finding};
use layerwise::host::{Facts, Failure, FailureCode, Image, ImageStore, Provenance};
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::docker::{Predicates, Session};
use crate::error::Error;

/// The largest document that is read.
const LONGEST_DOCUMENT: u64 = 64 << 20;

/// The operation of errors about the image that steps begin at.
pub const FIND_BASE: &str = "find base";

/// Where the steps of an image begin.
#[derive(Clone, Debug)]
pub enum Start {
    /// At the oldest recorded parent; from scratch when the image has none, or
    /// when that parent was built here and is the result of one step.
    Recorded,
    /// From scratch.
    Scratch,
    /// At this image.
    Base(Image),
}

/// The steps of an image.
#[derive(Clone, Debug, Serialize)]
pub struct Recorded {
    /// The image's id.
    pub image: String,
    /// What the image is for.
    pub platform: Platform,
    /// What its steps stand on; none means scratch.
    pub base: Option<Base>,
    /// Its steps after the base, in order.
    pub steps: Vec<RecordedStep>,
    /// Recorded parents that could not be read or followed.
    pub findings: Vec<Finding>,
}

/// What the steps of an image stand on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Base {
    /// The image's id.
    pub image: String,
    /// How many history entries it has.
    pub entries: usize,
}

/// One step that made an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordedStep {
    /// Its place in the image's history.
    pub index: usize,
    /// The command, as the history entry tells it.
    pub command: String,
    /// The image the step made, when the store still has it.
    pub image: Option<String>,
    /// The container config to ask with.
    pub asked: String,
    /// Why that is not exactly what a builder asks; none when it is.
    pub approximate: Option<Finding>,
    /// What to ask with instead when the step before was executed.
    #[serde(skip)]
    pub executed: Option<String>,
    /// No step of the image follows.
    #[serde(skip)]
    pub last: bool,
}

/// Reads the steps of an image and its recorded parents. Reads each document
/// once. A parent whose document cannot be read is a finding, and its own parent
/// is followed.
///
/// # Errors
/// `invalid` when the document of `image` or of the base cannot be read, or
/// when the image does not continue the base. For [`Start::Recorded`] also when
/// the oldest recorded parent cannot be found or read, by the code of the cause:
/// nobody knows then where the steps begin.
pub fn read(
    predicates: &mut Predicates,
    store: &dyn ImageStore,
    image: &Image,
    start: &Start,
    semantics: &Semantics,
) -> Result<Recorded, Error> {
    let own = document(predicates, image, semantics)?;
    let Chain {
        parents,
        mut findings,
        unknown,
    } = parents(predicates, store, &image.id, semantics)?;
    let base = match (start, unknown) {
        (Start::Scratch, _) => None,
        (Start::Base(base), _) => Some(given_base(predicates, image, base, semantics)?),
        (Start::Recorded, Some(error)) => return Err(error.into()),
        (Start::Recorded, None) if parents.is_empty() => {
            let found = base_by_history(predicates, store, image, &own, semantics)?;
            findings.extend(found.1);
            found.0
        }
        (Start::Recorded, None) => parents
            .last()
            .filter(|(parent, document)| {
                let one_step = document.history.len() == 1;
                !(one_step && parent.built == Provenance::BuiltHere) && own.continues(document)
            })
            .map(|(parent, document)| Base {
                image: parent.id.clone(),
                entries: document.history.len(),
            }),
    };
    let mut by_length = BTreeMap::new();
    for (parent, document) in parents.iter().filter(|(_, d)| own.continues(d)) {
        by_length.entry(document.history.len()).or_insert(parent);
    }
    let first = base.as_ref().map_or(0, |base| base.entries);
    let made: Vec<Option<&Image>> = (first..own.history.len())
        .map(|index| match index + 1 == own.history.len() {
            true => Some(image),
            false => by_length.get(&(index + 1)).copied(),
        })
        .collect();
    let documents: Vec<Option<String>> = made
        .iter()
        .map(|image| image.and_then(|image| image.document.clone()))
        .collect();
    let text = image.document.as_deref().unwrap_or_default();
    let first_entry = u32::try_from(first).unwrap_or(u32::MAX);
    let recording = predicates.recorded_steps(text, first_entry, &documents, semantics)?;
    findings.extend(recording.findings.into_iter().map(|finding| Finding {
        subject: match &*finding.subject {
            "image" => image.id.clone(),
            _ => finding.subject,
        },
        ..finding
    }));
    let entries = own.history.iter().enumerate().skip(first);
    let steps = entries.zip(made).zip(recording.steps);
    let steps = steps
        .map(|(((index, entry), made), step)| RecordedStep {
            index,
            command: command(entry),
            image: made.map(|image| image.id.clone()),
            asked: step.config,
            approximate: step.approximate,
            executed: step.executed,
            last: index + 1 == own.history.len(),
        })
        .collect();
    Ok(Recorded {
        image: image.id.clone(),
        platform: own.platform(),
        base,
        steps,
        findings,
    })
}

/// What became of asking about one step.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// The image it stands on; none means scratch, or that it is not known.
    pub parent: Option<String>,
    /// The answer; none when the lookup failed or was not asked.
    pub answer: Option<Answer>,
    /// Why, of a miss and of a failure.
    pub explanation: Option<Explanation>,
    /// Why it was not asked.
    pub unasked: Option<Finding>,
}

/// Asks about each step, on the image that the step before hit. After the first
/// miss a builder asks no more; with `all`, steps are asked about whose recorded
/// parent is known. `session` should be a dry run: hits are made.
///
/// # Errors
/// What stopped the component; a lookup that fails is a verdict.
pub fn ask(
    session: &mut Session,
    recorded: &Recorded,
    platform: &Platform,
    all: bool,
) -> Result<Vec<Verdict>, Error> {
    let mut parent = Some(recorded.base.as_ref().map(|base| base.image.clone()));
    let mut missed: Option<usize> = None;
    let mut verdicts = Vec::with_capacity(recorded.steps.len());
    for step in &recorded.steps {
        let Some(on) = parent.take() else {
            verdicts.push(unasked(step, missed));
            parent = step.image.clone().map(Some).filter(|_| all);
            continue;
        };
        if let Some(why) = step.approximate.as_ref().filter(|_| step.is_never_asked()) {
            missed.get_or_insert(step.index);
            verdicts.push(Verdict {
                parent: on,
                unasked: Some(why.clone()),
                ..Verdict::default()
            });
            parent = step.image.clone().map(Some).filter(|_| all);
            continue;
        }
        let config = match (&step.executed, missed) {
            (Some(executed), Some(_)) => executed,
            _ => &step.asked,
        };
        let asked = Step {
            parent: on,
            config: Some(config.clone()),
            platform: platform.clone(),
            last: step.last,
        };
        let answer = match session.lookup(&asked) {
            Ok(answer) => Some(answer),
            Err(Error::Refused(_)) => None,
            Err(stopped) => return Err(stopped),
        };
        let hit = answer.as_ref().and_then(|answer| answer.image.clone());
        let explanation = match hit {
            Some(_) => None,
            None => Some(session.explain(&asked)?),
        };
        parent = match hit {
            Some(hit) => Some(Some(hit)),
            None => {
                missed.get_or_insert(step.index);
                step.image.clone().map(Some).filter(|_| all)
            }
        };
        verdicts.push(Verdict {
            parent: asked.parent,
            answer,
            explanation,
            unasked: None,
        });
    }
    Ok(verdicts)
}

impl RecordedStep {
    /// Whether the classic builder has no such step, so that asking would be of no use.
    fn is_never_asked(&self) -> bool {
        let by_buildkit = |why: &Finding| why.code == Reason::BuiltByBuildkit.as_str();
        self.command.is_empty() || self.approximate.as_ref().is_some_and(by_buildkit)
    }
}

fn unasked(step: &RecordedStep, missed: Option<usize>) -> Verdict {
    let first = missed.map(|index| Difference::fact("first", index));
    let subject = format!("history[{}]", step.index);
    let finding = Finding::new(Reason::NotAskedStageAlreadyMissed, subject);
    Verdict {
        unasked: Some(finding.with(first)),
        ..Verdict::default()
    }
}

/// An image document as far as steps are concerned, in the form that the
/// component writes: texts are equal when what they say is.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    history: Vec<Box<RawValue>>,
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: String,
    #[serde(default, rename = "os.version")]
    os_version: String,
    #[serde(default, rename = "os.features")]
    os_features: Vec<String>,
}

impl Document {
    /// Whether this history begins with all of another one.
    fn continues(&self, other: &Self) -> bool {
        other.history.len() < self.history.len()
            && other
                .history
                .iter()
                .zip(&self.history)
                .all(|(a, b)| a.get() == b.get())
    }

    fn platform(&self) -> Platform {
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: self.variant.clone(),
            os_version: self.os_version.clone(),
            os_features: self.os_features.clone(),
        }
    }
}

fn command(entry: &RawValue) -> String {
    #[derive(Deserialize)]
    struct Entry {
        #[serde(default)]
        created_by: String,
    }
    serde_json::from_str(entry.get()).map_or_else(|_| String::new(), |e: Entry| e.created_by)
}

fn document(
    predicates: &mut Predicates,
    image: &Image,
    semantics: &Semantics,
) -> Result<Document, Error> {
    let text = image.document.as_deref().unwrap_or_default();
    let written = predicates
        .encode_image(text, Order::Declared, semantics)
        .map_err(|error| about(error, &image.id))?;
    serde_json::from_str(&written)
        .map_err(|error| layerwise::error::Error::Other(error.to_string()).into())
}

/// The same error with the image in place of the argument's name.
fn about(error: Error, image: &str) -> Error {
    use layerwise::error::Error as E;
    match error {
        Error::Refused(E::Invalid(mut problem)) => {
            problem.subject = image.to_owned();
            E::Invalid(problem).into()
        }
        Error::Refused(E::Corrupt(mut problem)) => {
            problem.subject = image.to_owned();
            E::Corrupt(problem).into()
        }
        other => other,
    }
}

/// The base that was asked for, if the image continues it.
fn given_base(
    predicates: &mut Predicates,
    image: &Image,
    base: &Image,
    semantics: &Semantics,
) -> Result<Base, Error> {
    let entries = document(predicates, base, semantics)?.history.len();
    let text = image.document.as_deref().unwrap_or_default();
    let parent = base.document.as_deref();
    match predicates.compare_parent(text, parent, semantics)? {
        None => Ok(Base {
            image: base.id.clone(),
            entries,
        }),
        Some(finding) => {
            let problem = Problem::new(
                finding.code.clone(),
                FIND_BASE,
                &base.id,
                format!("the image does not continue it ({})", finding.code),
            );
            Err(layerwise::error::Error::Invalid(problem).into())
        }
    }
}

/// The base of an image without a recorded parent, as all are that were pulled or
/// loaded: among the other images without one, and their children, the longest that it
/// continues by history and layers. What was built here in one step has none.
fn base_by_history(
    predicates: &mut Predicates,
    store: &dyn ImageStore,
    image: &Image,
    own: &Document,
    semantics: &Semantics,
) -> Result<(Option<Base>, Option<Finding>), Error> {
    let built = one(store, &image.id, BUILT).map_or(Provenance::Unknown, |image| image.built);
    if built == Provenance::BuiltHere {
        return Ok((None, None));
    }
    let document = image.document.as_deref().unwrap_or_default();
    let mut longest: Option<Base> = None;
    loop {
        let at = longest.as_ref().map(|base| base.image.as_str());
        let mut found = None;
        let mut most = longest.as_ref().map_or(0, |base| base.entries);
        for id in store.children(at).unwrap_or_default() {
            let Ok(other) = one(store, &id, DOCUMENT) else {
                continue;
            };
            let length = other.document.as_deref().and_then(entries);
            let Some(length) = length.filter(|n| (most + 1..own.history.len()).contains(n)) else {
                continue;
            };
            match predicates.compare_parent(document, other.document.as_deref(), semantics) {
                // Made from this image, or one like it, rather than the other way round.
                Ok(None) if is_restored(predicates, &other, length, semantics)? => {}
                Ok(None) => {
                    most = length;
                    found = Some(id);
                }
                Ok(Some(_)) | Err(Error::Refused(_)) => {}
                Err(stopped) => return Err(stopped),
            }
        }
        let Some(image) = found else { break };
        longest = Some(Base {
            image,
            entries: most,
        });
    }
    let finding = match &longest {
        Some(base) => Finding::new(Reason::BaseByHistory, &base.image),
        None => Finding::new(Reason::NoRecordedParent, &image.id),
    };
    Ok((longest, Some(finding)))
}

/// Whether the last step of an image was restored from a source.
fn is_restored(
    predicates: &mut Predicates,
    image: &Image,
    entries: usize,
    semantics: &Semantics,
) -> Result<bool, Error> {
    let Some(document) = &image.document else {
        return Ok(false);
    };
    let last = u32::try_from(entries.saturating_sub(1)).unwrap_or(u32::MAX);
    let made = [Some(document.clone())];
    let recording = predicates.recorded_steps(document, last, &made, semantics)?;
    let mut findings = recording.findings.iter();
    Ok(findings.any(|finding| finding.code == Reason::RestoredCommand.as_str()))
}

/// How many history entries a document has.
fn entries(document: &str) -> Option<usize> {
    #[derive(Deserialize)]
    struct Counted {
        #[serde(default)]
        history: Vec<IgnoredAny>,
    }
    let counted: Counted = serde_json::from_str(document).ok()?;
    Some(counted.history.len())
}

/// What the parent links of an image lead to.
#[derive(Default)]
struct Chain {
    /// The parents whose documents can be read, nearest first.
    parents: Vec<(Image, Document)>,
    findings: Vec<Finding>,
    /// Why the oldest parent is not among them.
    unknown: Option<layerwise::error::Error>,
}

/// Follows the recorded parents. A link is a fact of its own, which is there also
/// when the document beside it cannot be read.
fn parents(
    predicates: &mut Predicates,
    store: &dyn ImageStore,
    image: &str,
    semantics: &Semantics,
) -> Result<Chain, Error> {
    let mut chain = Chain::default();
    let mut seen = BTreeSet::from([image.to_owned()]);
    let mut at = image.to_owned();
    loop {
        let parent = match one(store, &at, LINK) {
            Ok(linked) => linked.parent,
            Err(failure) => {
                // Of an image that is gone, the document was said to be.
                if !chain.findings.iter().any(|said| said.subject == at) {
                    chain.unread(Reason::LinkUnreadable, &at, &failure);
                }
                return Ok(chain);
            }
        };
        at = match parent {
            None => return Ok(chain),
            Some(id) if seen.insert(id.clone()) => id,
            Some(id) => {
                let circle = Finding::new(Reason::AncestryCycle, id);
                chain.findings.push(circle);
                return Ok(chain);
            }
        };
        let read = one(store, &at, DOCUMENT).map(|image| {
            let document = document(predicates, &image, semantics);
            document.map(|document| (image, document))
        });
        match read {
            Ok(Ok(parent)) => {
                chain.parents.push(parent);
                // Whatever could not be read before is not the oldest.
                chain.unknown = None;
            }
            Ok(Err(Error::Refused(error))) => {
                let words = error.problem().map(|problem| problem.message.clone());
                let words = words.unwrap_or_else(|| error.to_string());
                let failure = Failure::new(FailureCode::Corrupt, words);
                chain.unread(Reason::ParentUnreadable, &at, &failure);
            }
            Ok(Err(stopped)) => return Err(stopped),
            Err(failure) => chain.unread(Reason::ParentUnreadable, &at, &failure),
        }
    }
}

impl Chain {
    fn unread(&mut self, reason: Reason, id: &str, failure: &Failure) {
        let cause = Difference::fact("cause", &failure.message);
        self.findings.push(Finding::new(reason, id).with([cause]));
        let problem = Problem::new(reason, FIND_BASE, id, &failure.message);
        self.unknown = Some(problem.from_failure(failure));
    }
}

const LINK: Facts = Facts {
    document: false,
    parent: true,
    built: false,
};

const BUILT: Facts = Facts {
    document: false,
    parent: false,
    built: true,
};

const DOCUMENT: Facts = Facts {
    document: true,
    parent: false,
    built: true,
};

fn one(store: &dyn ImageStore, id: &str, want: Facts) -> Result<Image, Failure> {
    let mut answers = store.get(&[id.to_owned()], want, LONGEST_DOCUMENT);
    let none = || Failure::new(FailureCode::Other, "the store does not answer");
    answers.pop().unwrap_or_else(|| Err(none()))
}
