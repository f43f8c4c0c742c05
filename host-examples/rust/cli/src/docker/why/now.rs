//! The files that a COPY or ADD would copy now: of the context, or of an image.

use std::collections::BTreeSet;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use layerwise::dockerfile::archive::{self, Form};
use layerwise::dockerfile::placed::Placed;
use layerwise::host::{Filesystem as _, FsFacts, Kind};
use layerwise_files::Files;
use layerwise_registry::{FileKind, Files as Layer, LayerFile, Limits, crc64};
use layerwise_stores::Images;

use super::context::CONTEXT;

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
            seen.push((LayerFile::of(entry), Some(linked)));
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
            let read = input.take(archive::HEADER as u64).read_to_end(&mut bytes);
            read.ok().map(|_| archive::of(&bytes))
        };
        let open = || files.open_file(&place(path)).ok();
        match open().and_then(|mut file| begin(&mut file)) {
            Some(Form::Gzip) => {
                let inner = open().and_then(|file| begin(&mut MultiGzDecoder::new(file)));
                inner == Some(Form::Tar)
            }
            found => matches!(found, Some(Form::Tar | Form::Compressed)),
        }
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

/// Whether two checksums can be compared.
fn alike(own: &str, known: Option<&str>) -> bool {
    let kind = |sum: &str| sum.split_once(':').map(|(kind, _)| kind.to_owned());
    known.is_none_or(|known| kind(known) == kind(own))
}

fn place(path: &str) -> String {
    format!("{CONTEXT}/{path}")
}
