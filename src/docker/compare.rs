//! Config equality with its evidence (Docker spec, section 5.1). Lookups compare
//! keys, which go by the same table of fields.

use super::config::{ContainerConfig, Equality, FIELDS, Healthcheck, Value};
use super::key::{Labels, labels_equal};
use super::version::Compared;
use crate::explain::Difference;
use crate::prelude::*;

/// Two configs compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Whether the rules call them equal.
    pub equal: bool,
    /// Every compared field that differs, in the order of the spec's table.
    pub differences: Vec<Difference>,
    /// Labels that differ although the rules call them equal.
    pub overlooked: Vec<Difference>,
}

/// Compares an image's container config with a requested one and lists every
/// difference.
pub fn compare(
    have: Option<&ContainerConfig>,
    want: Option<&ContainerConfig>,
    compared: Compared,
    labels: Labels,
) -> Comparison {
    let (Some(have), Some(want)) = (have, want) else {
        let presence = |config: Option<&ContainerConfig>| {
            let presence = config.map_or("absent", |_| "present");
            Some(presence.to_owned())
        };
        return Comparison {
            equal: false,
            differences: vec![Difference::new("config", presence(have), presence(want))],
            overlooked: Vec::new(),
        };
    };
    let mut found = Comparison::default();
    for field in FIELDS {
        let (have, want) = ((field.value)(have), (field.value)(want));
        let mut differing = Vec::new();
        match (field.equality, compared) {
            (Equality::Ignored, _) | (Equality::SinceFix, Compared::Early) => {}
            (Equality::RefusedBeforeFix, Compared::Early) => {
                if !have.is_empty() || !want.is_empty() {
                    differing.push(Difference::new(field.name, show(have), show(want)));
                }
            }
            (Equality::Compared | Equality::Labels, _)
            | (Equality::SinceFix | Equality::RefusedBeforeFix, Compared::All) => {
                differences(field.name, have, want, &mut differing);
            }
        }
        if overlooked(have, want, labels) {
            found.overlooked = differing;
        } else {
            found.differences.extend(differing);
        }
    }
    found.equal = found.differences.is_empty();
    found
}

/// Whether these are labels that the rules call equal.
fn overlooked(have: Value<'_>, want: Value<'_>, labels: Labels) -> bool {
    let (Value::Labels(have), Value::Labels(want)) = (have, want) else {
        return false;
    };
    let none = BTreeMap::new();
    labels == Labels::MissingIsEmpty && labels_equal(have.unwrap_or(&none), want.unwrap_or(&none))
}

/// What differs between two values of one field; null and empty are the same.
fn differences(path: &str, have: Value<'_>, want: Value<'_>, out: &mut Vec<Difference>) {
    match (have, want) {
        (Value::Words(have), Value::Words(want)) => words(
            path,
            have.unwrap_or_default(),
            want.unwrap_or_default(),
            out,
        ),
        (Value::Set(have), Value::Set(want)) => {
            members(
                path,
                &texts(have, |key, _| key),
                &texts(want, |key, _| key),
                out,
            );
        }
        (Value::Labels(have), Value::Labels(want)) => {
            let (have, want) = (texts(have, |_, text| text), texts(want, |_, text| text));
            members(path, &have, &want, out);
        }
        (Value::Health(Some(have)), Value::Health(Some(want))) => health(path, have, want, out),
        _ => {
            let (have, want) = (show(have), show(want));
            if have != want {
                out.push(Difference::new(path, have, want));
            }
        }
    }
}

/// A value in one line; `None` for one that is absent.
fn show(value: Value<'_>) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.to_owned()),
        Value::Flag(flag) => Some(flag.to_string()),
        Value::Number(number) => number.map(|number| number.to_string()),
        Value::Health(check) => check.map(|_| "present".to_owned()),
        Value::Words(_) | Value::Set(_) | Value::Labels(_) => None,
    }
}

/// Lists: the first element that differs, or the lengths.
fn words(path: &str, have: &[String], want: &[String], out: &mut Vec<Difference>) {
    if have != want {
        let index = have.iter().zip(want).take_while(|(a, b)| a == b).count();
        out.push(Difference::new(
            format!("{path}[{index}]"),
            have.get(index).cloned(),
            want.get(index).cloned(),
        ));
    }
}

/// The members of a map by what is shown of them.
fn texts<'a, V>(
    map: Option<&'a BTreeMap<String, V>>,
    text: impl Fn(&'a String, &'a V) -> &'a String,
) -> BTreeMap<&'a str, &'a str> {
    let members = map.into_iter().flatten();
    members
        .map(|(key, value)| (key.as_str(), text(key, value).as_str()))
        .collect()
}

/// Maps: every member that differs or that only one side has.
fn members(
    path: &str,
    have: &BTreeMap<&str, &str>,
    want: &BTreeMap<&str, &str>,
    out: &mut Vec<Difference>,
) {
    let text = |side: &BTreeMap<&str, &str>, key: &str| side.get(key).map(|&text| text.to_owned());
    let only_wanted = want.keys().filter(|key| !have.contains_key(*key));
    for key in have.keys().chain(only_wanted) {
        if have.get(key) != want.get(key) {
            let path = format!("{path}[{key:?}]");
            out.push(Difference::new(path, text(have, key), text(want, key)));
        }
    }
}

fn health(path: &str, have: &Healthcheck, want: &Healthcheck, out: &mut Vec<Difference>) {
    words(&format!("{path}.Test"), have.words(), want.words(), out);
    for ((name, have), (_, want)) in have.options().into_iter().zip(want.options()) {
        if have != want {
            let path = format!("{path}.{name}");
            out.push(Difference::new(path, have.to_string(), want.to_string()));
        }
    }
}
