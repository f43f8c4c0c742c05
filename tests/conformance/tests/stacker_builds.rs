//! Lookups that decide as a build would that starts now: sources are compared
//! instead of their copies, and what is built again takes what stands on it
//! along (stacker spec, sections 11 and 13).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test"
)]

mod support;

use layerwise::host::Silent;
use layerwise::oci::sha256;
use layerwise::stacker::{Answer, Build, Options, Outcome, Reading, Session};
use layerwise_conformance::memory_fs::{Body, MemoryFs, Object};
use support::stacker::{definition, host, options, options_like};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A project whose layers have these definitions, in the order of the build.
struct Project {
    fs: MemoryFs,
    options: Options,
    /// What building each of them gave.
    manifests: String,
}

impl Project {
    fn new(layers: &[(&str, &str)]) -> Self {
        let fs = MemoryFs::default();
        fs.put(b"/w/state", Object::new(Body::Directory, 0o755))
            .unwrap();
        let mut options = options(0, Reading::Guarded);
        let layer = |(name, document): &(&str, &str)| definition(name, document);
        options.definitions = layers.iter().map(layer).collect();
        let mut project = Self {
            fs,
            options,
            manifests: String::new(),
        };
        let result = image(&project, "/w/oci", GZIP, "result");
        project.manifests = format!(r#"{{"tar+false":{{{result}}}}}"#);
        project
    }

    fn file(&self, path: &str, text: &str) {
        self.fs.put_file(path, text).unwrap();
    }

    fn mode(&self, path: &str, text: &str, mode: u32) {
        let body = Body::File(text.as_bytes().to_vec());
        self.fs
            .put(path.as_bytes(), Object::new(body, mode))
            .unwrap();
    }

    /// Records all layers as they are now, as a build by us or, in the
    /// compatible reading, by stacker itself.
    fn built(self, reading: Reading) -> Self {
        let options = options_like(&self.options, reading);
        let mut session = Session::open(&self.fs, &Silent, options).unwrap();
        for layer in &self.options.definitions {
            session.put(&layer.name, &self.manifests, &host()).unwrap();
        }
        drop(session);
        self
    }

    fn lookup(&self, reading: Reading, types: &[&str], name: &str) -> Answer {
        let mut session = self.session(reading, types);
        session.lookup(name).unwrap()
    }

    fn session(&self, reading: Reading, types: &[&str]) -> Session<&MemoryFs, &Silent> {
        let options = Options {
            dry_run: true,
            build: Some(Build {
                directory: "/p".into(),
                types: types.iter().map(|text| (*text).to_owned()).collect(),
            }),
            ..options_like(&self.options, reading)
        };
        Session::open(&self.fs, &Silent, options).unwrap()
    }

    /// The code of the miss or error, or `hit`, the same in both readings.
    fn verdict(&self, name: &str) -> String {
        let [guarded, compatible] = [Reading::Guarded, Reading::Compatible]
            .map(|reading| verdict(self.session(reading, &["tar"]).lookup(name)));
        assert_eq!(guarded, compatible, "{name}");
        guarded
    }
}

fn verdict(answer: Result<Answer, layerwise::error::Error>) -> String {
    let code = match answer {
        Ok(answer) if answer.outcome == Outcome::Hit => "hit".to_owned(),
        Ok(answer) => answer.reason.unwrap().code.into_owned(),
        Err(error) => error.problem().unwrap().code.clone(),
    };
    code.trim_start_matches("stacker/").to_owned()
}

fn codes(answer: &Answer) -> Vec<&str> {
    let codes = answer.notes.iter();
    codes
        .map(|note| note.code.trim_start_matches("stacker/"))
        .collect()
}

/// A manifest with one layer in a layout; its descriptor.
fn image(project: &Project, layout: &str, media_type: &str, mark: &str) -> String {
    let blob = |text: &str| {
        let digest = sha256(text.as_bytes());
        project.file(&format!("{layout}/blobs/sha256/{}", digest.hex()), text);
        (digest.to_string(), text.len())
    };
    let (config, config_size) = blob(&format!("{{\"config\":\"{mark}\"}}"));
    let (layer, layer_size) = blob(mark);
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":{config_size}}},"layers":[{{"mediaType":"{media_type}","digest":"{layer}","size":{layer_size}}}]}}"#
    );
    let (digest, size) = blob(&manifest);
    format!(r#""mediaType":"{MANIFEST}","digest":"{digest}","size":{size}"#)
}

/// A layout in which tags name images.
fn layout(project: &Project, directory: &str, images: &[(&str, &str)]) {
    let manifest = |(tag, descriptor): &(&str, &str)| {
        format!(r#"{{{descriptor},"annotations":{{"org.opencontainers.image.ref.name":"{tag}"}}}}"#)
    };
    let manifests: Vec<_> = images.iter().map(manifest).collect();
    project.file(
        &format!("{directory}/oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    );
    project.file(
        &format!("{directory}/index.json"),
        &format!(
            r#"{{"schemaVersion":2,"manifests":[{}]}}"#,
            manifests.join(",")
        ),
    );
}

const FILE: &str = r#"{"from":{"type":"scratch"},"imports":[{"path":"/p/f","uid":-1,"gid":-1}]}"#;

fn with_a_file() -> Project {
    let project = Project::new(&[("a", FILE), ("b", r#"{"from":{"type":"built","tag":"a"}}"#)]);
    project.mode("/p/f", "1", 0o640);
    project.mode("/w/state/imports/a/f", "1", 0o640);
    project.built(Reading::Guarded)
}

#[test]
fn an_edited_file_is_a_miss_for_all_that_stands_on_it() {
    let project = with_a_file();
    assert_eq!(project.verdict("a"), "hit");
    assert_eq!(project.verdict("b"), "hit");
    project.mode("/p/f", "2", 0o640);
    assert_eq!(project.verdict("a"), "import-file-changed");
    assert_eq!(project.verdict("b"), "base-not-cached");
    project.mode("/p/f", "1", 0o600);
    assert_eq!(project.verdict("a"), "import-file-changed");
    // Without a build in mind the copies decide.
    let options = options_like(&project.options, Reading::Guarded);
    let mut session = Session::open(&project.fs, &Silent, options).unwrap();
    assert_eq!(verdict(session.lookup("a")), "hit");
}

#[test]
fn what_only_the_copy_lost_is_copied_again() {
    let project = with_a_file();
    project.fs.remove_all(b"/w/state/imports");
    assert_eq!(project.verdict("b"), "hit");
}

#[test]
fn a_copy_has_the_mode_of_its_import_and_no_set_id_bits() {
    let document =
        r#"{"from":{"type":"scratch"},"imports":[{"path":"/p/f","mode":420},{"path":"/p/s"}]}"#;
    let project = Project::new(&[("a", document)]);
    project.mode("/p/f", "1", 0o600);
    project.mode("/w/state/imports/a/f", "1", 0o644);
    project.mode("/p/s", "1", 0o4755);
    project.mode("/w/state/imports/a/s", "1", 0o755);
    let project = project.built(Reading::Guarded);
    assert_eq!(project.verdict("a"), "hit");
    project.mode("/p/s", "1", 0o4700);
    assert_eq!(project.verdict("a"), "import-file-changed");
}

#[test]
fn a_source_that_is_gone_or_demands_another_hash_fails_the_build() {
    let project = with_a_file();
    project.fs.remove_all(b"/p/f");
    assert_eq!(project.verdict("a"), "source-missing");
    let sum = sha256(b"1");
    let document = format!(
        r#"{{"from":{{"type":"scratch"}},"imports":[{{"path":"/p/f","hash":"{}"}}]}}"#,
        sum.hex().to_uppercase()
    );
    let project = Project::new(&[("a", &document)]);
    project.file("/p/f", "1");
    project.file("/w/state/imports/a/f", "1");
    let project = project.built(Reading::Guarded);
    assert_eq!(project.verdict("a"), "hit");
    project.file("/p/f", "2");
    assert_eq!(project.verdict("a"), "import-hash-mismatch");
}

#[test]
fn edits_below_a_directory_are_misses_and_owners_are_not() {
    let document = r#"{"from":{"type":"scratch"},"imports":[{"path":"/p/d"}]}"#;
    let project = Project::new(&[("a", document)]);
    for directory in ["/p/d", "/w/state/imports/a/d"] {
        project.file(&format!("{directory}/f"), "1");
        project.file(&format!("{directory}/e/g"), "1");
    }
    let project = project.built(Reading::Guarded);
    assert_eq!(project.verdict("a"), "hit");
    // A source of another owner is copied, and its copy is whose the copies are.
    let mut object = project.fs.object(b"/p/d/f").unwrap();
    object.uid = 1000;
    project.fs.put(b"/p/d/f", object).unwrap();
    let mut directory = Object::new(Body::Directory, 0o700);
    directory.uid = 1000;
    project.fs.put(b"/p/d", directory).unwrap();
    assert_eq!(project.verdict("a"), "hit");
    project.file("/p/d/new", "1");
    let answer = project.lookup(Reading::Guarded, &["tar"], "a");
    assert_eq!(verdict(Ok(answer.clone())), "import-dir-changed");
    assert_eq!(answer.changes.len(), 1);
    assert_eq!(answer.changes[0].path, "new");
    project.fs.remove_all(b"/p/d/new");
    project.fs.remove_all(b"/p/d/e");
    assert_eq!(project.verdict("a"), "import-dir-changed");
}

#[test]
fn of_imports_with_one_copy_the_last_one_decides() {
    let document = r#"{"from":{"type":"scratch"},"imports":[{"path":"/p/x/f"},{"path":"/p/y/f"}]}"#;
    let project = Project::new(&[("a", document)]);
    project.file("/p/x/f", "x");
    project.file("/p/y/f", "y");
    project.file("/w/state/imports/a/f", "y");
    let project = project.built(Reading::Guarded);
    assert_eq!(project.verdict("a"), "hit");
    project.file("/p/x/f", "edited");
    assert_eq!(project.verdict("a"), "hit");
    project.file("/p/y/f", "edited");
    assert_eq!(project.verdict("a"), "import-file-changed");
}

#[test]
fn an_edited_tarball_and_a_moved_image_are_other_bases() {
    let project = Project::new(&[
        ("t", r#"{"from":{"type":"tar","url":"./base.tar"}}"#),
        ("o", r#"{"from":{"type":"oci","url":"bases:x"}}"#),
        ("plain", r#"{"from":{"type":"oci","url":"bases:plain"}}"#),
    ]);
    project.file("/p/base.tar", "1");
    project.file("/w/state/layer-bases/base.tar", "1");
    let first = image(&project, "/p/bases", GZIP, "first");
    let second = image(&project, "/p/bases", GZIP, "second");
    let plain = image(
        &project,
        "/p/bases",
        "application/vnd.oci.image.layer.v1.tar",
        "plain",
    );
    let copies = [("x", first.as_str()), ("plain", second.as_str())];
    layout(&project, "/w/state/layer-bases/oci", &copies);
    project.file("/w/state/layer-bases/oci/blobs/x", "");
    layout(&project, "/p/bases", &[("x", &first), ("plain", &plain)]);
    let project = project.built(Reading::Guarded);
    for name in ["t", "o", "plain"] {
        assert_eq!(project.verdict(name), "hit", "{name}");
    }
    // An image that is not copied as it is can only be judged by its copy.
    let answer = project.lookup(Reading::Guarded, &["tar"], "plain");
    assert_eq!(codes(&answer), ["stands-on-copy"]);
    let answer = project.lookup(Reading::Guarded, &["tar"], "o");
    assert!(codes(&answer).is_empty());
    project.file("/p/base.tar", "2");
    assert_eq!(project.verdict("t"), "base-changed");
    layout(&project, "/p/bases", &[("x", &second), ("plain", &plain)]);
    assert_eq!(project.verdict("o"), "base-changed");
    layout(&project, "/p/bases", &[("plain", &plain)]);
    assert_eq!(project.verdict("o"), "ambiguous-reference");
}

#[test]
fn what_cannot_be_looked_at_stands_on_its_copy() {
    let project = Project::new(&[
        (
            "a",
            r#"{"from":{"type":"tar","url":"http://h/b.tar"},"imports":[{"path":"https://h/f"},{"path":"stacker://b/g"}]}"#,
        ),
        ("d", r#"{"from":{"type":"docker","url":"docker://a/x:1"}}"#),
        (
            "e",
            r#"{"from":{"type":"docker","url":"docker://b/y/x:2"}}"#,
        ),
    ]);
    for copy in ["layer-bases/b.tar", "imports/a/f", "imports/a/g"] {
        project.file(&format!("/w/state/{copy}"), "1");
    }
    let base = image(&project, "/w/state/layer-bases/oci", GZIP, "x");
    layout(&project, "/w/state/layer-bases/oci", &[("x", &base)]);
    let project = project.built(Reading::Guarded);
    assert_eq!(project.verdict("a"), "hit");
    let answer = project.lookup(Reading::Compatible, &["tar"], "a");
    assert_eq!(codes(&answer), ["stands-on-copy"]);
    let sources: Vec<_> = answer.notes[0]
        .differences
        .iter()
        .map(|source| source.have.as_deref().unwrap())
        .collect();
    assert_eq!(sources, ["https://h/f", "stacker://b/g", "http://h/b.tar"]);
    for name in ["d", "e"] {
        let answer = project.lookup(Reading::Guarded, &["tar"], name);
        assert_eq!(codes(&answer), ["stands-on-copy", "base-tag-shared"]);
    }
}

/// Seen of stacker 1.2.0: an edit of what a layer is made from changes what another one
/// imports out of it.
#[test]
fn an_import_out_of_a_layer_that_is_built_again_is_no_hit() {
    let importing = |from: &str, more: &str| {
        format!(r#"{{"from":{{"type":"scratch"}},"imports":[{{"path":"{from}"{more}}}]}}"#)
    };
    let hash = sha256(b"1");
    let uses = importing("stacker://tools/made", "");
    let pinned = importing(
        "stacker://tools/made",
        &format!(r#","hash":"{}""#, hash.hex()),
    );
    let layers = [
        ("tools", importing("/p/src", "")),
        ("uses", uses),
        (
            "above",
            r#"{"from":{"type":"built","tag":"uses"}}"#.to_owned(),
        ),
        ("far", importing("stacker://above/made", "")),
        ("pinned", pinned),
        ("ring", importing("stacker://ring/made", "")),
        (
            "both",
            r#"{"from":{"type":"built","tag":"tools"},"imports":[{"path":"/p/other"}]}"#.to_owned(),
        ),
        ("late", importing("stacker://tools/made", "")),
    ];
    let layers = layers.each_ref().map(|(name, text)| (*name, text.as_str()));
    let project = Project::new(&layers);
    for path in ["/p/src", "/w/state/imports/tools/src"] {
        project.file(path, "1");
    }
    for path in ["/p/other", "/w/state/imports/both/other"] {
        project.file(path, "1");
    }
    for layer in ["uses", "far", "pinned", "ring", "late"] {
        project.file(&format!("/w/state/imports/{layer}/made"), "1");
    }
    let project = project.built(Reading::Guarded);
    let guarded = |name| verdict(project.session(Reading::Guarded, &["tar"]).lookup(name));
    for (name, _) in layers {
        assert_eq!(guarded(name), "hit", "{name}");
    }
    project.file("/p/src", "2");
    let verdicts = layers.map(|(name, _)| guarded(name));
    assert_eq!(
        verdicts,
        [
            "import-file-changed",
            "import-built-again",
            "base-not-cached",
            "import-built-again",
            "hit",
            "hit",
            "base-not-cached",
            "import-built-again",
        ]
    );
    // One session, in which the layer was first a base of one that misses at once.
    let mut session = project.session(Reading::Guarded, &["tar"]);
    let document = r#"{"from":{"type":"built","tag":"tools"}}"#;
    let mut definitions = project.options.definitions.clone();
    definitions.retain(|layer| layer.name != "both");
    definitions.push(definition("both", document));
    session.define(&definitions).unwrap();
    assert_eq!(verdict(session.lookup("both")), "definition-changed");
    assert_eq!(verdict(session.lookup("late")), "import-built-again");
    // Nobody knows what stacker will find: the copy of last time is compared.
    let answer = project.lookup(Reading::Compatible, &["tar"], "uses");
    assert_eq!(codes(&answer), ["stands-on-copy"]);
    let explanation = project.session(Reading::Guarded, &["tar"]).explain("far");
    let causes = explanation.findings.iter();
    let causes: Vec<_> = causes
        .map(|one| (one.subject.as_str(), one.cascade))
        .collect();
    assert_eq!(
        causes,
        [
            ("tools", false),
            ("uses", true),
            ("above", true),
            ("far", true)
        ]
    );
}

#[test]
fn binds_and_missing_types_build_a_layer_and_all_on_top_of_it() {
    let built = r#"{"from":{"type":"built","tag":"a"}}"#;
    let binds = r#"{"from":{"type":"scratch"},"binds":[{"source":"/s","dest":"/s"}]}"#;
    let project = Project::new(&[("a", binds), ("b", built)]).built(Reading::Compatible);
    for reading in [Reading::Guarded, Reading::Compatible] {
        let answer = project.lookup(reading, &["tar"], "a");
        assert!(answer.rebuilt);
        assert_eq!(codes(&answer), ["binds-rebuild"]);
    }
    assert_eq!(project.verdict("b"), "base-not-cached");
    let explained = project.session(Reading::Guarded, &["tar"]).explain("b");
    let first = &explained.findings[0];
    assert_eq!(
        (&*first.code, &*first.subject),
        ("stacker/binds-rebuild", "a")
    );

    let project = Project::new(&[("a", r#"{"from":{"type":"scratch"}}"#), ("b", built)]);
    let project = project.built(Reading::Compatible);
    let answer = |types: &[&str], name| project.lookup(Reading::Compatible, types, name);
    assert!(!answer(&["tar"], "a").rebuilt);
    assert_eq!(verdict(Ok(answer(&["tar"], "b"))), "hit");
    assert!(answer(&["tar", "squashfs"], "a").rebuilt);
    assert_eq!(codes(&answer(&["squashfs"], "a")), ["type-missing"]);
    assert_eq!(verdict(Ok(answer(&["squashfs"], "b"))), "base-not-cached");
    assert!(answer(&["tar+true"], "a").rebuilt);
    // An entry without results lacks every type.
    let mut project = Project::new(&[("a", r#"{"from":{"type":"scratch"}}"#)]);
    project.manifests = "{}".to_owned();
    let project = project.built(Reading::Compatible);
    assert!(project.lookup(Reading::Compatible, &["tar"], "a").rebuilt);
    let refused = Options {
        build: Some(Build {
            directory: "/p".into(),
            types: vec!["tar+true+x".into()],
        }),
        ..project.options.clone()
    };
    let refused = Session::open(&project.fs, &Silent, refused).err().unwrap();
    assert_eq!(refused.problem().unwrap().code, "stacker/bad-layer-type");
}

#[test]
fn a_result_without_its_layers_is_a_miss_in_the_guarded_reading() {
    let project = Project::new(&[("a", r#"{"from":{"type":"scratch"}}"#)]);
    let project = project.built(Reading::Guarded);
    assert_eq!(project.verdict("a"), "hit");
    let layer = format!("/w/oci/blobs/sha256/{}", sha256(b"result").hex());
    project.fs.remove_all(layer.as_bytes());
    let answer = |reading| verdict(Ok(project.lookup(reading, &["tar"], "a")));
    assert_eq!(answer(Reading::Guarded), "result-incomplete");
    assert_eq!(answer(Reading::Compatible), "hit");
}

#[test]
fn imports_with_a_destination_are_compared_where_we_recorded_them() {
    let document = r#"{"from":{"type":"scratch"},"imports":[{"path":"/p/f","dest":"/f"},{"path":"/p/d","dest":"/d"}]}"#;
    let project = || {
        let project = Project::new(&[("a", document)]);
        project.file("/p/f", "1");
        project.file("/p/d/f", "1");
        project
    };
    let answer = |project: &Project| project.lookup(Reading::Guarded, &["tar"], "a");
    for changed in ["/p/f", "/p/d/f"] {
        let ours = project().built(Reading::Guarded);
        assert_eq!(verdict(Ok(answer(&ours))), "hit");
        assert!(codes(&answer(&ours)).is_empty());
        ours.file(changed, "2");
        assert_eq!(verdict(Ok(answer(&ours))), "import-dest-changed");
        let compatible = ours.lookup(Reading::Compatible, &["tar"], "a");
        assert_eq!(verdict(Ok(compatible)), "hit");
        ours.fs.remove_all(b"/p");
        assert_eq!(verdict(Ok(answer(&ours))), "import-dest-changed");
    }
    let theirs = project().built(Reading::Compatible);
    theirs.file("/p/f", "2");
    assert_eq!(verdict(Ok(answer(&theirs))), "hit");
    assert_eq!(codes(&answer(&theirs)), ["import-unchecked"]);
}
