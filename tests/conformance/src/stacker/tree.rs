//! The files of a case.

use layerwise::base64;
use layerwise::host::Kind;
use serde::Deserialize;

use super::shared::bytes;
use crate::memory_fs::{Body, MemoryFs, Object};

/// An object of a file tree.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TreeEntry {
    path: Option<String>,
    path_b64: Option<String>,
    r#type: String,
    mode: Option<String>,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
    content: Option<String>,
    content_b64: Option<String>,
    content_repeat: Option<usize>,
    target: Option<String>,
    target_b64: Option<String>,
    #[serde(default)]
    xattrs: Vec<(String, String)>,
    #[serde(rename = "major")]
    _major: Option<u32>,
    #[serde(rename = "minor")]
    _minor: Option<u32>,
    /// For people.
    #[serde(rename = "note")]
    _note: Option<String>,
}

/// Puts objects into a file system, in order.
pub(super) fn write_tree(fs: &MemoryFs, entries: Vec<TreeEntry>) -> Result<(), String> {
    for entry in entries {
        let path = bytes(entry.path, entry.path_b64)?;
        let body = match entry.r#type.as_str() {
            "file" => {
                let content = bytes(entry.content, entry.content_b64)?;
                Body::File(content.repeat(entry.content_repeat.unwrap_or(1)))
            }
            "dir" => Body::Directory,
            "link" => Body::Link(bytes(entry.target, entry.target_b64)?),
            "fifo" => Body::Special(Kind::Fifo),
            "socket" => Body::Special(Kind::Socket),
            "char" => Body::Special(Kind::CharacterDevice),
            "block" => Body::Special(Kind::BlockDevice),
            other => return Err(format!("unknown type {other:?}")),
        };
        let mode = entry.mode.as_deref().unwrap_or("0");
        let mode = u32::from_str_radix(mode, 8).map_err(|error| error.to_string())?;
        let attribute = |(name, value): (String, String)| {
            let value = base64::decode(&value).ok_or_else(|| format!("not base64: {value}"))?;
            Ok((name.into_bytes(), value))
        };
        let attributes: Result<Vec<_>, String> = entry.xattrs.into_iter().map(attribute).collect();
        let object = Object {
            body,
            mode,
            uid: entry.uid,
            gid: entry.gid,
            attributes: attributes?,
            identity: None,
        };
        fs.put(&path, object).map_err(|failure| failure.message)?;
    }
    Ok(())
}
