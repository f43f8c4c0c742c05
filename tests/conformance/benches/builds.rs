//! Reading and explaining builds, natively: `cargo bench -p layerwise-conformance`.
//!
//! Prints the median and the worst of some rounds in milliseconds. Budget: 20 stages
//! with 1,000 steps in 200 ms.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark")]
#![allow(missing_docs, reason = "a benchmark")]

use std::time::{Duration, Instant};

use layerwise::base64;
use layerwise::builds::read::assemble::{Document, Form, Options, Read, read};
use layerwise::builds::redact::Values;
use layerwise::builds::{Asked, explain};
use layerwise::oci::sha256;
use layerwise_conformance::memory_fs::MemoryFs;
use serde_json::{Map, Value, json};

const ROUNDS: usize = 15;

fn main() {
    println!("stages  steps   read both        why (ms: median, worst)");
    for (stages, steps) in [(2, 100), (20, 1_000), (20, 2_000), (1, 1_000)] {
        let old = documents(stages, steps, "1");
        // A variable at the top of half of the stages: what follows, follows.
        let new = documents(stages, steps, "2");
        let mut reading = Vec::new();
        let mut explaining = Vec::new();
        for _ in 0..ROUNDS {
            let begin = Instant::now();
            let (before, after) = (build(&old), build(&new));
            reading.push(begin.elapsed());
            let begin = Instant::now();
            let told = explain(
                &MemoryFs::default(),
                (&before, &after),
                &[],
                &Asked::default(),
                Values::NotSecret,
            );
            explaining.push(begin.elapsed());
            let told = told.expect("an explanation");
            assert!(told.verdicts.len() >= steps && !told.causes.is_empty());
        }
        let [reading, explaining] = [reading, explaining].map(times);
        println!("{stages:>6} {steps:>6} {reading:>17} {explaining:>17}");
    }
}

/// The median and the worst.
fn times(mut all: Vec<Duration>) -> String {
    all.sort_unstable();
    let of = |at: usize| all.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3);
    format!("{:.1}, {:.1}", of(all.len() / 2), of(all.len() - 1))
}

fn build((provenance, progress): &(String, String)) -> Read {
    let text = |content| Document {
        form: Form::Text,
        content,
    };
    read(&[text(provenance), text(progress)], &Options::default()).expect("a build")
}

/// Provenance and the log of a build in which everything ran.
fn documents(stages: usize, steps: usize, value: &str) -> (String, String) {
    let mut lines = Vec::new();
    let mut found = vec![json!({"id": "step0", "op": {"Op": {"source":
        {"identifier": "docker-image://docker.io/library/alpine:3@sha256:aa"}}}})];
    let mut locations = Map::new();
    let mut log = vec![vertex(0, value, "[internal] base")];
    let mut ends = Vec::new();
    for stage in 0..stages {
        lines.push(format!("FROM alpine:3 AS stage{stage}"));
        let changed = if stage % 2 == 0 { value } else { "0" };
        for at in 0..steps / stages {
            let id = found.len();
            let command = format!("make part-{stage}-{at}");
            lines.push(format!("RUN {command}"));
            let input = if at == 0 { 0 } else { id - 1 };
            found.push(json!({
                "id": format!("step{id}"),
                "inputs": [format!("step{input}:0")],
                "op": {"Op": {"exec": {
                    "meta": {"args": ["/bin/sh", "-c", command], "cwd": "/",
                        "env": ["PATH=/usr/bin:/bin", format!("CHANGED={changed}")]},
                    "mounts": [{"dest": "/"}],
                }}, "platform": {"OS": "linux", "Architecture": "amd64"}},
            }));
            let line = json!({"start": {"line": lines.len()}, "end": {"line": lines.len()}});
            locations.insert(
                format!("step{id}"),
                json!({"locations": [{"ranges": [line]}]}),
            );
            log.push(vertex(
                id,
                value,
                &format!("[stage{stage} {at}/9] RUN {command}"),
            ));
        }
        ends.push(found.len() - 1);
    }
    // The last step takes something out of each stage.
    let id = found.len();
    let inputs: Vec<String> = ends.iter().map(|end| format!("step{end}:0")).collect();
    let mounts: Vec<Value> = (0..inputs.len())
        .map(|input| {
            let dest = if input == 0 {
                "/".to_owned()
            } else {
                format!("/from{input}")
            };
            json!({"input": input, "dest": dest, "output": if input == 0 { 0 } else { -1 }})
        })
        .collect();
    found.push(
        json!({"id": format!("step{id}"), "inputs": inputs, "op": {"Op": {"exec": {
        "meta": {"args": ["last"], "cwd": "/"}, "mounts": mounts}}}}),
    );
    log.push(vertex(id, value, "[last 1/1] RUN last"));
    found.push(json!({"id": "end", "inputs": [format!("step{id}:0")], "op": {}}));
    let mapping = (0..=id).map(|id| (digest(id, value), Value::from(format!("step{id}"))));
    let mapping: Map<String, Value> = mapping.collect();
    let text = base64::encode(lines.join("\n").as_bytes());
    let provenance = json!({
        "buildType": "https://mobyproject.org/buildkit@v1",
        "buildConfig": {"llbDefinition": found, "digestMapping": mapping},
        "invocation": {"parameters": {"args": {}}, "environment": {"platform": "linux/amd64"}},
        "metadata": {"https://mobyproject.org/buildkit@v1#metadata": {"source": {
            "infos": [{"filename": "Dockerfile", "data": text}], "locations": locations}}},
    });
    let log: Vec<String> = log
        .into_iter()
        .map(|vertex| json!({"vertexes": [vertex]}).to_string())
        .collect();
    (provenance.to_string(), log.join("\n"))
}

fn digest(id: usize, value: &str) -> String {
    sha256(format!("{id} {value}").as_bytes()).to_string()
}

fn vertex(id: usize, value: &str, name: &str) -> Value {
    json!({"digest": digest(id, value), "name": name,
        "started": "2026-01-01T00:00:00Z", "completed": "2026-01-01T00:00:01Z"})
}
