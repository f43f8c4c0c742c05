//! Who is believed: marks of this host, names and whole digests, keys.

use std::fs;

use layerwise::base64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::support::*;

fn lookup(store: &str, config: &str, more: &[&str]) -> Run {
    let mut arguments = vec!["docker", "lookup", "--plan", "--store", store];
    arguments.extend(["--parent", "base:1", "--config", "-"]);
    arguments.extend(AMD64);
    arguments.extend(more);
    with_input(&arguments, config)
}

/// A layout as another host made it: every mark is replaced by `mark`.
fn from_elsewhere(mark: &str) -> Layout {
    let layout = layout();
    let path = layout.dir().path().join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for entry in index["manifests"].as_array_mut().unwrap() {
        if let Some(said) = entry["annotations"].get_mut("dev.layerwise.built-here") {
            assert!(said.as_str().unwrap().starts_with("hmac-sha256:"), "{said}");
            *said = json!(mark);
        }
    }
    fs::write(path, index.to_string()).unwrap();
    layout
}

#[test]
fn marks_do_not_travel_and_are_adopted() {
    let other = format!("hmac-sha256:{}", "5".repeat(64));
    for mark in ["true", &other] {
        let layout = from_elsewhere(mark);
        let spec = layout.spec();
        let run = lookup(&spec, MAKE, &[]);
        assert_eq!(run.exit, 1, "{run:?}");
        let warned = format!(
            "warning: 1 built-here marks in the store are not by this host's key and do not count; \
             `layerwise docker adopt --marked --store {spec}` makes them count, if these images were \
             built here\n"
        );
        assert_eq!(run.stderr, warned);
        let adopted = layerwise(&["docker", "adopt", "--marked", "--store", &spec]);
        assert_eq!((adopted.exit, &*adopted.stderr), (0, ""));
        assert_eq!(
            adopted.stdout,
            format!("built here  {}\n", &made().id()[7..19])
        );
        let run = lookup(&spec, MAKE, &[]);
        assert_eq!((run.exit, &*run.stderr), (0, ""), "{run:?}");
    }
}

#[test]
fn an_image_is_adopted_by_name() {
    let mut layout = Layout::new();
    for (name, image) in [("base:1", base()), ("made:1", made())] {
        layout.add(name, &image);
    }
    layout.mark(&[(&made().id(), &base().id())], &[]);
    let spec = layout.spec();
    assert_eq!(lookup(&spec, MAKE, &[]).exit, 1);
    let run = layerwise(&["docker", "adopt", "--json", "--store", &spec, "made:1"]);
    let document = run.json();
    assert_eq!(document["schema"], "layerwise/docker-adopt/1");
    assert_eq!(document["adopted"], json!([made().id()]));
    assert_eq!(lookup(&spec, MAKE, &[]).exit, 0);
    let renewed = layerwise(&["docker", "adopt", "--renew", "--store", &spec]);
    assert_eq!((renewed.exit, renewed.stdout.lines().count()), (0, 1));
    let again = layerwise(&["docker", "adopt", "--marked", "--store", &spec]);
    assert_eq!((again.exit, &*again.stdout), (0, "nothing to mark\n"));

    let unknown = layerwise(&["docker", "adopt", "--store", &spec, "nosuch"]);
    assert_eq!(unknown.exit, 3, "{unknown:?}");
    for wrong in [
        &["docker", "adopt", "--store", &spec][..],
        &["docker", "adopt", "--store", &spec, "--marked", "made:1"],
        &["docker", "adopt", "--store", &spec, "--marked", "--renew"],
        &["docker", "adopt", "--store", "docker:/x", "made:1"],
    ] {
        assert_eq!(layerwise(wrong).exit, 2, "{wrong:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_an_error() {
    use std::os::unix::fs::PermissionsExt as _;
    let layout = layout();
    let key = layout.dir().file("key", format!("{}\n", "07".repeat(32)));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let run = program()
        .args(["docker", "history", "made:1", "--store", &layout.spec()])
        .env("LAYERWISE_MARKS_KEY", &key)
        .output()
        .unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(3), "{said}");
    assert!(said.contains(&key) && said.contains("chmod 600"), "{said}");
}

#[test]
fn the_beginning_of_an_id_is_not_trusted() {
    let layout = layout();
    let spec = layout.spec();
    let id = app().id();
    for short in [&id[7..11], &id[7..70], &id[..20]] {
        for more in [
            &["--trust", short][..],
            &["--cache-from", short, "--trust-all-sources"],
        ] {
            let run = lookup(&spec, TEST, more);
            assert_eq!(run.exit, 2, "{run:?}");
            assert!(run.stderr.contains(&format!("{short:?}")), "{run:?}");
            assert!(run.stderr.contains(&id), "{run:?}");
        }
        let run = lookup(&spec, TEST, &["--cache-from", short]);
        assert_eq!(run.exit, 1, "{run:?}");
    }
    for whole in [&*id, "app:1"] {
        assert_eq!(lookup(&spec, TEST, &["--trust", whole]).exit, 0, "{whole}");
    }
}

/// A key pair with its public half in PEM.
fn pair() -> (EcdsaKeyPair, String) {
    let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_ASN1_SIGNING);
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
    let head = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
    let mut der: Vec<u8> = (0..head.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&head[at..at + 2], 16).unwrap())
        .collect();
    der.extend(pair.public_key().as_ref());
    let text = base64::encode(&der);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
    (pair, pem)
}

#[test]
fn a_source_is_trusted_by_the_key_that_signed_it() {
    let (signer, own) = pair();
    let (_, other) = pair();
    let mut layout = layout();
    let (own, other) = (
        layout.dir().file("own.pub", own),
        layout.dir().file("other.pub", other),
    );
    let spec = layout.spec();
    let source = ["--cache-from", "app:1"];
    let ask = |keys: &[&str]| lookup(&spec, TEST, &[&source[..], keys].concat());

    let none = ask(&["--trust-key", &own]);
    assert_eq!(none.exit, 1, "{none:?}");
    let said = "warning: the source \"app:1\" is not trusted by a key: there are no signatures";
    assert!(none.stderr.starts_with(said), "{none:?}");

    layout.sign("app:1", &|payload| {
        let signature = signer.sign(&SystemRandom::new(), payload).unwrap();
        base64::encode(signature.as_ref())
    });
    let run = ask(&["--trust-key", &own]);
    assert_eq!((run.exit, &*run.stderr), (0, ""), "{run:?}");
    assert_eq!(ask(&["--trust-key", &other, "--trust-key", &own]).exit, 0);
    let wrong = ask(&["--trust-key", &other]);
    assert_eq!(wrong.exit, 1, "{wrong:?}");
    assert!(
        wrong.stderr.contains("none of its 1 signatures"),
        "{wrong:?}"
    );

    let run = lookup(&spec, TEST, &["--trust-key", &own]);
    assert_eq!(run.exit, 2, "nothing is asked of it: {run:?}");
    let run = ask(&["--trust-key", "/nowhere"]);
    assert_eq!(run.exit, 3, "{run:?}");
    let text = layout.dir().file("text", "no key");
    let run = ask(&["--trust-key", &text]);
    assert_eq!(run.exit, 3, "{run:?}");
    assert!(run.stderr.contains("p-256"), "{run:?}");
}
