//! The files that a COPY or ADD would copy now: of the context, or of an image.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use flate2::read::MultiGzDecoder;
use layerwise::host::{Entry, Filesystem as _, FsFacts, Kind};
use layerwise_files::Files;
use layerwise_registry::{FileKind, Files as Layer, LayerFile, Limits, crc64};
use layerwise_stores::Images;

use super::context::CONTEXT;
use super::placed::Placed;

/// How archives begin that are compressed, but for gzip (Dockerfile spec, section 7.5).
const COMPRESSED: [&[u8]; 3] = [b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
const GZIP: &[u8] = b"\x1f\x8b\x08";
/// The header of a member of an archive, and where its checksum is.
const HEADER: usize = 512;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Where the files are.
#[derive(Clone, Copy)]
pub enum Now<'a> {
    /// In the context.
    Context(&'a Files),
    /// In an image, whose layers lie on top of each other.
    Image(&'a Layer),
}

/// A file without its content, and whether it is a second name of one before it, if that
/// counts.
pub type Seen = (Option<LayerFile>, Option<bool>);

impl Now<'_> {
    /// What is copied, in its order.
    pub fn files(self, placed: &[Placed]) -> Vec<Seen> {
        let files = match self {
            Self::Context(files) => files,
            Self::Image(layer) => {
                let one = |one: &Placed| (in_image(layer, &one.path), None);
                return placed.iter().map(one).collect();
            }
        };
        let want = FsFacts {
            target: true,
            identity: true,
            ..FsFacts::default()
        };
        let paths: Vec<String> = placed.iter().map(|one| place(&one.path)).collect();
        let entries = files.stat(&paths, false, want);
        let mut names: BTreeSet<(usize, String)> = BTreeSet::new();
        let mut seen: Vec<Seen> = Vec::new();
        for (one, entry) in placed.iter().zip(entries) {
            let Ok(entry) = entry else {
                seen.push((None, None));
                continue;
            };
            // Every directory is packed by itself, and so is a file.
            let name = entry.identity.clone().map(|name| (one.source, name));
            let name = name.filter(|_| !one.named && entry.kind != Kind::Directory);
            let linked = name.is_some_and(|name| !names.insert(name));
            seen.push((Some(of_entry(&entry)), Some(linked)));
        }
        seen
    }

    /// The checksum of a content, of the kind that is known of the other side.
    pub fn content(self, path: &str, file: &LayerFile, known: Option<&str>) -> Option<String> {
        let files = match self {
            Self::Context(files) => files,
            Self::Image(_) => return file.content.clone().filter(|own| alike(own, known)),
        };
        let path = place(path);
        match known? {
            known if known.starts_with("crc64:") => crc64(files.open_file(&path).ok()?).ok(),
            _ => {
                let want = FsFacts {
                    content: true,
                    ..FsFacts::default()
                };
                files.stat(&[path], false, want).pop()?.ok()?.content
            }
        }
    }

    /// Whether ADD unpacks a file.
    pub fn is_archive(self, path: &str) -> bool {
        let Self::Context(files) = self else {
            return false;
        };
        let begin = |input: &mut dyn Read| {
            let mut bytes = Vec::new();
            let read = input.take(HEADER as u64).read_to_end(&mut bytes);
            read.ok().map(|_| bytes)
        };
        let open = || files.open_file(&place(path)).ok();
        let Some(bytes) = open().and_then(|mut file| begin(&mut file)) else {
            return false;
        };
        if bytes.starts_with(GZIP) {
            let inner = open().and_then(|file| begin(&mut MultiGzDecoder::new(file)));
            return inner.is_some_and(|bytes| is_header(&bytes));
        }
        // The others are taken for archives: nobody compresses anything else with them
        // to have ADD copy it.
        COMPRESSED.iter().any(|magic| bytes.starts_with(magic)) || is_header(&bytes)
    }

    /// Whether the checksum has owners that are not those of the layer.
    pub const fn has_owners(self) -> bool {
        matches!(self, Self::Image(_))
    }
}

/// What an image holds, as a container sees it.
///
/// # Errors
/// Why that cannot be told.
pub fn image(store: &dyn Images, id: &str, limits: &Limits) -> Result<Layer, String> {
    let unread = |why: String| format!("the files of image {id} cannot be read: {why}");
    let mut all = Layer::default();
    let layers = store.layers(id);
    for (number, layer) in layers
        .map_err(|failure| unread(failure.to_string()))?
        .into_iter()
        .enumerate()
    {
        let put = layer
            .stored
            .and_then(|stored| all.put(number, stored, limits));
        put.map_err(|failure| unread(failure.to_string()))?;
    }
    Ok(all)
}

/// A second name counts as the file that it names.
fn in_image(layer: &Layer, path: &str) -> Option<LayerFile> {
    let placed = layer.get(path)?;
    if placed.file.kind != FileKind::HardLink {
        return Some(placed.file.clone());
    }
    let first = layer.get(placed.file.target.as_deref()?)?;
    let same = first.layer == placed.layer && first.file.kind != FileKind::HardLink;
    same.then(|| first.file.clone())
}

fn of_entry(entry: &Entry) -> LayerFile {
    let kind = match entry.kind {
        Kind::Directory => FileKind::Directory,
        Kind::Link => FileKind::Link,
        Kind::Fifo => FileKind::Fifo,
        Kind::CharacterDevice => FileKind::CharacterDevice,
        Kind::BlockDevice => FileKind::BlockDevice,
        _ => FileKind::File,
    };
    LayerFile {
        kind,
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        modified: (0, 0),
        size: if kind == FileKind::File {
            entry.size
        } else {
            0
        },
        target: entry.target.clone(),
        content: None,
        attributes: BTreeMap::new(),
    }
}

/// Whether two checksums can be compared.
fn alike(own: &str, known: Option<&str>) -> bool {
    let kind = |sum: &str| sum.split_once(':').map(|(kind, _)| kind.to_owned());
    known.is_none_or(|known| kind(known) == kind(own))
}

/// Whether an archive begins with these bytes.
fn is_header(bytes: &[u8]) -> bool {
    let Some(field) = bytes.get(CHECKSUM).filter(|_| bytes.len() == HEADER) else {
        return false;
    };
    let text = String::from_utf8_lossy(field);
    let text = text.trim_matches([' ', '\0']);
    let sum = bytes.iter().enumerate().map(|(at, byte)| {
        let byte = if CHECKSUM.contains(&at) { b' ' } else { *byte };
        u32::from(byte)
    });
    u32::from_str_radix(text, 8) == Ok(sum.sum())
}

fn place(path: &str) -> String {
    format!("{CONTEXT}/{path}")
}

#[cfg(test)]
mod tests {
    use super::is_header;

    #[test]
    fn archives_are_known_by_their_first_header() {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        header.set_cksum();
        archive.append_data(&mut header, "a", &b""[..]).unwrap();
        let mut bytes = archive.into_inner().unwrap();
        bytes.truncate(512);
        assert!(is_header(&bytes));
        bytes[0] ^= 1;
        assert!(!is_header(&bytes));
        assert!(!is_header(&[0; 512]));
        assert!(!is_header(b"no archive"));
    }
}
