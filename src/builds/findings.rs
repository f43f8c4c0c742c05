//! What is said of a step: its causes with their evidence, in the one shape of all
//! systems (Builds spec, section 6).

use serde_json::Value;

use super::cause::{Bytes, Cause, NoResult};
use super::difference::Field;
use super::read::describe::is_canceled;
use super::reason::{Finding, Reason};
use super::source::Scheme;
use super::step::WhyStep;
use super::why::Why;
use crate::explain::Difference;
use crate::prelude::*;

/// Where variables stand in the JSON of an operation.
const VARIABLES: &str = "Op.exec.meta.env[";

impl Cause {
    /// Its code.
    pub fn code(&self) -> Reason {
        match self {
            Self::Definition { .. } => Reason::DefinitionChanged,
            Self::Content { .. } => Reason::ContentChanged,
            Self::SourceChanged { scheme, .. } => match scheme {
                Scheme::Image | Scheme::Layout => Reason::BaseMoved,
                Scheme::Git | Scheme::Http | Scheme::Local => Reason::SourceChanged,
            },
            Self::SourceOther { .. } => Reason::SourceOther,
            Self::SourceNew { .. } => Reason::SourceNew,
            Self::NewStep => Reason::NewStep,
            Self::ParentChanged { .. } => Reason::ParentChanged,
            Self::NoCache => Reason::NoCache,
            Self::NoResult(absence) => absence.code(),
            Self::FilesUnknown {
                dockerfile: true, ..
            } => Reason::DockerfileCopied,
            Self::FilesUnknown { .. } => Reason::FilesUnknown,
            Self::EngineVersion => Reason::EngineVersion,
        }
    }

    /// The evidence: `have` is before, `want` is after.
    pub fn differences(&self) -> Vec<Difference> {
        match self {
            Self::Definition { fields, .. } => definition(fields),
            Self::Content { source, paths, .. } => {
                let files = paths.iter();
                let files = files.map(|file| Difference::fact(&file.path, file.kind.as_str()));
                let source = Difference::fact("source", source);
                core::iter::once(source).chain(files).collect()
            }
            Self::SourceChanged { old, new, .. } => vec![both("digest", old, new)],
            Self::SourceOther { old, new } => vec![both("source", old, new)],
            Self::SourceNew { new } => vec![Difference::new("source", None, new.clone())],
            Self::ParentChanged { old, new, .. } => vec![both("stands on", old, new)],
            Self::FilesUnknown {
                source, ignored, ..
            } => {
                let ignored = ignored.as_ref();
                let ignored = ignored.map(|(old, new)| both(".dockerignore", old, new));
                let source = Difference::fact("source", source);
                core::iter::once(source).chain(ignored).collect()
            }
            Self::NoResult(absence) => absence.differences(),
            Self::NewStep | Self::NoCache | Self::EngineVersion => Vec::new(),
        }
    }

    /// The cause as it is told of a step.
    pub(super) fn finding(&self, step: &str) -> Finding {
        let finding = Finding::new(self.code(), step).with(self.differences());
        match self {
            Self::Content { whole: false, .. } => finding.hint(
                "leave the Dockerfile out with .dockerignore, or copy only what the step needs; \
                 whether other files changed, too, is not known",
            ),
            _ => finding,
        }
    }
}

impl NoResult {
    /// Its code.
    pub(super) const fn code(&self) -> Reason {
        match self {
            Self::Lost => Reason::ResultLost,
            Self::NotImported => Reason::ResultNotImported,
            Self::KeyOnly => Reason::KeyOnly,
            Self::LayerLost(_) => Reason::LayerLost,
            Self::OtherPlatform(_) => Reason::OtherPlatform,
            Self::OtherVersion => Reason::OtherVersion,
            Self::OtherBuild => Reason::OtherBuild,
        }
    }

    /// The evidence.
    pub(super) fn differences(&self) -> Vec<Difference> {
        match self {
            Self::LayerLost(layers) => {
                let layers = layers.iter();
                layers
                    .map(|layer| Difference::fact("layer", layer))
                    .collect()
            }
            Self::OtherPlatform(platform) => vec![Difference::fact("platform", platform)],
            Self::Lost
            | Self::NotImported
            | Self::KeyOnly
            | Self::OtherVersion
            | Self::OtherBuild => Vec::new(),
        }
    }
}

impl WhyStep {
    /// What is said of the step: how it failed, its own causes, what it follows, and what
    /// a hit tells.
    pub fn findings(&self, why: &Why) -> Vec<Finding> {
        let verdict = &self.verdict;
        let named = |at: usize| why.steps.get(at).map_or("", |step| step.name.as_str());
        let finding = |code: Reason| Finding::new(code, self.name.clone());
        let failed = self.error.iter().map(|error| {
            let code = match is_canceled(error) {
                true => Reason::StepCanceled,
                false => Reason::StepFailed,
            };
            finding(code).with([Difference::fact("error", error)])
        });
        let causes = verdict.causes.iter();
        let causes = causes.map(|cause| cause.finding(&self.name));
        let mut findings: Vec<Finding> = failed.chain(causes).collect();
        if !verdict.follows.is_empty() {
            let code = if verdict.again {
                Reason::Again
            } else {
                Reason::Follows
            };
            let steps = verdict.follows.iter().map(|follow| {
                let path = match follow.bytes {
                    Bytes::NoKey | Bytes::Changed => "stands on",
                    Bytes::NotKnown => "may have other bytes",
                };
                Difference::fact(path, named(follow.step))
            });
            findings.push(finding(code).with(steps).cascade());
        }
        let unknown = verdict.unknown_files.iter();
        findings.extend(unknown.map(|cause| cause.finding(&self.name)));
        if !verdict.stopped.is_empty() {
            let steps = verdict.stopped.iter();
            let steps = steps.map(|step| Difference::fact("built again", named(*step)));
            findings.push(finding(Reason::SameBytes).with(steps));
        }
        if verdict.equal_bytes {
            findings.push(finding(Reason::EqualBytes));
        }
        if verdict.unseen {
            findings.push(finding(Reason::Unseen));
        }
        if let Some(layers) = &verdict.same_layers {
            let digest = both("digest", &layers.old, &layers.new);
            findings.push(finding(Reason::SameLayers).with([digest]));
        }
        findings
    }
}

fn both(path: &str, old: &str, new: &str) -> Difference {
    Difference::new(path, old.to_owned(), new.to_owned())
}

/// The fields of a definition, with variables by their names: one that is inserted
/// shifts all later ones, and changes none of them.
pub(super) fn definition(fields: &[Field]) -> Vec<Difference> {
    let mut old = BTreeMap::new();
    let mut new = BTreeMap::new();
    let mut differences = Vec::new();
    for field in fields {
        if field.field.starts_with(VARIABLES) {
            for (side, value) in [(&mut old, &field.old), (&mut new, &field.new)] {
                if let Some(Value::String(text)) = value {
                    let (name, value) = text.split_once('=').unwrap_or((text, ""));
                    side.insert(name.to_owned(), value.to_owned());
                }
            }
            continue;
        }
        let path = field.field.strip_prefix("Op.").unwrap_or(&field.field);
        // By the name of the option its value is hidden.
        let path = match &field.secret {
            Some(option) => format!("{path} after {option}"),
            None => path.to_owned(),
        };
        differences.push(Difference::new(
            path,
            field.old.as_ref().map(shown),
            field.new.as_ref().map(shown),
        ));
    }
    let mut names: BTreeSet<&String> = old.keys().collect();
    names.extend(new.keys());
    let differing = names
        .iter()
        .filter(|name| old.get(**name) != new.get(**name));
    let variables: Vec<Difference> = differing
        .map(|name| {
            let path = format!("variable {name}");
            Difference::new(path, old.get(*name).cloned(), new.get(*name).cloned())
        })
        .collect();
    if variables.is_empty() && !names.is_empty() {
        differences.push(Difference::fact("variables", "in another order"));
    }
    variables.into_iter().chain(differences).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(field: &str, old: Option<&str>, new: Option<&str>) -> Field {
        let value = |text: Option<&str>| text.map(|text| Value::String(text.to_owned()));
        Field {
            field: field.to_owned(),
            old: value(old),
            new: value(new),
            secret: None,
        }
    }

    #[test]
    fn a_variable_that_is_inserted_changes_no_other() {
        let fields = [
            field("Op.exec.meta.cwd", Some("/a"), Some("/b")),
            field("Op.exec.meta.env[1]", Some("B=1"), Some("A=2")),
            field("Op.exec.meta.env[2]", None, Some("B=1")),
        ];
        let have = definition(&fields);
        let want = [
            Difference::new("variable A", None, "2".to_owned()),
            both("exec.meta.cwd", "/a", "/b"),
        ];
        assert_eq!(have, want);
        let moved = [
            field("Op.exec.meta.env[0]", Some("B=1"), Some("A=2")),
            field("Op.exec.meta.env[1]", Some("A=2"), Some("B=1")),
        ];
        let order = Difference::fact("variables", "in another order");
        assert_eq!(definition(&moved), [order]);
    }
}
