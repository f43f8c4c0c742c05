//! Files that no record tells of.

use serde_json::json;

use super::*;
use crate::oci::sha256;

const BEFORE: &str = "FROM a\nCOPY . .\n";
const AFTER: &str = "FROM a\nCOPY . .\nLABEL b=c\n";

/// A build that copies everything of its context onto an image.
fn copying(dockerfile: &str, ignored: &[&str]) -> Build {
    let ignored = serde_json::to_string(ignored).unwrap();
    let context = json!({
        "identifier": "local://context",
        "attrs": {"local.excludepatterns": ignored},
    });
    let copy = json!({"actions": [{"secondaryInput": 1, "Action": {"copy": {
        "src": "/", "dest": "/", "dirCopyContents": true, "followSymlink": true,
        "allowWildcard": true,
    }}}]});
    let image = json!({"identifier": "docker-image://a:1@sha256:aa"});
    let steps = [
        (OpKind::Source, image, vec![]),
        (OpKind::Source, context, vec![]),
        (OpKind::File, copy, vec![0, 1]),
    ];
    let mut build = Build::default();
    let mut definition = Definition {
        dockerfile: Some(Dockerfile {
            name: "Dockerfile".to_owned(),
            text: dockerfile.to_owned(),
        }),
        ..Definition::default()
    };
    for (at, (kind, message, inputs)) in steps.into_iter().enumerate() {
        let digest = format!("sha256:{at}");
        definition.steps.push(Step {
            vertex: Some(digest.clone()),
            op: Op {
                kind,
                message,
                platform: None,
            },
            inputs: inputs
                .into_iter()
                .map(|step| Input { step, output: 0 })
                .collect(),
            lines: Vec::new(),
            ignore_cache: false,
        });
        build.vertices.push(Vertex {
            digest,
            name: format!("[{at}/3] step"),
            completed: Some(1),
            ..Vertex::default()
        });
    }
    build.definitions.push(definition);
    build
}

/// The context with a Dockerfile and another file.
fn context(dockerfile: &str, mode: u32, other: bool) -> Known {
    let mut tree = Tree::of_client();
    let stat = |mode| Stat {
        mode,
        ..Stat::default()
    };
    let file = Entry::file(&stat(mode), dockerfile.as_bytes());
    tree.insert("Dockerfile", file).unwrap();
    if other {
        tree.insert("other", Entry::file(&stat(0o644), b"other"))
            .unwrap();
    }
    Known {
        folders: BTreeMap::from([("context".to_owned(), tree)]),
        ..Known::default()
    }
}

/// A daemon that has the step for the content that a context had.
fn daemon(build: &Build, known: &Known) -> Store {
    let graph = graph::Graph::new(build, known);
    let node = graph.nodes.last().unwrap();
    let content = node.contents[1].as_deref().unwrap();
    let mut store = Store::default();
    let content = sha256(format!("{content}@-1").as_bytes()).to_string();
    store.add_link(&content, (node.map().unwrap(), 0, 1), "", "target");
    store
}

fn cause(old: (&Build, &Known), new: (&Build, &Known), evidence: &Evidence) -> Cause {
    let told = why(old, new, evidence);
    let [cause] = told.steps.last().unwrap().verdict.causes.as_slice() else {
        panic!("{:?}", told.steps);
    };
    cause.clone()
}

fn code(old: &Build, new: &Build) -> Reason {
    let known = Known::default();
    cause((old, &known), (new, &known), &Evidence::default()).code()
}

#[test]
fn a_dockerfile_that_changed_is_named_unless_it_is_left_out() {
    let (old, new) = (copying(BEFORE, &[]), copying(AFTER, &[]));
    assert_eq!(code(&old, &new), Reason::DockerfileCopied);
    assert_eq!(code(&old, &old), Reason::FilesUnknown);
    let ignored = ["Dockerfile"];
    let (old, new) = (copying(BEFORE, &ignored), copying(AFTER, &ignored));
    assert_eq!(code(&old, &new), Reason::FilesUnknown);
    // What is left out by now.
    let nothing = Known::default();
    let (old, new) = (copying(BEFORE, &[]), copying(BEFORE, &["x"]));
    let told = cause((&old, &nothing), (&new, &nothing), &Evidence::default());
    let [_, ignored] = told.differences().try_into().unwrap();
    assert_eq!(ignored.have.as_deref(), Some("[]"));
    assert_eq!(ignored.want.as_deref(), Some(r#"["x"]"#));
}

#[test]
fn digests_of_one_side_show_that_the_dockerfile_is_among_the_files() {
    let (old, new) = (copying(BEFORE, &[]), copying(AFTER, &[]));
    for mode in [0o644, 0o751] {
        let known = context(AFTER, mode, true);
        let nothing = Known::default();
        let told = cause((&old, &nothing), (&new, &known), &Evidence::default());
        let Cause::Content { paths, whole, .. } = told else {
            panic!("{told:?}");
        };
        assert_eq!((paths[0].path.as_str(), whole), ("Dockerfile", false));
    }
    // It lies elsewhere: a file of this name has another text.
    let known = context("FROM b", 0o644, true);
    let nothing = Known::default();
    let told = cause((&old, &nothing), (&new, &known), &Evidence::default());
    assert_eq!(told.code(), Reason::DockerfileCopied);
}

#[test]
fn a_daemon_proves_the_one_change() {
    let (old, new) = (copying(BEFORE, &[]), copying(AFTER, &[]));
    let nothing = Known::default();
    let known = context(AFTER, 0o664, true);
    let proven = |before: &Known, new: &Build| {
        let evidence = Evidence {
            daemons: vec![daemon(&old, before)],
            ..Evidence::default()
        };
        match cause((&old, &nothing), (new, &known), &evidence) {
            Cause::Content { paths, whole, .. } if whole => Some(paths),
            _ => None,
        }
    };
    let change = |path: &str, kind| {
        Some(vec![Change {
            path: path.to_owned(),
            kind,
        }])
    };
    let only = context(BEFORE, 0o664, true);
    assert_eq!(
        proven(&only, &new),
        change("Dockerfile", ChangeKind::Content)
    );
    let added = context(AFTER, 0o664, false);
    assert_eq!(proven(&added, &new), change("other", ChangeKind::Added));
    // Two changes are none of these.
    assert_eq!(proven(&context(BEFORE, 0o600, false), &new), None);
}

#[test]
fn a_copy_that_follows_may_have_other_files_too() {
    let old = copying(BEFORE, &[]);
    let mut new = copying(BEFORE, &[]);
    let image = &mut new.definitions[0].steps[0].op.message;
    image["identifier"] = json!("docker-image://a:1@sha256:bb");
    let told = explain(&old, &new);
    let codes = told.steps[2].findings(&told);
    let codes: Vec<Reason> = codes.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Reason::Follows, Reason::FilesUnknown]);
    // It is no cause of its own.
    let causes: Vec<_> = told.causes.iter().map(|one| one.cause.code()).collect();
    assert_eq!(causes, [Reason::BaseMoved]);
    // Where the files are known there is nothing to add.
    let files = context(BEFORE, 0o644, true);
    let told = why((&old, &files), (&new, &files), &Evidence::default());
    let codes = told.steps[2].findings(&told);
    let codes: Vec<Reason> = codes.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Reason::Follows]);
}
