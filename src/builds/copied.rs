//! Where the files of a context stand in the layer of a step that copies them.

use super::read::contents;
use super::tree::{Entry, EntryKind, Stat};
use crate::patterns::{Glob, has_wildcards};
use crate::prelude::*;

/// Entries by their paths.
pub type Paths = BTreeMap<String, Entry>;

/// A file of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// As it is.
    pub own: Entry,
    /// Its bytes, to give it another mode; `None` for what is no file.
    pub bytes: Option<Vec<u8>>,
}

/// An instruction that copies from the context.
#[derive(Debug, PartialEq, Eq)]
pub struct Copied {
    sources: Vec<String>,
    destination: String,
}

impl Copied {
    /// Reads the name of a step, such as `[2/3] COPY --link a b /app/`; `None` if it copies
    /// from elsewhere, or in a way in which its paths do not tell what it copies.
    pub fn of(name: &str) -> Option<Self> {
        let text = name.split_once("] ").map_or(name, |(_, text)| text);
        let mut words = text.split_ascii_whitespace();
        if !matches!(words.next()?, "COPY" | "ADD") {
            return None;
        }
        let mut paths = Vec::new();
        for word in words {
            let known = ["--link", "--chmod=", "--chown="];
            if word.starts_with("--") && paths.is_empty() {
                if !known.iter().any(|known| word.starts_with(known)) {
                    return None;
                }
                continue;
            }
            if word.contains(['"', '\'', '[', '\\', '<', '$', ':']) {
                return None;
            }
            paths.push(word);
        }
        let destination = paths.pop()?.to_owned();
        if has_wildcards(&destination) {
            return None;
        }
        let sources = paths.into_iter().map(clean).collect::<Option<Vec<_>>>()?;
        (!sources.is_empty()).then_some(Self {
            sources,
            destination,
        })
    }

    /// The context that the layer was copied from; `None` if the files of the layer do not
    /// stand where those of the context would.
    pub fn before(
        &self,
        context: &Paths,
        layer: &BTreeMap<String, File>,
        own_modes: bool,
    ) -> Option<Paths> {
        let sources = Sources::of(&self.sources, context)?;
        let folder = self.folder(&sources, context, layer)?;
        let mut before: Paths = context
            .iter()
            .filter(|(path, entry)| is_folder(entry) || !sources.take(path))
            .map(|(path, entry)| (path.clone(), entry.clone()))
            .collect();
        for (path, file) in layer {
            let Some(path) = sources.source_of(context, &folder, path) else {
                continue;
            };
            let there = context.get(&path);
            if is_folder(&file.own) && there.is_some_and(is_folder) {
                continue;
            }
            let mode = there.and_then(|there| there.mode);
            let entry = match (&file.bytes, mode) {
                (Some(bytes), Some(mode)) if !own_modes => {
                    let stat = Stat {
                        mode,
                        ..Stat::default()
                    };
                    Entry::file(&stat, bytes)
                }
                _ => file.own.clone(),
            };
            before.insert(path, entry);
        }
        Some(before)
    }

    /// The folder of the layer that the files were copied into: of those that the destination
    /// may be, the one where most files stand as in the context.
    fn folder(
        &self,
        sources: &Sources,
        context: &Paths,
        layer: &BTreeMap<String, File>,
    ) -> Option<String> {
        let folders = layer.iter().filter(|(_, file)| is_folder(&file.own));
        let mut folders: Vec<&str> = folders.map(|(path, _)| path.as_str()).collect();
        folders.push("");
        // A single file may have been given another name.
        folders.extend(layer.keys().map(String::as_str));
        let named = clean(&self.destination)?;
        let is_meant = |folder: &&str| match self.destination.starts_with('/') {
            true => *folder == named,
            false => named.is_empty() || *folder == named || folder.ends_with(&format!("/{named}")),
        };
        let count = |folder: &str| {
            let files = layer.iter().filter(|(_, file)| !is_folder(&file.own));
            files
                .filter_map(|(path, _)| sources.source_of(context, folder, path))
                .filter(|path| context.contains_key(path))
                .count()
        };
        let meant = folders.into_iter().filter(is_meant);
        let counted = meant.map(|folder| (count(folder), core::cmp::Reverse(folder.len()), folder));
        let best = counted.max().filter(|(count, ..)| *count > 0);
        best.map(|(.., folder)| folder.to_owned())
    }
}

/// What an instruction copies of a context.
struct Sources<'a> {
    /// Paths that are no folders of the context.
    files: Vec<&'a str>,
    /// What is below them is copied, not they themselves.
    folders: Vec<&'a str>,
    /// Names with wildcards, with the folder that they are in.
    patterns: Vec<(&'a str, Glob)>,
}

impl<'a> Sources<'a> {
    /// `None` if a folder's name has wildcards.
    fn of(sources: &'a [String], context: &'a Paths) -> Option<Self> {
        let mut found = Self {
            files: Vec::new(),
            folders: Vec::new(),
            patterns: Vec::new(),
        };
        for source in sources {
            if has_wildcards(source) {
                let (parent, name) = source.rsplit_once('/').unwrap_or(("", source));
                if has_wildcards(parent) || name.contains("**") {
                    return None;
                }
                let pattern = Glob::strict(name).ok()?;
                let folders = context.iter().filter(|(_, entry)| is_folder(entry));
                let folders = folders.map(|(path, _)| path.as_str());
                let named = folders.filter(|path| matched(parent, &pattern, path));
                found.folders.extend(named);
                found.patterns.push((parent, pattern));
            } else if source.is_empty() || context.get(source).is_some_and(is_folder) {
                found.folders.push(source);
            } else {
                found.files.push(source);
            }
        }
        Some(found)
    }

    /// Whether a path of the context is copied.
    fn take(&self, path: &str) -> bool {
        let mut named = self.files.iter().chain(&self.folders);
        let mut patterns = self.patterns.iter();
        named.any(|source| below(path, source).is_some())
            || patterns.any(|(parent, pattern)| matched(parent, pattern, path))
    }

    /// The path in the context of what stands in the layer.
    fn source_of(&self, context: &Paths, folder: &str, path: &str) -> Option<String> {
        let rest = below(path, folder)?;
        let only = self.files.len() == 1 && self.folders.is_empty() && self.patterns.is_empty();
        for source in &self.files {
            let name = source.rsplit('/').next().unwrap_or_default();
            if rest == name || rest.is_empty() && only {
                return Some((*source).to_owned());
            }
        }
        let joined = |source: &str| match (source, rest) {
            ("", rest) => rest.to_owned(),
            (source, "") => source.to_owned(),
            (source, rest) => format!("{source}/{rest}"),
        };
        let folders = self.folders.iter().map(|source| joined(source));
        if let Some(found) = folders.clone().find(|path| context.contains_key(path)) {
            return Some(found);
        }
        let patterns = self.patterns.iter();
        let mut named = patterns.filter_map(|(parent, pattern)| {
            let path = joined(parent);
            matched(parent, pattern, &path).then_some(path)
        });
        named.next().or_else(|| folders.clone().next())
    }
}

/// Whether a path is right below a folder, with a name that a pattern matches.
fn matched(parent: &str, pattern: &Glob, path: &str) -> bool {
    let (own, name) = path.rsplit_once('/').unwrap_or(("", path));
    own == parent && pattern.matches(name) == Ok(true)
}

/// Entries as a daemon keeps their digests (Builds spec, section 1.4).
#[must_use]
pub fn recorded(paths: &Paths) -> Vec<u8> {
    let entries = paths.iter().map(|(path, entry)| {
        let (kind, target) = match &entry.kind {
            EntryKind::File => (contents::Kind::File, ""),
            EntryKind::Folder => (contents::Kind::Header, ""),
            EntryKind::Symlink(target) => (contents::Kind::Link, target.as_str()),
        };
        contents::Entry {
            path: format!("/{path}"),
            kind,
            digest: entry.digest.clone(),
            target: target.to_owned(),
        }
    });
    contents::encode(&entries.collect::<Vec<_>>())
}

/// Whether an entry is a folder.
fn is_folder(entry: &Entry) -> bool {
    entry.kind == EntryKind::Folder
}

/// What of a path is below another one, or empty for itself.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix(folder)?;
    match rest {
        "" => Some(rest),
        rest => rest.strip_prefix('/'),
    }
}

/// A path without `.`, and empty for the whole; `None` if it leads up.
fn clean(path: &str) -> Option<String> {
    let parts = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".");
    let parts: Vec<&str> = parts.collect();
    (!parts.contains(&"..")).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Entry {
        let stat = Stat {
            mode: 0o644,
            ..Stat::default()
        };
        Entry::file(&stat, text.as_bytes())
    }

    fn folder() -> Entry {
        let stat = Stat {
            mode: 0o755,
            ..Stat::default()
        };
        Entry::folder(&stat)
    }

    fn layer(files: &[(&str, Option<&str>)]) -> BTreeMap<String, File> {
        let of = |(path, text): &(&str, Option<&str>)| {
            let own = text.map_or_else(folder, file);
            let bytes = text.map(|text| text.as_bytes().to_vec());
            ((*path).to_owned(), File { own, bytes })
        };
        files.iter().map(of).collect()
    }

    #[test]
    fn instructions() {
        let of = |text| Copied::of(text).map(|copied| copied.sources.join(" "));
        assert_eq!(of("[left 1/2] COPY a /a").as_deref(), Some("a"));
        let plain = of("[2/2] COPY --link --chmod=755 ./a dir/ /x/");
        assert_eq!(plain.as_deref(), Some("a dir"));
        assert_eq!(of("COPY . .").as_deref(), Some(""));
        for other in [
            "[2/2] RUN make",
            "COPY --from=left /left /left",
            "COPY a /x*",
            "COPY ../a /a",
            "COPY a",
            "ADD https://host/a /a",
            "COPY --parents a /b",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn files_stand_where_they_were_copied() {
        let context: Paths = [
            ("a", file("new")),
            ("dir", folder()),
            ("dir/x", file("x")),
            ("dir/new", file("new")),
        ]
        .into_iter()
        .map(|(path, entry)| (path.to_owned(), entry))
        .collect();
        let before = |text: &str, files: &[(&str, Option<&str>)]| {
            let copied = Copied::of(text).unwrap();
            copied.before(&context, &layer(files), true)
        };
        let found = before("COPY a /b", &[("b", Some("old"))]).unwrap();
        assert_eq!(found["a"], file("old"));
        assert_eq!(found["dir/new"], file("new"));
        let found = before("COPY a .", &[("w", None), ("w/a", Some("old"))]).unwrap();
        assert_eq!(found["a"], file("old"));
        let files = [("w", None), ("w/x", Some("x")), ("w/gone", Some("1"))];
        let found = before("COPY dir ./w/", &files).unwrap();
        assert_eq!(found["dir/gone"], file("1"));
        assert!(!found.contains_key("dir/new") && !found.contains_key("w"));
        let files = [("w", None), ("w/a", Some("old")), ("w/dir", None)];
        let found = before("COPY . .", &files).unwrap();
        assert_eq!(found["a"], file("old"));
        assert!(!found.contains_key("dir/x"));
        assert_eq!(before("COPY a /b", &[("c", Some("old"))]), None);
        // A name that is gone by now was matched, too; a folder's files were copied.
        let files = [("w", None), ("w/a", Some("old")), ("w/ab", Some("2"))];
        let found = before("COPY a* /w/", &files).unwrap();
        assert_eq!((&found["a"], &found["ab"]), (&file("old"), &file("2")));
        let files = [("w", None), ("w/x", Some("old")), ("w/nex", Some("3"))];
        let found = before("COPY dir/?e* dir/x /w/", &files).unwrap();
        assert_eq!(
            (&found["dir/x"], &found["dir/nex"]),
            (&file("old"), &file("3"))
        );
        assert!(!found.contains_key("dir/new") && found.contains_key("a"));
        let found = before("COPY d* /w/", &[("w", None), ("w/x", Some("old"))]).unwrap();
        assert_eq!(found["dir/x"], file("old"));
        assert!(!found.contains_key("dir/new"));
        assert_eq!(before("COPY d*/x /w/", &[("w", None), ("w/x", None)]), None);
    }
}
