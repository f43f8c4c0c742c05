//! Steps that take files of the client which are not known on both sides (Builds spec,
//! section 6.6).

use serde_json::Value;

use super::comparison::Comparison;
use crate::builds::cause::{Cause, Verdict};
use crate::builds::changes::{Change, ChangeKind};
use crate::builds::content::Hashed;
use crate::builds::graph::{Key, Node};
use crate::builds::key::{Selection, text};
use crate::builds::model::Dockerfile;
use crate::builds::source::scheme;
use crate::builds::store::output_key;
use crate::builds::transfer::Filters;
use crate::builds::tree::{Entry, EntryKind, Stat, Tree, key_of};
use crate::prelude::*;

/// The local source that has the Dockerfile in it, unless that was named elsewhere.
const CONTEXT: &str = "context";
/// Files of which each is tried as the only one that is new.
const MOST_TRIED: usize = 1_000;
/// The modes that files have most often, then all others.
const MODES: [u32; 4] = [0o644, 0o664, 0o600, 0o755];
const ALL_MODES: u32 = 0o777;

/// A step's input of which not both sides are known.
struct Input<'a> {
    number: usize,
    /// The local source, and what it was in the earlier build.
    source: &'a Node<'a>,
    before: Option<&'a Node<'a>>,
    selections: &'a [Selection],
    /// The Dockerfiles of both builds, if they differ and may be among the files.
    dockerfiles: Option<(&'a Dockerfile, &'a Dockerfile)>,
}

impl Comparison<'_, '_> {
    /// What is said of a step that follows another one: its files may have changed, too.
    pub fn add_unknown_files(
        &self,
        node: &Node<'_>,
        partner: Option<&Node<'_>>,
        verdict: &mut Verdict,
    ) {
        match self.unknown_files(node, partner) {
            // That they changed is known.
            Some(cause @ Cause::Content { .. }) => verdict.causes.push(cause),
            other => verdict.unknown_files = other,
        }
    }

    /// What is said of a step of which nothing else changed; `None` if all of its files
    /// are known.
    pub fn unknown_files(&self, node: &Node<'_>, partner: Option<&Node<'_>>) -> Option<Cause> {
        let mut told = None;
        for (number, (source, _)) in node.inputs.iter().enumerate() {
            let Some(source) = self.new.nodes.get(*source) else {
                continue;
            };
            let content = |node: &Node<'_>| node.contents.get(number).cloned().flatten();
            let both = partner.and_then(content).is_some() && content(node).is_some();
            if !source.is_local() || both {
                continue;
            }
            let cause = self.unknown_input(node, partner, number, source);
            if matches!(cause, Cause::Content { .. }) {
                return Some(cause);
            }
            told.get_or_insert(cause);
        }
        told
    }

    fn unknown_input(
        &self,
        node: &Node<'_>,
        partner: Option<&Node<'_>>,
        number: usize,
        source: &Node<'_>,
    ) -> Cause {
        let before = partner.and_then(|partner| partner.inputs.get(number));
        let before = before.and_then(|(at, _)| self.old.nodes.get(*at));
        let Key::Op(map) = &node.key else {
            return unknown(source, before, false);
        };
        let content = map
            .inputs
            .get(number)
            .and_then(|key| key.content.as_deref());
        let old = partner.and_then(|partner| partner.definition.dockerfile.as_ref());
        let dockerfiles = old.zip(node.definition.dockerfile.as_ref());
        let is_context = scheme(source.identifier()).is_some_and(|(_, name)| name == CONTEXT);
        let input = Input {
            number,
            source,
            before,
            selections: content.unwrap_or_default(),
            dockerfiles: dockerfiles.filter(|(old, new)| is_context && old.text != new.text),
        };
        // What the step took before, by the caches of daemons: names of content keys.
        let daemons = self.evidence.daemons.iter();
        let place = u32::try_from(number).unwrap_or(u32::MAX);
        let links = daemons.flat_map(|store| store.links(&map.digest, 0, place));
        let taken = links.filter(|link| link.selector.is_empty());
        let taken: BTreeSet<&str> = taken.map(|link| link.from.as_str()).collect();
        let known = input.one_change(&taken);
        let known = known.or_else(|| input.dockerfile_there());
        known.unwrap_or_else(|| unknown(source, before, input.dockerfile_taken()))
    }
}

impl Input<'_> {
    /// The one change that gives what the step took before, by a cache that knows it.
    fn one_change(&self, taken: &BTreeSet<&str>) -> Option<Cause> {
        if taken.is_empty() {
            return None;
        }
        let mut files = self.source.files.clone()?;
        let new = files.key(self.selections).ok()?;
        let mut tries = Vec::new();
        if let Some((old, now)) = self.dockerfiles
            && let Some(entry) = entry_before(files.tree(), (now, old))
        {
            tries.push((ChangeKind::Content, path(now), Some(entry)));
        }
        let tree = files.tree().iter();
        let plain = tree.filter(|(_, entry)| entry.kind != EntryKind::Folder);
        let added = plain.take(MOST_TRIED);
        tries.extend(added.map(|(path, _)| (ChangeKind::Added, path, None)));
        for (kind, path, entry) in tries {
            let undo = files.put(vec![(key_of(&path), entry)]);
            let key = files.key(self.selections).ok();
            files.put(undo);
            let Some(old) = key.filter(|key| *key != new) else {
                continue;
            };
            if taken.contains(output_key(&old, -1).as_str()) {
                return Some(self.content((Some(old), Some(new)), path, kind, true));
            }
        }
        None
    }

    /// The Dockerfile, if it is known to be among the files, and the step takes it.
    fn dockerfile_there(&self) -> Option<Cause> {
        let (old, new) = self.dockerfiles?;
        let before = self.before.and_then(|before| before.files.as_ref());
        let (mut files, pair) = match (&self.source.files, before) {
            (Some(files), _) => (files.clone(), (new, old)),
            (None, before) => (before?.clone(), (old, new)),
        };
        let known = files.key(self.selections).ok()?;
        let entry = entry_before(files.tree(), pair)?;
        files.put(vec![(key_of(&path(pair.0)), Some(entry))]);
        let changes = files.key(self.selections).ok()? != known;
        let keys = match self.source.files {
            Some(_) => (None, Some(known)),
            None => (Some(known), None),
        };
        changes.then(|| self.content(keys, path(new), ChangeKind::Content, false))
    }

    /// Whether the step takes the Dockerfile if it lies where it usually does.
    fn dockerfile_taken(&self) -> bool {
        let taken = || {
            let (old, new) = self.dockerfiles?;
            let attributes = self.source.step.op.message.get("attrs");
            let filters = Filters::of(attributes.unwrap_or(&Value::Null))?;
            let folder = |file: &Dockerfile| {
                let mut tree = Tree::of_client();
                let entry = Entry::file(&mode(0o644), file.text.as_bytes());
                tree.insert(&path(file), entry).ok()?;
                Some(Hashed::new(tree.sent(&filters).ok()?))
            };
            let (old, new) = (folder(old)?, folder(new)?);
            let mut selections = self.selections.iter();
            Some(
                selections.any(|one| match (old.digest(one), new.digest(one)) {
                    (Ok(old), Ok(new)) => old != new,
                    _ => false,
                }),
            )
        };
        taken().unwrap_or(false)
    }

    fn content(
        &self,
        (old, new): (Option<String>, Option<String>),
        path: String,
        kind: ChangeKind,
        whole: bool,
    ) -> Cause {
        Cause::Content {
            input: self.number,
            source: self.source.identifier().to_owned(),
            old,
            new,
            paths: vec![Change { path, kind }],
            whole,
        }
    }
}

/// The entry that a Dockerfile of another text would be, in place of the one that is in
/// a tree; `None` if the tree has no such file.
fn entry_before(tree: &Tree, (there, other): (&Dockerfile, &Dockerfile)) -> Option<Entry> {
    let entry = tree.get(&path(there))?;
    let is_there =
        |bits: &u32| Entry::file(&mode(*bits), there.text.as_bytes()).digest == entry.digest;
    let bits = MODES.into_iter().chain(0..=ALL_MODES).find(is_there)?;
    Some(Entry::file(&mode(bits), other.text.as_bytes()))
}

fn unknown(source: &Node<'_>, before: Option<&Node<'_>>, dockerfile: bool) -> Cause {
    let patterns = |node: &Node<'_>| {
        let attributes = node.step.op.message.get("attrs");
        let attributes = attributes.unwrap_or(&Value::Null);
        text(attributes, "local.excludepatterns").to_owned()
    };
    let ignored = before.map(|before| (patterns(before), patterns(source)));
    Cause::FilesUnknown {
        source: source.identifier().to_owned(),
        dockerfile,
        ignored: ignored.filter(|(old, new)| old != new),
    }
}

fn path(file: &Dockerfile) -> String {
    file.name.trim_start_matches("./").to_owned()
}

fn mode(mode: u32) -> Stat {
    Stat {
        mode,
        ..Stat::default()
    }
}
