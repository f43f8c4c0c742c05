//! Digests of the content of a tree, and content keys (Builds spec, section 4).

use super::key::{Selection, digest};
use super::lookup::ContentError;
use super::tree::{Entry, EntryKind, Tree, key_of, path_of};
use crate::paths;
use crate::patterns::{Glob, Matched, Patterns, has_wildcards};
use crate::prelude::*;

/// A tree whose folders have been hashed, to be asked for many digests.
#[derive(Clone, Debug)]
pub struct Hashed {
    tree: Tree,
    folders: BTreeMap<String, String>,
}

/// What is put at a key of a tree; `None` takes away what is there.
pub(super) type Put = (String, Option<Entry>);

/// An entry that a selection with patterns takes in.
struct Included {
    path: String,
    digest: String,
    /// A symlink stands for what it points to.
    follow: bool,
}

/// A folder header that was passed on the way to what is in the folder.
struct Passed {
    path: String,
    digest: String,
    included: bool,
    include: Matched,
    exclude: Matched,
}

impl Hashed {
    /// Hashes the folders of a tree.
    pub fn new(tree: Tree) -> Self {
        let folders = tree.folders();
        Self { tree, folders }
    }

    /// The tree.
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Puts entries at paths, takes those away that are `None`, and hashes the folders
    /// above again. Returns what undoes it.
    pub(super) fn put(&mut self, entries: Vec<Put>) -> Vec<Put> {
        let mut undo = Vec::with_capacity(entries.len());
        let mut changed = BTreeSet::new();
        for (key, entry) in entries {
            for (at, _) in key.match_indices('\0') {
                changed.insert(key.get(..at).unwrap_or_default().to_owned());
            }
            changed.insert(key.clone());
            let before = match entry {
                Some(entry) => self.tree.entries.insert(key.clone(), entry),
                None => self.tree.entries.remove(&key),
            };
            undo.push((key, before));
        }
        undo.reverse();
        // The longest keys are the deepest folders.
        let mut changed: Vec<String> = changed.into_iter().collect();
        sort_by(&mut changed, |a, b| b.len().cmp(&a.len()));
        for folder in &changed {
            self.folders.remove(folder);
            if let Some(contents) = self.hash_folder(folder) {
                self.folders.insert(folder.clone(), contents);
            }
        }
        undo
    }

    /// The digest of a folder whose folders have been hashed.
    fn hash_folder(&self, folder: &str) -> Option<String> {
        let entries = &self.tree.entries;
        let entry = entries.get(folder)?;
        if entry.kind != EntryKind::Folder {
            return None;
        }
        let mut text = format!("\0{}", entry.digest);
        let below = format!("{folder}\0");
        let mut next = below.clone();
        while let Some((key, entry)) = entries.range(next.clone()..).next() {
            let Some(name) = key.strip_prefix(&below) else {
                break;
            };
            let own = self.folders.get(key).unwrap_or(&entry.digest);
            text.push('\0');
            text.push_str(name);
            text.push_str(own);
            // What is in the entry is not passed.
            next = format!("{key}\u{1}");
        }
        Some(digest(text.as_bytes()))
    }

    /// The content key of an input: of the digests of all its selections.
    ///
    /// # Errors
    /// Why one of them has none.
    pub fn key(&self, selections: &[Selection]) -> Result<String, ContentError> {
        let mut digests = Vec::with_capacity(selections.len());
        for selection in selections {
            digests.push(self.digest(selection)?);
        }
        Ok(digest(digests.join("\0").as_bytes()))
    }

    /// The digest of one selection.
    ///
    /// # Errors
    /// Why it has none.
    pub fn digest(&self, selection: &Selection) -> Result<String, ContentError> {
        let path = paths::clean(&format!("/{}", selection.path));
        if !selection.wildcard && selection.include.is_empty() && selection.exclude.is_empty() {
            return self.one(&path, selection.follow);
        }
        let path = if path == "/" { "" } else { &path };
        let (prefix, included) = self.included(path, selection)?;
        if let [only] = included.as_slice()
            && paths::last_element(path) == paths::last_element(&only.path)
        {
            return self.record(only);
        }
        let mut hashed = String::new();
        for one in &included {
            let record = self.record(one)?;
            let below = one.path.strip_prefix(prefix.as_str()).unwrap_or(&one.path);
            let key = key_of(below);
            hashed.push_str(if key.is_empty() { "\0" } else { &key });
            hashed.push_str(&record);
        }
        Ok(digest(hashed.as_bytes()))
    }

    /// The digest of what is at a path.
    fn one(&self, path: &str, follow: bool) -> Result<String, ContentError> {
        match self.tree.resolve(path, follow)? {
            (key, Some(entry)) => Ok(self.of(&key, entry)),
            (_, None) => Err(ContentError::NotFound(path.to_owned())),
        }
    }

    fn of(&self, key: &str, entry: &Entry) -> String {
        let contents = self.folders.get(key);
        contents.cloned().unwrap_or_else(|| entry.digest.clone())
    }

    fn record(&self, included: &Included) -> Result<String, ContentError> {
        if included.follow {
            self.one(&included.path, true)
        } else {
            Ok(included.digest.clone())
        }
    }

    /// The entries that a selection takes in, in order, and the part of its path that
    /// is fixed.
    fn included(
        &self,
        path: &str,
        selection: &Selection,
    ) -> Result<(String, Vec<Included>), ContentError> {
        let include = patterns(&selection.include)?;
        let exclude = patterns(&selection.exclude)?;
        let wildcard = selection.wildcard.then(|| Glob::strict(path));
        let wildcard = wildcard.transpose()?;
        let mut included = Vec::new();
        let Some((prefix, start)) = self.start(path, selection.wildcard)? else {
            return self.checked(selection, String::new(), included);
        };
        let resolved = path_of(&start);
        // Folders above the entry at hand.
        let mut passed: Vec<Passed> = Vec::new();
        let mut top = String::new();
        for (key, entry) in self.tree.entries.range(start..) {
            let found = path_of(key);
            let name = match found.strip_prefix(resolved.as_str()) {
                Some(rest) => format!("{prefix}{rest}"),
                None => found,
            };
            while passed
                .last()
                .is_some_and(|folder| !paths::is_below(&name, &folder.path))
            {
                passed.pop();
            }
            let is_folder = entry.kind == EntryKind::Folder;
            let base = match &wildcard {
                Some(wildcard) => {
                    if !path.is_empty() && (top.is_empty() || !paths::is_below(&name, &top)) {
                        if wildcard.matches(&name) != Ok(true) {
                            continue;
                        }
                        top.clone_from(&name);
                    }
                    top.as_str()
                }
                None if name != path && !paths::is_below(&name, path) => break,
                None => path,
            };
            if is_folder && name == path && selection.path.ends_with('/') {
                // Its header does not count, nor what is known of it.
                continue;
            }
            let candidate = name.strip_prefix(base).unwrap_or(&name);
            let candidate = candidate.trim_start_matches('/');
            let parent = passed.last();
            let follow =
                parent.is_none() && selection.follow && matches!(entry.kind, EntryKind::Symlink(_));
            let nothing = Matched::new();
            let of_parent = parent.map_or(&nothing, |parent| &parent.include);
            let (mut takes, matched_in) = verdict(include.as_ref(), candidate, of_parent, true);
            let of_parent = parent.map_or(&nothing, |parent| &parent.exclude);
            let mut matched_out = Matched::new();
            if takes {
                let (out, matched) = verdict(exclude.as_ref(), candidate, of_parent, false);
                takes = !out;
                matched_out = matched;
            }
            if takes {
                for folder in passed.iter_mut().filter(|folder| !folder.included) {
                    folder.included = true;
                    included.push(Included {
                        path: folder.path.clone(),
                        digest: folder.digest.clone(),
                        follow: false,
                    });
                }
                included.push(Included {
                    path: name.clone(),
                    digest: entry.digest.clone(),
                    follow,
                });
            }
            if is_folder {
                passed.push(Passed {
                    path: name,
                    digest: entry.digest.clone(),
                    included: takes,
                    include: matched_in,
                    exclude: matched_out,
                });
            }
        }
        self.checked(selection, prefix, included)
    }

    /// The fixed part of a path, and the key where the walk begins; `None` if nothing
    /// is there.
    fn start(&self, path: &str, wildcard: bool) -> Result<Option<(String, String)>, ContentError> {
        let (fixed, follow) = if wildcard {
            let parts: Vec<&str> = path.split('/').collect();
            let fixed = parts.iter().take_while(|part| !has_wildcards(part)).count();
            let all = fixed == parts.len();
            let fixed = parts.get(..fixed).unwrap_or_default().join("/");
            (fixed, !all)
        } else {
            (path.to_owned(), false)
        };
        if fixed.is_empty() {
            return Ok(Some((fixed, String::new())));
        }
        let (key, entry) = self.tree.resolve(&fixed, follow)?;
        Ok(entry.map(|_| (fixed, key)))
    }

    fn checked(
        &self,
        selection: &Selection,
        prefix: String,
        included: Vec<Included>,
    ) -> Result<(String, Vec<Included>), ContentError> {
        for required in &selection.required {
            let is_there = |one: &Included| one.path.starts_with(required.as_str());
            if !included.iter().any(is_there) {
                return Err(ContentError::NotFound(required.clone()));
            }
        }
        Ok((prefix, included))
    }
}

fn patterns(list: &[String]) -> Result<Option<Patterns>, ContentError> {
    let patterns = (!list.is_empty()).then(|| Patterns::new(list));
    Ok(patterns.transpose()?)
}

fn verdict(
    patterns: Option<&Patterns>,
    candidate: &str,
    parent: &Matched,
    without: bool,
) -> (bool, Matched) {
    match patterns {
        Some(patterns) => patterns.matches(candidate, parent),
        None => (without, Matched::new()),
    }
}
