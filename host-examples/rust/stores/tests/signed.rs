//! Images that somebody signed as cosign does, and images that only look so.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use layerwise::base64;
    use layerwise_stores::{KeyError, OciLayout, PublicKey, Unsigned};
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
    use serde_json::json;

    use super::support::*;

    const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
    const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
    /// Made by `openssl ecparam -name prime256v1 -genkey`, as is what it signed:
    /// `openssl dgst -sha256 -sign`.
    const OPENSSL_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE7RRSVjB3DSmiOLW9u+drEv4M/aZx\n\
        ILDboQrcpOpXBpRs+3Mp1q4ybt94ym0R/mVqL9iF4wl4Og1RbeqSbEimDA==\n\
        -----END PUBLIC KEY-----\n";
    const OPENSSL_PAYLOAD: &str = r#"{"critical":{"identity":{"docker-reference":"registry.example/app"},"image":{"docker-manifest-digest":"sha256:3333333333333333333333333333333333333333333333333333333333333333"},"type":"cosign container image signature"},"optional":null}"#;
    const OPENSSL_SIGNATURE: &str = "MEUCIQDW9s+Bd7IVUDWjo64a3PnCw38uGDOQZOB723m8NuoEywIgakTt42BYjcXpTkiUejB1TN/Bwhgsove4RwhDlY8tL58=";

    /// A key pair, as cosign makes one.
    struct Pair(EcdsaKeyPair);

    impl Pair {
        fn new() -> Self {
            let random = SystemRandom::new();
            let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
            let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            Self(EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap())
        }

        fn public(&self) -> PublicKey {
            let mut der = vec![
                0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
            ];
            der.extend(self.0.public_key().as_ref());
            PublicKey::from_pem(pem("PUBLIC KEY", &der).as_bytes()).unwrap()
        }

        fn sign(&self, payload: &str) -> String {
            let signature = self.0.sign(&SystemRandom::new(), payload.as_bytes());
            base64::encode(signature.unwrap().as_ref())
        }
    }

    fn pem(label: &str, der: &[u8]) -> String {
        let text = base64::encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    }

    fn payload(digest: &str) -> String {
        json!({
            "critical": {
                "identity": {"docker-reference": "registry.example/app"},
                "image": {"docker-manifest-digest": digest},
                "type": "cosign container image signature",
            },
            "optional": null,
        })
        .to_string()
    }

    /// Puts signatures of `digest` into a layout; returns the descriptors of the
    /// signed documents.
    fn sign(layout: &mut Layout, digest: &str, signed: &[(&str, String)]) {
        let layers: Vec<_> = signed
            .iter()
            .map(|(payload, signature)| {
                let mut layer = layout.blob(PAYLOAD, payload.as_bytes());
                layer["annotations"] = json!({SIGNATURE: signature});
                layer
            })
            .collect();
        let config = layout.blob(CONFIG, document(digest, &[]).as_bytes());
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        let entry = layout.blob(MANIFEST, manifest.to_string().as_bytes());
        layout.enter(entry, &format!("sha256-{}.sig", hex(digest)));
    }

    /// An image under the name `app`; returns its id and the digest of its manifest.
    fn image() -> (Layout, String, String) {
        let mut layout = Layout::new();
        let (id, entry) = layout.image("app", &["layer"]);
        let manifest = digest(&entry);
        layout.enter(entry, "app");
        (layout, id, manifest)
    }

    fn ask(layout: &Layout, name: &str, keys: &[PublicKey]) -> Result<String, Unsigned> {
        OciLayout::open(layout.path()).unwrap().signed(name, keys)
    }

    #[test]
    fn an_image_that_the_key_signed_counts() {
        let (mut layout, id, manifest) = image();
        let (pair, other) = (Pair::new(), Pair::new());
        let text = payload(&manifest);
        sign(
            &mut layout,
            &manifest,
            &[(&text, other.sign(&text)), (&text, pair.sign(&text))],
        );
        for name in ["app", &id, &manifest] {
            assert_eq!(ask(&layout, name, &[pair.public()]).unwrap(), id, "{name}");
        }
        assert_eq!(
            ask(&layout, "app", &[Pair::new().public(), other.public()]).unwrap(),
            id
        );
        assert_eq!(
            ask(&layout, "app", &[Pair::new().public()]),
            Err(Unsigned::OtherKey(2))
        );
        assert_eq!(ask(&layout, "app", &[]), Err(Unsigned::OtherKey(2)));
    }

    #[test]
    fn an_image_without_signatures_does_not() {
        let (mut layout, _, manifest) = image();
        let pair = Pair::new();
        let none = Unsigned::None(format!("sha256-{}.sig", hex(&manifest)));
        assert_eq!(ask(&layout, "app", &[pair.public()]), Err(none.clone()));
        // Those of another image are none of this one.
        let other = layout.image("other", &[]).1;
        let text = payload(&digest(&other));
        sign(&mut layout, &digest(&other), &[(&text, pair.sign(&text))]);
        assert_eq!(ask(&layout, "app", &[pair.public()]), Err(none.clone()));
        sign(&mut layout, &manifest, &[]);
        assert_eq!(ask(&layout, "app", &[pair.public()]), Err(none));
        let unknown = ask(&layout, "nosuch", &[pair.public()]);
        assert!(matches!(unknown, Err(Unsigned::Store(_))), "{unknown:?}");
    }

    /// The key signed something: not this image, or something that is no image.
    #[test]
    fn a_signature_of_something_else_does_not() {
        let pair = Pair::new();
        let elsewhere = format!("sha256:{}", "1".repeat(64));
        let of_other = payload(&elsewhere);
        let (mut layout, _, manifest) = image();
        sign(&mut layout, &manifest, &[(&of_other, pair.sign(&of_other))]);
        assert_eq!(
            ask(&layout, "app", &[pair.public()]),
            Err(Unsigned::OtherImage(elsewhere))
        );
        let (mut layout, _, manifest) = image();
        let kind = payload(&manifest).replace("cosign container image", "some other");
        let texts = [
            kind,
            "{}".to_owned(),
            payload("sha256:short"),
            String::new(),
        ];
        let signed: Vec<_> = texts
            .iter()
            .map(|text| (&**text, pair.sign(text)))
            .collect();
        sign(&mut layout, &manifest, &signed);
        assert_eq!(
            ask(&layout, "app", &[pair.public()]),
            Err(Unsigned::OtherKey(4))
        );
    }

    #[test]
    fn what_was_changed_after_signing_does_not() {
        let pair = Pair::new();
        let (mut layout, _, manifest) = image();
        let text = payload(&manifest);
        let changed = text.replace("registry.example", "registry.examp1e");
        let signature = pair.sign(&text);
        let mut flipped = base64::decode(&signature).unwrap();
        *flipped.last_mut().unwrap() ^= 1;
        let flipped = base64::encode(&flipped);
        let signed = [
            (&*changed, signature),
            (&*text, flipped),
            (&*text, "no base64".to_owned()),
        ];
        sign(&mut layout, &manifest, &signed);
        assert_eq!(
            ask(&layout, "app", &[pair.public()]),
            Err(Unsigned::OtherKey(2))
        );
        // The blob of a signed document has other bytes than its digest says.
        let (mut layout, _, manifest) = image();
        sign(&mut layout, &manifest, &[(&text, pair.sign(&text))]);
        let blob = layerwise::oci::sha256(text.as_bytes()).to_string();
        write(&layout.blob_path(&blob), changed);
        assert!(ask(&layout, "app", &[pair.public()]).is_err());
    }

    #[test]
    fn only_so_many_signatures_are_tried() {
        let pair = Pair::new();
        let (mut layout, _, manifest) = image();
        let text = payload(&manifest);
        let mut signed = vec![("{}", "AAAA".to_owned()); 1000];
        signed.push((&text, pair.sign(&text)));
        sign(&mut layout, &manifest, &signed);
        assert_eq!(
            ask(&layout, "app", &[pair.public()]),
            Err(Unsigned::OtherKey(1000))
        );
    }

    #[test]
    fn a_signed_index_vouches_for_what_it_leads_to() {
        let pair = Pair::new();
        let mut layout = Layout::new();
        let (id, entry) = layout.image("inside", &[]);
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]});
        let index = layout.blob(INDEX, index.to_string().as_bytes());
        layout.enter(index.clone(), "multi");
        let outside = layout.add("outside", "outside", &[]);
        let text = payload(&digest(&index));
        sign(&mut layout, &digest(&index), &[(&text, pair.sign(&text))]);
        assert_eq!(ask(&layout, "multi", &[pair.public()]).unwrap(), id);
        assert_eq!(ask(&layout, &id, &[pair.public()]).unwrap(), id);
        assert!(ask(&layout, &outside, &[pair.public()]).is_err());
    }

    #[test]
    fn what_openssl_signed_counts() {
        let key = PublicKey::from_pem(OPENSSL_KEY.as_bytes()).unwrap();
        let pair = Pair::new();
        let mut layout = Layout::new();
        let manifest = format!("sha256:{}", "3".repeat(64));
        assert_eq!(OPENSSL_PAYLOAD, payload(&manifest));
        // No manifest has this digest, so that a signature of another image is what
        // is left to see: the key verified it.
        let (_, entry) = layout.image("app", &[]);
        layout.enter(entry.clone(), "app");
        let signed = [(OPENSSL_PAYLOAD, OPENSSL_SIGNATURE.to_owned())];
        sign(&mut layout, &digest(&entry), &signed);
        assert_eq!(
            ask(&layout, "app", &[key]),
            Err(Unsigned::OtherImage(manifest))
        );
        assert_eq!(
            ask(&layout, "app", &[pair.public()]),
            Err(Unsigned::OtherKey(1))
        );
    }

    #[test]
    fn other_keys_are_refused() {
        let der = |point: &[u8]| {
            let mut der = vec![
                0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
            ];
            der.extend(point);
            der
        };
        let good = [&[4][..], &[1; 64]].concat();
        assert!(PublicKey::from_pem(pem("PUBLIC KEY", &der(&good)).as_bytes()).is_ok());
        for text in [
            String::new(),
            "text".to_owned(),
            pem("PRIVATE KEY", &der(&good)),
            pem("PUBLIC KEY", &der(&good[..64])),
            pem("PUBLIC KEY", &der(&[&[2][..], &[1; 64]].concat())),
            pem("PUBLIC KEY", &good),
            OPENSSL_KEY.replace("BEGIN", "B"),
        ] {
            assert_eq!(
                PublicKey::from_pem(text.as_bytes()).err(),
                Some(KeyError),
                "{text}"
            );
        }
    }
}
