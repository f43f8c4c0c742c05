//! The component as bytes, built when this package is, for hosts that carry it
//! inside.

#![no_std]

#[cfg(feature = "wasi")]
extern crate std;

#[cfg(feature = "wasi")]
mod composed;

#[cfg(feature = "wasi")]
pub use composed::composed;

/// The component as it is released.
#[cfg(feature = "shipped")]
pub static COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/layerwise.wasm"));

/// The same with the functions that only tests call.
#[cfg(feature = "testing")]
pub static TESTING: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/layerwise-testing.wasm"));

/// The stores over WASI, which export what the component imports.
#[cfg(feature = "wasi")]
pub static STORES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/layerwise-stores.wasm"));

/// The component of each smaller world of `wit/world.wit`, by its name.
#[cfg(feature = "worlds")]
pub static WORLDS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/worlds.rs"));
