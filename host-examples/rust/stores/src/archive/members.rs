//! What is in an archive: its documents, and where everything else lies.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use layerwise::host::{Failure, FailureCode};
use layerwise_files::too_large;
use tar::EntryType;

use super::input::{self, Input};

/// The largest document that is kept, and the bytes of all of them with all names.
const LONGEST: u64 = 8 << 20;
const MOST_BYTES: u64 = 256 << 20;
/// So many entries are looked at.
const MOST_ENTRIES: usize = 1_000_000;
/// So many links of an archive lead to one member.
const MOST_LINKS: usize = 8;

/// The members of an archive, by their names.
#[derive(Debug)]
pub struct Members {
    path: PathBuf,
    documents: BTreeMap<String, String>,
    places: BTreeMap<String, Place>,
}

/// What lies under a name.
#[derive(Debug)]
enum Place {
    File(Member),
    /// Another name of a member, as old engines save a layer that they saved before.
    Link(String),
}

/// The bytes of a file in the archive.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    pub start: u64,
    pub size: u64,
}

impl Members {
    /// Reads an archive once.
    ///
    /// # Errors
    /// `not-found`, `denied`, `too-large`; `corrupt` for what is no tar.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let mut members = Self {
            path: path.to_owned(),
            documents: BTreeMap::new(),
            places: BTreeMap::new(),
        };
        let damaged = |entries: usize, error: io::Error| damaged(path, entries, &error);
        let mut archive = tar::Archive::new(Input::open(path)?);
        let (mut entries, mut left) = (0, MOST_BYTES);
        let mut keep = |bytes: u64| match left.checked_sub(bytes) {
            Some(less) => {
                left = less;
                Ok(())
            }
            None => {
                let what = format!("the documents and names of {path:?}");
                Err(too_large(&what, MOST_BYTES.saturating_add(1), MOST_BYTES))
            }
        };
        // Raw, because long names and attributes, which no member that matters has, would
        // be read into memory whatever their length.
        for entry in archive
            .entries()
            .map_err(|error| damaged(0, error))?
            .raw(true)
        {
            let mut entry = entry.map_err(|error| damaged(entries, error))?;
            entries += 1;
            if entries > MOST_ENTRIES {
                let message = format!("{path:?} has more than {MOST_ENTRIES} entries");
                return Err(Failure::new(FailureCode::TooLarge, message));
            }
            let Ok(name) = String::from_utf8(entry.path_bytes().into_owned()) else {
                continue;
            };
            let name = name.trim_start_matches("./").to_owned();
            keep(name.len() as u64)?;
            members.documents.remove(&name);
            let (kind, size) = (entry.header().entry_type(), entry.size());
            if matches!(kind, EntryType::Symlink | EntryType::Link) {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                if let Ok(target) = String::from_utf8(target) {
                    let target = match kind {
                        EntryType::Link => target.trim_start_matches("./").to_owned(),
                        _ => beside(&name, &target),
                    };
                    keep(target.len() as u64)?;
                    members.places.insert(name, Place::Link(target));
                }
                continue;
            }
            if !kind.is_file() {
                continue;
            }
            let start = entry.raw_file_position();
            let file = Place::File(Member { start, size });
            members.places.insert(name.clone(), file);
            if size > LONGEST {
                continue;
            }
            let mut text = Vec::new();
            let first = entry.by_ref().take(1).read_to_end(&mut text);
            first.map_err(|error| damaged(entries, error))?;
            // Layers are no JSON.
            if !matches!(text.first(), Some(b'{' | b'[')) {
                continue;
            }
            keep(size)?;
            let rest = entry.read_to_end(&mut text);
            rest.map_err(|error| damaged(entries, error))?;
            if let Ok(text) = String::from_utf8(text) {
                members.documents.insert(name, text);
            }
        }
        Ok(members)
    }

    /// A document that may be there.
    pub fn document(&self, name: &str) -> Option<&str> {
        let name = name.trim_start_matches("./");
        self.documents.get(name).map(String::as_str)
    }

    /// A document that has to be there.
    ///
    /// # Errors
    /// `corrupt`.
    pub fn text(&self, name: &str) -> Result<&str, Failure> {
        let text = self.document(name);
        text.ok_or_else(|| self.corrupt(&format!("{name:?} is not in it, or not a document")))
    }

    /// Where a file lies, links followed.
    ///
    /// # Errors
    /// `not-found`.
    pub fn file(&self, name: &str) -> Result<Member, Failure> {
        let mut at = name.trim_start_matches("./");
        for _ in 0..MOST_LINKS {
            match self.places.get(at) {
                Some(Place::File(member)) => return Ok(*member),
                Some(Place::Link(target)) => at = target,
                None => break,
            }
        }
        let message = format!("the layer {name:?} is not in {:?}", self.path);
        Err(Failure::new(FailureCode::NotFound, message))
    }

    /// That this is no archive of images.
    pub fn corrupt(&self, why: &str) -> Failure {
        let message = format!("{:?} is not an archive of images: {why}", self.path);
        Failure::new(FailureCode::Corrupt, message)
    }
}

/// Where a link leads that stands at `name`.
fn beside(name: &str, target: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Why an archive cannot be read, after so many entries. The words of the reader are left
/// out: they show the bytes that it did not understand.
fn damaged(path: &Path, entries: usize, error: &io::Error) -> Failure {
    if let Some(failure) = input::carried(error) {
        return failure.clone();
    }
    let why = match (input::compression(path), error.kind()) {
        (Some("gzip"), _) => "its compressed bytes are damaged, or are no tar".to_owned(),
        (Some(kind), _) => {
            format!("it is compressed with {kind}, and only gzip is uncompressed here")
        }
        (None, io::ErrorKind::UnexpectedEof) => "it ends too early".to_owned(),
        (None, io::ErrorKind::Other | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
            match entries {
                0 => "it is none".to_owned(),
                _ => format!("it is damaged behind entry {entries}"),
            }
        }
        (None, kind) => kind.to_string(),
    };
    let message = format!("cannot read {path:?} as a tar file: {why}");
    Failure::new(FailureCode::Corrupt, message)
}
