//! Runs the layerwise component in wasmtime.
//!
//! An [`Engine`] loads the component once and hands out sessions. Its machine code was
//! made when this crate was built; to run another component (cargo feature `compiler`,
//! [`EngineOptions`]) a compiler is needed. Each
//! session has an instance of its own, with its own memory and its own limits,
//! and sees only what its opener lends it: an image store, a registry, a file
//! system, an observer ([`Imports`]). Dropping a session frees everything.
//!
//! ```
//! use std::sync::Arc;
//! use layerwise_host::layerwise::docker::{Options, Step};
//! use layerwise_host::{Engine, Imports, SessionLimits};
//! use layerwise_stores::{Memory, Order};
//!
//! let engine = Engine::new(&Default::default())?;
//! let images = Arc::new(Memory::new(Order::Sorted));
//! let lent = Imports { images, ..Imports::default() };
//! let mut session = engine.docker(lent, Options::default(), SessionLimits::default())?;
//! let step = Step { config: Some(r#"{"Cmd":["true"]}"#.into()), ..Step::default() };
//! assert_eq!(session.lookup(&step)?.image, None);
//! # Ok::<(), layerwise_host::Error>(())
//! ```

mod bindings;
pub mod buildkit;
pub mod buildpacks;
pub mod builds;
#[cfg(all(feature = "compiler", unix))]
mod cache;
mod code;
pub mod docker;
pub mod dockerfile;
pub mod dynamic;
mod engine;
mod error;
mod exports;
mod imports;
mod instance;
mod record;
mod rule;
mod settings;
mod signatures;
pub mod stacker;
pub mod testing;
mod values;

#[cfg(feature = "compiler")]
pub use engine::Wasm;
pub use engine::{Engine, EngineOptions};
pub use error::{Error, Stop};
pub use imports::Imports;
pub use instance::SessionLimits;
pub use record::Recorder;
pub use rule::{Rule, Severity};
pub use settings::Interrupt;

/// The types of the contract and the traits of what is lent, which the signatures of
/// this crate use.
pub use layerwise;

/// The component this host was built with.
#[cfg(not(feature = "testing"))]
pub use layerwise_component::COMPONENT;
#[cfg(feature = "testing")]
pub use layerwise_component::TESTING as COMPONENT;

/// Its SHA-256, in hex digits.
pub const COMPONENT_SHA256: &str = env!("LAYERWISE_COMPONENT_SHA256");

/// What its machine code was compiled for, in cargo's words.
pub const TARGET: &str = env!("LAYERWISE_TARGET");

/// What that code needs of a processor beyond what all of its architecture have, in
/// wasmtime's words, with spaces between.
pub const TARGET_FEATURES: &str = env!("LAYERWISE_TARGET_FEATURES");

/// The examples of the README, which are run with those of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../../README.md")]
struct Readme;

/// Those of the manual.
#[cfg(doctest)]
#[doc = include_str!("../../../../src/manual/rust.md")]
struct Manual;
