//! Decoding *into* a value, as Go does: a member that comes twice is applied
//! twice.

use core::ops::{Deref, DerefMut};

use super::reader::{Error, ErrorKind, Reader, Shape};
use super::{integer, same_name};
use crate::prelude::*;

/// A value that a JSON value can be read into.
pub trait Decode {
    /// Reads one value over what is there.
    ///
    /// # Errors
    /// When the text is invalid or of another type; `self` is then unspecified.
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error>;
}

/// Reads a whole document.
///
/// # Errors
/// When it is invalid, of another type, nested deeper than `depth`, or followed
/// by anything but white space.
pub fn from_str<T: Decode + Default>(text: &str, depth: u32) -> Result<T, Error> {
    let mut reader = Reader::new(text, depth);
    let mut value = T::default();
    value.decode(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// A member whose content does not matter but must be an object or null, like
/// the values of Go's `map[string]struct{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ignored;

impl Decode for Ignored {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        match reader.peek()? {
            Shape::Null | Shape::Object => reader.skip(),
            _ => Err(reader.mismatch("an object")),
        }
    }
}

impl Decode for String {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if !reader.null()? {
            *self = reader.string()?.into_owned();
        }
        Ok(())
    }
}

impl Decode for bool {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if !reader.null()? {
            *self = reader.bool()?;
        }
        Ok(())
    }
}

impl Decode for i64 {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if !reader.null()? {
            let start = reader.offset();
            *self = integer(reader.number()?).ok_or(Error {
                offset: start,
                kind: ErrorKind::Number,
            })?;
        }
        Ok(())
    }
}

impl<T: Decode> Decode for Box<T> {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        (**self).decode(reader)
    }
}

/// A pointer, or a list or map that can be nil.
impl<T: Decode + Default> Decode for Option<T> {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if reader.null()? {
            *self = None;
            return Ok(());
        }
        self.get_or_insert_default().decode(reader)
    }
}

/// A list. A later one replaces an earlier one, its elements being read over
/// the earlier elements, and over those that an even earlier, longer one left.
#[derive(Clone, Debug)]
pub struct List<T> {
    items: Vec<T>,
    /// What longer lists left behind, the next one last.
    spare: Vec<T>,
}

impl<T> List<T> {
    /// The elements.
    pub fn into_vec(self) -> Vec<T> {
        self.items
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        let spare = Vec::new();
        Self { items, spare }
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

impl<T: PartialEq> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items
    }
}

impl<T: Eq> Eq for List<T> {}

impl<T: Decode + Default> Decode for List<T> {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if reader.null()? {
            *self = Self::default();
            return Ok(());
        }
        let mut count = 0;
        reader.list(|reader| {
            if count == self.items.len() {
                self.items.push(self.spare.pop().unwrap_or_default());
            }
            let item = self.items.get_mut(count);
            count += 1;
            item.map_or(Ok(()), |item| item.decode(reader))
        })?;
        if count == 0 {
            *self = Self::default();
        } else {
            self.spare.extend(self.items.drain(count..).rev());
        }
        Ok(())
    }
}

/// A list that forgets what longer ones left behind: enough where a third list
/// in one place is nothing to be exact about, and smaller than [`List`].
impl<T: Decode + Default> Decode for Vec<T> {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if reader.null()? {
            self.clear();
            return Ok(());
        }
        let mut count = 0;
        reader.list(|reader| {
            if count == self.len() {
                self.push(T::default());
            }
            let item = self.get_mut(count);
            count += 1;
            item.map_or(Ok(()), |item| item.decode(reader))
        })?;
        self.truncate(count);
        Ok(())
    }
}

/// A map: members are merged, a repeated key replaces its value whole.
impl<T: Decode + Default> Decode for BTreeMap<String, T> {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if reader.null()? {
            self.clear();
            return Ok(());
        }
        reader.object(|reader, key| {
            let mut value = T::default();
            value.decode(reader)?;
            self.insert(key.into_owned(), value);
            Ok(())
        })
    }
}

/// Which of `fields` a member name stands for: the equal one, else the first
/// that is the same but for case.
pub fn field_index(fields: &[&str], name: &str) -> Option<usize> {
    fields
        .iter()
        .position(|field| *field == name)
        .or_else(|| fields.iter().position(|field| same_name(name, field)))
}

/// Implements [`Decode`] for a struct: null leaves it as it is, members go to
/// fields by their JSON names, unknown members are passed over.
macro_rules! object {
    ($type:ty { $( $name:literal => $field:ident ),+ $(,)? }) => {
        impl $crate::go_json::Decode for $type {
            fn decode(
                &mut self,
                reader: &mut $crate::go_json::Reader<'_>,
            ) -> Result<(), $crate::go_json::Error> {
                const FIELDS: &[&str] = &[ $( $name ),+ ];
                if reader.null()? {
                    return Ok(());
                }
                reader.object(|reader, name| {
                    match $crate::go_json::field_index(FIELDS, &name).and_then(|i| FIELDS.get(i)) {
                        $( Some(&$name) => $crate::go_json::Decode::decode(&mut self.$field, reader), )+
                        _ => reader.skip(),
                    }
                })
            }
        }
    };
}
pub(crate) use object;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq)]
    struct Thing {
        name: String,
        tags: Option<List<String>>,
        map: BTreeMap<String, String>,
        inner: Option<Box<Inner>>,
    }

    #[derive(Debug, Default, PartialEq)]
    struct Inner {
        n: i64,
        set: BTreeMap<String, Ignored>,
    }

    object!(Thing { "name" => name, "tags" => tags, "map" => map, "inner" => inner });
    object!(Inner { "n" => n, "set" => set });

    fn read(text: &str) -> Result<Thing, Error> {
        from_str(text, 100)
    }

    #[test]
    fn repeated_members_are_applied_in_order() {
        let thing = read(
            r#"{"name":"a","NAME":"b","name":null,"tags":["x","y"],"Tags":["z",null],
                "map":{"a":"1","b":"2"},"MAP":{"b":null},"inner":{"n":1},"inner":{"set":{"q":{}}}}"#,
        )
        .unwrap();
        assert_eq!(thing.name, "b");
        assert_eq!(thing.tags, Some(vec!["z".into(), "y".into()].into()));
        assert_eq!(thing.map["a"], "1");
        assert_eq!(thing.map["b"], "");
        let inner = thing.inner.unwrap();
        assert_eq!(inner.n, 1);
        assert_eq!(inner.set.len(), 1);
    }

    #[test]
    fn lists_are_read_over_what_earlier_ones_left() {
        let tags = |text: &str| read(text).unwrap().tags.unwrap().into_vec();
        assert_eq!(
            tags(r#"{"tags":["a","b","c"],"tags":["d"],"tags":[null,null,"e",null]}"#),
            ["d", "b", "e", ""]
        );
        assert_eq!(
            tags(r#"{"tags":["a","b"],"tags":[],"tags":[null,null]}"#),
            ["", ""]
        );
        assert_eq!(
            tags(r#"{"tags":["a","b"],"tags":null,"tags":[null]}"#),
            [""]
        );
    }

    #[test]
    fn null_clears_lists_and_pointers_only() {
        let thing = read(r#"{"name":null,"tags":["x"],"tags":null,"inner":{},"inner":null}"#);
        assert_eq!(thing.unwrap(), Thing::default());
        assert_eq!(read(r#"{"tags":[]}"#).unwrap().tags, Some(List::default()));
    }

    #[test]
    fn surrogates() {
        let name = |text| read(text).unwrap().name;
        assert_eq!(name(r#"{"name":"\ud83d\ude00"}"#), "\u{1f600}");
        assert_eq!(name(r#"{"name":"\ud83dx"}"#), "\u{fffd}x");
        assert_eq!(name(r#"{"name":"\ud83d\u0041"}"#), "\u{fffd}A");
        assert_eq!(name(r#"{"name":"\ude00\ud83d"}"#), "\u{fffd}\u{fffd}");
        assert_eq!(
            name(r#"{"name":"\ud83d\ud83d\ude00"}"#),
            "\u{fffd}\u{1f600}"
        );
    }

    #[test]
    fn invalid_documents_say_where() {
        for (text, want) in [
            ("", "unexpected end of json at byte 0"),
            ("{} x", "text after the json document at byte 3"),
            (
                r#"{"name":1}"#,
                "expected a string, found a number at byte 8",
            ),
            (
                r#"{"inner":{"n":1.0}}"#,
                "number out of range or not an integer at byte 14",
            ),
            (r#"{"x":[1,]}"#, "invalid json at byte 8"),
            (r#"{"x":{"a"}}"#, "invalid json at byte 9"),
            (r#"{"x":nul"#, "unexpected end of json at byte 8"),
            (r#"{"x":"\x"}"#, "invalid json at byte 7"),
            (r#"{"x":01}"#, "invalid json at byte 6"),
            (r#"{"x":1."#, "unexpected end of json at byte 7"),
            (r#"{"x":1.}"#, "invalid json at byte 7"),
            ("{\"x\":\"a\nb\"}", "invalid json at byte 7"),
            (
                r#"{"inner":{"set":{"a":1}}}"#,
                "expected an object, found a number at byte 21",
            ),
            ("\u{feff}{}", "invalid json at byte 0"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), want, "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded_without_recursion() {
        let deep = |n: usize| format!("{{\"x\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(read(&deep(99)).is_ok());
        let error = read(&deep(100)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Depth(100));
        assert!(read(&"[".repeat(1_000_000)).is_err());
        let skipped: Result<Ignored, _> = from_str(&deep(500_000), u32::MAX);
        assert!(skipped.is_ok());
    }
}
