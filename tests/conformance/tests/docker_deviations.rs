//! Where the guarded reading may answer otherwise than a vector says, it has to
//! give the answer that goes with its reason, not just any.

use layerwise::docker::{Answer, Options, Outcome, Step};
use layerwise::error::Error;
use layerwise::explain::{Explanation, Finding};
use layerwise::oci::sha256;
use layerwise_conformance::docker::{Functions, Native, Session, SharedStore, Subject, run_moby};
use serde_json::json;

/// The library, but guarded it only ever misses, whatever it says.
struct AlwaysMisses;

struct Misses(Box<dyn Session>);

fn missed(answer: Answer) -> Answer {
    Answer {
        outcome: Outcome::Miss,
        image: None,
        source: None,
        effects: Vec::new(),
        ..answer
    }
}

impl Session for Misses {
    fn lookup(&mut self, step: &Step) -> Result<Answer, Error> {
        self.0.lookup(step).map(missed)
    }

    fn plan(&mut self, step: &Step) -> Result<Answer, Error> {
        self.0.plan(step).map(missed)
    }

    fn replay(&mut self, steps: &[Step]) -> Result<Vec<Answer>, Error> {
        self.0.replay(steps)
    }

    fn explain(&mut self, step: &Step) -> Result<Explanation, Error> {
        self.0.explain(step)
    }

    fn sources(&mut self) -> Result<Vec<String>, Error> {
        self.0.sources()
    }

    fn skipped(&mut self) -> Result<Vec<Finding>, Error> {
        self.0.skipped()
    }
}

impl Subject for AlwaysMisses {
    fn open(&self, store: SharedStore, options: Options) -> Result<Box<dyn Session>, Error> {
        let guarded = options.semantics.is_guarded();
        let session = Native.open(store, options)?;
        Ok(if guarded {
            Box::new(Misses(session))
        } else {
            session
        })
    }

    fn functions(&self) -> &dyn Functions {
        &Native
    }
}

#[test]
fn a_reason_allows_one_answer() {
    let image = |author: &str| {
        let document = json!({
            "created": "2024-01-01T00:00:00Z", "os": "linux", "architecture": "amd64",
            "author": author, "container_config": {"Cmd": ["a"]}, "rootfs": {"type": "layers"},
        });
        let text = document.to_string();
        (sha256(text.as_bytes()).to_string(), text)
    };
    let mut images = [image("one"), image("two")];
    images.sort();
    images.reverse();
    let verdict = |place: usize, verdict: &str| json!({"id": images[place].0, "verdict": verdict});
    let listed: Vec<_> = images
        .iter()
        .map(|(id, raw)| json!({"id": id, "raw": raw, "parent": "", "built_locally": true}))
        .collect();
    // Equally new, and the first one listed has the larger id.
    let vector = json!({
        "format": "moby-image-cache-vectors/1", "upstream": {}, "pure": {}, "cases": [{
            "name": "tie", "order_dependent": true, "cache_from": [], "store": {"images": listed},
            "open": {"error": null, "error_kind": null, "sources": [], "skipped": []},
            "steps": [{
                "parent": "", "config": {"Cmd": ["a"]},
                "platform": {"os": "linux", "architecture": "amd64"},
            }],
            "expect": [{
                "id": images[0].0, "error": null, "error_kind": null, "effects": [],
                "explain": {
                    "local_id": images[0].0, "local_used": true, "sources": [],
                    "local": [verdict(0, "selected"), verdict(1, "not_newest")],
                },
            }],
        }],
    });
    let passes = |subject: &dyn Subject, vector: &str| {
        let report = run_moby(vector, subject).unwrap();
        (report.passed, report.failed)
    };
    let vector = vector.to_string();
    assert_eq!(passes(&Native, &vector), (2, 0));
    assert_eq!(passes(&AlwaysMisses, &vector), (1, 1));
    // Without a reason there is no other answer at all.
    let ordered = vector.replace(r#""order_dependent":true"#, r#""order_dependent":false"#);
    assert_eq!(passes(&Native, &ordered), (1, 1));
}
