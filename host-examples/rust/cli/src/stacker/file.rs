//! Stackerfiles: what stacker makes of them before its cache sees a layer.
//!
//! `around` is what decides beside the file, `substitute` fills in the text, `yaml` reads it, `scalar` types its plain
//! values, `layer` turns a layer into the document the component takes, `words`
//! splits a command line.

mod around;
mod bad;
mod layer;
mod node;
mod scalar;
mod substitute;
mod values;
mod words;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use layerwise::stacker::LayerDefinition;

use crate::failed::Failed;

pub use around::Around;
use bad::Bad;
pub use layer::Layer;
use node::Item;
pub use substitute::Substitution;

/// How many stackerfiles may need each other.
const FILES: usize = 1_000;

/// All layers of some stackerfiles and of those they need.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// In the order in which they are built.
    pub layers: Vec<Layer>,
}

impl Project {
    /// Reads files and the files that they name as prerequisites.
    pub fn read(files: &[PathBuf], around: &Around) -> Result<Self, Failed> {
        let mut reader = Reader {
            around,
            seen: BTreeSet::new(),
            layers: Vec::new(),
        };
        for file in files {
            reader.file(&absolute(file)?)?;
        }
        let mut owners: BTreeMap<&str, &Path> = BTreeMap::new();
        for layer in &reader.layers {
            if let Some(other) = owners.insert(&layer.name, &layer.file) {
                let why = format!("the layer {:?} is also in {other:?}", layer.name);
                return Err(failed(&layer.file, &Bad::new(layer.line, why)));
            }
        }
        let layers = reader.layers;
        Ok(Self { layers })
    }

    /// The definitions as the component takes them.
    pub fn definitions(&self) -> Vec<LayerDefinition> {
        let of = |layer: &Layer| LayerDefinition {
            name: layer.name.clone(),
            document: layer.document.to_string(),
        };
        self.layers.iter().map(of).collect()
    }
}

struct Reader<'a> {
    around: &'a Around,
    seen: BTreeSet<PathBuf>,
    layers: Vec<Layer>,
}

impl Reader<'_> {
    /// What a file needs comes before what is in it. Each file is read once, also
    /// when files need each other.
    fn file(&mut self, first: &Path) -> Result<(), Failed> {
        enum Work {
            Read(PathBuf),
            Add(Vec<Layer>),
        }
        let mut work = vec![Work::Read(first.to_owned())];
        while let Some(next) = work.pop() {
            let path = match next {
                Work::Add(layers) => {
                    self.layers.extend(layers);
                    continue;
                }
                Work::Read(path) => path,
            };
            if !self.seen.insert(path.clone()) {
                continue;
            }
            if self.seen.len() > FILES {
                let why = format!("more than {FILES} stackerfiles need each other");
                return Err(failed(&path, &Bad::new(0, why)));
            }
            let (needed, layers) = read(&path, self.around)?;
            work.push(Work::Add(in_order(layers)));
            work.extend(needed.into_iter().rev().map(Work::Read));
        }
        Ok(())
    }
}

fn read(path: &Path, around: &Around) -> Result<(Vec<PathBuf>, Vec<Layer>), Failed> {
    let text = crate::io::text("the stackerfile", path)?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    let directory = directory.to_str().ok_or_else(|| {
        let why = "the name of its directory is not utf-8";
        Failed::unreadable("the stackerfile", path, why)
    })?;
    parse(&text, path, directory, around).map_err(|bad| failed(path, &bad))
}

fn parse(
    text: &str,
    path: &Path,
    directory: &str,
    around: &Around,
) -> Result<(Vec<PathBuf>, Vec<Layer>), Bad> {
    let text = substitute::apply(text, &around.substitutions, around.version)?;
    let document = yaml::parse(&text)?;
    let mut layers = Vec::new();
    let mut needed = Vec::new();
    for (key, value) in document.pairs("the stackerfile")? {
        let name = key.text("the name of a layer")?;
        if name == "config" {
            needed = prerequisites(value, directory)?;
        } else {
            layers.push(Layer::read(name, value, path, directory, around)?);
        }
    }
    if layers.is_empty() && needed.is_empty() {
        return Err(Bad::new(0, "it has no layers"));
    }
    Ok((needed, layers))
}

fn prerequisites(config: &Item, directory: &str) -> Result<Vec<PathBuf>, Bad> {
    let mut files = Vec::new();
    for (key, value) in config.pairs("config")? {
        if key.text("a member of config")? != "prerequisites" {
            continue;
        }
        for file in value.strings("prerequisites")?.unwrap_or_default() {
            if file.contains("://") {
                let why = format!("the prerequisite {file:?} is an address; give a file");
                return Err(Bad::new(value.line, why));
            }
            files.push(PathBuf::from(layer::absolute(directory, &file)));
        }
    }
    Ok(files)
}

/// Layers after those of the same file that they are built on or import from.
/// Those that wait for each other come last, for the decisions to refuse.
fn in_order(mut waiting: Vec<Layer>) -> Vec<Layer> {
    let here: BTreeSet<String> = waiting.iter().map(|layer| layer.name.clone()).collect();
    let mut done: BTreeSet<String> = BTreeSet::new();
    let mut ordered = Vec::new();
    loop {
        let before = waiting.len();
        let mut rest = Vec::new();
        for layer in waiting {
            let ready = |name: &String| !here.contains(name) || done.contains(name);
            if layer.needs.iter().all(ready) {
                done.insert(layer.name.clone());
                ordered.push(layer);
            } else {
                rest.push(layer);
            }
        }
        waiting = rest;
        if waiting.len() == before {
            break;
        }
    }
    ordered.extend(waiting);
    ordered
}

fn absolute(path: &Path) -> Result<PathBuf, Failed> {
    std::path::absolute(path).map_err(|error| Failed::file("the stackerfile", path, &error))
}

fn failed(path: &Path, bad: &Bad) -> Failed {
    let why = match bad.line {
        0 => bad.why.clone(),
        line => format!("line {line}: {}", bad.why),
    };
    let message = format!("cannot use the stackerfile {path:?}: {why}");
    Failed::new("stackerfile", message).about(path.display())
}

#[cfg(test)]
mod tests;
