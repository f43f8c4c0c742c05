//! `docker lookup`, `plan` and `explain` on an image layout and a data root.

use layerwise::host::{Facts, ImageStore as _};

use super::support::*;

/// Runs a verb on a step: the config is standard input.
fn ask(verb: &str, store: &str, parent: &str, config: &str, more: &[&str]) -> Run {
    let mut arguments = vec!["docker", verb, "--store", store, "--parent", parent];
    arguments.extend(["--config", "-"]);
    arguments.extend(AMD64);
    arguments.extend(more);
    with_input(&arguments, config)
}

#[test]
fn a_child_that_was_built_here_hits() {
    let layout = layout();
    let before = layout.dir().snapshot();
    for parent in ["base:1", &base().id(), &base().id()[7..20]] {
        let run = ask("lookup", &layout.spec(), parent, MAKE, &[]);
        assert_eq!((run.exit, &*run.stderr), (0, ""), "{parent}");
        golden("hit-local.txt", &run.stdout, Some(layout.dir()));
    }
    let run = ask("lookup", &layout.spec(), "base:1", MAKE, &["--verbose"]);
    assert!(run.stdout.contains(&made().id()), "{}", run.stdout);
    assert_eq!(
        layout.dir().snapshot(),
        before,
        "a local hit changes nothing"
    );
}

#[test]
fn a_data_root_answers_and_is_never_written() {
    let root = DataRoot::new();
    root.add(&base(), None, false);
    root.add(&made(), Some(&base().id()), true);
    root.add(&app(), None, false);
    root.name("base", "1", &base().id());
    let before = root.dir().snapshot();
    let run = ask("lookup", &root.spec(), "base:1", MAKE, &[]);
    assert_eq!(run.exit, 0, "{run:?}");
    golden("hit-local.txt", &run.stdout, None);
    let plan = ["--trust", &app().id()];
    assert_eq!(ask("plan", &root.spec(), "base:1", TEST, &plan).exit, 0);
    let refused = ask("lookup", &root.spec(), "base:1", TEST, &plan);
    fails(
        &refused,
        &format!(
            "restore \"{}\": cannot create an image in {:?}: this store is read-only; \
             --plan shows the answer without making its changes",
            app().id(),
            root.images()
        ),
    );
    assert_eq!(root.dir().snapshot(), before);
}

#[test]
fn configs_are_files_too() {
    let layout = layout();
    let config = layout.dir().file("make.json", MAKE);
    let mut arguments = vec![
        "docker", "lookup", "--parent", "base:1", "--config", &config,
    ];
    let spec = layout.spec();
    arguments.extend(["--store", &spec]);
    arguments.extend(AMD64);
    assert_eq!(layerwise(&arguments).exit, 0);
}

#[test]
fn a_miss_is_exit_code_1_and_explained_on_demand() {
    let layout = layout();
    let run = ask("lookup", &layout.spec(), "base:1", CHANGED, &[]);
    assert_eq!((run.exit, &*run.stderr), (1, ""));
    golden("miss.txt", &run.stdout, None);
    let run = ask("explain", &layout.spec(), "base:1", CHANGED, &[]);
    assert_eq!((run.exit, &*run.stderr), (1, ""));
    golden("miss-explained.txt", &run.stdout, None);
    let run = ask("lookup", &layout.spec(), "base:1", CHANGED, &["--explain"]);
    assert_eq!(run.exit, 1);
    golden("miss-and-why.txt", &run.stdout, None);
    let run = ask("explain", &layout.spec(), "base:1", MAKE, &[]);
    assert_eq!(run.exit, 0, "the explanation of a hit is a hit");
    let run = ask("explain", &layout.spec(), "scratch", MAKE, &[]);
    assert_eq!(run.exit, 1);
    assert!(run.stdout.contains("scratch"), "{}", run.stdout);
}

#[test]
fn a_source_answers_only_under_trust() {
    let layout = layout();
    let untrusted = ["--cache-from", "app:1"];
    let run = ask("lookup", &layout.spec(), "base:1", TEST, &untrusted);
    assert_eq!(run.exit, 1);
    golden("untrusted.txt", &run.stdout, None);
    for trusted in [
        &["--trust", "app:1"][..],
        &["--cache-from", "app:1", "--trust", "app:1"],
        &["--cache-from", "app:1", "--trust-all-sources"],
        &["--cache-from", "app:1", "--compatible"],
        &["--cache-from", "app:1", "--compatible=26.0"],
    ] {
        let run = ask("plan", &layout.spec(), "base:1", TEST, trusted);
        assert_eq!(run.exit, 0, "{trusted:?}: {run:?}");
    }
    let other = ["--cache-from", "app:1", "--trust", "made:1"];
    let run = ask("plan", &layout.spec(), "base:1", TEST, &other);
    assert_eq!(run.exit, 1, "trust in one name is none in another");
}

#[test]
fn a_plan_shows_what_a_lookup_does() {
    let layout = layout();
    let trust = ["--trust", "app:1"];
    let before = layout.dir().snapshot();
    let planned = ask("plan", &layout.spec(), "base:1", TEST, &trust);
    assert_eq!((planned.exit, &*planned.stderr), (0, ""));
    golden("plan.txt", &planned.stdout, None);
    for flag in ["--plan", "--dry-run", "--read-only"] {
        let mut more = trust.to_vec();
        more.push(flag);
        let run = ask("lookup", &layout.spec(), "base:1", TEST, &more);
        assert_eq!(run.stdout, planned.stdout, "{flag}");
    }
    assert_eq!(layout.dir().snapshot(), before, "a plan changes nothing");

    let done = ask("lookup", &layout.spec(), "base:1", TEST, &trust);
    assert_eq!(done.exit, 0, "{done:?}");
    assert_eq!(done.stdout, planned.stdout.replace("would", "did  "));
    let more = ["--trust", "app:1", "--json"];
    let again = ask("lookup", &layout.spec(), "base:1", TEST, &more).json();
    let restored = again["answer"]["image"].as_str().unwrap();
    let want = Facts {
        parent: true,
        ..Facts::default()
    };
    let stored = layout
        .store()
        .get(&[restored.to_owned()], want, 1 << 20)
        .remove(0)
        .unwrap();
    assert_eq!(stored.parent, Some(base().id()));

    // The last step of the source is the source itself, which gets a parent.
    let last = ask("lookup", &layout.spec(), restored, INSTALL, &trust);
    assert_eq!(last.exit, 0, "{last:?}");
    golden("hit-source.txt", &last.stdout, None);
    let stored = layout
        .store()
        .get(&[app().id()], want, 1 << 20)
        .remove(0)
        .unwrap();
    assert_eq!(stored.parent.as_deref(), Some(restored));
}

#[test]
fn names_that_lead_nowhere_are_passed_over() {
    let layout = layout();
    let more = ["--trust", "gone:1"];
    let run = ask("lookup", &layout.spec(), "base:1", MAKE, &more);
    assert_eq!(run.exit, 1);
    golden("skipped.txt", &run.stdout, Some(layout.dir()));
    let run = ask("explain", &layout.spec(), "base:1", MAKE, &more);
    assert_eq!(run.exit, 1);
    golden("skipped-explained.txt", &run.stdout, Some(layout.dir()));
}

#[test]
fn text_from_images_cannot_reach_the_terminal() {
    let evil = "make \u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}txet\u{202c} \u{9b}1m";
    let config = serde_json::json!({"Env": ["A=\u{1b}[31m\u{202e}"], "Cmd": [evil]}).to_string();
    let mut layout = Layout::new();
    layout.add("base:1", &base());
    let child = base().step(evil, "l", Some(&config));
    layout.add("evil:1", &child);
    layout.mark(&[(&child.id(), &base().id())], &[&child.id()]);
    let run = ask("explain", &layout.spec(), "base:1", MAKE, &[]);
    golden("escaped.txt", &run.stdout, Some(layout.dir()));
    let json = ask("explain", &layout.spec(), "base:1", MAKE, &["--json"]);
    let spec = layout.spec();
    let history = layerwise(&["docker", "history", "evil:1", "--store", &spec]);
    golden("escaped-history.txt", &history.stdout, Some(layout.dir()));
    for text in [&run.stdout, &json.stdout, &history.stdout] {
        for c in ['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\u{202c}'] {
            assert!(!text.contains(c), "{c:?} in {text}");
        }
    }
    let said = json.json()["explanation"].to_string();
    let quoted = serde_json::to_string(evil).unwrap();
    assert!(
        said.contains(quoted.trim_matches('"')),
        "JSON keeps the text: {said}"
    );
}

#[test]
fn limits_and_platforms_reach_the_component() {
    let layout = layout();
    let run = ask(
        "lookup",
        &layout.spec(),
        "base:1",
        MAKE,
        &["--limit", "children=0"],
    );
    fails(
        &run,
        &format!(
            "list children \"{}\": above the limit children of 0",
            base().id()
        ),
    );
    let mut arguments = vec!["docker", "plan", "--parent", "base:1", "--config", "-"];
    let spec = layout.spec();
    arguments.extend(["--store", &spec, "--platform", "linux/arm/v7"]);
    let run = with_input(&arguments, MAKE);
    assert_eq!(run.exit, 1);
    assert!(
        run.stdout.contains("platform  linux/arm/v7"),
        "{}",
        run.stdout
    );
}
