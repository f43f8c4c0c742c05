//! The options of an instruction, `--name=value` (Dockerfile spec, section 2.4).

use super::refusal::{Stop, unparsed};
use crate::prelude::*;

/// How an option is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With a value, once.
    Text,
    /// With a value, any number of times.
    Texts,
    /// `--name`, `--name=true` or `--name=false`.
    Switch,
}

/// The options that an instruction was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags(Vec<(&'static str, String)>);

impl Flags {
    /// Reads options, of which `known` exist.
    ///
    /// # Errors
    /// As the builder refuses.
    pub fn read(options: &[String], known: &[(&'static str, Kind)]) -> Result<Self, Stop> {
        let mut given: Vec<(&'static str, String)> = Vec::new();
        for option in options {
            if option == "--" {
                break;
            }
            let Some(text) = option.strip_prefix("--") else {
                return Err(unparsed(format!("arg should start with -- : {option}")));
            };
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (text, None),
            };
            let Some(&(name, kind)) = known.iter().find(|(known, _)| *known == name) else {
                return Err(unparsed(format!("unknown flag: --{name}")));
            };
            if kind != Kind::Texts && given.iter().any(|(given, _)| *given == name) {
                return Err(unparsed(format!("duplicate flag specified: --{name}")));
            }
            let value = match (kind, value) {
                (Kind::Switch, None) => "true".to_owned(),
                (Kind::Switch, Some(value)) if is_switch(value) => value.to_ascii_lowercase(),
                (Kind::Switch, Some(value)) if !value.is_empty() => {
                    return Err(unparsed(format!(
                        "expecting boolean value for flag --{name}, not: {value}"
                    )));
                }
                (Kind::Text | Kind::Texts, Some(value)) => value.to_owned(),
                _ => return Err(unparsed(format!("missing a value on flag: --{name}"))),
            };
            given.push((name, value));
        }
        Ok(Self(given))
    }

    /// The value of an option; empty if it was not given.
    pub fn get(&self, name: &str) -> &str {
        let mut given = self.0.iter();
        let found = given.find(|(given, _)| *given == name);
        found.map_or("", |(_, value)| value)
    }

    /// The values of an option that can be given several times.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let given = self.0.iter().filter(move |(given, _)| *given == name);
        given.map(|(_, value)| value.as_str())
    }

    /// The name of the first option.
    pub fn first(&self) -> Option<&'static str> {
        self.0.first().map(|(name, _)| *name)
    }
}

fn is_switch(value: &str) -> bool {
    ["true", "false"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(value))
}
