//! What every script needs: its host, limits and options.

use std::sync::Arc;

use layerwise::semantics::Semantics;
use layerwise_host::{Imports, SessionLimits};

use crate::draw::Draw;
use crate::improvised::{Improvised, Material};
use crate::log::Log;

/// What it is played with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// The native library.
    Library,
    /// The component.
    Component,
}

/// A host for a session, and what it said at the end of the log.
pub fn with_host(
    draw: Draw,
    material: Material,
    play: impl FnOnce(&Arc<Improvised>, &mut Log),
) -> Log {
    let host = Arc::new(Improvised::new(draw, material));
    let mut log = Log::default();
    play(&host, &mut log);
    if !log.is_cut() {
        for line in host.said() {
            log.note("import", Ok::<_, layerwise::error::Error>(line));
        }
    }
    log
}

pub fn lent(host: &Arc<Improvised>) -> Imports {
    Imports {
        images: Arc::<Improvised>::clone(host),
        registry: Arc::<Improvised>::clone(host),
        files: Arc::<Improvised>::clone(host),
        observer: Arc::<Improvised>::clone(host),
    }
}

/// Fuel for some seconds.
pub fn limits() -> SessionLimits {
    SessionLimits {
        fuel: 5_000_000_000,
        ..SessionLimits::default()
    }
}

pub fn semantics(draw: &mut Draw, versions: &[&str]) -> Semantics {
    if draw.below(2) == 0 {
        return Semantics::guarded();
    }
    let version = draw.perhaps(|draw| draw.text(versions));
    Semantics::compatible(version.as_deref())
}

/// Caps that are met now and then.
pub fn caps(draw: &mut Draw, names: &[&str]) -> Vec<(String, u64)> {
    if draw.below(4) > 0 {
        return Vec::new();
    }
    draw.several(2, |draw| {
        let value = *draw.one(&[1, 0, 3, 100, 10_000, u64::MAX]);
        (draw.text(names), value)
    })
}
