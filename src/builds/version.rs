//! What changed between versions of BuildKit, as data (Builds spec, section 3.8).

/// The rules of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Inputs of an exec have a selector also where all mounts of them are whole.
    pub root_selector: bool,
    /// An owner by name of a symlink action selects files, too.
    pub symlink_owner: bool,
}

impl Rules {
    /// The newest rules.
    pub const NEWEST: Self = Self {
        root_selector: true,
        symlink_owner: true,
    };

    /// The rules of a version such as `0.32.2` or `v0.12.5`; the newest ones for
    /// text that is not a version.
    pub fn of(version: &str) -> Self {
        let mut numbers = version.trim_start_matches('v').split(['.', '-', '+']);
        let mut number = || numbers.next().and_then(|text| text.parse::<u32>().ok());
        let (Some(major), Some(minor)) = (number(), number()) else {
            return Self::NEWEST;
        };
        let since = |newer: u32| (major, minor) >= (0, newer);
        Self {
            // Seen absent in 0.12.5 and present in 0.16.
            root_selector: since(16),
            symlink_owner: since(34),
        }
    }
}
