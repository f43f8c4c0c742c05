//! Cache images in a real registry and layers in real directories, through the
//! component: Debian's docker-registry, a registry that lies, processes that are
//! killed, disks without room; and caches that the real lifecycle wrote and reads.
//!
//! Where the registry or skopeo is not installed the tests say so and prove
//! nothing, unless `LAYERWISE_REQUIRE_LIVE=1` is set.

/// Directories, tar files and registries, shared with the tests of the registry.
#[cfg(test)]
#[path = "../../registry/tests/support/mod.rs"]
mod support;

#[cfg(test)]
mod live_buildpacks {
    mod damage;
    mod faults;
    mod generations;
    mod guarded;
    mod host;
    mod image;
    mod killed;
    mod room;
    mod signals;
}
