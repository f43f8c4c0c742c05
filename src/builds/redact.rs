//! What is not printed of a build: values whose names say that they are secret, and
//! credentials in addresses (Builds spec, section 8).

mod secret;
mod values;

use crate::prelude::*;

pub use secret::{HIDDEN, WORDS, is_secret};
use values::hidden;

/// Which values are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Values {
    /// All.
    All,
    /// All but those that look secret.
    #[default]
    NotSecret,
    /// None.
    None,
}

impl Values {
    /// A value with a name, as it may be shown.
    pub fn of(self, name: &str, value: &str) -> String {
        match self {
            Self::All => value.to_owned(),
            Self::NotSecret if is_secret(name) && !value.is_empty() => HIDDEN.to_owned(),
            Self::NotSecret => self.text(value),
            Self::None => HIDDEN.to_owned(),
        }
    }

    /// A name of a step, which has the text of a command, as it may be shown: of none the
    /// command is left, without the values of variables and options.
    pub fn name(self, name: &str) -> String {
        match self {
            Self::All => name.to_owned(),
            Self::NotSecret => hidden(&addresses(name), false),
            // What stands behind `=` and options, too.
            Self::None => hidden(&addresses(name), true),
        }
    }

    /// A text, such as a command, as it may be shown: with values of `NAME=value`,
    /// `--name value` and of addresses taken out.
    pub fn text(self, text: &str) -> String {
        match self {
            Self::All => text.to_owned(),
            Self::NotSecret => hidden(&addresses(text), false),
            Self::None => HIDDEN.to_owned(),
        }
    }
}

/// Takes out what stands before the `@` of addresses.
fn addresses(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let ends = |letter: char| letter.is_whitespace() || "/?#'\"".contains(letter);
        let end = after.find(ends).unwrap_or(after.len());
        let (authority, beyond) = after.split_at_checked(end).unwrap_or((after, ""));
        match authority.rsplit_once('@') {
            Some((_, host)) => {
                shown.push_str(HIDDEN);
                shown.push('@');
                shown.push_str(host);
            }
            None => shown.push_str(authority),
        }
        rest = beyond;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_secret() {
        for name in [
            "TOKEN",
            "GITHUB_TOKEN",
            "build-arg:NPM_TOKEN",
            "npmToken",
            "DB_PASSWORD",
            "dbpass",
            "AWS_SECRET_ACCESS_KEY",
            "SSH_KEYS",
            "apiKey",
            "API_KEY",
            "credentials",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "MODE", "VERSION", "KEYBOARD", "MONKEY", "AUTHOR", "target", "PATH", "HOME", "",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn what_is_secret_in_a_text_is_hidden() {
        for (text, shown) in [
            ("GITHUB_TOKEN=abc", "GITHUB_TOKEN=***"),
            ("MODE=fast", "MODE=fast"),
            ("TOKEN='a b' make", "TOKEN=*** make"),
            (
                "curl -H \"Authorization: Bearer\" x",
                "curl -H \"Authorization: ***\" x",
            ),
            (
                "login --password abc --user me",
                "login --password *** --user me",
            ),
            ("login --token=abc;make", "login --token=***;make"),
            (
                "git clone https://me:pw@host/x",
                "git clone https://***@host/x",
            ),
            ("https://host/a@b", "https://host/a@b"),
            ("TOKEN=", "TOKEN="),
            ("a://c@d=TOKEN=\u{e4}\u{f6} x", "a://***@d=TOKEN=*** x"),
            ("", ""),
        ] {
            assert_eq!(Values::NotSecret.text(text), shown, "{text}");
            assert_eq!(Values::All.text(text), text);
        }
    }

    #[test]
    fn names_of_steps_are_shown_as_asked() {
        let name = "RUN A=1 tool -p 2 --token 3";
        let shown = [Values::All, Values::NotSecret, Values::None];
        assert_eq!(
            shown.map(|values| values.name(name)),
            [
                name,
                "RUN A=1 tool -p 2 --token ***",
                "RUN A=*** tool -p *** --token ***"
            ]
        );
    }

    #[test]
    fn values_are_shown_as_asked() {
        let shown = [Values::All, Values::NotSecret, Values::None];
        let of = |name, value| shown.map(|values| values.of(name, value));
        assert_eq!(of("TOKEN", "abc"), ["abc", "***", "***"]);
        assert_eq!(of("MODE", "x"), ["x", "x", "***"]);
        assert_eq!(
            of("REPO", "git://u:p@h"),
            ["git://u:p@h", "git://***@h", "***"]
        );
    }
}
