//! The examples in the help of each command. A test parses every one of them.

/// A command, and lines that somebody may type.
type Examples = (&'static str, [&'static str; 3]);

/// Every command with its examples.
pub const ALL: &[Examples] = &[
    (
        "",
        [
            "layerwise docker why . --store docker:/var/lib/docker",
            "layerwise buildkit why build.dockerbuild --against yesterday.dockerbuild",
            "layerwise rule docker/config-mismatch",
        ],
    ),
    (
        "docker",
        [
            "layerwise docker why .",
            "layerwise docker diff app:1 app:2",
            "layerwise docker history app:1 --store oci:./images",
        ],
    ),
    (
        "docker why",
        [
            "layerwise docker why . --store docker:/var/lib/docker",
            "layerwise docker why . -f ci/Dockerfile --target test --build-arg MODE=fast",
            "layerwise docker why . --compatible=20.10 --client 20.10 --format markdown",
        ],
    ),
    (
        "docker lookup",
        [
            "layerwise docker lookup --parent base:1 --config step.json",
            "layerwise docker lookup --store oci:./images --parent scratch --config step.json",
            "layerwise docker lookup --parent base:1 --config - --cache-from app:1 --trust app:1",
        ],
    ),
    (
        "docker plan",
        [
            "layerwise docker plan --parent base:1 --config step.json",
            "layerwise docker plan --store oci:./images --parent base:1 --config step.json",
            "layerwise docker plan --parent base:1 --config - --platform linux/arm64 --json",
        ],
    ),
    (
        "docker explain",
        [
            "layerwise docker explain --parent base:1 --config step.json",
            "layerwise docker explain --store oci:./images --parent base:1 --config step.json --all",
            "layerwise docker explain --parent base:1 --config step.json --compatible=20.10",
        ],
    ),
    (
        "docker history",
        [
            "layerwise docker history app:1",
            "layerwise docker history app:1 --store docker:/var/lib/docker --all",
            "layerwise docker history app:2 --base base:1 --cache-from app:1 --trust app:1",
        ],
    ),
    (
        "docker diff",
        [
            "layerwise docker diff app:1 app:2",
            "layerwise docker diff app:1 app:2 --store containerd:/var/lib/docker",
            "layerwise docker diff app:1 app:2 --store archive:images.tar --json",
        ],
    ),
    (
        "docker adopt",
        [
            "layerwise docker adopt app:1 --store oci:./images",
            "layerwise docker adopt app:1 app:2 --store oci:./images",
            "layerwise docker adopt --marked --store oci:./images",
        ],
    ),
    (
        "buildpacks",
        [
            "layerwise buildpacks explain --layers layers --group group.toml --platform-api 0.14",
            "layerwise buildpacks cache show registry.example/app:cache --scope app",
            "layerwise buildpacks cache verify registry.example/app:cache --scope app",
        ],
    ),
    (
        "buildpacks restore",
        [
            "layerwise buildpacks restore --layers layers --group group.toml --platform-api 0.14",
            "layerwise buildpacks restore --layers l --group g.toml --platform-api 0.14 --app-image app:1",
            "layerwise buildpacks restore --layers l --group g.toml --platform-api 0.14 --cache-dir ./volume",
        ],
    ),
    (
        "buildpacks plan",
        [
            "layerwise buildpacks plan --layers layers --group group.toml --platform-api 0.14",
            "layerwise buildpacks plan --layers l --group g.toml --platform-api 0.14 --app-image app:1",
            "layerwise buildpacks plan --layers l --group g.toml --platform-api 0.14 --analyzed a.toml",
        ],
    ),
    (
        "buildpacks explain",
        [
            "layerwise buildpacks explain --layers layers --group group.toml --platform-api 0.14",
            "layerwise buildpacks explain --layers l --group g.toml --platform-api 0.14 --app-image app:1",
            "layerwise buildpacks explain --layers l --group g.toml --platform-api 0.14 --cache-dir ./volume",
        ],
    ),
    (
        "buildpacks cache",
        [
            "layerwise buildpacks cache show registry.example/app:cache --scope app",
            "layerwise buildpacks cache verify oci:./cache --scope app",
            "layerwise buildpacks cache commit oci:./cache --scope app --layers l --group g.toml --plan",
        ],
    ),
    (
        "buildpacks cache show",
        [
            "layerwise buildpacks cache show registry.example/app:cache --scope app",
            "layerwise buildpacks cache show oci:./cache --scope app",
            "layerwise buildpacks cache show --cache-dir ./volume --json",
        ],
    ),
    (
        "buildpacks cache verify",
        [
            "layerwise buildpacks cache verify registry.example/app:cache --scope app",
            "layerwise buildpacks cache verify oci:./cache --scope app",
            "layerwise buildpacks cache verify --cache-dir ./volume --json",
        ],
    ),
    (
        "buildpacks cache retrieve",
        [
            "layerwise buildpacks cache retrieve registry.example/app:cache --scope app --prefix layers",
            "layerwise buildpacks cache retrieve oci:./cache --scope app --prefix layers --root ./out",
            "layerwise buildpacks cache retrieve --cache-dir ./volume --prefix layers --json",
        ],
    ),
    (
        "buildpacks cache commit",
        [
            "layerwise buildpacks cache commit oci:./cache --scope app --layers l --group g.toml --plan",
            "layerwise buildpacks cache commit oci:./cache --scope app --layers layers --group group.toml",
            "layerwise buildpacks cache commit oci:./cache --scope app --metadata label.json --add ./layer",
        ],
    ),
    (
        "buildkit",
        [
            "layerwise buildkit why build.dockerbuild --against yesterday.dockerbuild",
            "layerwise buildkit predict build.dockerbuild --cache registry.example/app:cache",
            "layerwise buildkit verify type=local,src=./cache",
        ],
    ),
    (
        "buildkit export",
        [
            "layerwise buildkit export registry.example/app:cache --from oci:./amd64 --from oci:./arm64",
            "layerwise buildkit export oci:./cache --records records.json",
            "layerwise buildkit export oci:./copy --from registry.example/app:cache --plan",
        ],
    ),
    (
        "buildkit inspect",
        [
            "layerwise buildkit inspect registry.example/app:cache",
            "layerwise buildkit inspect type=local,src=./cache --records",
            "layerwise buildkit inspect oci:./cache --read-layers --json",
        ],
    ),
    (
        "buildkit verify",
        [
            "layerwise buildkit verify registry.example/app:cache",
            "layerwise buildkit verify type=local,src=./cache --read-layers",
            "layerwise buildkit verify oci:./cache --json",
        ],
    ),
    (
        "buildkit diff",
        [
            "layerwise buildkit diff registry.example/app:monday registry.example/app:today",
            "layerwise buildkit diff oci:./before oci:./after --cascades",
            "layerwise buildkit diff before.tar after.tar --json",
        ],
    ),
    (
        "buildkit explain",
        [
            "layerwise buildkit explain registry.example/app:cache --vertex sha256:0123…",
            "layerwise buildkit explain oci:./a oci:./b --vertex sha256:0123… --record r1 --input 0",
            "layerwise buildkit explain oci:./cache --vertex sha256:0123… --output -1",
        ],
    ),
    (
        "buildkit graph",
        [
            "layerwise buildkit graph oci:./cache -o chains.html",
            "layerwise buildkit graph registry.example/app:cache --format dot",
            "layerwise buildkit graph oci:./cache -o chains.svg --boxes 200",
        ],
    ),
    (
        "buildkit builds",
        [
            "layerwise buildkit builds root:/var/lib/buildkit",
            "layerwise buildkit builds build.dockerbuild",
            "layerwise buildkit builds root:/var/lib/docker --json",
        ],
    ),
    (
        "buildkit why",
        [
            "layerwise buildkit why build.dockerbuild --against yesterday.dockerbuild",
            "layerwise buildkit why root:/var/lib/docker --context .",
            "layerwise buildkit why build.dockerbuild --against main.dockerbuild --format github",
        ],
    ),
    (
        "buildkit predict",
        [
            "layerwise buildkit predict build.dockerbuild --cache registry.example/app:cache",
            "layerwise buildkit predict build.dockerbuild --cache oci:./cache --context .",
            "layerwise buildkit predict build.dockerbuild --cache oci:./cache --require all",
        ],
    ),
    (
        "stacker",
        [
            "layerwise stacker lookup --stackerfile stacker.yaml",
            "layerwise stacker explain --stackerfile stacker.yaml --source-date-epoch unset",
            "layerwise stacker prune --plan",
        ],
    ),
    (
        "stacker lookup",
        [
            "layerwise stacker lookup --stackerfile stacker.yaml",
            "layerwise stacker lookup -f stacker.yaml --substitute VERSION=1 --layer app",
            "layerwise stacker lookup -f stacker.yaml --compatible=12 --json",
        ],
    ),
    (
        "stacker put",
        [
            "layerwise stacker put --stackerfile stacker.yaml",
            "layerwise stacker put -f stacker.yaml --layer app --manifests manifests.json",
            "layerwise stacker put -f stacker.yaml --plan",
        ],
    ),
    (
        "stacker explain",
        [
            "layerwise stacker explain --stackerfile stacker.yaml",
            "layerwise stacker explain -f stacker.yaml --source-date-epoch unset --layer app",
            "layerwise stacker explain -f stacker.yaml --work-dir ./project --json",
        ],
    ),
    (
        "stacker prune",
        [
            "layerwise stacker prune --plan",
            "layerwise stacker prune --work-dir ./project",
            "layerwise stacker prune --cache-version 12 --plan --json",
        ],
    ),
    (
        "audit",
        [
            "layerwise audit oci:./cache",
            "layerwise audit registry.example --journal audit.jsonl --json",
            "layerwise audit registry.example/app oci:./cache --apply",
        ],
    ),
    (
        "conformance",
        [
            "layerwise conformance tests/vectors/moby.json.gz",
            "layerwise conformance vectors.json",
            "layerwise conformance one.json two.json.gz --json",
        ],
    ),
    (
        "record",
        [
            "layerwise record --out bug.json.gz docker history app:1",
            "layerwise record --out bug.json docker explain --parent base:1 --config step.json",
            "layerwise record --out bug.json.gz buildkit verify oci:./cache",
        ],
    ),
    (
        "replay",
        [
            "layerwise replay bug.json.gz",
            "layerwise replay one.json two.json.gz",
            "layerwise replay bug.json.gz --json",
        ],
    ),
    (
        "scenario",
        [
            "layerwise scenario tests/scenarios/docker.json",
            "layerwise scenario one.json --check",
            "layerwise scenario one.json two.json --check",
        ],
    ),
    (
        "rule",
        [
            "layerwise rule docker/config-mismatch",
            "layerwise rule buildkit",
            "layerwise rule --json",
        ],
    ),
    (
        "schema",
        [
            "layerwise schema",
            "layerwise schema docker-why",
            "layerwise schema layerwise/error/1",
        ],
    ),
    (
        "demo",
        [
            "layerwise demo",
            "layerwise demo --verbose",
            "layerwise demo --json",
        ],
    ),
    (
        "completions",
        [
            "layerwise completions bash > /etc/bash_completion.d/layerwise",
            "layerwise completions zsh > ~/.zfunc/_layerwise",
            "layerwise completions fish > ~/.config/fish/completions/layerwise.fish",
        ],
    ),
    (
        "man",
        [
            "layerwise man docker why | man -l -",
            "layerwise man > layerwise.1",
            "layerwise man --output /usr/local/share/man/man1",
        ],
    ),
];

/// Those of a command, named by its words without the program.
pub fn of(command: &str) -> Option<&'static [&'static str; 3]> {
    let found = ALL.iter().find(|(name, _)| *name == command);
    found.map(|(_, lines)| lines)
}
