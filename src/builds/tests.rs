//! Laws of explanations, on builds that no vector has.

mod absent;
mod files;
mod logged;
mod sources;
mod unlogged;

use serde_json::json;

use super::*;
use crate::prelude::*;

/// A chain of commands on an image, each of which ran for a second.
fn chain(length: usize, command: &str) -> Build {
    let mut build = Build::default();
    let mut definition = Definition::default();
    for at in 0..length {
        let (kind, message) = if at == 0 {
            let image = "docker-image://a:1@sha256:aa";
            (OpKind::Source, json!({"identifier": image}))
        } else {
            let args = ["/bin/sh", "-c", command, &at.to_string()];
            let mounts = [json!({"dest": "/"})];
            (
                OpKind::Exec,
                json!({"meta": {"args": args}, "mounts": mounts}),
            )
        };
        let digest = format!("sha256:{at}");
        let input = at.checked_sub(1);
        definition.steps.push(Step {
            vertex: Some(digest.clone()),
            op: Op {
                kind,
                message,
                platform: None,
            },
            inputs: input
                .map(|step| Input { step, output: 0 })
                .into_iter()
                .collect(),
            lines: Vec::new(),
            ignore_cache: false,
        });
        build.vertices.push(Vertex {
            digest,
            name: format!("[{at}/{length}] RUN {command}"),
            started: Some(0),
            completed: Some(1_000_000_000),
            ..Vertex::default()
        });
    }
    build.definitions.push(definition);
    build
}

fn explain(old: &Build, new: &Build) -> Why {
    let known = Known::default();
    why((old, &known), (new, &known), &Evidence::default())
}

#[test]
fn a_result_that_is_gone_is_a_cause_by_itself() {
    let build = chain(3, "make");
    let told = explain(&build, &build);
    let causes: Vec<_> = told
        .steps
        .iter()
        .map(|step| &step.verdict.causes[..])
        .collect();
    let lost = [Cause::NoResult(NoResult::Lost)];
    assert_eq!(causes, [&[][..], &lost, &lost]);
    // One cause of two steps, which took a second each.
    let [cause] = told.causes.as_slice() else {
        panic!("{:?}", told.causes);
    };
    assert_eq!(
        (cause.steps.as_slice(), cause.lost),
        (&[1, 2][..], 2_000_000_000)
    );
}

#[test]
fn what_was_cached_has_no_cause() {
    let old = chain(3, "make");
    let mut new = old.clone();
    for vertex in &mut new.vertices {
        vertex.cached = true;
    }
    let told = explain(&old, &new);
    assert_eq!(told.causes, []);
    assert!(
        told.steps
            .iter()
            .all(|step| step.findings(&told).is_empty())
    );
}

#[test]
fn time_is_lost_to_one_cause() {
    let old = chain(4, "make");
    let mut new = chain(4, "make");
    let first = &mut new.definitions[0].steps[1].op.message;
    first["meta"]["args"][2] = json!("make all");
    let told = explain(&old, &new);
    let [cause] = told.causes.as_slice() else {
        panic!("{:?}", told.causes);
    };
    // Nothing stands at a line, so that names tell which step it is.
    let [difference] = &cause.cause.differences()[..] else {
        panic!("{:?}", cause.cause);
    };
    assert_eq!(difference.path, "exec.meta.args[2]");
    assert_eq!(
        (cause.steps.as_slice(), cause.follow.as_slice()),
        (&[1][..], &[2, 3][..])
    );
    assert_eq!(cause.lost, 3_000_000_000);
    let codes = told.steps.iter().flat_map(|step| step.findings(&told));
    let codes: Vec<Reason> = codes.map(|finding| finding.code).collect();
    let changed = Reason::DefinitionChanged;
    assert_eq!(codes, [changed, Reason::Follows, Reason::Follows]);
}

#[test]
fn steps_without_lines_are_paired_by_name_and_in_order() {
    let old = chain(4, "make");
    let mut new = chain(5, "make");
    let names = ["", "first thing", "added", "second thing", "third thing"];
    let args = ["", "1 now", "added", "2 now", "3"];
    let steps = &mut new.definitions[0].steps;
    for (at, step) in steps.iter_mut().enumerate().skip(1) {
        new.vertices[at].name = names[at].to_owned();
        step.op.message["meta"]["args"][3] = json!(args[at]);
    }
    let mut named = old.clone();
    for (at, name) in ["", "first thing", "second thing", "third thing"]
        .iter()
        .enumerate()
    {
        named.vertices[at].name = (*name).to_owned();
    }
    let causes = |old: &Build| {
        let told = explain(old, &new);
        let causes = told.steps.into_iter().map(|step| step.verdict.causes);
        let codes = causes.map(|causes| causes.iter().map(Cause::code).collect());
        codes.collect::<Vec<Vec<Reason>>>()
    };
    let (changed, added) = (Reason::DefinitionChanged, Reason::NewStep);
    assert_eq!(
        causes(&named),
        [vec![], vec![changed], vec![added], vec![changed], vec![]]
    );
    // Without names what is left pairs up in order.
    assert_eq!(
        causes(&old),
        [vec![], vec![changed], vec![changed], vec![added], vec![]]
    );
}

#[test]
fn many_changed_steps_have_few_roots() {
    let told = explain(&chain(5_000, "make"), &chain(5_000, "make all"));
    let roots = |step: &WhyStep| step.verdict.roots_may.len() + step.verdict.roots_must.len();
    let all: usize = told.steps.iter().map(roots).sum();
    // Twice 64 of each: twice as many steps have twice as many, and not four times.
    assert!(all <= 5_000 * 128, "{all} roots");
    assert!(told.steps.iter().skip(2).all(|step| roots(step) > 0));
}
