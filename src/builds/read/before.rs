//! Which build another one is compared with, unless it is named (Builds spec,
//! section 1.5).

use super::assemble::Read;
use super::record::Record;

/// The newest build that began before `of` and was asked for the same, as its place
/// among `all`; `None` if there is none, or `of` has no record.
pub fn before<'a>(of: &Read, all: impl IntoIterator<Item = &'a Read>) -> Option<usize> {
    let of = of.record.as_ref()?;
    let all = all.into_iter().enumerate();
    let records = all.filter_map(|(place, one)| Some((place, one.record.as_ref()?)));
    let earlier = records.filter(|(_, one)| {
        one.created < of.created && one.error.is_empty() && one.name != of.name && same(one, of)
    });
    let newest = earlier.max_by_key(|(_, one)| one.created);
    newest.map(|(place, _)| place)
}

/// Whether two builds were asked for the same.
fn same(one: &Record, other: &Record) -> bool {
    /// What a build is asked for, beside the frontend and the names of images.
    const ASKED: [&str; 6] = [
        "context",
        "filename",
        "platform",
        "source",
        "target",
        "vcs:source",
    ];
    let asked = |record: &Record| ASKED.map(|name| record.attributes.get(name).cloned());
    one.frontend == other.frontend
        && one.images == other.images
        && one.context == other.context
        && asked(one) == asked(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    fn record(name: &str, created: i64, attributes: &[(&str, &str)]) -> Record {
        Record {
            name: name.to_owned(),
            created: Some(created),
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Record::default()
        }
    }

    fn read(record: Record) -> Read {
        Read {
            record: Some(record),
            ..Read::default()
        }
    }

    #[test]
    fn the_newest_that_was_asked_for_the_same() {
        let of = record("now", 9, &[("target", "app"), ("build-arg:A", "2")]);
        let image = Record {
            images: vec!["other".to_owned()],
            ..record("image", 8, &[("target", "app")])
        };
        let failed = Record {
            error: "no".to_owned(),
            ..record("failed", 8, &[("target", "app")])
        };
        let all = [
            record("old", 1, &[("target", "app")]),
            record("wanted", 5, &[("target", "app"), ("build-arg:A", "1")]),
            record("target", 6, &[("target", "test")]),
            record(
                "platform",
                7,
                &[("target", "app"), ("platform", "linux/arm64")],
            ),
            image,
            failed,
            record("later", 10, &[("target", "app")]),
            of.clone(),
        ];
        let all = all.map(read);
        let of = read(of);
        assert_eq!(before(&of, &all), Some(1));
        assert_eq!(before(&of, &all[2..]), None);
        assert_eq!(before(&Read::default(), &all), None);
    }
}
