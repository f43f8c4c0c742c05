//! Signatures as cosign makes them with a key, without asking anybody: ECDSA on P-256 over
//! SHA-256, in base64; the public key in PEM.

use layerwise::base64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::failure::Failure;
use crate::place::{Place, read, write};

/// What stands before a point on P-256 in a public key (RFC 5480, section 2).
const PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A key that signs.
pub struct Key(EcdsaKeyPair);

impl Key {
    /// The one that was given, or one that is gone after this run; its public half is written
    /// beside the forms.
    pub fn of(place: &Place) -> Result<Self, Failure> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let secret = place.scratch("key");
        let bytes = match &place.key {
            Some(path) => read(path)?,
            None if secret.is_file() => read(&secret)?,
            None => {
                let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random)
                    .map_err(|_| Failure::new("no key can be made"))?;
                write(&secret, made.as_ref())?;
                made.as_ref().to_vec()
            }
        };
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &bytes, &random)
            .map_err(|error| Failure::new(format!("read the key: {error}")))?;
        let key = Self(pair);
        write(&place.out.join("cosign.pub"), key.public())?;
        Ok(key)
    }

    /// The signature of a text.
    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Failure> {
        let signed = self.0.sign(&SystemRandom::new(), text);
        let signature = signed.map_err(|_| Failure::new("nothing can be signed"))?;
        Ok(signature.as_ref().to_vec())
    }

    fn public(&self) -> String {
        let der = [&PREFIX[..], self.0.public_key().as_ref()].concat();
        let text = base64::encode(&der);
        let lines: Vec<String> = text
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        )
    }
}

/// In base64, as annotations have it.
pub fn encoded(signature: &[u8]) -> String {
    base64::encode(signature)
}

/// Whether OpenSSL takes a signature for one of the text by the key beside the forms.
pub fn verify(place: &Place, text: &[u8], signature: &str) -> Result<(), Failure> {
    let raw = base64::decode(signature)
        .ok_or_else(|| Failure::new("read the signature: it is not base64"))?;
    let empty = place.empty("signature")?;
    write(&empty.join("text"), text)?;
    write(&empty.join("signature"), raw)?;
    let mut openssl = place.tool("openssl");
    openssl.args(["dgst", "-sha256", "-signature", "signature", "-verify"]);
    openssl.arg(place.out.join("cosign.pub")).arg("text");
    place.output(openssl.current_dir(&empty))?;
    Ok(())
}
