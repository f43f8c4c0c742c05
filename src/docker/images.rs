//! Two images compared: their steps one by one, and what their documents say beside
//! the history (Docker spec, section 5.6).

use super::compare::compare;
use super::history::{Entry, show};
use super::image::ImageDocument;
use super::key::Labels;
use super::read::{DEPTH, invalid};
use super::version::{Compared, Rules};
use crate::error::Error;
use crate::explain::Difference;
use crate::go_json::List;
use crate::prelude::*;
use crate::semantics::Semantics;

/// Two images compared. In every difference `have` is the old side and `want` the new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageComparison {
    /// One for each history entry of the longer history.
    pub steps: Vec<StepComparison>,
    /// What differs beside the history: members of the documents, and layers that
    /// belong to no history entry.
    pub differences: Vec<Difference>,
}

/// One step of two images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepComparison {
    /// The old image's step; `None` if it has fewer.
    pub old: Option<Made>,
    /// The new image's step.
    pub new: Option<Made>,
    /// The members of the history entry that differ, and `layer`.
    pub differences: Vec<Difference>,
}

/// What a step made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The command, as the history tells it.
    pub command: String,
    /// The place of its layer in `rootfs.diff_ids`; `None` if it made none.
    pub layer: Option<u32>,
}

/// Compares two images.
///
/// # Errors
/// `invalid` for a text that is not an image document.
pub fn compare_images(
    old: &str,
    new: &str,
    semantics: &Semantics,
) -> Result<ImageComparison, Error> {
    let rules = Rules::of(semantics)?;
    let (old, new) = (
        Side::read("old", old, &rules)?,
        Side::read("new", new, &rules)?,
    );
    let mut steps = Vec::new();
    for index in 0..old.entries().len().max(new.entries().len()) {
        steps.push(step(&old, &new, index));
    }
    let mut differences = members(&old.image, &new.image);
    differences.extend(loose(&old, &new));
    Ok(ImageComparison { steps, differences })
}

/// An image with the layer of each of its history entries.
struct Side {
    image: ImageDocument,
    /// The history has as many entries with a layer as there are layers. Otherwise nobody
    /// knows which layer a step made.
    counted: bool,
    /// The place of the layer of each history entry.
    layers: Vec<Option<usize>>,
}

impl Side {
    fn read(name: &str, text: &str, rules: &Rules) -> Result<Self, Error> {
        let image = ImageDocument::read_partial(text, rules, DEPTH)
            .map_err(|error| invalid("compare images", name, error.to_string()))?;
        let entries = image.history.as_deref().unwrap_or_default();
        let with_layer = entries.iter().filter(|entry| !entry.empty_layer).count();
        let counted = with_layer == diff_ids(&image).len();
        let mut layers = Vec::with_capacity(entries.len());
        let mut next = 0_usize;
        for entry in entries {
            let made = counted && !entry.empty_layer;
            layers.push(made.then_some(next));
            next = next.saturating_add(usize::from(made));
        }
        Ok(Self {
            image,
            counted,
            layers,
        })
    }

    fn entries(&self) -> &[Entry] {
        self.image.history.as_deref().unwrap_or_default()
    }

    fn layer(&self, index: usize) -> Option<usize> {
        self.layers.get(index).copied().flatten()
    }

    fn diff_id(&self, index: usize) -> Option<&String> {
        diff_ids(&self.image).get(self.layer(index)?)
    }

    fn made(&self, index: usize) -> Option<Made> {
        let entry = self.entries().get(index)?;
        let layer = self
            .layer(index)
            .and_then(|place| u32::try_from(place).ok());
        let command = entry.created_by.clone();
        Some(Made { command, layer })
    }
}

fn step(old: &Side, new: &Side, index: usize) -> StepComparison {
    let both = (old.entries().get(index), new.entries().get(index));
    let mut differences = Vec::new();
    // Where one history has ended there is nothing to compare.
    if let (Some(have), Some(want)) = both {
        differences = have.differences(want, "");
        let (have, want) = (old.diff_id(index), new.diff_id(index));
        if have != want && old.counted && new.counted {
            differences.push(Difference::new("layer", have.cloned(), want.cloned()));
        }
    }
    StepComparison {
        old: old.made(index),
        new: new.made(index),
        differences,
    }
}

/// Layers that differ and belong to no step.
fn loose(old: &Side, new: &Side) -> Vec<Difference> {
    if old.counted && new.counted {
        return Vec::new();
    }
    let (have, want) = (diff_ids(&old.image), diff_ids(&new.image));
    let both = (0..have.len().max(want.len())).map(|at| (at, have.get(at), want.get(at)));
    let differing = both.filter(|(_, have, want)| have != want);
    let difference = |(at, have, want): (usize, Option<&String>, Option<&String>)| {
        Difference::new(
            format!("rootfs.diff_ids[{at}]"),
            have.cloned(),
            want.cloned(),
        )
    };
    differing.map(difference).collect()
}

/// The members in which two documents differ, beside history and layers.
fn members(old: &ImageDocument, new: &ImageDocument) -> Vec<Difference> {
    let ImageDocument {
        id,
        comment,
        created,
        container,
        container_config,
        docker_version,
        author,
        config,
        architecture,
        variant,
        os,
        size,
        parent,
        rootfs: _,
        history: _,
        os_version,
        os_features,
    } = old;
    let mut list = Vec::new();
    let mut note = |name: &str, have: Option<String>, want: Option<String>| {
        if have != want {
            list.push(Difference::new(name, have, want));
        }
    };
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    note("created", created.map(show), new.created.map(show));
    for (name, have, want) in [
        ("id", id, &new.id),
        ("parent", parent, &new.parent),
        ("container", container, &new.container),
        ("docker_version", docker_version, &new.docker_version),
        ("author", author, &new.author),
        ("comment", comment, &new.comment),
        ("os", os, &new.os),
        ("architecture", architecture, &new.architecture),
        ("variant", variant, &new.variant),
        ("os.version", os_version, &new.os_version),
    ] {
        note(name, text(have), text(want));
    }
    let joined = |list: &Option<List<String>>| list.as_ref().map(|list| list.join(","));
    note("os.features", joined(os_features), joined(&new.os_features));
    note("Size", Some(size.to_string()), Some(new.size.to_string()));
    let pairs = [
        ("config", config.as_deref(), new.config.as_deref()),
        (
            "container_config",
            Some(container_config),
            Some(&new.container_config),
        ),
    ];
    for (name, have, want) in pairs {
        if have.is_none() && want.is_none() {
            continue;
        }
        let found = compare(have, want, Compared::All, Labels::Exact);
        let path = |path: &str| match path {
            "config" => name.to_owned(),
            field => format!("{name}.{field}"),
        };
        list.extend(found.differences.into_iter().map(|difference| Difference {
            path: path(&difference.path),
            ..difference
        }));
    }
    list
}

fn diff_ids(image: &ImageDocument) -> &[String] {
    let rootfs = image.rootfs.as_ref();
    rootfs.map_or(&[], |rootfs| &rootfs.diff_ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(steps: &[(&str, Option<&str>)], config: &str) -> String {
        let entry = |(command, layer): &(&str, Option<&str>)| {
            let empty = if layer.is_none() {
                r#","empty_layer":true"#
            } else {
                ""
            };
            format!(r#"{{"created":"2026-01-01T00:00:00Z","created_by":"{command}"{empty}}}"#)
        };
        let entries: Vec<String> = steps.iter().map(entry).collect();
        let layers = steps.iter().filter_map(|(_, layer)| *layer);
        let layers: Vec<String> = layers.map(|layer| format!("\"{layer}\"")).collect();
        format!(
            r#"{{"architecture":"amd64","os":"linux","config":{config},"history":[{}],"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
            entries.join(","),
            layers.join(",")
        )
    }

    fn compared(old: &str, new: &str) -> ImageComparison {
        compare_images(old, new, &Semantics::guarded()).unwrap()
    }

    #[test]
    fn steps_and_members_that_differ_are_told() {
        let old = document(
            &[
                ("base", Some("a")),
                ("ENV A=1", None),
                ("COPY x", Some("b")),
            ],
            r#"{"Env":["A=1"]}"#,
        );
        let new = document(
            &[
                ("base", Some("a")),
                ("ENV A=2", None),
                ("COPY x", Some("c")),
                ("CMD", None),
            ],
            r#"{"Env":["A=2"]}"#,
        );
        let found = compared(&old, &new);
        let told = |step: &StepComparison| -> Vec<String> {
            step.differences
                .iter()
                .map(|d| format!("{} {:?} {:?}", d.path, d.have, d.want))
                .collect()
        };
        let steps: Vec<Vec<String>> = found.steps.iter().map(told).collect();
        let empty: Vec<String> = Vec::new();
        assert_eq!(
            steps,
            [
                empty.clone(),
                vec![r#"created_by Some("ENV A=1") Some("ENV A=2")"#.to_owned()],
                vec![r#"layer Some("b") Some("c")"#.to_owned()],
                empty,
            ]
        );
        let layers: Vec<Option<u32>> = found
            .steps
            .iter()
            .map(|s| s.new.as_ref().unwrap().layer)
            .collect();
        assert_eq!(layers, [Some(0), None, Some(1), None]);
        assert_eq!(found.steps[3].old, None);
        let paths: Vec<&str> = found.differences.iter().map(|d| d.path.as_str()).collect();
        assert_eq!(paths, ["config.Env[0]"]);
    }

    #[test]
    fn the_same_image_has_no_differences() {
        let one = document(&[("base", Some("a"))], r#"{"Labels":{"a":""}}"#);
        let found = compared(&one, &one);
        assert!(found.differences.is_empty());
        assert!(found.steps.iter().all(|step| step.differences.is_empty()));
        let other = document(&[("base", Some("a"))], r#"{"Labels":{}}"#);
        assert_eq!(
            compared(&one, &other).differences.len(),
            1,
            "labels are compared exactly"
        );
    }

    #[test]
    fn layers_without_history_are_compared_by_place() {
        let old = r#"{"rootfs":{"diff_ids":["a","b"]}}"#;
        let new = r#"{"rootfs":{"diff_ids":["a","c","d"]}}"#;
        let found = compared(old, new);
        let paths: Vec<&str> = found.differences.iter().map(|d| d.path.as_str()).collect();
        assert_eq!(paths, ["rootfs.diff_ids[1]", "rootfs.diff_ids[2]"]);
        let refused = compare_images("{}", "[", &Semantics::guarded()).unwrap_err();
        assert!(refused.to_string().contains("\"new\""), "{refused}");
    }
}
