//! A session over one cache image.

use layerwise::buildpacks::{
    Addition, AdditionSource, Commit, Effect, ImageOptions, LayerAnswer, LayerState, Outcome,
    Retrieval, State, WantedLayer, Written,
};
use layerwise::explain::Explanation;
use wasmtime::component::ResourceAny;

use super::{refused, wit};
use crate::bindings::{convert, limits};
use crate::engine::Engine;
use crate::error::Error;
use crate::imports::Imports;
use crate::instance::{Instance, SessionLimits, call};

/// An ordinary image under one name, rebuilt from nothing on every commit. It
/// uses the registry and the observer it was lent.
pub struct CacheImage {
    instance: Instance,
    image: ResourceAny,
}

impl Engine {
    /// Opens the image behind a name in an instance of its own.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn buildpacks_image(
        &self,
        lent: Imports,
        options: ImageOptions,
        limits: SessionLimits,
    ) -> Result<CacheImage, Error> {
        let mut instance = Instance::new(self, lent, limits)?;
        let options = options.into();
        let opened = call!(
            &mut instance,
            layerwise_cache_buildpacks.call_open_image(&options)
        )?;
        let image = opened.map_err(refused)?;
        Ok(CacheImage { instance, image })
    }
}

/// Calls a method of the image.
macro_rules! method {
    ($self:ident, $call:ident $(, $argument:expr)*) => {{
        let Self { instance, image } = $self;
        call!(instance, layerwise_cache_buildpacks.cache_image.$call(*image $(, $argument)*))
    }};
}

impl CacheImage {
    /// The fuel that the last call took; none where time is what counts.
    pub fn spent(&self) -> Option<u64> {
        self.instance.spent()
    }

    /// Whether the name stands for something now; asked again at each call. Only by the
    /// build with the functions that only tests call.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn exists(&mut self) -> Result<bool, Error> {
        let Self { instance, image } = self;
        call!(instance, layerwise_cache_testing.call_exists(*image))
    }

    /// The name as it was given.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn name(&mut self) -> Result<String, Error> {
        Ok(method!(self, call_describe)?.name)
    }

    /// The metadata of the image the name stood for, or of the one committed.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn metadata(&mut self) -> Result<Retrieval, Error> {
        Ok(method!(self, call_metadata)?.into())
    }

    /// Sets the metadata of the new image, a JSON document; the last one counts.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn set_metadata(&mut self, document: &str) -> Result<(), Error> {
        method!(self, call_set_metadata, document)?.map_err(refused)
    }

    /// Stores layers and puts them into the new image, in this order.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn add(&mut self, layers: &[Addition]) -> Result<Vec<LayerAnswer>, Error> {
        let layers: Vec<wit::Addition> = layers.iter().map(Into::into).collect();
        let answers = method!(self, call_add, &layers)?;
        Ok(convert(answers.map_err(refused)?))
    }

    /// Takes layers of the old image over into the new one, in this order.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn reuse(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error> {
        let answers = method!(self, call_reuse, diff_ids)?;
        Ok(convert(answers.map_err(refused)?))
    }

    /// Retrieves layers.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn retrieve(&mut self, layers: &[WantedLayer]) -> Result<Vec<LayerAnswer>, Error> {
        let layers: Vec<wit::WantedLayer> = layers.iter().map(Into::into).collect();
        let answers = method!(self, call_retrieve, &layers)?;
        Ok(convert(answers.map_err(refused)?))
    }

    /// Verifies layers.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn verify(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error> {
        let answers = method!(self, call_verify, diff_ids)?;
        Ok(convert(answers.map_err(refused)?))
    }

    /// What [`CacheImage::commit`] would do, as far as it is known without asking
    /// the registry again.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn plan(&mut self) -> Result<Commit, Error> {
        Ok(method!(self, call_plan)?.map_err(refused)?.into())
    }

    /// Stores the new image, makes the name stand for it, and deletes the old one
    /// where that was asked for and is right.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped. Committing again is
    /// safe; after a stop, in a new session.
    pub fn commit(&mut self) -> Result<Commit, Error> {
        Ok(method!(self, call_commit)?.map_err(refused)?.into())
    }

    /// What this session holds.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn state(&mut self) -> Result<State, Error> {
        Ok(method!(self, call_describe)?.into())
    }

    /// Why the metadata is what it is, and for each cached layer in it whether the
    /// image has it.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn explain(&mut self) -> Result<Explanation, Error> {
        Ok(method!(self, call_explain)?.into())
    }
}

impl From<ImageOptions> for wit::ImageOptions {
    fn from(options: ImageOptions) -> Self {
        let mut policy = wit::ImagePolicy::empty();
        for (flag, set) in [
            (
                wit::ImagePolicy::DELETE_ORIGINAL,
                options.policy.delete_original,
            ),
            (
                wit::ImagePolicy::ACCEPT_UNSCOPED,
                options.policy.accept_unscoped,
            ),
            (
                wit::ImagePolicy::KEEP_INTEGERS,
                options.policy.keep_integers,
            ),
        ] {
            if set {
                policy |= flag;
            }
        }
        Self {
            semantics: (&options.semantics).into(),
            reference: options.reference,
            scope: options.scope,
            os: options.os,
            policy,
            limits: limits(options.limits),
        }
    }
}

impl From<wit::Retrieval> for Retrieval {
    fn from(retrieval: wit::Retrieval) -> Self {
        Self {
            document: retrieval.document,
            finding: retrieval.finding.into(),
        }
    }
}

impl From<&Addition> for wit::Addition {
    fn from(addition: &Addition) -> Self {
        Self {
            source: match &addition.source {
                AdditionSource::File(path) => wit::AdditionSource::File(path.clone()),
                AdditionSource::Provider(name) => wit::AdditionSource::Provider(name.clone()),
            },
            diff: addition.diff_id.clone(),
        }
    }
}

impl From<&WantedLayer> for wit::WantedLayer {
    fn from(layer: &WantedLayer) -> Self {
        Self {
            diff: layer.diff_id.clone(),
            into: layer.into.as_ref().map(|place| wit::Place {
                root: place.root.clone(),
                prefix: place.prefix.clone(),
            }),
        }
    }
}

impl From<wit::LayerAnswer> for LayerAnswer {
    fn from(answer: wit::LayerAnswer) -> Self {
        Self {
            diff_id: answer.diff,
            outcome: match answer.outcome {
                wit::Outcome::Done => Outcome::Done,
                wit::Outcome::Miss => Outcome::Miss,
                wit::Outcome::Failed => Outcome::Failed,
            },
            message: answer.message,
            finding: answer.finding.into(),
        }
    }
}

impl From<LayerAnswer> for wit::LayerAnswer {
    fn from(answer: LayerAnswer) -> Self {
        Self {
            diff: answer.diff_id,
            outcome: match answer.outcome {
                Outcome::Done => wit::Outcome::Done,
                Outcome::Miss => wit::Outcome::Miss,
                Outcome::Failed => wit::Outcome::Failed,
            },
            message: answer.message,
            finding: answer.finding.into(),
        }
    }
}

impl From<wit::Layer> for LayerState {
    fn from(layer: wit::Layer) -> Self {
        Self {
            diff_id: layer.diff,
            descriptor: layer.blob.into(),
        }
    }
}

impl From<wit::Description> for State {
    fn from(state: wit::Description) -> Self {
        Self {
            committed: state.committed,
            label: state.label,
            layers: convert(state.layers),
            digest: state.digest,
        }
    }
}

impl From<wit::Commit> for Commit {
    fn from(commit: wit::Commit) -> Self {
        Self {
            digest: commit.digest,
            layers: convert(commit.layers),
            effects: convert(commit.effects),
            notes: convert(commit.notes),
        }
    }
}

impl From<wit::Effect> for Effect {
    fn from(effect: wit::Effect) -> Self {
        match effect {
            wit::Effect::WriteLayer(written) => Self::WriteLayer(written.into()),
            wit::Effect::WriteConfig(written) => Self::WriteConfig(written.into()),
            wit::Effect::WriteManifest(written) => Self::WriteManifest(written.into()),
            wit::Effect::SetTag(digest) => Self::SetTag(digest),
            wit::Effect::Delete(digest) => Self::Delete(digest),
        }
    }
}

impl From<wit::Written> for Written {
    fn from(written: wit::Written) -> Self {
        Self {
            descriptor: written.descriptor.into(),
            text: written.text,
        }
    }
}
