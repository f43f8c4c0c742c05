//! Words from other tools, and what has their place here.

/// Names of commands, and the commands that do that here. Several may.
pub const COMMANDS: &[(&str, &str)] = &[
    ("cache", "buildpacks cache"),
    ("check", "buildkit verify"),
    ("codes", "rule"),
    ("compare", "buildkit diff"),
    ("copy", "buildkit export"),
    ("docs", "man"),
    ("images", "docker history"),
    ("inspect", "docker history"),
    ("inspect", "buildkit inspect"),
    ("log", "docker history"),
    ("ls", "buildkit inspect"),
    ("manual", "man"),
    ("merge", "buildkit export"),
    ("pack", "buildpacks"),
    ("restore", "buildpacks restore"),
    ("show", "buildpacks cache show"),
    ("show", "buildkit inspect"),
    ("test", "conformance"),
    ("why", "buildpacks explain"),
    ("why", "docker why"),
    ("why", "buildkit why"),
    ("why", "stacker explain"),
];

/// Names of commands that there are none of, with what to type.
pub const WORDS: &[(&str, &str)] = &[
    (
        "build",
        "nothing is built here: `layerwise docker why .` says what a build would reuse",
    ),
    (
        "login",
        "registries are asked with the credentials of `docker login`",
    ),
    (
        "logout",
        "registries are asked with the credentials of `docker login`",
    ),
    (
        "pull",
        "registries are read in place: `layerwise buildkit inspect REFERENCE`",
    ),
    (
        "push",
        "`layerwise buildkit export TARGET --from SOURCE` copies a cache",
    ),
    ("version", "write `layerwise --version`"),
];

/// Options that there are none of, with what to type.
pub const OPTIONS: &[(&str, &str)] = &[
    (
        "--cache-to",
        "a cache is written by `layerwise buildkit export`",
    ),
    ("--debug", "write --verbose"),
    ("--dryrun", "commands that change something have --dry-run"),
    ("--dry-run", "this command changes nothing: leave it out"),
    (
        "--format",
        "write --json for a document; reports of `why` also have --format",
    ),
    ("--insecure", "write --plain-http HOST[:PORT]"),
    ("--no-cache", "nothing is built here: leave it out"),
    ("--no-color", "write --color never"),
    ("--no-pager", "set LAYERWISE_PAGER to nothing"),
    (
        "--password",
        "registries are asked with the credentials of `docker login`",
    ),
    ("--progress", "nothing is built here: leave it out"),
    (
        "--quiet",
        "the exit code says what came: 0 hit or done, 1 miss; send the text to /dev/null",
    ),
    (
        "-q",
        "the exit code says what came: 0 hit or done, 1 miss; send the text to /dev/null",
    ),
    ("--tls-verify", "write --plain-http HOST[:PORT]"),
    (
        "--username",
        "registries are asked with the credentials of `docker login`",
    ),
    ("--version", "write `layerwise --version`"),
];
