//! BuildKit: a step that a cache answers, and one whose source is another.

use layerwise::buildkit::{Query, Reason};
use layerwise::explain::Explanation;
use layerwise::oci::sha256;
use layerwise::semantics::Semantics;
use layerwise_host::{Engine, Imports, SessionLimits};
use serde::Serialize;
use serde_json::json;

use super::scene::{Scene, object};
use crate::failed::Failed;
use crate::why;

/// Cache digests of `FROM base` and of `RUN make` on it.
const BASE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const MAKE: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
/// The blob and the uncompressed bytes of the layer that `RUN make` made.
const BLOB: &str = "sha256:3333333333333333333333333333333333333333333333333333333333333333";
const DIFF: &str = "sha256:4444444444444444444444444444444444444444444444444444444444444444";

/// What a scene asks.
struct Ask {
    title: &'static str,
    command: &'static str,
    selector: &'static str,
}

const HIT: Ask = Ask {
    title: "a step that a remote cache has",
    command: "buildkit explain registry.example/app:cache --vertex MAKE --record BASE \
              --selector /src",
    selector: "/src",
};

const MISS: Ask = Ask {
    title: "the same step on another directory of its source, and why it has to run",
    command: "buildkit explain registry.example/app:cache --vertex MAKE --record BASE \
              --selector /lib",
    selector: "/lib",
};

/// What was answered.
#[derive(Serialize)]
struct Members {
    /// Names of the records that were found.
    records: Option<Vec<String>>,
    explanation: Option<Explanation>,
}

/// The scenes.
pub fn scenes(engine: &Engine) -> Result<Vec<Scene>, Failed> {
    [HIT, MISS].iter().map(|ask| scene(engine, ask)).collect()
}

fn scene(engine: &Engine, ask: &Ask) -> Result<Scene, Failed> {
    let session = engine.buildkit(Imports::default(), SessionLimits::default())?;
    let base = record(BASE);
    let config = json!({
        "layers": [{"blob": BLOB, "parent": -1}],
        "records": [
            {"digest": base},
            {"layers": [{"layer": 0, "createdAt": "2026-01-02T03:04:05Z"}],
             "digest": record(MAKE), "inputs": [[{"selector": "/src", "link": 0}]]},
        ],
    });
    let listed = json!([{
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": BLOB, "size": 7,
        "annotations": {"containerd.io/uncompressed": DIFF},
    }]);
    let cache = session.parse(
        &config.to_string(),
        &listed.to_string(),
        &Semantics::default(),
        &[],
    )?;
    let query = Query {
        record: Some(base),
        digest: MAKE.to_owned(),
        selector: ask.selector.to_owned(),
        ..Query::default()
    };
    let records = cache.lookup(&query)?;
    let members = if records.is_empty() {
        Members {
            records: None,
            explanation: Some(cache.explain(&query)?),
        }
    } else {
        Members {
            records: Some(records),
            explanation: None,
        }
    };
    let command = ask.command;
    Ok(Scene {
        system: "buildkit",
        title: ask.title,
        command,
        members: object(&members)?,
        show: Box::new(move |page| {
            page.rows(2, &[["call", command]]);
            page.indented(2, |page| {
                for name in members.records.iter().flatten() {
                    page.line(&format!("{}  {name}", Reason::Hit.as_str()));
                }
                if let Some(explanation) = &members.explanation {
                    why::explanation(page, explanation, &[]);
                }
            });
        }),
    })
}

/// The digest of the record of a vertex's first output.
fn record(vertex: &str) -> String {
    sha256(format!("{vertex}@0").as_bytes()).to_string()
}
