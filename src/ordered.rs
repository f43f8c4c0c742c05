//! Maps, sets and sorting for the component, where bytes of code count more
//! than anything: one tree and one sort, compiled once, under thin typed
//! shells. `std`'s are compiled anew for every type they hold, which made a
//! quarter of the component.
//!
//! They have the names and the behaviour of what they stand for, so that the
//! prelude can give the component these and native builds `std`'s.

#[cfg(any(feature = "component", test))]
mod map;
#[cfg(any(feature = "component", test))]
mod set;
pub mod sort;
#[cfg(any(feature = "component", test))]
mod tree;

#[cfg(feature = "component")]
pub use map::Map;
#[cfg(feature = "component")]
pub use set::Set;
