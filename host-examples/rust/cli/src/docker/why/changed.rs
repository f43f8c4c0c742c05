//! Which files a COPY would copy now, held against the layer that it made before.

use std::collections::BTreeMap;

use layerwise::dockerfile::{Copied, Copying};
use layerwise::explain::Difference;
use layerwise::host::{Entry, Filesystem as _, FsFacts, Kind};
use layerwise_files::Files;
use layerwise_registry::{FileKind, Files as Layer, LayerFile, crc64};
use layerwise_stores::Images;

use super::context::CONTEXT;
use crate::docker::files::differences;
use crate::limits::HostLimitArgs;
use crate::report::{Change, FileChange};

/// What is looked at.
pub struct Changed<'a> {
    pub files: &'a Files,
    pub limits: &'a HostLimitArgs,
    pub copy: &'a Copying,
    pub copied: &'a [Copied],
}

impl Changed<'_> {
    /// The changes since the image that an earlier build made of the step. A layer that
    /// cannot be read tells nothing.
    pub fn since(&self, store: &dyn Images, image: &str) -> Vec<FileChange> {
        let Some(old) = self.layer(store, image) else {
            return Vec::new();
        };
        let mut left: BTreeMap<&str, &LayerFile> = old
            .iter()
            .map(|(path, placed)| (path, &placed.file))
            .filter(|(_, file)| file.kind != FileKind::Directory)
            .collect();
        let paths: Vec<String> = self.copied.iter().map(|one| place(&one.path)).collect();
        let want = FsFacts {
            target: true,
            ..FsFacts::default()
        };
        let mut changes = Vec::new();
        for (one, entry) in self.copied.iter().zip(self.files.stat(&paths, false, want)) {
            let Ok(entry) = entry else { continue };
            if entry.kind == Kind::Directory {
                continue;
            }
            let path = one.path.trim_start_matches('/').to_owned();
            let mut put = self.put(&path).into_iter();
            let was = put.find_map(|put| left.remove(put.as_str()));
            let Some(was) = was else {
                changes.push(FileChange {
                    path,
                    change: Change::Added,
                    differences: Vec::new(),
                });
                continue;
            };
            let differences = self.differences(was, &entry, &place(&one.path));
            if !differences.is_empty() {
                changes.push(FileChange {
                    path,
                    change: Change::Changed,
                    differences,
                });
            }
        }
        changes.extend(left.keys().map(|path| FileChange {
            path: (*path).to_owned(),
            change: Change::Removed,
            differences: Vec::new(),
        }));
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        changes
    }

    /// The files of the last layer of an image.
    fn layer(&self, store: &dyn Images, image: &str) -> Option<Layer> {
        let last = store.layers(image).ok()?.pop()?;
        let mut files = Layer::default();
        let limits = self.limits.of_registries();
        files.put(0, last.stored.ok()?, &limits).ok()?;
        Some(files)
    }

    /// The paths under which a file may be put: what is below the source, or the name of a
    /// source that is a file, in the destination; or the destination itself.
    fn put(&self, path: &str) -> Vec<String> {
        let to = self.copy.to.trim_matches('/');
        let below = |end: &str| match to {
            "" => end.to_owned(),
            to => format!("{to}/{end}"),
        };
        let sources = self.copy.sources.iter();
        let ends = sources.filter_map(|source| {
            let source = source.path.trim_matches('/');
            match path.strip_prefix(source)? {
                "" => source.rsplit('/').next().map(str::to_owned),
                end if source.is_empty() || source == "." => Some(end.to_owned()),
                end => end.strip_prefix('/').map(str::to_owned),
            }
        });
        let mut paths: Vec<String> = ends.map(|end| below(&end)).collect();
        paths.push(below(path));
        paths.push(to.to_owned());
        paths
    }

    /// What a checksum looks at: not times, and not owners, which COPY sets.
    fn differences(&self, was: &LayerFile, entry: &Entry, path: &str) -> Vec<Difference> {
        let kind = match entry.kind {
            Kind::Directory => FileKind::Directory,
            Kind::Link => FileKind::Link,
            Kind::Fifo => FileKind::Fifo,
            Kind::CharacterDevice => FileKind::CharacterDevice,
            Kind::BlockDevice => FileKind::BlockDevice,
            _ => FileKind::File,
        };
        let is_file = kind == FileKind::File;
        let size = if is_file { entry.size } else { 0 };
        let known = was.content.as_deref().filter(|_| is_file);
        let content = match known {
            Some(known) if known.starts_with("crc64:") => self.checksum(path),
            Some(_) => self.digest(path),
            None => None,
        };
        let now = LayerFile {
            kind,
            mode: if kind == FileKind::Link {
                was.mode
            } else {
                entry.mode
            },
            size,
            target: entry.target.clone(),
            content: content.or_else(|| was.content.clone()),
            ..was.clone()
        };
        differences(was, &now)
    }

    fn checksum(&self, path: &str) -> Option<String> {
        crc64(self.files.open_file(path).ok()?).ok()
    }

    fn digest(&self, path: &str) -> Option<String> {
        let want = FsFacts {
            content: true,
            ..FsFacts::default()
        };
        let entry = self.files.stat(&[path.to_owned()], false, want).pop()?;
        entry.ok()?.content
    }
}

fn place(path: &str) -> String {
    format!("{CONTEXT}/{}", path.trim_start_matches('/'))
}
