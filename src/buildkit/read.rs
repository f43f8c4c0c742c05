//! A cache in, records out.

pub mod cache;
mod inline;
pub mod input;
mod merge;
pub mod open;
pub mod parse;
mod stack;
