//! What a benchmark measured, for `.ci/bench`: a file with a line of JSON for each row.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

/// Forgets what this benchmark measured before.
pub fn begin() {
    let path = path();
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).expect("a directory in cargo's target directory");
    }
    fs::write(path, "").expect("an empty file in cargo's target directory");
}

/// Keeps one row: how long it took natively, and, where that was measured in the same run,
/// through the component and with upstream's own code.
pub fn keep(name: &str, native: Duration, component: Option<Duration>, upstream: Option<Duration>) {
    let row = json!({
        "name": name,
        "native": nanoseconds(native),
        "component": component.map(nanoseconds),
        "upstream": upstream.map(nanoseconds),
    });
    let file = OpenOptions::new().append(true).open(path());
    writeln!(file.expect("begun"), "{row}").expect("written");
}

/// Where the rows are.
fn path() -> PathBuf {
    let bench = env!("CARGO_CRATE_NAME");
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench/{bench}.jsonl"))
}

fn nanoseconds(time: Duration) -> Value {
    u64::try_from(time.as_nanos()).map_or(Value::Null, Value::from)
}
