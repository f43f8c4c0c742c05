//! The build cache of stacker: may the result of the last build of a layer be
//! reused?
//!
//! [`Session::open`] reads the cache file of a project, [`Session::lookup`]
//! decides about a layer, [`Session::put`] records the result of building one,
//! [`Session::explain`] gives the evidence. The functions of this module answer
//! single questions without a cache. Rules and section numbers are those of the
//! stacker specification; versions 12 and 16 of the cache are known.
//!
//! The layout of the code: `schema` has the structures of both versions as
//! data, `value` and `codec` what can be done with them; `definition`, `entry`
//! and `document` the three things that are read; `open`, `verify`, `put` and
//! `save` the operations; `disk`, `layout` and `sources` what they read.

mod codec;
mod config;
mod definition;
mod disk;
mod document;
mod entry;
mod explain;
mod functions;
mod guard;
mod layer_type;
mod layout;
mod miss;
mod open;
mod put;
mod reason;
mod reference;
mod save;
mod schema;
mod session;
mod sources;
mod value;
mod verify;

#[doc = include_str!("stacker/SPEC.md")]
pub mod spec {}

pub use config::{Build, Epoch, LayerDefinition, Options, Places, Reading, Semantics};
pub use disk::FileHash;
pub use functions::{
    BaseTag, Equality, LayerText, compare_layers, compare_tree, encode_layer, hash_file,
    hash_value, parse_layer_type, parse_tag, rules, tree_text, unvis, vis, wanted_layer_type,
};
pub use layer_type::LayerType;
pub use miss::{Change, ChangeKind};
pub use open::{Opened, Pruned, State};
pub use put::{Effect, HostFacts, Renaming, Stored, Writing};
pub use reason::Code as Reason;
pub use session::{Answer, Outcome, Session};
