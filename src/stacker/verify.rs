//! The lookup: every check in its order (stacker spec, sections 6 and 7).
//!
//! A chain of built layers is followed with a list of the layers under way, not
//! by recursion, and each layer is verified once.

use super::definition::Definition;
use super::disk;
use super::entry::Entry;
use super::guard;
use super::layer_type;
use super::miss::Miss;
use super::options::{Reading, Version};
use super::reason::{Fault, Reason};
use super::reference::NoTag;
use super::schema::Kind;
use super::state::Session;
use super::verdict::{Base, Verdict, base_not_cached};
use crate::explain::Difference;
use crate::host::{Filesystem, Observer};
use crate::prelude::*;

impl<F: Filesystem, O: Observer> Session<F, O> {
    /// Verifies a layer and everything it is built on. In a build, the layers that it takes
    /// imports from come first, in the guarded reading.
    pub(super) fn verdict(&mut self, name: &str) -> Verdict {
        if self.build.is_some() && self.reading == Reading::Guarded {
            for layer in self.imported_from(name) {
                self.verdict_of_chain(&layer);
            }
        }
        self.verdict_of_chain(name)
    }

    /// The layers that a layer takes imports from, and those that these and their bases take
    /// imports from, each before what takes from it. A layer is followed once.
    fn imported_from(&mut self, name: &str) -> Vec<String> {
        struct Step {
            layer: String,
            imported: bool,
            followed: bool,
        }
        let step = |layer: &str, imported| Step {
            layer: layer.to_owned(),
            imported,
            followed: false,
        };
        let mut order = Vec::new();
        let mut open = vec![step(name, false)];
        while let Some(next) = open.pop() {
            if next.followed {
                order.push(next.layer);
                continue;
            }
            let layer = next.layer.clone();
            if !self.followed.insert(layer.clone()) {
                // Followed as a base, it need not have been verified.
                if next.imported && !self.verdicts.contains_key(&layer) {
                    order.push(layer);
                }
                continue;
            }
            let Some(definition) = self.definitions.get(&layer).cloned() else {
                continue;
            };
            if next.imported {
                open.push(Step {
                    followed: true,
                    ..next
                });
            }
            let base = definition.built_on().map(|base| step(base, false));
            let imported = definition.imported_layers();
            let imported = imported.map(|(_, from)| step(from, true));
            for below in base.into_iter().chain(imported) {
                let dependents = self.dependents.entry(below.layer.clone()).or_default();
                dependents.insert(layer.clone());
                open.push(below);
            }
        }
        order
    }

    /// Verifies a layer and everything it is built on.
    fn verdict_of_chain(&mut self, name: &str) -> Verdict {
        let mut under_way: Vec<String> = Vec::new();
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut current = name.to_owned();
        let mut verdict = loop {
            if let Some(known) = self.verdicts.get(&current) {
                break known.clone();
            }
            if !seen.insert(current.clone()) {
                break Verdict::Failed(Rc::new(cycle(&under_way, &current)));
            }
            let definition = match self.compare_definition(&current) {
                Ok(definition) => definition,
                Err(miss) => {
                    let verdict = Verdict::Miss(Rc::new(miss));
                    self.remember(&current, verdict.clone());
                    break verdict;
                }
            };
            if let Some(base) = definition.built_on() {
                let base = base.to_owned();
                let dependents = self.dependents.entry(base.clone()).or_default();
                dependents.insert(current.clone());
                under_way.push(core::mem::replace(&mut current, base));
                continue;
            }
            let base = self.fresh_base(&current, &definition);
            let verdict = self.finish(&current, &definition, base.map_err(Verdict::Failed));
            self.remember(&current, verdict.clone());
            break verdict;
        };
        while let Some(layer) = under_way.pop() {
            verdict = match self.definitions.get(&layer).cloned() {
                Some(definition) => {
                    let base = self.base_of_build(&layer, &current, verdict);
                    self.finish(&layer, &definition, base)
                }
                None => Verdict::Miss(Rc::new(Miss::LayerNotDefined)),
            };
            self.remember(&layer, verdict.clone());
            current = layer;
        }
        verdict
    }

    /// The base of a layer (stacker spec, section 7).
    pub(super) fn base(&mut self, name: &str) -> Result<Base, Rc<Fault>> {
        let Some(definition) = self.definitions.get(name).cloned() else {
            let message = "no definition has this name";
            return Err(Rc::new(Fault::new(Reason::LayerNotDefined, name, message)));
        };
        match definition.built_on() {
            Some(base) => {
                let verdict = self.verdict(base);
                self.built_base(name, base, verdict)
            }
            None => self.direct_base(name, &definition),
        }
    }

    /// The first three checks.
    fn compare_definition(&self, name: &str) -> Result<Rc<Definition>, Miss> {
        let definition = self.definitions.get(name).ok_or(Miss::LayerNotDefined)?;
        let entry = self.entries.get(name).ok_or(Miss::NoEntry)?;
        if let Some(evidence) = self.unknown.get(name) {
            let evidence = evidence.clone();
            return Err(Miss::ResultUnknown { evidence });
        }
        let recorded = entry.layer().ok_or(Miss::NoEntry)?;
        if *recorded == definition.layer {
            return Ok(definition.clone());
        }
        let kind = Kind::Record(&self.version.schema().layer);
        let mut differences = Vec::new();
        recorded.differences(&definition.layer, &kind, "", &mut differences);
        let empty = |difference: &Difference| {
            difference.have.as_deref() == Some("null")
                && matches!(difference.want.as_deref(), Some("[]" | "{}"))
        };
        let only_empty = self.version == Version::V16 && differences.iter().all(empty);
        Err(Miss::DefinitionChanged {
            differences,
            only_empty,
        })
    }

    /// The base of a layer on another one. In a build, what stands on a layer
    /// that is built again is built again, too.
    fn base_of_build(&self, layer: &str, base: &str, verdict: Verdict) -> Result<Base, Verdict> {
        let why = match (&self.build, &verdict) {
            (Some(_), Verdict::Miss(miss)) => Some(miss.code()),
            (Some(_), Verdict::Hit) => self.rebuilds(base),
            _ => None,
        };
        if let Some(why) = why {
            let base = base.to_owned();
            return Err(Verdict::Miss(Rc::new(Miss::BaseNotCached { base, why })));
        }
        self.built_base(layer, base, verdict)
            .map_err(Verdict::Failed)
    }

    /// Why stacker builds a layer although its entry is a hit.
    pub(super) fn rebuilds(&self, name: &str) -> Option<Reason> {
        let build = self.build.as_ref()?;
        let definition = self.definitions.get(name)?;
        if definition.has_binds {
            return Some(Reason::BindsRebuild);
        }
        let entry = self.entries.get(name)?;
        let missing = |wanted: &String| {
            let wanted = layer_type::wanted(wanted).map(|wanted| wanted.text).ok();
            !entry
                .manifests()
                .any(|(text, _)| Some(text) == wanted.as_deref())
        };
        (!definition.build_only && build.types.iter().any(missing)).then_some(Reason::TypeMissing)
    }

    /// An import out of a layer that is built again: what it will be is known only then.
    fn imported_anew(&self, definition: &Definition) -> Option<Miss> {
        if self.build.is_none() || self.reading == Reading::Compatible {
            return None;
        }
        definition.imported_layers().find_map(|(import, layer)| {
            let why = match self.verdicts.get(layer)? {
                Verdict::Miss(miss) => miss.code(),
                Verdict::Hit => self.rebuilds(layer)?,
                Verdict::Failed(_) => return None,
            };
            Some(Miss::ImportBuiltAgain {
                path: import.path.clone(),
                layer: layer.to_owned(),
                why,
            })
        })
    }

    fn built_base(&self, layer: &str, base: &str, verdict: Verdict) -> Result<Base, Rc<Fault>> {
        match verdict {
            Verdict::Failed(fault) => Err(fault),
            Verdict::Miss(miss) => Err(Rc::new(base_not_cached(layer, base, &miss))),
            Verdict::Hit => match self.entries.get(base) {
                Some(entry) => Ok(Base {
                    hash: entry.hash().to_string(),
                    identity: self.identity(base, entry),
                }),
                None => Err(Rc::new(base_not_cached(layer, base, &Miss::NoEntry))),
            },
        }
    }

    /// The identity of an entry as a base, in the guarded reading.
    fn identity(&self, name: &str, entry: &Entry) -> Option<String> {
        (self.reading == Reading::Guarded)
            .then(|| guard::identity(entry.digest(), self.guard.base(name, entry.digest())))
    }

    /// The base of a layer that is not built on another, as it will be when the
    /// build has copied it anew.
    fn fresh_base(&mut self, name: &str, definition: &Definition) -> Result<Base, Rc<Fault>> {
        match self.copied_base(&definition.from).map_err(Rc::new)? {
            Some(hash) => Ok(Base {
                hash,
                identity: None,
            }),
            None => self.direct_base(name, definition),
        }
    }

    /// The base of a layer that is not built on another, as its copy is.
    fn direct_base(&mut self, name: &str, definition: &Definition) -> Result<Base, Rc<Fault>> {
        let from = &definition.from;
        let hash = match from.kind.as_str() {
            "scratch" if self.version == Version::V16 => Ok(String::new()),
            "tar" => {
                let path = self.places.tarball(&from.url);
                disk::hash_file(&self.fs, &path).map(|file| file.hash)
            }
            "oci" | "docker" => match from.lookup_tag() {
                Ok(tag) => {
                    let mut index = self.index.take();
                    let digest = self
                        .layout(self.places.base_images())
                        .resolve(&tag, &mut index);
                    self.index = index;
                    digest
                }
                Err(NoTag::Missing | NoTag::Unsupported) => {
                    let message = "the url of an oci base is directory:tag";
                    Err(Fault::new(Reason::BadOciTag, &from.url, message))
                }
            },
            other => {
                let message = format!("the layer {name:?} has a base of a type that is not known");
                Err(Fault::new(Reason::UnknownLayerType, other, message))
            }
        };
        hash.map(|hash| Base {
            hash,
            identity: None,
        })
        .map_err(Rc::new)
    }

    /// The checks after the definition.
    fn finish(
        &mut self,
        name: &str,
        definition: &Definition,
        base: Result<Base, Verdict>,
    ) -> Verdict {
        let base = match base {
            Ok(base) => base,
            Err(verdict) => return verdict,
        };
        let facts = self.facts.remove(name).unwrap_or_default();
        let Some(entry) = self.entries.get(name).cloned() else {
            return Verdict::Miss(Rc::new(Miss::NoEntry));
        };
        match self.check(name, definition, &entry, &base, &facts) {
            Ok(None) => match self.imported_anew(definition) {
                Some(miss) => Verdict::Miss(Rc::new(miss)),
                None => Verdict::Hit,
            },
            Ok(Some(miss)) => Verdict::Miss(Rc::new(miss)),
            Err(fault) => Verdict::Failed(Rc::new(fault)),
        }
    }
}

/// The error of layers that are built on each other.
fn cycle(under_way: &[String], again: &str) -> Fault {
    let start = under_way.iter().position(|name| name == again).unwrap_or(0);
    let names = under_way.get(start..).unwrap_or_default();
    let shown: Vec<_> = names
        .iter()
        .take(8)
        .map(|name| format!("{name:?}"))
        .collect();
    let more = if names.len() > shown.len() {
        " <- ..."
    } else {
        ""
    };
    let message = format!(
        "layers are built on each other: {}{more} <- {again:?}",
        shown.join(" <- ")
    );
    Fault::new(Reason::BaseCycle, again, message)
}
