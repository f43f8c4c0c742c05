//! The stacker cache on a real file system, with the tools around stacker: image
//! layouts by umoci and skopeo, trees checked by go-mtree's `gomtree`, and
//! processes that are killed or write at once.
//!
//! Tests of tools that are missing say so and prove nothing, unless
//! `LAYERWISE_REQUIRE_LIVE=1` is set.

#[cfg(test)]
mod live_stacker {
    mod needs;
    mod project;

    mod bases;
    mod crash;
    mod trees;
    mod writers;
}
