//! What the cache image takes and answers.

use super::wit;
use crate::buildpacks::{
    Addition, AdditionSource, Commit, Effect, ImageOptions, ImagePolicy, LayerAnswer, LayerState,
    Outcome, Retrieval, WantedLayer, Written,
};
use crate::component::types::{convert, limits};
use crate::host::Destination;

impl From<wit::ImageOptions> for ImageOptions {
    fn from(options: wit::ImageOptions) -> Self {
        let flag = |flag| options.policy.contains(flag);
        Self {
            policy: ImagePolicy {
                delete_original: flag(wit::ImagePolicy::DELETE_ORIGINAL),
                accept_unscoped: flag(wit::ImagePolicy::ACCEPT_UNSCOPED),
                keep_integers: flag(wit::ImagePolicy::KEEP_INTEGERS),
            },
            semantics: options.semantics.into(),
            reference: options.reference,
            scope: options.scope,
            os: options.os,
            limits: limits(options.limits),
        }
    }
}

impl From<Retrieval> for wit::Retrieval {
    fn from(Retrieval { document, finding }: Retrieval) -> Self {
        Self {
            document,
            finding: finding.into(),
        }
    }
}

impl From<wit::Addition> for Addition {
    fn from(addition: wit::Addition) -> Self {
        Self {
            source: match addition.source {
                wit::AdditionSource::File(path) => AdditionSource::File(path),
                wit::AdditionSource::Provider(name) => AdditionSource::Provider(name),
            },
            diff_id: addition.diff,
        }
    }
}

impl From<wit::WantedLayer> for WantedLayer {
    fn from(layer: wit::WantedLayer) -> Self {
        Self {
            diff_id: layer.diff,
            into: layer.into.map(|place| Destination {
                root: place.root,
                prefix: place.prefix,
            }),
        }
    }
}

impl From<LayerAnswer> for wit::LayerAnswer {
    fn from(answer: LayerAnswer) -> Self {
        let LayerAnswer {
            diff_id,
            outcome,
            message,
            finding,
        } = answer;
        Self {
            diff: diff_id,
            outcome: match outcome {
                Outcome::Done => wit::Outcome::Done,
                Outcome::Miss => wit::Outcome::Miss,
                Outcome::Failed => wit::Outcome::Failed,
            },
            message,
            finding: finding.into(),
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

impl From<LayerState> for wit::Layer {
    fn from(layer: LayerState) -> Self {
        let LayerState {
            diff_id,
            descriptor,
        } = layer;
        Self {
            diff: diff_id,
            blob: descriptor.into(),
        }
    }
}

impl From<Commit> for wit::Commit {
    fn from(commit: Commit) -> Self {
        let Commit {
            digest,
            layers,
            effects,
            notes,
        } = commit;
        Self {
            digest,
            layers: convert(layers),
            effects: convert(effects),
            notes: convert(notes),
        }
    }
}

impl From<Effect> for wit::Effect {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::WriteLayer(written) => Self::WriteLayer(written.into()),
            Effect::WriteConfig(written) => Self::WriteConfig(written.into()),
            Effect::WriteManifest(written) => Self::WriteManifest(written.into()),
            Effect::SetTag(digest) => Self::SetTag(digest),
            Effect::Delete(digest) => Self::Delete(digest),
        }
    }
}

impl From<Written> for wit::Written {
    fn from(Written { descriptor, text }: Written) -> Self {
        Self {
            descriptor: descriptor.into(),
            text,
        }
    }
}
