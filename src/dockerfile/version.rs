//! The rules that changed between versions of the engine, as data (Dockerfile spec,
//! section 10).

use super::reason::Reason;
use crate::docker;
use crate::docker::version::{Named, UNKNOWN, Version};
use crate::error::{Error, Problem};
use crate::semantics::Semantics;

/// The rules of one version.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How documents are read and configs are written.
    pub config: docker::version::Rules,
    /// COPY, ADD and RUN may be followed by heredocs.
    pub heredocs: bool,
    /// `${x-y}`, `${x#y}` and `${x/y/z}` exist, not only `${x:-y}`.
    pub all_modifiers: bool,
    /// Text after a JSON array makes it the shell form; otherwise it is dropped.
    pub strict_json: bool,
    /// Options that came later: of HEALTHCHECK, ADD and COPY.
    pub late_options: bool,
    /// The fewest `--retries` of a HEALTHCHECK.
    pub fewest_retries: i64,
    /// A HEALTHCHECK is told as `&{Test:[CMD a] …}`, otherwise as `&{["CMD" "a"] …}`.
    pub named_health: bool,
    /// HEALTHCHECK has a start interval.
    pub start_interval: bool,
    /// An absolute WORKDIR is cleaned.
    pub clean_workdir: bool,
    /// A blank stands between `--chown` and the checksum in the comment of COPY and ADD
    /// (moby PR 45473).
    pub chown_blank: bool,
}

impl Rules {
    /// The rules of a version, the newest if none is named.
    ///
    /// # Errors
    /// `unsupported` for a version without rules here.
    pub fn of(semantics: &Semantics) -> Result<Self, Error> {
        let config = docker::version::Rules::of(semantics)?;
        let newest = Self {
            config,
            heredocs: true,
            all_modifiers: true,
            strict_json: true,
            late_options: true,
            fewest_retries: 0,
            named_health: true,
            start_interval: true,
            clean_workdir: true,
            chown_blank: true,
        };
        let version = match semantics.version.as_deref() {
            None => Named::V29Dot9,
            Some(text) => Version::read(text).map(|read| read.rules).ok_or_else(|| {
                Error::Unsupported(Problem::new(Reason::UnknownVersion, "open", text, UNKNOWN))
            })?,
        };
        Ok(match version {
            Named::V29Dot9 | Named::V29 => newest,
            Named::V26 => Self {
                named_health: false,
                strict_json: false,
                ..newest
            },
            Named::V20Dot10 => Self {
                heredocs: false,
                all_modifiers: false,
                strict_json: false,
                late_options: false,
                fewest_retries: 1,
                named_health: false,
                start_interval: false,
                clean_workdir: false,
                chown_blank: false,
                ..newest
            },
        })
    }
}
