//! `docker history`: what each step of an image would hit today.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::support::*;

/// Three steps on a base, each made here and still there.
struct Chain {
    layout: Layout,
    images: [ImageText; 3],
}

const LABELLED: &str =
    r##"{"Env":["A=1"],"Cmd":["/bin/sh","-c","#(nop) ","LABEL a=b"],"Labels":{"a":"b"}}"##;
const LABEL: &str = "/bin/sh -c #(nop)  LABEL a=b";

fn chain() -> Chain {
    let first = made();
    let second = first.step(LABEL, "", Some(LABELLED));
    let third = second.step("/bin/sh -c make test", "test layer", Some(TEST));
    let images = [first, second, third];
    let mut layout = Layout::new();
    layout.add("base:1", &base());
    for (name, image) in ["first", "second", "third"].iter().zip(&images) {
        layout.add(name, image);
    }
    let ids: Vec<String> = std::iter::once(base())
        .chain(images.clone())
        .map(|i| i.id())
        .collect();
    let links: Vec<(&str, &str)> = ids.windows(2).map(|w| (&*w[1], &*w[0])).collect();
    layout.mark(&links, &[&ids[1], &ids[2], &ids[3]]);
    Chain { layout, images }
}

fn history(layout: &Layout, image: &str, more: &[&str]) -> Run {
    let spec = layout.spec();
    let mut arguments = vec!["docker", "history", image, "--store", &spec];
    arguments.extend(more);
    let before = layout.dir().snapshot();
    let run = layerwise(&arguments);
    assert_eq!(layout.dir().snapshot(), before, "nothing is changed");
    run
}

fn outcomes(document: &Value) -> Vec<String> {
    let steps = document["steps"].as_array().unwrap().iter();
    steps
        .map(
            |step| match (&step["answer"]["outcome"], &step["unasked"]["code"]) {
                (Value::String(outcome), _) => outcome.clone(),
                (_, Value::String(code)) => code.clone(),
                _ => "failed".to_owned(),
            },
        )
        .collect()
}

#[test]
fn steps_that_are_all_here_hit() {
    let chain = chain();
    let run = history(&chain.layout, "third", &[]);
    assert_eq!((run.exit, &*run.stderr), (0, ""));
    golden("history.txt", &run.stdout, None);
    let document = history(&chain.layout, "third", &["--json"]).json();
    assert_eq!(document["base"]["image"], base().id());
    for (step, image) in document["steps"]
        .as_array()
        .unwrap()
        .iter()
        .zip(&chain.images)
    {
        assert_eq!(step["answer"]["image"], image.id());
        assert_eq!(step["image"], image.id());
        assert_eq!(step["config"], "exact");
        assert_eq!(step["outcome"], "hit-local");
        assert_eq!(step["approximate"], Value::Null);
    }
}

#[test]
fn after_a_miss_nothing_is_asked() {
    let chain = chain();
    // Not built here any more: as if the second step came from elsewhere.
    chain
        .layout
        .store()
        .set_built_here(&chain.images[1].id(), false)
        .unwrap();
    let run = history(&chain.layout, "third", &[]);
    assert_eq!(run.exit, 1);
    golden("history-miss.txt", &run.stdout, None);
    let document = history(&chain.layout, "third", &["--json"]).json();
    let unasked = "docker/not-asked-stage-already-missed";
    assert_eq!(outcomes(&document), ["hit-local", "miss", unasked]);
    assert_eq!(
        document["steps"][1]["explanation"]["summary"]["code"],
        "docker/miss-all-rejected"
    );
    let all = history(&chain.layout, "third", &["--all", "--json"]);
    assert_eq!(all.exit, 1);
    assert_eq!(outcomes(&all.json()), ["hit-local", "miss", "hit-local"]);
}

#[test]
fn an_image_from_elsewhere_is_approximate() {
    let layout = layout();
    let run = history(&layout, "app:1", &["--base", "base:1"]);
    assert_eq!(run.exit, 1);
    golden("history-approximate.txt", &run.stdout, None);
    let untrusted = history(
        &layout,
        "app:1",
        &["--base", "base:1", "--cache-from", "app:1"],
    );
    assert_eq!(untrusted.exit, 1);
    golden("history-untrusted.txt", &untrusted.stdout, None);
    let trusted = ["--base", "base:1", "--trust", "app:1", "--json"];
    let document = history(&layout, "app:1", &trusted).json();
    assert_eq!(outcomes(&document), ["hit-restored", "hit-source"]);
    assert_eq!(document["steps"][1]["answer"]["image"], app().id());
    let configs = document["steps"].as_array().unwrap().iter();
    let configs: Vec<&Value> = configs.map(|step| &step["config"]).collect();
    assert_eq!(configs, ["approximate", "approximate"]);
    // No parent is recorded, so that the base is found by history and layers.
    let found = history(&layout, "app:1", &["--trust", "app:1", "--json"]).json();
    assert_eq!(found["base"]["image"], base().id());
    assert_eq!(found["findings"][0]["code"], "docker/base-by-history");
    assert_eq!(outcomes(&found), ["hit-restored", "hit-source"]);
    let scratch = ["--trust", "app:1", "--json", "--base", "scratch"];
    let scratch = history(&layout, "app:1", &scratch).json();
    assert_eq!(
        outcomes(&scratch),
        ["hit-restored", "hit-restored", "hit-source"]
    );
}

/// The first step of `FROM scratch`, built here, is a step and no base.
#[test]
fn a_first_step_built_here_is_asked_from_scratch() {
    let first = ImageText::default().step("/bin/sh -c make", "make layer", Some(MAKE));
    let second = first.step("/bin/sh -c make test", "test layer", Some(TEST));
    let root = DataRoot::new();
    root.add(&first, None, true);
    root.add(&second, Some(&first.id()), true);
    root.name("app", "1", &second.id());
    let run = layerwise(&[
        "docker",
        "history",
        "app:1",
        "--store",
        &root.spec(),
        "--json",
    ]);
    assert_eq!(run.exit, 0, "{run:?}");
    let document = run.json();
    assert_eq!(document["base"], Value::Null);
    assert_eq!(outcomes(&document), ["hit-local", "hit-local"]);
}

#[test]
fn restored_images_keep_the_config_they_were_asked_with() {
    let layout = layout();
    let spec = layout.spec();
    let mut arguments = vec!["docker", "lookup", "--store", &spec, "--parent", "base:1"];
    arguments.extend(["--config", "-", "--trust", "app:1", "--json"]);
    arguments.extend(AMD64);
    // A builder says on which image it stands, unlike those who commit containers.
    let asked = TEST.replace("{", &format!(r#"{{"Image":"{}","#, base().id()));
    let restored = with_input(&arguments, &asked).json();
    let restored = restored["answer"]["image"].as_str().unwrap();
    let run = history(&layout, restored, &["--trust", "app:1", "--json"]);
    // As the last step it would be an image that runs the build step.
    assert_eq!(run.exit, 1, "{run:?}");
    let step = &run.json()["steps"][0];
    assert_eq!(step["config"], "exact");
    assert_eq!(
        step["answer"]["notes"][0]["code"],
        "docker/restored-command"
    );
    let run = history(
        &layout,
        restored,
        &["--cache-from", "app:1", "--compatible", "--json"],
    );
    assert_eq!(run.exit, 0, "{run:?}");
    let step = &run.json()["steps"][0];
    assert_eq!(step["answer"]["image"], restored, "the same document again");
}

#[test]
fn a_base_must_be_one() {
    let layout = layout();
    fails(
        &history(&layout, "app:1", &["--base", "made:1"]),
        &format!(
            "find base \"{}\": the image does not continue it (docker/history-mismatch)",
            made().id()
        ),
    );
}

/// A lookup that fails is told of, and ends the stage.
#[test]
fn a_failing_step_is_exit_code_3() {
    let root = DataRoot::new();
    let second = made().step("/bin/sh -c make test", "test layer", Some(TEST));
    root.add(&base(), None, false);
    root.add(&made(), Some(&base().id()), true);
    let broken = base().step(
        "/bin/sh -c x",
        "x",
        Some(r#"{"ExposedPorts":{"1-2/tcp":{}}}"#),
    );
    root.add(&broken, Some(&base().id()), true);
    root.add(&second, Some(&made().id()), true);
    root.name("app", "1", &second.id());
    let run = layerwise(&["docker", "history", "app:1", "--store", &root.spec()]);
    assert_eq!((run.exit, &*run.stderr), (3, ""));
    golden("history-failed.txt", &run.stdout, None);
}

/// A Docker root with three steps on a base, and the ids from the base on.
fn rooted() -> (DataRoot, Vec<String>) {
    let second = made().step(LABEL, "", Some(LABELLED));
    let third = second.step("/bin/sh -c make test", "test layer", Some(TEST));
    let root = DataRoot::new();
    let mut ids = vec![root.add(&base(), None, false)];
    for image in [made(), second, third] {
        let parent = ids.last().cloned();
        ids.push(root.add(&image, parent.as_deref(), true));
    }
    root.name("app", "1", &ids[3]);
    (root, ids)
}

fn damage(root: &DataRoot, id: &str) -> String {
    let path = content(root, id);
    let text = fs::read_to_string(&path).unwrap() + "\n";
    fs::write(&path, text).unwrap();
    format!("{path:?} does not have the digest it is named after")
}

fn content(root: &DataRoot, id: &str) -> PathBuf {
    let hex = id.trim_start_matches("sha256:");
    root.images().join("imagedb/content/sha256").join(hex)
}

fn of_root(root: &DataRoot, more: &[&str]) -> Run {
    let spec = root.spec();
    layerwise(&[&["docker", "history", "app:1", "--store", &spec], more].concat())
}

/// The link beside a document is still followed, to the same base.
#[test]
fn a_parent_that_cannot_be_read_is_passed_over() {
    let (root, ids) = rooted();
    let whole = of_root(&root, &["--json"]).json();
    assert_eq!(outcomes(&whole), ["hit-local", "hit-local", "hit-local"]);
    let cause = damage(&root, &ids[2]);
    let run = of_root(&root, &["--json"]);
    let document = run.json();
    assert_eq!(document["base"], whole["base"]);
    assert_eq!(document["base"]["image"], ids[0]);
    let [finding] = &document["findings"].as_array().unwrap()[..] else {
        panic!("{document}");
    };
    assert_eq!(finding["code"], "docker/parent-unreadable");
    assert_eq!(finding["subject"], ids[2]);
    assert_eq!(finding["differences"][0]["have"], cause);
    // What it made is a step that fails, because children are compared.
    let unasked = "docker/not-asked-stage-already-missed";
    assert_eq!(outcomes(&document), ["hit-local", "failed", unasked]);
    assert_eq!(run.exit, 3);
    let text = of_root(&root, &[]);
    golden("history-unreadable.txt", &text.stdout, Some(root.dir()));
}

/// A prune takes the images between away, where nothing keeps them.
#[test]
fn the_base_of_a_chain_that_was_pruned_is_found_by_history() {
    let (root, ids) = rooted();
    for id in &ids[1..3] {
        fs::remove_file(content(&root, id)).unwrap();
        let hex = id.trim_start_matches("sha256:");
        fs::remove_dir_all(root.images().join("imagedb/metadata/sha256").join(hex)).unwrap();
    }
    let run = of_root(&root, &["--json"]);
    let document = run.json();
    assert_eq!(document["base"]["image"], ids[0], "{document}");
    let findings = document["findings"].as_array().unwrap();
    let codes: Vec<&Value> = findings.iter().map(|finding| &finding["code"]).collect();
    assert_eq!(
        codes,
        ["docker/parent-unreadable", "docker/base-by-history"]
    );
    let unasked = "docker/not-asked-stage-already-missed";
    assert_eq!(outcomes(&document), ["miss", unasked, unasked]);
    assert_eq!(run.exit, 1);
}

/// Nobody knows then where the build started; scratch would be a guess.
#[test]
fn a_chain_without_its_end_needs_a_base() {
    let (root, ids) = rooted();
    let hint = "give --base, the image that the build starts from";
    let cause = damage(&root, &ids[0]);
    fails(
        &of_root(&root, &[]),
        &format!("find base \"{}\": {cause}; {hint}", ids[0]),
    );
    let error = of_root(&root, &["--json"]).json()["error"].take();
    assert_eq!(error["kind"], "corrupt", "{error}");
    assert_eq!(error["code"], "docker/parent-unreadable", "{error}");
    assert_eq!(error["subject"], ids[0], "{error}");

    fs::remove_file(content(&root, &ids[0])).unwrap();
    let gone = of_root(&root, &[]);
    let start = format!("error: find base \"{}\": no image ", ids[0]);
    assert!(gone.stderr.starts_with(&start), "{gone:?}");
    assert!(gone.stderr.ends_with(&format!("{hint}\n")), "{gone:?}");
    assert_eq!(gone.exit, 3);

    let given = of_root(&root, &["--base", &ids[1], "--json"]);
    assert_eq!(given.exit, 0, "{given:?}");
    let document = given.json();
    assert_eq!(outcomes(&document), ["hit-local", "hit-local"]);
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "said once: {document}");
    assert_eq!(findings[0]["subject"], ids[0]);
}

/// A link that cannot be read ends the chain, and is reported.
#[test]
fn a_link_that_cannot_be_read_needs_a_base() {
    let (root, ids) = rooted();
    let facts = content(&root, &ids[1]);
    let facts = facts.strip_prefix(root.dir().path()).unwrap();
    let facts = facts.to_str().unwrap().replace("content", "metadata");
    root.dir().file(&format!("{facts}/parent"), "nonsense");
    let run = of_root(&root, &["--json"]);
    let error = run.json()["error"].take();
    assert_eq!((run.exit, &error["kind"]), (3, &"corrupt".into()));
    assert_eq!(error["code"], "docker/link-unreadable", "{error}");
    let run = of_root(&root, &["--base", &ids[0], "--json"]);
    let document = run.json();
    assert_eq!(document["findings"][0]["code"], "docker/link-unreadable");
    assert_eq!(document["steps"][0]["image"], ids[1], "it was read");
}

#[test]
fn links_in_a_circle_end() {
    let chain = chain();
    chain
        .layout
        .mark(&[(&base().id(), &chain.images[2].id())], &[]);
    let document = history(&chain.layout, "third", &["--json"]).json();
    assert_eq!(document["findings"][0]["code"], "docker/ancestry-cycle");
    assert_eq!(outcomes(&document), ["hit-local", "hit-local", "hit-local"]);
}
