//! Images of one engine as `--cache-from` sources on another.

use super::bench::{Build, build};
use super::context::{File, archive};
use super::engine::Engine;
use super::model::Instruction as I;
use super::needs;
use super::registry::Registry;

#[test]
fn sources_from_another_engine() {
    let started = needs::met().then(|| Some((Engine::start()?, Engine::start()?)));
    let Some((here, there)) = started.flatten() else {
        return;
    };
    let registry = Registry::start();
    let [base, one, two, small] =
        ["base:1", "app:1", "app:2", "small:1"].map(|image| registry.name(image));
    let unknown = registry.name("unknown:1");

    let first = Build {
        from: base.clone(),
        steps: vec![
            I::Maintainer("<someone>"),
            I::Env("A", "one&only"),
            I::RunShell("some words"),
            I::Label("kind", "live"),
            I::WorkDir("/work"),
            I::Copy("notes", "/notes/"),
            I::Entrypoint(&["/bin/sh", "served"]),
        ],
        files: vec![File::text("notes", "first\n")],
        tag: one.clone(),
        ..Build::default()
    };
    let mut second = first.with(4, I::WorkDir("/other"));
    second.tag.clone_from(&two);
    let third = Build {
        from: "scratch".to_owned(),
        steps: vec![
            I::Add("program", "/bin/sh"),
            I::RunShell("from nothing"),
            I::Cmd(&["/bin/sh"]),
        ],
        files: vec![File::program("program")],
        tag: small.clone(),
        ..Build::default()
    };

    // Built there and pushed.
    there.docker_with(
        &["import", "-", &base],
        &archive(&[File::program("bin/sh")]),
    );
    assert_eq!(build(&there, &first), "m------");
    assert_eq!(build(&there, &second), "llllm--");
    assert_eq!(build(&there, &third), "m--");
    for name in [&base, &one, &two, &small] {
        there.docker(&["push", name]);
        here.docker(&["pull", name]);
    }

    // Never built here, until the builds without sources.
    let mut changed = first.with(3, I::Label("kind", "changed"));
    changed.tag = "changed:1".to_owned();
    second.tag = "second:1".to_owned();
    let mut own = first.clone();
    own.tag = "own:1".to_owned();
    for (what, mutation, sources, verdicts) in [
        ("the same", &first, &[&one][..], "rrrrrrs"),
        ("the same again", &first, &[&one], "rrrrrrs"),
        ("a change inside", &changed, &[&one], "rrrm---"),
        (
            "the first source is kept",
            &second,
            &[&one, &two],
            "rrrrm--",
        ),
        (
            "the better source first",
            &second,
            &[&unknown, &two, &one],
            "rrrrrrs",
        ),
        ("from nothing", &third, &[&one, &small], "rrs"),
        ("restored images are no local hits", &own, &[], "m------"),
        ("built here", &own, &[], "lllllll"),
        (
            "built here, but not in the source",
            &own,
            &[&two, &one],
            "rrrrm--",
        ),
        ("no source is left", &own, &[&unknown], "m------"),
    ] {
        let sources: Vec<&str> = sources.iter().map(|name| name.as_str()).collect();
        let verdict = build(&here, &mutation.with_sources(&sources));
        assert_eq!(verdict, verdicts, "{what}");
    }
    // The sources of this one were built here: its own steps lead to it.
    assert_eq!(build(&here, &own.with_sources(&["own:1"])), "lllllls");
}
