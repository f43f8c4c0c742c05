//! Why a decision came out as it did: one shape for all systems, and the
//! catalogue of codes behind it.

use core::fmt;

use serde::Serialize;

use crate::prelude::*;

/// One thing that differs, or one piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where: a field, an index, a key, such as `config.Env[2]`.
    pub path: String,
    /// What is there.
    pub have: Option<String>,
    /// What was asked for.
    pub want: Option<String>,
}

impl Difference {
    /// Both sides of a difference.
    pub fn new(
        path: impl Into<String>,
        have: impl Into<Option<String>>,
        want: impl Into<Option<String>>,
    ) -> Self {
        Self {
            path: path.into(),
            have: have.into(),
            want: want.into(),
        }
    }

    /// A fact that has one side only.
    pub fn fact(path: impl Into<String>, have: impl ToString) -> Self {
        Self {
            path: path.into(),
            have: Some(have.to_string()),
            want: None,
        }
    }
}

/// One reason. Inside a system its code is that system's `Reason`; what leaves the
/// system has the text of the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding<C = Cow<'static, str>> {
    /// A stable code, see [`Rule`].
    pub code: C,
    /// What it is about.
    pub subject: String,
    /// The evidence.
    pub differences: Vec<Difference>,
    /// What to do about it or what it probably means, when that is known.
    pub hint: Option<String>,
    /// Only a consequence of an earlier finding.
    pub cascade: bool,
}

impl<C> Finding<C> {
    /// A finding without evidence.
    pub fn new(code: impl Into<C>, subject: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            subject: subject.into(),
            differences: Vec::new(),
            hint: None,
            cascade: false,
        }
    }

    /// The same finding with more evidence.
    #[must_use]
    pub fn with(mut self, differences: impl IntoIterator<Item = Difference>) -> Self {
        self.differences.extend(differences);
        self
    }

    /// The same finding with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same finding, marked as a consequence of an earlier one.
    #[must_use]
    pub fn cascade(mut self) -> Self {
        self.cascade = true;
        self
    }

    /// The same finding as it leaves its system, with the text of its code.
    pub fn text(self) -> Finding
    where
        C: Into<Cow<'static, str>>,
    {
        Finding {
            code: self.code.into(),
            subject: self.subject,
            differences: self.differences,
            hint: self.hint,
            cascade: self.cascade,
        }
    }
}

/// Why a decision came out as it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation<C = Cow<'static, str>> {
    /// The outcome.
    pub summary: Finding<C>,
    /// One finding per candidate, root causes first, consequences after them.
    pub findings: Vec<Finding<C>>,
    /// The candidate that came nearest to a hit.
    pub nearest: Option<Finding<C>>,
    /// How many candidates were looked at.
    pub considered: u64,
}

impl<C: Into<Cow<'static, str>>> Explanation<C> {
    /// The same explanation as it leaves its system.
    pub fn text(self) -> Explanation {
        Explanation {
            summary: self.summary.text(),
            findings: self.findings.into_iter().map(Finding::text).collect(),
            nearest: self.nearest.map(Finding::text),
            considered: self.considered,
        }
    }
}

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The stable code.
    pub code: &'static str,
    /// The section of the specification it comes from.
    pub section: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// One line that shows it.
    pub example: &'static str,
    /// What to do about it.
    pub advice: &'static str,
}

/// A text that is not a code of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCode;

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown code; `layerwise rule` lists those of every system")
    }
}

impl core::error::Error for UnknownCode {}

/// Declares a closed enum of codes together with its catalogue, so that no code
/// can exist without an entry.
macro_rules! catalogue {
    (
        $(#[$outer:meta])*
        pub enum $name:ident in $system:literal {
            $( $case:ident = $code:literal, $section:literal, $meaning:literal, $example:literal, $advice:literal; )+
        }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $( #[doc = $meaning] $case, )+
        }

        impl $name {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[ $( Self::$case, )+ ];

            /// The catalogue.
            pub const RULES: &'static [$crate::explain::Rule] = &[ $( Self::$case.rule(), )+ ];

            /// The code as it crosses the boundary.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$case => concat!($system, "/", $code), )+ }
            }

            /// Its entry in the catalogue.
            pub const fn rule(self) -> $crate::explain::Rule {
                match self {
                    $( Self::$case => $crate::explain::Rule {
                        code: concat!($system, "/", $code),
                        section: $section,
                        meaning: $meaning,
                        example: $example,
                        advice: $advice,
                    }, )+
                }
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::explain::UnknownCode;

            fn from_str(code: &str) -> Result<Self, Self::Err> {
                let known = Self::ALL.iter().find(|known| known.as_str() == code);
                known.copied().ok_or($crate::explain::UnknownCode)
            }
        }

        impl From<$name> for Cow<'static, str> {
            fn from(code: $name) -> Self {
                Cow::Borrowed(code.as_str())
            }
        }

        impl PartialEq<$name> for Cow<'static, str> {
            fn eq(&self, code: &$name) -> bool {
                *self == code.as_str()
            }
        }

        impl PartialEq<$name> for String {
            fn eq(&self, code: &$name) -> bool {
                *self == code.as_str()
            }
        }

        impl From<$name> for String {
            fn from(code: $name) -> Self {
                code.as_str().to_owned()
            }
        }
    };
}
pub(crate) use catalogue;
