//! `POST /v1/buildkit/verify`: what is wrong with a cache. `POST /v1/buildkit/why`: why
//! the steps of a build ran again.

use std::sync::Arc;

use layerwise::buildkit::{
    self, Evidence, Input, Report, Severity, Standing, Statistics, Verdict, severity,
};
use layerwise::builds::answer::Reasons;
use layerwise::builds::read::assemble::{self, Document as Part, Form, Options, Read};
use layerwise::builds::redact::Values;
use layerwise::builds::{self, Asked, State};
use layerwise::explain::Finding;
use layerwise::host::{Registry as _, Silent};
use layerwise::oci::Descriptor;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{Refusal, parse};
use crate::files::Files;
use crate::http::Response;
use crate::registry::Remote;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "buildkit-verify-request")]
pub struct Wanted {
    /// A cache in a registry: `host/name:tag`.
    #[serde(default)]
    cache: Option<String>,
    /// A config that no manifest goes with.
    #[serde(default)]
    config: Option<Box<RawValue>>,
    /// The descriptors of its layers, a list.
    #[serde(default)]
    descriptors: Option<Box<RawValue>>,
    /// Also list every record with its verdict.
    #[serde(default)]
    records: bool,
}

/// The document of `layerwise buildkit verify --json`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    command: &'static str,
    cache: &'a str,
    repository: &'a str,
    manifest: Option<Descriptor>,
    kind: &'a str,
    config: &'a str,
    inline: bool,
    layers: Evidence,
    /// Of a directory only.
    orphans: Option<()>,
    statistics: &'a Statistics,
    standings: Standings,
    /// Of steps, where a build was named.
    names: Option<()>,
    severities: Severities,
    findings: Vec<Graded<'a>>,
    records: Option<&'a [Verdict]>,
}

#[derive(Default, Serialize)]
struct Standings {
    hit: usize,
    broken: usize,
    key: usize,
    dead: usize,
}

#[derive(Serialize)]
struct Severities {
    error: usize,
    warning: usize,
    information: usize,
}

#[derive(Serialize)]
struct Graded<'a> {
    severity: Severity,
    #[serde(flatten)]
    finding: &'a Finding,
}

/// Verifies.
pub fn verify(body: &[u8], remote: &Arc<Remote<'_>>) -> Result<Response, Refusal> {
    let wanted: Wanted = parse(body)?;
    match (&wanted.cache, &wanted.config) {
        (Some(cache), None) if wanted.descriptors.is_none() => {
            let repository = remote.locate(cache).map_err(Refusal::from)?;
            let manifest = remote.one(cache)?;
            let input = Input::Manifest {
                registry: &**remote,
                observer: &Silent,
                repository: &repository,
                descriptor: &manifest,
            };
            let report = buildkit::inspect(input, false, &[])?;
            Ok(verified(
                &report,
                cache,
                &repository,
                Some(manifest),
                wanted.records,
            ))
        }
        (None, Some(config)) => {
            let input = Input::Config {
                text: config.get(),
                descriptors: wanted.descriptors.as_deref().map(RawValue::get),
            };
            let report = buildkit::inspect(input, false, &[])?;
            Ok(verified(&report, "", "request", None, wanted.records))
        }
        _ => Err(Refusal::usage(
            "expected either a cache, or a config with its descriptors",
        )),
    }
}

fn verified(
    report: &Report,
    cache: &str,
    repository: &str,
    manifest: Option<Descriptor>,
    records: bool,
) -> Response {
    let mut findings: Vec<Graded<'_>> = report
        .findings
        .iter()
        .map(|finding| Graded {
            severity: severity(&finding.code).unwrap_or(Severity::Warning),
            finding,
        })
        .collect();
    findings.sort_by_key(|graded| std::cmp::Reverse(graded.severity));
    let count = |wanted| findings.iter().filter(|one| one.severity == wanted).count();
    let severities = Severities {
        error: count(Severity::Error),
        warning: count(Severity::Warning),
        information: count(Severity::Information),
    };
    let of = |wanted| {
        let verdicts = report.verdicts.iter();
        verdicts.filter(|one| one.standing == wanted).count()
    };
    Response::json(
        200,
        &Document {
            schema: "layerwise/buildkit-cache/1",
            command: "verify",
            cache,
            repository,
            manifest,
            kind: &report.kind,
            config: &report.config,
            inline: report.inline,
            layers: report.layers,
            orphans: None,
            statistics: &report.statistics,
            standings: Standings {
                hit: of(Standing::Hit),
                broken: of(Standing::Broken),
                key: of(Standing::Key),
                dead: of(Standing::Dead),
            },
            names: None,
            severities,
            findings,
            records: records.then_some(&*report.verdicts),
        },
    )
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "buildkit-why-request")]
pub struct Pair {
    build: Build,
    against: Build,
}

/// What is known of a build.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "build")]
struct Build {
    documents: Vec<Given>,
    #[serde(default)]
    target: Option<String>,
    #[serde(default)]
    engine: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "build-document")]
struct Given {
    form: GivenForm,
    content: String,
}

/// How a document crosses, see `wit/builds.wit`.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "build-document-form")]
enum GivenForm {
    Text,
    Log,
    Record,
    Definition,
}

/// The answer of `why` of `wit/builds.wit`, as JSON.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "service-why")]
pub struct WhyDocument<'a> {
    schema: &'static str,
    steps: Vec<Step<'a>>,
    causes: Vec<Cause<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "service-why-step")]
struct Step<'a> {
    vertex: &'a str,
    name: &'a str,
    kind: &'a str,
    platform: &'a str,
    lines: Vec<[u32; 2]>,
    inputs: &'a [u32],
    state: &'static str,
    spent: Option<i64>,
    root: bool,
    unseen: bool,
    #[schemars(schema_with = "findings")]
    findings: &'a [Finding],
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "service-why-cause")]
struct Cause<'a> {
    #[schemars(schema_with = "finding")]
    finding: &'a Finding,
    steps: &'a [u32],
    follow: &'a [u32],
    lost: i64,
}

/// Explains.
pub fn why(body: &[u8], _: &Arc<Remote<'_>>) -> Result<Response, Refusal> {
    let pair: Pair = parse(body)?;
    let (new, old) = (read(&pair.build)?, read(&pair.against)?);
    let asked = Asked::default();
    let reasons = builds::explain(
        &Files::default(),
        (&old, &new),
        &[],
        &asked,
        Values::NotSecret,
    )?;
    Ok(explained(&reasons))
}

fn read(build: &Build) -> Result<Read, Refusal> {
    let parts = build.documents.iter().map(|given| Part {
        form: match given.form {
            GivenForm::Text => Form::Text,
            GivenForm::Log => Form::Log,
            GivenForm::Record => Form::Record,
            GivenForm::Definition => Form::Definition,
        },
        content: &given.content,
    });
    let parts: Vec<Part<'_>> = parts.collect();
    let options = Options {
        target: build.target.clone(),
        engine: build.engine.clone(),
        limits: Vec::new(),
    };
    Ok(assemble::read(&parts, &options)?)
}

fn explained(reasons: &Reasons) -> Response {
    let steps = reasons.verdicts.iter().map(|verdict| {
        let step = &verdict.step;
        Step {
            vertex: &step.vertex,
            name: &step.name,
            kind: &step.kind,
            platform: &step.platform,
            lines: step
                .lines
                .iter()
                .map(|lines| [lines.first, lines.last])
                .collect(),
            inputs: &step.inputs,
            state: state(step.state),
            spent: step.spent,
            root: verdict.root,
            unseen: verdict.unseen,
            findings: &verdict.findings,
        }
    });
    let causes = reasons.causes.iter().map(|cause| Cause {
        finding: &cause.finding,
        steps: &cause.steps,
        follow: &cause.follow,
        lost: cause.lost,
    });
    Response::json(
        200,
        &WhyDocument {
            schema: "layerwise/service-why/1",
            steps: steps.collect(),
            causes: causes.collect(),
        },
    )
}

const fn state(state: State) -> &'static str {
    match state {
        State::Failed => "failed",
        State::Cached => "cached",
        State::Ran => "ran",
        State::Resolved => "resolved",
        State::Unneeded => "unneeded",
        State::Unknown => "unknown",
    }
}

/// The schema of a finding, which is in the documents of the command line.
fn finding(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"$ref": "#/components/schemas/finding"})
}

/// The schema of a list of findings.
fn findings(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": {"$ref": "#/components/schemas/finding"}})
}
