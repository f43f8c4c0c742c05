//! Reading and writing values as Go's `encoding/json` does (stacker spec,
//! sections 3.2 and 3.3). Recursion follows the tables of `schema`, never the
//! text.

use super::layer_type;
use super::schema::{Kind, Record};
use super::value::{List, Value};
use crate::base64;
use crate::go_json::{
    Decode as _, Error, ErrorKind, Escapes, Reader, Shape, Timestamp, Writer, same_name,
};
use crate::prelude::*;

/// How members that no field knows are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Passed over, as Go does.
    Skipped,
    /// Refused.
    Refused,
}

impl Value {
    /// Reads one document of a kind.
    ///
    /// # Errors
    /// When it is not valid JSON or not of that kind.
    pub fn read(text: &str, kind: &Kind, depth: u32, unknown: Unknown) -> Result<Self, Error> {
        let mut reader = Reader::new(text, depth);
        let mut value = Self::zero(kind);
        value.decode(kind, &mut reader, unknown)?;
        reader.end()?;
        Ok(value)
    }

    /// Reads the first value of a text; what follows it does not matter.
    ///
    /// # Errors
    /// When it is not valid JSON or not of that kind.
    pub fn read_first(text: &str, kind: &Kind, depth: u32) -> Result<Self, Error> {
        let mut value = Self::zero(kind);
        value.decode(kind, &mut Reader::new(text, depth), Unknown::Skipped)?;
        Ok(value)
    }

    /// Reads one JSON value over what is there.
    pub fn decode(
        &mut self,
        kind: &Kind,
        reader: &mut Reader<'_>,
        unknown: Unknown,
    ) -> Result<(), Error> {
        if reader.peek()? == Shape::Null {
            return self.decode_null(kind, reader);
        }
        match (self, kind) {
            (Self::Text(text), Kind::Text) => *text = reader.string()?.into_owned(),
            (Self::Bool(value), Kind::Bool) => *value = reader.bool()?,
            (Self::Integer(value), Kind::Integer) => value.decode(reader)?,
            (Self::Word(value), Kind::Word) => {
                let error = Error {
                    offset: reader.offset(),
                    kind: ErrorKind::Number,
                };
                *value = reader.number()?.parse().map_err(|_| error)?;
            }
            (Self::Bytes(bytes), Kind::Bytes) => {
                let old = bytes.take().unwrap_or_default();
                *bytes = Some(decode_bytes(reader, &old)?);
            }
            (Self::Seen(seen), Kind::Time) => {
                Timestamp::default().decode(reader)?;
                *seen = true;
            }
            (Self::Seen(seen), Kind::Any) => {
                reader.skip()?;
                *seen = true;
            }
            (Self::Pointer(target), Kind::Pointer(kind)) => target
                .get_or_insert_with(|| Box::new(Self::zero(kind)))
                .decode(kind, reader, unknown)?,
            (Self::List(list), Kind::List(kind)) => {
                list.get_or_insert_default().decode(kind, reader, unknown)?;
            }
            (Self::Map(map), Kind::Map(kind)) => {
                let map = map.get_or_insert_default();
                reader.object(|reader, key| {
                    let mut value = Self::zero(kind);
                    value.decode(kind, reader, unknown)?;
                    map.insert(key.into_owned(), value);
                    Ok::<(), Error>(())
                })?;
            }
            (Self::Map(map), Kind::Types(kind)) => {
                let map = map.get_or_insert_default();
                reader.object(|reader, key| {
                    let bad = reader.error(ErrorKind::Text("a layer type"));
                    let key = layer_type::normalise(&key).ok_or(bad)?;
                    let mut value = Self::zero(kind);
                    value.decode(kind, reader, unknown)?;
                    map.insert(key, value);
                    Ok::<(), Error>(())
                })?;
            }
            (Self::Record(fields), Kind::Record(record)) => {
                decode_record(fields, record, reader, unknown)?;
            }
            (Self::Record(fields), Kind::Bind(record)) => {
                decode_bind(fields, record, reader, unknown)?;
            }
            // A value is always of the kind it was made for.
            (_, _) => return Err(reader.error(ErrorKind::Syntax)),
        }
        Ok(())
    }

    /// `null` makes pointers, lists, maps and bytes nil and leaves the rest.
    fn decode_null(&mut self, kind: &Kind, reader: &mut Reader<'_>) -> Result<(), Error> {
        if matches!(kind, Kind::Bind(_)) {
            return Err(reader.mismatch("a bind"));
        }
        reader.null()?;
        match self {
            Self::Pointer(target) => *target = None,
            Self::List(list) => *list = None,
            Self::Map(map) => *map = None,
            Self::Bytes(bytes) => *bytes = None,
            Self::Seen(seen) => *seen |= matches!(kind, Kind::Any),
            Self::Text(_) | Self::Bool(_) | Self::Integer(_) | Self::Word(_) | Self::Record(_) => {}
        }
        Ok(())
    }

    /// Writes the value.
    pub fn encode(&self, kind: &Kind, writer: &mut Writer) {
        match (self, kind) {
            (Self::Text(text), _) => writer.string(text),
            (Self::Bool(value) | Self::Seen(value), _) => writer.bool(*value),
            (Self::Integer(value), _) => writer.integer(*value),
            (Self::Word(value), _) => writer.integer(i64::from(*value)),
            (Self::Bytes(Some(bytes)), _) => writer.string(&base64::encode(bytes)),
            (Self::Pointer(Some(target)), Kind::Pointer(kind)) => target.encode(kind, writer),
            (Self::List(Some(list)), Kind::List(kind)) => {
                writer.list(&list.items, |writer, item| item.encode(kind, writer));
            }
            (Self::Map(Some(map)), Kind::Map(kind) | Kind::Types(kind)) => {
                writer.object(|writer| {
                    for (key, value) in map {
                        value.encode(kind, writer.member(key));
                    }
                });
            }
            (Self::Record(fields), Kind::Record(record) | Kind::Bind(record)) => {
                writer.object(|writer| {
                    for (field, value) in record.fields.iter().zip(fields) {
                        if !(field.omit && value.is_empty()) {
                            value.encode(&field.kind, writer.member(field.member));
                        }
                    }
                });
            }
            (
                Self::Bytes(_) | Self::Pointer(_) | Self::List(_) | Self::Map(_) | Self::Record(_),
                _,
            ) => writer.null(),
        }
    }

    /// The JSON text of the value.
    pub fn json(&self, kind: &Kind) -> String {
        let mut writer = Writer::new(Escapes::Short);
        self.encode(kind, &mut writer);
        writer.finish()
    }
}

impl List {
    fn decode(
        &mut self,
        kind: &Kind,
        reader: &mut Reader<'_>,
        unknown: Unknown,
    ) -> Result<(), Error> {
        let mut count = 0;
        reader.list(|reader| {
            if count == self.items.len() {
                let next = self.spare.pop_front();
                self.items.push(next.unwrap_or_else(|| Value::zero(kind)));
            }
            if let Some(item) = self.items.get_mut(count) {
                item.decode(kind, reader, unknown)?;
            }
            count += 1;
            Ok::<(), Error>(())
        })?;
        if count == 0 {
            *self = Self::default();
            return Ok(());
        }
        for item in self.items.split_off(count).into_iter().rev() {
            self.spare.push_front(item);
        }
        Ok(())
    }
}

fn decode_record(
    fields: &mut [Value],
    record: &Record,
    reader: &mut Reader<'_>,
    unknown: Unknown,
) -> Result<(), Error> {
    reader.object(|reader, name| {
        let exact = record.fields.iter().position(|field| field.member == name);
        let folded = || {
            record
                .fields
                .iter()
                .position(|field| same_name(&name, field.member))
        };
        let at = exact.or_else(folded);
        match at.and_then(|at| Some((fields.get_mut(at)?, record.fields.get(at)?))) {
            Some((value, field)) => value.decode(&field.kind, reader, unknown),
            None if unknown == Unknown::Skipped => reader.skip(),
            None => Err(reader.error(ErrorKind::Text("a member of this version"))),
        }
    })
}

/// The reading of a bind in version 16: an object with a source, or a text of
/// one word, or of three with an arrow in the middle.
fn decode_bind(
    fields: &mut [Value],
    record: &Record,
    reader: &mut Reader<'_>,
    unknown: Unknown,
) -> Result<(), Error> {
    let refused = reader.error(ErrorKind::Text("a bind"));
    if reader.peek()? == Shape::String {
        let text = reader.string()?;
        let words: Vec<_> = text.split_whitespace().collect();
        let (source, dest) = match *words {
            [both] => (both, both),
            [source, "->", dest] => (source, dest),
            _ => return Err(refused),
        };
        for (field, text) in fields.iter_mut().zip([source, dest]) {
            *field = Value::Text(text.to_owned());
        }
        return Ok(());
    }
    let mut fresh: Vec<_> = record
        .fields
        .iter()
        .map(|field| Value::zero(&field.kind))
        .collect();
    decode_record(&mut fresh, record, reader, unknown)?;
    if let [source, dest] = fresh.as_mut_slice() {
        if source.is_empty() {
            return Err(refused);
        }
        if dest.is_empty() {
            *dest = source.clone();
        }
    }
    for (field, value) in fields.iter_mut().zip(fresh) {
        *field = value;
    }
    Ok(())
}

/// Bytes are base64, or a list of numbers, in which null leaves the old byte.
fn decode_bytes(reader: &mut Reader<'_>, old: &[u8]) -> Result<Vec<u8>, Error> {
    let start = reader.offset();
    let refused = |kind| Error {
        offset: start,
        kind,
    };
    if reader.peek()? != Shape::List {
        let text = reader.string()?;
        return base64::decode(&text).ok_or(refused(ErrorKind::Text("base64")));
    }
    let mut bytes = Vec::new();
    reader.list(|reader| {
        let byte = if reader.null()? {
            Ok(old.get(bytes.len()).copied().unwrap_or_default())
        } else {
            reader.number()?.parse()
        };
        bytes.push(byte.map_err(|_| refused(ErrorKind::Number))?);
        Ok::<(), Error>(())
    })?;
    Ok(bytes)
}
