//! Reads SLSA predicates as BuildKit writes them, v1 and v0.2 (Builds spec, section
//! 2).

use serde::Deserialize;
use serde_json::Value;

use super::model::{Definition, Dependency, Dockerfile, Input, Lines, Op, OpKind, Platform, Step};
use super::reason::Reason;
use crate::base64;
use crate::error::{Error, Excess, Problem};
use crate::paths;
use crate::prelude::*;

/// No predicate has more bytes.
pub const MOST_BYTES: usize = 64 << 20;
/// No definition has more steps.
pub const MOST_STEPS: usize = 100_000;
/// No definition has more inputs, of all its steps together.
pub const MOST_INPUTS: usize = 1_000_000;

/// Reads a predicate, or an in-toto statement with one in it.
///
/// # Errors
/// `corrupt` for text that is none, `unsupported` for one that has no definition
/// (mode=min, or another tool wrote it), `limit-exceeded`.
pub fn read_predicate(text: &str) -> Result<Definition, Error> {
    limit("predicate-bytes", MOST_BYTES, text.len())?;
    let document: Document = serde_json::from_str(text)
        .map_err(|error| corrupt(format!("it is not JSON of a predicate: {error}")))?;
    let document = document.predicate.map_or(document.body, |body| *body);
    let (config, args, platform, dependencies, metadata) = match document {
        Body {
            build_definition: Some(definition),
            run_details,
            ..
        } => {
            let internal = definition.internal_parameters;
            (
                internal.build_config,
                definition.external_parameters.request.args,
                internal.builder_platform,
                definition.resolved_dependencies,
                run_details.metadata.buildkit_metadata,
            )
        }
        Body {
            build_config: Some(config),
            invocation,
            materials,
            metadata,
            ..
        } => (
            Some(config),
            invocation.parameters.args,
            invocation.environment.platform,
            materials,
            metadata.buildkit,
        ),
        _ => return Err(unsupported()),
    };
    let config = config.filter(|config| !config.llb_definition.is_empty());
    let config = config.ok_or_else(unsupported)?;
    Ok(Definition {
        steps: steps(config, &metadata.source.locations)?,
        dependencies,
        dockerfile: metadata.source.infos.into_iter().next().map(dockerfile),
        args,
        platform: Platform::of(&platform),
    })
}

fn steps(config: BuildConfig, locations: &BTreeMap<String, Locations>) -> Result<Vec<Step>, Error> {
    limit("definition-steps", MOST_STEPS, config.llb_definition.len())?;
    let inputs = config.llb_definition.iter().map(|step| step.inputs.len());
    limit("definition-inputs", MOST_INPUTS, inputs.sum())?;
    let mut vertices: BTreeMap<String, String> = BTreeMap::new();
    for (vertex, id) in config.digest_mapping {
        vertices.insert(id, vertex);
    }
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut steps = Vec::with_capacity(config.llb_definition.len());
    for (at, step) in config.llb_definition.into_iter().enumerate() {
        let inputs = step.inputs.iter().map(|input| {
            let (id, output) = input.rsplit_once(':').unwrap_or((input, "0"));
            // INVARIANT: inputs are earlier steps, so that nothing goes in a circle.
            match (places.get(id), output.parse()) {
                (Some(step), Ok(output)) => Ok(Input {
                    step: *step,
                    output,
                }),
                _ => Err(corrupt(format!(
                    "input {input:?} of {:?} is not an output of an earlier step",
                    step.id
                ))),
            }
        });
        let inputs = inputs.collect::<Result<_, _>>()?;
        let lines = locations.get(&step.id).map(lines).unwrap_or_default();
        steps.push(Step {
            vertex: vertices.remove(&step.id),
            op: Op::read(step.op)?,
            inputs,
            lines,
        });
        places.insert(step.id, at);
    }
    Ok(steps)
}

fn lines(locations: &Locations) -> Vec<Lines> {
    let ranges = locations
        .locations
        .iter()
        .flat_map(|location| &location.ranges);
    let lines = ranges.map(|range| Lines {
        first: range.start.line,
        last: range.end.line.max(range.start.line),
    });
    lines.collect()
}

fn dockerfile(info: Info) -> Dockerfile {
    let bytes = base64::decode(&info.data).unwrap_or_default();
    Dockerfile {
        name: info.filename,
        text: paths::lossy(&bytes),
    }
}

impl Op {
    /// Reads an operation as records have it.
    ///
    /// # Errors
    /// `corrupt` if it has not the form of one, `unsupported` for a kind that is not
    /// known here.
    pub fn read(json: Value) -> Result<Self, Error> {
        let json: RawOp = serde_json::from_value(json)
            .map_err(|error| corrupt(format!("an operation has not the form of one: {error}")))?;
        let platform = json.platform.map(|platform| Platform {
            os: platform.os,
            architecture: platform.architecture,
            variant: platform.variant,
            os_version: platform.os_version,
            os_features: platform.os_features,
        });
        let mut members = json.op.unwrap_or_default().into_iter();
        let (kind, message) = match members.next() {
            Some((name, message)) => {
                let kind = OpKind::of(&name).ok_or_else(|| {
                    Error::Unsupported(Problem::new(
                        Reason::UnknownOperation.as_str(),
                        "read",
                        name.clone(),
                        "this kind of operation is not known here: read the record with a newer version",
                    ))
                })?;
                (kind, message)
            }
            None => (OpKind::Result, Value::Null),
        };
        Ok(Self {
            kind,
            message,
            platform,
        })
    }
}

impl Platform {
    /// Reads text such as `linux/arm/v7`.
    pub fn of(text: &str) -> Self {
        let mut parts = text.split('/').map(ToOwned::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        Self {
            os: part(),
            architecture: part(),
            variant: part(),
            ..Self::default()
        }
    }
}

fn corrupt(message: impl Into<String>) -> Error {
    Error::Corrupt(Problem::new(
        Reason::PredicateForm.as_str(),
        "read",
        "predicate",
        message,
    ))
}

fn unsupported() -> Error {
    Error::Unsupported(Problem::new(
        Reason::NoDefinition.as_str(),
        "read",
        "predicate",
        "it has no build definition: give the record of the build, or build with --provenance=mode=max",
    ))
}

pub(super) fn limit(name: &str, most: usize, have: usize) -> Result<(), Error> {
    if have <= most {
        return Ok(());
    }
    Err(Error::LimitExceeded(Excess {
        operation: "read".to_owned(),
        limit: name.to_owned(),
        value: most as u64,
        subject: format!("{have}"),
    }))
}

#[derive(Deserialize)]
struct Document {
    /// Of a statement.
    predicate: Option<Box<Body>>,
    #[serde(flatten)]
    body: Body,
}

#[derive(Deserialize)]
struct Body {
    // v1
    #[serde(rename = "buildDefinition")]
    build_definition: Option<BuildDefinition>,
    #[serde(rename = "runDetails", default)]
    run_details: RunDetails,
    // v0.2
    #[serde(rename = "buildConfig")]
    build_config: Option<BuildConfig>,
    #[serde(default)]
    invocation: Invocation,
    #[serde(default)]
    materials: Vec<Dependency>,
    #[serde(default)]
    metadata: MetadataV02,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition {
    #[serde(default)]
    external_parameters: ExternalParameters,
    #[serde(default)]
    internal_parameters: InternalParameters,
    #[serde(default)]
    resolved_dependencies: Vec<Dependency>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ExternalParameters {
    request: Request,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Request {
    args: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct InternalParameters {
    build_config: Option<BuildConfig>,
    builder_platform: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Invocation {
    parameters: Request,
    environment: Environment,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Environment {
    platform: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildConfig {
    #[serde(default)]
    llb_definition: Vec<RawStep>,
    #[serde(default)]
    digest_mapping: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RawStep {
    id: String,
    op: Value,
    #[serde(default)]
    inputs: Vec<String>,
}

#[derive(Deserialize)]
struct RawOp {
    #[serde(rename = "Op")]
    op: Option<serde_json::Map<String, Value>>,
    platform: Option<RawPlatform>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawPlatform {
    #[serde(rename = "OS")]
    os: String,
    #[serde(rename = "Architecture")]
    architecture: String,
    #[serde(rename = "Variant")]
    variant: String,
    #[serde(rename = "OSVersion")]
    os_version: String,
    #[serde(rename = "OSFeatures")]
    os_features: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RunDetails {
    metadata: MetadataV1,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MetadataV1 {
    buildkit_metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MetadataV02 {
    #[serde(rename = "https://mobyproject.org/buildkit@v1#metadata")]
    buildkit: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    source: Source,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Source {
    infos: Vec<Info>,
    locations: BTreeMap<String, Locations>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Info {
    filename: String,
    data: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Locations {
    locations: Vec<Location>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Location {
    ranges: Vec<Range>,
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
