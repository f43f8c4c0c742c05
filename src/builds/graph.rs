//! The steps of a build, of all platforms together, with their keys and what the log
//! says of them (Builds spec, sections 5 and 6.1).

use serde_json::Value;

use super::cache_map::{CacheMap, cache_map};
use super::content::Hashed;
use super::key::{digest, text};
use super::model::{Build, Definition, Dependency, OpKind, Step, Vertex};
use super::names::{of_line, of_operation};
use super::source::{Resolved, Scheme, scheme, source_keys};
use super::transfer::Filters;
use super::tree::Tree;
use super::unknown::Unknown;
use super::version::Rules;
use crate::oci::Platform;
use crate::prelude::*;

/// What a caller knows about a build besides its record.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The folders of the client by the name of the local source, such as `context`,
    /// with all their files.
    pub folders: BTreeMap<String, Tree>,
    /// The chain ids of images, by the digest of the image or of its index and, for an
    /// index, by platform.
    pub chains: BTreeMap<(String, Platform), String>,
}

/// What happened to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It failed.
    Failed,
    /// Its result came from a cache.
    Cached,
    /// It ran.
    Ran,
    /// A step without inputs whose key was made: whether it ran is not told.
    Resolved,
    /// It was never needed.
    Unneeded,
    /// Nothing tells: there is no log of the build, or it ends before the step does.
    Unknown,
}

impl State {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Cached => "cached",
            Self::Ran => "ran",
            Self::Resolved => "resolved",
            Self::Unneeded => "unneeded",
            Self::Unknown => "unknown",
        }
    }
}

/// The steps of a build. A step that several platforms have in common is there once.
pub struct Graph<'a> {
    pub(super) build: &'a Build,
    pub(super) nodes: Vec<Node<'a>>,
}

/// A step.
pub(super) struct Node<'a> {
    pub step: &'a Step,
    pub definition: &'a Definition,
    /// The log's events of it.
    pub vertex: Option<&'a Vertex>,
    /// What the log calls it; without one, its line of the Dockerfile, or else what the
    /// operation does.
    name: Cow<'a, str>,
    pub state: State,
    /// The nodes it is made from, each with the output.
    pub inputs: Vec<(usize, u32)>,
    pub key: Key,
    /// The content keys of the inputs, where they are known.
    pub contents: Vec<Option<String>>,
    /// The files of a local source.
    pub files: Option<Hashed>,
}

/// How a cache knows a step.
pub(super) enum Key {
    Op(CacheMap),
    /// Any of the digests serves. Local sources have none.
    Source {
        keys: Vec<String>,
        /// The image's digest, the commit, the checksum of the file.
        resolved: Option<String>,
        /// Why the digests are not known; what stands for them then serves only to
        /// compare two builds.
        unknown: Option<Unknown>,
    },
    /// What stands in place of a digest that is not known, to compare two builds.
    Unknown {
        stand_in: String,
        why: Unknown,
    },
}

impl<'a> Graph<'a> {
    /// Puts the steps of a build together.
    pub fn new(build: &'a Build, known: &Known) -> Self {
        let rules = build.engine.as_deref().map_or(Rules::NEWEST, Rules::of);
        let vertices = build.vertices.iter();
        let vertices: BTreeMap<&str, &Vertex> = vertices
            .map(|vertex| (vertex.digest.as_str(), vertex))
            .collect();
        let mut graph = Self {
            build,
            nodes: Vec::new(),
        };
        let mut by_vertex: BTreeMap<&str, usize> = BTreeMap::new();
        let definitions = build.steps();
        let logged = is_logged(definitions, &vertices);
        for definition in definitions {
            let dockerfile = definition.dockerfile.as_ref();
            let context = Context {
                definition,
                dockerfile: dockerfile.map_or_else(Vec::new, |file| file.text.lines().collect()),
                logged,
                known,
                rules,
            };
            // Where the steps of this definition are.
            let mut places: Vec<usize> = Vec::with_capacity(definition.steps.len());
            for step in &definition.steps {
                let shared = step.vertex.as_deref();
                if let Some(at) = shared.and_then(|vertex| by_vertex.get(vertex)) {
                    places.push(*at);
                    continue;
                }
                places.push(graph.nodes.len());
                if step.op.kind == OpKind::Result {
                    continue;
                }
                if let Some(vertex) = shared {
                    by_vertex.insert(vertex, graph.nodes.len());
                }
                let vertex = shared.and_then(|vertex| vertices.get(vertex)).copied();
                let node = graph.node(&context, step, vertex, &places);
                graph.nodes.push(node);
            }
        }
        graph
    }

    fn node(
        &self,
        context: &Context<'a, '_>,
        step: &'a Step,
        vertex: Option<&'a Vertex>,
        places: &[usize],
    ) -> Node<'a> {
        let (definition, known) = (context.definition, context.known);
        let inputs = step.inputs.iter();
        let inputs: Vec<(usize, u32)> = inputs
            .filter_map(|input| Some((*places.get(input.step)?, input.output)))
            .collect();
        let key = match step.op.kind {
            OpKind::Source => source_key(step, definition, known),
            _ => match cache_map(&step.op, inputs.len(), &definition.platform, context.rules) {
                Ok(map) => Key::Op(map),
                Err(why) => Key::Unknown {
                    stand_in: format!("{} {}", step.op.kind.name(), step.op.message),
                    why,
                },
            },
        };
        let contents = match &key {
            Key::Op(map) => {
                let keys = map.inputs.iter().zip(&inputs);
                keys.map(|(key, (input, _))| {
                    let files = self.nodes.get(*input)?.files.as_ref()?;
                    files.key(key.content.as_ref()?).ok()
                })
                .collect()
            }
            _ => vec![None; inputs.len()],
        };
        Node {
            step,
            definition,
            vertex,
            name: context.name(step, vertex),
            state: state(vertex, context.logged, inputs.is_empty()),
            inputs,
            key,
            contents,
            files: files(step, known),
        }
    }
}

/// What the steps of a definition have in common.
struct Context<'a, 'b> {
    definition: &'a Definition,
    /// The lines of the Dockerfile.
    dockerfile: Vec<&'a str>,
    /// Whether the log is of this build.
    logged: bool,
    known: &'b Known,
    rules: Rules,
}

impl<'a> Context<'a, '_> {
    fn name(&self, step: &'a Step, vertex: Option<&'a Vertex>) -> Cow<'a, str> {
        match vertex {
            Some(vertex) if !vertex.name.is_empty() => Cow::Borrowed(&vertex.name),
            _ => of_line(step, &self.dockerfile)
                .unwrap_or_else(|| of_operation(&step.op))
                .into(),
        }
    }
}

/// Whether a log tells of any step of these definitions: without one, or with the log of
/// another build, nothing is known of what became of them.
fn is_logged(definitions: &[Definition], vertices: &BTreeMap<&str, &Vertex>) -> bool {
    let mut steps = definitions.iter().flat_map(|definition| &definition.steps);
    steps.any(|step| {
        let vertex = step.vertex.as_deref();
        vertex
            .and_then(|vertex| vertices.get(vertex))
            .is_some_and(|vertex| vertex.tells())
    })
}

impl Node<'_> {
    /// The digest of its vertex; empty if the record does not tell.
    pub fn digest(&self) -> &str {
        self.step.vertex.as_deref().unwrap_or_default()
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its first line in the Dockerfile.
    pub fn line(&self) -> Option<u32> {
        self.step.lines.first().map(|lines| lines.first)
    }

    /// The address of a source; empty for other steps.
    pub fn identifier(&self) -> &str {
        text(&self.step.op.message, "identifier")
    }

    /// The architecture that the operation names.
    pub fn architecture(&self) -> &str {
        let platform = self.step.op.platform.as_ref();
        platform.map_or("", |platform| platform.architecture.as_str())
    }

    /// What is known of its definition alone: equal for steps with the same digest.
    pub fn map(&self) -> Option<&str> {
        match &self.key {
            Key::Op(map) => Some(&map.digest),
            Key::Unknown { stand_in, .. } => Some(stand_in),
            Key::Source { .. } => None,
        }
    }

    /// The digest of its definition, if it is known.
    pub fn digest_of_definition(&self) -> Option<&str> {
        match &self.key {
            Key::Op(map) => Some(&map.digest),
            Key::Unknown { .. } | Key::Source { .. } => None,
        }
    }

    /// The selector of an input; empty if it has none.
    pub fn selector(&self, input: usize) -> &str {
        match &self.key {
            Key::Op(map) => map.inputs.get(input).map_or("", |key| &key.selector),
            _ => "",
        }
    }

    /// Whether an input has a content key, known or not.
    pub fn has_content_key(&self, input: usize) -> bool {
        match &self.key {
            Key::Op(map) => map
                .inputs
                .get(input)
                .is_some_and(|key| key.content.is_some()),
            _ => false,
        }
    }

    pub fn is_local(&self) -> bool {
        matches!(scheme(self.identifier()), Some((Scheme::Local, _)))
    }
}

/// What became of a step (Builds spec, section 5).
fn state(vertex: Option<&Vertex>, logged: bool, no_inputs: bool) -> State {
    match vertex {
        Some(vertex) if vertex.error.is_some() => State::Failed,
        Some(vertex) if vertex.cached => State::Cached,
        Some(vertex) if vertex.completed.is_some() => {
            if no_inputs {
                State::Resolved
            } else {
                State::Ran
            }
        }
        Some(vertex) if vertex.started.is_some() => State::Unknown,
        _ if logged => State::Unneeded,
        _ => State::Unknown,
    }
}

/// The files that a client sent for a local source.
fn files(step: &Step, known: &Known) -> Option<Hashed> {
    let (Scheme::Local, name) = scheme(text(&step.op.message, "identifier"))? else {
        return None;
    };
    let folder = known.folders.get(name)?;
    let attributes = step.op.message.get("attrs").unwrap_or(&Value::Null);
    let sent = folder.sent(&Filters::of(attributes)?).ok()?;
    Some(Hashed::new(sent))
}

fn source_key(step: &Step, definition: &Definition, known: &Known) -> Key {
    let identifier = text(&step.op.message, "identifier");
    let to = resolved(step, definition, known);
    let resolved = to.digest.clone().or_else(|| to.commit.clone());
    match source_keys(&step.op, &definition.platform, &to) {
        Ok(keys) => Key::Source {
            keys,
            resolved,
            unknown: None,
        },
        Err(why) => {
            // Two builds with the same of these had the same source, but for what the
            // server said besides.
            let stand_in = format!("{identifier} {resolved:?} {}", step.op.message);
            Key::Source {
                keys: vec![digest(stand_in.as_bytes())],
                resolved,
                unknown: Some(why),
            }
        }
    }
}

/// What the record says that a source was resolved to.
fn resolved(step: &Step, definition: &Definition, known: &Known) -> Resolved {
    let mut to = Resolved::default();
    let identifier = text(&step.op.message, "identifier");
    let Some((scheme, address)) = scheme(identifier) else {
        return to;
    };
    let platform = step.op.platform.as_ref().unwrap_or(&definition.platform);
    let dependencies = definition.dependencies.iter();
    match scheme {
        Scheme::Image | Scheme::Layout => {
            let pinned = address.split_once('@').map(|(_, digest)| digest.to_owned());
            to.digest = pinned.or_else(|| {
                let mut found = dependencies.filter(|one| is_image(&one.uri, address, platform));
                found.find_map(sha256)
            });
            if let Some(digest) = &to.digest {
                let plain = Platform {
                    os: platform.os.clone(),
                    architecture: platform.architecture.clone(),
                    variant: platform.variant.clone(),
                    ..Platform::default()
                };
                let chain = known.chains.get(&(digest.clone(), plain));
                let chain =
                    chain.or_else(|| known.chains.get(&(digest.clone(), Platform::default())));
                to.chain = chain.cloned();
            }
        }
        Scheme::Git => {
            let repository = |uri: &str| {
                let (repository, fragment) = uri.split_once('#').unwrap_or((uri, ""));
                let reference = fragment.split(':').next().unwrap_or_default();
                (repository.to_owned(), reference.to_owned())
            };
            let full = step
                .op
                .message
                .get("attrs")
                .map(|attrs| text(attrs, "git.fullurl"));
            let wanted = repository(identifier);
            let full = full.map(|url| (url.to_owned(), wanted.1.clone()));
            let mut found = dependencies.filter(|one| {
                let have = repository(&one.uri);
                have == wanted || full.as_ref() == Some(&have)
            });
            to.commit = found.find_map(|one| {
                one.digest
                    .get("sha1")
                    .or_else(|| one.digest.get("sha256"))
                    .cloned()
            });
        }
        Scheme::Http => {
            let mut found = dependencies.filter(|one| one.uri == identifier);
            to.digest = found.find_map(sha256);
        }
        Scheme::Local => {}
    }
    to
}

fn sha256(dependency: &Dependency) -> Option<String> {
    let hex = dependency.digest.get("sha256")?;
    Some(format!("sha256:{hex}"))
}

/// Whether a package URL, such as `pkg:docker/alpine@3?platform=linux%2Famd64`, is of
/// this image and platform.
fn is_image(uri: &str, address: &str, platform: &Platform) -> bool {
    let Some(rest) = uri.strip_prefix("pkg:docker/") else {
        return false;
    };
    let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (name, tag) = name.split_once('@').unwrap_or((name, "latest"));
    // A colon before the last slash is a port.
    let after_host = address.rfind('/').map_or(0, |at| at + 1);
    let colon = address.get(after_host..).and_then(|last| last.find(':'));
    let (wanted, wanted_tag) = match colon {
        Some(at) => address.split_at(after_host + at),
        None => (address, ":latest"),
    };
    let wanted = wanted.strip_prefix("docker.io/").unwrap_or(wanted);
    let wanted = wanted.strip_prefix("library/").unwrap_or(wanted);
    let text = [&platform.os, &platform.architecture, &platform.variant];
    let text: Vec<&str> = text.into_iter().map(String::as_str).collect();
    let text = text.join("%2F");
    let text = text.trim_end_matches("%2F");
    let mut options = query.split('&');
    let of_platform = options.find_map(|option| option.strip_prefix("platform="));
    name.replace("%2F", "/") == wanted
        && wanted_tag.strip_prefix(':') == Some(tag)
        && of_platform.is_none_or(|platform| platform.replace('/', "%2F") == text)
}
