//! Mistakes that people make, each answered with the words to type.

use std::fs;

use super::support::*;

/// What is typed after `layerwise`, the exit code, and words of the answer.
type Mistake = (&'static str, i32, &'static str);

/// They are made in a directory with `step.json`, `Dockerfile`, the layout `images` with
/// the images base:1, made:1 and app:1, the empty directory `empty` and `notes.txt`.
const MISTAKES: &[Mistake] = &[
    // Commands in another place, under another name, mistyped.
    ("version", 2, "write `layerwise --version`"),
    ("explain", 2, "'docker explain'"),
    ("why", 2, "'docker why', 'buildkit why'"),
    ("history app:1", 2, "'docker history'"),
    ("diff app:1 app:2", 2, "'docker diff', 'buildkit diff'"),
    ("verify ./cache", 2, "'buildkit verify'"),
    ("inspect app:1", 2, "'buildkit inspect', 'docker history'"),
    ("prune", 2, "'stacker prune'"),
    ("build .", 2, "`layerwise docker why .`"),
    ("docker build .", 2, "`layerwise docker why .`"),
    ("docker images", 2, "'docker history'"),
    ("docker inspect app:1", 2, "'docker history'"),
    ("docker verify", 2, "'buildkit verify'"),
    (
        "docker pull app:1",
        2,
        "`layerwise buildkit inspect REFERENCE`",
    ),
    ("login", 2, "the credentials of `docker login`"),
    ("dokcer why .", 2, "'docker'"),
    ("docker histroy app:1", 2, "'docker history'"),
    ("buildkit check ./cache", 2, "'buildkit verify'"),
    ("buildkit merge a b", 2, "'buildkit export'"),
    ("buildkit ls ./cache", 2, "'buildkit inspect'"),
    ("buildpacks verify", 2, "'buildpacks cache verify'"),
    ("buildpacks why", 2, "'buildpacks explain'"),
    ("pack", 2, "'buildpacks'"),
    ("stacker why", 2, "'stacker explain'"),
    ("stacker build", 2, "`layerwise docker why .`"),
    ("rules", 2, "'rule'"),
    ("completion bash", 2, "'completions'"),
    ("manual", 2, "'man'"),
    // Codes.
    (
        "rule docker/config-mismtch",
        3,
        "the nearest is docker/config-mismatch",
    ),
    ("rule xyzzy", 3, "`layerwise rule` lists them all"),
    // Options under another name, in another place, with other values.
    ("demo --no-color", 2, "write --color never"),
    ("demo --quiet", 2, "the exit code says what came"),
    ("demo --version", 2, "write `layerwise --version`"),
    ("demo --format json", 2, "write --json"),
    ("demo --store oci:images", 2, "`layerwise docker why`"),
    ("demo --colour always", 2, "'--color'"),
    (
        "demo --color yes",
        2,
        "[possible values: auto, always, never]",
    ),
    ("demo --jsno", 2, "'--json'"),
    ("docker why . --no-cache", 2, "leave it out"),
    ("docker why . --dry-run", 2, "changes nothing"),
    ("docker why . --insecure", 2, "--plain-http HOST[:PORT]"),
    (
        "docker why . --format xml",
        2,
        "markdown, json, sarif, github",
    ),
    (
        "docker why . --client 19",
        2,
        "[possible values: 29, 20.10, api]",
    ),
    ("docker plan --platform amd64", 2, "such as linux/amd64"),
    (
        "docker plan --limit children",
        2,
        "NAME=VALUE with a whole number",
    ),
    ("docker plan --deadline-seconds 0", 2, "above 0"),
    ("completions", 2, "`layerwise completions bash"),
    ("completions sh", 2, "bash, elvish, fish, powershell, zsh"),
    ("man docker whyy", 2, "there are: why"),
    // What is asked for is not said.
    ("docker why", 2, "such as `layerwise docker why ."),
    (
        "docker history",
        2,
        "such as `layerwise docker history app:1`",
    ),
    (
        "docker lookup --parent base:1",
        2,
        "such as `layerwise docker lookup --parent",
    ),
    (
        "record docker history app:1",
        2,
        "such as `layerwise record --out bug.json.gz",
    ),
    (
        "buildkit explain oci:images",
        2,
        "such as `layerwise buildkit explain",
    ),
    // Versions.
    (
        "docker history app:1 --store oci:images --compatible=7",
        2,
        "29.9",
    ),
    // Stores.
    (
        "docker history app:1 --store images",
        2,
        "write --store oci:images",
    ),
    (
        "docker history app:1 --store docker",
        2,
        "write --store docker:/var/lib/docker",
    ),
    (
        "docker history app:1 --store oci:",
        2,
        "such as oci:./layout",
    ),
    (
        "docker history app:1 --store zip:x",
        2,
        "expected oci:PATH, docker:PATH",
    ),
    (
        "docker history app:1 --store oci:nowhere",
        3,
        "it does not exist",
    ),
    (
        "docker history app:1 --store oci:empty",
        3,
        "is not an oci image layout",
    ),
    (
        "docker history app:1 --store archive:images",
        3,
        "is not a regular file",
    ),
    (
        "docker history gone:1 --store oci:images",
        3,
        "no image \"gone:1\"",
    ),
    // Files.
    ("docker why nowhere --store oci:images", 3, "\"nowhere\""),
    (
        "docker why Dockerfile --store oci:images",
        3,
        "it is not a directory",
    ),
    ("docker why empty --store oci:images", 3, "Dockerfile"),
    (
        "docker lookup --store oci:images --parent base:1 --config nowhere.json",
        3,
        "\"nowhere.json\": it does not exist",
    ),
    (
        "docker lookup --store oci:images --parent base:1 --config empty",
        3,
        "\"empty\": it is a directory",
    ),
    (
        "buildkit why nowhere.dockerbuild",
        3,
        "cannot read the build \"nowhere.dockerbuild\"",
    ),
    ("buildkit why empty", 3, "empty"),
    ("buildkit why notes.txt", 3, "notes.txt"),
    ("replay nowhere.json.gz", 3, "it does not exist"),
    ("conformance empty", 3, "it is a directory"),
    // Caches.
    ("buildkit verify oci:images", 3, ":app:1"),
    (
        "buildkit verify https://registry.example/app:1",
        2,
        "write registry.example/app:1",
    ),
    (
        "buildkit verify http://registry.example/app:1",
        2,
        "write registry.example/app:1",
    ),
    ("buildkit verify type=s3,bucket=x", 2, "type=s3"),
    (
        "buildkit explain oci:images:app:1 --vertex abc",
        2,
        "sha256:",
    ),
    (
        "buildkit verify oci:images:app:1 --digest abc",
        2,
        "sha256:",
    ),
    ("buildpacks cache show oci:images:app:1", 2, "--scope"),
];

#[test]
fn every_mistake_is_answered_with_the_words_to_type() {
    let dir = layout().into_dir();
    fs::create_dir(dir.path().join("images")).unwrap();
    for name in ["oci-layout", "index.json", "blobs"] {
        fs::rename(dir.path().join(name), dir.path().join("images").join(name)).unwrap();
    }
    fs::create_dir(dir.path().join("empty")).unwrap();
    dir.file("notes.txt", "notes\n");
    dir.file("step.json", TEST);
    dir.file("Dockerfile", "FROM base:1\nRUN make\n");
    let mut wrong = Vec::new();
    for (typed, exit, words) in MISTAKES {
        let output = program()
            .current_dir(dir.path())
            .args(typed.split_whitespace())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code();
        if code != Some(*exit) || !said.contains(words) {
            wrong.push(format!(
                "$ layerwise {typed}\n{said}exit {code:?}, wanted {exit} and {words:?}"
            ));
        }
    }
    assert!(MISTAKES.len() >= 60);
    assert!(
        wrong.is_empty(),
        "{} of {}\n\n{}",
        wrong.len(),
        MISTAKES.len(),
        wrong.join("\n\n")
    );
}

/// What stands in the environment is answered as what is typed.
#[test]
fn a_wrong_variable_is_named() {
    for (name, value, words) in [
        ("LAYERWISE_STORE", "zip:x", "expected oci:PATH, docker:PATH"),
        (
            "LAYERWISE_DEADLINE_SECONDS",
            "soon",
            "a whole number of seconds",
        ),
        (
            "LAYERWISE_COLOR",
            "yes",
            "[possible values: auto, always, never]",
        ),
    ] {
        let output = program()
            .args(["docker", "history", "app:1"])
            .env(name, value)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(words), "{name}: {said}");
    }
}
