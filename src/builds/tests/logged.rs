//! Builds that have nothing but a log: those that failed, and those of which only the
//! progress was kept.

use super::read::assemble::{Document, Form, Options, Read, read};
use super::read::describe::describe;
use super::*;

fn progress(error: &str) -> Read {
    let vertices = [
        json!({"digest": "sha256:4", "name": "[4/4] RUN d", "inputs": ["sha256:3"]}),
        json!({"digest": "sha256:3", "name": "[3/4] RUN c --token x", "inputs": ["sha256:2"],
            "started": "2026-12-01T00:00:00Z", "completed": "2026-12-01T00:00:01Z",
            "error": error}),
        json!({"digest": "sha256:2", "name": "[2/4] RUN b", "inputs": ["sha256:1"],
            "cached": true}),
        json!({"digest": "sha256:1", "name": "[1/4] FROM a",
            "completed": "2026-12-01T00:00:01Z"}),
        json!({"digest": "sha256:5", "name": "[internal] load .dockerignore",
            "completed": "2026-12-01T00:00:01Z"}),
    ];
    let content = json!({"vertexes": vertices}).to_string();
    let document = Document {
        form: Form::Text,
        content: &content,
    };
    read(&[document], &Options::default()).unwrap()
}

#[test]
fn the_log_of_a_build_that_failed_has_its_steps() {
    let failed = progress("process \"c --token x\" did not complete: exit code: 7");
    for old in [&chain(3, "make"), &Build::default()] {
        let told = explain(old, &failed.build);
        let steps = told.steps.iter();
        let steps: Vec<_> = steps
            .map(|step| (step.name.as_str(), step.verdict.state, step.inputs.clone()))
            .collect();
        let want = [
            ("[1/4] FROM a", State::Resolved, vec![]),
            ("[2/4] RUN b", State::Cached, vec![0]),
            ("[3/4] RUN c --token x", State::Failed, vec![1]),
            ("[4/4] RUN d", State::Unneeded, vec![2]),
        ];
        assert_eq!(steps, want);
        // There is nothing to compare.
        assert_eq!(told.causes, []);
        let findings = told.steps.iter().flat_map(|step| step.findings(&told));
        let findings: Vec<_> = findings.collect();
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].code, Reason::StepFailed);
        let message = findings[0].differences[0].have.as_deref().unwrap();
        assert!(message.ends_with("exit code: 7"), "{message}");
    }
    let told = describe(&failed);
    assert_eq!(
        (told.error.as_str(), told.canceled),
        (
            "process \"c --token ***\" did not complete: exit code: 7",
            false
        )
    );
    assert_eq!(told.platforms, Vec::<String>::new());
    // Nor is there if the earlier build has nothing but a log.
    let told = explain(&failed.build, &chain(3, "make"));
    assert_eq!(told.causes, []);
    assert_eq!(told.steps[1].verdict.state, State::Ran);
}

#[test]
fn a_build_that_was_cancelled_did_not_fail() {
    let canceled = progress("process \"c\" did not complete: exit code: 137: context canceled");
    let told = explain(&Build::default(), &canceled.build);
    let codes = told.steps.iter().flat_map(|step| step.findings(&told));
    let codes: Vec<Reason> = codes.map(|finding| finding.code).collect();
    assert_eq!(codes, [Reason::StepCanceled]);
    assert!(describe(&canceled).canceled);
}
