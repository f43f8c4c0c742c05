//! From a recipe to a case.

use std::collections::BTreeMap;

use layerwise::host::{Failure, FailureCode, Image};

use super::pools::{ADDED, BROKEN, COMMANDS, CONFIG, LAYERS, TIMES, pick, platform};
use super::{
    ConfigChange, Entry, EntryChange, Fault, ImageRecipe, Layers, ParentRecipe, Recipe, StepParent,
    StepRecipe,
};
use crate::docker::case::{Asked, Case, Parent};
use crate::docker::json::quote;
use crate::docker::store::{Store, id_of};

const UNKNOWN: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

impl Recipe {
    /// The case.
    pub fn build(&self) -> Case {
        let documents: Vec<String> = self
            .images
            .iter()
            .map(|image| self.document(image))
            .collect();
        let ids: Vec<String> = documents.iter().map(|document| id_of(document)).collect();
        let mut store = Store::default();
        for ((recipe, document), id) in self.images.iter().zip(documents).zip(&ids) {
            if store.find(id).is_none() {
                store.images.push(Image {
                    id: id.clone(),
                    document: Some(document),
                    parent: self.parent(recipe, &ids),
                    built: recipe.built,
                });
            }
        }
        for (place, image) in self.names.iter().enumerate() {
            let id = nth(&ids, *image);
            store.references.insert(format!("name-{place}"), id);
        }
        let cache_from: Vec<String> = self
            .from
            .iter()
            .map(|name| self.name(*name, &ids))
            .collect();
        if let Some(fault) = self.fault {
            plant(fault, &mut store, &cache_from, &ids);
        }
        Case {
            store,
            cache_from,
            steps: self.steps(&ids),
        }
    }

    fn line(&self, second: bool) -> Vec<Entry> {
        let (first, tail) = &self.lines;
        if second {
            first
                .iter()
                .take(self.shared)
                .chain(tail)
                .copied()
                .collect()
        } else {
            first.clone()
        }
    }

    fn document(&self, recipe: &ImageRecipe) -> String {
        let mut history = self.line(recipe.second_line);
        history.truncate(recipe.length);
        let last = history.last().copied();
        let mut layers: Vec<&str> = history
            .iter()
            .map(|entry| pick(LAYERS, entry.layer))
            .collect();
        layers.retain(|layer| !layer.is_empty());
        match recipe.layers {
            Layers::Right => {}
            Layers::Extra => layers.push(pick(LAYERS, 1)),
            Layers::Short => drop(layers.pop()),
            Layers::Based => layers.insert(0, pick(LAYERS, 2)),
            Layers::Changed(at, layer) => {
                if let Some(old) = layers.get_mut(at) {
                    *old = pick(LAYERS, layer);
                }
            }
        }
        let entries: Vec<String> = history
            .into_iter()
            .enumerate()
            .map(|(at, entry)| match recipe.entry {
                Some((wanted, change)) if wanted == at => history_entry(entry, Some(change)),
                _ => history_entry(entry, None),
            })
            .collect();
        let layers: Vec<String> = layers.into_iter().map(quote).collect();
        let (name, version, features) = recipe.platform.unwrap_or(self.platform);
        let platform = platform(name, version, features);
        let features: Vec<String> = platform.os_features.iter().map(|f| quote(f)).collect();
        let container_config = last.map_or("{}".to_owned(), |entry| {
            let changes = self.flavour.iter().chain(&recipe.config);
            config(
                entry.command,
                self.focus,
                &changes.copied().collect::<Vec<_>>(),
            )
        });
        let mut members = vec![
            format!(r#""created":{}"#, pick(TIMES, recipe.created)),
            format!(r#""container_config":{container_config}"#),
            format!(r#""architecture":{}"#, quote(&platform.architecture)),
            format!(r#""variant":{}"#, quote(&platform.variant)),
            format!(r#""os":{}"#, quote(&platform.os)),
            format!(r#""os.version":{}"#, quote(&platform.os_version)),
            format!(r#""os.features":[{}]"#, features.join(",")),
            format!(
                r#""rootfs":{{"type":"layers","diff_ids":[{}]}}"#,
                layers.join(",")
            ),
            format!(r#""history":[{}]"#, entries.join(",")),
        ];
        if recipe.shouted {
            for member in &mut members {
                *member = shout(member);
            }
        }
        members.extend(recipe.added.map(|place| pick(ADDED, place).to_owned()));
        match recipe.broken {
            // Neither is broken: space at the end, and nothing but space.
            Some(place) if place == BROKEN.len() => {
                return format!("{{{}}}\n ", members.join(" ,"));
            }
            Some(place) if place > BROKEN.len() => return " ".to_owned(),
            Some(place) => members.push(pick(BROKEN, place).to_owned()),
            None => {}
        }
        format!("{{{}}}", members.join(","))
    }

    fn parent(&self, recipe: &ImageRecipe, ids: &[String]) -> Option<String> {
        match recipe.parent {
            ParentRecipe::None => None,
            ParentRecipe::Unknown => Some(UNKNOWN.to_owned()),
            ParentRecipe::Image(place) => Some(nth(ids, place)),
            ParentRecipe::Below => {
                let length = self.line(recipe.second_line).len().min(recipe.length);
                self.piece(recipe.second_line, length.checked_sub(1)?, ids)
            }
        }
    }

    /// The first image that is so much of a line.
    fn piece(&self, second_line: bool, length: usize, ids: &[String]) -> Option<String> {
        let shared = length <= self.shared;
        let is_it = |recipe: &ImageRecipe| {
            recipe.length == length && (shared || recipe.second_line == second_line)
        };
        let place = self.images.iter().position(is_it)?;
        ids.get(place).cloned()
    }

    fn name(&self, place: usize, ids: &[String]) -> String {
        match place {
            0..3 => nth(ids, place),
            _ if place - 3 < self.names.len() => format!("name-{}", place - 3),
            _ => "missing".to_owned(),
        }
    }

    /// The steps follow the line they start on.
    fn steps(&self, ids: &[String]) -> Vec<Asked> {
        let (mut second_line, mut length) = self.start;
        let mut first = self
            .piece(second_line, length, ids)
            .filter(|_| length > 0)
            .map(Parent::Id);
        let mut asked = Vec::new();
        for step in &self.steps {
            let parent = match step.parent {
                StepParent::Previous => first.take().unwrap_or(Parent::Previous),
                StepParent::Scratch => {
                    length = 0;
                    Parent::Scratch
                }
                StepParent::Unknown => Parent::Id(UNKNOWN.to_owned()),
                StepParent::Image(place) => {
                    let place = place % self.images.len().max(1);
                    if let Some(image) = self.images.get(place) {
                        second_line = image.second_line;
                        length = self.line(second_line).len().min(image.length);
                    }
                    Parent::Id(nth(ids, place))
                }
            };
            let next = self
                .line(second_line)
                .get(length)
                .map(|entry| entry.command);
            length += 1;
            asked.push(self.ask(step, parent, next));
        }
        asked
    }

    fn ask(&self, step: &StepRecipe, parent: Parent, next: Option<usize>) -> Asked {
        let command = step.command.or(next).unwrap_or_default();
        let changes: Vec<ConfigChange> = self.flavour.iter().chain(&step.change).copied().collect();
        let (name, version, features) = step.platform.unwrap_or(self.platform);
        Asked {
            parent,
            config: (!step.without_config).then(|| config(command, self.focus, &changes)),
            platform: platform(name, version, features),
        }
    }
}

/// A container config with a command and the last change of each member.
pub(super) fn config(command: usize, focus: usize, changes: &[ConfigChange]) -> String {
    let (cmd, _) = pick(COMMANDS, command);
    let mut members = BTreeMap::from([("Cmd", cmd)]);
    for (field, value) in changes {
        let (name, values) = pick(CONFIG, field.unwrap_or(focus));
        members.insert(name, pick(values, *value));
    }
    let member = |(name, text): (&&str, &&str)| format!("{}:{text}", quote(name));
    let members: Vec<String> = members.iter().map(member).collect();
    format!("{{{}}}", members.join(","))
}

fn history_entry(entry: Entry, change: Option<EntryChange>) -> String {
    let mut entry = entry;
    let mut empty = pick(LAYERS, entry.layer).is_empty();
    match change {
        None => {}
        Some(EntryChange::Created(created)) => entry.created = created,
        Some(EntryChange::Command(command)) => entry.command = command,
        Some(EntryChange::Author) => entry.author += 1,
        Some(EntryChange::Comment) => entry.comment += 1,
        Some(EntryChange::Empty) => empty = !empty,
    }
    let (_, created_by) = pick(COMMANDS, entry.command);
    format!(
        r#"{{"created":{},"created_by":{},"author":{},"comment":{},"empty_layer":{empty}}}"#,
        pick(TIMES, entry.created),
        quote(created_by),
        quote(pick(&["", "me", "you"], entry.author)),
        quote(pick(&["", "c", "d"], entry.comment)),
    )
}

/// A member with its key in upper case.
fn shout(member: &str) -> String {
    match member.split_once(':') {
        Some((key, text)) => format!("{}:{text}", key.to_uppercase()),
        None => member.to_owned(),
    }
}

fn plant(fault: Fault, store: &mut Store, cache_from: &[String], ids: &[String]) {
    let failure = Failure::new(FailureCode::Other, "planted");
    let faults = &mut store.faults;
    match fault {
        Fault::Get(place) => drop(faults.get.insert(nth(ids, place), failure)),
        Fault::Parent(place) => drop(faults.parent.insert(nth(ids, place), failure)),
        Fault::SetParent(place) => {
            let name = nth(cache_from, place);
            let id = store.references.get(&name).cloned().unwrap_or(name);
            faults.set_parent.insert(id, failure);
        }
        Fault::Create => faults.create = Some(failure),
        Fault::Resolve(place, code) => {
            let name = nth(cache_from, place);
            faults.resolve.insert(name, Failure::new(code, "planted"));
        }
    }
}

/// An element, counted round and round.
fn nth(ids: &[String], place: usize) -> String {
    place
        .checked_rem(ids.len())
        .and_then(|place| ids.get(place).cloned())
        .unwrap_or_default()
}
