//! Vectors of the stacker build cache, recorded from the real stacker.

mod cases;
mod native;
mod scenario;
mod shared;
mod subject;
mod tree;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::{Map, Value};

use crate::report::Report;

use shared::{Head, same};

pub use native::Native;
pub use subject::{Cache, Subject};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    generated_with: Map<String, Value>,
    cases: Vec<Map<String, Value>>,
}

/// Runs a vector file.
///
/// # Errors
/// When it is not a file of this format.
pub fn run(text: &str, subject: &dyn Subject) -> Result<Report, serde_json::Error> {
    let file: File = serde_json::from_str(text)?;
    if file.format != "stacker-conformance/1"
        || file.generated_with.is_empty()
        || file.cases.is_empty()
    {
        let message = format!("not a stacker vector file: {}", file.format);
        return Err(serde_json::Error::custom(message));
    }
    let mut report = Report::default();
    for (index, mut case) in file.cases.into_iter().enumerate() {
        let mut head = Map::new();
        for name in ["id", "kind", "about", "version", "upstream", "expect"] {
            head.extend(case.remove(name).map(|value| (name.to_owned(), value)));
        }
        let head: Head = match serde_json::from_value(Value::Object(head)) {
            Ok(head) => head,
            Err(error) => {
                report.case(&format!("cases[{index}]"), |check| {
                    check.fail("format", "a case", error.to_string());
                });
                continue;
            }
        };
        report.case(&head.id, |check| {
            let outcome = if head.kind == "scenario" {
                scenario::run(subject, &head, case, check)
            } else {
                cases::run(subject, &head, case)
                    .map(|actual| same(check, "answer", &head.expect, &actual))
            };
            if let Err(error) = outcome {
                check.fail("format", "a case of a known kind", error);
            }
        });
    }
    Ok(report)
}
