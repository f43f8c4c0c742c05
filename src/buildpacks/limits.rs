//! The limits of this system.

use crate::limits::{Limit, Limits};

/// The limits of the `buildpacks` interface and their defaults (Buildpacks spec,
/// section 2.5).
pub const LIMITS: Limits<8> = Limits::new([
    (Limit::LabelBytes, 4 << 20),
    (Limit::Depth, 128),
    (Limit::Buildpacks, 10_000),
    (Limit::Layers, 10_000),
    (Limit::Values, 500_000),
    (Limit::DocumentBytes, 16 << 20),
    (Limit::FileBytes, 8 << 20),
    (Limit::OutputBytes, 32 << 20),
]);
