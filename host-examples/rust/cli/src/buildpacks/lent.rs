//! What the commands lend beyond opened directories: where layers are in the
//! root of a build, and a registry that is held to what a command may do.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use layerwise::host::{
    Failure, FailureCode, Presence, Registry, Retrieval, Retrieved, Shelf, Stored, Transfer,
};
use layerwise::oci::Descriptor;
use layerwise_files::{Access, Root, encode};
use layerwise_registry::Repositories;

use crate::failed::Failed;
use crate::interrupt::Busy;

/// The layers directory, and the directory that is `/` in layers.
pub struct Ground {
    /// Outside.
    pub layers: PathBuf,
    /// The layers directory as layers name it, a path of the file system
    /// interface.
    pub inner: String,
}

impl Ground {
    /// Finds the layers directory inside the root.
    pub fn new(layers: &Path, root: &Path) -> Result<Self, Failed> {
        let outer = directory("the layers directory", layers)?;
        let root = directory("the root", root)?;
        let inside = outer.strip_prefix(&root).map_err(|_| {
            Failed::usage(format!(
                "the layers directory {layers:?} is not inside --root {root:?}"
            ))
        })?;
        let inner = Path::new("/").join(inside);
        Ok(Self {
            inner: encode(inner.as_os_str().as_encoded_bytes()),
            layers: outer,
        })
    }

    /// The layers directory under the name it has in layers.
    pub fn opened(&self, access: Access) -> Root {
        Root::new(&self.layers, access).named(self.inner.clone())
    }

    /// What the content of every layer must stay below.
    pub fn prefix(&self) -> &str {
        self.inner.trim_start_matches('/')
    }
}

/// The absolute path of a directory that is there. Links in it stay, because
/// layers have the names that the build used.
pub fn directory(what: &str, path: &Path) -> Result<PathBuf, Failed> {
    let failed = |error| Failed::file(what, path, &error);
    let climbs = path.components().any(|part| part == Component::ParentDir);
    let found = if climbs {
        path.canonicalize()
    } else {
        std::path::absolute(path)
    };
    let found = found.map_err(failed)?;
    if !fs::metadata(&found).map_err(failed)?.is_dir() {
        return Err(Failed::unreadable(what, path, "it is not a directory"));
    }
    Ok(found)
}

/// A registry held to what a command may do with it.
pub struct Held {
    inner: Arc<Repositories>,
    /// Layers are unpacked below this only; none: nowhere.
    below: Option<String>,
    /// What is stored goes there, and no name changes.
    rehearsal: Option<Scratch>,
}

impl Held {
    /// Layers are unpacked below a path only.
    pub fn below(inner: Arc<Repositories>, prefix: Option<&str>) -> Self {
        Self {
            inner,
            below: prefix.map(str::to_owned),
            rehearsal: None,
        }
    }

    /// Nothing is changed.
    pub fn rehearsing(inner: Arc<Repositories>) -> Result<Self, Failed> {
        Ok(Self {
            inner,
            below: None,
            rehearsal: Some(Scratch::new()?),
        })
    }

    fn allows(&self, layer: &Retrieval) -> bool {
        let Some(into) = &layer.into else {
            return true;
        };
        let Some(below) = &self.below else {
            return false;
        };
        let rest = into.prefix.strip_prefix(below.as_str());
        below.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn changing(&self) -> Result<(), Failure> {
        match self.rehearsal {
            Some(_) => Err(refused("nothing is changed in a plan")),
            None => Ok(()),
        }
    }
}

impl Registry for Held {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        self.inner.locate(reference)
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        self.inner.resolve(references)
    }

    fn read(
        &self,
        repository: &str,
        wanted: &[Descriptor],
        limit: u64,
    ) -> Vec<Result<String, Failure>> {
        self.inner.read(repository, wanted, limit)
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        self.inner.has(repository, digests)
    }

    fn write(
        &self,
        repository: &str,
        shelf: Shelf,
        media_type: &str,
        document: &str,
    ) -> Result<Descriptor, Failure> {
        self.changing()?;
        self.inner.write(repository, shelf, media_type, document)
    }

    fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        match &self.rehearsal {
            Some(scratch) => self.inner.store(&scratch.layout(), layers),
            None => self.inner.store(repository, layers),
        }
    }

    fn retrieve(&self, repository: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        if layers.iter().all(|layer| self.allows(layer)) {
            let unpacked = layers.iter().filter_map(|layer| layer.into.as_ref());
            let _busy: Vec<Busy> = unpacked
                .map(|into| Busy::with(into.prefix.clone()))
                .collect();
            return self.inner.retrieve(repository, layers);
        }
        let outside = |_| Err(refused("nothing may be unpacked there"));
        layers.iter().map(outside).collect()
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        self.changing()?;
        self.inner.tag(reference, digest)
    }

    fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure> {
        self.changing()?;
        self.inner.delete(repository, digest)
    }
}

fn refused(why: &str) -> Failure {
    Failure::new(FailureCode::Denied, why)
}

/// A directory for layers that are stored nowhere.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failed> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("layerwise-plan-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)
            .map_err(|error| Failed::file("the scratch directory", &path, &error))?;
        Ok(Self(path))
    }

    fn layout(&self) -> String {
        format!("oci:{}", self.0.display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory that stays holds nothing that is used again.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use layerwise::host::Destination;
    use layerwise_registry::Options;

    use super::*;

    #[test]
    fn layers_stay_below_what_was_opened() {
        let inner = Arc::new(Repositories::new(Options::default()).unwrap());
        let held = Held::below(inner.clone(), Some("layers/a"));
        let layer = |prefix: &str| Retrieval {
            descriptor: Descriptor::default(),
            into: Some(Destination {
                root: ".".to_owned(),
                prefix: prefix.to_owned(),
            }),
            diff_id: None,
        };
        for (prefix, allowed) in [
            ("layers/a", true),
            ("layers/a/b", true),
            ("layers/ab", false),
            ("layers", false),
            ("etc", false),
        ] {
            assert_eq!(held.allows(&layer(prefix)), allowed, "{prefix}");
        }
        assert!(!Held::below(inner, None).allows(&layer("layers/a")));
    }
}
