//! What a step asks, read and prepared once.

use super::config::{ContainerConfig, list};
use super::history::joined;
use super::key::{Key, Labels};
use super::platform::Matcher;
use super::source::Source;
use crate::prelude::*;

/// What a step asks, and how its session decides.
#[derive(Debug)]
pub struct Request {
    /// The image it starts from.
    pub parent: Option<String>,
    /// The container config, if there is one.
    pub config: Option<Requested>,
    /// The builder's platform.
    pub matcher: Matcher,
    /// No step of the stage follows.
    pub last: bool,
    /// How the session decides.
    pub mode: Mode,
}

/// A requested container config.
#[derive(Debug)]
pub struct Requested {
    /// The config.
    pub config: ContainerConfig,
    /// What stands for it when children are compared.
    pub key: Key,
    /// Its command as history entries tell it.
    pub command: String,
}

impl Requested {
    /// Prepares a config.
    pub fn new(config: ContainerConfig, key: Key) -> Self {
        Self {
            command: joined(list(&config.cmd)),
            config,
            key,
        }
    }
}

/// How a session decides, beyond the rules of the version.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// Refuse what upstream should have refused.
    pub guarded: bool,
    /// Pass over unreadable children.
    pub skip_unreadable: bool,
    /// Refuse sources for another platform.
    pub same_platform: bool,
}

impl Mode {
    /// How labels are compared.
    pub const fn labels(self) -> Labels {
        if self.guarded {
            Labels::Exact
        } else {
            Labels::MissingIsEmpty
        }
    }
}

/// The sources in use.
#[derive(Clone, Debug)]
pub enum Sources {
    /// No names were given: only children of the parent can be the result.
    LocalOnly,
    /// Names were given; none may be left.
    Given(Vec<Rc<Source>>),
}

impl Sources {
    /// All of them, in order.
    pub fn list(&self) -> &[Rc<Source>] {
        match self {
            Self::LocalOnly => &[],
            Self::Given(given) => given,
        }
    }
}
