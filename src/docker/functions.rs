//! Single rules as functions, for callers that have documents and no store.

use super::history::{Chain, Entry, parent_mismatch};
use super::image::ImageDocument;
use super::platform::normalize;
use super::read::{DEPTH, invalid, read_image};
use super::reason::{Finding, Reason};
use super::version::{Order, Rules};
use crate::error::{Error, Problem};
use crate::explain;
use crate::oci::Platform;
use crate::prelude::*;
use crate::semantics::Semantics;

/// The normal form of a platform (Docker spec, section 6.1); an empty `host_os`
/// means `linux`.
pub fn normalize_platform(platform: &Platform, host_os: &str) -> Platform {
    let host_os = if host_os.is_empty() { "linux" } else { host_os };
    normalize(platform, host_os)
}

/// The platform that a builder asks for in the steps of a stage (Docker spec, section
/// 14.8): that of the image the stage starts from, `None` for scratch, before that of
/// the build, before the machine's. Before 29.9 only the operating system is the image's.
///
/// # Errors
/// `unsupported` for an unknown version.
pub fn step_platform(
    base: Option<&Platform>,
    build: Option<&Platform>,
    machine: &Platform,
    semantics: &Semantics,
) -> Result<Platform, Error> {
    let rules = Rules::of(semantics)?;
    let named = base.filter(|base| !base.architecture.is_empty());
    let mut platform = match (named, build) {
        (Some(base), _) if rules.base_platform => base.clone(),
        (_, Some(build)) => build.clone(),
        // The builder is not told the variant of amd64.
        (_, None) if machine.architecture == "amd64" => Platform {
            variant: String::new(),
            ..machine.clone()
        },
        (_, None) => machine.clone(),
    };
    if let Some(base) = base.filter(|base| !base.os.is_empty()) {
        platform.os.clone_from(&base.os);
    }
    Ok(platform)
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
) -> Result<Option<explain::Finding>, Error> {
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
            "member \"rootfs\" is missing",
        ));
    }
    let parent = parent.as_ref().map(Partial::chain);
    Ok(parent_mismatch("image", image.chain(), parent).map(Finding::text))
}

/// An image document, read and written as Go does (Docker spec, sections 1.1 to
/// 1.5).
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
