//! The journal of an audit: a file that only grows, one JSON document a line. What
//! is in it is not looked at again, so that an audit goes on where it was killed.
//!
//! A line is only believed when it is whole: the last one of a killed writer may not
//! be, and is cut off before the next one is written.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use crate::failed::Failed;

/// What the first line says.
const SCHEMA: &str = "layerwise/audit-journal/1";
/// No line is longer.
const LONGEST: u64 = 64 << 20;

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    schema: String,
    /// What was audited, as given.
    places: Vec<String>,
}

/// What was found out before, and where more is written.
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Where the line about each manifest begins, by repository and digest.
    lines: HashMap<String, u64>,
}

impl Journal {
    /// Opens a journal of these places, or begins one.
    pub fn open(path: &Path, places: &[String]) -> Result<Self, Failed> {
        let failed = |error| Failed::file("the journal", path, &error);
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let file = options.open(path).map_err(failed)?;
        file.try_lock()
            .map_err(|_| Failed::unreadable("the journal", path, "another audit is writing it"))?;
        let mut journal = Self {
            path: path.to_owned(),
            file,
            lines: HashMap::new(),
        };
        let end = journal.load(places)?;
        if end == 0 {
            journal.write(&Head {
                schema: SCHEMA.to_owned(),
                places: places.to_vec(),
            })?;
        }
        Ok(journal)
    }

    /// Reads what is there, and cuts off what is not whole.
    fn load(&mut self, places: &[String]) -> Result<u64, Failed> {
        let failed = |error| Failed::file("the journal", &self.path, &error);
        let bad = |why: &str| Failed::unreadable("the journal", &self.path, why);
        let mut reader = BufReader::new(&self.file);
        let mut line = Vec::new();
        let mut end = 0_u64;
        loop {
            line.clear();
            let mut limited = std::io::Read::take(&mut reader, LONGEST);
            let count = limited.read_until(b'\n', &mut line).map_err(failed)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            if end == 0 {
                let head: Head = serde_json::from_slice(&line)
                    .map_err(|_| bad("it is a file of another kind"))?;
                if head.schema != SCHEMA {
                    return Err(bad("it is of another version; name a new file"));
                }
                if head.places != places {
                    return Err(bad("it is of an audit of other places; name a new file"));
                }
            } else {
                let facts: Facts = serde_json::from_slice(&line)
                    .map_err(|error| bad(&format!("a line of it is damaged: {error}")))?;
                self.lines
                    .insert(key(&facts.repository, &facts.digest), end);
            }
            end = end.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
        self.file.set_len(end).map_err(failed)?;
        Ok(end)
    }

    /// What was found out about a manifest before.
    pub fn known(&self, repository: &str, digest: &str) -> Result<Option<Facts>, Failed> {
        let Some(start) = self.lines.get(&key(repository, digest)) else {
            return Ok(None);
        };
        let failed = |error| Failed::file("the journal", &self.path, &error);
        let mut file = &self.file;
        file.seek(SeekFrom::Start(*start)).map_err(failed)?;
        let mut line = Vec::new();
        let mut reader = BufReader::new(std::io::Read::take(file, LONGEST));
        reader.read_until(b'\n', &mut line).map_err(failed)?;
        let facts: Result<Facts, serde_json::Error> = serde_json::from_slice(&line);
        let bad = |error: serde_json::Error| {
            Failed::unreadable("the journal", &self.path, &format!("{error}"))
        };
        facts.map(Some).map_err(bad)
    }

    /// Adds what was found out.
    pub fn add(&mut self, facts: &Facts) -> Result<(), Failed> {
        self.write(facts)
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), Failed> {
        let failed = |error| Failed::unwritable(&format!("the journal {:?}", self.path), &error);
        let mut bytes = serde_json::to_vec(line).map_err(|error| failed(error.into()))?;
        bytes.push(b'\n');
        // One call, so that a kill leaves whole lines and at most one part of one.
        (&self.file).write_all(&bytes).map_err(failed)
    }
}

fn key(repository: &str, digest: &str) -> String {
    format!("{repository}@{digest}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn facts(digest: &str) -> Facts {
        Facts {
            repository: "oci:x".to_owned(),
            digest: digest.to_owned(),
            size: 1,
            names: vec!["a".to_owned()],
            kind: super::super::facts::Kind::Image,
            state: super::super::facts::State::Good,
            records: super::super::facts::Records::default(),
            findings: [("buildkit/dead".to_owned(), 1)].into(),
            problem: None,
            needs: Vec::new(),
            whole: true,
            missing: 0,
        }
    }

    /// Cut anywhere, as a kill does, all whole lines are there, and writing goes on.
    #[test]
    fn a_journal_that_was_cut_goes_on() {
        let directory = tempfile_directory();
        let path = directory.join("journal");
        let places = ["oci:x".to_owned()];
        let mut journal = Journal::open(&path, &places).unwrap();
        for digest in ["1", "2", "3"] {
            journal.add(&facts(digest)).unwrap();
        }
        drop(journal);
        let whole = fs::read(&path).unwrap();
        let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
        assert_eq!(ends.len(), 4);
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let mut journal = Journal::open(&path, &places).unwrap();
            for (at, digest) in ["1", "2", "3"].into_iter().enumerate() {
                let known = journal.known("oci:x", digest).unwrap();
                assert_eq!(known.is_some(), cut > ends[at + 1], "{cut}");
                assert!(known.is_none_or(|known| known == facts(digest)));
            }
            journal.add(&facts("4")).unwrap();
            drop(journal);
            let again = Journal::open(&path, &places).unwrap();
            assert_eq!(again.known("oci:x", "4").unwrap(), Some(facts("4")));
        }
        assert!(Journal::open(&path, &["oci:y".to_owned()]).is_err());
        fs::write(&path, "{\"other\":1}\n").unwrap();
        assert!(Journal::open(&path, &places).is_err());
        fs::remove_dir_all(directory).unwrap();
    }

    fn tempfile_directory() -> PathBuf {
        let name = format!("layerwise-journal-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}
