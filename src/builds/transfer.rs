//! Which files of a folder a client sends (Builds spec, section 4.4).

use super::lookup::ContentError;
use super::tree::{EntryKind, Tree, key_of, path_of};
use crate::paths;
use crate::patterns::{Glob, Matched, Patterns, has_wildcards};
use crate::prelude::*;

/// More symlinks are not followed for one list of paths.
const MOST_STEPS: usize = 10_000;

/// What a local source asks a client for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// Only what matches one of these, if there are any.
    pub include: Vec<String>,
    /// Not what matches one of these: `.dockerignore`.
    pub exclude: Vec<String>,
    /// Paths that are added to `include`, with all that their symlinks lead to.
    pub follow: Vec<String>,
}

impl Filters {
    /// Reads the attributes of a local source. `None` if one of them is not a list of
    /// texts.
    pub fn of(attributes: &serde_json::Value) -> Option<Self> {
        let list = |name: &str| match attributes.get(name) {
            Some(serde_json::Value::String(text)) => serde_json::from_str(text).ok(),
            _ => Some(Vec::new()),
        };
        Some(Self {
            include: list("local.includepattern")?,
            exclude: list("local.excludepatterns")?,
            follow: list("local.followpaths")?,
        })
    }
}

impl Tree {
    /// The tree of what a client sends of this folder.
    ///
    /// # Errors
    /// That a pattern is malformed, or that there are too many links.
    pub fn sent(&self, filters: &Filters) -> Result<Self, ContentError> {
        let mut include = filters.include.clone();
        if !filters.follow.is_empty()
            && let Some(targets) = without_nested(followed(self, &filters.follow)?)
        {
            include.extend(targets);
            include = without_nested(include).unwrap_or_default();
        }
        let include = (!include.is_empty()).then(|| Patterns::new(&include));
        let include = include.transpose()?;
        let exclude = (!filters.exclude.is_empty()).then(|| Patterns::new(&filters.exclude));
        let exclude = exclude.transpose()?;

        let mut sent = Self::of_client();
        // Folders above the entry at hand, each with whether it has been sent.
        let mut above: Vec<(&String, Matched, Matched, bool)> = Vec::new();
        for (key, entry) in self.entries.iter().filter(|(key, _)| !key.is_empty()) {
            while above.last().is_some_and(|(folder, ..)| {
                !key.strip_prefix(folder.as_str())
                    .is_some_and(|rest| rest.starts_with('\0'))
            }) {
                above.pop();
            }
            let path = path_of(key);
            let path = path.trim_start_matches('/');
            let nothing = Matched::new();
            let parent = above.last();
            let verdict = |patterns: &Option<Patterns>, of_parent, without| match patterns {
                Some(patterns) => patterns.matches(path, of_parent),
                None => (without, Matched::new()),
            };
            let of_parent = parent.map_or(&nothing, |(_, include, ..)| include);
            let (taken, matched_in) = verdict(&include, of_parent, true);
            let of_parent = parent.map_or(&nothing, |(_, _, exclude, _)| exclude);
            let (left_out, matched_out) = verdict(&exclude, of_parent, false);
            let takes = taken && !left_out;
            if takes {
                for (folder, .., done) in above.iter_mut().filter(|(.., done)| !done) {
                    *done = true;
                    if let Some(entry) = self.entries.get(folder.as_str()) {
                        sent.entries.insert((*folder).clone(), entry.clone());
                    }
                }
                sent.entries.insert(key.clone(), entry.clone());
            }
            if entry.kind == EntryKind::Folder {
                above.push((key, matched_in, matched_out, takes));
            }
        }
        Ok(sent)
    }
}

/// The paths, sorted, with all that symlinks on the way lead to.
fn followed(tree: &Tree, paths: &[String]) -> Result<Vec<String>, ContentError> {
    let mut resolved = BTreeSet::new();
    // What is still to do, the next one last.
    let mut rest: Vec<String> = paths.iter().rev().cloned().collect();
    let mut steps = 0;
    while let Some(path) = rest.pop() {
        steps += 1;
        if steps > MOST_STEPS {
            return Err(ContentError::TooManyLinks);
        }
        let path = paths::clean(&format!("./{path}"));
        let mut current = String::from(".");
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            current = paths::clean(&format!("{current}/{part}"));
            let targets = targets(tree, &current)?;
            let is_last = parts.peek().is_none();
            if targets.is_empty() && !is_last {
                continue;
            }
            if !resolved.insert(current.clone()) {
                break;
            }
            if !targets.is_empty() {
                let below: Vec<&str> = parts.collect();
                let below = below.join("/");
                let paths = targets.iter().rev();
                rest.extend(paths.map(|target| paths::join(&[target.as_str(), below.as_str()])));
                break;
            }
        }
    }
    Ok(resolved.into_iter().collect())
}

/// Where a symlink leads, or the symlinks among what matches a pattern.
fn targets(tree: &Tree, path: &str) -> Result<Vec<String>, ContentError> {
    let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
    if !has_wildcards(name) {
        return Ok(target(tree, path).into_iter().collect());
    }
    let wildcard = Glob::strict(name)?;
    let folder_key = key_of(folder.trim_start_matches('.'));
    let start = format!("{folder_key}\0");
    let below = tree.entries.range(start.clone()..);
    let below = below.map_while(|(key, _)| key.strip_prefix(start.as_str()));
    let names = below.filter(|rest| !rest.contains('\0') && wildcard.matches(rest) == Ok(true));
    let paths = names.map(|name| paths::join(&[folder, name]));
    Ok(paths.filter_map(|path| target(tree, &path)).collect())
}

fn target(tree: &Tree, path: &str) -> Option<String> {
    let EntryKind::Symlink(target) = &tree.get(path)?.kind else {
        return None;
    };
    if target.starts_with('/') {
        return Some(paths::clean(target));
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(paths::clean(&format!("/{folder}/{target}")))
}

/// The paths without those below the one before; `None` if one of them is everything.
/// As upstream, it expects them sorted, and is not always given them so.
fn without_nested(paths: Vec<String>) -> Option<Vec<String>> {
    let mut kept: Vec<String> = Vec::new();
    for path in paths {
        if path == "." {
            return None;
        }
        let last = kept.last().map_or("", String::as_str);
        if !paths::is_below(&path, last) {
            kept.push(path);
        }
    }
    Some(kept)
}
