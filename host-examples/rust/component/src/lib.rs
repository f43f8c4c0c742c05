//! The component as bytes, built when this package is, for hosts that carry it
//! inside.

#![no_std]

/// The component as it is released.
pub static COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/layerwise.wasm"));
