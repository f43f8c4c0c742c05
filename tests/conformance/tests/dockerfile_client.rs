//! When a COPY that missed is told by the client that packed the context before
//! (Dockerfile spec, section 7.4).

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use layerwise::dockerfile::{Event, Options, Outcome, Packer, Session, Step};
use layerwise::explain::Finding;
use layerwise::host::ImageStore as _;
use layerwise::oci::Platform;
use layerwise_conformance::memory_fs::{Body, MemoryFs, Object};
use layerwise_stores::{Memory, Order};

const TEXT: &str = "FROM scratch\nCOPY src /src\n";

/// The context: what `src` holds belongs to `owner`.
fn context(owner: u32, ignore: &str) -> Arc<MemoryFs> {
    let files = MemoryFs::default();
    for path in ["/context", "/context/src"] {
        let directory = Object::new(Body::Directory, 0o755);
        files.put(path.as_bytes(), directory).unwrap();
    }
    for path in ["/context/src/a", "/context/src/x.log"] {
        let mut file = Object::new(Body::File(b"1".to_vec()), 0o644);
        file.uid = owner;
        files.put(path.as_bytes(), file).unwrap();
    }
    files.put_file("/context/.dockerignore", ignore).unwrap();
    Arc::new(files)
}

fn session(
    packer: Packer,
    files: Arc<MemoryFs>,
    images: Arc<Memory>,
) -> (Step, Session<Arc<Memory>, Arc<MemoryFs>>) {
    let options = Options {
        host: Platform {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            ..Platform::default()
        },
        context: Some("/context".to_owned()),
        packer,
        ..Options::default()
    };
    let mut session = Session::open(TEXT, options, images, files).unwrap();
    loop {
        match session.advance().unwrap() {
            Event::Step(step) => return (*step, session),
            Event::Stage(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// What is told of a build by the newest client after one by `packer`, with what
/// `.dockerignore` was and is.
fn told(packer: Packer, owner: u32, [then, now]: [&str; 2]) -> Option<Finding> {
    let images = Arc::new(Memory::new(Order::Sorted));
    let (step, mut earlier) = session(packer, context(owner, then), Arc::clone(&images));
    let document = format!(
        r#"{{"architecture":"amd64","os":"linux","container_config":{},"config":{{}},"rootfs":{{"type":"layers","diff_ids":[]}},"history":[]}}"#,
        step.config.unwrap()
    );
    images.create(None, &document, None).unwrap();
    earlier.report(Outcome::default()).unwrap();
    let (_, mut now) = session(Packer::Client, context(owner, now), images);
    now.other_client(None).unwrap()
}

#[test]
fn a_program_that_sent_the_same_files_is_told() {
    let found = told(Packer::Api, 1000, ["", ""]).unwrap();
    assert_eq!(found.code, "dockerfile/other-client");
    let sides = &found.differences[0];
    assert_eq!(
        (sides.have.as_deref(), sides.want.as_deref()),
        (Some("api"), Some("29"))
    );
}

/// A program sends everything, and nothing but owners tells it from the client: a build
/// before the new line looks like one of its own.
#[test]
fn a_new_line_of_dockerignore_is_no_other_client() {
    let (line, nothing) = ("src/*.log\n", "");
    assert_eq!(told(Packer::Client, 0, [nothing, line]), None);
    assert_eq!(told(Packer::Api, 1000, [nothing, line]), None);
    assert_eq!(told(Packer::Api, 1000, [line, line]), None);
}
