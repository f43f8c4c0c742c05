//! Which images of a layout somebody signed: what is stored under the name
//! `sha256-HEX.sig`, where cosign puts the signatures of the manifest or index
//! `sha256:HEX`.

use std::fmt;

use layerwise::base64;
use layerwise::host::Failure;
use layerwise::oci::Digest;

use super::OciLayout;
use super::catalog::{Catalog, Target};
use super::graph::{Manifest, Node};
use crate::signature::{PublicKey, signed_digest};

/// The media type of a signed document.
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The annotation of its descriptor with the signature, in base64.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// The longest signed document that is read.
const LONGEST: u64 = 1 << 20;
/// The most signatures of one manifest that are tried.
const MOST: usize = 1_000;

/// Why an image does not count as signed; prints as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// The image, or what is stored about it, cannot be read.
    Store(Failure),
    /// There are no signatures of it; the name they would be under.
    None(String),
    /// There are so many, and the keys verify none of them.
    OtherKey(usize),
    /// The keys verify a signature, of something else.
    OtherImage(String),
}

impl OciLayout {
    /// The id of the image that a name or id stands for, when one of the keys
    /// signed its manifest, or an index that leads to it.
    ///
    /// # Errors
    /// Why it does not count as signed.
    pub fn signed(&self, reference: &str, keys: &[PublicKey]) -> Result<String, Unsigned> {
        let catalog = self.catalog().map_err(Unsigned::Store)?;
        let (id, known) = self.find(&catalog, reference).map_err(Unsigned::Store)?;
        let own: Vec<&Digest> = known.manifests.iter().map(|(at, _)| &at.digest).collect();
        let first = own
            .first()
            .map(|digest| signatures_name(digest))
            .unwrap_or_default();
        let mut why = Unsigned::None(first);
        for (digest, targets) in signatures(&catalog) {
            let about = own.contains(&&digest) || leads_to(&catalog, &digest, id);
            if !about {
                continue;
            }
            match self.verified(&catalog, targets, &digest, keys) {
                Ok(()) => return Ok(id.to_owned()),
                Err(failed) => why = failed,
            }
        }
        Err(why)
    }

    /// Checks the signatures of one manifest or index.
    fn verified(
        &self,
        catalog: &Catalog,
        targets: &[Target],
        digest: &Digest,
        keys: &[PublicKey],
    ) -> Result<(), Unsigned> {
        let (mut tried, mut other) = (0, None);
        let pointers = targets.iter().flatten();
        let manifests = pointers.filter_map(|pointer| match catalog.node(pointer) {
            Some(Node::Manifest(manifest)) => Some(manifest),
            _ => None,
        });
        for (payload, signature) in manifests
            .flat_map(|manifest| self.payloads(manifest))
            .take(MOST)
        {
            tried += 1;
            if !keys.iter().any(|key| key.verifies(&payload, &signature)) {
                continue;
            }
            match signed_digest(&payload) {
                Some(signed) if signed == *digest => return Ok(()),
                signed => other = signed.map(|digest| digest.to_string()).or(other),
            }
        }
        Err(match (tried, other) {
            (_, Some(other)) => Unsigned::OtherImage(other),
            (0, None) => Unsigned::None(signatures_name(digest)),
            (tried, None) => Unsigned::OtherKey(tried),
        })
    }

    /// Signed documents with their signatures; what cannot be read is none.
    fn payloads(&self, manifest: &Manifest) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        let layers = manifest.layers.iter();
        let documents = layers.filter(|layer| layer.media_type == PAYLOAD);
        documents.filter_map(|layer| {
            let signature = base64::decode(layer.annotation(SIGNATURE)?)?;
            let digest = layer.checked_digest().ok()?;
            let payload = self.blobs.read(&digest, layer.size, LONGEST).ok()?;
            Some((payload, signature))
        })
    }
}

/// The names that signatures are stored under, by the manifest they are of.
fn signatures(catalog: &Catalog) -> impl Iterator<Item = (Digest, &[Target])> {
    let names = catalog.names();
    names.filter_map(|name| Some((signed_by_name(name)?, catalog.under_name(name))))
}

/// The name that signatures of a manifest are stored under, as cosign puts them there.
fn signatures_name(digest: &Digest) -> String {
    format!("{}-{}.sig", digest.algorithm(), digest.hex())
}

/// The manifest that signatures under a name are of.
fn signed_by_name(name: &str) -> Option<Digest> {
    let (algorithm, hex) = name.strip_suffix(".sig")?.split_once('-')?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// Whether an index leads to an image.
fn leads_to(catalog: &Catalog, index: &Digest, id: &str) -> bool {
    let (ids, _) = catalog.reached(&catalog.under_digest(index));
    ids.iter().any(|reached| reached == id)
}

impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(failure) => failure.fmt(f),
            Self::None(name) => write!(f, "there are no signatures of it ({name:?})"),
            Self::OtherKey(tried) => {
                write!(f, "none of its {tried} signatures was made with the key")
            }
            Self::OtherImage(digest) => write!(f, "what the key signed is {digest:?}"),
        }
    }
}

impl std::error::Error for Unsigned {}
