//! What is known of a build as a whole.

use super::assemble::Read;
use super::status::Nanoseconds;
use crate::builds::model::{Definition, Dockerfile, OpKind};
use crate::builds::redact::Values;
use crate::oci::Platform;
use crate::prelude::*;

/// What is known of a build as a whole, see `wit/builds.wit`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Its name in the history; empty without a record.
    pub name: String,
    /// When it began.
    pub created: Option<Nanoseconds>,
    /// When it ended; `None` while it runs.
    pub completed: Option<Nanoseconds>,
    /// Why it failed, without values that look secret; empty if it did not.
    pub error: String,
    /// Whether it did not fail, but somebody cancelled it.
    pub canceled: bool,
    /// How many steps the history counts.
    pub total: u32,
    /// How many of them came from the cache.
    pub cached: u32,
    /// The frontend; empty if it is not recorded.
    pub frontend: String,
    /// What was asked, sorted by name.
    pub attributes: Vec<(String, String)>,
    /// Names of the images that were made, without tags.
    pub images: Vec<String>,
    /// Where the client had the context, if it noted it.
    pub context: String,
    /// The platforms that there is a definition for.
    pub platforms: Vec<String>,
    /// The Dockerfile, as the frontend recorded it, but for values that look secret.
    pub dockerfile: Option<Dockerfile>,
}

/// What is known of a build as a whole. Without a record: what was asked stands in the
/// provenance, and the times in the log.
pub fn describe(read: &Read) -> Description {
    let definitions = &read.build.definitions;
    let vertices = &read.build.vertices;
    let shown = |text: &str| Values::NotSecret.text(text);
    let dockerfile = definitions.iter().find_map(|one| one.dockerfile.as_ref());
    let dockerfile = dockerfile.map(|file| Dockerfile {
        name: file.name.clone(),
        text: shown(&file.text),
    });
    let platforms = definitions.iter().map(platform).collect();
    let Some(record) = &read.record else {
        let args = definitions.first().map(|one| one.args.clone());
        // Where one fails, those that run beside it are stopped.
        let errors = vertices.iter().filter_map(|vertex| vertex.error.as_ref());
        let failed = errors.clone().find(|error| !is_canceled(error));
        let canceled = failed.is_none() && errors.clone().next().is_some();
        let error = failed.or(errors.clone().next()).cloned();
        return Description {
            created: vertices.iter().filter_map(|vertex| vertex.started).min(),
            completed: vertices.iter().filter_map(|vertex| vertex.completed).max(),
            error: shown(&error.unwrap_or_default()),
            canceled,
            attributes: args.into_iter().flatten().collect(),
            platforms,
            dockerfile,
            ..Description::default()
        };
    };
    Description {
        name: record.name.clone(),
        created: record.created,
        completed: record.completed,
        error: shown(&record.error),
        canceled: record.canceled || is_canceled(&record.error),
        total: record.steps.total,
        cached: record.steps.cached,
        frontend: record.frontend.clone(),
        attributes: record.attributes.clone().into_iter().collect(),
        images: record.images.clone(),
        context: record.context.clone(),
        platforms,
        dockerfile,
    }
}

/// Whether an error says that somebody stopped what ran (Builds spec, section 1.2).
pub fn is_canceled(error: &str) -> bool {
    error.ends_with("context canceled")
}

/// The platform of what a definition makes: of the last operation that names one.
fn platform(definition: &Definition) -> String {
    let steps = definition.steps.iter().rev();
    let named = steps
        .filter(|step| step.op.kind != OpKind::Result)
        .find_map(|step| step.op.platform.as_ref());
    platform_text(named.unwrap_or(&definition.platform))
}

/// A platform such as `linux/arm/v7`.
pub fn platform_text(platform: &Platform) -> String {
    let parts = [&platform.os, &platform.architecture, &platform.variant];
    parts
        .map(String::as_str)
        .join("/")
        .trim_end_matches('/')
        .to_owned()
}
