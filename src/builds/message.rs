//! The messages of LLB operations as data, and their JSON as a cache digest has it
//! (Builds spec, section 3).

use serde_json::Value;

use super::unknown::Unknown;
use crate::go_json::Writer;
use crate::prelude::*;

/// A message: its fields in the order in which Go writes them, each with its number in
/// protobuf. A field with the number 0 stands for the message itself.
pub(super) struct Message(pub &'static [(u32, &'static str, Kind)]);

/// What a field holds.
pub(super) enum Kind {
    Text,
    /// Base64 text in JSON.
    Bytes,
    Int,
    Bool,
    Message(&'static Message),
    List(&'static Self),
    /// A map with text keys.
    Map(&'static Self),
    /// Not covered by the digest.
    LeftOut(&'static Self),
}

use Kind::{Bool, Bytes, Int, LeftOut, List, Map, Message as Msg, Text};

const TEXTS: Kind = List(&Text);
const INTEGERS: Kind = List(&Int);
const TEXT_MAP: Kind = Map(&Text);

pub(super) static EXEC: Message = Message(&[
    (1, "meta", Msg(&META)),
    (2, "mounts", List(&Msg(&MOUNT))),
    (3, "network", Int),
    (4, "security", Int),
    (5, "secretenv", List(&Msg(&SECRET_ENV))),
    (6, "cdiDevices", List(&Msg(&CDI_DEVICE))),
]);
static META: Message = Message(&[
    (1, "args", TEXTS),
    (2, "env", TEXTS),
    (3, "cwd", Text),
    (4, "user", Text),
    (5, "proxy_env", LeftOut(&Msg(&PROXY))),
    (6, "extraHosts", List(&Msg(&HOST))),
    (7, "hostname", Text),
    (9, "ulimit", List(&Msg(&ULIMIT))),
    (10, "cgroupParent", Text),
    (11, "removeMountStubsRecursive", Bool),
    (12, "validExitCodes", INTEGERS),
]);
static PROXY: Message = Message(&[
    (1, "http_proxy", Text),
    (2, "https_proxy", Text),
    (3, "ftp_proxy", Text),
    (4, "no_proxy", Text),
    (5, "all_proxy", Text),
]);
static HOST: Message = Message(&[(1, "Host", Text), (2, "IP", LeftOut(&Text))]);
static ULIMIT: Message = Message(&[(1, "Name", Text), (2, "Soft", Int), (3, "Hard", Int)]);
static MOUNT: Message = Message(&[
    (1, "input", Int),
    // Stands in the key's selector.
    (2, "selector", LeftOut(&Text)),
    (3, "dest", Text),
    (4, "output", Int),
    (5, "readonly", Bool),
    (6, "mountType", Int),
    (19, "TmpfsOpt", Msg(&TMPFS)),
    (20, "cacheOpt", Msg(&CACHE)),
    (21, "secretOpt", Msg(&SECRET)),
    (22, "SSHOpt", Msg(&SECRET)),
    (23, "resultID", Text),
    (24, "contentCache", Int),
]);
static TMPFS: Message = Message(&[(1, "size", Int)]);
static CACHE: Message = Message(&[(1, "ID", Text), (2, "sharing", Int)]);
static SECRET: Message = Message(&[
    (1, "ID", Text),
    (2, "uid", Int),
    (3, "gid", Int),
    (4, "mode", Int),
    (5, "optional", Bool),
]);
static SECRET_ENV: Message = Message(&[(1, "ID", Text), (2, "name", Text), (3, "optional", Bool)]);
static CDI_DEVICE: Message = Message(&[(1, "name", Text), (2, "optional", Bool)]);

pub(super) static COPY: Message = Message(&[
    (1, "src", Text),
    (2, "dest", Text),
    (3, "owner", Msg(&OWNER)),
    (4, "mode", Int),
    (5, "followSymlink", Bool),
    (6, "dirCopyContents", Bool),
    (7, "attemptUnpackDockerCompatibility", Bool),
    (8, "createDestPath", Bool),
    (9, "allowWildcard", Bool),
    (10, "allowEmptyWildcard", Bool),
    (11, "timestamp", Int),
    (12, "include_patterns", TEXTS),
    (13, "exclude_patterns", TEXTS),
    (14, "alwaysReplaceExistingDestPaths", Bool),
    (15, "modeStr", Text),
    (16, "required_paths", TEXTS),
]);
pub(super) static MKFILE: Message = Message(&[
    (1, "path", Text),
    (2, "mode", Int),
    (3, "data", Bytes),
    (4, "owner", Msg(&OWNER)),
    (5, "timestamp", Int),
]);
pub(super) static MKDIR: Message = Message(&[
    (1, "path", Text),
    (2, "mode", Int),
    (3, "makeParents", Bool),
    (4, "owner", Msg(&OWNER)),
    (5, "timestamp", Int),
]);
pub(super) static RM: Message = Message(&[
    (1, "path", Text),
    (2, "allowNotFound", Bool),
    (3, "allowWildcard", Bool),
]);
pub(super) static SYMLINK: Message = Message(&[
    (1, "oldpath", Text),
    (2, "newpath", Text),
    (3, "owner", Msg(&OWNER)),
    (4, "timestamp", Int),
]);
static OWNER: Message = Message(&[(1, "user", Msg(&USER)), (2, "group", Msg(&USER))]);
static USER: Message = Message(&[(0, "User", Msg(&NAME_OR_ID))]);
static NAME_OR_ID: Message = Message(&[(1, "byName", Msg(&NAMED)), (2, "byId", Int)]);
static NAMED: Message = Message(&[(1, "name", Text), (2, "input", Int)]);

/// A source; its key is not made of its message.
pub(super) static SOURCE_OP: Message = Message(&[(1, "identifier", Text), (2, "attrs", TEXT_MAP)]);

pub(super) static MERGE: Message = Message(&[(1, "inputs", List(&Msg(&INPUT)))]);
pub(super) static DIFF: Message = Message(&[(1, "lower", Msg(&INPUT)), (2, "upper", Msg(&INPUT))]);
static INPUT: Message = Message(&[(1, "input", Int)]);

pub(super) static PASSTHROUGH: Message = Message(&[(1, "id", Text), (2, "outputs", INTEGERS)]);

pub(super) static BUILD: Message = Message(&[
    (1, "builder", Int),
    (2, "inputs", Map(&Msg(&INPUT))),
    (3, "def", Msg(&DEFINITION)),
    (4, "attrs", TEXT_MAP),
]);
static DEFINITION: Message = Message(&[
    (1, "def", List(&Bytes)),
    (2, "metadata", Map(&Msg(&METADATA))),
    (3, "Source", Msg(&SOURCE)),
]);
pub(super) static METADATA: Message = Message(&[
    (1, "ignore_cache", Bool),
    (2, "description", TEXT_MAP),
    (4, "export_cache", Msg(&EXPORT_CACHE)),
    (5, "caps", Map(&Bool)),
    (6, "progress_group", Msg(&PROGRESS_GROUP)),
    (7, "linux_resources", Msg(&RESOURCES)),
]);
static EXPORT_CACHE: Message = Message(&[(1, "Value", Bool)]);
static PROGRESS_GROUP: Message = Message(&[(1, "id", Text), (2, "name", Text), (3, "weak", Bool)]);
static RESOURCES: Message = Message(&[
    (1, "memory", Int),
    (2, "memorySwap", Int),
    (3, "cpuShares", Int),
    (4, "cpuPeriod", Int),
    (5, "cpuQuota", Int),
    (6, "cpusetCpus", Text),
    (7, "cpusetMems", Text),
]);
pub(super) static SOURCE: Message = Message(&[
    (1, "locations", Map(&Msg(&LOCATIONS))),
    (2, "infos", List(&Msg(&INFO))),
]);
static LOCATIONS: Message = Message(&[(1, "locations", List(&Msg(&LOCATION)))]);
static LOCATION: Message = Message(&[(1, "sourceIndex", Int), (2, "ranges", List(&Msg(&RANGE)))]);
static RANGE: Message = Message(&[(1, "start", Msg(&POSITION)), (2, "end", Msg(&POSITION))]);
static POSITION: Message = Message(&[(1, "line", Int), (2, "character", Int)]);
static INFO: Message = Message(&[
    (1, "filename", Text),
    (2, "data", Bytes),
    (3, "definition", Msg(&DEFINITION)),
    (4, "language", Text),
]);

impl Message {
    /// What a field of this name holds.
    pub fn field(&self, name: &str) -> Option<&'static Kind> {
        self.0
            .iter()
            .find(|(_, field, _)| *field == name)
            .map(|(_, _, kind)| kind)
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
        for (_, name, kind) in message.0 {
            let Some(member) = members.get(*name) else {
                continue;
            };
            let empty_map =
                matches!(kind, Map(_)) && member.as_object().is_some_and(|m| m.is_empty());
            if matches!(kind, LeftOut(_)) || is_zero(member) || empty_map {
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
        (LeftOut(_), _) => Ok(()),
        (Text | Bytes | Int | Bool, _) => write_scalar(writer, value),
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
