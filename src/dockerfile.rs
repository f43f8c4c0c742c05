//! What Docker's classic builder asks its cache at each step of a Dockerfile
//! (Dockerfile spec).
//!
//! `line` takes the text apart into logical lines, each a `node` of name, options and
//! words, which `instruction` makes a typed instruction of. `session` goes through
//! them, and `build` holds how far it is: `stage` begins and ends a stage, `step` does
//! an instruction, which for COPY and ADD is a `copy_step`, and `asking` tells the step
//! and takes its outcome. `state` is a stage with its config and says what an
//! instruction asks, `expand` replaces variables and quotes in its words. `copy` finds
//! the sources of COPY and ADD in what `gather` has: `pack` and `ignore` tell what of
//! the context arrives at the engine, `tree` holds it, `sources` has it hashed.
//! `client` compares a step with what other clients made of it. `version` holds what
//! changed between engine versions, as data. A builder's refusal is a `refusal`, an event
//! like others.

pub mod archive;
mod arguments;
mod asking;
mod base;
mod build;
mod client;
pub mod comment;
mod copy;
mod copy_step;
mod event;
mod expand;
mod flags;
mod gather;
mod go_text;
mod heredoc;
mod ignore;
mod instruction;
mod limits;
mod line;
mod mount;
mod node;
mod open;
mod options;
mod pack;
pub mod placed;
mod platform;
mod ports;
mod reason;
mod reference;
mod refusal;
mod session;
mod shell_pattern;
mod signal;
mod sources;
mod stage;
mod state;
mod step;
pub mod testing;
mod tree;
mod version;
mod words;

#[doc = include_str!("dockerfile/SPEC.md")]
pub mod spec {}

pub use event::{Announced, Copying, Event, Outcome, Phase, Refusal, Stage, Step, Wanted};
pub use options::{LIMITS, Options, Packer};
pub use reason::Reason;
pub use session::Session;
pub use sources::{Copied, Source};
