//! Builds of which provenance alone is there: nothing tells what their steps did.

use serde_json::json;

use super::*;

/// A command, a copy of the context and another command, on an image, with a variable in
/// the last one.
fn build(variable: &str) -> Build {
    let exec = |command: &str, env: &str| {
        json!({"meta": {"args": ["/bin/sh", "-c", command],
        "env": [env]}, "mounts": [{"dest": "/"}]})
    };
    let copy = json!({"actions": [{"secondaryInput": 1, "Action": {"copy": {
        "src": "/", "dest": "/app", "dirCopyContents": true,
    }}}]});
    let steps = [
        (
            OpKind::Source,
            json!({"identifier": "docker-image://a:1@sha256:aa"}),
            vec![],
            1,
        ),
        (OpKind::Exec, exec("one", "A=1"), vec![0], 2),
        (
            OpKind::Source,
            json!({"identifier": "local://context"}),
            vec![],
            0,
        ),
        (OpKind::File, copy, vec![1, 2], 3),
        (OpKind::Exec, exec("two", "A=1"), vec![3], 4),
        (OpKind::Exec, exec("three", variable), vec![4], 6),
        (OpKind::Exec, exec("four", "A=1"), vec![5], 7),
    ];
    let text = "FROM a:1\nRUN one\nCOPY . /app\nRUN two\nARG A\nRUN three\nRUN four\n";
    let steps = steps.into_iter().enumerate();
    let steps = steps.map(|(at, (kind, message, inputs, line))| Step {
        vertex: Some(format!("sha256:{at}")),
        op: Op {
            kind,
            message,
            platform: None,
        },
        inputs: inputs
            .into_iter()
            .map(|step| Input { step, output: 0 })
            .collect(),
        lines: (line > 0)
            .then_some(Lines {
                first: line,
                last: line,
            })
            .into_iter()
            .collect(),
        ignore_cache: false,
    });
    Build {
        definitions: vec![Definition {
            steps: steps.collect(),
            dockerfile: Some(Dockerfile {
                name: "Dockerfile".to_owned(),
                text: text.to_owned(),
            }),
            ..Definition::default()
        }],
        ..Build::default()
    }
}

fn codes(told: &Why) -> Vec<Vec<Reason>> {
    let steps = told.steps.iter();
    let codes = steps.map(|step| step.findings(told).iter().map(|one| one.code).collect());
    codes.collect()
}

#[test]
fn causes_are_found_from_the_definitions_alone() {
    let told = explain(&build("A=1"), &build("A=2"));
    let mut states = told.steps.iter().map(|step| step.verdict.state);
    assert!(states.all(|state| state == State::Unknown));
    assert_eq!(
        codes(&told),
        [
            vec![],
            vec![],
            vec![],
            vec![Reason::FilesUnknown],
            vec![],
            vec![Reason::DefinitionChanged],
            vec![Reason::Follows],
        ]
    );
    // What changed for sure comes first.
    let causes: Vec<_> = told.causes.iter().map(|one| one.cause.code()).collect();
    assert_eq!(causes, [Reason::DefinitionChanged, Reason::FilesUnknown]);
    let names: Vec<&str> = told.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "FROM a:1",
            "RUN one",
            "local://context",
            "COPY . /app",
            "RUN two",
            "RUN three",
            "RUN four"
        ]
    );
}

#[test]
fn the_log_of_another_build_tells_nothing() {
    let mut new = build("A=2");
    new.vertices.push(Vertex {
        digest: "sha256:other".to_owned(),
        name: "[1/1] RUN other".to_owned(),
        cached: true,
        ..Vertex::default()
    });
    let told = explain(&build("A=1"), &new);
    let mut states = told.steps.iter().map(|step| step.verdict.state);
    assert!(states.all(|state| state == State::Unknown));
    // The log of this build does, also of the steps that it does not name.
    new.vertices.push(Vertex {
        digest: "sha256:6".to_owned(),
        completed: Some(1),
        ..Vertex::default()
    });
    let told = explain(&build("A=1"), &new);
    let states: Vec<_> = told.steps.iter().map(|step| step.verdict.state).collect();
    assert_eq!(states[1], State::Unneeded);
    assert_eq!(states[6], State::Ran);
}

#[test]
fn a_step_that_did_not_end_is_not_known() {
    let mut new = build("A=1");
    for (at, ended) in [(1, Some(1)), (4, None)] {
        new.vertices.push(Vertex {
            digest: format!("sha256:{at}"),
            started: Some(0),
            completed: ended,
            ..Vertex::default()
        });
    }
    let told = explain(&build("A=1"), &new);
    let states: Vec<_> = told.steps.iter().map(|step| step.verdict.state).collect();
    assert_eq!((states[1], states[4]), (State::Ran, State::Unknown));
}

#[test]
fn no_cache_for_all_stages_needs_no_log() {
    let old = build("A=1");
    let mut new = build("A=1");
    let args = &mut new.definitions[0].args;
    args.insert("no-cache".to_owned(), String::new());
    let told = explain(&old, &new);
    let causes: Vec<_> = told.causes.iter().map(|one| one.cause.code()).collect();
    assert_eq!(causes, [Reason::NoCache]);
    // Sources have nothing to run.
    assert_eq!(told.causes[0].steps, [1, 3, 4, 5, 6]);
}
