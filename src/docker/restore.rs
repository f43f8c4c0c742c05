//! Making an image out of one history entry of a source (Docker spec, section
//! 4.3).

use super::base::Base;
use super::config::ContainerConfig;
use super::image::Members;
use super::options::StoreKind;
use super::source::Source;
use super::version::{Order, Rules};
use crate::go_json::Timestamp;
use crate::oci::{Platform, sha256};
use crate::prelude::*;

/// An image that a restore would store.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The exact text of its document.
    pub document: String,
    /// The exact text of its manifest, in the containerd image store.
    pub manifest: Option<String>,
    /// The diff id it has more than its parent.
    pub layer: Option<String>,
    /// Its facts as the parent of the next step.
    pub base: Base,
    /// Its platform: the source's, without the variant (hazard H9).
    pub platform: Platform,
    /// Its creation time.
    pub created: Option<Timestamp>,
}

impl Restored {
    /// The id that it gets.
    pub fn id(&self) -> String {
        let named_after = self.manifest.as_ref().unwrap_or(&self.document);
        sha256(named_after.as_bytes()).to_string()
    }
}

/// The document of entry `index` of `source` on top of `base`; `None` if a time
/// in it cannot be written (hazard H13). Nothing that was fetched is changed
/// (H7).
pub fn restore(
    source: &Source,
    index: usize,
    layer: Option<String>,
    base: &Base,
    config: &ContainerConfig,
    rules: &Rules,
    store: StoreKind,
) -> Option<Restored> {
    let entry = source.history.get(index)?;
    let base = base.grown(entry, layer.as_deref(), rules)?;
    let (diff_ids, entries) = (base.layers_json.text(), base.history_json.as_ref()?.text());
    let mut members = Members::new(rules);
    let platform = &source.platform;
    let document = match store {
        StoreKind::GraphDriver => {
            members.time("created", entry.created)?;
            members.put("container_config", |w| {
                ContainerConfig::default().encode(w, rules);
            });
            if let Some(version) = &rules.docker_version {
                members.text("docker_version", version);
            }
            members.text("author", &source.author);
            members.put("config", |w| config.encode(w, rules));
            members.text("architecture", &platform.architecture);
            members.text("os", &platform.os);
            members.rootfs(&base.kind, &diff_ids);
            members.history(&entries);
            members.text("os.version", &platform.os_version);
            members.texts("os.features", &platform.os_features);
            members.join(rules.order)
        }
        // As an OCI image, with what Docker adds to one.
        StoreKind::Containerd => {
            if entry.created.is_some() {
                members.time("created", entry.created)?;
            }
            members.text("author", &source.author);
            members.put("architecture", |w| w.string(&platform.architecture));
            members.put("os", |w| w.string(&platform.os));
            members.text("os.version", &platform.os_version);
            members.texts("os.features", &platform.os_features);
            members.rootfs(&base.kind, &diff_ids);
            members.history(&entries);
            members.put("config", |w| config.encode_oci(w));
            members.join(Order::Declared)
        }
    };
    drop((diff_ids, entries));
    Some(Restored {
        document,
        manifest: None,
        layer,
        base,
        platform: Platform {
            variant: String::new(),
            ..source.platform.clone()
        },
        created: entry.created,
    })
}
