//! The layers of a build: what is there, and which of them are stored, reused or
//! left out.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use layerwise::buildpacks::{
    Addition, AdditionSource, CACHE_SBOM, ExportPlan, ExportRequest, ExportStep, FileFlags, Flags,
    GroupElement, LayerAnswer, LocalLayer, Outcome, SbomLayer, Treatment, Tried, buildpack_api,
};
use layerwise::semantics::Semantics;
use layerwise_files::{Access, Files, encode};
use layerwise_host::buildpacks::{CacheImage, Plans};
use layerwise_registry::Packer;
use serde::Deserialize;
use toml::Value as Toml;

use super::data::{Directory, join};
use super::inputs;
use super::lent::Ground;
use crate::failed::Failed;
use crate::lend::{self, Bars};

/// What a build left.
pub struct Export<'a> {
    pub semantics: &'a Semantics,
    /// Empty for the newest.
    pub platform_api: &'a str,
    pub group: Vec<GroupElement>,
    pub ground: &'a Ground,
    pub packer: &'a Packer,
}

#[derive(Default, Deserialize)]
struct Layer {
    #[serde(default)]
    types: Types,
    build: Option<bool>,
    launch: Option<bool>,
    cache: Option<bool>,
    metadata: Option<Toml>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Types {
    #[serde(default)]
    build: bool,
    #[serde(default)]
    launch: bool,
    #[serde(default)]
    cache: bool,
}

impl Layer {
    fn flags(&self) -> FileFlags {
        FileFlags {
            types: Flags {
                build: self.types.build,
                launch: self.types.launch,
                cache: self.types.cache,
            },
            build: self.build,
            launch: self.launch,
            cache: self.cache,
        }
    }
}

impl Export<'_> {
    /// Puts layers and metadata into the new cache. What cannot be stored is left
    /// out with its reason.
    pub fn write(
        &self,
        image: &mut CacheImage,
        plans: &mut Plans,
        bars: &Bars,
    ) -> Result<(ExportPlan, Vec<LayerAnswer>), Failed> {
        let files = lend::files([self.ground.opened(Access::ReadOnly)], bars)?;
        let mut request = ExportRequest {
            semantics: self.semantics.clone(),
            platform_api: self.platform_api.to_owned(),
            group: self.group.clone(),
            layers: self.local(&files)?,
            sbom: self.sbom(),
            previous: Some(image.metadata()?.document),
        };
        let plan = plans.plan_export(&request)?;
        verify(&plan, &mut request, image)?;
        let mut answers = Vec::new();
        let mut settled: BTreeSet<(String, String)> = BTreeSet::new();
        // Again for what could not be taken over, and at last for the metadata.
        loop {
            let plan = plans.plan_export(&request)?;
            let left: Vec<&ExportStep> = plan
                .steps
                .iter()
                .filter(|step| step.treatment != Treatment::LeaveOut)
                .filter(|step| !settled.contains(&key(step)))
                .collect();
            if left.is_empty() {
                image.set_metadata(&plan.document)?;
                return Ok((plan, answers));
            }
            for (step, answer) in self.store(&left, image)? {
                let tried = tried(step, &answer);
                let done = tried == Tried::Nothing;
                if done || step.treatment == Treatment::Add {
                    settled.insert(key(step));
                }
                // Why a layer was added stays true.
                if !done {
                    *place(&mut request, step) = tried;
                }
                answers.push(answer);
            }
        }
    }

    fn local(&self, files: &Files) -> Result<Vec<LocalLayer>, Failed> {
        let directory = Directory {
            files,
            inner: &self.ground.inner,
        };
        let mut layers = Vec::new();
        for element in &self.group {
            let api = buildpack_api(&element.api);
            let inside = join(directory.inner, &element.id.replace('/', "_"));
            for name in directory.names(&inside, api)? {
                let path = format!("{}.toml", join(&inside, &name));
                let bad = |why: String| Failed::unreadable("the layer", Path::new(&path), &why);
                let layer: Layer = crate::io::toml(&directory.text(&path)?).map_err(bad)?;
                let (flags, misplaced) = match layer.flags().read(api) {
                    Ok(flags) => (flags, None),
                    Err((flags, why)) => (flags, Some(why.to_owned())),
                };
                let data = layer.metadata.map(inputs::json).transpose().map_err(bad)?;
                let (diff_id, tried) = match (misplaced, flags.cache) {
                    (Some(why), _) => (String::new(), Tried::NotStored(why)),
                    (None, true) => self.content(&self.path(&element.id, &name)),
                    (None, false) => (String::new(), Tried::Nothing),
                };
                layers.push(LocalLayer {
                    buildpack: element.id.clone(),
                    layer: name,
                    diff_id,
                    data: data.map_or_else(String::new, |data| data.to_string()),
                    build: flags.build,
                    launch: flags.launch,
                    cache: flags.cache,
                    tried,
                });
            }
        }
        Ok(layers)
    }

    fn sbom(&self) -> Option<SbomLayer> {
        let (diff_id, tried) = self.content(&self.path("", ""));
        (!diff_id.is_empty() || tried != Tried::Nothing).then_some(SbomLayer { diff_id, tried })
    }

    /// Where the content of a layer is; without names that of the SBOM layer.
    fn path(&self, buildpack: &str, layer: &str) -> PathBuf {
        if buildpack.is_empty() {
            return CACHE_SBOM
                .iter()
                .fold(self.ground.layers.clone(), |path, part| path.join(part));
        }
        let directory = self.ground.layers.join(buildpack.replace('/', "_"));
        directory.join(layer)
    }

    /// The diff id of a layer; empty when there is nothing.
    fn content(&self, path: &Path) -> (String, Tried) {
        match std::fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (String::new(), Tried::Nothing)
            }
            _ => match self.packer.diff_id(path) {
                Ok(diff_id) => (diff_id, Tried::Nothing),
                Err(failure) => (String::new(), Tried::NotStored(failure.message)),
            },
        }
    }

    /// Reuses and adds in the order of the steps, as many at a time as are
    /// treated alike.
    fn store<'s>(
        &self,
        steps: &[&'s ExportStep],
        image: &mut CacheImage,
    ) -> Result<Vec<(&'s ExportStep, LayerAnswer)>, Failed> {
        let mut all = Vec::with_capacity(steps.len());
        for alike in steps.chunk_by(|a, b| a.treatment == b.treatment) {
            let added = alike
                .first()
                .is_some_and(|step| step.treatment == Treatment::Add);
            let answers = if added {
                let additions: Vec<Addition> = alike
                    .iter()
                    .map(|step| Addition {
                        source: AdditionSource::Provider(layer_name(
                            &self.path(&step.buildpack, &step.layer),
                        )),
                        diff_id: step.diff_id.clone(),
                    })
                    .collect();
                image.add(&additions)?
            } else {
                let diff_ids: Vec<String> = alike.iter().map(|step| step.diff_id.clone()).collect();
                image.reuse(&diff_ids)?
            };
            all.extend(alike.iter().copied().zip(answers));
        }
        Ok(all)
    }
}

/// Marks the layers whose old copy is not what it should be.
fn verify(
    plan: &ExportPlan,
    request: &mut ExportRequest,
    image: &mut CacheImage,
) -> Result<(), Failed> {
    let reused: Vec<&ExportStep> = plan
        .steps
        .iter()
        .filter(|step| step.treatment == Treatment::Reuse)
        .collect();
    let diff_ids: Vec<String> = reused.iter().map(|step| step.diff_id.clone()).collect();
    for (step, answer) in reused.into_iter().zip(image.verify(&diff_ids)?) {
        *place(request, step) = tried(step, &answer);
    }
    Ok(())
}

/// What an answer makes of a layer.
fn tried(step: &ExportStep, answer: &LayerAnswer) -> Tried {
    let reused = step.treatment == Treatment::Reuse;
    match answer.outcome {
        Outcome::Done if answer.diff_id == step.diff_id => Tried::Nothing,
        Outcome::Done => Tried::NotStored("it changed while it was stored".to_owned()),
        Outcome::Miss if reused => Tried::Unverified,
        Outcome::Failed if reused => Tried::NotReused(answer.message.clone()),
        Outcome::Miss | Outcome::Failed => Tried::NotStored(answer.message.clone()),
    }
}

/// Where it is said of the layer of a step what came of it.
fn place<'r>(request: &'r mut ExportRequest, step: &ExportStep) -> &'r mut Tried {
    let ExportRequest { layers, sbom, .. } = request;
    let of_step =
        |layer: &&mut LocalLayer| layer.buildpack == step.buildpack && layer.layer == step.layer;
    match layers.iter_mut().find(of_step) {
        Some(layer) => &mut layer.tried,
        None => &mut sbom.get_or_insert_default().tried,
    }
}

fn key(step: &ExportStep) -> (String, String) {
    (step.buildpack.clone(), step.layer.clone())
}

/// A layer of a build, by the name that the packer knows it by.
fn layer_name(path: &Path) -> String {
    format!(
        "{}{}",
        Packer::LAYER,
        encode(path.as_os_str().as_encoded_bytes())
    )
}

/// A tar file or directory that is to be added.
pub fn addition(path: &Path) -> Result<Addition, Failed> {
    let absolute =
        std::path::absolute(path).map_err(|error| Failed::file("the layer", path, &error))?;
    Ok(Addition {
        source: AdditionSource::Provider(encode(absolute.as_os_str().as_encoded_bytes())),
        diff_id: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_belong_into_a_table_of_their_own() {
        let flags = |text: &str, api: &str| {
            let layer: Layer = crate::io::toml(text).unwrap();
            let read = layer.flags().read(buildpack_api(api));
            let misplaced = read.is_err();
            let flags = read.unwrap_or_else(|(flags, _)| flags);
            (flags.cache, flags.launch, misplaced)
        };
        let both = "launch = true\n[types]\ncache = true\n";
        assert_eq!(flags(both, "0.5"), (false, true, false));
        assert_eq!(flags(both, "0.6"), (true, false, true));
        assert_eq!(flags("cache = true", "0.10"), (true, false, true));
        let inside = "[types]\ncache = true\n[metadata]\nlaunch = 1\n";
        assert_eq!(flags(inside, "0.6"), (true, false, false));
    }
}
