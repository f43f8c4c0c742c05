//! The parent of a step, read again for evidence.

use crate::docker::base::Base;
use crate::docker::history::Entry;
use crate::docker::image::ImageDocument;
use crate::docker::request::Request;
use crate::docker::store::Store;
use crate::host::ImageStore;
use crate::prelude::*;

/// The history and the layers of the parent.
#[derive(Debug, Default)]
pub struct Parent {
    pub history: Vec<Entry>,
    pub diff_ids: Vec<String>,
}

impl Parent {
    /// Out of what is kept of it.
    pub fn of<H: ImageStore>(store: &mut Store<H>, request: &Request, base: &Base) -> Option<Self> {
        let image = match &base.history_json {
            Some(history) if base.restored => {
                let (diff_ids, history) = (base.layers_json.text(), history.text());
                let text = format!(
                    r#"{{"rootfs":{{"diff_ids":[{}]}},"history":[{}]}}"#,
                    &*diff_ids, &*history
                );
                ImageDocument::read(&text, &store.rules, u32::MAX).ok()?
            }
            _ => {
                let id = request.parent.as_deref()?;
                store.document(id).ok()?.0
            }
        };
        let diff_ids = image
            .rootfs
            .map_or_else(Vec::new, |rootfs| rootfs.diff_ids.into_vec());
        Some(Self {
            history: image.history.unwrap_or_default().into_vec(),
            diff_ids,
        })
    }
}
