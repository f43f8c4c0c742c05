//! Models of the decisions: written from the specification alone, one function
//! per rule, with no thought for speed.
//!
//! The tests ask a model and the library the same random questions. A model
//! shares types with the library where both have to name the same thing
//! (steps, effects, platforms) and code never.

pub mod docker;
