//! What the client and the engine check before the first step (Dockerfile spec,
//! section 1.2).

use super::ignore::Ignore;
use super::instruction::{self, From, Instruction};
use super::limits::SessionLimits;
use super::line;
use super::node::Node;
use super::options::{Options, Packer};
use super::pack::below;
use super::platform;
use super::reason::Reason;
use super::refusal::{Stop, bad_value, refused, unparsed};
use super::sources::failed;
use super::version::Rules;
use crate::host::{FailureCode, Filesystem, only};
use crate::oci::Platform;
use crate::paths;
use crate::prelude::*;

/// A Dockerfile that was accepted.
#[derive(Debug)]
pub struct Plan {
    /// The instructions before the first FROM, all of them ARG.
    pub globals: Vec<Line>,
    /// The stages up to the target.
    pub stages: Vec<Lines>,
    /// The character that escapes.
    pub escape: char,
    /// `--platform`.
    pub platform: Option<Platform>,
    /// `.dockerignore`, if there is one.
    pub ignore: Option<Ignore>,
}

/// An instruction and where it stands.
#[derive(Clone, Debug)]
pub struct Line {
    pub line: u32,
    pub text: String,
    pub instruction: Instruction,
}

/// A stage.
#[derive(Debug)]
pub struct Lines {
    pub line: u32,
    pub text: String,
    pub from: From,
    pub body: Vec<Line>,
}

/// Checks a Dockerfile and its options.
///
/// # Errors
/// As the client and the engine refuse, above a limit, and what the host answers.
pub fn plan<F: Filesystem>(
    text: &str,
    options: &Options,
    rules: &Rules,
    limits: &SessionLimits,
    files: &F,
) -> Result<Plan, Stop> {
    limits.document(text.len(), "Dockerfile")?;
    for (name, _) in &options.arguments {
        if name.is_empty() {
            return Err(bad_value(
                "invalid environment variable: a build argument without name",
            ));
        }
    }
    for (name, _) in &options.labels {
        if name.trim().is_empty() {
            return Err(bad_value("invalid label: empty name"));
        }
    }
    let ignore = read_ignore(options, limits, files)?;
    if text.is_empty() {
        let file = options.file.as_deref().unwrap_or("Dockerfile");
        return Err(unparsed(format!("the Dockerfile ({file}) cannot be empty")));
    }
    let parsed = line::parse(text, rules, limits)?;
    let platform = options.platform.as_deref().filter(|text| !text.is_empty());
    let platform = platform
        .map(|text| platform::parse(text, &options.host))
        .transpose()?;
    let (globals, mut stages) = stages(&parsed.nodes, rules, limits)?;
    if let Some(target) = options
        .target
        .as_deref()
        .filter(|target| !target.is_empty())
    {
        let same = |stage: &Lines| {
            let name = stage.from.name.as_deref().unwrap_or_default();
            name.to_lowercase() == target.to_lowercase()
        };
        let Some(found) = stages.iter().position(same) else {
            let message = format!("target stage \"{target}\" could not be found");
            return Err(refused(Reason::Stage, message));
        };
        stages.truncate(found + 1);
    }
    if let Some(last) = stages.last_mut() {
        let labels: BTreeMap<_, _> = options.labels.iter().cloned().collect();
        for (name, value) in labels {
            last.body.push(Line {
                line: 0,
                text: format!("LABEL {name}={value}"),
                instruction: Instruction::Label {
                    labels: vec![(name, value)],
                    verbatim: true,
                },
            });
        }
    }
    Ok(Plan {
        globals,
        stages,
        escape: parsed.escape,
        platform,
        ignore,
    })
}

fn stages(
    nodes: &[Node],
    rules: &Rules,
    limits: &SessionLimits,
) -> Result<(Vec<Line>, Vec<Lines>), Stop> {
    let mut globals = Vec::new();
    let mut stages: Vec<Lines> = Vec::new();
    for node in nodes {
        let at = |stop: Stop| stop.at(node.line);
        let instruction = instruction::parse(node, rules, limits).map_err(at)?;
        let text = node.text.trim().to_owned();
        if let Instruction::From(from) = instruction {
            stages.push(Lines {
                line: node.line,
                text,
                from,
                body: Vec::new(),
            });
            continue;
        }
        let line = Line {
            line: node.line,
            text,
            instruction,
        };
        match stages.last_mut() {
            Some(stage) => stage.body.push(line),
            None if matches!(line.instruction, Instruction::Arg(_)) => globals.push(line),
            None => return Err(unparsed("no build stage in current context").at(node.line)),
        }
    }
    Ok((globals, stages))
}

/// Reads `.dockerignore`; the client sends it and the Dockerfile in any case.
fn read_ignore<F: Filesystem>(
    options: &Options,
    limits: &SessionLimits,
    files: &F,
) -> Result<Option<Ignore>, Stop> {
    let Some(root) = &options.context else {
        return Ok(None);
    };
    let path = below(root, ".dockerignore");
    let read = files.read(core::slice::from_ref(&path), limits.document_bytes());
    let text = match only(read) {
        Ok(content) => content.text,
        Err(failure) if failure.code == FailureCode::NotFound => return Ok(None),
        Err(failure) => return Err(failed("read", &path, &failure)),
    };
    let file = options
        .file
        .as_deref()
        .map(|file| paths::lossy(&paths::decode(file)));
    let keep: Vec<&str> = [Some(".dockerignore"), file.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    let read = Ignore::read(&text, &keep);
    if options.packer == Packer::Api {
        // The engine leaves everything where it is if it cannot read the file.
        return Ok(read.ok());
    }
    let ignore = read?;
    ignore.check()?;
    Ok(Some(ignore))
}
