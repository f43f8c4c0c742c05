//! What people type, understood or answered with the words to type.

use super::support::*;

fn line(arguments: &[&str]) -> (i32, String) {
    let run = layerwise(arguments);
    let first = run.stderr.lines().next().unwrap_or_default().to_owned();
    (run.exit, first)
}

/// A store without its kind, or without its path.
#[test]
fn a_store_is_answered_with_the_words_to_type() {
    let layout = layout();
    let root = DataRoot::new();
    let history = |store: &str| line(&["docker", "history", "app:1", "--store", store]);
    for (store, words) in [
        ("/var/lib/docker", "write --store docker:/var/lib/docker"),
        ("containerd:", "write --store containerd:/var/lib/docker"),
        ("docker", "write --store docker:/var/lib/docker"),
        ("oci:", "write --store oci:DIRECTORY, such as oci:./layout"),
        (
            layout.dir().text(),
            &format!("write --store oci:{}", layout.dir().text()),
        ),
        (
            root.dir().text(),
            &format!("write --store docker:{}", root.dir().text()),
        ),
    ] {
        let (exit, said) = history(store);
        assert_eq!(exit, 2, "{said}");
        assert!(said.ends_with(words), "{said}");
    }
    let (exit, said) = history("nonsense");
    assert_eq!(exit, 2);
    assert!(!said.contains("write --store"), "{said}");
}

/// A version may stand after a space, wherever the option is.
#[test]
fn a_version_after_a_space() {
    let layout = layout();
    let spec = layout.spec();
    for arguments in [
        [
            "docker",
            "history",
            "--compatible",
            "20.10",
            "made:1",
            "--store",
            &spec,
            "--json",
        ],
        [
            "docker",
            "history",
            "made:1",
            "--store",
            &spec,
            "--json",
            "--compatible",
            "20.10",
        ],
    ] {
        let run = layerwise(&arguments);
        assert_eq!(run.json()["semantics"]["version"], "20.10", "{run:?}");
    }
}

/// What the parent is for, or this machine.
#[test]
fn a_platform_need_not_be_said() {
    let layout = layout();
    let spec = layout.spec();
    let step = [
        "docker", "plan", "--config", "-", "--store", &spec, "--json", "--parent",
    ];
    let run = with_input(&[&step[..], &["base:1"]].concat(), MAKE);
    assert_eq!(run.exit, 0, "{run:?}");
    let platform = run.json()["platform"].take();
    assert_eq!(
        (&platform["os"], &platform["architecture"]),
        (&"linux".into(), &"amd64".into())
    );
    let run = with_input(&[&step[..], &["scratch"]].concat(), MAKE);
    let architecture = run.json()["platform"]["architecture"].take();
    let here = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    assert_eq!(architecture, here, "{run:?}");
}

/// A source that the guarded reading refuses comes with the option that allows it.
#[test]
fn a_refused_source_says_what_to_type() {
    let layout = layout();
    let spec = layout.spec();
    let step = [
        "docker", "explain", "--parent", "base:1", "--config", "-", "--store", &spec,
    ];
    let run = with_input(&[&step[..], &["--cache-from", "app:1"]].concat(), TEST);
    assert_eq!(run.exit, 1);
    assert!(run.stdout.contains("--trust app:1"), "{}", run.stdout);
}

/// Commands in another place, mistyped, or as other tools call them.
#[test]
fn commands_are_suggested_that_exist() {
    for (arguments, tip) in [
        (&["dokcer"][..], "'docker'"),
        (&["docker", "histroy", "app"], "'docker history'"),
        (&["history"], "'docker history'"),
        (&["docker", "verify"], "'buildkit verify'"),
        (&["docker", "inspect", "app"], "'docker history'"),
        (&["explain"], "'docker explain'"),
    ] {
        let run = layerwise(arguments);
        assert_eq!(run.exit, 2);
        assert!(run.stderr.contains(tip), "{}", run.stderr);
        assert!(!run.stderr.contains("'replay'"), "{}", run.stderr);
    }
    let run = layerwise(&["xyzzy"]);
    assert!(!run.stderr.contains("tip:"), "{}", run.stderr);
    let run = layerwise(&["rule", "xyzzy"]);
    fails(
        &run,
        "no rule has the code \"xyzzy\"; `layerwise rule` lists them all",
    );
}

/// A proxy that does not answer is named, without its password.
#[test]
fn a_proxy_that_fails_is_named() {
    let output = program()
        .args(["buildkit", "verify", "registry.example/x:y"])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env("HTTPS_PROXY", "http://user:secret@127.0.0.1:1")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("the proxy 127.0.0.1:1"), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

/// A layout with several entries lists what can be named.
#[test]
fn several_entries_are_listed() {
    let layout = layout();
    let (exit, said) = line(&["buildkit", "verify", &layout.spec()]);
    assert_eq!(exit, 3);
    for name in ["3 entries", ":base:1", ":made:1", ":app:1"] {
        assert!(said.contains(name), "{said}");
    }
}
