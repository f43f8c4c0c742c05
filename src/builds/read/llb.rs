//! A definition as frontends hand it to a daemon, before it is built: `pb.Definition`,
//! which `buildctl debug dump-llb` reads, too (Builds spec, section 1.6).

use serde_json::{Map, Value as Json};

use super::bad::Bad;
use super::wire::{Fields, Value};
use crate::base64;
use crate::builds::key::digest;
use crate::builds::message::{self, Kind, Message};
use crate::builds::model::{Build, Definition, Dockerfile, Input, Lines, Op, OpKind, Step, Vertex};
use crate::builds::names::of_operation;
use crate::limits::{Limit, Limits};
use crate::oci::Platform;
use crate::prelude::*;

/// Messages are nested no deeper: a definition may hold another one.
const DEEPEST: usize = 32;
/// The actions on files, by their numbers.
static ACTIONS: [(u32, &str, &Message); 5] = [
    (4, "copy", &message::COPY),
    (5, "mkfile", &message::MKFILE),
    (6, "mkdir", &message::MKDIR),
    (7, "rm", &message::RM),
    (8, "symlink", &message::SYMLINK),
];

/// Reads a definition. Its steps have names and no states: nothing was built.
///
/// # Errors
/// If it is not one, or above a limit.
pub fn of_message<const N: usize>(bytes: &[u8], limits: &Limits<N>) -> Result<Build, Bad> {
    let mut operations = Vec::new();
    let mut metadata = BTreeMap::new();
    let mut source = Json::Null;
    for field in Fields::of(bytes) {
        match field? {
            (1, value) => {
                if operations.len() as u64 >= limits.get(Limit::Entries) {
                    return Err(Bad::Above(Limit::Entries));
                }
                operations.push(value.bytes()?);
            }
            (2, value) => {
                let (name, value) = entry(value)?;
                metadata.insert(name, decode(&message::METADATA, value, 0)?);
            }
            (3, value) => source = decode(&message::SOURCE, value.bytes()?, 0)?,
            _ => {}
        }
    }
    if operations.is_empty() {
        return Err(Bad::Form("it is no definition: it has no operations"));
    }
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut build = Build::default();
    let mut definition = Definition {
        dockerfile: dockerfile(&source)?,
        ..Definition::default()
    };
    for operation in operations {
        let vertex = digest(operation);
        let (op, inputs) = self::operation(operation, &places)?;
        places.insert(vertex.clone(), definition.steps.len());
        let known = metadata.get(&vertex).unwrap_or(&Json::Null);
        if op.kind != OpKind::Result {
            build.vertices.push(Vertex {
                digest: vertex.clone(),
                name: name(&op, known),
                ..Vertex::default()
            });
        }
        definition.steps.push(Step {
            lines: lines(&source, &vertex),
            ignore_cache: known.get("ignore_cache") == Some(&Json::Bool(true)),
            vertex: Some(vertex),
            op,
            inputs,
        });
    }
    let platforms = definition.steps.iter();
    let mut platforms = platforms.filter_map(|step| step.op.platform.clone());
    definition.platform = platforms.next().unwrap_or_default();
    build.definitions.push(definition);
    Ok(build)
}

/// An operation, and the outputs it is made from.
fn operation(bytes: &[u8], places: &BTreeMap<String, usize>) -> Result<(Op, Vec<Input>), Bad> {
    let mut op = Op {
        kind: OpKind::Result,
        message: Json::Null,
        platform: None,
    };
    let mut inputs = Vec::new();
    for field in Fields::of(bytes) {
        let (number, value) = field?;
        let kind = match number {
            1 => {
                inputs.push(input(value, places)?);
                continue;
            }
            10 => {
                op.platform = Some(platform(value)?);
                continue;
            }
            2 => (OpKind::Exec, &message::EXEC),
            3 => (OpKind::Source, &message::SOURCE_OP),
            4 => {
                op.kind = OpKind::File;
                op.message = file(value)?;
                continue;
            }
            5 => (OpKind::Build, &message::BUILD),
            6 => (OpKind::Merge, &message::MERGE),
            7 => (OpKind::Diff, &message::DIFF),
            8 => (OpKind::Passthrough, &message::PASSTHROUGH),
            11 => continue,
            _ => return Err(Bad::Unsupported("a step is of a kind that is not known")),
        };
        op.kind = kind.0;
        op.message = decode(kind.1, value.bytes()?, 0)?;
    }
    Ok((op, inputs))
}

fn input(value: Value<'_>, places: &BTreeMap<String, usize>) -> Result<Input, Bad> {
    let mut found = None;
    let mut output = 0;
    for field in value.message()? {
        match field? {
            (1, value) => found = places.get(&value.text()?).copied(),
            (2, value) => output = value.number()?,
            _ => {}
        }
    }
    Ok(Input {
        step: found.ok_or(Bad::Form("an input of a step is no earlier step"))?,
        output: u32::try_from(output).map_err(|_| Bad::Form("an output has no such number"))?,
    })
}

fn platform(value: Value<'_>) -> Result<Platform, Bad> {
    let mut platform = Platform::default();
    for field in value.message()? {
        match field? {
            (1, value) => platform.architecture = value.text()?,
            (2, value) => platform.os = value.text()?,
            (3, value) => platform.variant = value.text()?,
            (4, value) => platform.os_version = value.text()?,
            (5, value) => platform.os_features.push(value.text()?),
            _ => {}
        }
    }
    Ok(platform)
}

/// An operation on files, in the form that its JSON has.
fn file(value: Value<'_>) -> Result<Json, Bad> {
    let mut actions = Vec::new();
    for field in value.message()? {
        let (2, action) = field? else {
            continue;
        };
        let mut members = Map::new();
        for field in action.message()? {
            let (number, value) = field?;
            let name = match number {
                1 => "input",
                2 => "secondaryInput",
                3 => "output",
                _ => {
                    let found = ACTIONS.iter().find(|(known, ..)| *known == number);
                    let (_, name, message) = found.ok_or(Bad::Unsupported(
                        "an action on files is of a kind that is not known",
                    ))?;
                    let body = decode(message, value.bytes()?, 0)?;
                    let body = Map::from_iter([((*name).to_owned(), body)]);
                    members.insert("Action".to_owned(), Json::Object(body));
                    continue;
                }
            };
            members.insert(name.to_owned(), integer(value)?);
        }
        actions.push(Json::Object(members));
    }
    let members = Map::from_iter([("actions".to_owned(), Json::Array(actions))]);
    Ok(Json::Object(members))
}

/// A message as the JSON that records have of it. A field that is not known here stands
/// under its number, and makes the key of its operation unknown.
fn decode(message: &'static Message, bytes: &[u8], depth: usize) -> Result<Json, Bad> {
    if depth > DEEPEST {
        return Err(Bad::Form("its messages are nested too deep"));
    }
    let mut members = Map::new();
    if let [(0, name, Kind::Message(inner))] = message.0 {
        members.insert((*name).to_owned(), decode(inner, bytes, depth + 1)?);
        return Ok(Json::Object(members));
    }
    for field in Fields::of(bytes) {
        let (number, value) = field?;
        let mut known = message.0.iter();
        match known.find(|(known, ..)| *known == number) {
            Some((_, name, kind)) => put(&mut members, name, kind, value, depth)?,
            None => {
                members.insert(format!("field {number}"), Json::Bool(true));
            }
        }
    }
    Ok(Json::Object(members))
}

/// Puts a field into a message.
fn put(
    members: &mut Map<String, Json>,
    name: &str,
    kind: &'static Kind,
    value: Value<'_>,
    depth: usize,
) -> Result<(), Bad> {
    let member = match kind {
        Kind::LeftOut(kind) => return put(members, name, kind, value, depth),
        Kind::Text => Json::String(value.text()?),
        Kind::Bytes => Json::String(base64::encode(value.bytes()?)),
        Kind::Int => integer(value)?,
        Kind::Bool => Json::Bool(value.number()? != 0),
        Kind::Message(message) => decode(message, value.bytes()?, depth + 1)?,
        Kind::List(kind) => {
            let list = members
                .entry(name)
                .or_insert_with(|| Json::Array(Vec::new()));
            let Json::Array(list) = list else {
                return Err(Bad::Form("a field is both a list and none"));
            };
            match (kind, value) {
                // Numbers of a list stand in one value.
                (Kind::Int, Value::Bytes(packed)) => {
                    for number in super::wire::numbers(packed) {
                        list.push(integer(Value::Number(number?))?);
                    }
                }
                (kind, value) => {
                    let mut one = Map::new();
                    put(&mut one, name, kind, value, depth)?;
                    list.extend(one.into_iter().map(|(_, item)| item));
                }
            }
            return Ok(());
        }
        Kind::Map(kind) => {
            let map = members
                .entry(name)
                .or_insert_with(|| Json::Object(Map::new()));
            let Json::Object(map) = map else {
                return Err(Bad::Form("a field is both a map and none"));
            };
            let mut key = String::new();
            let mut inner = Map::new();
            for field in value.message()? {
                match field? {
                    (1, value) => key = value.text()?,
                    (2, value) => put(&mut inner, "value", kind, value, depth)?,
                    _ => {}
                }
            }
            // What is left out is the zero of its type, which is never written.
            map.insert(key, inner.remove("value").unwrap_or(zero(kind)));
            return Ok(());
        }
    };
    members.insert(name.to_owned(), member);
    Ok(())
}

fn zero(kind: &Kind) -> Json {
    match kind {
        Kind::Text | Kind::Bytes => Json::String(String::new()),
        Kind::Bool => Json::Bool(false),
        Kind::Message(_) => Json::Object(Map::new()),
        Kind::Int | Kind::List(_) | Kind::Map(_) | Kind::LeftOut(_) => Json::Null,
    }
}

/// A signed number.
fn integer(value: Value<'_>) -> Result<Json, Bad> {
    Ok(Json::from(value.number()?.cast_signed()))
}

/// The name and the bytes of an entry of a map.
fn entry(value: Value<'_>) -> Result<(String, &[u8]), Bad> {
    let mut found: (String, &[u8]) = (String::new(), &[]);
    for field in value.message()? {
        match field? {
            (1, value) => found.0 = value.text()?,
            (2, value) => found.1 = value.bytes()?,
            _ => {}
        }
    }
    Ok(found)
}

/// What a daemon would call a step.
fn name(op: &Op, metadata: &Json) -> String {
    let description = metadata.get("description");
    let described = |name: &str| description?.get(name)?.as_str();
    let described =
        described("llb.customname").or_else(|| described("com.docker.dockerfile.v1.command"));
    if let Some(described) = described {
        return described.to_owned();
    }
    of_operation(op)
}

/// The lines of a step in the first file.
fn lines(source: &Json, vertex: &str) -> Vec<Lines> {
    let locations = source.get("locations").and_then(|all| all.get(vertex));
    let locations = locations.and_then(|found| found.get("locations"));
    let list = |value: Option<&Json>| value.and_then(Json::as_array).cloned().unwrap_or_default();
    let line = |range: &Json, end: &str| {
        let line = range.get(end).and_then(|end| end.get("line"));
        line.and_then(Json::as_u64)
            .and_then(|line| u32::try_from(line).ok())
    };
    let of_first = |one: &Json| {
        let index = one.get("sourceIndex").and_then(Json::as_i64);
        index.unwrap_or_default() == 0
    };
    let all = list(locations).into_iter().filter(of_first);
    let ranges = all.flat_map(|one| list(one.get("ranges")));
    ranges
        .filter_map(|range| {
            let first = line(&range, "start").filter(|line| *line > 0)?;
            let last = line(&range, "end").unwrap_or(first).max(first);
            Some(Lines { first, last })
        })
        .collect()
}

fn dockerfile(source: &Json) -> Result<Option<Dockerfile>, Bad> {
    let Some(info) = source.pointer("/infos/0") else {
        return Ok(None);
    };
    let text = |name: &str| info.get(name).and_then(Json::as_str).unwrap_or_default();
    let bytes = base64::decode(text("data")).ok_or(Bad::Base64)?;
    Ok(Some(Dockerfile {
        name: text("filename").to_owned(),
        text: String::from_utf8_lossy(&bytes).into_owned(),
    }))
}

#[cfg(test)]
mod tests;
