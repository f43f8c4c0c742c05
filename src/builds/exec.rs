//! The key of an operation that runs a command (Builds spec, sections 3.2 and 3.4).

use serde_json::Value;

use super::key::{InputKey, Selection, digest, flag, items, number, refused, text};
use super::message::{self, is_zero};

use super::unknown::Unknown;
use super::version::Rules;
use crate::go_json::{Escapes, Writer};
use crate::oci::Platform;
use crate::paths;
use crate::prelude::*;

/// The kinds of mounts.
const BIND: i64 = 0;
const SECRET: i64 = 1;
const SSH: i64 = 2;
const TMPFS: i64 = 4;
/// No input, no output.
const NONE: i64 = -1;
/// Whether a mount may be known by its content.
const CONTENT_DEFAULT: i64 = 0;
const CONTENT_ON: i64 = 1;
const CONTENT_OFF: i64 = 2;

/// The JSON that the digest is made from.
pub(super) fn json(message: &Value, platform: &Platform) -> Result<String, Unknown> {
    check(message)?;
    let covered = covered(message);
    let mut writer = Writer::new(Escapes::Short);
    let mut result = Ok(());
    writer.object(|w| {
        w.member("Type").string("buildkit.exec.v0");
        w.member("Exec");
        result = message::write(w, &message::EXEC, &covered);
        platform_members(w, platform);
    });
    result.map(|()| writer.finish())
}

/// The members of a platform, as every key has them.
pub(super) fn platform_members(writer: &mut Writer, platform: &Platform) {
    let Platform {
        os,
        architecture,
        variant,
        os_version,
        os_features,
    } = platform;
    writer.member("OS").string(os);
    writer.member("Arch").string(architecture);
    for (name, value) in [("Variant", variant), ("OSVersion", os_version)] {
        if !value.is_empty() {
            writer.member(name).string(value);
        }
    }
    if !os_features.is_empty() {
        writer
            .member("OSFeatures")
            .list(os_features, |w, feature| w.string(feature));
    }
}

fn check(message: &Value) -> Result<(), Unknown> {
    let meta = message.get("meta").filter(|meta| meta.is_object());
    let meta = meta.ok_or_else(|| refused("invalid exec op with no meta"))?;
    if items(meta, "args").is_empty() {
        return Err(refused("invalid exec op with no args"));
    }
    let mounts = items(message, "mounts");
    if mounts.is_empty() {
        return Err(refused("invalid exec op with no mounts"));
    }
    if !mounts.iter().any(|mount| text(mount, "dest") == "/") {
        return Err(refused("invalid exec op with no rootfs"));
    }
    Ok(())
}

/// The operation without what its digest does not cover.
fn covered(message: &Value) -> Value {
    let mut covered = without_own_caches(message);
    // Versions before left the mounts out; the most frequent case stayed as it was.
    if let Value::Object(members) = &mut covered
        && let Some(Value::Array(mounts)) = members.get("mounts")
        && let [only] = mounts.as_slice()
        && is_plain_root(only)
    {
        members.remove("mounts");
    }
    covered
}

/// The operation without what its digest does not cover, to be compared with another;
/// with what its selectors cover, if that is asked for.
pub(super) fn comparable(message: &Value, with_selectors: bool) -> Value {
    let mut comparable = without_own_caches(message);
    if let Some(Value::Array(mounts)) = comparable.get_mut("mounts")
        && !with_selectors
    {
        for mount in mounts.iter_mut().filter_map(Value::as_object_mut) {
            mount.remove("selector");
        }
    }
    if let Some(Value::Object(meta)) = comparable.get_mut("meta") {
        meta.remove("proxy_env");
        if let Some(Value::Array(hosts)) = meta.get_mut("extraHosts") {
            for host in hosts.iter_mut().filter_map(Value::as_object_mut) {
                host.remove("IP");
            }
        }
    }
    comparable
}

/// The operation without the ids of cache mounts that have one of their own.
fn without_own_caches(message: &Value) -> Value {
    let mut message = message.clone();
    if let Some(Value::Array(mounts)) = message.get_mut("mounts") {
        for mount in mounts {
            if has_own_cache(mount)
                && let Some(Value::Object(cache)) = mount.get_mut("cacheOpt")
            {
                cache.remove("ID");
                cache.remove("sharing");
            }
        }
    }
    message
}

/// Whether a cache mount has another id than the one it gets by default.
fn has_own_cache(mount: &Value) -> bool {
    let Some(cache) = mount.get("cacheOpt").filter(|cache| cache.is_object()) else {
        return false;
    };
    let (id, dest) = (text(cache, "ID"), text(mount, "dest"));
    let by_default = id == dest || id.split_once('/').is_some_and(|(_, rest)| rest == dest);
    !(by_default && number(cache, "sharing") == 0)
}

fn is_plain_root(mount: &Value) -> bool {
    let absent = |name: &str| mount.get(name).is_none_or(is_zero);
    text(mount, "dest") == "/"
        && !flag(mount, "readonly")
        && number(mount, "mountType") == BIND
        && ["cacheOpt", "SSHOpt", "secretOpt", "resultID"]
            .into_iter()
            .all(absent)
}

/// How each input stands in the key.
pub(super) fn inputs(
    message: &Value,
    inputs: usize,
    rules: Rules,
) -> Result<Vec<InputKey>, Unknown> {
    let mut paths: Vec<Vec<String>> = vec![Vec::new(); inputs];
    let mut by_content = vec![false; inputs];
    // Whether any mount of the input names a path.
    let mut partial = vec![false; inputs];
    for mount in items(message, "mounts") {
        if matches!(number(mount, "mountType"), SECRET | SSH | TMPFS) {
            continue;
        }
        let input = number(mount, "input");
        if input == NONE {
            continue;
        }
        let index = usize::try_from(input).unwrap_or(usize::MAX);
        let (Some(paths), Some(by_content), Some(partial)) = (
            paths.get_mut(index),
            by_content.get_mut(index),
            partial.get_mut(index),
        ) else {
            return Err(Unknown::Refused(format!("invalid mountinput {input}")));
        };
        let selector = text(mount, "selector");
        let path = paths::clean(&format!("/{selector}"));
        *partial |= !selector.is_empty();
        *by_content = has_content_key(mount, &path)?;
        paths.push(path);
    }
    let keys = paths.into_iter().zip(by_content).zip(partial);
    let keys = keys.map(|((paths, by_content), partial)| {
        let selector = if paths.is_empty() || !(partial || rules.root_selector) {
            String::new()
        } else {
            digest(paths.join("\0").as_bytes())
        };
        InputKey {
            selector,
            content: by_content.then(|| selections(paths)),
        }
    });
    Ok(keys.collect())
}

fn has_content_key(mount: &Value, path: &str) -> Result<bool, Unknown> {
    // A mount that is written to and of which only a part is looked at has none: what
    // is beside the part would be in the result, too.
    let safe = number(mount, "output") == NONE || flag(mount, "readonly") || path == "/";
    match number(mount, "contentCache") {
        CONTENT_OFF => Ok(false),
        CONTENT_ON if !safe => Err(refused("invalid mount cache content")),
        CONTENT_DEFAULT => Ok(safe && text(mount, "dest") != "/"),
        _ => Ok(safe),
    }
}

fn selections(paths: Vec<String>) -> Vec<Selection> {
    let paths = without_nested(paths);
    if paths.iter().any(|path| path == "/") {
        return vec![Selection::default()];
    }
    let paths = paths.into_iter().map(|path| Selection {
        path,
        follow: true,
        ..Selection::default()
    });
    paths.collect()
}

/// The paths sorted, each once, without those below another of them.
pub(super) fn without_nested(paths: Vec<String>) -> Vec<String> {
    let paths: BTreeSet<String> = paths.into_iter().collect();
    let is_nested = |path: &str| {
        let ends = path.char_indices().filter(|(_, c)| *c == '/');
        let mut parents = ends.flat_map(|(at, _)| [path.get(..at), path.get(..=at)]);
        parents.any(|parent| parent.is_some_and(|parent| parent != path && paths.contains(parent)))
    };
    paths
        .iter()
        .filter(|path| !is_nested(path))
        .cloned()
        .collect()
}
