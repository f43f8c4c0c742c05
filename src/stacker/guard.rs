//! What the guarded reading keeps beside the cache: a SHA-256 for each 64-bit
//! base hash (threat T6), and the hashes of imports with a destination, for
//! which the cache has no place.
//!
//! The digests are in a file of their own, because that is the only place that
//! keeps the cache file byte-identical to stacker's and survives stacker
//! rewriting it (it drops unknown members). A record is bound to the digest of
//! the entry it belongs to, so an entry that stacker has replaced has none.
//! Several records of one name are kept: the file is written before the cache
//! file, and a crash or another writer between the two must not leave the entry
//! that is in force without its record.

use crate::go_json::{Error, Writer, from_str, object};
use crate::oci::{Digest, sha256};
use crate::prelude::*;

/// How many records of one name are kept.
const RECORDS: usize = 8;

const VERSION: i64 = 1;

/// What an entry's base was when the entry was put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// Digest of the entry as it is written.
    pub entry: String,
    /// Identity of its base; empty for a layer that is not built on another.
    pub base: String,
    /// The hashes of imports with a destination, by path.
    pub imports: BTreeMap<String, String>,
}

object!(Record { "entry" => entry, "base" => base, "imports" => imports });

#[derive(Debug, Default)]
struct Document {
    version: i64,
    layers: BTreeMap<String, Vec<Record>>,
}

object!(Document { "version" => version, "layers" => layers });

/// The records by layer name, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    records: BTreeMap<String, Vec<Record>>,
}

impl Guard {
    /// Reads the file. `None` if it is not one of ours.
    pub fn read(text: &str) -> Option<Self> {
        let document: Result<Document, Error> = from_str(text, 16);
        let document = document
            .ok()
            .filter(|document| document.version == VERSION)?;
        let is_digest = |text: &String| text.parse::<Digest>().is_ok();
        let valid = |record: &Record| {
            let base = record.base.is_empty() || is_digest(&record.base);
            is_digest(&record.entry) && base && record.imports.values().all(is_digest)
        };
        let all_valid = document.layers.values().flatten().all(valid);
        all_valid.then_some(Self {
            records: document.layers,
        })
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let mut writer = Writer::default();
        writer.object(|writer| {
            writer.member("version").integer(VERSION);
            writer.member("layers").object(|writer| {
                for (name, records) in &self.records {
                    writer.member(name).list(records, |writer, record| {
                        writer.object(|writer| {
                            writer.member("entry").string(&record.entry);
                            writer.member("base").string(&record.base);
                            if !record.imports.is_empty() {
                                writer.member("imports").object(|writer| {
                                    for (path, hash) in &record.imports {
                                        writer.member(path).string(hash);
                                    }
                                });
                            }
                        });
                    });
                }
            });
        });
        writer.finish()
    }

    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The identity of the base of an entry, if it was recorded.
    pub fn base(&self, name: &str, entry: &str) -> Option<&str> {
        let base = self.record(name, entry)?.base.as_str();
        (!base.is_empty()).then_some(base)
    }

    /// The hash of an import with a destination, if it was recorded.
    pub fn import(&self, name: &str, entry: &str, path: &str) -> Option<&str> {
        let imports = &self.record(name, entry)?.imports;
        imports.get(path).map(String::as_str)
    }

    fn record(&self, name: &str, entry: &str) -> Option<&Record> {
        let records = self.records.get(name)?;
        records.iter().rev().find(|record| record.entry == entry)
    }

    /// Adds a record; the oldest ones go, but never that of the entry `kept`.
    pub fn add(&mut self, name: &str, record: Record, kept: Option<&str>) {
        let records = self.records.entry(name.to_owned()).or_default();
        records.retain(|old| old.entry != record.entry);
        // Of several records of one entry the last is in force.
        let kept = records
            .iter()
            .rposition(|old| Some(old.entry.as_str()) == kept);
        let mut more = (records.len() + 1).saturating_sub(RECORDS);
        let mut at = 0;
        records.retain(|_| {
            let goes = more > 0 && Some(at) != kept;
            more -= usize::from(goes);
            at += 1;
            !goes
        });
        records.push(record);
    }

    /// Forgets a name.
    pub fn drop_name(&mut self, name: &str) {
        self.records.remove(name);
    }

    /// Takes over another writer's records.
    pub fn merge(&mut self, theirs: Self) {
        for (name, records) in theirs.records {
            let ours = self.records.remove(&name).unwrap_or_default();
            self.records.insert(name.clone(), records);
            for record in ours {
                self.add(&name, record, None);
            }
        }
    }
}

/// The identity of an entry as a base: SHA-256 over its digest and the identity
/// of its own base, framed by their lengths (threat T4).
pub(crate) fn identity(entry: &str, base: Option<&str>) -> String {
    let mut framed = Vec::new();
    for part in ["layerwise stacker base 1", entry, base.unwrap_or_default()] {
        framed.extend((part.len() as u64).to_le_bytes());
        framed.extend(part.as_bytes());
    }
    sha256(&framed).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u8) -> String {
        sha256(&[n]).to_string()
    }

    fn record(n: u8) -> Record {
        Record {
            entry: digest(n),
            base: digest(n + 100),
            imports: [("/src".to_owned(), digest(n + 50))].into(),
        }
    }

    #[test]
    fn round_trip_and_refusals() {
        let mut guard = Guard::default();
        guard.add("a\"b", record(1), None);
        guard.add("c", record(2), None);
        let again = Guard::read(&guard.text()).unwrap();
        assert_eq!(again.records, guard.records);
        assert_eq!(again.base("c", &digest(2)), Some(digest(102).as_str()));
        assert_eq!(again.base("c", &digest(1)), None);
        let with = |entry: &str, base: &str| {
            format!(r#"{{"version":1,"layers":{{"a":[{{"entry":"{entry}","base":"{base}"}}]}}}}"#)
        };
        assert!(Guard::read(&with(&digest(1), &digest(2))).is_some());
        for text in [
            "",
            "{}",
            r#"{"version":2,"layers":{}}"#,
            &with("x", "y"),
            &with(&digest(1), "y"),
            &with("x", &digest(2)),
        ] {
            assert!(Guard::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_record_in_force_is_never_dropped() {
        let mut guard = Guard::default();
        guard.add("a", record(0), None);
        for n in 1..50 {
            guard.add("a", record(n), Some(&digest(0)));
        }
        assert_eq!(guard.records["a"].len(), RECORDS);
        assert!(guard.base("a", &digest(0)).is_some());
        assert!(guard.base("a", &digest(49)).is_some());
        assert!(guard.base("a", &digest(2)).is_none());
    }

    /// A file may hold what this never writes; it is cut at once.
    #[test]
    fn many_records_of_one_entry_do_not_push_others_out() {
        let mut guard = Guard::default();
        guard.records.insert("a".to_owned(), vec![record(0); 50]);
        guard.add("a", record(1), Some(&digest(0)));
        assert_eq!(guard.records["a"].len(), RECORDS);
        assert!(guard.base("a", &digest(0)).is_some());
        assert!(guard.base("a", &digest(1)).is_some());
    }

    #[test]
    fn two_writers_lose_no_record() {
        let (mut ours, mut theirs) = (Guard::default(), Guard::default());
        ours.add("a", record(1), None);
        ours.add("b", record(2), None);
        theirs.add("a", record(3), None);
        theirs.add("c", record(4), None);
        ours.merge(theirs);
        for (name, n) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            assert!(ours.base(name, &digest(n)).is_some(), "{name} {n}");
        }
    }

    #[test]
    fn identities_are_framed() {
        assert_ne!(identity("ab", Some("c")), identity("a", Some("bc")));
        assert_ne!(identity("a", None), identity("a", Some("a")));
    }
}
