//! The layers of an image in a data root: what describes them, and where a driver has
//! their files.
//!
//! `layerdb/ALGORITHM/HEX` describes the layer whose chain id this is. In it,
//! `tar-split.json.gz` is what [`Stored::Split`] says, and `cache-id` the name that the
//! driver knows the layer by. The driver's own directory is beside `image`:
//!
//! * `vfs/dir/NAME` and `btrfs/subvolumes/NAME` hold all files up to the layer,
//! * `overlay2/NAME/diff` those of the layer alone.

use std::path::Path;

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;
use layerwise_files::Tree;

use crate::layers::{Layer, Stored, Unpacked, chain_ids, diff_ids};

const LAYERS: &str = "layerdb";
const SPLIT: &str = "tar-split.json.gz";
const CACHE_ID: &str = "cache-id";
const LONGEST_NAME: u64 = 128;

/// What is kept of the archives of the layers that a document names; `images` is
/// `ROOT/image/DRIVER`.
pub fn described(images: &Tree, document: &str) -> Result<Vec<Layer>, Failure> {
    let diff_ids = diff_ids(document.as_bytes())?;
    let chain_ids = chain_ids(&diff_ids);
    let split = |chain_id: &Digest| {
        let (file, _) = layer(images, chain_id)?.file(SPLIT)?;
        Ok(Stored::Split(file))
    };
    let layer = |(diff_id, chain_id): (Digest, Digest)| Layer {
        diff_id,
        stored: split(&chain_id),
    };
    Ok(diff_ids.into_iter().zip(chain_ids).map(layer).collect())
}

/// Where the driver has the files of the layers that a document names.
pub fn unpacked(images: &Tree, driver: &str, document: &str) -> Result<Option<Unpacked>, Failure> {
    let whole = match driver {
        "vfs" => Some("dir"),
        "btrfs" => Some("subvolumes"),
        "overlay2" => None,
        _ => return Ok(None),
    };
    let chain_ids = chain_ids(&diff_ids(document.as_bytes())?);
    let Some(last) = chain_ids.last() else {
        return Ok(Some(Unpacked::Layers(Vec::new())));
    };
    let Some(data) = images.path().parent().and_then(Path::parent) else {
        return Ok(None);
    };
    let data = match data.as_os_str().is_empty() {
        true => Path::new("."),
        false => data,
    };
    let own = Tree::open(data)?.enter(driver)?;
    let name = |chain_id: &Digest| cache_id(&layer(images, chain_id)?);
    if let Some(below) = whole {
        let directory = own.enter(below)?.enter(name(last)?)?;
        return Ok(Some(Unpacked::Whole(directory.path().to_owned())));
    }
    let diff = |chain_id: &Digest| {
        let directory = own.enter(name(chain_id)?)?.enter("diff")?;
        Ok(directory.path().to_owned())
    };
    let diffs: Result<_, Failure> = chain_ids.iter().map(diff).collect();
    Ok(Some(Unpacked::Layers(diffs?)))
}

/// What describes the layer with a chain id.
fn layer(images: &Tree, chain_id: &Digest) -> Result<Tree, Failure> {
    images.descend(&[LAYERS, chain_id.algorithm(), chain_id.hex()])
}

/// The name that a driver knows a layer by.
fn cache_id(layer: &Tree) -> Result<String, Failure> {
    let bytes = layer.read(CACHE_ID, LONGEST_NAME)?;
    let name = String::from_utf8(bytes).unwrap_or_default();
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    // Only such a name becomes part of a path.
    plain.then_some(name).ok_or_else(|| {
        let path = layer.path().join(CACHE_ID);
        Failure::new(
            FailureCode::Corrupt,
            format!("{path:?} holds no name of a layer"),
        )
    })
}
