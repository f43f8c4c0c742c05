//! Opening the cache: version check and prune (stacker spec, section 4).

use super::document::Entries;
use super::effect::{Effect, Renaming};
use super::layer_type;
use super::load::Loaded;
use super::opened::{Opened, State};
use super::options::{LIMITS, Options, Reading};
use super::reason::{Fault, Reason};
use super::state::Session;
use crate::explain::{Difference, Finding};
use crate::host::{Content, FailureCode, Filesystem, Level, Observer, only};
use crate::limits::Limit;
use crate::oci::{Digest, sha256};
use crate::prelude::*;

/// Opens a session.
pub(super) fn open<F: Filesystem, O: Observer>(
    fs: F,
    observer: O,
    options: Options,
) -> Result<Session<F, O>, Fault> {
    let version = options.semantics.resolve()?;
    options.check_inputs(version)?;
    let limits = LIMITS.with(&options.limits)?;
    for wanted in options.build.iter().flat_map(|build| &build.types) {
        layer_type::wanted(wanted)?;
    }
    let mut session = Session::empty(fs, observer, &options, version, limits);
    session.define_all(&options.definitions)?;
    let mut attempts = session.limits.get(Limit::Attempts);
    while !session.load()? {
        attempts = attempts.saturating_sub(1);
        if attempts == 0 {
            let path = session.places.cache_file();
            let message = "other writers changed the cache file at each try";
            return Err(Fault::new(Reason::Conflict, path, message));
        }
    }
    session.report();
    Ok(session)
}

impl<F: Filesystem, O: Observer> Session<F, O> {
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
                    .push(Finding::new(Reason::VersionMismatch, &path).with([sides]));
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
                        .push(Finding::new(Reason::CacheMemberMissing, &path));
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
                    only(self.fs.remove(&[path.to_owned()]))
                }
                other => other,
            };
            match moved {
                Ok(()) => {}
                Err(failure) if failure.code == FailureCode::NotFound => return Ok(false),
                Err(failure) => return Err(Fault::host(Reason::ReadCache, path, &failure)),
            }
        }
        self.opened.state = State::Unreadable;
        let why = fault.causes.last().cloned();
        let finding = Finding::new(Reason::CacheUnreadable, path).with([
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
                .push(Finding::new(Reason::GuardUnreadable, path));
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
