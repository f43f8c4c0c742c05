//! `docker why` on a project that a real engine built.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::support::*;

/// The data root of the engine and the context of `app:old`, as `FORMAT.md` in
/// `tests/vectors/docker-diff` tells.
struct Project {
    root: Dir,
    context: Dir,
}

impl Project {
    fn new() -> Self {
        let unpacked = |name: &str| {
            let dir = Dir::new();
            let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors");
            let file = File::open(vectors.join("docker-diff").join(name)).unwrap();
            tar::Archive::new(GzDecoder::new(file))
                .unpack(dir.path())
                .unwrap();
            dir
        };
        Self {
            root: unpacked("root.tar.gz"),
            context: unpacked("context.tar.gz"),
        }
    }

    fn why(&self, more: &[&str]) -> Run {
        self.why_of("29", more)
    }

    fn why_of(&self, client: &str, more: &[&str]) -> Run {
        let store = format!("docker:{}", self.root.text());
        let arguments = ["docker", "why", self.context.text(), "--store", &store];
        let engine = ["--compatible=20.10", "--client", client];
        layerwise(&[&arguments, &engine[..], more].concat())
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.context.path().join(name)
    }

    fn edit(&self, from: &str, to: &str) {
        let path = self.file("Dockerfile");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }
}

fn states(document: &Value) -> Vec<&str> {
    let steps = document["steps"].as_array().unwrap().iter();
    steps.map(|step| step["state"].as_str().unwrap()).collect()
}

#[test]
fn a_build_that_would_hit_in_full() {
    let project = Project::new();
    let before = project.root.snapshot();
    let run = project.why(&["--json"]);
    assert_eq!((run.exit, &*run.stderr), (0, ""), "{}", run.stdout);
    let document = run.json();
    assert_eq!(
        states(&document),
        ["base", "hit", "hit", "hit", "hit", "hit"]
    );
    let last = document["steps"][5]["result"].as_str().unwrap();
    assert!(last.starts_with("sha256:f4f634cf7ed5"), "{last}");
    assert_eq!(document["steps"][3]["lines"], json!([4, 4]));
    assert_eq!(project.root.snapshot(), before);
    let sarif = project.why(&["--format", "sarif"]);
    assert_eq!(
        (sarif.exit, &sarif.json()["runs"][0]["results"]),
        (0, &json!([]))
    );
}

#[test]
fn a_changed_file_is_named() {
    let project = Project::new();
    fs::write(project.file("app/a"), "two\n").unwrap();
    fs::write(project.file("app/more"), "").unwrap();
    fs::set_permissions(project.file("app/b"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::remove_file(project.file("app/gone")).unwrap();
    let run = project.why(&["--json"]);
    assert_eq!((run.exit, &*run.stderr), (1, ""));
    let document = run.json();
    assert_eq!(
        states(&document),
        ["base", "hit", "hit", "miss", "runs", "runs"]
    );
    let files = document["steps"][3]["files"].as_array().unwrap().iter();
    let told: Vec<(String, String)> = files
        .map(|file| {
            let what = file["differences"].as_array().unwrap().iter();
            let what: Vec<&str> = what.map(|d| d["path"].as_str().unwrap()).collect();
            let change = file["change"].as_str().unwrap();
            (
                file["path"].as_str().unwrap().to_owned(),
                format!("{change} {}", what.join(" ")),
            )
        })
        .collect();
    let told: Vec<(&str, &str)> = told.iter().map(|(a, b)| (&**a, b.trim())).collect();
    assert_eq!(
        told,
        [
            ("app/a", "changed content"),
            ("app/b", "changed mode"),
            ("app/gone", "removed"),
            ("app/more", "added"),
        ]
    );
    let text = project.why(&[]).stdout;
    assert!(
        text.contains("2 of 5 steps hit, the first miss is at line 4"),
        "{text}"
    );
    assert!(text.contains("changed  app/a"), "{text}");
    let markdown = project.why(&["--format", "markdown"]).stdout;
    assert!(
        markdown.contains("- changed `app/a`: `content`"),
        "{markdown}"
    );
    let annotations = project.why(&["--format", "github"]).stdout;
    assert!(
        annotations.starts_with("::warning file=Dockerfile,line=4"),
        "{annotations}"
    );
    let sarif = project.why(&["--format", "sarif"]).json();
    let region = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"];
    assert_eq!(region["startLine"], 4, "{sarif}");
}

#[test]
fn steps_after_a_miss_are_compared_too() {
    let project = Project::new();
    project.edit("ENV A=1", "ENV A=3");
    project.edit("RUN x", "RUN y");
    let document = project.why(&["--json", "--last", "app:old"]).json();
    assert_eq!(
        states(&document),
        ["base", "hit", "miss", "runs", "changed", "runs"]
    );
    let nearest = document["steps"][2]["causes"][1]["differences"].to_string();
    assert!(
        nearest.contains("A=1") && nearest.contains("A=3"),
        "{nearest}"
    );
}

#[test]
fn what_the_builder_refuses_is_told_with_its_line() {
    let project = Project::new();
    project.edit("COPY app /app", "COPY nowhere /app");
    let run = project.why(&["--json"]);
    assert_eq!((run.exit, &*run.stderr), (1, ""));
    let document = run.json();
    assert_eq!(states(&document), ["base", "hit", "hit", "fails"]);
    assert_eq!(document["steps"][3]["level"], "error");
    assert_eq!(document["steps"][3]["lines"], json!([4, 4]));
}

#[test]
fn what_cannot_be_read_is_one_line() {
    let project = Project::new();
    fails(
        &project.why(&["--file", "gone"]),
        "cannot read the Dockerfile \"gone\": it does not exist",
    );
    let both = project.why(&["--json", "--format", "text"]);
    assert_eq!(both.exit, 2, "{both:?}");
}

/// Both builds are in the store; a miss is held against the one that is asked for.
#[test]
fn the_last_build_goes_first() {
    let project = Project::new();
    project.edit("ENV A=1", "ENV A=3");
    for (last, value) in [("app:old", "A=1"), ("app:new", "A=2")] {
        let document = project.why(&["--json", "--last", last]).json();
        let nearest = document["steps"][2]["causes"][1]["differences"].to_string();
        assert!(nearest.contains(value), "{last}: {nearest}");
    }
    fails(
        &project.why(&["--last", "gone:1"]),
        "cannot resolve the image of the last build \"gone:1\": no image \"gone:1\"",
    );
}

#[test]
fn the_last_build_is_found() {
    let project = Project::new();
    project.edit("ENV A=1", "ENV A=3");
    // Both images have all other steps: the newer one counts.
    for (last, value) in [(&["--last"][..], "A=2"), (&["--tag", "app:old"], "A=1")] {
        let document = project.why(&[&["--json"], last].concat()).json();
        let nearest = document["steps"][2]["causes"][1]["differences"].to_string();
        assert!(nearest.contains(value), "{last:?}: {nearest}");
    }
    let run = project.why(&["--json", "--tag", "never-built:1"]);
    assert_eq!(
        (run.exit, &*run.stderr),
        (1, ""),
        "the first build of a name"
    );
}

#[test]
fn another_client_explains_every_copy() {
    let project = Project::new();
    let document = project.why_of("20.10", &["--json"]).json();
    assert_eq!(
        states(&document),
        ["base", "miss", "runs", "changed", "runs", "runs"]
    );
    for step in [1, 3] {
        let step = &document["steps"][step];
        let causes = step["causes"].as_array().unwrap();
        let other = causes.last().unwrap();
        assert_eq!(other["code"], "dockerfile/other-client");
        let sides = &other["differences"][0];
        assert_eq!(
            (&sides["path"], &sides["have"], &sides["want"]),
            (&json!("client"), &json!("29"), &json!("20.10"))
        );
        assert_eq!(step["files"], json!([]), "no file changed");
    }
    fs::write(project.file("app/a"), "two\n").unwrap();
    let document = project.why_of("20.10", &["--json"]).json();
    let causes = document["steps"][3]["causes"].to_string();
    assert!(!causes.contains("other-client"), "{causes}");
}

/// The files of a step that missed, and what is told of them.
fn files(step: &Value) -> (Vec<(String, String)>, String) {
    let files = step["files"].as_array().unwrap().iter();
    let told = files.map(|file| {
        let what = file["differences"].as_array().unwrap().iter();
        let what: Vec<&str> = what.map(|d| d["path"].as_str().unwrap()).collect();
        let change = file["change"].as_str().unwrap();
        let told = format!("{change} {}", what.join(" "));
        (
            file["path"].as_str().unwrap().to_owned(),
            told.trim().to_owned(),
        )
    });
    let facts = step["facts"].as_array().unwrap().iter();
    let facts = facts.map(|fact| fact[1].as_str().unwrap());
    (told.collect(), facts.collect())
}

fn told(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let one = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    pairs.iter().map(one).collect()
}

#[test]
fn folders_are_files_that_change() {
    let project = Project::new();
    fs::create_dir_all(project.file("app/new/empty")).unwrap();
    let document = project.why(&["--json"]).json();
    assert_eq!(
        files(&document["steps"][3]),
        (told(&[("app/new/empty", "added")]), String::new())
    );
    fs::remove_dir_all(project.file("app/new")).unwrap();
    // The engine makes the destination by itself.
    let mode = fs::Permissions::from_mode(0o700);
    fs::set_permissions(project.file("app"), mode).unwrap();
    let document = project.why(&["--json"]).json();
    let (none, why) = files(&document["steps"][3]);
    assert_eq!(none, []);
    assert!(why.contains("the mode of app"), "{why}");
}

#[test]
fn a_step_is_compared_with_its_like() {
    let project = Project::new();
    project.edit("COPY app /app", "COPY app /else");
    let document = project.why(&["--json"]).json();
    assert_eq!(document["steps"][3]["state"], "miss");
    let (none, why) = files(&document["steps"][3]);
    assert_eq!(none, []);
    assert!(
        why.starts_with("not compared: the nearest image comes of another step, COPY dir:"),
        "{why}"
    );
    let text = project.why(&[]).stdout;
    assert!(text.contains("files  not compared: the nearest"), "{text}");
}

#[test]
fn an_archive_is_not_compared() {
    let project = Project::new();
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.set_mode(0o644);
    header.set_cksum();
    archive.append_data(&mut header, "a", &b""[..]).unwrap();
    fs::write(project.file("base.tar"), archive.into_inner().unwrap()).unwrap();
    project.edit("COPY app /app", "ADD base.tar /app/");
    let document = project.why(&["--json"]).json();
    assert_eq!(
        files(&document["steps"][3]),
        (
            Vec::new(),
            "not compared: what is in base.tar, which ADD unpacks".to_owned()
        )
    );
}

#[test]
fn of_sources_with_one_name_the_last_counts() {
    let project = Project::new();
    fs::create_dir(project.file("d")).unwrap();
    fs::write(project.file("d/a"), "three\n").unwrap();
    fs::write(project.file("d/c"), "").unwrap();
    project.edit("COPY app /app", "COPY d app /app/");
    let document = project.why(&["--json"]).json();
    assert_eq!(
        files(&document["steps"][3]).0,
        told(&[("d/c", "added")]),
        "app/a is in the layer"
    );
    fs::remove_file(project.file("d/c")).unwrap();
    let document = project.why(&["--json"]).json();
    let (none, why) = files(&document["steps"][3]);
    assert_eq!(none, []);
    assert!(
        why.contains("d/a, whose place another source took"),
        "{why}"
    );
}

#[test]
fn the_files_of_an_image_are_compared() {
    let project = Project::new();
    // What the driver has of `app:new`.
    let layers = project.root.path().join("image/vfs/layerdb/sha256");
    for layer in fs::read_dir(layers).unwrap() {
        let id = fs::read_to_string(layer.unwrap().path().join("cache-id")).unwrap();
        let app = project.root.path().join("vfs/dir").join(id).join("app");
        fs::create_dir_all(&app).unwrap();
        for (name, text, mode) in [
            ("a", "two\n", 0o644),
            ("b", "same\n", 0o644),
            ("more", "more\n", 0o644),
        ] {
            fs::write(app.join(name), text).unwrap();
            fs::set_permissions(app.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        std::os::unix::fs::symlink("a", app.join("link")).unwrap();
    }
    project.edit("COPY app /app", "COPY --from=app:new /app /app");
    let document = project.why(&["--json", "--last=app:old"]).json();
    assert_eq!(
        files(&document["steps"][3]).0,
        told(&[
            ("app/a", "changed content"),
            ("app/b", "changed mode"),
            ("app/gone", "removed"),
            ("app/link", "changed target"),
            ("app/more", "added"),
        ])
    );
}

#[test]
fn a_damaged_layer_is_told() {
    let project = Project::new();
    let layers = project.root.path().join("image/vfs/layerdb/sha256");
    for layer in fs::read_dir(layers).unwrap() {
        let path = layer.unwrap().path().join("tar-split.json.gz");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }
    fs::write(project.file("app/a"), "two\n").unwrap();
    let document = project.why(&["--json"]).json();
    let (none, why) = files(&document["steps"][3]);
    assert_eq!(none, []);
    assert!(
        why.starts_with("not compared: the layer of image sha256:"),
        "{why}"
    );
    assert!(why.contains("cannot be read: "), "{why}");
}

/// `src/*.log` was copied before; no client is to blame that it is not any more.
#[test]
fn a_new_line_of_dockerignore_takes_files_away() {
    let project = Project::new();
    fs::write(project.file(".dockerignore"), "app/gone\n").unwrap();
    let document = project.why(&["--json"]).json();
    let step = &document["steps"][3];
    let causes = step["causes"].to_string();
    assert!(!causes.contains("other-client"), "{causes}");
    assert_eq!(files(step).0, told(&[("app/gone", "removed")]));
}

#[test]
fn an_address_has_its_own_advice() {
    let project = Project::new();
    project.edit("COPY app /app", "ADD http://localhost/a /app/");
    let document = project.why(&["--json"]).json();
    let hint = document["steps"][3]["causes"][0]["hint"].as_str().unwrap();
    assert!(hint.starts_with("build: the engine downloads"), "{hint}");
}

/// The client makes a context of it.
#[test]
fn a_dockerfile_on_standard_input_is_its_own_context() {
    let project = Project::new();
    let store = format!("docker:{}", project.root.text());
    let arguments = ["docker", "why", "-", "--store", &store, "--json"];
    let run = with_input(&arguments, "FROM scratch\nCOPY Dockerfile /x\nCOPY . /y\n");
    assert_eq!((run.exit, &*run.stderr), (1, ""));
    let document = run.json();
    assert_eq!(states(&document), ["base", "miss", "changed"], "{document}");
    assert_eq!(document["file"], json!(null));
    let run = with_input(&arguments, "FROM scratch\nCOPY other /x\n");
    assert_eq!(states(&run.json()), ["base", "fails"]);
}

/// As the client looks for it.
#[test]
fn the_dockerfile_of_a_context() {
    let project = Project::new();
    let hits = ["base", "hit", "hit", "hit", "hit", "hit"];
    fs::rename(project.file("Dockerfile"), project.file("dockerfile")).unwrap();
    let document = project.why(&["--json"]).json();
    assert_eq!(states(&document), hits);
    assert_eq!(document["file"], "dockerfile");
    fails(
        &project.why(&["--file", "dockerfile"]),
        &format!(
            "cannot read the Dockerfile \"dockerfile\": it does not exist in the working directory, \
             where the client looks for it; write --file {}/dockerfile",
            project.context.text()
        ),
    );
    // A link out of the context counts only if it is named.
    let outside = Dir::new();
    let path = outside.path().join("Dockerfile");
    fs::rename(project.file("dockerfile"), &path).unwrap();
    std::os::unix::fs::symlink(&path, project.file("Dockerfile")).unwrap();
    let run = project.why(&[]);
    assert_eq!(run.exit, 3);
    assert!(
        run.stderr.contains("is a link out of the build context"),
        "{}",
        run.stderr
    );
    let link = project.file("Dockerfile");
    let document = project
        .why(&["--json", "--file", link.to_str().unwrap()])
        .json();
    assert_eq!(states(&document), hits);
}

#[test]
fn bytes_that_are_no_text_are_of_no_matter_in_a_comment() {
    let project = Project::new();
    let path = project.file("Dockerfile");
    let text = fs::read(&path).unwrap();
    fs::write(&path, [b"  # caf\xe9\n", &text[..]].concat()).unwrap();
    let run = project.why(&["--json"]);
    assert_eq!((run.exit, &*run.stderr), (0, ""), "{}", run.stdout);
    fs::write(&path, [&text[..], b"ENV B=caf\xe9\n"].concat()).unwrap();
    let run = project.why(&[]);
    assert_eq!(run.exit, 3);
    assert!(
        run.stderr.contains("is not utf-8, so that"),
        "{}",
        run.stderr
    );
}

/// As the client takes them: lists with commas, and an empty one is none.
#[test]
fn sources_are_lists() {
    let project = Project::new();
    let states_with = |sources: &[&str]| {
        let run = project.why(&[&["--json"], sources].concat());
        let states: Vec<String> = states(&run.json()).into_iter().map(str::to_owned).collect();
        (run.exit, states)
    };
    let hits = states_with(&["--cache-from", "app:old"]);
    assert_eq!(hits.0, 0, "{hits:?}");
    for list in ["nope:1,app:old", "app:old,nope:1", ""] {
        assert_eq!(states_with(&["--cache-from", list]), hits, "{list}");
    }
    let misses = states_with(&["--cache-from", "nope:1"]);
    assert_eq!(misses.0, 1, "{misses:?}");
}

/// The engines before 20.10 have no rules here; others have those before them.
#[test]
fn any_version_that_people_have_is_taken() {
    let project = Project::new();
    let store = format!("docker:{}", project.root.text());
    for version in ["20.10.24", "25.0.1", "27", "28.3", "29.9.3", "v29.0.0-rc.1"] {
        let reading = format!("--compatible={version}");
        let why = ["docker", "why", project.context.text(), "--store", &store];
        let run = layerwise(&[&why[..], &["--json", &reading]].concat());
        assert_eq!(run.stderr, "", "{version}");
        assert!(run.json()["steps"].is_array(), "{version}");
    }
}
