use super::*;

const PREDICATE: &str = r#"{"buildDefinition": {"internalParameters": {"buildConfig": {
    "llbDefinition": [{"id": "step0", "op": {"Op": {}}}]}}}}"#;
const PROGRESS: &str = r#"{"vertexes":[{"digest":"a","name":"client"},{"digest":"b"}]}"#;

fn text(content: &str) -> Document<'_> {
    Document {
        form: Form::Text,
        content,
    }
}

fn of(documents: &[Document<'_>]) -> Result<Read, Error> {
    read(documents, &Options::default())
}

fn code(refused: &Error) -> &str {
    refused.problem().map_or("", |problem| &problem.code)
}

#[test]
fn a_document_says_what_it_is() {
    let predicate = of(&[text(PREDICATE)]).unwrap();
    assert_eq!(predicate.build.definitions.len(), 1);
    let statement = format!(r#"{{"predicateType": "x", "predicate": {PREDICATE}}}"#);
    assert_eq!(of(&[text(&statement)]).unwrap(), predicate);
    let metadata = format!(
        r#"{{"containerimage.digest": "x", "buildx.build.provenance/linux/amd64": {PREDICATE},
            "buildx.build.provenance/linux/arm64": {PREDICATE}}}"#
    );
    let metadata = of(&[text(&metadata)]).unwrap();
    assert_eq!(metadata.build.definitions.len(), 2);
    let progress = of(&[text(PROGRESS)]).unwrap();
    assert_eq!(progress.build.vertices.len(), 2);
    let warned = format!("level=warning msg=x\n{PROGRESS}\nerror: failed to solve: y\n");
    assert_eq!(of(&[text(&warned)]).unwrap(), progress);
    assert!(of(&[text("level=warning msg=x\n")]).is_err());
    let record = of(&[text(r#"{"Ref": "abc"}"#)]).unwrap();
    assert_eq!(record.record.unwrap().name, "abc");
}

#[test]
fn of_bake_a_target_is_chosen() {
    let bake = format!(
        r#"{{"app": {{"buildx.build.provenance": {PREDICATE}}},
            "test": {{"buildx.build.provenance": {PREDICATE}, "x": 1}}, "y": {{}}}}"#
    );
    let all = [text(&bake)];
    let of = |target: Option<&str>| {
        let options = Options {
            target: target.map(ToOwned::to_owned),
            ..Options::default()
        };
        read(&all, &options)
    };
    assert!(of(Some("test")).is_ok());
    for target in [None, Some("no")] {
        let refused = of(target).unwrap_err();
        assert_eq!(code(&refused), "builds/several-builds");
        assert!(refused.to_string().contains("app, test"), "{refused}");
    }
}

#[test]
fn the_log_of_the_record_counts_more_than_the_clients() {
    // One response with the vertex `a`, named `daemon`.
    let vertex = b"\x0a\x01a\x1a\x06daemon";
    let log = [&[13, 0, 0, 0, 0x0a, 11], &vertex[..]].concat();
    let log = base64::encode(&log);
    let log = Document {
        form: Form::Log,
        content: &log,
    };
    let orders = [[log, text(PROGRESS)], [text(PROGRESS), log]];
    for documents in orders {
        let mut vertices = of(&documents).unwrap().build.vertices;
        vertices.sort_by(|a, b| a.digest.cmp(&b.digest));
        let names: Vec<&str> = vertices.iter().map(|vertex| &vertex.name[..]).collect();
        assert_eq!(names, ["daemon", ""]);
    }
}

#[test]
fn what_keeps_no_record_is_named() {
    for (image, wanted, word) in [
        (
            r#"{"rootfs": {}, "config": {"Labels": {"io.buildah.version": "1.37"}}}"#,
            "builds/other-builder",
            "Podman",
        ),
        (
            r#"{"rootfs": {}, "history": [{"author": "kaniko"}]}"#,
            "builds/other-builder",
            "kaniko",
        ),
        (r#"{"rootfs": {}}"#, "builds/no-provenance", "provenance"),
        (
            r#"{"buildDefinition": {}}"#,
            "builds/no-definition",
            "mode=max",
        ),
    ] {
        let refused = of(&[text(image)]).unwrap_err();
        assert!(matches!(refused, Error::Unsupported(_)), "{image}");
        assert_eq!(code(&refused), wanted);
        assert!(refused.to_string().contains(word), "{refused}");
    }
}

#[test]
fn anything_else_is_refused() {
    for content in ["", "x", "{}", "[1]", r#"{"a": {"b": 1}}"#, "{\"Ref\": 1}"] {
        let refused = of(&[text(content)]).unwrap_err();
        assert_eq!(code(&refused), "builds/unreadable", "{content}");
    }
    assert_eq!(code(&of(&[]).unwrap_err()), "builds/nothing-given");
    for form in [Form::Log, Form::Record] {
        let document = Document { form, content: "*" };
        assert_eq!(code(&of(&[document]).unwrap_err()), "builds/unreadable");
    }
    let few = Options {
        limits: vec![("document-bytes".to_owned(), 5)],
        ..Options::default()
    };
    let refused = read(&[text(PREDICATE)], &few).unwrap_err();
    assert!(matches!(refused, Error::LimitExceeded(_)));
    assert!(parts(text("{}"), &[]).is_err());
}
