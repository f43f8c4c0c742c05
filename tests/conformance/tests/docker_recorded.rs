//! What a builder asked for the steps of an image, as far as the image tells: compared
//! with what a real engine asked when it made them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use layerwise::docker::testing::compare_configs;
use layerwise::docker::{Recorded, recorded_steps};
use layerwise::semantics::Semantics;
use serde::Deserialize;
use serde_json::{Value, json};

/// Stages that Docker Engine 29.9.3 built, and images of `docker commit`.
#[derive(Deserialize)]
struct Asked {
    stages: Vec<Stage>,
    committed: Vec<String>,
}

#[derive(Deserialize)]
struct Stage {
    scenario: String,
    /// How many history entries the base has.
    first: u32,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    text: String,
    /// The config the engine searched with.
    asked: Value,
    /// The image the step ended with.
    document: String,
    hit: bool,
}

fn asked() -> Asked {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/docker-29-asked.json.gz");
    let mut text = String::new();
    let mut file = GzDecoder::new(File::open(path).unwrap());
    file.read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn equal(have: &str, want: &str) -> bool {
    let found = compare_configs(Some(have), Some(want), &Semantics::guarded());
    found.unwrap().equal
}

fn recorded(stage: &Stage) -> Vec<Recorded> {
    let made: Vec<Option<String>> = stage
        .steps
        .iter()
        .map(|s| Some(s.document.clone()))
        .collect();
    let last = made.last().unwrap().clone().unwrap();
    recorded_steps(&last, stage.first, &made, &Semantics::guarded())
        .unwrap()
        .steps
}

/// Every step of every stage: what is called exact is what the engine asked. What was
/// stored is not, 10 times and more, which is what was asked before.
#[test]
fn exact_is_what_the_engine_asked() {
    let (mut exact, mut stored_differs) = (0, 0);
    for stage in asked().stages {
        let mut executed = false;
        for (step, recorded) in stage.steps.iter().zip(recorded(&stage)) {
            let name = format!("{} {}", stage.scenario, step.text);
            let want = step.asked.to_string();
            assert_eq!(recorded.approximate, None, "{name}");
            let after = recorded.executed.as_deref().filter(|_| executed);
            let have = after.unwrap_or(&recorded.config);
            assert!(equal(have, &want), "{name}\n{have}\n{want}");
            let document: Value = serde_json::from_str(&step.document).unwrap();
            let stored = document["container_config"].to_string();
            stored_differs += usize::from(!equal(&stored, &want) && !step.hit);
            executed |= !step.hit;
            exact += 1;
        }
    }
    assert!(exact > 300, "{exact}");
    assert!(stored_differs >= 10, "{stored_differs}");
}

/// What `docker commit` made is never called exact, and a RUN of the same words is
/// asked as a builder asks: not attached, without an entrypoint.
#[test]
fn commits_are_not_what_a_builder_asks() {
    let all = asked().committed;
    assert!(!all.is_empty());
    for document in all {
        let image: Value = serde_json::from_str(&document).unwrap();
        let last = image["history"].as_array().unwrap().len() - 1;
        let first = u32::try_from(last).unwrap();
        let made = [Some(document.clone())];
        let read = recorded_steps(&document, first, &made, &Semantics::guarded()).unwrap();
        let step = &read.steps[0];
        let why = step.approximate.as_ref().map(|why| &*why.code);
        assert_eq!(why, Some("docker/committed"), "{document}");
        let config: Value = serde_json::from_str(&step.config).unwrap();
        for attached in [
            "AttachStdin",
            "AttachStdout",
            "AttachStderr",
            "Tty",
            "OpenStdin",
        ] {
            assert_eq!(config[attached], false, "{document}");
        }
    }
}

fn image(entries: &Value, config: &Value) -> String {
    json!({
        "os": "linux", "architecture": "amd64", "rootfs": {"type": "layers"},
        "history": entries, "container_config": config,
    })
    .to_string()
}

fn one(entry: &Value, config: &Value) -> Recorded {
    let document = image(&json!([entry]), config);
    let made = [Some(document.clone())];
    let mut read = recorded_steps(&document, 0, &made, &Semantics::guarded()).unwrap();
    read.steps.remove(0)
}

fn nop(text: &str, rest: Value) -> (Value, Value) {
    let mut config = json!({"Cmd": ["/bin/sh", "-c", "#(nop) ", text]});
    for (name, value) in rest.as_object().unwrap() {
        config[name] = value.clone();
    }
    (
        json!({"created_by": format!("/bin/sh -c #(nop)  {text}")}),
        config,
    )
}

/// What an engine fills in is taken out again.
#[test]
fn emptied_fields_are_asked_empty() {
    let fat = json!({"Test": ["CMD-SHELL", "] \"0s\" x"], "Interval": 5, "Timeout": 6,
        "StartPeriod": 7, "StartInterval": 8, "Retries": 9});
    let asked = |text: &str, stored: Value| -> Value {
        let (entry, config) = nop(text, stored);
        let step = one(&entry, &config);
        assert_eq!(step.approximate, None, "{text}");
        serde_json::from_str(&step.config).unwrap()
    };
    let inherited = || json!({"Entrypoint": ["/entry"]});
    assert_eq!(asked("ENTRYPOINT []", inherited())["Entrypoint"], json!([]));
    assert_eq!(
        asked(r#"ENTRYPOINT [""]"#, inherited())["Entrypoint"],
        json!([""])
    );
    assert_eq!(
        asked(r#"ENTRYPOINT ["/entry"]"#, inherited())["Entrypoint"],
        json!(["/entry"])
    );
    assert_eq!(asked("USER ", json!({"User": "app"}))["User"], "");
    assert_eq!(asked("USER app", json!({"User": "app"}))["User"], "app");
    let test = "Test:[CMD-SHELL ] \"0s\" x]";
    for (text, left) in [
        (
            format!("{test} Interval:5ns Timeout:0s StartPeriod:0s StartInterval:0s Retries:0"),
            json!({"Interval": 5}),
        ),
        (
            format!("{test} Interval:0s Timeout:6ns StartPeriod:7ns StartInterval:8ns Retries:9"),
            json!({"Timeout": 6, "StartPeriod": 7, "StartInterval": 8, "Retries": 9}),
        ),
        (
            r#"["CMD-SHELL" "] \"0s\" x"] "5ns" "0s" "0s" '\t'"#.to_owned(),
            json!({"Interval": 5, "Retries": 9}),
        ),
        (
            r#"["CMD-SHELL" "x"] "0s" "0s" "0s" "8ns" '\x00'"#.to_owned(),
            json!({"StartInterval": 8}),
        ),
    ] {
        let text = format!("HEALTHCHECK &{{{text}}}");
        let mut health = asked(&text, json!({"Healthcheck": fat}))["Healthcheck"].clone();
        health.as_object_mut().unwrap().remove("Test");
        assert_eq!(health, left, "{text}");
    }
}

/// A form that nobody knows is not guessed at.
#[test]
fn an_unknown_form_of_a_check_is_approximate() {
    let stored = json!({"Healthcheck": {"Test": ["CMD", "a"], "Interval": 5}});
    for text in [
        "&{Test:[CMD b] Interval:0s}",
        "&{Test:[CMD a] Interval:0s Colour:0s}",
        "&{Test:[CMD a] Interval:0s",
        r#"&{["CMD" "a"] "0s" '\x00'}"#,
        "CMD a",
    ] {
        let (entry, config) = nop(&format!("HEALTHCHECK {text}"), stored.clone());
        let why = one(&entry, &config).approximate.map(|why| why.code);
        assert_eq!(why.as_deref(), Some("docker/healthcheck-unread"), "{text}");
    }
    let (entry, config) = nop("HEALTHCHECK &{Test:[]}", json!({}));
    assert!(one(&entry, &config).approximate.is_some());
}

/// BuildKit is known by its comments, whatever the instruction, and said once.
#[test]
fn images_of_buildkit_are_known_by_their_comments() {
    let entry = |text: &str| json!({"created_by": text, "comment": "buildkit.dockerfile.v0"});
    let entries = json!([
        {"created_by": "/bin/sh -c #(nop) ADD file:a in / "},
        entry("ARG VERSION=1"), entry("ENV A=1"), entry("CMD [\"sh\"]"), entry("RUN make # buildkit"),
    ]);
    let document = image(&entries, &json!({}));
    let read = recorded_steps(&document, 1, &[], &Semantics::guarded()).unwrap();
    let codes: Vec<_> = read.findings.iter().map(|f| &*f.code).collect();
    assert_eq!(codes, ["docker/built-by-buildkit"]);
    for step in &read.steps {
        let why = step.approximate.as_ref().map(|why| &*why.code);
        assert_eq!(why, Some("docker/built-by-buildkit"));
    }
    // The base below was built by the other builder.
    let base = recorded_steps(&document, 0, &[], &Semantics::guarded()).unwrap();
    let why = base.steps[0].approximate.as_ref().map(|why| &*why.code);
    assert_eq!(why, Some("docker/config-unknown"));
}

/// A container that a builder left behind, committed by hand, has its own id as host
/// name; one that a builder commits has that of its base, or none.
#[test]
fn a_committed_container_of_a_build_is_told_from_a_step() {
    let entry = json!({"created_by": "/bin/sh -c make"});
    for (host, committed) in [("0123456789ab", true), ("ba98", false), ("", false)] {
        let config = json!({"Cmd": ["/bin/sh", "-c", "make"], "Hostname": host, "Tty": true});
        let mut document: Value = serde_json::from_str(&image(&json!([entry]), &config)).unwrap();
        document["container"] = json!(format!("0123456789ab{}", "c".repeat(52)));
        let document = document.to_string();
        let made = [Some(document.clone())];
        let read = recorded_steps(&document, 0, &made, &Semantics::guarded()).unwrap();
        let why = read.steps[0].approximate.as_ref().map(|why| &*why.code);
        assert_eq!(why, committed.then_some("docker/committed"), "{host}");
    }
}

/// An image whose last step was restored runs that step, which is reported.
#[test]
fn an_image_that_was_restored_is_said_to_be() {
    let entry = json!({"created_by": "/bin/sh -c make"});
    let mut document: Value =
        serde_json::from_str(&image(&json!([entry, entry]), &json!({}))).unwrap();
    document["config"] =
        json!({"Cmd": ["/bin/sh", "-c", "make"], "Image": format!("sha256:{}", "1".repeat(64))});
    let document = document.to_string();
    let made = [None, Some(document.clone())];
    let read = recorded_steps(&document, 0, &made, &Semantics::guarded()).unwrap();
    assert_eq!(read.findings.len(), 1);
    assert_eq!(read.findings[0].code, "docker/restored-command");
    assert_eq!(read.findings[0].subject, "history[1]");
    assert_eq!(read.steps[1].approximate, None);
}

/// What was filled in is said of the step that does not find its image.
#[test]
fn a_step_that_was_filled_in_is_said() {
    let (entry, config) = nop("ENTRYPOINT []", json!({"Entrypoint": ["/entry"]}));
    for (config, said) in [
        (config, 1),
        (
            json!({"Cmd": ["/bin/sh", "-c", "#(nop) ", "ENTRYPOINT []"]}),
            0,
        ),
    ] {
        let document = image(&json!([entry]), &config);
        let made = [Some(document.clone())];
        let read = recorded_steps(&document, 0, &made, &Semantics::guarded()).unwrap();
        assert_eq!(read.findings.len(), said);
        assert!(read.findings.iter().all(|f| f.code == "docker/filled-in"));
    }
}
