//! What was found, decided and written, as data and as text.

use std::borrow::Cow;
use std::path::Path;

use layerwise::explain::{Explanation, Finding};
use layerwise::semantics::Semantics;
use layerwise::stacker::{Answer, Change, ChangeKind, Effect, Opened, Outcome, Reason, State};
use layerwise_host::stacker::Session;
use serde::Serialize;

use super::opened::Directories;
use crate::failed::Failed;
use crate::page::{Page, quoted};
use crate::why;

/// What `--help` of every command says about what their documents share.
macro_rules! shared {
    () => {
        r#"  stacker_dir, roots_dir, oci_dir   the directories, absolute
  semantics    {"reading": "guarded" or "compatible", "version"}
  opened       {"state": "absent", "loaded", "version-mismatch" or "unreadable", "found": version,
               "pruned": [{"key", "name", "reason": finding}], "effects": [effect], "notes":
               [finding]}: what opening the cache found, and what that writes
A finding is {"code", "subject", "differences": [{"path", "have", "want"}], "hint", "cascade"};
`have` is what the cache recorded, `want` what is there now. `layerwise rule CODE` says what a code
means. An effect is {"create": {"path", "text", "mode"}}, {"replace": the same}, {"remove": path} or
{"rename": {"old", "new"}}. An error is {"schema": "layerwise/error/1", "error": {"kind", "message",
"code", "operation", "subject", "limit", "value"}}."#
    };
}
pub(super) use shared;

/// What every document begins with.
#[derive(Serialize)]
pub struct About<'a> {
    stacker_dir: &'a Path,
    roots_dir: &'a Path,
    oci_dir: &'a Path,
    semantics: &'a Semantics,
    opened: Opened,
}

impl<'a> About<'a> {
    pub fn new(
        directories: &'a Directories,
        semantics: &'a Semantics,
        session: &mut Session,
    ) -> Result<Self, Failed> {
        Ok(Self {
            stacker_dir: &directories.stacker,
            roots_dir: &directories.roots,
            oci_dir: &directories.oci,
            semantics,
            opened: session.opened()?,
        })
    }

    /// What opening found; `done` when it was also written.
    pub fn show(&self, page: &mut Page, done: bool) {
        let opened = &self.opened;
        let file = self.stacker_dir.join("build.cache");
        let state = match opened.state {
            State::Absent => "absent".to_owned(),
            State::Loaded => "loaded".to_owned(),
            State::VersionMismatch => {
                format!("of another version, {}", opened.found.unwrap_or_default())
            }
            State::Unreadable => "unreadable".to_owned(),
        };
        page.line(&format!("{}  {state}", file.display()));
        let mut rows = vec![["reading".to_owned(), why::semantics(self.semantics)]];
        let did = if done { "did" } else { "would" };
        let written = opened.effects.iter();
        rows.extend(written.map(|written| [did.to_owned(), effect(written)]));
        page.rows(2, &rows);
        for pruned in &opened.pruned {
            let verb = if done { "dropped" } else { "drops" };
            page.rows(2, &[[verb, &pruned.key, &pruned.reason.code]]);
            evidence(page, &pruned.reason, 6);
        }
        findings(page, &opened.notes, 2);
    }
}

/// The decision about a layer, or why there is none.
#[derive(Serialize)]
pub struct Decision<'a> {
    pub name: &'a str,
    /// `hit`, `miss`, or `error`.
    pub outcome: &'static str,
    /// The structure hash of the entry, in decimal digits.
    pub hash: Option<String>,
    pub types: Vec<String>,
    pub reason: Option<Finding>,
    pub changes: Vec<Change>,
    /// Built although it hits.
    pub rebuilt: bool,
    pub notes: Vec<Finding>,
    pub error: Option<Failed>,
}

impl<'a> Decision<'a> {
    pub fn new(name: &'a str, answer: Result<Answer, Failed>) -> Self {
        let (answer, error) = match answer {
            Ok(answer) => (Some(answer), None),
            Err(error) => (None, Some(error)),
        };
        let outcome = match answer.as_ref().map(|answer| answer.outcome) {
            Some(Outcome::Hit) => "hit",
            Some(Outcome::Miss) => "miss",
            None => "error",
        };
        let hash = answer.as_ref().and_then(|answer| answer.hash);
        let hash = hash.map(|hash| hash.to_string());
        let rebuilt = answer.as_ref().is_some_and(|answer| answer.rebuilt);
        let (types, reason, changes, notes) = match answer {
            Some(answer) => (answer.types, answer.reason, answer.changes, answer.notes),
            None => Default::default(),
        };
        Self {
            name,
            outcome,
            hash,
            types,
            reason,
            changes,
            rebuilt,
            notes,
            error,
        }
    }

    /// A layer on one that misses is no failure of this run: it has to be built.
    pub fn waits_for_its_base(&self) -> bool {
        let code = self.error.as_ref().and_then(|error| error.code.as_deref());
        code.map(str::parse) == Some(Ok(Reason::BaseNotCached))
    }

    pub fn show(&self, page: &mut Page) {
        let rebuilt = if self.rebuilt {
            ", and is built all the same"
        } else {
            ""
        };
        page.line(&format!("{:<5} {}{rebuilt}", self.outcome, self.name));
        if let Some(hash) = &self.hash {
            let types = self.types.join(" ");
            page.rows(6, &[["entry", hash], ["types", &types]]);
        }
        if let Some(reason) = &self.reason {
            page.rows(6, &[[&reason.code[..], why::meaning(page, reason)]]);
            evidence(page, reason, 8);
            why::advise(page, reason, 8);
        }
        for change in &self.changes {
            page.rows(
                8,
                &[[kind(change.kind), &change.path, &change.keys.join(" ")]],
            );
        }
        if let Some(error) = &self.error {
            page.rows(
                6,
                &[[error.code.as_deref().unwrap_or("error"), &error.message]],
            );
        }
        findings(page, &self.notes, 6);
    }
}

/// The findings about a layer and all below it.
pub fn explanation(page: &mut Page, explanation: &Explanation) {
    let summary = &explanation.summary;
    page.line(&format!("{}  {}", summary.subject, summary.code));
    page.rows(2, &[["because", why::meaning(page, summary)]]);
    for finding in &explanation.findings {
        let mark = if finding.cascade { "then" } else { "first" };
        let mark = if summary.code == Reason::Hit {
            "layer"
        } else {
            mark
        };
        page.rows(2, &[[mark, &finding.subject, &finding.code]]);
        evidence(page, finding, 6);
        if summary.code != Reason::Hit && !finding.cascade {
            why::advise(page, finding, 6);
        }
    }
}

/// Findings, each with its evidence.
pub fn findings<'a>(
    page: &mut Page,
    findings: impl IntoIterator<Item = &'a Finding>,
    indent: usize,
) {
    for finding in findings {
        page.rows(
            indent,
            &[["note", &finding.code, why::meaning(page, finding)]],
        );
        evidence(page, finding, indent + 4);
    }
}

/// A change of a file, in words.
pub fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Create(writing) => format!("create {:?}", writing.path),
        Effect::Replace(writing) => format!("replace {:?}", writing.path),
        Effect::Remove(path) => format!("remove {path:?}"),
        Effect::Rename(renaming) => format!("rename {:?} to {:?}", renaming.old, renaming.new),
    }
}

/// Both sides of what differs, and facts with one side.
fn evidence(page: &mut Page, finding: &Finding, indent: usize) {
    let comparison = finding.code == Reason::DefinitionChanged;
    let mut rows: Vec<[String; 3]> = Vec::new();
    for difference in &finding.differences {
        let path = difference.path.clone();
        let (have, want) = (difference.have.as_deref(), difference.want.as_deref());
        let fact = want.is_none() && !comparison && !path.starts_with("tree/");
        let object = path.strip_prefix("tree/");
        if let (Some(object), Some(side)) = (object, one_side(have, want)) {
            rows.push([object.to_owned(), side.to_owned(), String::new()]);
            continue;
        }
        // Both sides of a definition are JSON already.
        let side = |side| match side {
            Some(json) if comparison => Cow::Borrowed(json),
            other => quoted(other),
        };
        let path = object.map_or(path.clone(), str::to_owned);
        rows.push(if fact {
            [path, have.unwrap_or_default().to_owned(), String::new()]
        } else {
            [
                path,
                format!("recorded {}", side(have)),
                format!("now {}", side(want)),
            ]
        });
    }
    page.rows(indent, &rows);
    if let Some(hint) = &finding.hint {
        page.rows(indent, &[["hint", hint]]);
    }
}

/// An object of a tree that is on one side only.
fn one_side(have: Option<&str>, want: Option<&str>) -> Option<&'static str> {
    match (have, want) {
        (Some("recorded"), None) => Some("is gone"),
        (None, Some("on disk")) => Some("is new"),
        _ => None,
    }
}

const fn kind(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Missing => "missing",
        ChangeKind::Extra => "extra",
        ChangeKind::Modified => "modified",
    }
}
