//! Opening the cache: version check and prune (stacker spec, section 4).

use serde::Serialize;

use super::config::{CAPS, Options, Reading};
use super::disk::{self, excess};
use super::document::{self, Entries};
use super::guard::Guard;
use super::layer_type;
use super::layout::Descriptor;
use super::put::{Effect, Renaming, Writing};
use super::reason::{Code, Fault};
use super::session::Session;
use crate::explain::{Difference, Finding};
use crate::host::{Content, Failure, FailureCode, Filesystem, Level, Observer, Precondition};
use crate::oci::{Digest, sha256};
use crate::prelude::*;

/// What the cache file was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// There was none.
    #[default]
    Absent,
    /// It was read.
    Loaded,
    /// It was of another version and was deleted.
    VersionMismatch,
    /// It could not be read and was kept under another name (guarded reading).
    Unreadable,
}

/// An entry that was dropped because its result is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Its name in the cache.
    pub key: String,
    /// The name of the layer it was built as.
    pub name: String,
    /// `build-only-rootfs-missing` with `path`, or `manifest-missing` with one
    /// difference for each layer type, sorted.
    pub reason: Finding,
}

/// What opening found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Opened {
    /// What the cache file was.
    pub state: State,
    /// The version number of a file of another version.
    pub found: Option<i64>,
    /// The entries that were dropped, sorted by key.
    pub pruned: Vec<Pruned>,
    /// What was written, or in a dry run would be.
    pub effects: Vec<Effect>,
    /// What the caller should know: where we deviate from stacker, files that
    /// could not be read.
    pub notes: Vec<Finding>,
}

/// Opens a session.
pub(super) fn open<'a, F: Filesystem, O: Observer>(
    fs: &'a F,
    observer: &'a O,
    options: Options,
) -> Result<Session<'a, F, O>, Fault> {
    let version = options.semantics.resolve()?;
    options.check_inputs(version)?;
    let caps = CAPS.with(&options.limits)?;
    for wanted in options.build.iter().flat_map(|build| &build.types) {
        if layer_type::wanted(wanted).is_none() {
            let message = "expected TYPE or TYPE+BOOL";
            return Err(Fault::new(Code::BadLayerType, wanted, message));
        }
    }
    let mut session = Session::empty(fs, observer, &options, version, caps);
    session.define_all(&options.definitions)?;
    let mut attempts = session.caps.get("attempts");
    while !session.load()? {
        attempts = attempts.saturating_sub(1);
        if attempts == 0 {
            let path = session.places.cache_file();
            let message = "other writers changed the cache file at each try";
            return Err(Fault::new(Code::Conflict, path, message));
        }
    }
    session.report();
    Ok(session)
}

/// A cache file that could be read.
pub(super) enum Loaded {
    Absent,
    /// The version it has.
    OtherVersion(i64, Content),
    Document(document::Document, Content),
    /// It is there, but it is no cache file.
    Unreadable(Fault, Option<Content>),
}

impl<F: Filesystem, O: Observer> Session<'_, F, O> {
    /// Reads and parses the cache file.
    pub(super) fn read_cache(&self) -> Result<Loaded, Fault> {
        let path = self.places.cache_file();
        let limit = self.caps.get("cache-bytes");
        let content = match disk::only(self.fs.read(core::slice::from_ref(&path), limit)) {
            Ok(content) => content,
            Err(failure) => return read_failed(&path, limit, &failure),
        };
        let number = match document::version(&content.text, self.depth()) {
            Ok(number) => number,
            Err(error) => {
                let fault = Fault::new(Code::ParseVersion, path, error.to_string());
                return Ok(Loaded::Unreadable(fault, Some(content)));
            }
        };
        if number != i64::from(self.version.number()) {
            return Ok(Loaded::OtherVersion(number, content));
        }
        match document::read(&content.text, self.version.schema(), self.depth()) {
            Ok(document) => {
                let count = u64::try_from(document.entries.len()).unwrap_or(u64::MAX);
                self.caps.check("layers", count, "open", &path)?;
                Ok(Loaded::Document(document, content))
            }
            Err(error) => {
                let fault = Fault::new(Code::ParseCache, path, error.to_string());
                Ok(Loaded::Unreadable(fault, Some(content)))
            }
        }
    }

    /// One try to open; false when somebody else wrote the file meanwhile.
    fn load(&mut self) -> Result<bool, Fault> {
        self.opened = Opened::default();
        self.entries = Entries::new();
        self.on_disk = None;
        if self.reading == Reading::Guarded {
            self.load_guard();
        }
        let path = self.places.cache_file();
        match self.read_cache()? {
            Loaded::Absent => Ok(true),
            Loaded::OtherVersion(number, _) => {
                self.opened.state = State::VersionMismatch;
                self.opened.found = Some(number);
                let sides = Difference::new(
                    "version",
                    number.to_string(),
                    self.version.number().to_string(),
                );
                self.opened
                    .notes
                    .push(Finding::new(Code::VersionMismatch, &path).with([sides]));
                self.opened.effects.push(Effect::Remove(path.clone()));
                if !self.dry_run {
                    // A failure is ignored, as upstream does; the next save
                    // finds the file and overwrites it.
                    let _ = self.fs.remove(&[path]);
                }
                Ok(true)
            }
            Loaded::Unreadable(fault, _) if self.reading == Reading::Compatible => Err(fault),
            Loaded::Unreadable(fault, content) => self.set_aside(&path, &fault, content),
            Loaded::Document(document, content) => {
                self.opened.state = State::Loaded;
                if !document.has_entries {
                    self.opened
                        .notes
                        .push(Finding::new(Code::CacheMemberMissing, &path));
                }
                self.entries = document.entries;
                self.on_disk = Some(content.digest);
                self.prune()
            }
        }
    }

    /// Keeps the bytes of an unreadable cache file under a name made of their
    /// digest, and starts empty (threat T20).
    fn set_aside(
        &mut self,
        path: &str,
        fault: &Fault,
        content: Option<Content>,
    ) -> Result<bool, Fault> {
        let mark = match content {
            Some(content) => match content.digest.parse::<Digest>() {
                Ok(digest) => digest.hex().to_owned(),
                Err(_) => sha256(content.text.as_bytes()).hex().to_owned(),
            },
            None => "unread".to_owned(),
        };
        let aside = format!("{path}.unreadable-{mark}");
        if !self.dry_run {
            let moved = self.fs.rename(path, &aside);
            let moved = match moved {
                // The same bytes are kept already.
                Err(failure) if failure.code == FailureCode::Conflict && mark != "unread" => {
                    disk::only(self.fs.remove(&[path.to_owned()]))
                }
                other => other,
            };
            match moved {
                Ok(()) => {}
                Err(failure) if failure.code == FailureCode::NotFound => return Ok(false),
                Err(failure) => return Err(Fault::host(Code::ReadCache, path, &failure)),
            }
        }
        self.opened.state = State::Unreadable;
        let why = fault.findings().pop();
        let finding = Finding::new(Code::CacheUnreadable, path).with([
            Difference::fact("kept", &aside),
            Difference::fact(
                "why",
                why.as_ref().map(|why| why.code.clone()).unwrap_or_default(),
            ),
        ]);
        let finding = match why.and_then(|why| why.hint) {
            Some(hint) => finding.hint(hint),
            None => finding,
        };
        self.opened.notes.push(finding);
        let renaming = Renaming {
            old: path.to_owned(),
            new: aside,
        };
        self.opened.effects.push(Effect::Rename(renaming));
        Ok(true)
    }

    /// Drops the entries whose results are gone, and saves if there were any.
    /// Each entry is judged alone (stacker spec, section 11.3). In the
    /// guarded reading an entry whose result cannot be looked at now is kept
    /// and does not hit.
    fn prune(&mut self) -> Result<bool, Fault> {
        let mut judged = self.missing_results();
        judged.extend(self.missing_manifests()?);
        let (gone, unknown): (Vec<_>, Vec<_>) = judged
            .into_iter()
            .partition(|judged| judged.gone || self.reading == Reading::Compatible);
        self.unknown.clear();
        for Judged { key, reason, .. } in unknown {
            self.opened
                .notes
                .push(Finding::new(Code::ResultUnknown, &key).with(reason.differences.clone()));
            self.unknown.insert(key, reason.differences);
        }
        if gone.is_empty() {
            return Ok(true);
        }
        for Judged { key, reason, .. } in gone {
            if let Some(entry) = self.entries.remove(&key) {
                self.guard.drop_name(&key);
                let name = entry.name().to_owned();
                self.opened.pruned.push(Pruned { key, name, reason });
            }
        }
        sort_by(&mut self.opened.pruned, |a, b| a.key.cmp(&b.key));
        let without =
            |entry: &super::entry::Entry| !entry.build_only() && entry.manifests().next().is_none();
        let kept: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| without(entry))
            .map(|(name, _)| name.clone())
            .collect();
        let note = |name| Finding::new(Code::EntryWithoutManifests, name);
        self.opened.notes.extend(kept.into_iter().map(note));
        let path = self.places.cache_file();
        let text = document::write(&self.entries, self.version.number());
        let digest = self.on_disk.clone().unwrap_or_default();
        self.opened
            .effects
            .push(Effect::Replace(Writing::cache(&path, &text)));
        if self.dry_run {
            return Ok(true);
        }
        let change = Writing::cache(&path, &text).change(Precondition::Unchanged(digest));
        match disk::only(self.fs.write(&[change])) {
            Ok(()) => {
                self.on_disk = Some(sha256(text.as_bytes()).to_string());
                Ok(true)
            }
            Err(failure) if failure.code == FailureCode::Conflict => Ok(false),
            Err(failure) => Err(Fault::host(Code::Io, path, &failure)),
        }
    }

    /// Build-only entries whose result cannot be looked at.
    fn missing_results(&self) -> Vec<Judged> {
        let entries: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.build_only())
            .collect();
        let places: Vec<_> = entries
            .iter()
            .map(|(_, entry)| self.places.result(entry.name()))
            .collect();
        let stats = disk::stat_all(self.fs, &places);
        let missing = |(((key, _), path), stat): (((&String, _), String), Result<_, Failure>)| {
            let failure = stat.err()?;
            Some(Judged {
                key: key.clone(),
                gone: is_gone(failure.code),
                reason: Finding::new(Code::BuildOnlyRootfsMissing, key)
                    .with([Difference::fact("path", path)])
                    .hint(failure.message),
            })
        };
        entries
            .into_iter()
            .zip(places)
            .zip(stats)
            .filter_map(missing)
            .collect()
    }

    /// Other entries with a manifest that cannot be read.
    fn missing_manifests(&self) -> Result<Vec<Judged>, Fault> {
        let mut owners = Vec::new();
        let mut descriptors = Vec::new();
        for (key, entry) in self.entries.iter().filter(|(_, entry)| !entry.build_only()) {
            for (layer_type, value) in entry.manifests() {
                owners.push((key, layer_type));
                descriptors.push(Descriptor::new(value, self.version));
            }
        }
        let limit = self.caps.get("manifests");
        if u64::try_from(descriptors.len()).unwrap_or(u64::MAX) > limit {
            return Err(excess("manifests", limit, &self.places.cache_file()).into());
        }
        let mut missing: Vec<Judged> = Vec::new();
        let layout = self.layout(self.places.oci.clone());
        let answers = layout.readable(&descriptors);
        for ((key, layer_type), answer) in owners.into_iter().zip(answers) {
            let Err(why) = answer else { continue };
            let difference = Difference::fact(layer_type, why.message);
            // What is gone counts, whatever else cannot be said.
            match missing.last_mut().filter(|judged| judged.key == *key) {
                Some(judged) => {
                    judged.gone |= is_gone(why.code);
                    judged.reason.differences.push(difference);
                }
                None => missing.push(Judged {
                    key: key.clone(),
                    gone: is_gone(why.code),
                    reason: Finding::new(Code::ManifestMissing, key).with([difference]),
                }),
            }
        }
        Ok(missing)
    }

    /// Reads the digests of bases. Without them layers on built bases miss once.
    pub(super) fn load_guard(&mut self) {
        let (guard, digest, readable) = self.read_guard();
        self.guard = guard;
        self.guard_on_disk = digest;
        self.guard_lost = !readable;
        if !readable {
            let path = self.places.guard_file();
            self.opened
                .notes
                .push(Finding::new(Code::GuardUnreadable, path));
        }
    }

    /// The guard file, its digest, and whether it is one or absent.
    pub(super) fn read_guard(&self) -> (Guard, Option<String>, bool) {
        let path = self.places.guard_file();
        let limit = self.caps.get("cache-bytes");
        match disk::only(self.fs.read(&[path], limit)) {
            Ok(content) => match Guard::read(&content.text) {
                Some(guard) => (guard, Some(content.digest), true),
                None => (Guard::default(), Some(content.digest), false),
            },
            Err(failure) => (
                Guard::default(),
                None,
                failure.code == FailureCode::NotFound,
            ),
        }
    }

    /// Tells the observer what opening did.
    fn report(&self) {
        for note in &self.opened.notes {
            self.observer
                .log(Level::Warn, &note.code, &[("path", &note.subject)]);
        }
        for pruned in &self.opened.pruned {
            self.observer
                .log(Level::Info, &pruned.reason.code, &[("layer", &pruned.key)]);
        }
    }
}

/// An entry whose result cannot be looked at.
struct Judged {
    key: String,
    /// Whether the result is gone, or the host cannot say now.
    gone: bool,
    reason: Finding,
}

/// Whether a failure says something about the result, and not about the host.
const fn is_gone(code: FailureCode) -> bool {
    !matches!(
        code,
        FailureCode::Unauthorized
            | FailureCode::Denied
            | FailureCode::Unavailable
            | FailureCode::TooLarge
            | FailureCode::Full
            | FailureCode::Cancelled
            | FailureCode::Deadline
    )
}

/// What a failed read of the cache file means. Bytes that the host calls
/// corrupt are an unreadable file; a file that cannot be reached now is not.
fn read_failed(path: &str, limit: u64, failure: &Failure) -> Result<Loaded, Fault> {
    let fault = Fault::host(Code::ReadCache, path, failure);
    match failure.code {
        FailureCode::NotFound => Ok(Loaded::Absent),
        FailureCode::TooLarge => Err(excess("cache-bytes", limit, path).into()),
        FailureCode::Corrupt | FailureCode::Truncated => Ok(Loaded::Unreadable(fault, None)),
        _ => Err(fault),
    }
}
