//! The build cache of stacker: may the result of the last build of a layer be
//! reused?
//!
//! [`Session::open`] reads the cache file of a project, [`Session::lookup`]
//! decides about a layer, [`Session::put`] records the result of building one,
//! [`Session::explain`] gives the evidence. [`testing`] has single rules as
//! functions. Rules and section numbers are those of the
//! stacker specification; versions 12 and 16 of the cache are known.
//!
//! The layout of the code: `schema` has the structures of both versions as
//! data, `value` and `codec` what can be done with them; `definition`, `entry`
//! and `document` the three things that are read; `state` what an open cache holds;
//! `open`, `verify`, `put` and `save` the operations that `session` offers; `disk`,
//! `layout` and `sources` what they read.

mod check;
mod codec;
mod define;
mod definition;
mod descriptor;
mod disk;
mod document;
mod effect;
mod entry;
mod explain;
mod guard;
mod layer_type;
mod layout;
mod load;
mod miss;
mod notes;
mod open;
mod opened;
mod options;
mod prune;
mod put;
mod reason;
mod reference;
mod save;
mod schema;
mod session;
mod sources;
mod state;
mod tags;
pub mod testing;
mod value;
mod verdict;
mod verify;

#[doc = include_str!("stacker/SPEC.md")]
pub mod spec {}

pub use effect::{Effect, Renaming, Writing};
pub use layer_type::LayerType;
pub use miss::{Change, ChangeKind};
pub use opened::{Opened, Pruned, State};
pub use options::{Build, Epoch, LayerDefinition, Options, Places, Reading, Semantics};
pub use put::{HostFacts, Stored};
pub use reason::Reason;
pub use reference::layer_of;
pub use session::{Answer, Outcome};
pub use state::Session;
