//! Real Docker engines, asked step by step: what the classic builder says of its
//! cache must be what the component said before, over the same data root.
//!
//! Needs root and the programs that `needs` names; where they are missing the
//! tests say so and prove nothing, unless `LAYERWISE_REQUIRE_LIVE=1` is set.

#[cfg(test)]
mod live_docker {
    mod bench;
    mod context;
    mod engine;
    mod forged;
    mod model;
    #[allow(dead_code, reason = "the tests of buildkitd use all of it")]
    mod needs;
    mod process;
    mod registry;

    mod generations;
    mod mutations;
    mod poison;
    mod sources;
    mod why;
}
