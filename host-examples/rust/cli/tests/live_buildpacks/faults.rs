//! Registries that cannot be reached, refuse, break off or lie: every answer is
//! typed, and nothing is left that a later run would believe.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use layerwise::buildpacks::Outcome;
use layerwise::oci::sha256;
use layerwise_host::Error;

use super::host::*;
use crate::support::faulty::{Asked, Faulty, Reply, reply};
use crate::support::{MANIFEST, gzip, tree};

const ERRORS: &[u8] = br#"{"errors":[{"code":"UNKNOWN","message":"words"}]}"#;

/// A cache image with one layer, as a registry has it.
struct Image {
    manifest: Vec<u8>,
    config: Vec<u8>,
    blob: Vec<u8>,
    diff_id: String,
}

impl Image {
    fn new() -> Self {
        let tar = layer("one");
        let diff_id = sha256(&tar).to_string();
        let label = serde_json::to_string(&metadata(&[("one", &diff_id)])).unwrap();
        let config = format!(
            r#"{{"architecture":"","config":{{"Labels":{{"io.buildpacks.lifecycle.cache.metadata":{label}}}}},"os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
        );
        let blob = gzip(&tar);
        let entry = |media_type: &str, bytes: &[u8]| {
            serde_json::json!({
                "mediaType": format!("application/vnd.oci.image.{media_type}"),
                "digest": sha256(bytes).as_str(), "size": bytes.len(),
            })
        };
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": entry("config.v1+json", config.as_bytes()),
            "layers": [entry("layer.v1.tar+gzip", &blob)],
            "annotations": {"layerwise.buildpacks.scope": SCOPE},
        });
        Self {
            manifest: manifest.to_string().into_bytes(),
            config: config.into_bytes(),
            blob,
            diff_id,
        }
    }

    /// What an honest registry says.
    fn answer(&self, asked: &Asked) -> Reply {
        if asked.path.contains("/manifests/") {
            return reply(200, &[("Content-Type", MANIFEST)], &self.manifest);
        }
        let found = [&self.config, &self.blob]
            .into_iter()
            .find(|bytes| asked.path.ends_with(sha256(bytes).as_str()));
        match found {
            Some(bytes) if asked.method == "HEAD" => {
                let size = bytes.len().to_string();
                reply(200, &[("Content-Length", &size)], b"")
            }
            Some(bytes) => reply(200, &[], bytes),
            None => reply(404, &[], ERRORS),
        }
    }

    fn is_layer(&self, asked: &Asked) -> bool {
        asked.method == "GET" && asked.path.ends_with(sha256(&self.blob).as_str())
    }
}

fn cut(bytes: &[u8]) -> Reply {
    let size = bytes.len().to_string();
    reply(200, &[("Content-Length", &size)], &bytes[..bytes.len() / 2])
}

/// Opens an image behind a registry that answers for its manifest as `manifest`
/// says, and gives the reason for its metadata, or the error.
fn open_behind(manifest: fn(&Image) -> Reply) -> Result<(String, String), Error> {
    let image = Image::new();
    let server = Faulty::start(move |asked| match asked.path.contains("/manifests/") {
        true => manifest(&image),
        false => image.answer(asked),
    });
    let host = Host::new();
    let mut opened = host.open(&format!("{}/cache:1", server.host))?;
    let finding = opened.metadata()?.finding;
    Ok((code(&finding).to_owned(), evidence(&finding)))
}

#[test]
fn an_honest_registry_gives_a_hit() {
    let image = Image::new();
    let answered = open_behind(|image| reply(200, &[("Content-Type", MANIFEST)], &image.manifest));
    assert_eq!(answered.unwrap().0, "hit");
    let diff_id = image.diff_id.clone();
    let server = Faulty::start(move |asked| image.answer(asked));
    let host = Host::new();
    let mut opened = host.open(&format!("{}/cache:1", server.host)).unwrap();
    let answer = retrieve(&mut opened, &diff_id, "one");
    assert_eq!(answer.outcome, Outcome::Done, "{answer:?}");
    assert_eq!(tree(&host.path().join("layers/ex_bp/one")), unpacked("one"));
}

#[test]
fn an_unreachable_registry_is_an_error() {
    // Bound and closed again: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let name = format!("{}/cache:1", address.unwrap());
    let Err(error) = Host::new().open(&name) else {
        panic!("it cannot be opened");
    };
    let Error::Refused(refused) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(refused.problem().unwrap().code, "buildpacks/access-failed");
    let words = error.to_string();
    assert!(
        words.contains("connection refused") && words.contains(&name),
        "{words}"
    );
}

#[test]
fn answers_for_a_manifest() {
    type Answer = fn(&Image) -> Reply;
    let missing: Answer = |_| reply(404, &[], ERRORS);
    let unauthorized: Answer = |_| {
        let realm = r#"Basic realm="here""#;
        reply(401, &[("WWW-Authenticate", realm)], ERRORS)
    };
    let other: Answer = |image| {
        let bytes = String::from_utf8_lossy(&image.manifest).replace("schemaVersion", "x");
        reply(200, &[("Content-Type", MANIFEST)], bytes.as_bytes())
    };
    for (answer, wanted, says) in [
        (missing, "image-not-found", ""),
        (unauthorized, "image-not-found", "unauthorized="),
        (other, "image-corrupt", "manifest="),
    ] {
        let (code, evidence) = open_behind(answer).unwrap();
        assert_eq!(code, wanted);
        assert!(evidence.contains(says), "{evidence}");
    }
    let denied: Answer = |_| reply(403, &[], ERRORS);
    let broken: Answer = |_| reply(500, &[], ERRORS);
    let reset: Answer = |_| Reply::Reset;
    let short: Answer = |image| cut(&image.manifest);
    for answer in [denied, broken, reset, short] {
        let error = match open_behind(answer) {
            Err(Error::Refused(error)) => error,
            other => panic!("{other:?}"),
        };
        let problem = error.problem().unwrap();
        assert_eq!(problem.code, "buildpacks/access-failed", "{error}");
        assert!(
            error.to_string().contains("accessing cache image"),
            "{error}"
        );
    }
}

#[test]
fn answers_for_a_layer() {
    type Answer = fn(&Image) -> Reply;
    let missing: Answer = |_| reply(404, &[], ERRORS);
    let short: Answer = |image| cut(&image.blob);
    let wrong: Answer = |image| {
        let mut bytes = image.blob.clone();
        *bytes.last_mut().unwrap() ^= 1;
        reply(200, &[], &bytes)
    };
    let longer: Answer = |image| reply(200, &[], &[&image.blob[..], b"more"].concat());
    let another: Answer = |image| reply(200, &[], &vec![0; image.blob.len()]);
    let broken: Answer = |_| reply(500, &[], ERRORS);
    let unauthorized: Answer = |_| reply(401, &[], ERRORS);
    for (answer, outcome, wanted) in [
        (missing, Outcome::Miss, "layer-not-found"),
        (short, Outcome::Miss, "layer-truncated"),
        (wrong, Outcome::Miss, "layer-corrupt"),
        (longer, Outcome::Miss, "layer-corrupt"),
        (another, Outcome::Miss, "layer-corrupt"),
        (broken, Outcome::Failed, "layer-read-failed"),
        (unauthorized, Outcome::Failed, "layer-read-failed"),
    ] {
        let image = Image::new();
        let diff_id = image.diff_id.clone();
        let server = Faulty::start(move |asked| match image.is_layer(asked) {
            true => answer(&image),
            false => image.answer(asked),
        });
        let host = Host::new();
        let mut opened = host.open(&format!("{}/cache:1", server.host)).unwrap();
        let answer = retrieve(&mut opened, &diff_id, "one");
        assert_eq!(
            (answer.outcome, code(&answer.finding)),
            (outcome, wanted),
            "{answer:?}"
        );
        assert!(!evidence(&answer.finding).is_empty());
        assert_eq!(tree(host.path()), [""; 0], "nothing is unpacked: {wanted}");
    }
}

/// The manifest is the last thing: a registry that refuses it keeps the old one.
#[test]
fn a_refused_commit_can_be_made_again() {
    let refusing = Arc::new(AtomicBool::new(true));
    let refuses = refusing.clone();
    let manifest: Mutex<Option<Vec<u8>>> = Mutex::default();
    let server = Faulty::start(move |asked| {
        let mut manifest = manifest.lock().unwrap();
        match (&*asked.method, &*asked.path) {
            ("POST", path) => reply(202, &[("Location", path)], b""),
            ("PUT", path) if path.contains("/manifests/") => {
                if refuses.load(Ordering::SeqCst) {
                    return reply(507, &[], ERRORS);
                }
                *manifest = Some(asked.body.clone());
                reply(201, &[], b"")
            }
            ("PUT", _) => reply(201, &[], b""),
            (_, path) if path.contains("/manifests/") => match &*manifest {
                Some(bytes) => reply(200, &[("Content-Type", MANIFEST)], bytes),
                None => reply(404, &[], ERRORS),
            },
            _ => reply(404, &[], ERRORS),
        }
    });
    let host = Host::new();
    let name = format!("{}/cache:1", server.host);
    let mut image = host.open(&name).unwrap();
    let error = match build(&host, &mut image, &["one"]) {
        Err(Error::Refused(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(error.problem().unwrap().code, "buildpacks/save-failed");
    assert!(
        error
            .to_string()
            .contains(&format!("saving image '{name}'")),
        "{error}"
    );
    assert!(!image.state().unwrap().committed);
    let tagged = |asked: &Asked| asked.method == "PUT" && asked.path.ends_with("/manifests/1");
    assert!(!server.asked().iter().any(tagged), "the name never moved");
    refusing.store(false, Ordering::SeqCst);
    image.commit().unwrap();
    assert!(server.asked().iter().any(tagged));
}
