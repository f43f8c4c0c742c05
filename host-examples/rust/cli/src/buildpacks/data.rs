//! The content of layers: what is there, what is retrieved and what is removed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use layerwise::buildpacks::{
    Action, ApiVersion, DataDecision, GroupElement, PlannedFile, Present, RestorePlan, SbomCopy,
    SbomRequest, WantedLayer, buildpack_api, file_says_cached, layer_of_file,
};
use layerwise::host::{Destination, Entry, Failure, FailureCode, Filesystem, FsFacts, Kind};
use layerwise_files::{Files, decode, encode};
use layerwise_host::buildpacks::{CacheImage, Plans};
use serde::Deserialize;

use super::args::RestoreArgs;
use crate::failed::Failed;
use crate::lend;

/// The largest metadata file and the largest directory.
const LONGEST: u64 = 8 << 20;
const MOST: u64 = 10_000_000;

#[derive(Deserialize)]
struct Flags {
    #[serde(default)]
    cache: bool,
}

/// The layers directory while its content is restored.
pub struct Directory<'a> {
    /// Opened under the name it has in layers.
    pub files: &'a Files,
    /// That name.
    pub inner: &'a str,
}

impl Directory<'_> {
    /// The layers that are there once the metadata of `plan` is: directories, and
    /// metadata files.
    pub fn present(
        &self,
        group: &[GroupElement],
        plan: &RestorePlan,
    ) -> Result<Vec<Present>, Failed> {
        let written: BTreeMap<&str, &PlannedFile> = plan
            .files
            .iter()
            .map(|file| (file.path.as_str(), file))
            .collect();
        let mut recorded: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for sha in &plan.shas {
            recorded.insert((&sha.buildpack, &sha.layer), &sha.sha);
        }
        let mut present = Vec::new();
        for element in group {
            let api = buildpack_api(&element.api);
            let directory = join(self.inner, &element.id.replace('/', "_"));
            let mut names = self.names(&directory, api)?;
            let below = format!("{directory}/");
            let planned = written.keys().filter_map(|path| path.strip_prefix(&below));
            names.extend(
                planned.filter_map(|file| layer_of_file(&plain(file)?, api).map(str::to_owned)),
            );
            for name in names {
                let file = join(&directory, &name);
                let text = |extension: &str| -> Result<String, Failed> {
                    let path = format!("{file}.{extension}");
                    match written.get(path.as_str()) {
                        Some(planned) => Ok(planned.text.clone()),
                        None => self.text(&path),
                    }
                };
                let sha = match recorded.get(&(element.id.as_str(), name.as_str())) {
                    Some(sha) => (*sha).to_owned(),
                    None => text("sha")?,
                };
                let cached = file_says_cached(api)
                    && crate::io::toml::<Flags>(&text("toml")?).is_ok_and(|flags| flags.cache);
                present.push(Present {
                    buildpack: element.id.clone(),
                    layer: name,
                    sha,
                    cached,
                });
            }
        }
        Ok(present)
    }

    /// The names of the layers in a buildpack's directory.
    pub fn names(&self, directory: &str, api: ApiVersion) -> Result<BTreeSet<String>, Failed> {
        let found = match self.files.list_names(directory) {
            Err(failure) if failure.code == FailureCode::NotFound => return Ok(BTreeSet::new()),
            found => found.map_err(lend::failed)?,
        };
        let mut names = BTreeSet::new();
        let paths: Vec<String> = found
            .iter()
            .map(|name| format!("{directory}/{name}"))
            .collect();
        let stats = self.files.stat(&paths, false, FsFacts::default());
        for (name, stat) in found.iter().zip(stats) {
            // Names that are not text are in no metadata.
            let Some(name) = plain(name) else { continue };
            match stat {
                Ok(entry) if entry.kind == Kind::Directory => names.extend(Some(name)),
                Ok(_) => names.extend(layer_of_file(&name, api).map(str::to_owned)),
                Err(failure) if failure.code == FailureCode::NotFound => {}
                Err(failure) => return Err(lend::failed(failure)),
            }
        }
        Ok(names)
    }

    /// Retrieves what is to be retrieved, and settles each decision.
    pub fn retrieve(
        &self,
        decisions: Vec<DataDecision>,
        image: &mut CacheImage,
        plans: &mut Plans,
    ) -> Result<Vec<DataDecision>, Failed> {
        let wanted: Vec<WantedLayer> = decisions
            .iter()
            .filter(|decision| decision.action == Action::Retrieve)
            .map(|decision| WantedLayer {
                diff_id: decision.diff_id.clone(),
                into: Some(Destination {
                    root: ".".to_owned(),
                    prefix: decision.prefix.clone(),
                }),
            })
            .collect();
        let mut answers = image
            .retrieve(&wanted)
            .map_err(|error| {
                let mut failed = Failed::from(error);
                let places = wanted.iter().filter_map(|layer| layer.into.as_ref());
                let names: Vec<&str> = places.map(|into| &*into.prefix).collect();
                failed.message = format!("{}: not restored: {}", failed.message, names.join(", "));
                failed
            })?
            .into_iter();
        let mut settled = Vec::with_capacity(decisions.len());
        for decision in decisions {
            let answer = match decision.action {
                Action::Retrieve => answers.next(),
                Action::Remove | Action::Keep => None,
            };
            settled.push(match answer {
                Some(answer) => plans.settle_data(decision, answer)?,
                None => decision,
            });
        }
        Ok(settled)
    }

    /// Removes what is to be removed.
    pub fn clear(&self, decisions: &[DataDecision]) -> Result<(), Failed> {
        let removed = decisions
            .iter()
            .filter(|decision| decision.action == Action::Remove);
        for path in removed.flat_map(|decision| &decision.paths) {
            self.remove(path).map_err(lend::failed)?;
        }
        Ok(())
    }

    /// Puts SBOM files beside the layers they are about.
    pub fn place_sboms(
        &self,
        args: &RestoreArgs,
        group: &[GroupElement],
        plans: &mut Plans,
    ) -> Result<(), Failed> {
        let mut files = Vec::new();
        for kind in ["sbom/cache", "sbom/launch"] {
            files.extend(self.files_below(kind)?);
        }
        let plan = plans.plan_sbom(&SbomRequest {
            semantics: args.session.reading.semantics(),
            directory: self.inner.to_owned(),
            platform_api: args.platform_api.clone(),
            group: group.to_vec(),
            files,
            directories: self.directories()?,
        })?;
        for copied in &plan.copies {
            self.copy(copied)?;
        }
        for path in &plan.remove {
            self.remove(path).map_err(lend::failed)?;
        }
        Ok(())
    }

    /// The regular files below a directory, from the layers directory.
    fn files_below(&self, directory: &str) -> Result<Vec<String>, Failed> {
        let path = format!("{}/{directory}", self.inner.trim_end_matches('/'));
        let found = match self.files.walk(&path, FsFacts::default(), MOST) {
            Err(failure) if failure.code == FailureCode::NotFound => return Ok(Vec::new()),
            found => found.map_err(lend::failed)?,
        };
        let files = found.into_iter().filter(|entry| entry.kind == Kind::File);
        Ok(files
            .map(|entry| format!("{directory}/{}", entry.path))
            .collect())
    }

    /// The directories in the layers directory.
    fn directories(&self) -> Result<Vec<String>, Failed> {
        let names = self.files.list_names(self.inner).map_err(lend::failed)?;
        let below = self.inner.trim_end_matches('/');
        let paths: Vec<String> = names.iter().map(|name| format!("{below}/{name}")).collect();
        let stats = self.files.stat(&paths, false, FsFacts::default());
        let is_directory = |entry: &Result<Entry, Failure>| {
            entry
                .as_ref()
                .is_ok_and(|entry| entry.kind == Kind::Directory)
        };
        Ok(names
            .into_iter()
            .zip(stats)
            .filter(|(_, stat)| is_directory(stat))
            .map(|(name, _)| name)
            .collect())
    }

    /// Copies a file as it is, whatever bytes it has.
    fn copy(&self, copied: &SbomCopy) -> Result<(), Failed> {
        let SbomCopy { source, target } = copied;
        let failed = |error: io::Error| {
            Failed::new(
                "file",
                format!("cannot copy {source:?} to {target:?}: {error}"),
            )
            .about(target)
        };
        let mut from = self.files.open_file(source).map_err(lend::failed)?;
        let (parent, name) = target.rsplit_once('/').unwrap_or(("/", target));
        let name = decode(name).map_err(|_| failed(io::ErrorKind::InvalidInput.into()))?;
        let name = Path::new(OsStr::from_bytes(&name));
        let parent = self.files.open_directory(parent).map_err(lend::failed)?;
        let parent = cap_std::fs::Dir::from(parent);
        // Nothing is written through a link.
        match parent.remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let mut to = parent.create(name).map_err(failed)?;
        io::copy(&mut from, &mut to).map_err(failed)?;
        Ok(())
    }

    /// The text of a file; empty without one.
    pub fn text(&self, path: &str) -> Result<String, Failed> {
        let answer = self.files.read(&[path.to_owned()], LONGEST).pop();
        match answer {
            Some(Ok(content)) => Ok(content.text),
            Some(Err(failure)) if failure.code == FailureCode::NotFound => Ok(String::new()),
            Some(Err(failure)) => Err(lend::failed(failure)),
            None => Ok(String::new()),
        }
    }

    fn remove(&self, path: &str) -> Result<(), Failure> {
        let whole = [path.to_owned()];
        let kind = match self.files.stat(&whole, false, FsFacts::default()).pop() {
            Some(Ok(entry)) => entry.kind,
            Some(Err(failure)) if failure.code != FailureCode::NotFound => return Err(failure),
            _ => return Ok(()),
        };
        if kind != Kind::Directory {
            return self.files.remove(&whole).into_iter().collect();
        }
        let found = self.files.walk(path, FsFacts::default(), MOST)?;
        // What is in a directory comes after it in a walk.
        let paths: Vec<String> = found
            .iter()
            .rev()
            .map(|entry| match entry.path.as_str() {
                "." => path.to_owned(),
                inside => format!("{path}/{inside}"),
            })
            .collect();
        self.files.remove(&paths).into_iter().collect()
    }
}

/// A path below another; the name is not encoded yet.
pub fn join(directory: &str, name: &str) -> String {
    format!(
        "{}/{}",
        directory.trim_end_matches('/'),
        encode(name.as_bytes())
    )
}

fn plain(name: &str) -> Option<String> {
    String::from_utf8(decode(name).ok()?).ok()
}
