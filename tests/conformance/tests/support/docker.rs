//! Images, steps and platforms of Docker, and what is said of a step as text.

use layerwise::docker::{Answer, CacheFrom, Options, Session, Step};
use layerwise::error::Error;
use layerwise::explain::{Difference, Explanation, Finding};
use layerwise::oci::Platform;
use layerwise::semantics::{Reading, Semantics};
use layerwise_stores::Memory;

/// An image of one command, made at `created`.
pub fn image(command: &str, created: &str, more: &str) -> String {
    format!(
        r#"{{"created":"{created}","os":"linux","architecture":"amd64","container_config":{{"Cmd":["{command}"]{more}}},
        "config":{{}},"history":[{{"created_by":"{command}"}}],"rootfs":{{"type":"layers","diff_ids":["sha256:1"]}}}}"#
    )
}

pub const OLD: &str = "2024-01-01T00:00:00Z";
pub const NEW: &str = "2024-01-02T00:00:00Z";

pub fn step(config: &str) -> Step {
    Step {
        parent: None,
        config: Some(config.to_owned()),
        platform: platform("linux/amd64"),
        last: false,
    }
}

/// `os/architecture/variant`.
pub fn platform(name: &str) -> Platform {
    let mut parts = name.split('/').map(ToOwned::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    Platform {
        os: next(),
        architecture: next(),
        variant: next(),
        ..Platform::default()
    }
}

pub fn windows(version: &str) -> Platform {
    Platform {
        os_version: version.to_owned(),
        ..platform("windows/amd64")
    }
}

/// The guarded reading of a version.
pub fn guarded(version: &str) -> Semantics {
    Semantics {
        reading: Reading::Guarded,
        version: Some(version.to_owned()),
    }
}

pub fn trusted(reference: &str) -> Vec<CacheFrom> {
    vec![CacheFrom {
        reference: reference.to_owned(),
        trusted: true,
    }]
}

/// The answer about a step, and its explanation.
pub fn asked(
    store: &Memory,
    options: &Options,
    step: &Step,
) -> (Result<Answer, Error>, Explanation) {
    let mut session = Session::open(store, options.clone()).unwrap();
    let explained = session.explain(step).unwrap();
    (session.lookup(step), explained)
}

/// A finding as one line.
pub fn line(finding: &Finding) -> String {
    let code = finding.code.trim_start_matches("docker/");
    let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let difference = |d: &Difference| format!(" {}={}|{}", d.path, side(&d.have), side(&d.want));
    let list: String = finding.differences.iter().map(difference).collect();
    let hint = finding.hint.as_ref().map(|hint| format!(" ({hint})"));
    format!("{code}{list}{}", hint.unwrap_or_default())
}

pub fn lines<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<String> {
    findings.into_iter().map(line).collect()
}
