//! The component: the only code that knows `wit-bindgen`.
//!
//! `runtime` is what `std` would have brought, `imports` implements the host
//! traits with the component's imports, and one file an export turns calls into
//! calls of its system.

#![expect(unsafe_code, reason = "generated bindings and the allocator")]

mod buildkit;
mod buildpacks;
mod docker;
mod imports;
#[cfg(target_family = "wasm")]
mod runtime;
mod stacker;
mod types;

mod bindings {
    #![allow(missing_docs, reason = "generated; wit/ holds the documentation")]

    wit_bindgen::generate!({
        path: "wit",
        world: "engine",
    });
}

/// The exports.
struct Engine;

bindings::export!(Engine with_types_in bindings);
