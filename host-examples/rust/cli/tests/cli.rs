//! The command line, run as a program on real directories.
//!
//! What commands print is compared with files in `tests/cli/`; `BLESS=1` writes
//! them anew, to be reviewed as a diff.

#[cfg(test)]
mod cli {
    mod action;
    mod audit;
    mod buildkit;
    mod buildkit_caches;
    mod buildpacks;
    mod buildpacks_commit;
    mod buildpacks_errors;
    mod builds;
    mod builds_files;
    mod caches;
    mod confined;
    mod conformance;
    mod containerd;
    mod demo;
    mod diff;
    mod docker_truth;
    mod errors;
    mod history;
    mod json;
    mod mistakes;
    mod output;
    mod readme;
    mod record;
    mod rule;
    mod schemas;
    mod screen;
    mod served;
    mod stacker;
    mod step;
    mod support;
    mod trust;
    mod unpacking;
    mod why;
    mod words;
}
