//! What a Dockerfile asks of each of the engine's image stores, and by which version.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use layerwise::docker::Containerd;
use layerwise::dockerfile::{Event, Options, Outcome, Session};
use layerwise::host::{
    ContentStore, Document, Facts, Failure, FailureCode, Image, ImageStore, Record, Selector,
};
use layerwise::oci::{Descriptor, Platform, sha256};
use layerwise::semantics::Semantics;
use layerwise_conformance::memory_fs::{Body, MemoryFs, Object};
use layerwise_stores::{Memory, Order};
use serde_json::json;

const AMD64: &str = r#"{"os":"linux","architecture":"amd64","rootfs":{"type":"layers"}}"#;
const ARM64: &str =
    r#"{"os":"linux","architecture":"arm64","variant":"v8","rootfs":{"type":"layers"}}"#;

fn digest(text: &str) -> String {
    sha256(text.as_bytes()).to_string()
}

fn host() -> Platform {
    Platform {
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
        ..Platform::default()
    }
}

/// `one` is an image for amd64, `both` an index of it and one for arm64.
struct Packed {
    texts: Vec<String>,
}

impl Packed {
    fn new() -> Self {
        let manifest = |config: &str| {
            let config = json!({"digest": digest(config), "size": config.len()});
            json!({"config": config, "layers": []}).to_string()
        };
        let manifests = [manifest(AMD64), manifest(ARM64)];
        let listed: Vec<_> = manifests
            .iter()
            .map(|text| json!({"digest": digest(text), "size": text.len()}))
            .collect();
        let index = json!({"manifests": listed}).to_string();
        let [amd64, arm64] = manifests;
        let documents = [AMD64, ARM64].map(str::to_owned);
        Self {
            texts: [amd64, arm64, index].into_iter().chain(documents).collect(),
        }
    }

    fn named(&self, name: &str) -> Option<String> {
        let place = ["one", "arm", "both"]
            .iter()
            .position(|known| *known == name)?;
        self.texts.get(place).map(|text| digest(text))
    }
}

fn read_only() -> Failure {
    Failure::new(FailureCode::Unsupported, "this store is only read")
}

impl ImageStore for Packed {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        Containerd::of(self, &host()).get(ids, want, limit)
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        let want = Facts {
            document: true,
            ..Facts::default()
        };
        let each = references.iter();
        each.map(|name| match self.named(name) {
            Some(id) => self.get(&[id], want, limit).remove(0),
            None => Err(Failure::new(FailureCode::NotFound, "no image")),
        })
        .collect()
    }

    fn children(&self, _: Option<&str>) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }

    fn set_parent(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(read_only())
    }

    fn create(&self, _: Option<&str>, _: &str, _: Option<&str>) -> Result<String, Failure> {
        Err(read_only())
    }

    fn contents(&self) -> Option<&dyn ContentStore> {
        Some(self)
    }
}

impl ContentStore for Packed {
    fn records(&self, wanted: &[Selector]) -> Vec<Result<Vec<Record>, Failure>> {
        let record = |selector: &Selector| {
            let Selector::Target(id) = selector else {
                return Ok(Vec::new());
            };
            let target = Descriptor {
                digest: id.clone(),
                ..Descriptor::default()
            };
            let known = self.texts.iter().take(3).any(|text| digest(text) == *id);
            Ok(Vec::from_iter(known.then(|| Record {
                target,
                ..Record::default()
            })))
        };
        wanted.iter().map(record).collect()
    }

    fn documents(&self, digests: &[String], _: u64) -> Vec<Result<Document, Failure>> {
        let each = digests.iter();
        each.map(|wanted| {
            let text = self.texts.iter().find(|text| digest(text) == *wanted);
            let text = text.ok_or_else(|| Failure::new(FailureCode::NotFound, "no content"))?;
            Ok(Document {
                text: text.clone(),
                labels: Vec::new(),
            })
        })
        .collect()
    }

    fn labelled(&self, wanted: &[(String, String)]) -> Vec<Result<Option<Descriptor>, Failure>> {
        wanted.iter().map(|_| Ok(None)).collect()
    }

    fn put(&self, _: &[Document], _: &[Record]) -> Result<(), Failure> {
        Err(read_only())
    }
}

/// A graph driver's store with the image that `one` is there.
fn graph() -> Memory {
    let images = Memory::new(Order::Sorted);
    let id = images.create(None, AMD64, None).unwrap();
    images.set_reference("one", &id);
    images
}

/// The platforms of the steps, or the class of the refusal.
fn play<S: ImageStore>(
    text: &str,
    platform: Option<&str>,
    store: S,
) -> Result<Vec<String>, String> {
    let options = Options {
        platform: platform.map(str::to_owned),
        host: host(),
        ..Options::default()
    };
    let files = Arc::new(MemoryFs::default());
    let mut session = Session::open(text, options, store, files).unwrap();
    let mut platforms = Vec::new();
    loop {
        match session.advance().unwrap() {
            Event::Step(step) => {
                let platform = &step.platform;
                platforms.push(format!("{}/{}", platform.architecture, platform.variant));
                session.report(Outcome::default()).unwrap();
            }
            Event::Argument(_) | Event::Stage(_) => {}
            Event::Wanted(_) => session.lend(None, None).unwrap(),
            Event::Refused(refusal) => return Err(refusal.reason.code.to_string()),
            Event::Done => return Ok(platforms),
        }
    }
}

#[test]
fn a_base_is_for_the_platform_in_containerd_only() {
    let plain = "FROM one\nENV A=1\n";
    let amd64 = || Ok(vec!["amd64/".to_owned()]);
    let none = || Err("dockerfile/base-not-found".to_owned());
    for asked in [None, Some("linux/amd64"), Some("x86_64"), Some("linux")] {
        assert_eq!(play(plain, asked, Packed::new()), amd64(), "{asked:?}");
    }
    for asked in ["linux/arm64", "linux/386", "linux/amd64/v2"] {
        assert_eq!(play(plain, Some(asked), Packed::new()), none(), "{asked}");
        assert_eq!(play(plain, Some(asked), graph()), amd64(), "{asked}");
        let named = format!("FROM --platform={asked} one\nENV A=1\n");
        assert_eq!(play(&named, None, Packed::new()), none(), "{asked}");
        assert_eq!(play(&named, None, graph()), amd64(), "{asked}");
        // FROM says it for itself.
        let both = "FROM --platform=linux/amd64 one\nENV A=1\n";
        assert_eq!(play(both, Some(asked), Packed::new()), amd64(), "{asked}");
    }
}

/// As the engine takes the config of an index's manifest for the platform.
#[test]
fn an_index_has_a_base_for_each_platform() {
    let text = "FROM both\nENV A=1\nFROM --platform=arm64 both\nENV A=1\n";
    let steps = |one: &str, two: &str| Ok(vec![one.to_owned(), two.to_owned()]);
    let (amd64, arm64) = ("amd64/", "arm64/v8");
    assert_eq!(play(text, None, Packed::new()), steps(amd64, arm64));
    let arm = Some("linux/arm64");
    assert_eq!(play(text, arm, Packed::new()), steps(arm64, arm64));
    let other = Some("linux/s390x");
    let none = "dockerfile/base-not-found".to_owned();
    assert_eq!(play(text, other, Packed::new()), Err(none));
}

#[test]
fn an_image_that_is_copied_from_is_for_the_platform_of_the_build() {
    let text = "FROM --platform=linux/amd64 one\nCOPY --from=one /x /x\n";
    let amd64 = vec!["amd64/".to_owned()];
    assert_eq!(play(text, None, Packed::new()), Ok(amd64.clone()));
    let none = "dockerfile/base-not-found".to_owned();
    assert_eq!(play(text, Some("linux/386"), Packed::new()), Err(none));
    assert_eq!(play(text, Some("linux/386"), graph()), Ok(amd64));
}

/// As engines 20.10.24 and 29.9.3 write it.
#[test]
fn a_blank_stands_behind_an_owner_but_in_20_10() {
    let files = Arc::new(MemoryFs::default());
    let directory = Object::new(Body::Directory, 0o755);
    files.put(b"/context", directory).unwrap();
    files.put_file("/context/f", "f").unwrap();
    for (version, blank) in [
        ("29.9", " "),
        ("26.0", " "),
        ("20.10", ""),
        ("20.10.24", ""),
    ] {
        let options = Options {
            semantics: Semantics::compatible(Some(version)),
            host: host(),
            context: Some("/context".to_owned()),
            ..Options::default()
        };
        for name in ["COPY", "ADD"] {
            let text = format!("FROM scratch\n{name} --chown=bob:staff f /f\n");
            let images = Memory::new(Order::Sorted);
            let mut session =
                Session::open(&text, options.clone(), images, Arc::clone(&files)).unwrap();
            let step = loop {
                match session.advance().unwrap() {
                    Event::Step(step) => break step,
                    Event::Stage(_) => {}
                    other => panic!("{other:?}"),
                }
            };
            let sum = step.copy.unwrap().sum;
            let comment = format!("#(nop) {name} --chown=bob:staff{blank}{sum} in /f ");
            assert_eq!(
                step.created_by,
                format!("/bin/sh -c {comment}"),
                "{version}"
            );
        }
    }
}
