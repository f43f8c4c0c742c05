//! Draws the chains of a BuildKit cache: what is known of it goes in, text comes out.
//!
//! A [`Model`] decides what is drawn: records as boxes, in rows, each below what it
//! stands on; long runs become one box. [`dot`], [`svg`] and [`page`] write it. The
//! pictures are files of their own: they need no fonts, scripts or other files, and
//! text from the cache is escaped in them.
//!
//! ```
//! use layerwise::buildkit::{Input, inspect};
//! use layerwise_picture::{Model, Wanted};
//!
//! let cache = Input::Config {
//!     text: r#"{"records": [{"digest": "sha256:a"}]}"#,
//!     descriptors: None,
//! };
//! let report = inspect(cache, false, &[])?;
//! let model = Model::new(&report, Wanted::default());
//! assert!(layerwise_picture::dot(&model).contains("digraph"));
//! # Ok::<(), layerwise::error::Error>(())
//! ```

mod dot;
mod label;
mod model;
mod order;
mod page;
mod place;
mod svg;
pub mod text;

use layerwise::buildkit::Report;

pub use model::{Box, Fate, Model, Named, Source, Wanted};

/// A cache that is drawn on a page.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Its name.
    pub cache: &'a str,
    /// The digest of its manifest, if it has one.
    pub manifest: Option<&'a str>,
    /// What is known of it.
    pub report: &'a Report,
    /// What a code means; `None` for an unknown one.
    pub meaning: &'a dyn Fn(&str) -> Option<Meaning>,
}

/// What a code means.
#[derive(Clone, Debug)]
pub struct Meaning {
    /// What it says.
    pub meaning: String,
    /// What to do about it.
    pub advice: String,
}

/// The picture in Graphviz's language.
pub fn dot(model: &Model) -> String {
    dot::write(model)
}

/// The picture as an SVG document with a legend.
pub fn svg(model: &Model) -> String {
    svg::write(model, &place::place(model), svg::Use::Alone)
}

/// The picture in an HTML page, with numbers, and findings that lead to their boxes.
pub fn page(subject: &Subject<'_>, model: &Model) -> String {
    page::write(subject, model)
}
