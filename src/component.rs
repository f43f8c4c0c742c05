//! The component: the only code that knows `wit-bindgen`.
//!
//! `runtime` is what `std` would have brought, `imports` implements the host
//! traits with the component's imports, and one file per export turns calls into
//! calls of its system. A cargo feature for each world of `wit/world.wit` says which
//! exports there are.

#![expect(unsafe_code, reason = "generated bindings and the allocator")]

#[cfg(feature = "buildkit-cache")]
mod buildkit;
#[cfg(feature = "buildpacks-cache")]
mod buildpacks;
#[cfg(feature = "builds-cache")]
mod builds;
#[cfg(feature = "docker-cache")]
mod docker;
#[cfg(feature = "dockerfile-cache")]
mod dockerfile;
mod imports;
mod rules;
#[cfg(target_family = "wasm")]
mod runtime;
#[cfg(feature = "stacker-cache")]
mod stacker;
#[cfg(feature = "cache-testing")]
mod testing;
mod types;

/// The bindings of a world.
macro_rules! world {
    ($name:literal) => {
        mod bindings {
            #![allow(missing_docs, reason = "generated; wit/ holds the documentation")]

            wit_bindgen::generate!({
                path: "wit",
                world: $name,
            });
        }
    };
}

#[cfg(feature = "cache-testing")]
world!("cache-testing");
#[cfg(all(feature = "cache", not(feature = "cache-testing")))]
world!("cache");
#[cfg(all(feature = "docker-cache", not(feature = "dockerfile-cache")))]
world!("docker-cache");
#[cfg(all(feature = "dockerfile-cache", not(feature = "cache")))]
world!("dockerfile-cache");
#[cfg(all(feature = "buildkit-cache", not(feature = "builds-cache")))]
world!("buildkit-cache");
#[cfg(all(feature = "builds-cache", not(feature = "cache")))]
world!("builds-cache");
#[cfg(all(feature = "buildpacks-cache", not(feature = "cache")))]
world!("buildpacks-cache");
#[cfg(all(feature = "stacker-cache", not(feature = "cache")))]
world!("stacker-cache");

/// The exports.
struct Engine;

bindings::export!(Engine with_types_in bindings);
