//! What is kept of the images that may be a local result.

use super::config::ContainerConfig;
use super::image::ImageDocument;
use super::key::Key;
use super::version::Rules;
use crate::go_json::Timestamp;
use crate::host::Failure;
use crate::oci::Platform;
use crate::prelude::*;

/// The facts a local lookup needs of a child; its document is not kept.
#[derive(Clone, Debug)]
pub struct Child {
    /// Its platform, as an index into [`Platforms`].
    pub platform: usize,
    /// It names an operating system or an architecture.
    pub has_platform: bool,
    /// When it was made, as an instant.
    pub created: Option<(i64, u32)>,
    /// What stands for its container config.
    pub key: Key,
}

impl Child {
    /// The facts in a document.
    pub fn of(image: &ImageDocument, rules: &Rules, platforms: &mut Platforms) -> Self {
        Self {
            platform: platforms.index(image.platform()),
            has_platform: image.has_platform(),
            created: image.created.map(|time| time.instant()),
            key: Key::of(&image.container_config, rules.compared),
        }
    }

    /// How many bytes are kept of a document, about: the same on every machine.
    pub fn held(image: &ImageDocument) -> usize {
        /// What a child and a text cost beside their bytes.
        const CHILD: usize = 256;
        const TEXT: usize = 24;
        let features = image.os_features.iter().flat_map(|list| list.iter());
        let platform = [
            &image.os,
            &image.architecture,
            &image.variant,
            &image.os_version,
        ];
        let texts = platform.into_iter().chain(features);
        let platform: usize = texts.map(|text| TEXT + text.len()).sum();
        // A platform is kept in a list and in an index.
        CHILD + 2 * platform + Key::held(&image.container_config)
    }

    /// The facts of an image that was restored: its container config is empty.
    pub fn restored(
        platform: Platform,
        created: Option<Timestamp>,
        rules: &Rules,
        platforms: &mut Platforms,
    ) -> Self {
        Self {
            has_platform: !platform.os.is_empty() || !platform.architecture.is_empty(),
            platform: platforms.index(platform),
            created: created.map(|time| time.instant()),
            key: Key::of(&ContainerConfig::default(), rules.compared),
        }
    }
}

/// The distinct platforms met in a session: few, whatever the number of images,
/// so that each is matched once a lookup.
#[derive(Clone, Debug, Default)]
pub struct Platforms {
    list: Vec<Platform>,
    index: BTreeMap<Platform, usize>,
}

impl Platforms {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            list: Vec::new(),
            index: BTreeMap::new(),
        }
    }

    /// The index of a platform, new or known.
    pub fn index(&mut self, platform: Platform) -> usize {
        let next = self.list.len();
        let index = *self.index.entry(platform.clone()).or_insert(next);
        if index == next {
            self.list.push(platform);
        }
        index
    }

    /// All of them, by index.
    pub fn list(&self) -> &[Platform] {
        &self.list
    }
}

/// The children of a parent that can be the result, as they were listed.
#[derive(Debug)]
pub struct Listing {
    /// Their ids.
    pub ids: Vec<String>,
    /// For each its facts, by index, or why it cannot be read.
    pub facts: Vec<Result<usize, Failure>>,
    /// The places in these lists of children whose configs are the same but for
    /// labels, by [`Key::rest`].
    pub configs: BTreeMap<[u8; 32], Vec<usize>>,
}
