//! How bad a finding is (BuildKit spec, section 10).

use serde::Serialize;

use super::reason::Reason;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Information,
    /// Part of the cache is of no use, or its bytes are not stable.
    Warning,
    /// Readers refuse the cache, it promises what it does not have, or that could
    /// not be found out.
    Error,
}

impl Severity {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Reason {
    /// How bad it is. What only a lookup, a comparison or an operation answers
    /// counts as information, refusals as errors.
    pub const fn severity(self) -> Severity {
        match self {
            Self::ManifestNotJson
            | Self::ManifestAmbiguous
            | Self::ManifestMismatch
            | Self::ConfigMissing
            | Self::ConfigBlobMissing
            | Self::LayerBlobMissing
            | Self::UnlistedBlob
            | Self::LayerUndescribed
            | Self::DigestMismatch
            | Self::UncompressedMismatch
            | Self::NotUtf8
            | Self::SizeMismatch
            | Self::SizeZero
            | Self::TooLarge
            | Self::LayerParentRange
            | Self::LayerIndexRange
            | Self::LayerCycle
            | Self::DanglingLink
            | Self::RecordCycle
            | Self::EmptyInput
            | Self::NullInput
            | Self::RandomLink
            | Self::BadJson
            | Self::BadTime
            | Self::NumberForm
            | Self::LimitExceeded
            | Self::DuplicateId
            | Self::EmptyDependency
            | Self::NilDependency
            | Self::ForeignDependency
            | Self::NoSuchRecord
            | Self::OtherRules
            | Self::UnknownVersion
            | Self::BadAttribute
            | Self::UnwritableTime
            | Self::OciRequired
            | Self::LayerWrite
            | Self::ConfigWrite
            | Self::ManifestWrite
            | Self::LoopingRecord
            | Self::InvalidRecord
            | Self::LoopingLayer
            | Self::InvalidLayer
            | Self::AddFailed
            | Self::SourceUnknown
            | Self::Unreadable => Severity::Error,
            Self::ManifestUntyped
            | Self::ManifestUnknown
            | Self::IndexWithLayers
            | Self::ConfigMultiple
            | Self::LayerLeftOut
            | Self::InlineCountsDiffer
            | Self::InlineResultsLost
            | Self::MergeConflict
            | Self::WrongMediaType
            | Self::NoUncompressed
            | Self::BadCreated
            | Self::DescriptorConflict
            | Self::DuplicateLayer
            | Self::RandomRecord
            | Self::DuplicateRecord
            | Self::MergeLoop
            | Self::ArityMismatch
            | Self::ResultDropped
            | Self::UnreachableRecord
            | Self::DuplicateKey
            | Self::CaseFoldedKey
            | Self::OddDigest => Severity::Warning,
            Self::ManifestKind
            | Self::ImageWithoutCache
            | Self::ModeMin
            | Self::NoRootSelector
            | Self::LinksLost
            | Self::NearLimit
            | Self::DuplicateListing
            | Self::OrphanListing
            | Self::OrphanLayer
            | Self::RecordWithoutResult
            | Self::TieOrder
            | Self::NotCanonical
            | Self::UnknownField
            | Self::Hit
            | Self::Miss
            | Self::UnknownRecord
            | Self::DigestUnknown
            | Self::DigestOfRecord
            | Self::DigestElsewhere
            | Self::LinkDiffers
            | Self::Undeliverable
            | Self::Hittable
            | Self::KeyOnly
            | Self::Same
            | Self::Different
            | Self::RecordChanged
            | Self::RecordAdded
            | Self::RecordRemoved
            | Self::ResultChanged => Severity::Information,
        }
    }
}

/// How bad a finding of this code is; `None` for an unknown code.
pub fn severity(code: &str) -> Option<Severity> {
    code.parse::<Reason>().ok().map(Reason::severity)
}
