//! The predicates by themselves, for callers that have documents and no store.

use super::Comparison;
use super::compare::{Labels, compare};
use super::decide::{Match, newest as newest_match};
use super::history::{Chain, Entry, command_mismatch, joined, parent_mismatch};
use super::image::ImageDocument;
use super::platform::{Matcher, normalize};
use super::reason::Reason;
use super::session::read_config;
use super::source::{EntryLayer, Source};
use super::version::{Order, Rules};
use crate::error::{Error, Problem};
use crate::explain::{Difference, Finding, Rule};
use crate::go_json::{Timestamp, Writer, from_str};
use crate::oci::Platform;
use crate::prelude::*;
use crate::semantics::Semantics;

/// How deep Go reads; these functions have no options that could limit it.
const DEPTH: u32 = 10_000;

/// Compares an image's container config with a requested one (Docker spec,
/// section 5.1).
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

/// For each builder platform, whether it accepts each image platform (Docker
/// spec, section 6.2).
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

/// The normal form of a platform (Docker spec, section 6.1); an empty `host_os`
/// means `linux`.
pub fn normalize_platform(platform: &Platform, host_os: &str) -> Platform {
    let host_os = if host_os.is_empty() { "linux" } else { host_os };
    normalize(platform, host_os)
}

/// What speaks first against an image continuing a parent (Docker spec, section
/// 5.3).
///
/// # Errors
/// `invalid` for a text that is not an image document.
pub fn compare_parent(
    document: &str,
    parent: Option<&str>,
    semantics: &Semantics,
) -> Result<Option<Finding>, Error> {
    let rules = Rules::of(semantics)?;
    let image = Partial::read(document, &rules)?;
    let parent = parent.map(|text| Partial::read(text, &rules)).transpose()?;
    if parent
        .as_ref()
        .is_some_and(|parent| image.lacks_layers(parent))
    {
        return Err(invalid(
            "compare parent",
            "document",
            "member \"rootfs\" is missing".to_owned(),
        ));
    }
    let parent = parent.as_ref().map(Partial::chain);
    Ok(parent_mismatch("image", image.chain(), parent))
}

/// What differs between a history entry and the command of a config (Docker
/// spec, section 5.2).
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
    let want = joined(super::config::list(&config.cmd));
    let differs = entry.created_by != want;
    Ok(differs.then(|| command_mismatch("entry", 0, &entry, &want)))
}

/// The fields in which two history entries differ (Docker spec, section 5.4).
///
/// # Errors
/// `invalid` for a text that is not an entry.
pub fn compare_history(a: &str, b: &str) -> Result<Vec<Difference>, Error> {
    Ok(read_entry(a)?.differences(&read_entry(b)?, ""))
}

/// The diff id that belongs to a history entry (Docker spec, section 5.5);
/// `None` for an entry without a layer.
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

/// Which of the creation times the local lookup keeps (Docker spec, section
/// 4.1).
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
    Ok(newest_match(&matches, semantics.is_guarded()).and_then(|m| m.id.parse().ok()))
}

/// Reads a time stamp as Go does (Docker spec, section 1.4).
///
/// # Errors
/// `invalid` for what Go refuses.
pub fn parse_time(text: &str) -> Result<Timestamp, Error> {
    read_time(text)
}

/// A container config, read and written as Go does (1.2 to 1.5).
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

/// An image document, read and written as Go does (1.1 to 1.5).
///
/// # Errors
/// `invalid` for a text that is not an image document, `corrupt` when a time in
/// it cannot be written.
pub fn encode_image(text: &str, order: Order, semantics: &Semantics) -> Result<String, Error> {
    let rules = Rules::of(semantics)?;
    let image = read_image(text, &rules)?;
    image.write(&rules, order).ok_or_else(|| {
        Error::Corrupt(Problem::new(
            Reason::TimeNotEncodable,
            "write image",
            "document",
            "a time has an offset of a day or more, which cannot be written",
        ))
    })
}

/// What each code of the `docker` interface means.
pub fn rules() -> Vec<Rule> {
    Reason::ALL.iter().map(|reason| reason.rule()).collect()
}

/// An image document that may lack `rootfs`.
struct Partial {
    history: Vec<Entry>,
    diff_ids: Option<Vec<String>>,
}

impl Partial {
    fn read(text: &str, rules: &Rules) -> Result<Self, Error> {
        let image = ImageDocument::read_partial(text, rules, DEPTH)
            .map_err(|error| invalid("read image", "document", error.to_string()))?;
        Ok(Self {
            history: image.history.unwrap_or_default().into_vec(),
            diff_ids: image.rootfs.map(|rootfs| rootfs.diff_ids.into_vec()),
        })
    }

    fn chain(&self) -> Chain<'_> {
        Chain {
            history: &self.history,
            diff_ids: self.diff_ids.as_deref().unwrap_or_default(),
        }
    }

    /// Whether the answer depends on layers that are not given: the counts of
    /// the histories are compared before (Docker spec, section 5.3).
    fn lacks_layers(&self, parent: &Self) -> bool {
        if self.history.is_empty() {
            return false;
        }
        if parent.history.is_empty() {
            return match &parent.diff_ids {
                None => true,
                Some(list) => !list.is_empty() && self.diff_ids.is_none(),
            };
        }
        parent.history.len() < self.history.len()
            && (self.diff_ids.is_none() || parent.diff_ids.is_none())
    }
}

/// An image document, read as the version does.
///
/// # Errors
/// `invalid` for a text that is not one.
pub fn read_image(text: &str, rules: &Rules) -> Result<ImageDocument, Error> {
    ImageDocument::read(text, rules, DEPTH)
        .map_err(|error| invalid("read image", "document", error.to_string()))
}

fn read_entry(text: &str) -> Result<Entry, Error> {
    from_str(text, DEPTH).map_err(|error| invalid("read history entry", "entry", error.to_string()))
}

fn read_time(text: &str) -> Result<Timestamp, Error> {
    Timestamp::parse(text).ok_or_else(|| invalid("read time", text, "not a time stamp".to_owned()))
}

fn invalid(operation: &str, subject: &str, message: String) -> Error {
    Error::Invalid(Problem::new(
        Reason::InvalidArgument,
        operation,
        subject,
        message,
    ))
}
