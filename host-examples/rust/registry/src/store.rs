//! Storing one layer.

mod volume;

use std::path::Path;

use layerwise::host::{Failure, FailureCode, Presence, Source, Stored, Transfer};
use layerwise::oci::Descriptor;
use layerwise_stores::place::Place;

use crate::compress::{self, Compressed, Packed};
use crate::content::{Content, Counted, Stream};
use crate::failures;
use crate::remote::Repository;
use crate::repositories::Repositories;

/// Stores one layer unless the repository has it.
pub fn one(all: &Repositories, to: &Place, layer: &Transfer) -> Result<Stored, Failure> {
    if let Place::Volume(path) = to {
        return volume::one(all, path, layer);
    }
    let wanted = &layer.descriptor;
    match &layer.source {
        Source::Repository(from) => from_repository(all, to, wanted, &Place::parse(from)?),
        Source::File(path) => from_tar(all, to, wanted, path, &|| {
            let paths = all.options.paths.as_ref();
            let paths = paths.ok_or_else(|| failures::unsupported("no files can be read"))?;
            Ok(Box::new(paths.file(path)?))
        }),
        Source::Provider(name) => {
            let provider = all.options.provider.as_ref();
            let provider = provider.ok_or_else(|| {
                failures::unsupported(&format!("nothing provides the layer {name:?}"))
            })?;
            if wanted.digest.is_empty() {
                return from_tar(all, to, wanted, name, &|| provider.open(name, wanted));
            }
            let digest = failures::digest(&wanted.digest)?;
            let blob = Content::new(digest, wanted.size, || provider.open(name, wanted));
            Ok(stored(wanted.clone(), None, put(all, to, &blob, None)?))
        }
    }
}

fn from_repository(
    all: &Repositories,
    to: &Place,
    wanted: &Descriptor,
    from: &Place,
) -> Result<Stored, Failure> {
    let mount = match (to, from) {
        (Place::Remote { host, .. }, Place::Remote { host: same, path }) if host == same => {
            Some(path.as_str())
        }
        _ => None,
    };
    let written = all.with_blob(from, wanted, true, |blob| put(all, to, blob, mount))?;
    Ok(stored(wanted.clone(), None, written))
}

/// Compresses a tar file and stores the result.
fn from_tar<'a>(
    all: &Repositories,
    to: &Place,
    wanted: &Descriptor,
    name: &str,
    open: &(impl Fn() -> Result<Stream<'a>, Failure> + Sync),
) -> Result<Stored, Failure> {
    let how = compress::wanted(&wanted.media_type)?;
    if !wanted.digest.is_empty() && is_there(all, to, wanted)? {
        return Ok(stored(wanted.clone(), None, false));
    }
    let packed = pack(all, name, how, open)?;
    if !wanted.digest.is_empty() && packed.digest.as_str() != wanted.digest {
        let message = format!(
            "the layer from {name:?} has the digest {}, and {:?} is wanted",
            packed.digest, wanted.digest
        );
        return Err(failures::new(FailureCode::Conflict, message));
    }
    let written = put(all, to, &packed.content(), None)?;
    let descriptor = Descriptor {
        digest: packed.digest.to_string(),
        size: packed.size,
        ..wanted.clone()
    };
    Ok(stored(descriptor, Some(packed.diff_id), written))
}

fn pack<'a>(
    all: &Repositories,
    name: &str,
    how: Compressed,
    open: &(impl Fn() -> Result<Stream<'a>, Failure> + Sync),
) -> Result<Packed, Failure> {
    let tar = Counted::new(open()?, &all.options.progress, name, 0);
    compress::pack(tar, how, &all.options.scratch)
}

fn put(
    all: &Repositories,
    to: &Place,
    blob: &Content<'_>,
    mount: Option<&str>,
) -> Result<bool, Failure> {
    match to {
        Place::Remote { host, path } => all.remote.store(Repository { host, path }, blob, mount),
        Place::Layout(path) => all.layout(path)?.store(blob),
        Place::Volume(path) => Err(only_tars(path)),
    }
}

fn is_there(all: &Repositories, place: &Place, wanted: &Descriptor) -> Result<bool, Failure> {
    let digest = failures::digest(&wanted.digest)?;
    match place {
        Place::Remote { host, path } => {
            Ok(all.remote.has(Repository { host, path }, &digest)? == Presence::Present)
        }
        Place::Layout(path) => Ok(all.layout(path)?.holds(&digest, wanted.size)),
        Place::Volume(path) => Err(only_tars(path)),
    }
}

fn only_tars(path: &Path) -> Failure {
    failures::unsupported(&format!("the volume cache {path:?} holds tar files only"))
}

fn stored(descriptor: Descriptor, diff_id: Option<String>, written: bool) -> Stored {
    Stored {
        descriptor,
        diff_id,
        written,
    }
}
