//! Options that commands share.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use layerwise_host::{Engine, Recorder, SessionLimits};

use crate::color::Color;
use crate::failed::BadArgument;

const GLOBAL: &str = "Options of every command";

/// Options of every command.
#[derive(Args)]
pub struct Global {
    /// Print one JSON document instead of text.
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    /// Print whole ids and whole values.
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub verbose: bool,
    /// When to colour text.
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Run this build of the component instead of the one inside; for programs that were built
    /// with the cargo feature `compiler`.
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "PATH")]
    pub component: Option<PathBuf>,
    /// Where calls are recorded, if they are.
    #[arg(skip)]
    pub record: Option<Recorder>,
    /// The engine, once it was needed.
    #[arg(skip)]
    pub engine: OnceCell<Engine>,
}

/// Which reading of the rules decides.
#[derive(Args)]
pub struct ReadingArgs {
    /// Refuse what upstream should have refused (the default).
    #[arg(long, conflicts_with = "compatible")]
    pub guarded: bool,
    /// Decide exactly as upstream does, in its newest version that is known or the named one.
    #[arg(long, value_name = "VERSION", num_args = 0..=1, require_equals = true)]
    pub compatible: Option<Option<String>>,
}

/// What the component may use.
#[derive(Args)]
pub struct LimitArgs {
    /// Set a limit of the session, such as children=1000; an unknown name lists them.
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = limit)]
    pub named: Vec<(String, u64)>,
    /// How long one call of the component may take.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = seconds)]
    pub deadline_seconds: u64,
    /// How much memory the component may have.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub memory_mib: usize,
}

/// Such as `linux/amd64`.
pub fn platform(text: &str) -> Result<Platform, BadArgument> {
    let parts: Vec<&str> = text.split('/').collect();
    let (os, architecture, variant) = match parts.as_slice() {
        [os, architecture] => (*os, *architecture, ""),
        [os, architecture, variant] if !variant.is_empty() => (*os, *architecture, *variant),
        _ => ("", "", ""),
    };
    if os.is_empty() || architecture.is_empty() {
        return Err(BadArgument(
            "expected OS/ARCH or OS/ARCH/VARIANT, such as linux/amd64",
        ));
    }
    Ok(Platform {
        os: os.to_owned(),
        architecture: architecture.to_owned(),
        variant: variant.to_owned(),
        ..Platform::default()
    })
}

/// Such as `sha256:0123…`.
pub fn digest(text: &str) -> Result<String, BadArgument> {
    let whole = |(algorithm, hex): (&str, &str)| !algorithm.is_empty() && !hex.is_empty();
    match text.split_once(':').is_some_and(whole) {
        true => Ok(text.to_owned()),
        false => Err(BadArgument(
            "expected ALGORITHM:HEX, such as sha256: and 64 digits",
        )),
    }
}

fn limit(text: &str) -> Result<(String, u64), BadArgument> {
    text.split_once('=')
        .and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .ok_or(BadArgument("expected NAME=VALUE with a whole number"))
}

/// No call ends in no time at all, so that 0 would stop every one.
fn seconds(text: &str) -> Result<u64, BadArgument> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0);
    seconds.ok_or(BadArgument("expected a whole number of seconds above 0"))
}

impl ReadingArgs {
    /// As the component takes it.
    pub fn semantics(&self) -> Semantics {
        match &self.compatible {
            None => Semantics::guarded(),
            Some(version) => Semantics::compatible(version.as_deref()),
        }
    }
}

impl LimitArgs {
    /// What the host holds the component to.
    pub fn of_session(&self) -> SessionLimits {
        SessionLimits {
            memory: self.memory_mib.saturating_mul(1 << 20),
            deadline: Duration::from_secs(self.deadline_seconds),
            ..SessionLimits::default()
        }
    }
}
