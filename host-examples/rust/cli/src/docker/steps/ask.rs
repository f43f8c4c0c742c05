//! Asking about the steps of an image, one on the other.

use layerwise::docker::{Answer, Reason, Step};
use layerwise::explain::{Difference, Explanation, Finding};
use layerwise::oci::Platform;
use layerwise_host::Error;
use layerwise_host::docker::Session;
use serde::Serialize;

use super::read::{Recorded, RecordedStep};

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
        let by_buildkit = |why: &Finding| why.code == Reason::BuiltByBuildkit;
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
