//! Values of the structures in `schema`: equality as Go's deep equality, the
//! entry hash, and the differences of two values.

use alloc::collections::VecDeque;

use super::schema::{Kind, Record};
use crate::explain::Difference;
use crate::hashstructure as hash;
use crate::prelude::*;

/// A value. Absent (nil) lists, maps, bytes and pointers are `None` and differ
/// from present but empty ones.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Bool(bool),
    Integer(i64),
    Word(u32),
    Bytes(Option<Vec<u8>>),
    /// A value of which only the presence is known.
    Seen(bool),
    Pointer(Option<Box<Value>>),
    List(Option<List>),
    Map(Option<BTreeMap<String, Value>>),
    Record(Vec<Value>),
}

/// A list. Go reads a repeated list into the elements of the earlier one, and
/// into those that an even earlier, longer one left behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    pub items: Vec<Value>,
    pub spare: VecDeque<Value>,
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items
    }
}

impl Value {
    /// The zero value of a kind.
    pub fn zero(kind: &Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(String::new()),
            Kind::Bool => Self::Bool(false),
            Kind::Integer => Self::Integer(0),
            Kind::Word => Self::Word(0),
            Kind::Bytes => Self::Bytes(None),
            Kind::Time | Kind::Any => Self::Seen(false),
            Kind::Pointer(_) => Self::Pointer(None),
            Kind::List(_) => Self::List(None),
            Kind::Map(_) | Kind::Types(_) => Self::Map(None),
            Kind::Record(record) | Kind::Bind(record) => Self::Record(
                record
                    .fields
                    .iter()
                    .map(|field| Self::zero(&field.kind))
                    .collect(),
            ),
        }
    }

    /// Whether JSON leaves it out of a member that may be left out.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Bool(value) | Self::Seen(value) => !value,
            Self::Integer(value) => *value == 0,
            Self::Word(value) => *value == 0,
            Self::Bytes(bytes) => bytes.as_ref().is_none_or(Vec::is_empty),
            Self::Pointer(target) => target.is_none(),
            Self::List(list) => list.as_ref().is_none_or(|list| list.items.is_empty()),
            Self::Map(map) => map.as_ref().is_none_or(BTreeMap::is_empty),
            Self::Record(_) => false,
        }
    }

    /// The field of a record by its Go name.
    pub fn field(&self, record: &Record, name: &str) -> Option<&Self> {
        let Self::Record(fields) = self else {
            return None;
        };
        fields.get(record.fields.iter().position(|field| field.name == name)?)
    }

    /// Sets the field of a record by its Go name.
    pub fn set(&mut self, record: &Record, name: &str, value: Self) {
        let at = record.fields.iter().position(|field| field.name == name);
        if let (Self::Record(fields), Some(at)) = (self, at)
            && let Some(slot) = fields.get_mut(at)
        {
            *slot = value;
        }
    }

    /// The text, or nothing for another kind.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    /// Whether it is a bool that is set, or was seen.
    pub const fn is_true(&self) -> bool {
        matches!(self, Self::Bool(true) | Self::Seen(true))
    }

    /// The integer, also behind a pointer.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Word(value) => Some(i64::from(*value)),
            Self::Pointer(target) => target.as_ref().and_then(|target| target.integer()),
            _ => None,
        }
    }

    /// The elements of a list.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(Some(list)) => &list.items,
            _ => &[],
        }
    }

    /// The pairs of a map.
    pub const fn map(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Map(Some(map)) => Some(map),
            _ => None,
        }
    }

    /// The structure hash (stacker spec, section 8).
    pub fn hash(&self, kind: &Kind) -> u64 {
        match (self, kind) {
            (Self::Text(text), _) => hash::string(text),
            (Self::Bool(value) | Self::Seen(value), _) => hash::boolean(*value),
            (Self::Integer(value), _) => hash::integer(*value),
            (Self::Word(value), _) => hash::word(*value),
            (Self::Bytes(bytes), _) => {
                hash::list(bytes.iter().flatten().map(|byte| hash::byte(*byte)))
            }
            (Self::Pointer(Some(target)), Kind::Pointer(kind)) => target.hash(kind),
            (Self::List(Some(list)), Kind::List(kind)) => {
                hash::list(list.items.iter().map(|item| item.hash(kind)))
            }
            (Self::Map(Some(map)), Kind::Map(kind)) => hash::map(
                map.iter()
                    .map(|(key, value)| (hash::string(key), value.hash(kind))),
            ),
            (Self::Map(Some(map)), Kind::Types(kind)) => hash::map(
                map.iter()
                    .map(|(key, value)| (hash_layer_type(key), value.hash(kind))),
            ),
            (Self::Record(fields), Kind::Record(record) | Kind::Bind(record)) => {
                let fields = record.fields.iter().zip(fields);
                hash::structure(
                    record.name,
                    fields.map(|(field, value)| (field.name, value.hash(&field.kind))),
                )
            }
            (Self::Pointer(_), _) => hash::nil(),
            (Self::List(_) | Self::Map(_) | Self::Record(_), _) => 0,
        }
    }

    /// Where two values of one kind differ, both sides as JSON: `have` is
    /// `self`. Lists differ whole when their lengths do.
    pub fn differences(&self, other: &Self, kind: &Kind, path: &str, out: &mut Vec<Difference>) {
        if self == other {
            return;
        }
        match (self, other, kind) {
            (Self::Record(have), Self::Record(want), Kind::Record(record) | Kind::Bind(record)) => {
                for ((field, have), want) in record.fields.iter().zip(have).zip(want) {
                    let dot = if path.is_empty() { "" } else { "." };
                    let path = format!("{path}{dot}{}", field.member);
                    have.differences(want, &field.kind, &path, out);
                }
            }
            (Self::List(Some(have)), Self::List(Some(want)), Kind::List(kind))
                if have.items.len() == want.items.len() =>
            {
                for (at, (have, want)) in have.items.iter().zip(&want.items).enumerate() {
                    have.differences(want, kind, &format!("{path}[{at}]"), out);
                }
            }
            (Self::Map(Some(have)), Self::Map(Some(want)), Kind::Map(kind) | Kind::Types(kind)) => {
                let keys: BTreeSet<_> = have.keys().chain(want.keys()).collect();
                for key in keys {
                    let path = format!("{path}[{key:?}]");
                    match (have.get(key), want.get(key)) {
                        (Some(have), Some(want)) => have.differences(want, kind, &path, out),
                        (have, want) => out.push(Difference {
                            path,
                            have: have.map(|value| value.json(kind)),
                            want: want.map(|value| value.json(kind)),
                        }),
                    }
                }
            }
            _ => out.push(Difference::new(path, self.json(kind), other.json(kind))),
        }
    }
}

/// Hash of a layer type from its text form.
pub(crate) fn hash_layer_type(text: &str) -> u64 {
    let (kind, verity) = text.split_once('+').unwrap_or((text, "false"));
    hash::structure(
        "LayerType",
        [
            ("Type", hash::string(kind)),
            ("Verity", hash::boolean(verity == "true")),
        ],
    )
}
