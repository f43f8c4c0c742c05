//! The layers of a build: what is there, and which of them are stored, reused or
//! left out.

use std::path::{Path, PathBuf};

use layerwise::buildpacks::{
    Addition, AdditionSource, ApiVersion, ExportPlan, ExportRequest, GroupElement, LayerAnswer,
    LocalLayer, Outcome, Treatment,
};
use layerwise::semantics::Semantics;
use layerwise_files::{Access, Files};
use layerwise_host::buildpacks::{CacheImage, Plans};
use serde::Deserialize;
use toml::Value as Toml;

use super::archive::Archives;
use super::data::{Directory, join};
use super::inputs;
use super::lent::Ground;
use crate::cli::failed::Failed;
use crate::cli::lend::{self, Bars};

/// From this Buildpack API the flags of a layer are in a table of their own.
const TYPES: ApiVersion = ApiVersion::new(0, 6);

/// What a build left.
pub struct Export<'a> {
    pub semantics: &'a Semantics,
    pub group: Vec<GroupElement>,
    pub ground: &'a Ground,
    pub archives: &'a Archives,
}

#[derive(Default, Deserialize)]
struct Layer {
    #[serde(default)]
    types: Flags,
    build: Option<bool>,
    launch: Option<bool>,
    cache: Option<bool>,
    metadata: Option<Toml>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Flags {
    #[serde(default)]
    build: bool,
    #[serde(default)]
    launch: bool,
    #[serde(default)]
    cache: bool,
}

impl Layer {
    /// Its flags, or why the lifecycle cannot read them.
    fn flags(&self, api: ApiVersion) -> (Flags, Option<String>) {
        let Self {
            build,
            launch,
            cache,
            ..
        } = *self;
        let outside = Flags {
            build: build.unwrap_or_default(),
            launch: launch.unwrap_or_default(),
            cache: cache.unwrap_or_default(),
        };
        if api < TYPES {
            return (outside, None);
        }
        if build.or(launch).or(cache).is_none() {
            return (self.types, None);
        }
        let flags = Flags {
            cache: outside.cache || self.types.cache,
            ..self.types
        };
        let why = "the launch, cache and build flags should be in the types table";
        (flags, Some(why.to_owned()))
    }
}

impl Export<'_> {
    /// Puts layers and metadata into the new image. What cannot be stored is
    /// left out with its reason, as the lifecycle does.
    pub fn write(
        &self,
        image: &mut CacheImage,
        plans: &mut Plans,
        bars: &Bars,
    ) -> Result<(ExportPlan, Vec<LayerAnswer>), Failed> {
        let files = lend::files([self.ground.opened(Access::ReadOnly)], bars)?;
        let mut request = ExportRequest {
            semantics: self.semantics.clone(),
            group: self.group.clone(),
            layers: self.local(&files)?,
            sbom: String::new(),
            previous: Some(image.metadata()?.document),
        };
        let plan = plans.plan_export(&request)?;
        self.verify(&plan, &mut request, image)?;
        let plan = plans.plan_export(&request)?;
        let answers = self.store(&plan, &mut request, image)?;
        // Again, without what could not be stored.
        let plan = plans.plan_export(&request)?;
        image.set_metadata(&plan.document)?;
        Ok((plan, answers))
    }

    fn local(&self, files: &Files) -> Result<Vec<LocalLayer>, Failed> {
        let directory = Directory {
            files,
            inner: &self.ground.inner,
        };
        let mut layers = Vec::new();
        for element in &self.group {
            let api = element.api.parse().unwrap_or(TYPES);
            let inside = join(directory.inner, &element.id.replace('/', "_"));
            for name in directory.names(&inside, api)? {
                let path = format!("{}.toml", join(&inside, &name));
                let bad = |why: String| Failed::unreadable("the layer", Path::new(&path), &why);
                let layer: Layer = inputs::parse(&directory.text(&path)?).map_err(bad)?;
                let (flags, misplaced) = layer.flags(api);
                let data = layer.metadata.map(inputs::json).transpose().map_err(bad)?;
                let content = self.content(&element.id, &name);
                let (diff_id, error) = match flags.cache.then(|| content.is_dir()) {
                    Some(true) => match self.archives.diff_id(&content) {
                        Ok(diff_id) => (diff_id, None),
                        Err(error) => (String::new(), Some(error.to_string())),
                    },
                    _ => (String::new(), None),
                };
                layers.push(LocalLayer {
                    buildpack: element.id.clone(),
                    layer: name,
                    diff_id,
                    data: data.map_or_else(String::new, |data| data.to_string()),
                    build: flags.build,
                    launch: flags.launch,
                    cache: flags.cache,
                    unverified: false,
                    error: misplaced.or(error),
                });
            }
        }
        Ok(layers)
    }

    /// Where the content of a layer is.
    fn content(&self, buildpack: &str, layer: &str) -> PathBuf {
        self.ground
            .layers
            .join(buildpack.replace('/', "_"))
            .join(layer)
    }

    /// Marks the layers whose old copy is not what it should be.
    fn verify(
        &self,
        plan: &ExportPlan,
        request: &mut ExportRequest,
        image: &mut CacheImage,
    ) -> Result<(), Failed> {
        let reused: Vec<String> = plan
            .steps
            .iter()
            .filter(|step| step.treatment == Treatment::Reuse)
            .map(|step| step.diff_id.clone())
            .collect();
        for answer in image.verify(&reused)? {
            if answer.outcome != Outcome::Done {
                let same = |layer: &&mut LocalLayer| layer.diff_id == answer.diff_id;
                for layer in request.layers.iter_mut().filter(same) {
                    layer.unverified = true;
                }
            }
        }
        Ok(())
    }

    /// Reuses and adds in the order of the plan, as many at a time as are
    /// treated alike.
    fn store(
        &self,
        plan: &ExportPlan,
        request: &mut ExportRequest,
        image: &mut CacheImage,
    ) -> Result<Vec<LayerAnswer>, Failed> {
        let mut all = Vec::new();
        for steps in plan.steps.chunk_by(|a, b| a.treatment == b.treatment) {
            let diff_ids = steps.iter().map(|step| step.diff_id.clone());
            let answers = match steps.first().map(|step| step.treatment) {
                Some(Treatment::Reuse) => image.reuse(&diff_ids.collect::<Vec<_>>())?,
                Some(Treatment::Add) => {
                    let additions: Vec<Addition> = steps
                        .iter()
                        .map(|step| {
                            addition(&self.content(&step.buildpack, &step.layer), &step.diff_id)
                        })
                        .collect();
                    image.add(&additions)?
                }
                _ => continue,
            };
            for (step, answer) in steps.iter().zip(answers) {
                if answer.outcome != Outcome::Done {
                    let same = |layer: &&mut LocalLayer| {
                        layer.buildpack == step.buildpack && layer.layer == step.layer
                    };
                    for layer in request.layers.iter_mut().filter(same) {
                        layer.error = Some(answer.message.clone());
                    }
                }
                all.push(answer);
            }
        }
        Ok(all)
    }
}

/// A layer to be added from a path.
pub fn addition(path: &Path, diff_id: &str) -> Addition {
    Addition {
        source: AdditionSource::Provider(path.display().to_string()),
        diff_id: diff_id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_belong_into_a_table_of_their_own() {
        let flags = |text: &str, api: &str| {
            let layer: Layer = inputs::parse(text).unwrap();
            let (flags, why) = layer.flags(api.parse().unwrap());
            (flags.cache, flags.launch, why.is_some())
        };
        let both = "launch = true\n[types]\ncache = true\n";
        assert_eq!(flags(both, "0.5"), (false, true, false));
        assert_eq!(flags(both, "0.6"), (true, false, true));
        assert_eq!(flags("cache = true", "0.10"), (true, false, true));
        let inside = "[types]\ncache = true\n[metadata]\nlaunch = 1\n";
        assert_eq!(flags(inside, "0.6"), (true, false, false));
    }
}
