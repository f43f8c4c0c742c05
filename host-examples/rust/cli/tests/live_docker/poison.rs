//! CVE-2024-24557: a loaded image without a parent answers the first step of
//! `FROM scratch`, although it was not built here and holds other files.

use layerwise::docker::{Answer, Outcome, Step};
use layerwise::explain::Explanation;
use layerwise::semantics::Semantics;
use layerwise_host::docker::Session;
use serde_json::Value;

use super::bench::{Build, build, foretell, session, session_over};
use super::context::File;
use super::engine::Engine;
use super::forged::forge;
use super::model::{Instruction as I, Stage};
use super::needs;

#[test]
fn a_loaded_image_answers_from_scratch() {
    let started = needs::met().then(|| Some((Engine::start()?, Engine::start()?)));
    let Some((elsewhere, here)) = started.flatten() else {
        return;
    };
    let victim = Build {
        from: "scratch".to_owned(),
        steps: vec![I::Copy("app", "/app"), I::Cmd(&["/app"])],
        files: vec![File::text("app", "what was written\n")],
        tag: "victim:1".to_owned(),
        ..Build::default()
    };
    assert_eq!(build(&elsewhere, &victim), "m-");
    let genuine = elsewhere.image("victim:1").parent.unwrap();
    let document = elsewhere.image(&genuine).document.unwrap();
    let forged = forge(
        &document,
        "innocent:1",
        &[File::text("app", "something else\n")],
    );

    assert_eq!(foretell(&here, &victim)[0].outcome, Outcome::Miss);
    here.docker_with(&["load"], &forged.archive);

    // The old engine and the old rules say hit.
    let old = Semantics::compatible(Some("20.10"));
    let (answer, _) = first_step(&here, &victim, old.clone());
    assert_eq!(answer.image.as_ref(), Some(&forged.id));
    // Later engines and the guarded reading want to know that it was built here,
    // which this engine records nowhere.
    let guarded = Semantics {
        version: Some("20.10".to_owned()),
        ..Semantics::guarded()
    };
    for semantics in [guarded, Semantics::guarded(), Semantics::compatible(None)] {
        let (answer, why) = first_step(&here, &victim, semantics);
        assert_eq!(answer.outcome, Outcome::Miss, "{why:?}");
        assert_eq!(verdict(&why, &forged.id), "docker/local-check-failed");
    }
    assert_eq!(build(&here, &victim), "lm");
    let result: Value = parse(&here, "victim:1");
    assert_eq!(result["rootfs"]["diff_ids"][0], forged.layer);

    // Nor does an own image help: the forged one says that it is newer.
    elsewhere.docker_with(&["load"], &forged.archive);
    let (answer, _) = first_step(&elsewhere, &victim, old);
    assert_eq!(answer.image.as_ref(), Some(&forged.id));
    assert_eq!(build(&elsewhere, &victim), "lm");
    let (answer, why) = first_step(&elsewhere, &victim, Semantics::guarded());
    assert_eq!(answer.outcome, Outcome::Miss);
    for id in [&genuine, &forged.id] {
        assert_eq!(verdict(&why, id), "docker/local-check-failed");
    }

    // Where marks are kept, they tell the two apart.
    for semantics in [Semantics::guarded(), Semantics::compatible(None)] {
        let (_place, images) = elsewhere.marked(&[&genuine]);
        let session = session_over(images, &elsewhere, &victim, semantics.clone());
        let (answer, why) = ask_first(session, &elsewhere, &victim);
        assert_eq!(answer.outcome, Outcome::HitLocal, "{why:?}");
        assert_eq!(answer.image.as_ref(), Some(&genuine));
        assert_eq!(verdict(&why, &genuine), "docker/selected");
        assert_eq!(verdict(&why, &forged.id), "docker/not-built-locally");

        // The forged one alone, beside an image that is marked.
        let result = here.image("victim:1").id;
        let (_place, images) = here.marked(&[&result]);
        let session = session_over(images, &here, &victim, semantics);
        let (answer, why) = ask_first(session, &here, &victim);
        assert_eq!(answer.outcome, Outcome::Miss, "{why:?}");
        assert_eq!(verdict(&why, &forged.id), "docker/not-built-locally");
    }
}

fn first_step(engine: &Engine, build: &Build, semantics: Semantics) -> (Answer, Explanation) {
    ask_first(session(engine, build, semantics), engine, build)
}

fn ask_first(mut session: Session, engine: &Engine, build: &Build) -> (Answer, Explanation) {
    let mut stage = Stage::new(None, &build.files, &build.arguments);
    let step = Step {
        parent: None,
        config: Some(stage.ask(&build.steps[0], None).to_string()),
        platform: engine.platform.clone(),
        last: false,
    };
    let why = session.explain(&step).unwrap();
    (session.plan(&step).unwrap(), why)
}

/// What is said of an image.
fn verdict<'a>(why: &'a Explanation, id: &str) -> &'a str {
    let finding = why.findings.iter().find(|found| found.subject == id);
    &finding.unwrap_or_else(|| panic!("{id}: {why:?}")).code
}

fn parse(engine: &Engine, name: &str) -> Value {
    serde_json::from_str(&engine.image(name).document.unwrap()).unwrap()
}
