//! Which files of a step are others in one folder than in another, whatever became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::UNIX_EPOCH;

use layerwise::builds::redact::Values;
use layerwise::builds::{Asked, Files, Reason};
use layerwise::explain::{Difference, Finding};

use super::opened::{Found, Opened};
use crate::failed::Failed;

/// Folders of the client by their names.
pub type Folders = Vec<(String, Files)>;

/// What of a context is not as the daemon saw it at a build.
#[derive(Debug, Default)]
pub struct Drift {
    /// By step: the files that have other bytes, although no one has written to them since.
    pub unseen: BTreeMap<usize, Vec<Difference>>,
    /// Files that changed after the build.
    pub since: BTreeSet<String>,
}

impl Drift {
    /// Whether the context is as the daemon saw it.
    pub fn is_none(&self) -> bool {
        self.unseen.is_empty() && self.since.is_empty()
    }
}

impl Opened {
    /// By the steps of the second build, the files that they take and that differ between
    /// the folders: what would have made each run again.
    pub fn changed(
        &self,
        (old, before): (&Found, &Folders),
        (new, after): (&Found, &Folders),
        values: Values,
    ) -> Result<BTreeMap<usize, Finding>, Failed> {
        let asked = Asked {
            before: before.clone(),
            after: after.clone(),
            every_step: true,
            ..Asked::default()
        };
        let (old, new) = (self.open(old)?, self.open(new)?);
        let reasons = new.why(&old, &[], &asked, values)?;
        let verdicts = reasons.verdicts.into_iter().enumerate();
        Ok(verdicts
            .filter_map(|(at, mut verdict)| {
                without_modes(&mut verdict.findings, before, after);
                let mut findings = verdict.findings.into_iter();
                let found = findings.find(|one| one.code == Reason::ContentChanged);
                Some((at, found?))
            })
            .collect())
    }

    /// What of a directory is not as the daemon saw it at a build, by the digests it keeps.
    /// A file that the daemon did not see to change has the size and time that it had.
    pub fn drift(
        &self,
        build: &Found,
        (seen, lent): (&Folders, &Folders),
        directory: &Path,
    ) -> Result<Drift, Failed> {
        let mut drift = Drift::default();
        if !seen.iter().any(|(name, _)| name == "context") {
            return Ok(drift);
        }
        let changed = self.changed((build, seen), (build, lent), Values::NotSecret)?;
        for (at, finding) in changed {
            let files = finding.differences.into_iter();
            for file in files.filter(|file| file.path != "source") {
                let content = file.have.as_deref().unwrap_or_default();
                let written = written(&directory.join(&file.path));
                let unseen = content == "content"
                    && written
                        .zip(build.description.created)
                        .is_some_and(|(written, began)| written <= began);
                if unseen {
                    let file = Difference::fact(file.path, "content");
                    drift.unseen.entry(at).or_default().push(file);
                } else {
                    drift.since.insert(file.path);
                }
            }
        }
        Ok(drift)
    }
}

/// Says nothing of modes where one side has digests, in which they are hashed with the bytes.
pub fn without_modes(findings: &mut [Finding], before: &Folders, after: &Folders) {
    let has_modes = |folders: &Folders, name: &str| {
        let mut folders = folders.iter();
        let found = folders.find(|(of, _)| of == name);
        found.map(|(_, files)| matches!(files, Files::Directory(_)))
    };
    let content = findings
        .iter_mut()
        .filter(|one| one.code == Reason::ContentChanged);
    for finding in content {
        let mut facts = finding.differences.iter();
        let source = facts.find(|one| one.path == "source");
        let source = source.and_then(|source| source.have.as_deref()?.strip_prefix("local://"));
        let name = source.unwrap_or_default();
        if has_modes(before, name) == has_modes(after, name) {
            continue;
        }
        for file in &mut finding.differences {
            if file.path != "source" && file.have.as_deref() == Some("content+mode") {
                file.have = Some("content".to_owned());
            }
        }
    }
}

/// When a file was written last, in nanoseconds since 1970.
fn written(path: &Path) -> Option<i64> {
    let written = path.symlink_metadata().ok()?.modified().ok()?;
    i64::try_from(written.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()
}
