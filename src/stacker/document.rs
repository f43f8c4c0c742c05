//! The cache file as a document (stacker spec, sections 3 and 4).

use super::codec::Unknown;
use super::entry::Entry;
use super::schema::{Kind, Schema};
use super::value::Value;
use crate::go_json::{Decode as _, Error, Reader, Shape, Writer, from_str, object, same_name};
use crate::prelude::*;

/// The entries by name.
pub(crate) type Entries = BTreeMap<String, Rc<Entry>>;

/// Only the version of a document; 0 when it has none.
#[derive(Debug, Default)]
struct VersionOnly {
    version: i64,
}

object!(VersionOnly { "version" => version });

/// What a document holds.
#[derive(Debug)]
pub(crate) struct Document {
    pub entries: Entries,
    /// False when it has no `cache` member, or a null one.
    pub has_entries: bool,
}

/// The version number of a document.
pub(crate) fn version(text: &str, depth: u32) -> Result<i64, Error> {
    from_str::<VersionOnly>(text, depth).map(|document| document.version)
}

/// Reads all of a document.
pub(crate) fn read(text: &str, schema: &'static Schema, depth: u32) -> Result<Document, Error> {
    let kind = Kind::Record(&schema.entry);
    let mut values: Option<BTreeMap<String, Value>> = None;
    let mut number = 0_i64;
    let mut reader = Reader::new(text, depth);
    let reader = &mut reader;
    if !reader.null()? {
        reader.object(|reader, name| {
            let is = |field: &str| name == field || same_name(&name, field);
            if is("cache") {
                if reader.peek()? == Shape::Null {
                    values = None;
                    return reader.skip();
                }
                let values = values.get_or_insert_default();
                reader.object(|reader, name| {
                    let mut value = Value::zero(&kind);
                    value.decode(&kind, reader, Unknown::Skipped)?;
                    values.insert(name.into_owned(), value);
                    Ok(())
                })
            } else if is("version") {
                number.decode(reader)
            } else {
                reader.skip()
            }
        })?;
    }
    reader.end()?;
    let has_entries = values.is_some();
    let values = values.unwrap_or_default();
    let entry = |(name, value)| (name, Rc::new(Entry::new(value, schema)));
    Ok(Document {
        entries: values.into_iter().map(entry).collect(),
        has_entries,
    })
}

/// The text of a cache file.
pub(crate) fn write(entries: &Entries, version: u32) -> String {
    let mut writer = Writer::default();
    writer.object(|writer| {
        writer.member("cache").object(|writer| {
            for (name, entry) in entries {
                writer.member(name).raw(&entry.text);
            }
        });
        writer.member("version").integer(i64::from(version));
    });
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stacker::schema::{V12, V16};

    #[test]
    fn what_was_written_reads_back() {
        let text = r#"{"cache":{"a":{"Manifests":{"tar":{"size":1,"data":"eA=="}},"Imports":{"/p":{"Type":1,"Hash":"h"}},
            "Name":"a","Layer":{"from":{"type":"oci"},"run":["x"],"bom":{"packages":[{}]}},"source_date_epoch":0},"b":null},"version":16}"#;
        for schema in [&V12, &V16] {
            let document = read(text, schema, 100).unwrap();
            let once = write(&document.entries, 16);
            let again = read(&once, schema, 100).unwrap();
            assert_eq!(write(&again.entries, 16), once);
            for (name, entry) in &document.entries {
                assert_eq!(entry.hash(), again.entries[name].hash(), "{once}");
            }
        }
    }

    #[test]
    fn repeated_lists_keep_what_the_earlier_ones_left() {
        // Recorded from Go 1.26: elements are decoded into the old ones.
        let run = |lists: &str| {
            let text = format!("{{\"cache\":{{\"a\":{{\"Layer\":{{{lists}}}}}}}}}");
            let document = read(&text, &V12, 100).unwrap();
            let layer = document.entries["a"].layer().unwrap().clone();
            layer
                .field(&V12.layer, "Run")
                .unwrap()
                .json(&Kind::List(&Kind::Text))
        };
        for (lists, want) in [
            (r#""Run":["a","b","c"],"Run":["z",null]"#, r#"["z","b"]"#),
            (
                r#""Run":["a","b","c"],"Run":["z"],"Run":[null,null,null,null]"#,
                r#"["z","b","c",""]"#,
            ),
            (
                r#""Run":["a","b","c"],"Run":[],"Run":[null,null]"#,
                r#"["",""]"#,
            ),
            (
                r#""Run":["a","b","c"],"Run":null,"Run":[null,null]"#,
                r#"["",""]"#,
            ),
            (r#""Run":["a"],"Run":null"#, "null"),
        ] {
            assert_eq!(run(lists), want, "{lists}");
        }
    }

    #[test]
    fn versions() {
        for (text, want) in [
            ("{}", Some(0)),
            ("null", Some(0)),
            (r#"{"version":null}"#, Some(0)),
            (" {\"VERSION\":12,\"x\":[{}]}\n", Some(12)),
            (r#"{"version":3,"Version":16}"#, Some(16)),
            ("", None),
            ("[]", None),
            ("12", None),
            (r#"{"version":12.0}"#, None),
            (r#"{"version":12"#, None),
            (r#"{"version":12} x"#, None),
        ] {
            assert_eq!(version(text, 100).ok(), want, "{text}");
        }
    }
}
