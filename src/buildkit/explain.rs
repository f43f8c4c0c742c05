//! What there is to say about a cache: what a lookup finds and why not, what
//! changed between two caches, and what is wrong with one.

pub mod chains;
mod check;
pub mod diff;
mod layering;
pub mod layers;
mod listing;
pub mod lookup;
mod pairing;
mod records;
pub mod shape;
pub mod verdict;
pub mod verify;
