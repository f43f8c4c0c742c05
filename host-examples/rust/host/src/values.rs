//! Values of the contract as JSON, in the form of `tests/TRANSCRIPTS.md`, both
//! ways and directed by their types; and the values the generated bindings say
//! of themselves, whose names are spelt as Rust spells them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::{Map, Value};
use wasmtime::component::{ResourceAny, Type, Val};

/// Strings of more bytes are kept once.
const INLINE: usize = 64;

/// Why JSON is not a value of a type.
#[derive(Debug)]
pub struct Unfit(String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn unfit<T>(wanted: &str, json: &Value) -> Result<T, Unfit> {
    let mut shown = json.to_string();
    if shown.len() > 80 {
        shown = shown.chars().take(77).collect();
        shown.push_str("...");
    }
    Err(Unfit(format!("{shown} is not {wanted}")))
}

/// The resources of an instance by their numbers, in the order in which they
/// appeared.
#[derive(Debug, Default)]
pub struct Handles(Vec<Option<ResourceAny>>);

impl Handles {
    /// The number of a resource; one not seen before gets the next.
    pub fn number(&mut self, resource: ResourceAny) -> usize {
        self.find(resource).unwrap_or_else(|| {
            self.0.push(Some(resource));
            self.0.len() - 1
        })
    }

    /// The number of a resource that was seen before.
    fn find(&self, resource: ResourceAny) -> Option<usize> {
        self.0.iter().position(|known| *known == Some(resource))
    }

    /// The resource of a number, while it lives.
    pub fn resource(&self, number: u64) -> Option<ResourceAny> {
        let number = usize::try_from(number).ok()?;
        self.0.get(number).copied().flatten()
    }

    /// Forgets a resource that is dropped; its number is not given again.
    pub fn forget(&mut self, number: u64) -> Option<ResourceAny> {
        let number = usize::try_from(number).ok()?;
        self.0.get_mut(number)?.take()
    }
}

/// Long strings, each once.
#[derive(Debug, Default)]
pub struct Strings {
    list: Vec<String>,
    index: HashMap<String, usize>,
}

impl Strings {
    /// The strings in the order of their numbers.
    pub fn list(&self) -> &[String] {
        &self.list
    }

    fn number(&mut self, text: &str) -> usize {
        if let Some(number) = self.index.get(text) {
            return *number;
        }
        self.list.push(text.to_owned());
        self.index.insert(text.to_owned(), self.list.len() - 1);
        self.list.len() - 1
    }
}

/// How names in JSON are spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// As in the contract.
    Contract,
    /// As the generated bindings spell them, through serde.
    Rust,
}

/// A value out of JSON. Strings are those of the document itself.
///
/// # Errors
/// When it is not one of the type.
pub fn read(json: &Value, ty: &Type, names: Names, handles: &Handles) -> Result<Val, Unfit> {
    let read = |json: &Value, ty: &Type| read(json, ty, names, handles);
    let payload = |json: &Value, ty: Option<Type>| match ty {
        Some(ty) => read(json, &ty).map(|value| Some(Box::new(value))),
        None if json.is_null() => Ok(None),
        None => unfit("null, for there is no payload", json),
    };
    Ok(match ty {
        Type::Bool => Val::Bool(json.as_bool().map_or_else(|| unfit("a bool", json), Ok)?),
        Type::String => Val::String(text(json)?.to_owned()),
        Type::S8 => Val::S8(small(json)?),
        Type::U8 => Val::U8(small(json)?),
        Type::S16 => Val::S16(small(json)?),
        Type::U16 => Val::U16(small(json)?),
        Type::S32 => Val::S32(small(json)?),
        Type::U32 => Val::U32(small(json)?),
        Type::S64 => Val::S64(large(json, names)?),
        Type::U64 => Val::U64(large(json, names)?),
        Type::List(list) => {
            let ty = list.ty();
            let items = items(json)?.iter().map(|item| read(item, &ty));
            Val::List(items.collect::<Result<_, _>>()?)
        }
        Type::Tuple(tuple) => {
            let items = items(json)?;
            if items.len() != tuple.types().len() {
                return unfit("a tuple of this length", json);
            }
            let items = items
                .iter()
                .zip(tuple.types())
                .map(|(item, ty)| read(item, &ty));
            Val::Tuple(items.collect::<Result<_, _>>()?)
        }
        Type::Record(record) => {
            let members = members(json)?;
            if members.len() != record.fields().len() {
                return unfit("a record with these fields", json);
            }
            let fields =
                record
                    .fields()
                    .map(|field| match members.get(&*names.field(field.name)) {
                        Some(member) => Ok((field.name.to_owned(), read(member, &field.ty)?)),
                        None => unfit(&format!("a record with {:?}", field.name), json),
                    });
            Val::Record(fields.collect::<Result<_, _>>()?)
        }
        Type::Enum(cases) => {
            let name = text(json)?;
            match cases.names().find(|case| names.case(case) == name) {
                Some(case) => Val::Enum(case.to_owned()),
                None => return unfit("a case of this enum", json),
            }
        }
        Type::Flags(flags) => {
            let set = items(json)?;
            let known: Vec<&str> = flags.names().collect();
            let set: Vec<&str> = set.iter().map(text).collect::<Result<_, _>>()?;
            if set.iter().any(|flag| !known.contains(flag)) {
                return unfit("a list of these flags", json);
            }
            let set = known.into_iter().filter(|flag| set.contains(flag));
            Val::Flags(set.map(str::to_owned).collect())
        }
        Type::Option(_) if json.is_null() => Val::Option(None),
        Type::Option(option) => Val::Option(Some(Box::new(read(json, &option.ty())?))),
        Type::Result(result) => {
            let (name, member) = single(json)?;
            if name == names.case("ok") {
                Val::Result(Ok(payload(member, result.ok())?))
            } else if name == names.case("err") {
                Val::Result(Err(payload(member, result.err())?))
            } else {
                return unfit("a result", json);
            }
        }
        Type::Variant(variant) => {
            // A case without payload is only a string in what serde writes.
            let (name, member) = match json {
                Value::String(name) if names == Names::Rust => (name.as_str(), &Value::Null),
                _ => single(json)?,
            };
            match variant.cases().find(|case| names.case(case.name) == name) {
                Some(case) => Val::Variant(case.name.to_owned(), payload(member, case.ty)?),
                None => return unfit("a case of this variant", json),
            }
        }
        Type::Own(_) | Type::Borrow(_) => {
            let number = json.get("resource").and_then(Value::as_u64);
            match number.and_then(|number| handles.resource(number)) {
                Some(resource) => Val::Resource(resource),
                None => return unfit("a resource that is there", json),
            }
        }
        _ => return unfit("of a type that this contract uses", json),
    })
}

impl Names {
    fn field(self, name: &str) -> String {
        match self {
            Self::Contract => name.to_owned(),
            Self::Rust => name.replace('-', "_"),
        }
    }

    fn case(self, name: &str) -> String {
        match self {
            Self::Contract => name.to_owned(),
            Self::Rust => name.split('-').map(capital).collect(),
        }
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn text(json: &Value) -> Result<&str, Unfit> {
    json.as_str().map_or_else(|| unfit("a string", json), Ok)
}

fn items(json: &Value) -> Result<&Vec<Value>, Unfit> {
    json.as_array().map_or_else(|| unfit("a list", json), Ok)
}

fn members(json: &Value) -> Result<&Map<String, Value>, Unfit> {
    json.as_object()
        .map_or_else(|| unfit("an object", json), Ok)
}

fn single(json: &Value) -> Result<(&str, &Value), Unfit> {
    let mut members = members(json)?.iter();
    match (members.next(), members.next()) {
        (Some((name, member)), None) => Ok((name, member)),
        _ => unfit("an object with one member", json),
    }
}

fn small<T: TryFrom<i64>>(json: &Value) -> Result<T, Unfit> {
    let number = json.as_i64().and_then(|number| T::try_from(number).ok());
    number.map_or_else(|| unfit("an integer in range", json), Ok)
}

fn large<T: FromStr + ToString>(json: &Value, names: Names) -> Result<T, Unfit> {
    let digits = match (json, names) {
        (Value::String(digits), Names::Contract) => digits.clone(),
        (Value::Number(number), Names::Rust) => number.to_string(),
        _ => return unfit("an integer as a decimal string", json),
    };
    // One spelling only: neither `+1` nor `01`.
    let number = digits.parse().ok();
    let number = number.filter(|number: &T| number.to_string() == digits);
    number.map_or_else(|| unfit("an integer in range", json), Ok)
}

/// Gives every resource in a value its number.
pub fn number(value: &Val, handles: &mut Handles) {
    match value {
        Val::Resource(resource) => {
            handles.number(*resource);
        }
        Val::List(items) | Val::Tuple(items) => {
            items.iter().for_each(|item| number(item, handles));
        }
        Val::Record(fields) => fields.iter().for_each(|(_, value)| number(value, handles)),
        Val::Option(Some(value))
        | Val::Variant(_, Some(value))
        | Val::Result(Ok(Some(value)) | Err(Some(value))) => number(value, handles),
        _ => {}
    }
}

/// A value as JSON. Resources have their numbers already; long strings go into a
/// table, where there is one.
#[derive(Clone, Copy)]
pub struct Written<'a> {
    pub value: &'a Val,
    pub handles: &'a Handles,
    pub strings: Option<&'a RefCell<Strings>>,
}

impl<'a> Written<'a> {
    const fn of(self, value: &'a Val) -> Self {
        Self { value, ..self }
    }

    fn optional(self, value: Option<&'a Val>) -> Option<Self> {
        value.map(|value| self.of(value))
    }
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Val::Bool(value) => to.serialize_bool(*value),
            Val::S8(value) => to.serialize_i8(*value),
            Val::U8(value) => to.serialize_u8(*value),
            Val::S16(value) => to.serialize_i16(*value),
            Val::U16(value) => to.serialize_u16(*value),
            Val::S32(value) => to.serialize_i32(*value),
            Val::U32(value) => to.serialize_u32(*value),
            Val::S64(value) => to.collect_str(value),
            Val::U64(value) => to.collect_str(value),
            Val::String(text) => match self.strings {
                Some(strings) if text.len() > INLINE => {
                    let number = strings.borrow_mut().number(text);
                    to.collect_map([("$", number)])
                }
                _ => to.serialize_str(text),
            },
            Val::Enum(name) => to.serialize_str(name),
            Val::Flags(names) => to.collect_seq(names),
            Val::List(items) | Val::Tuple(items) => {
                to.collect_seq(items.iter().map(|item| self.of(item)))
            }
            Val::Record(fields) => {
                to.collect_map(fields.iter().map(|(name, value)| (name, self.of(value))))
            }
            Val::Option(value) => self.optional(value.as_deref()).serialize(to),
            Val::Variant(name, value) => to.collect_map([(name, self.optional(value.as_deref()))]),
            Val::Result(Ok(value)) => to.collect_map([("ok", self.optional(value.as_deref()))]),
            Val::Result(Err(value)) => to.collect_map([("err", self.optional(value.as_deref()))]),
            Val::Resource(resource) => match self.handles.find(*resource) {
                Some(number) => to.collect_map([("resource", number)]),
                None => Err(S::Error::custom("a resource without a number")),
            },
            _ => Err(S::Error::custom("a type that this contract does not use")),
        }
    }
}
