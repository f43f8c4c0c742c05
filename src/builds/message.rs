//! The messages of LLB operations as data, and their JSON as a cache digest has it
//! (Builds spec, section 3).

use serde_json::Value;

use super::unknown::Unknown;
use crate::go_json::Writer;
use crate::prelude::*;

/// A message: its fields in the order in which Go writes them.
pub(super) struct Message(pub &'static [(&'static str, Kind)]);

/// What a field holds.
pub(super) enum Kind {
    /// Text, an integer, a bool; bytes are base64 text.
    Scalar,
    Message(&'static Message),
    List(&'static Self),
    /// A map with text keys.
    Map(&'static Self),
    /// Not covered by the digest.
    LeftOut,
}

use Kind::{LeftOut, List, Map, Message as Msg, Scalar};

const TEXTS: Kind = List(&Scalar);
const TEXT_MAP: Kind = Map(&Scalar);

pub(super) static EXEC: Message = Message(&[
    ("meta", Msg(&META)),
    ("mounts", List(&Msg(&MOUNT))),
    ("network", Scalar),
    ("security", Scalar),
    ("secretenv", List(&Msg(&SECRET_ENV))),
    ("cdiDevices", List(&Msg(&CDI_DEVICE))),
]);
static META: Message = Message(&[
    ("args", TEXTS),
    ("env", TEXTS),
    ("cwd", Scalar),
    ("user", Scalar),
    ("proxy_env", LeftOut),
    ("extraHosts", List(&Msg(&HOST))),
    ("hostname", Scalar),
    ("ulimit", List(&Msg(&ULIMIT))),
    ("cgroupParent", Scalar),
    ("removeMountStubsRecursive", Scalar),
    ("validExitCodes", List(&Scalar)),
]);
static HOST: Message = Message(&[("Host", Scalar), ("IP", LeftOut)]);
static ULIMIT: Message = Message(&[("Name", Scalar), ("Soft", Scalar), ("Hard", Scalar)]);
static MOUNT: Message = Message(&[
    ("input", Scalar),
    // Stands in the key's selector.
    ("selector", LeftOut),
    ("dest", Scalar),
    ("output", Scalar),
    ("readonly", Scalar),
    ("mountType", Scalar),
    ("TmpfsOpt", Msg(&TMPFS)),
    ("cacheOpt", Msg(&CACHE)),
    ("secretOpt", Msg(&SECRET)),
    ("SSHOpt", Msg(&SECRET)),
    ("resultID", Scalar),
    ("contentCache", Scalar),
]);
static TMPFS: Message = Message(&[("size", Scalar)]);
static CACHE: Message = Message(&[("ID", Scalar), ("sharing", Scalar)]);
static SECRET: Message = Message(&[
    ("ID", Scalar),
    ("uid", Scalar),
    ("gid", Scalar),
    ("mode", Scalar),
    ("optional", Scalar),
]);
static SECRET_ENV: Message = Message(&[("ID", Scalar), ("name", Scalar), ("optional", Scalar)]);
static CDI_DEVICE: Message = Message(&[("name", Scalar), ("optional", Scalar)]);

pub(super) static COPY: Message = Message(&[
    ("src", Scalar),
    ("dest", Scalar),
    ("owner", Msg(&OWNER)),
    ("mode", Scalar),
    ("followSymlink", Scalar),
    ("dirCopyContents", Scalar),
    ("attemptUnpackDockerCompatibility", Scalar),
    ("createDestPath", Scalar),
    ("allowWildcard", Scalar),
    ("allowEmptyWildcard", Scalar),
    ("timestamp", Scalar),
    ("include_patterns", TEXTS),
    ("exclude_patterns", TEXTS),
    ("alwaysReplaceExistingDestPaths", Scalar),
    ("modeStr", Scalar),
    ("required_paths", TEXTS),
]);
pub(super) static MKFILE: Message = Message(&[
    ("path", Scalar),
    ("mode", Scalar),
    ("data", Scalar),
    ("owner", Msg(&OWNER)),
    ("timestamp", Scalar),
]);
pub(super) static MKDIR: Message = Message(&[
    ("path", Scalar),
    ("mode", Scalar),
    ("makeParents", Scalar),
    ("owner", Msg(&OWNER)),
    ("timestamp", Scalar),
]);
pub(super) static RM: Message = Message(&[
    ("path", Scalar),
    ("allowNotFound", Scalar),
    ("allowWildcard", Scalar),
]);
pub(super) static SYMLINK: Message = Message(&[
    ("oldpath", Scalar),
    ("newpath", Scalar),
    ("owner", Msg(&OWNER)),
    ("timestamp", Scalar),
]);
static OWNER: Message = Message(&[("user", Msg(&USER)), ("group", Msg(&USER))]);
static USER: Message = Message(&[("User", Msg(&NAME_OR_ID))]);
static NAME_OR_ID: Message = Message(&[("byName", Msg(&NAMED)), ("byId", Scalar)]);
static NAMED: Message = Message(&[("name", Scalar), ("input", Scalar)]);

pub(super) static MERGE: Message = Message(&[("inputs", List(&Msg(&INPUT)))]);
pub(super) static DIFF: Message = Message(&[("lower", Msg(&INPUT)), ("upper", Msg(&INPUT))]);
static INPUT: Message = Message(&[("input", Scalar)]);

pub(super) static PASSTHROUGH: Message = Message(&[("id", Scalar), ("outputs", List(&Scalar))]);

pub(super) static BUILD: Message = Message(&[
    ("builder", Scalar),
    ("inputs", Map(&Msg(&INPUT))),
    ("def", Msg(&DEFINITION)),
    ("attrs", TEXT_MAP),
]);
static DEFINITION: Message = Message(&[
    ("def", TEXTS),
    ("metadata", Map(&Msg(&METADATA))),
    ("Source", Msg(&SOURCE)),
]);
static METADATA: Message = Message(&[
    ("ignore_cache", Scalar),
    ("description", TEXT_MAP),
    ("export_cache", Msg(&EXPORT_CACHE)),
    ("caps", TEXT_MAP),
    ("progress_group", Msg(&PROGRESS_GROUP)),
    ("linux_resources", Msg(&RESOURCES)),
]);
static EXPORT_CACHE: Message = Message(&[("Value", Scalar)]);
static PROGRESS_GROUP: Message = Message(&[("id", Scalar), ("name", Scalar), ("weak", Scalar)]);
static RESOURCES: Message = Message(&[
    ("memory", Scalar),
    ("memorySwap", Scalar),
    ("cpuShares", Scalar),
    ("cpuPeriod", Scalar),
    ("cpuQuota", Scalar),
    ("cpusetCpus", Scalar),
    ("cpusetMems", Scalar),
]);
static SOURCE: Message = Message(&[
    ("locations", Map(&Msg(&LOCATIONS))),
    ("infos", List(&Msg(&INFO))),
]);
static LOCATIONS: Message = Message(&[("locations", List(&Msg(&LOCATION)))]);
static LOCATION: Message = Message(&[("sourceIndex", Scalar), ("ranges", List(&Msg(&RANGE)))]);
static RANGE: Message = Message(&[("start", Msg(&POSITION)), ("end", Msg(&POSITION))]);
static POSITION: Message = Message(&[("line", Scalar), ("character", Scalar)]);
static INFO: Message = Message(&[
    ("filename", Scalar),
    ("data", Scalar),
    ("definition", Msg(&DEFINITION)),
    ("language", Scalar),
]);

impl Message {
    /// What a field of this name holds.
    pub fn field(&self, name: &str) -> Option<&'static Kind> {
        self.0
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, kind)| kind)
    }
}

/// Writes a message as Go's `encoding/json` does: fields that are zero are left out,
/// messages that are there are not.
///
/// The recursion is as deep as the JSON that `value` was read from, which its reader
/// limits.
///
/// # Errors
/// [`Unknown::Field`] for a field that these messages do not have, and
/// [`Unknown::Form`] for a value of another form.
pub(super) fn write(
    writer: &mut Writer,
    message: &'static Message,
    value: &Value,
) -> Result<(), Unknown> {
    let Value::Object(members) = value else {
        return Err(Unknown::Form);
    };
    for (name, member) in members {
        if message.field(name).is_none() && !is_zero(member) {
            return Err(Unknown::Field(name.clone()));
        }
    }
    let mut result = Ok(());
    writer.object(|writer| {
        for (name, kind) in message.0 {
            let Some(member) = members.get(*name) else {
                continue;
            };
            let empty_map =
                matches!(kind, Map(_)) && member.as_object().is_some_and(|m| m.is_empty());
            if matches!(kind, LeftOut) || is_zero(member) || empty_map {
                continue;
            }
            writer.member(name);
            result = write_field(writer, kind, member);
            if result.is_err() {
                return;
            }
        }
    });
    result
}

/// Whether Go leaves a field with this value out.
pub(super) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(_) => false,
    }
}

fn write_field(writer: &mut Writer, kind: &'static Kind, value: &Value) -> Result<(), Unknown> {
    match (kind, value) {
        (LeftOut, _) => Ok(()),
        (Scalar, _) => write_scalar(writer, value),
        (Msg(message), _) => write(writer, message, value),
        (List(kind), Value::Array(items)) => {
            let mut result = Ok(());
            writer.list(items, |writer, item| {
                if result.is_ok() {
                    result = write_field(writer, kind, item);
                }
            });
            result
        }
        (Map(kind), Value::Object(members)) => {
            // Sorted here, because features of serde_json change their order.
            let members: BTreeMap<&String, &Value> = members.iter().collect();
            let mut result = Ok(());
            writer.object(|writer| {
                for (name, member) in &members {
                    if result.is_ok() {
                        writer.member(name);
                        result = write_field(writer, kind, member);
                    }
                }
            });
            result
        }
        (List(_) | Map(_), _) => Err(Unknown::Form),
    }
}

fn write_scalar(writer: &mut Writer, value: &Value) -> Result<(), Unknown> {
    match value {
        Value::Bool(value) => writer.bool(*value),
        Value::String(text) => writer.string(text),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            writer.raw(&number.to_string());
        }
        _ => return Err(Unknown::Form),
    }
    Ok(())
}
