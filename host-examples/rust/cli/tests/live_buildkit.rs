//! BuildKit's remote cache with real programs: a registry and skopeo read what is
//! exported here, buildkitd imports it, and its own exports are inspected.
//!
//! Needs root and the programs that `engine` names; where they are missing the
//! tests say so and prove nothing, unless `LAYERWISE_REQUIRE_LIVE=1` is set.
//! `.ci/run` builds buildkitd and buildctl from the module in
//! `tests/oracle/buildkit`.

#[cfg(test)]
mod live_buildkit {
    #[path = "../cli/support.rs"]
    #[allow(dead_code, reason = "the tests of the command line use all of it")]
    mod support;

    #[path = "../live_docker/needs.rs"]
    #[allow(dead_code, reason = "the tests of the Docker engine use all of it")]
    mod needs;
    #[path = "../live_docker/process.rs"]
    mod process;
    #[path = "../live_docker/registry.rs"]
    mod registry;

    mod engine;

    mod builds;
    mod tools;
    mod why;
}
