//! Provenance of a build, as BuildKit writes it: the definition of every step, the
//! Dockerfile with the lines of the steps, what was resolved (Builds spec, section 1.3).
//!
//! Versions 0.2 and 1 of the predicate say the same in other places; either may be in a
//! statement of in-toto.

use serde::Deserialize;
use serde_json::Value;

use super::bad::Bad;
use crate::base64;
use crate::builds::model::{Definition, Dependency, Dockerfile, Input, Lines, Op, OpKind, Step};
use crate::limits::{Limit, Limits};
use crate::oci::Platform;
use crate::prelude::*;

/// A statement, or a predicate of either version.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Document {
    predicate: Option<Box<Document>>,
    build_definition: Option<BuildDefinition>,
    run_details: Option<RunDetails>,
    build_config: Option<BuildConfig>,
    invocation: Option<Invocation>,
    metadata: Option<Metadata>,
    materials: Option<Vec<Resolved>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BuildDefinition {
    resolved_dependencies: Option<Vec<Resolved>>,
    external_parameters: Option<External>,
    internal_parameters: Option<Internal>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct External {
    request: Option<Request>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Internal {
    build_config: Option<BuildConfig>,
    builder_platform: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RunDetails {
    metadata: Option<Metadata>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Invocation {
    parameters: Option<Request>,
    environment: Option<Environment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Environment {
    platform: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Request {
    args: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    #[serde(
        rename = "buildkit_metadata",
        alias = "https://mobyproject.org/buildkit@v1#metadata"
    )]
    buildkit: Option<BuildkitMetadata>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BuildkitMetadata {
    source: Option<Sources>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sources {
    infos: Option<Vec<SourceInfo>>,
    locations: Option<BTreeMap<String, Locations>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SourceInfo {
    filename: String,
    data: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Locations {
    locations: Option<Vec<Location>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Location {
    source_index: usize,
    ranges: Option<Vec<Range>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Range {
    start: Position,
    end: Position,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Position {
    line: u32,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BuildConfig {
    llb_definition: Option<Vec<StepOf>>,
    digest_mapping: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StepOf {
    id: String,
    op: OpOf,
    inputs: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OpOf {
    #[serde(rename = "Op")]
    op: Option<BTreeMap<String, Value>>,
    platform: Option<PlatformOf>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PlatformOf {
    #[serde(rename = "OS")]
    os: String,
    #[serde(rename = "Architecture")]
    architecture: String,
    #[serde(rename = "Variant")]
    variant: String,
    #[serde(rename = "OSVersion")]
    os_version: String,
    #[serde(rename = "OSFeatures")]
    os_features: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resolved {
    uri: String,
    digest: Option<BTreeMap<String, String>>,
}

/// What the two versions say alike.
struct Parts {
    config: Option<BuildConfig>,
    request: Option<Request>,
    metadata: Option<Metadata>,
    resolved: Option<Vec<Resolved>>,
    platform: String,
}

/// Reads a predicate, or the statement around one.
///
/// # Errors
/// If it is neither, `Unsupported` if it has no definition, or above a limit.
pub fn of_text<const N: usize>(text: &str, limits: &Limits<N>) -> Result<Definition, Bad> {
    let document: Document = serde_json::from_str(text).map_err(|error| Bad::json(&error))?;
    let parts = Parts::of(document);
    let config = parts.config.unwrap_or_default();
    let Some(found) = config.llb_definition else {
        return Err(Bad::Unsupported(
            "it has no definition of the steps: only provenance with mode=max has",
        ));
    };
    if found.len() as u64 > limits.get(Limit::Entries) {
        return Err(Bad::Above(Limit::Entries));
    }
    let mut vertices: BTreeMap<String, String> = config
        .digest_mapping
        .into_iter()
        .flatten()
        .map(|(vertex, id)| (id, vertex))
        .collect();
    let buildkit = parts.metadata.and_then(|metadata| metadata.buildkit);
    let sources = buildkit.and_then(|buildkit| buildkit.source);
    let sources = sources.unwrap_or_default();
    let mut locations = sources.locations.unwrap_or_default();
    let mut places = BTreeMap::new();
    let mut steps = Vec::with_capacity(found.len());
    for step in found {
        let mut inputs = Vec::new();
        for input in step.inputs.into_iter().flatten() {
            inputs.push(self::input(&input, &places)?);
        }
        places.insert(step.id.clone(), steps.len());
        steps.push(Step {
            vertex: vertices.remove(&step.id),
            op: op(step.op)?,
            inputs,
            lines: locations.remove(&step.id).map(lines).unwrap_or_default(),
            ignore_cache: false,
        });
    }
    Ok(Definition {
        steps,
        dependencies: parts
            .resolved
            .into_iter()
            .flatten()
            .map(|one| Dependency {
                uri: one.uri,
                digest: one.digest.unwrap_or_default(),
            })
            .collect(),
        dockerfile: dockerfile(sources.infos)?,
        args: parts
            .request
            .and_then(|request| request.args)
            .unwrap_or_default(),
        platform: platform(&parts.platform),
    })
}

impl Parts {
    fn of(mut document: Document) -> Self {
        // A statement of a statement is none, and looked into no further than this.
        if let Some(predicate) = document.predicate.take() {
            document = *predicate;
        }
        let Some(definition) = document.build_definition else {
            let invocation = document.invocation.unwrap_or_default();
            return Self {
                config: document.build_config,
                request: invocation.parameters,
                metadata: document.metadata,
                resolved: document.materials,
                platform: invocation.environment.unwrap_or_default().platform,
            };
        };
        let internal = definition.internal_parameters.unwrap_or_default();
        Self {
            config: internal.build_config,
            request: definition
                .external_parameters
                .and_then(|external| external.request),
            metadata: document.run_details.and_then(|details| details.metadata),
            resolved: definition.resolved_dependencies,
            platform: internal.builder_platform,
        }
    }
}

/// An input, such as `step3:0`, of an earlier step.
fn input(text: &str, places: &BTreeMap<String, usize>) -> Result<Input, Bad> {
    let (id, output) = text.rsplit_once(':').unwrap_or((text, "0"));
    let output = output.parse();
    let output = output.map_err(|_| Bad::Form("an input of a step has no number"))?;
    let step = places.get(id).copied();
    let step = step.ok_or(Bad::Form("an input of a step is no earlier step"))?;
    Ok(Input { step, output })
}

fn op(found: OpOf) -> Result<Op, Bad> {
    let mut members = found.op.into_iter().flatten();
    let (kind, message) = match (members.next(), members.next()) {
        (None, _) => (OpKind::Result, Value::Null),
        (Some((name, message)), None) => {
            let kind = match name.as_str() {
                "pass" => Some(OpKind::Passthrough),
                name => OpKind::of(name),
            };
            let kind = kind.ok_or(Bad::Unsupported("a step is of a kind that is not known"))?;
            (kind, message)
        }
        _ => return Err(Bad::Form("a step is of two kinds")),
    };
    Ok(Op {
        kind,
        message,
        platform: found.platform.map(Into::into),
    })
}

/// The lines in the first file, which is the Dockerfile.
fn lines(found: Locations) -> Vec<Lines> {
    let locations = found.locations.into_iter().flatten();
    let first = locations.filter(|location| location.source_index == 0);
    let ranges = first.flat_map(|location| location.ranges.into_iter().flatten());
    ranges
        .filter(|range| range.start.line > 0)
        .map(|range| Lines {
            first: range.start.line,
            last: range.end.line.max(range.start.line),
        })
        .collect()
}

fn dockerfile(infos: Option<Vec<SourceInfo>>) -> Result<Option<Dockerfile>, Bad> {
    let Some(info) = infos.into_iter().flatten().next() else {
        return Ok(None);
    };
    let bytes = base64::decode(&info.data).ok_or(Bad::Base64)?;
    Ok(Some(Dockerfile {
        name: info.filename,
        text: String::from_utf8_lossy(&bytes).into_owned(),
    }))
}

/// A platform such as `linux/arm/v7`.
fn platform(text: &str) -> Platform {
    let mut parts = text.split('/').map(ToOwned::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    Platform {
        os: next(),
        architecture: next(),
        variant: next(),
        ..Platform::default()
    }
}

impl From<PlatformOf> for Platform {
    fn from(found: PlatformOf) -> Self {
        Self {
            os: found.os,
            architecture: found.architecture,
            variant: found.variant,
            os_version: found.os_version,
            os_features: found.os_features.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests;
