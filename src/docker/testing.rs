//! Single rules as functions that only vector runners call.

use super::compare::{Comparison, compare};
use super::config::list;
use super::history::{Entry, command_mismatch, joined};
use super::key::Labels;
use super::local::Match;
use super::platform::Matcher;
use super::read::{DEPTH, invalid, read_config, read_image};
use super::reason::Reason;
use super::source::{EntryLayer, Source};
use super::version::Rules;
use crate::error::{Error, Problem};
use crate::explain::{Difference, Finding};
use crate::go_json::{Timestamp, Writer, from_str};
use crate::oci::Platform;
use crate::prelude::*;
use crate::semantics::Semantics;

/// Compares an image's container config with a requested one (Docker spec, section
/// 5.1).
///
/// # Errors
/// `invalid` for a text that is not a config, `unsupported` for a version.
pub fn compare_configs(
    have: Option<&str>,
    want: Option<&str>,
    semantics: &Semantics,
) -> Result<Comparison, Error> {
    let rules = Rules::of(semantics)?;
    let read = |text: Option<&str>| match text {
        None => Ok(None),
        Some(text) => read_config(text, &rules, DEPTH),
    };
    let labels = if semantics.is_guarded() {
        Labels::Exact
    } else {
        Labels::MissingIsEmpty
    };
    let (have, want) = (read(have)?, read(want)?);
    Ok(compare(
        have.as_ref(),
        want.as_ref(),
        rules.compared,
        labels,
    ))
}

/// For each builder platform, whether it accepts each image platform (Docker spec,
/// section 6.2).
///
/// # Errors
/// `unsupported` for a version.
pub fn match_platforms(
    builders: &[Platform],
    images: &[Platform],
    host_os: &str,
    semantics: &Semantics,
) -> Result<Vec<Vec<bool>>, Error> {
    let rules = Rules::of(semantics)?;
    Ok(builders
        .iter()
        .map(|builder| {
            let matcher = Matcher::new(builder, host_os, &rules);
            let accepts = |image| matcher.mismatch(image).is_none();
            images.iter().map(accepts).collect()
        })
        .collect())
}

/// What differs between a history entry and the command of a config (Docker spec,
/// section 5.2).
///
/// # Errors
/// `invalid` for texts that are not such documents, and for a null config.
pub fn compare_command(
    entry: &str,
    config: &str,
    semantics: &Semantics,
) -> Result<Option<Finding>, Error> {
    let rules = Rules::of(semantics)?;
    let entry = read_entry(entry)?;
    let config = read_config(config, &rules, DEPTH)?.ok_or_else(|| {
        Error::Invalid(Problem::new(
            Reason::ConfigMissing,
            "compare command",
            "config",
            "no config to compare with",
        ))
    })?;
    let want = joined(list(&config.cmd));
    let differs = entry.created_by != want;
    Ok(differs.then(|| command_mismatch("entry", 0, &entry, &want).text()))
}

/// The fields in which two history entries differ (Docker spec, section 5.4).
///
/// # Errors
/// `invalid` for a text that is not an entry.
pub fn compare_history(a: &str, b: &str) -> Result<Vec<Difference>, Error> {
    Ok(read_entry(a)?.differences(&read_entry(b)?, ""))
}

/// The diff id that belongs to a history entry (Docker spec, section 5.5); `None`
/// for an entry without a layer.
///
/// # Errors
/// `invalid` for a text that is not an image document, `corrupt` when there are
/// fewer layers than entries that have one.
pub fn layer_of(
    document: &str,
    index: u32,
    semantics: &Semantics,
) -> Result<Option<String>, Error> {
    let rules = Rules::of(semantics)?;
    let image = read_image(document, &rules)?;
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    match Source::of("image".to_owned(), "image", false, image).layer_of(index) {
        EntryLayer::None | EntryLayer::Empty(_) => Ok(None),
        EntryLayer::At(_, id) => Ok(Some(id)),
        EntryLayer::OutOfRange(place) => Err(Error::Corrupt(Problem::new(
            Reason::LayerIndexOutOfRange,
            "find layer",
            format!("history[{index}]"),
            format!("there is no layer {place}"),
        ))),
    }
}

/// Which of the creation times the local lookup keeps (Docker spec, section 4.1).
///
/// # Errors
/// `invalid` for a text that is not a time stamp.
pub fn newest(created: &[Option<String>], semantics: &Semantics) -> Result<Option<u32>, Error> {
    let mut matches = Vec::new();
    for (index, text) in created.iter().enumerate() {
        if let Some(text) = text {
            matches.push(Match {
                // The order of these ids is the order of the list.
                id: format!("{index:020}"),
                created: read_time(text)?.instant(),
                overlooked: false,
            });
        }
    }
    Ok(super::local::newest(&matches, semantics.is_guarded()).and_then(|m| m.id.parse().ok()))
}

/// Reads a time stamp as Go does (Docker spec, section 1.4).
///
/// # Errors
/// `invalid` for what Go refuses.
pub fn parse_time(text: &str) -> Result<Timestamp, Error> {
    read_time(text)
}

/// A container config, read and written as Go does (Docker spec, sections 1.2 to
/// 1.5).
///
/// # Errors
/// `invalid` for a text that is not a config.
pub fn encode_config(text: &str, semantics: &Semantics) -> Result<String, Error> {
    let rules = Rules::of(semantics)?;
    let config = read_config(text, &rules, DEPTH)?.unwrap_or_default();
    let mut writer = Writer::new(rules.escapes);
    config.encode(&mut writer, &rules);
    Ok(writer.finish())
}

fn read_entry(text: &str) -> Result<Entry, Error> {
    from_str(text, DEPTH).map_err(|error| invalid("read history entry", "entry", error.to_string()))
}

fn read_time(text: &str) -> Result<Timestamp, Error> {
    Timestamp::parse(text).ok_or_else(|| invalid("read time", text, "not a time stamp"))
}
