//! JSON as Go's `encoding/json` reads and writes it.
//!
//! Other tools' files are read with these rules, because that is how their
//! authors' programs read them: member names match without regard to case,
//! repeated members are applied one after the other, `null` leaves a value as
//! it is, lone surrogates become U+FFFD (threat T17). What must be strict uses
//! `serde_json` instead.

mod decode;
mod fold;
mod number;
mod reader;
mod time;
mod writer;

pub use decode::{Decode, Ignored, List, field_index, from_str};
pub use fold::same_name;
pub use number::{integer, scientific, write_float, write_plain};
pub use reader::{Error, ErrorKind, Reader, Shape, Text};
pub use time::{Timestamp, Zone};
pub use writer::{Escapes, Writer, is_plain};

pub(crate) use decode::object;
