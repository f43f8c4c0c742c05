//! How long it takes to say why: 20 stages and 1,000 steps, of which one changed.
//!
//! `cargo run --example why_speed -p layerwise-conformance`; with `--release` for
//! what a program of a user takes.

use std::time::Instant;

use layerwise::builds::testing::{Question, answer};
use serde_json::{Value, json};

const STAGES: u32 = 20;
const STEPS: u32 = 1_000;

fn main() {
    let document = json!({
        "old": build("make"),
        "new": build("make all"),
        "images": {},
        "imported": false,
        "changed": [],
    })
    .to_string();
    for _ in 0..5 {
        let start = Instant::now();
        let length = answer(Question::Why, &document).map_or(0, |answer| answer.len());
        println!("{} ms, {length} bytes", start.elapsed().as_millis());
    }
}

/// A build whose first stage runs this command; each stage copies from the one before.
fn build(command: &str) -> Value {
    let mut steps = vec![json!({"id": "step0", "op": {
        "Op": {"source": {"identifier": format!("docker-image://a:1@sha256:{:064x}", 1)}},
        "platform": {"OS": "linux", "Architecture": "amd64"},
    }})];
    let mut lines = Vec::new();
    let mut mapping = serde_json::Map::new();
    let mut locations = serde_json::Map::new();
    let mut status = String::new();
    let each = STEPS / STAGES;
    for step in 1..=STEPS {
        let (stage, at) = ((step - 1) / each, (step - 1) % each);
        let before = if at == 0 { 0 } else { step - 1 };
        let id = format!("step{step}");
        let vertex = format!("sha256:{step:064x}");
        if at == 0 && stage > 0 {
            steps.push(json!({"id": id, "op": {"Op": {"file": {"actions": [{
                "Action": {"copy": {"src": "/out", "dest": "/in", "mode": -1, "timestamp": -1}},
                "input": 0, "secondaryInput": 1, "output": 0,
            }]}}}, "inputs": ["step0:0", format!("step{}:0", step - 1)]}));
        } else {
            let command = if step == 1 {
                command.to_owned()
            } else {
                format!("echo {step}")
            };
            steps.push(json!({"id": id, "op": {"Op": {"exec": {
                "meta": {"args": ["/bin/sh", "-c", command], "cwd": "/", "env": ["PATH=/bin"]},
                "mounts": [{"dest": "/"}],
            }}, "platform": {"OS": "linux", "Architecture": "amd64"}},
            "inputs": [format!("step{before}:0")]}));
        }
        lines.push(format!("RUN {step}"));
        let place = json!({"line": step});
        locations.insert(
            id.clone(),
            json!({"locations": [{"ranges": [{"start": place, "end": place}]}]}),
        );
        mapping.insert(vertex.clone(), Value::from(id));
        let name = format!("[stage-{stage} {at}/{each}] RUN {step}");
        let vertex = json!({"digest": vertex, "name": name,
            "started": "2026-11-30T01:24:13Z", "completed": "2026-11-30T01:24:14Z"});
        status.push_str(&format!("{}\n", json!({"vertexes": [vertex]})));
    }
    let text = lines.join("\n");
    let predicate = json!({
        "buildConfig": {"llbDefinition": steps, "digestMapping": mapping},
        "metadata": {"https://mobyproject.org/buildkit@v1#metadata": {"source": {
            "infos": [{"filename": "Dockerfile", "data": layerwise::base64::encode(text.as_bytes())}],
            "locations": locations,
        }}},
    });
    json!({"engine": "0.32.2", "provenance": [predicate.to_string()], "log": null,
        "status": status, "folders": {}})
}
