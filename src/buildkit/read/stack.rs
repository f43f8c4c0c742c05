//! The layers of a config that was read, as chains (BuildKit spec, section 7.3,
//! steps 4 and 5). What is below a layer is found out once.

use crate::buildkit::documents::config::{RawChain, RawLayer};
use crate::buildkit::documents::descriptor::Descriptor;
use crate::buildkit::reason::{Reason, invalid};
use crate::buildkit::records::blobs::Blobs;
use crate::buildkit::records::index_vec::NONE;
use crate::buildkit::records::interner::{Interner, Text};
use crate::error::Error;
use crate::prelude::*;

/// What a walk down from a layer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The lowest layer: a chain that ends in this node.
    Chain(u32),
    /// A layer whose blob the manifest does not list: the result is dropped.
    Unlisted,
    /// A layer that was passed before.
    Loop,
    /// An index that is not in the list.
    Outside(i64),
}

/// The layers of one config.
pub(crate) struct Stack {
    /// Descriptors by layer; `None` for a blob that is not listed.
    blobs: Vec<Option<u32>>,
    parents: Vec<i64>,
    fates: Vec<Option<Fate>>,
    source: Text,
}

impl Stack {
    /// Finds the descriptor of each layer. Of several for one digest the last one
    /// counts.
    pub fn new<const OF_2020: bool>(
        layers: &[RawLayer<OF_2020>],
        listed: &[Descriptor],
        texts: &mut Interner,
        blobs: &mut Blobs,
        source: Text,
    ) -> Self {
        let listed: BTreeMap<&str, &Descriptor> = listed
            .iter()
            .map(|descriptor| (descriptor.digest.as_str(), descriptor))
            .collect();
        Self {
            blobs: layers
                .iter()
                .map(|layer| listed.get(layer.blob.as_str()))
                .map(|found| found.map(|descriptor| blobs.describe(texts, descriptor)))
                .collect(),
            parents: layers.iter().map(|layer| layer.parent).collect(),
            fates: vec![None; layers.len()],
            source,
        }
    }

    /// What a walk down from a layer comes to.
    pub fn fate(&mut self, layer: i64, blobs: &mut Blobs) -> Fate {
        let mut path = Vec::new();
        let mut at = layer;
        let mut fate = loop {
            // A parent of -1 ends a chain; as the index of a result it does not.
            if at == -1 && !path.is_empty() {
                break Fate::Chain(NONE);
            }
            let Ok(index) = usize::try_from(at) else {
                break Fate::Outside(at);
            };
            let Some(fate) = self.fates.get_mut(index) else {
                break Fate::Outside(at);
            };
            if let Some(fate) = *fate {
                break fate;
            }
            // Until it is known to be otherwise; a walk that comes back here sees
            // this.
            *fate = Some(Fate::Loop);
            path.push(index);
            match self.blobs.get(index) {
                Some(Some(_)) => at = self.parents.get(index).copied().unwrap_or(-1),
                _ => break Fate::Unlisted,
            }
        };
        while let Some(index) = path.pop() {
            if let Fate::Chain(below) = fate {
                let blob = self.blobs.get(index).copied().flatten();
                fate = Fate::Chain(blobs.grow(below, blob.unwrap_or(NONE), self.source));
            }
            if let Some(slot) = self.fates.get_mut(index) {
                *slot = Some(fate);
            }
        }
        fate
    }

    /// What a chain that names all its layers comes to.
    pub fn chain(&self, chain: &RawChain, blobs: &mut Blobs) -> Fate {
        let mut node = NONE;
        for layer in &chain.layers {
            let index = usize::try_from(*layer).ok();
            let Some(blob) = index.and_then(|index| self.blobs.get(index)) else {
                return Fate::Outside(*layer);
            };
            let Some(blob) = blob else {
                return Fate::Unlisted;
            };
            node = blobs.grow(node, *blob, self.source);
        }
        Fate::Chain(node)
    }
}

impl Fate {
    /// The top of the chain; `None` for a dropped result.
    ///
    /// # Errors
    /// `invalid` for a loop and for an index that is not in the list.
    pub fn top(self) -> Result<Option<u32>, Error> {
        match self {
            Self::Chain(node) => Ok(Some(node)),
            Self::Unlisted => Ok(None),
            Self::Loop => Err(invalid(
                Reason::LoopingLayer,
                "parse",
                "layers",
                "invalid looping layer",
            )),
            Self::Outside(index) => Err(invalid(
                Reason::InvalidLayer,
                "parse",
                "layers",
                format!("invalid layer index {index}"),
            )),
        }
    }
}
