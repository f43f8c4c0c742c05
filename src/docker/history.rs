//! History entries: their equality, and what a source's history says about a
//! parent, a command and a layer (Docker spec, sections 5.2 to 5.5).

use super::reason::{Finding, Reason};
use super::version::Rules;
use crate::explain::Difference;
use crate::go_json::{Timestamp, Writer, Zone, object};
use crate::prelude::*;

/// One entry of an image's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub created: Option<Timestamp>,
    pub created_by: String,
    pub author: String,
    pub comment: String,
    pub empty_layer: bool,
}

object!(Entry {
    "created" => created,
    "created_by" => created_by,
    "author" => author,
    "comment" => comment,
    "empty_layer" => empty_layer,
});

impl Entry {
    /// Whether BuildKit made the entry: it writes a comment into each, such as
    /// `buildkit.dockerfile.v0`, the classic builder into none.
    pub fn is_by_buildkit(&self) -> bool {
        self.comment.starts_with("buildkit.") || self.created_by.ends_with("# buildkit")
    }

    /// Appends the entry as JSON to entries joined with commas; `None` if its
    /// time cannot be written.
    pub fn append_to(&self, entries: &mut String, rules: &Rules) -> Option<()> {
        let Self {
            created,
            created_by,
            author,
            comment,
            empty_layer,
        } = self;
        let mut w = Writer::new(rules.escapes);
        let mut written = true;
        w.object(|w| {
            if let Some(time) = created {
                w.member("created");
                written = time.encode(w);
            }
            let mut texts = [("created_by", created_by), ("author", author)];
            if rules.author_first {
                texts.reverse();
            }
            for (name, text) in texts.into_iter().chain([("comment", comment)]) {
                if !text.is_empty() {
                    w.member(name).string(text);
                }
            }
            if *empty_layer {
                w.member("empty_layer").bool(true);
            }
        });
        if !entries.is_empty() {
            entries.push(',');
        }
        entries.push_str(w.as_str());
        written.then_some(())
    }

    /// The entry as it reads back after it was written: an offset of zero
    /// becomes `Z` (hazard H12).
    pub fn rewritten(&self) -> Self {
        let mut entry = self.clone();
        if let Some(time) = &mut entry.created
            && time.zone == Zone::Offset(0)
        {
            time.zone = Zone::Zulu;
        }
        entry
    }

    /// Every field in which two entries differ (Docker spec, section 5.4); `at` is
    /// put before the names.
    pub fn differences(&self, other: &Self, at: &str) -> Vec<Difference> {
        let Self {
            created,
            created_by,
            author,
            comment,
            empty_layer,
        } = self;
        let mut list = Vec::new();
        let mut note = |name: &str, have: Option<String>, want: Option<String>| {
            list.push(Difference::new(format!("{at}{name}"), have, want));
        };
        if *created != other.created {
            note("created", created.map(show), other.created.map(show));
        }
        for (name, have, want) in [
            ("created_by", created_by, &other.created_by),
            ("author", author, &other.author),
            ("comment", comment, &other.comment),
        ] {
            if have != want {
                note(name, Some(have.clone()), Some(want.clone()));
            }
        }
        if *empty_layer != other.empty_layer {
            note(
                "empty_layer",
                Some(empty_layer.to_string()),
                Some(other.empty_layer.to_string()),
            );
        }
        list
    }
}

/// A time for people, with its zone told apart as equality does.
pub fn show(time: Timestamp) -> String {
    match (time.to_text(), time.zone) {
        (Some(text), Zone::Offset(0)) => text.replace('Z', "+00:00"),
        (Some(text), _) => text,
        (None, _) => format!("offset of {} s", time.offset()),
    }
}

/// The history and the layers of an image.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a> {
    /// Its history.
    pub history: &'a [Entry],
    /// Its diff ids.
    pub diff_ids: &'a [String],
}

/// What speaks first against an image continuing a parent (Docker spec, section
/// 5.3), with both sides. Lookups compare running digests; explanations use this.
pub fn parent_mismatch(
    subject: &str,
    image: Chain<'_>,
    parent: Option<Chain<'_>>,
) -> Option<Finding> {
    if image.history.is_empty() {
        return Some(Finding::new(Reason::NoHistory, subject));
    }
    let parent = parent?;
    if parent.history.is_empty() && parent.diff_ids.is_empty() {
        return None;
    }
    let (entries, layers) = (parent.history.len(), parent.diff_ids.len());
    if entries >= image.history.len() {
        return Some(
            Finding::new(Reason::HistoryNotLonger, subject).with([counts(
                "history",
                image.history.len(),
                entries,
            )]),
        );
    }
    if layers > image.diff_ids.len() {
        return Some(
            Finding::new(Reason::ParentHasMoreLayers, subject).with([counts(
                "rootfs.diff_ids",
                image.diff_ids.len(),
                layers,
            )]),
        );
    }
    for (index, (have, want)) in image.history.iter().zip(parent.history).enumerate() {
        if have != want {
            let differences = have.differences(want, &format!("history[{index}]."));
            let finding = Finding::new(Reason::HistoryMismatch, subject).with(differences);
            return Some(if only_zone(have, want) {
                finding
                    .hint("only the spelling of the time zone differs: Z and +00:00 are not equal")
            } else {
                finding
            });
        }
    }
    for (index, (have, want)) in image.diff_ids.iter().zip(parent.diff_ids).enumerate() {
        if have != want {
            return Some(
                Finding::new(Reason::LayerMismatch, subject).with([Difference::new(
                    format!("rootfs.diff_ids[{index}]"),
                    have.clone(),
                    want.clone(),
                )]),
            );
        }
    }
    None
}

fn counts(path: &str, have: usize, want: usize) -> Difference {
    Difference::new(format!("{path}.length"), have.to_string(), want.to_string())
}

fn only_zone(a: &Entry, b: &Entry) -> bool {
    let instant = |entry: &Entry| entry.created.map(|time| time.instant());
    instant(a) == instant(b) && {
        let mut a = a.clone();
        a.created = b.created;
        a == *b
    }
}

/// The command of a config as history entries tell it: the words joined by one
/// space, which loses where they end (5.2, hazard H11).
pub fn joined(words: Option<&[String]>) -> String {
    words.unwrap_or_default().join(" ")
}

/// Why an image of the other builder never helps.
pub const BY_BUILDKIT: &str =
    "this image was built by BuildKit, whose history the classic builder never matches";

/// The finding that entry `index` was made by another command than `want`.
pub fn command_mismatch(subject: &str, index: usize, entry: &Entry, want: &str) -> Finding {
    let have = entry.created_by.as_str();
    let byte = have
        .bytes()
        .zip(want.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let finding = Finding::new(Reason::CommandMismatch, subject).with([
        Difference::new(
            format!("history[{index}].created_by"),
            have.to_owned(),
            want.to_owned(),
        ),
        Difference::fact("first-differing-byte", byte),
    ]);
    if entry.is_by_buildkit() {
        finding.hint(BY_BUILDKIT)
    } else if let Some(hint) = super::instruction::difference(have, want) {
        finding.hint(hint)
    } else {
        finding
    }
}
