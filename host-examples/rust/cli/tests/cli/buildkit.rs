//! `layerwise buildkit` on layout directories.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};

use super::support::{Dir, Run, fails, golden, layerwise};

const FIRST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const SECOND: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
const THIRD: &str = "sha256:3333333333333333333333333333333333333333333333333333333333333333";
const OTHER: &str = "sha256:4444444444444444444444444444444444444444444444444444444444444444";

/// A base, a step on it, and a step on that which takes a directory of it.
fn records(second: &str) -> Value {
    let result = |second: u32, layers: &[&str]| {
        let layers: Vec<Value> = layers.iter().map(|file| json!({"file": file})).collect();
        json!([{"created": format!("2026-01-02T03:04:0{second}Z"), "layers": layers}])
    };
    json!({"schema": "layerwise/buildkit-records/1", "records": [
        {"digest": FIRST, "results": result(1, &["base.tar"])},
        {"digest": second, "inputs": [[{"record": 0}]],
         "results": result(2, &["base.tar", "layers/made.tar"])},
        {"digest": THIRD, "inputs": [[{"record": 1, "selector": "/out"}]]},
        {"digest": "random:nothing"},
    ]})
}

/// A directory with the records and their layers.
fn given(second: &str) -> Dir {
    let dir = Dir::new();
    dir.file("records.json", records(second).to_string());
    dir.file("base.tar", [0; 1024]);
    dir.file("layers/made.tar", [1; 2048]);
    dir
}

fn export(dir: &Dir, more: &[&str]) -> Run {
    let (target, records) = (cache(dir), format!("{}/records.json", dir.text()));
    let mut arguments = vec!["buildkit", "export", &target, "--records", &records];
    arguments.extend(more);
    layerwise(&arguments)
}

fn cache(dir: &Dir) -> String {
    format!("oci:{}/cache:tag", dir.text())
}

fn ask(verb: &str, dir: &Dir, more: &[&str]) -> Run {
    let cache = cache(dir);
    let mut arguments = vec!["buildkit", verb, &cache];
    arguments.extend(more);
    layerwise(&arguments)
}

#[test]
fn help_documents_files_and_json() {
    for verb in ["export", "inspect", "diff", "explain", "graph"] {
        let help = layerwise(&["buildkit", verb, "--help"]);
        assert_eq!(help.exit, 0);
        golden(&format!("help-buildkit-{verb}.txt"), &help.stdout, None);
    }
}

#[test]
fn a_plan_writes_nothing_and_an_export_what_was_planned() {
    let dir = given(SECOND);
    let before = dir.snapshot();
    let plan = export(&dir, &["--plan"]);
    assert_eq!((plan.exit, plan.stderr.as_str()), (0, ""));
    golden("buildkit-plan.txt", &plan.stdout, Some(&dir));
    assert_eq!(dir.snapshot(), before);

    let planned = export(&dir, &["--plan", "--json"]).json();
    let done = export(&dir, &[]);
    assert_eq!((done.exit, done.stderr.as_str()), (0, ""));
    golden("buildkit-export.txt", &done.stdout, Some(&dir));
    let again = export(&dir, &["--json"]);
    golden("buildkit-export.json", &again.stdout, Some(&dir));
    assert_eq!(planned["manifest"], again.json()["manifest"]);
    assert_eq!(planned["effects"], again.json()["effects"]);
}

#[test]
fn a_cache_is_inspected_and_verified() {
    let dir = given(SECOND);
    assert_eq!(export(&dir, &[]).exit, 0);
    let shown = ask("inspect", &dir, &["--records"]);
    assert_eq!(shown.exit, 0);
    golden("buildkit-inspect.txt", &shown.stdout, Some(&dir));
    let json = ask("inspect", &dir, &["--records", "--json"]);
    golden("buildkit-inspect.json", &json.stdout, Some(&dir));
    assert_eq!(ask("verify", &dir, &[]).exit, 0);

    // A layer goes, which is a warning; then the config is changed in place.
    let layer = json.json()["manifest"]["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let config = json.json()["config"].as_str().unwrap().to_owned();
    let blob = |digest: &str| format!("cache/blobs/sha256/{}", digest.replace("sha256:", ""));
    let text = std::fs::read_to_string(dir.path().join(blob(&config))).unwrap();
    dir.file(&blob(&config), text.replace("/out", "/oot"));
    let bad = ask("verify", &dir, &[]);
    assert_eq!(bad.exit, 1);
    golden("buildkit-verify-bad.txt", &bad.stdout, Some(&dir));
    assert_eq!(ask("inspect", &dir, &[]).exit, 0, "looking is no verdict");
    std::fs::remove_file(dir.path().join(blob(&layer))).unwrap();
    assert_eq!(ask("verify", &dir, &[]).exit, 3, "there is no manifest");
}

#[test]
fn the_first_difference_is_told_from_what_follows() {
    let (old, new) = (given(SECOND), given(OTHER));
    for dir in [&old, &new] {
        assert_eq!(export(dir, &[]).exit, 0);
    }
    let arguments = ["buildkit", "diff", &cache(&old), &cache(&new)];
    let found = layerwise(&arguments);
    assert_eq!(found.exit, 1);
    let text = found.stdout.replace(new.text(), "NEW");
    golden("buildkit-diff.txt", &text, Some(&old));
    let found = layerwise(&[&arguments[..], &["--json"]].concat());
    assert_eq!(found.json()["first"]["code"], "buildkit/record-changed");
    assert_eq!(found.json()["cascades"].as_array().unwrap().len(), 2);
    let text = found.stdout.replace(new.text(), "NEW");
    golden("buildkit-diff.json", &text, Some(&old));
    let same = layerwise(&["buildkit", "diff", &cache(&old), &cache(&old)]);
    assert_eq!((same.exit, same.stdout.starts_with("same")), (0, true));
}

#[test]
fn a_lookup_says_what_is_nearest() {
    let vertex = "sha256:5555555555555555555555555555555555555555555555555555555555555555";
    let digest = layerwise::oci::sha256(format!("{vertex}@0").as_bytes());
    let dir = given(digest.as_str());
    assert_eq!(export(&dir, &[]).exit, 0);
    let step = ["--vertex", vertex, "--record", FIRST];
    let hit = ask("explain", &dir, &step);
    assert_eq!(hit.exit, 0);
    golden("buildkit-explain-hit.txt", &hit.stdout, Some(&dir));
    let miss = ask(
        "explain",
        &dir,
        &[&step[..], &["--selector", "/other"]].concat(),
    );
    assert_eq!(miss.exit, 1);
    golden("buildkit-explain-miss.txt", &miss.stdout, Some(&dir));
    let json = ask(
        "explain",
        &dir,
        &[&step[..], &["--input", "1", "--json"]].concat(),
    );
    assert_eq!(json.exit, 1);
    golden("buildkit-explain.json", &json.stdout, Some(&dir));
}

#[test]
fn caches_are_merged_and_change_their_form() {
    let (one, two) = (given(SECOND), given(OTHER));
    for dir in [&one, &two] {
        assert_eq!(export(dir, &[]).exit, 0);
    }
    let (from, and) = (cache(&one), cache(&two));
    let target = format!("oci:{}/merged", one.text());
    let form = "--oci-mediatypes=false";
    let merged = layerwise(&[
        "buildkit", "export", &target, "--from", &from, "--from", &and, form, "--json",
    ]);
    assert_eq!(merged.exit, 0, "{merged:?}");
    let merged = merged.json();
    assert_eq!(merged["written"]["records"], 5, "the base is in both");
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    assert_eq!(merged["manifest"]["media_type"], list);
    assert_eq!(layerwise(&["buildkit", "verify", &target]).exit, 0);
}

#[test]
fn pictures_are_whole_documents() {
    let dir = given("<script>\"&\\");
    assert_eq!(export(&dir, &[]).exit, 0);
    let dot = ask("graph", &dir, &[]);
    golden("buildkit-graph.dot", &dot.stdout, None);
    let svg = ask("graph", &dir, &["--format", "svg"]);
    golden("buildkit-graph.svg", &svg.stdout, None);
    let file = format!("{}/picture.html", dir.text());
    let drawn = ask("graph", &dir, &["--output", &file]);
    assert_eq!(drawn.exit, 0);
    golden("buildkit-graph.txt", &drawn.stdout, Some(&dir));
    fails(
        &ask("graph", &dir, &["--output", "/nowhere/x.svg"]),
        "cannot write the picture \"/nowhere/x.svg\": its directory does not exist",
    );
    let html = std::fs::read_to_string(&file).unwrap();
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script"));
    let json = ask("graph", &dir, &["--json"]);
    golden("buildkit-graph.json", &json.stdout, Some(&dir));
}

/// Runs become one box, what is too much is counted.
#[test]
fn large_caches_are_drawn_in_part() {
    let dir = Dir::new();
    let mut list: Vec<Value> = (0..10_000)
        .map(|at: usize| {
            let inputs = match at {
                0 => json!([]),
                1..5_000 => json!([[{"record": at - 1}]]),
                _ => json!([[{"record": 0}]]),
            };
            json!({"digest": format!("sha256:{at:064x}"), "inputs": inputs})
        })
        .collect();
    let result = json!([{"created": "2026-01-02T03:04:05Z", "layers": [{"file": "a.tar"}]}]);
    list[0]["results"] = result;
    dir.file("a.tar", [0; 512]);
    let document = json!({"schema": "layerwise/buildkit-records/1", "records": list});
    dir.file("records.json", document.to_string());
    // No importer reads so large a config; a picture helps to find out why.
    assert_eq!(export(&dir, &["--push-too-large"]).exit, 0);
    let json = ask("graph", &dir, &["--json", "--boxes", "100"]).json();
    assert_eq!(
        (&json["records"], &json["drawn"]),
        (&json!(10_000), &json!(100))
    );
    let shown: usize = json["boxes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["records"].as_array().unwrap().len())
        .sum();
    assert_eq!(json["left_out"], 10_000 - shown);
    assert!(shown > 5_000, "the run is one box");
    let standings = json["boxes"].as_array().unwrap().iter();
    assert!(standings.clone().all(|one| one["standing"] != "dead"));
    let html = ask("graph", &dir, &["--format", "html", "--boxes", "100"]).stdout;
    assert!(html.contains(&format!(
        "{} of 10000 records are not drawn",
        10_000 - shown
    )));
}

#[test]
fn what_no_importer_reads_is_not_pushed() {
    let dir = Dir::new();
    let records: Vec<Value> = (0..12_000)
        .map(|at| {
            let layers = json!([{"file": "a.tar"}]);
            json!({"digest": format!("{FIRST}{at}"),
                   "results": [{"created": "2026-01-02T03:04:05Z", "layers": layers}]})
        })
        .collect();
    dir.file("a.tar", [0; 512]);
    let document = json!({"schema": "layerwise/buildkit-records/1", "records": records});
    dir.file("records.json", document.to_string());
    let before = dir.snapshot();
    let refused = export(&dir, &[]);
    assert_eq!(refused.exit, 3);
    assert!(
        refused
            .stderr
            .starts_with("error: not pushed: the config has ")
            && refused.stderr.ends_with("see --push-too-large\n"),
        "{refused:?}"
    );
    assert_eq!(dir.snapshot(), before);
    let pushed = export(&dir, &["--push-too-large"]);
    assert_eq!(pushed.exit, 0);
    assert!(
        pushed.stderr.starts_with("warning: config: "),
        "{}",
        pushed.stderr
    );
    assert_eq!(ask("verify", &dir, &[]).exit, 1);
}

#[test]
fn nothing_to_write_moves_no_reference() {
    let dir = given(SECOND);
    let empty = json!({"schema": "layerwise/buildkit-records/1", "records": [{"digest": FIRST}]});
    dir.file("records.json", empty.to_string());
    let before = dir.snapshot();
    let run = export(&dir, &[]);
    assert_eq!(run.exit, 0);
    assert!(run.stdout.starts_with("nothing to write"), "{run:?}");
    assert_eq!(dir.snapshot(), before);
}

#[test]
fn errors_name_the_thing() {
    let dir = given(SECOND);
    let path = format!("{}/records.json", dir.text());
    fails(
        &ask("verify", &dir, &[]),
        &format!(
            "cannot find the cache \"{}\": \"{1}/cache\" is not an oci image layout: cannot open \"{1}/cache\": it does not exist",
            cache(&dir),
            dir.text()
        ),
    );
    for (text, why) in [
        ("{}", "missing field `schema` at line 1 column 2"),
        (
            r#"{"schema": "x", "records": []}"#,
            "its schema is \"x\", and \"layerwise/buildkit-records/1\" is known",
        ),
        (
            r#"{"schema": "layerwise/buildkit-records/1", "records": [{"digest": "a", "inputs": [[{"record": 0}]]}]}"#,
            "records[0] links record 0; a link leads to an earlier record",
        ),
        (
            r#"{"schema": "layerwise/buildkit-records/1", "records": [{"digest": "a", "results":
                [{"created": "x", "layers": [{"digest": "sha256:1"}]}]}]}"#,
            "records[0].results[0].layers[0] needs a digest and a size, or a file",
        ),
    ] {
        dir.file("records.json", text);
        fails(
            &export(&dir, &[]),
            &format!("cannot read the records {path:?}: {why}"),
        );
    }
    let record = |record: Value| {
        let document = json!({"schema": "layerwise/buildkit-records/1", "records": [record]});
        dir.file("records.json", document.to_string());
        export(&dir, &[])
    };
    fails(
        &record(json!({"digest": "a", "results": [
            {"created": "2026-01-02T03:04:05Z", "layers": [{"file": "gone.tar"}]}]})),
        &format!(
            "cannot read records[0].results[0].layers[0] \"{}/gone.tar\": it does not exist",
            dir.text()
        ),
    );
    let run = record(json!({"digest": "a", "inputs": [[]]}));
    fails(
        &run,
        "cannot add records[0]: add \"a\": empty dependency for a",
    );
    let run = export(&dir, &["--oci-mediatypes=false", "--image-manifest=true"]);
    assert_eq!(run.exit, 3, "{run:?}");
    let run = export(&dir, &["--oci-mediatypes=perhaps"]);
    assert_eq!(run.exit, 2, "{run:?}");
    let run = layerwise(&["buildkit", "export", "oci:x"]);
    assert_eq!(run.exit, 2, "nothing to export");
}

/// A registry that has every blob and takes no list of layers.
fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut input = BufReader::new(stream.try_clone().unwrap());
            let mut lines = Vec::new();
            let mut line = String::new();
            while input.read_line(&mut line).unwrap() > 2 {
                lines.push(std::mem::take(&mut line).to_lowercase());
            }
            let length = lines
                .iter()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.trim().parse().unwrap());
            std::io::copy(&mut input.take(length), &mut std::io::sink()).unwrap();
            let put = lines.first().is_some_and(|line| line.starts_with("put"));
            let (status, body) = if put {
                (
                    "400 Bad Request",
                    r#"{"errors":[{"code":"MANIFEST_INVALID"}]}"#,
                )
            } else {
                ("200 OK", "")
            };
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .unwrap();
        }
    });
    host
}

#[test]
fn a_registry_that_refuses_a_list_of_layers_is_told_with_what_to_do() {
    let dir = given(SECOND);
    let target = format!("{}/app:cache", refusing());
    let records = format!("{}/records.json", dir.text());
    let arguments = ["buildkit", "export", &target, "--records", &records];
    for form in ["--image-manifest=false", "--oci-mediatypes=false"] {
        let run = layerwise(&[&arguments[..], &[form]].concat());
        assert_eq!(run.exit, 3, "{run:?}");
        assert!(run.stderr.contains("MANIFEST_INVALID"), "{run:?}");
        let advice = "many registries refuse a list of layers: leave --image-manifest at true\n";
        assert!(run.stderr.ends_with(advice), "{run:?}");
    }
    let run = layerwise(&arguments);
    assert_eq!(run.exit, 3, "{run:?}");
    assert!(!run.stderr.contains("list of layers"), "{run:?}");
}
