//! How much is read, unpacked and waited for: every limit with its name and
//! default. What exceeds one is `too-large`, or `unavailable` where it is a
//! matter of time, and the message has the name in it.

use std::fmt;
use std::str::FromStr;

use layerwise::host::{Failure, FailureCode};

use crate::failures;

/// So many uncompressed bytes are free before [`Limit::LayerRatio`] counts.
pub const FREE_BYTES: u64 = 256 << 20;
/// So many entries are free before [`Limit::EntryInputBytes`] counts.
#[cfg(not(target_family = "wasm"))]
pub const FREE_ENTRIES: u64 = 10_000;
/// So many bytes of headers each entry may have beyond [`Limit::HeaderBytes`].
#[cfg(not(target_family = "wasm"))]
pub const HEADER_OF_AN_ENTRY: u64 = 1 << 10;

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of a manifest; registries refuse larger ones themselves.
    ManifestBytes,
    /// Bytes of a layer, uncompressed and as it is stored.
    LayerBytes,
    /// Uncompressed bytes of all layers that one session reads.
    SessionLayerBytes,
    /// Uncompressed bytes for each compressed one, after 256 MiB.
    LayerRatio,
    /// Entries of a layer; each extended attribute that is set is one more.
    LayerEntries,
    /// Compressed bytes that each entry after the first 10,000 brings.
    EntryInputBytes,
    /// Directories of a layer that no entry names.
    LayerDirectories,
    /// Parts of a name in a layer.
    PathDepth,
    /// Bytes of global and extended headers and long names of a layer, with
    /// their blocks, beyond 1 KiB for each entry.
    HeaderBytes,
    /// Bytes of extended attributes of a layer that are set.
    LayerAttributeBytes,
    /// Bytes of extended attributes of an entry that are set.
    EntryAttributeBytes,
    /// Bytes a second that a transfer must have.
    TransferRate,
    /// Seconds of waiting for bytes after which the rate is looked at.
    TransferRateSeconds,
    /// Seconds of a transfer, all tries together.
    TransferSeconds,
}

/// Name and default of each, in the order of the enumeration.
const TABLE: [(Limit, &str, u64); 14] = [
    (Limit::ManifestBytes, "manifest-bytes", 4 << 20),
    (Limit::LayerBytes, "layer-bytes", 64 << 30),
    (Limit::SessionLayerBytes, "session-layer-bytes", 256 << 30),
    (Limit::LayerRatio, "layer-ratio", 1_000),
    (Limit::LayerEntries, "layer-entries", 1_000_000),
    (Limit::EntryInputBytes, "entry-input-bytes", 16),
    (Limit::LayerDirectories, "layer-directories", 10_000),
    (Limit::PathDepth, "path-depth", 256),
    (Limit::HeaderBytes, "header-bytes", 16 << 20),
    (
        Limit::LayerAttributeBytes,
        "layer-attribute-bytes",
        64 << 20,
    ),
    (Limit::EntryAttributeBytes, "entry-attribute-bytes", 1 << 20),
    (Limit::TransferRate, "transfer-rate", 1 << 10),
    (Limit::TransferRateSeconds, "transfer-rate-seconds", 60),
    (Limit::TransferSeconds, "transfer-seconds", 3_600),
];

/// The value of every limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits([u64; TABLE.len()]);

impl Limit {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.into_iter().map(|(limit, ..)| limit)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE.get(self as usize).map_or("", |(_, name, _)| name)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no limit of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchLimit;

impl FromStr for Limit {
    type Err = NoSuchLimit;

    fn from_str(name: &str) -> Result<Self, NoSuchLimit> {
        Self::all()
            .find(|limit| limit.name() == name)
            .ok_or(NoSuchLimit)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self(TABLE.map(|(_, _, default)| default))
    }
}

impl Limits {
    /// With another value for one limit.
    #[must_use]
    pub fn with(mut self, limit: Limit, value: u64) -> Self {
        if let Some(held) = self.0.get_mut(limit as usize) {
            *held = value;
        }
        self
    }

    /// The value of a limit.
    #[must_use]
    pub fn of(&self, limit: Limit) -> u64 {
        self.0.get(limit as usize).copied().unwrap_or_default()
    }

    /// Refuses what exceeds a limit.
    ///
    /// # Errors
    /// `too-large`, which says what `thing` has too much of.
    pub fn check(&self, limit: Limit, value: u64, thing: &str) -> Result<(), Failure> {
        let most = self.of(limit);
        if value <= most {
            return Ok(());
        }
        Err(over(limit, most, thing))
    }
}

/// The failure for what exceeds a limit.
pub fn over(limit: Limit, most: u64, thing: &str) -> Failure {
    let message = format!("{thing} is more than the limit {limit} of {most}");
    failures::new(FailureCode::TooLarge, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_a_name_and_can_be_set() {
        for limit in Limit::all() {
            assert_eq!(limit.name().parse(), Ok(limit));
            let set = Limits::default().with(limit, 7);
            for other in Limit::all() {
                let value = if other == limit {
                    7
                } else {
                    Limits::default().of(other)
                };
                assert_eq!(set.of(other), value);
            }
            assert!(set.check(limit, 7, "it").is_ok());
            let failure = set.check(limit, 8, "it").unwrap_err();
            assert!(failure.message.contains(limit.name()), "{failure}");
        }
        assert_eq!("entries".parse::<Limit>(), Err(NoSuchLimit));
    }
}
