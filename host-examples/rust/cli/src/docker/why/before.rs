//! The COPY or ADD of an earlier build: its image, the layer that it made, and what was
//! below that.

use layerwise::dockerfile::comment::Copy;
use layerwise::host::{Facts, Failure};
use layerwise::paths;
use layerwise_registry::{FileKind, Files as Layer, Limits};
use layerwise_stores::{Images, Layer as Kept, Unpacked};
use serde::Deserialize;

use crate::io::LONGEST;

/// So many links of a path are followed.
const LINKS: u32 = 255;
/// What stands before the command of a step that runs nothing, and of one that runs.
const SHELL: [&str; 2] = ["/bin/sh -c #(nop) ", "/bin/sh -c "];

/// What the document of an image says of its last step.
pub struct Before {
    command: String,
    working_dir: String,
    /// It made no layer.
    empty: bool,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    config: Option<Config>,
    #[serde(default)]
    history: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default, rename = "WorkingDir")]
    working_dir: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    empty_layer: bool,
}

impl Before {
    /// That of an image.
    ///
    /// # Errors
    /// Why it cannot be told.
    pub fn of(store: &dyn Images, image: &str) -> Result<Self, String> {
        let want = Facts {
            document: true,
            ..Facts::default()
        };
        let unread = |why: &str| format!("image {image} cannot be read: {why}");
        let found = store.get(&[image.to_owned()], want, LONGEST).pop();
        let found = found.ok_or_else(|| unread("the store returned nothing"))?;
        let found = found.map_err(|failure| unread(&failure.to_string()))?;
        let text = found.document.unwrap_or_default();
        let document: Document =
            serde_json::from_str(&text).map_err(|_| unread("it has no document"))?;
        let last = document.history.unwrap_or_default().pop();
        let last = last.ok_or_else(|| unread("its history is empty"))?;
        let config = document.config.and_then(|config| config.working_dir);
        Ok(Self {
            command: last.created_by,
            working_dir: config.unwrap_or_default(),
            empty: last.empty_layer,
        })
    }

    /// The COPY or ADD to `to`.
    ///
    /// # Errors
    /// That it is another step.
    pub fn copy(&self, to: &str) -> Result<Copy<'_>, String> {
        let copy = Copy::read(&self.command);
        let same = |copy: &Copy<'_>| place(&paths::join(&["/", &self.working_dir, copy.to]), copy);
        let copy = copy.filter(|copy| same(copy) == to.trim_end_matches('/'));
        copy.ok_or_else(|| {
            let mut shells = SHELL.iter();
            let command = shells.find_map(|shell| self.command.strip_prefix(shell));
            let command = command.unwrap_or(&self.command).trim();
            format!("the nearest image comes of another step, {command}")
        })
    }

    /// The files of its layer, and the layers below.
    ///
    /// # Errors
    /// Why they cannot be told.
    pub fn layer(
        &self,
        store: &dyn Images,
        image: &str,
        limits: &Limits,
    ) -> Result<(Layer, Below), String> {
        let unread =
            |failure: Failure| format!("the layer of image {image} cannot be read: {failure}");
        let mut layers = store.layers(image).map_err(unread)?;
        let mut files = Layer::default();
        if !self.empty {
            let none = || format!("image {image} has no layers");
            let stored = layers.pop().ok_or_else(none)?.stored.map_err(unread)?;
            files.put(0, stored, limits).map_err(unread)?;
        }
        let below = Below {
            layers,
            files: Layer::default(),
            limits: *limits,
            differs_only: matches!(store.unpacked(image), Ok(Some(Unpacked::Whole(_)))),
        };
        Ok((files, below))
    }
}

/// A destination from the root, without a slash at its end.
fn place(joined: &str, copy: &Copy<'_>) -> String {
    let path = match copy.to.starts_with('/') {
        true => paths::clean(copy.to),
        false => joined.to_owned(),
    };
    path.trim_end_matches('/').to_owned()
}

/// The layers below one. They are read when they are wanted.
pub struct Below {
    layers: Vec<Kept>,
    files: Layer,
    limits: Limits,
    /// A layer has only what differs from those below: the driver compares directories,
    /// and takes a file of the same size and time for the same.
    pub differs_only: bool,
}

impl Below {
    /// What they hold. One that cannot be read holds nothing.
    pub fn files(&mut self) -> &Layer {
        for layer in std::mem::take(&mut self.layers) {
            let put = |stored| self.files.put(0, stored, &self.limits).ok();
            layer.stored.ok().and_then(put);
        }
        &self.files
    }

    /// Where a path leads, all links followed.
    pub fn follow(&mut self, path: &str) -> String {
        let files = self.files();
        let mut parts: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        let mut at = String::new();
        let mut links = 0;
        while let Some(part) = parts.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    at.truncate(at.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let next = match at.as_str() {
                "" => part,
                above => format!("{above}/{part}"),
            };
            let file = files.get(&next).map(|placed| &placed.file);
            let link = file.filter(|file| file.kind == FileKind::Link && links < LINKS);
            match link.and_then(|link| link.target.as_deref()) {
                Some(target) => {
                    links += 1;
                    if target.starts_with('/') {
                        at.clear();
                    }
                    parts.extend(target.rsplit('/').map(str::to_owned));
                }
                None => at = next,
            }
        }
        at
    }
}
