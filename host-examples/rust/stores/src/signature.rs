//! Signatures of images, as cosign makes them with a key pair: ECDSA on the curve
//! P-256 over the SHA-256 of a small JSON document that names a manifest.
//!
//! Nothing is asked of a network: neither a log nor a certificate counts, only
//! the key that the user named.

use std::fmt;

use layerwise::oci::Digest;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;

/// What the DER form of a P-256 key begins with (RFC 5480): its algorithm, its
/// curve, and the length of the point that follows.
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// An uncompressed point: a byte 4 and two coordinates.
const POINT: usize = 65;
/// What a signed document says it is.
const TYPE: &str = "cosign container image signature";

/// A key that signatures are checked with.
#[derive(Clone, Debug)]
pub struct PublicKey(UnparsedPublicKey<Vec<u8>>);

/// Why a text is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

impl PublicKey {
    /// Reads a key in PEM (`-----BEGIN PUBLIC KEY-----`), as `cosign.pub` is.
    ///
    /// # Errors
    /// When it is anything else than an ECDSA key on P-256 in its usual form.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text).map_err(|_| KeyError)?;
        let point = der.as_ref().strip_prefix(&P256).ok_or(KeyError)?;
        if point.len() != POINT || point.first() != Some(&4) {
            return Err(KeyError);
        }
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point.to_vec());
        Ok(Self(key))
    }

    /// Whether `signature` (ASN.1) over `payload` was made with the other half of
    /// the key.
    pub(crate) fn verifies(&self, payload: &[u8], signature: &[u8]) -> bool {
        self.0.verify(payload, signature).is_ok()
    }
}

/// The manifest that a signed document is about. Only what was verified is read.
pub fn signed_digest(payload: &[u8]) -> Option<Digest> {
    let payload: Payload = serde_json::from_slice(payload).ok()?;
    let Critical { image, kind } = payload.critical;
    (kind == TYPE).then(|| image.digest.parse().ok()).flatten()
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is not an ecdsa public key on the curve p-256 in pem")
    }
}

impl std::error::Error for KeyError {}
