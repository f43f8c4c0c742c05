//! Every reader of what a build left behind, on any bytes.

use layerwise::base64;
use layerwise::builds::Vertex;
use layerwise::builds::read::assemble::{self, Document, Form, Options};
use layerwise::builds::read::record::Record;
use layerwise::builds::read::{contents, daemon, folder, parts, status};
use layerwise::builds::redact::Values;
use layerwise::go_json::{Timestamp, Zone};
use layerwise::limits::{Limit, Limits};
use serde_json::json;

const LIMITS: Limits<1> = Limits::new([(Limit::Entries, 10_000)]);

/// Binary documents: no panic, and a log says the same as lines of progress.
pub fn messages(bytes: &[u8]) {
    if let Ok(vertices) = status::of_log(bytes, &LIMITS)
        && let Some(lines) = lines(&vertices)
    {
        let again = status::of_progress(&lines, &LIMITS);
        assert_eq!(again, Ok(vertices), "a log, printed as progress and read");
    }
    if let Ok(record) = Record::of_message(bytes) {
        let parts = parts::of_record(&record);
        assert!(parts.len() <= record.attestations.len() + 1);
    }
    let text = base64::encode(bytes);
    let entries = contents::entries(bytes, &LIMITS);
    let tree = folder::digests(&text, &LIMITS);
    assert!(
        entries.is_ok() || tree.is_err(),
        "what is no list is no tree"
    );
    for form in [Form::Log, Form::Record, Form::Definition] {
        read(form, &text);
    }
}

/// Documents as text: no panic; nothing is left of what looks secret.
pub fn texts(text: &str) {
    read(Form::Text, text);
    let _ = daemon::daemon(text);
    const SECRET: &str = "zq9w7x5v3";
    let shown = Values::NotSecret.text(&format!("{text} API_TOKEN={SECRET}"));
    assert!(
        !shown.contains(SECRET) || text.contains(SECRET),
        "a secret is hidden"
    );
}

fn read(form: Form, content: &str) {
    let document = Document { form, content };
    let _ = assemble::parts(document, &[]);
    let Ok(read) = assemble::read(&[document], &Options::default()) else {
        return;
    };
    let steps = layerwise::builds::steps(&read);
    for (at, step) in steps.iter().enumerate() {
        let mut inputs = step.inputs.iter();
        assert!(
            inputs.all(|input| usize::try_from(*input).is_ok_and(|input| input < at)),
            "inputs come first"
        );
    }
}

/// Vertices as lines of progress; `None` if a time has no text.
fn lines(vertices: &[Vertex]) -> Option<String> {
    let time = |time: Option<i64>| match time {
        None => Some(None),
        Some(time) => {
            let time = Timestamp {
                seconds: time.div_euclid(1_000_000_000),
                nanoseconds: u32::try_from(time.rem_euclid(1_000_000_000)).ok()?,
                zone: Zone::Zulu,
            };
            Some(Some(time.to_text()?))
        }
    };
    let mut lines = String::new();
    for vertex in vertices {
        let event = json!({
            "digest": vertex.digest,
            "inputs": vertex.inputs,
            "name": vertex.name,
            "cached": vertex.cached,
            "started": time(vertex.started)?,
            "completed": time(vertex.completed)?,
            "error": vertex.error.clone().unwrap_or_default(),
        });
        lines.push_str(&json!({"vertexes": [event]}).to_string());
        lines.push('\n');
    }
    Some(lines)
}
