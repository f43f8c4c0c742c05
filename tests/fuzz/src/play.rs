//! Sessions that are drawn from bytes: a script of calls, and a host that makes
//! its answers up. One file per system.

mod buildkit;
mod buildpacks;
mod docker;
mod stacker;
mod stage;

use crate::log::Log;

pub use stage::Through;

/// What is played.
#[derive(Clone, Copy, Debug)]
pub enum System {
    /// Docker's classic builder.
    Docker,
    /// The lifecycle of buildpacks.
    Buildpacks,
    /// BuildKit's remote cache.
    Buildkit,
    /// stacker's build cache.
    Stacker,
}

/// Plays what the bytes say; the answers, and then what the host was asked.
pub fn run(system: System, bytes: &[u8], through: Through) -> Log {
    match system {
        System::Docker => docker::run(bytes, through),
        System::Buildpacks => buildpacks::run(bytes, through),
        System::Buildkit => buildkit::run(bytes, through),
        System::Stacker => stacker::run(bytes, through),
    }
}
