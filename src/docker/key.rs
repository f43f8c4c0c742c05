//! What stands for a container config in lookups (Docker spec, section 5.1).

use super::config::{ContainerConfig, Equality, FIELDS, Value};
use super::frames::Frames;
use super::version::Compared;
use crate::prelude::*;

/// How labels are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// A label that is missing on the requested side counts as an empty one
    /// (hazard H10).
    MissingIsEmpty,
    /// Exactly.
    Exact,
}

/// What stands for a config in comparisons, so that it need not be kept: equal
/// configs have equal keys, and different ones do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// SHA-256 over every compared field but the labels, each framed.
    rest: [u8; 32],
    /// SHA-256 over the labels, framed; `None` without labels.
    labels: Option<[u8; 32]>,
    /// The labels themselves, where one is empty: only then can a different
    /// set be equal.
    empty: Option<BTreeMap<String, String>>,
    /// It equals no other, see [`Equality::RefusedBeforeFix`].
    never: bool,
}

impl Key {
    /// The key of a config.
    pub fn of(config: &ContainerConfig, compared: Compared) -> Self {
        let mut rest = Frames::new("layerwise/docker/config/2");
        let mut never = false;
        for field in FIELDS {
            let value = (field.value)(config);
            match (field.equality, compared) {
                (Equality::Ignored | Equality::Labels, _)
                | (Equality::SinceFix, Compared::Early) => {}
                (Equality::RefusedBeforeFix, Compared::Early) => never |= !value.is_empty(),
                (Equality::Compared, _)
                | (Equality::SinceFix | Equality::RefusedBeforeFix, Compared::All) => {
                    digest(value, &mut rest);
                }
            }
        }
        let labels = config.labels.as_ref().filter(|labels| !labels.is_empty());
        Self {
            rest: rest.finish(),
            labels: labels.map(|labels| {
                let mut framed = Frames::new("layerwise/docker/config-labels/1");
                digest(Value::Labels(Some(labels)), &mut framed);
                framed.finish()
            }),
            empty: labels.filter(has_empty).cloned(),
            never,
        }
    }

    /// What equal configs share: everything but their labels, digested.
    pub const fn rest(&self) -> &[u8; 32] {
        &self.rest
    }

    /// About how many bytes of labels the key of a config keeps.
    pub fn held(config: &ContainerConfig) -> usize {
        /// What a label costs beside its texts.
        const LABEL: usize = 64;
        let labels = config.labels.iter().filter(has_empty).flatten();
        labels
            .map(|(key, value)| LABEL + key.len() + value.len())
            .sum()
    }

    /// Whether an image with this key is the result of a request with another.
    pub fn answers(
        &self,
        request: &Self,
        wanted: Option<&BTreeMap<String, String>>,
        labels: Labels,
    ) -> bool {
        if self.never || request.never || self.rest != request.rest {
            return false;
        }
        match (&self.empty, labels) {
            (Some(have), Labels::MissingIsEmpty) => {
                labels_equal(have, wanted.unwrap_or(&BTreeMap::new()))
            }
            _ => self.labels == request.labels,
        }
    }

    /// Whether it answers only because missing labels count as empty.
    pub fn overlooks(&self, request: &Self) -> bool {
        self.labels != request.labels
    }
}

fn has_empty(labels: &&BTreeMap<String, String>) -> bool {
    labels.values().any(String::is_empty)
}

/// The quirk: same size, and each of `have` is in `want`, where a missing one
/// is empty. Not symmetric.
pub fn labels_equal(have: &BTreeMap<String, String>, want: &BTreeMap<String, String>) -> bool {
    have.len() == want.len()
        && have
            .iter()
            .all(|(key, value)| want.get(key).map_or("", String::as_str) == value)
}

/// Adds a value to a digest. Null and empty are the same.
fn digest(value: Value<'_>, frames: &mut Frames) {
    match value {
        Value::Text(text) => frames.text(text),
        Value::Flag(flag) => frames.flags(&[flag]),
        Value::Number(number) => {
            frames.flags(&[number.is_some()]);
            frames.number(number.unwrap_or_default());
        }
        Value::Words(words) => frames.words(words.unwrap_or_default()),
        Value::Set(set) => {
            frames.count(set.map_or(0, BTreeMap::len));
            let keys = set.into_iter().flat_map(BTreeMap::keys);
            keys.for_each(|key| frames.text(key));
        }
        Value::Labels(labels) => {
            frames.count(labels.map_or(0, BTreeMap::len));
            for (key, value) in labels.into_iter().flatten() {
                frames.text(key);
                frames.text(value);
            }
        }
        Value::Health(check) => {
            frames.flags(&[check.is_some()]);
            if let Some(check) = check {
                frames.words(check.words());
                let options = check.options().into_iter();
                options.for_each(|(_, value)| frames.number(value));
            }
        }
    }
}
