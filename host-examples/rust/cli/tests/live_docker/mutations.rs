//! Dockerfiles and their mutations on one engine: the local lookup.

use std::collections::BTreeMap;

use super::bench::{Build, build};
use super::context::{File, archive};
use super::engine::Engine;
use super::model::Instruction as I;
use super::needs;

#[test]
fn a_dockerfile_from_scratch_and_its_mutations() {
    let Some(engine) = needs::met().then(Engine::start).flatten() else {
        return;
    };
    let first = Build {
        from: "scratch".to_owned(),
        steps: vec![
            I::Copy("program", "/bin/sh"),
            I::Env("A", "one"),
            I::RunShell("some words"),
            I::Label("kind", "live"),
            I::Copy("notes", "/notes/"),
            I::Cmd(&["/bin/sh", "served"]),
        ],
        files: vec![File::program("program"), File::text("notes", "first\n")],
        tag: "scratch-family".to_owned(),
        ..Build::default()
    };
    let mut notes = first.clone();
    notes.files[1] = File::text("notes", "second\n");
    let mut mode = first.clone();
    mode.files[1].mode = 0o600;
    let mut shorter = first.clone();
    shorter.steps.remove(2);

    for (what, mutation, verdicts) in [
        ("nothing was built", &first, "m-----"),
        ("the same again", &first, "llllll"),
        ("another ENV", &first.with(1, I::Env("A", "two")), "lm----"),
        ("the same again", &first, "llllll"),
        (
            "that ENV again",
            &first.with(1, I::Env("A", "two")),
            "llllll",
        ),
        (
            "another RUN",
            &first.with(2, I::RunShell("others")),
            "llm---",
        ),
        (
            "RUN without a shell",
            &first.with(2, I::Run(&["/bin/sh"])),
            "llm---",
        ),
        (
            "another LABEL",
            &first.with(3, I::Label("kind", "other")),
            "lllm--",
        ),
        ("another file", &notes, "llllm-"),
        ("that file again", &notes, "llllll"),
        ("another mode of a file", &mode, "llllm-"),
        (
            "ADD for COPY",
            &first.with(4, I::Add("notes", "/notes/")),
            "llllm-",
        ),
        (
            "ENTRYPOINT for CMD",
            &first.with(5, I::Entrypoint(&["/bin/sh", "served"])),
            "lllllm",
        ),
        ("a step less", &shorter, "llm--"),
        ("that again", &shorter, "lllll"),
        ("the first again", &first, "llllll"),
    ] {
        assert_eq!(build(&engine, mutation), verdicts, "{what}");
    }
}

#[test]
fn every_instruction_on_an_imported_image() {
    let Some(engine) = needs::met().then(Engine::start).flatten() else {
        return;
    };
    let base = archive(&[File::program("bin/sh")]);
    engine.docker_with(
        &["import", "--change", "ENV BASE=yes", "-", "base:1"],
        &base,
    );
    let first = Build {
        from: "base:1".to_owned(),
        steps: vec![
            I::Maintainer("someone"),
            I::Arg("VERSION", "1"),
            I::Run(&["/bin/sh", "with", "arguments"]),
            I::WorkDir("/work"),
            I::WorkDir("below"),
            I::Env("BASE", "no"),
            I::Label("a", "b"),
            I::Expose("8080"),
            I::Volume("/data"),
            I::User("0:0"),
            I::Healthcheck(&["/bin/sh", "check"]),
            I::StopSignal("SIGUSR1"),
            I::Shell(&["/bin/sh", "-ec"]),
            I::RunShell("in that shell"),
            I::OnBuild("RUN later"),
            I::Entrypoint(&["/bin/sh"]),
            I::Cmd(&["served"]),
        ],
        arguments: BTreeMap::from([("VERSION", "2")]),
        tag: "all:1".to_owned(),
        ..Build::default()
    };
    assert_eq!(build(&engine, &first), "m----------------");
    assert_eq!(build(&engine, &first), "lllllllllllllllll");

    // Up to the step that is another one.
    for (index, instruction) in [
        (3, I::WorkDir("/other")),
        (7, I::Expose("8081")),
        (8, I::Volume("/other")),
        (9, I::User("0")),
        (10, I::Healthcheck(&["/bin/sh"])),
        (11, I::StopSignal("SIGUSR2")),
        (12, I::Shell(&["/bin/sh", "-c"])),
        (14, I::OnBuild("RUN now")),
        (16, I::Cmd(&["other"])),
    ] {
        let mut other = first.with(index, instruction);
        other.steps.truncate(index + 1);
        other.tag = "other:1".to_owned();
        let verdicts = "l".repeat(index) + "m";
        assert_eq!(build(&engine, &other), verdicts, "step {index}");
    }
    let mut argument = first.clone();
    argument.arguments = BTreeMap::new();
    argument.steps.truncate(5);
    assert_eq!(build(&engine, &argument), "llm--");
    assert_eq!(build(&engine, &first), "lllllllllllllllll");
}

/// The engine stores the inherited entry point for an empty one, so that the
/// image never answers the step that made it.
#[test]
fn an_emptied_entry_point_never_hits() {
    let Some(engine) = needs::met().then(Engine::start).flatten() else {
        return;
    };
    engine.docker_with(
        &["import", "-", "base:1"],
        &archive(&[File::text("file", "")]),
    );
    let first = Build {
        from: "base:1".to_owned(),
        steps: vec![I::Entrypoint(&["/bin/sh"]), I::Entrypoint(&[])],
        tag: "emptied:1".to_owned(),
        ..Build::default()
    };
    for verdicts in ["m-", "lm", "lm"] {
        assert_eq!(build(&engine, &first), verdicts);
    }
}
