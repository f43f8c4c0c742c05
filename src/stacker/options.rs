//! How a session is opened: places, version, reading, limits.

use super::codec::Unknown;
use super::reason::{Fault, Reason};
use super::schema::{Schema, V12, V16};
use crate::limits::{self, Limit};
use crate::paths;
use crate::prelude::*;
pub use crate::semantics::{Reading, Semantics};

/// A cache version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    V12,
    V16,
}

impl Version {
    pub const fn schema(self) -> &'static Schema {
        match self {
            Self::V12 => &V12,
            Self::V16 => &V16,
        }
    }

    pub const fn number(self) -> u32 {
        match self {
            Self::V12 => 12,
            Self::V16 => 16,
        }
    }
}

impl Semantics {
    /// The version that is meant.
    pub(crate) fn resolve(&self) -> Result<Version, Fault> {
        match self.version.as_deref() {
            Some("12") => Ok(Version::V12),
            None | Some("16") => Ok(Version::V16),
            Some(other) => Err(Fault::new(
                Reason::UnknownVersion,
                other,
                "no such cache version; known are 12 and 16",
            )),
        }
    }

    /// The guarded reading refuses members that the version does not know: they
    /// would be inputs that nothing compares (threat T5).
    pub(crate) const fn unknown_members(&self) -> Unknown {
        match self.reading {
            Reading::Guarded => Unknown::Refused,
            Reading::Compatible => Unknown::Skipped,
        }
    }
}

/// The directories of a stacker project, as filesystem paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The state directory, `stacker_dir`.
    pub stacker: String,
    /// Where layers are built, `rootfs_dir`.
    pub rootfs: String,
    /// The OCI layout of the results, `oci_dir`.
    pub oci: String,
}

impl Places {
    pub(crate) fn cache_file(&self) -> String {
        paths::join(&[&self.stacker, "build.cache"])
    }

    /// Where the guarded reading keeps the digests of bases; stacker does not
    /// know this file.
    pub(crate) fn guard_file(&self) -> String {
        paths::join(&[&self.stacker, "build.cache.guard"])
    }

    /// The copy of an import.
    pub(crate) fn import(&self, layer: &str, import: &str) -> String {
        let (layer, name) = (paths::from_text(layer), paths::from_text(import));
        paths::join(&[&self.stacker, "imports", &layer, paths::last_element(&name)])
    }

    /// The copy of an overlay directory.
    pub(crate) fn overlay(&self, layer: &str, source: &str, dest: &str) -> String {
        let layer = paths::from_text(layer);
        let (source, dest) = (paths::from_text(source), paths::from_text(dest));
        paths::join(&[
            &self.rootfs,
            &layer,
            "overlay_dirs",
            paths::last_element(&source),
            &dest,
        ])
    }

    /// The result of a build-only layer.
    pub(crate) fn result(&self, entry_name: &str) -> String {
        paths::join(&[&self.rootfs, &paths::from_text(entry_name)])
    }

    /// A base tarball.
    pub(crate) fn tarball(&self, url: &str) -> String {
        let url = paths::from_text(url);
        paths::join(&[&self.stacker, "layer-bases", paths::last_element(&url)])
    }

    /// The layout of base images.
    pub(crate) fn base_images(&self) -> String {
        paths::join(&[&self.stacker, "layer-bases", "oci"])
    }
}

/// What SOURCE_DATE_EPOCH is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Epoch {
    /// Not stated: counts as unset in the compatible reading, and is refused
    /// in the guarded one, where the version compares it.
    #[default]
    Unstated,
    /// Not set.
    Unset,
    /// Seconds since 1970-01-01T00:00:00Z.
    Seconds(i64),
}

impl Epoch {
    pub(crate) const fn seconds(self) -> Option<i64> {
        match self {
            Self::Seconds(seconds) => Some(seconds),
            Self::Unstated | Self::Unset => None,
        }
    }
}

/// A layer as the user describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerDefinition {
    /// Its name.
    pub name: String,
    /// A JSON object with the member names of the version.
    pub document: String,
}

/// A build that would start now (stacker spec, section 13). It copies the
/// sources of imports and bases anew before it decides, and it builds a layer
/// all the same when that layer has binds or no result of a wanted type, and
/// then everything on top of it. The sources have to be lent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// Where relative sources of bases start from: the directory of the build.
    pub directory: String,
    /// The layer types that are wanted, such as `tar` or `squashfs`. None given
    /// means that any type will do.
    pub types: Vec<String>,
}

/// How to open a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Reading and version.
    pub semantics: Semantics,
    /// Directories.
    pub places: Places,
    /// SOURCE_DATE_EPOCH; version 12 does not know it.
    pub epoch: Epoch,
    /// The layers, each name once.
    pub definitions: Vec<LayerDefinition>,
    /// Write nothing: what opening and putting would write exists in this
    /// session only.
    pub dry_run: bool,
    /// Decide as the build that is described would; absent, lookups are about
    /// the cache and the copies as they are.
    pub build: Option<Build>,
    /// Limits by name, see `wit/stacker.wit`.
    pub limits: Vec<(String, u64)>,
}

impl Options {
    /// Refuses inputs that are not stated (threat T5).
    pub(crate) fn check_inputs(&self, version: Version) -> Result<(), Fault> {
        if self.semantics.reading == Reading::Compatible {
            return Ok(());
        }
        let missing = [
            ("stacker directory", self.places.stacker.is_empty()),
            ("rootfs directory", self.places.rootfs.is_empty()),
            ("oci directory", self.places.oci.is_empty()),
            (
                "SOURCE_DATE_EPOCH",
                version == Version::V16 && self.epoch == Epoch::Unstated,
            ),
        ];
        match missing.into_iter().find(|(_, missing)| *missing) {
            Some((what, _)) => Err(Fault::new(
                Reason::InputMissing,
                what,
                "not stated, and it takes part in the decision",
            )),
            None => Ok(()),
        }
    }
}

pub(crate) type Limits = limits::Limits<9>;

/// The limits and their defaults.
pub(crate) const LIMITS: Limits = Limits::new([
    (Limit::CacheBytes, 64 << 20),
    (Limit::DocumentBytes, 4 << 20),
    (Limit::Layers, 100_000),
    (Limit::Entries, 1_000_000),
    (Limit::Documents, 10_000),
    (Limit::Keys, 100_000_000),
    (Limit::Depth, 10_000),
    (Limit::Attempts, 8),
    (Limit::Manifests, 1_000_000),
]);
