//! The documents that a call takes as arguments, read.

use super::config::{ContainerConfig, list};
use super::image::ImageDocument;
use super::reason::Reason;
use super::version::Rules;
use crate::error::{Error, Problem};
use crate::go_json::{Decode as _, Error as JsonError, Ignored, List, Reader, Shape, object};
use crate::prelude::*;

/// How deep Go reads, for functions without options that could limit it.
pub const DEPTH: u32 = 10_000;

/// Reads a container config as this version does; `None` for `null`.
///
/// # Errors
/// `docker/invalid-argument`, saying where.
pub fn read_config(
    text: &str,
    rules: &Rules,
    depth: u32,
) -> Result<Option<ContainerConfig>, Error> {
    let read = || -> Result<Option<ContainerConfig>, JsonError> {
        let mut reader = Reader::new(text, depth).marked(rules.reading);
        let mut config: Option<ContainerConfig> = None;
        config.decode(&mut reader)?;
        reader.end()?;
        Ok(config)
    };
    read().map_err(|error| invalid("read config", "config", error.to_string()))
}

/// Reads what a step asks: a container config, or that of an image document.
///
/// # Errors
/// As [`read_config`], and for a document that does not say what was asked.
pub fn read_asked(text: &str, rules: &Rules, depth: u32) -> Result<Option<ContainerConfig>, Error> {
    /// A document is told by members that no config has.
    #[derive(Default)]
    struct Document {
        container_config: Option<ContainerConfig>,
        rootfs: Option<Ignored>,
        history: Option<List<Ignored>>,
    }
    object!(Document {
        "container_config" => container_config,
        "rootfs" => rootfs,
        "history" => history,
    });
    let refuse = |why: &str| Err(invalid("read config", "config", why));
    if !["\"rootfs\"", "\"history\""]
        .iter()
        .any(|member| text.contains(member))
    {
        return read_config(text, rules, depth);
    }
    let mut document = Document::default();
    let mut reader = Reader::new(text, depth).marked(rules.reading);
    let is_one = reader.peek() == Ok(Shape::Object)
        && document.decode(&mut reader).is_ok()
        && (document.rootfs.is_some() || document.history.is_some());
    if !is_one {
        return read_config(text, rules, depth);
    }
    match document.container_config {
        Some(config) if list(&config.cmd).is_some_and(|words| !words.is_empty()) => {
            Ok(Some(config))
        }
        Some(_) => refuse(
            "this is an image document whose container_config has no command, as of images that \
             were restored or imported; give the container config of the step",
        ),
        None => refuse(
            "this is an image document without container_config; give the container config of \
             the step",
        ),
    }
}

/// An image document, read as the version does.
///
/// # Errors
/// `invalid` for a text that is not one.
pub fn read_image(text: &str, rules: &Rules) -> Result<ImageDocument, Error> {
    ImageDocument::read(text, rules, DEPTH)
        .map_err(|error| invalid("read image", "document", error.to_string()))
}

/// That an argument is not acceptable.
pub fn invalid(operation: &str, subject: &str, message: impl Into<String>) -> Error {
    Error::Invalid(Problem::new(
        Reason::InvalidArgument,
        operation,
        subject,
        message,
    ))
}
