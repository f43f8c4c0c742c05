//! What the commands of `layerwise stacker` accept.

use std::path::PathBuf;

use clap::Args;
use layerwise::stacker::Epoch;

use super::file::Substitution;
use crate::args::{LimitArgs, ReadingArgs};
use crate::failed::BadArgument;
use crate::limits::HostLimitArgs;

#[derive(Args)]
pub struct LookupArgs {
    #[command(flatten)]
    pub file: FileArgs,
    /// A layer type that the build is asked for, such as tar or squashfs; can be given several
    /// times. stacker builds a layer that lacks one, and everything on top of it.
    #[arg(long = "layer-type", value_name = "TYPE", default_value = "tar")]
    pub types: Vec<String>,
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Change nothing. Lookups never do; accepted for uniformity.
    #[arg(long, hide = true)]
    pub plan: bool,
}

#[derive(Args)]
pub struct PutArgs {
    #[command(flatten)]
    pub file: FileArgs,
    /// The manifests that building the layer made: a JSON map from layer types, such as
    /// tar+false, to OCI descriptors; `-` is standard input. Needs one --layer.
    #[arg(long, value_name = "FILE|-", requires = "layer")]
    pub manifests: Option<PathBuf>,
    /// A layer type that was built, such as tar or squashfs. Its manifest is the one the
    /// OCI layout of results has under the name that stacker gives it.
    #[arg(
        long = "layer-type",
        value_name = "TYPE",
        default_value = "tar",
        conflicts_with = "manifests"
    )]
    pub types: Vec<String>,
    #[command(flatten)]
    pub host: HostArgs,
    /// Show what would be written, and write nothing.
    #[arg(long, visible_aliases = ["dry-run", "read-only"])]
    pub plan: bool,
    #[command(flatten)]
    pub project: ProjectArgs,
}

#[derive(Args)]
pub struct PruneArgs {
    /// Show what would be dropped, and write nothing.
    #[arg(long, visible_aliases = ["dry-run", "read-only"])]
    pub plan: bool,
    #[command(flatten)]
    pub project: ProjectArgs,
}

/// Which definitions.
#[derive(Args)]
pub struct FileArgs {
    /// A stackerfile; what it names as prerequisites is read too.
    #[arg(
        long = "stackerfile",
        short = 'f',
        value_name = "FILE",
        default_value = "stacker.yaml"
    )]
    pub files: Vec<PathBuf>,
    /// A value for ${{NAME}} in the stackerfiles, applied in the given order. Those that stacker
    /// has itself (STACKER_OCI_DIR, …) follow from the directories.
    #[arg(long, value_name = "NAME=VALUE")]
    pub substitute: Vec<Substitution>,
    /// The layer; can be given several times. Default: all, each after what it is built on.
    #[arg(long, value_name = "NAME")]
    pub layer: Vec<String>,
    /// What layers that do not say it are built for, in Go's spelling. Default: this system.
    #[arg(long, value_name = "OS/ARCH", value_parser = system)]
    pub system: Option<(String, String)>,
}

/// Which cache.
#[derive(Args)]
pub struct ProjectArgs {
    /// Where the directories below are when they are not given.
    #[arg(long, value_name = "DIRECTORY")]
    pub work_dir: Option<PathBuf>,
    /// The state of stacker, with the cache and the copies of imports. Default: .stacker
    #[arg(long, value_name = "DIRECTORY")]
    pub stacker_dir: Option<PathBuf>,
    /// Where layers are built. Default: roots
    #[arg(long, value_name = "DIRECTORY")]
    pub roots_dir: Option<PathBuf>,
    /// The OCI layout of results. Default: oci
    #[arg(long, value_name = "DIRECTORY")]
    pub oci_dir: Option<PathBuf>,
    /// What SOURCE_DATE_EPOCH is for the build: seconds, or `unset`. The guarded reading of
    /// version 16 has to know.
    #[arg(long, value_name = "SECONDS|unset", value_parser = epoch, allow_hyphen_values = true)]
    pub source_date_epoch: Option<Epoch>,
    /// The version of the cache file.
    #[arg(long, value_name = "16|12", value_parser = ["16", "12"])]
    pub cache_version: Option<String>,
    #[command(flatten)]
    pub reading: ReadingArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub host_limits: HostLimitArgs,
}

/// What recorded trees say about where they were written; all of it is part of an entry's hash.
#[derive(Args)]
pub struct HostArgs {
    /// The user. Default: the one who runs this.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The machine. Default: this one.
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
    /// The local time. Default: now.
    #[arg(long, value_name = "YYYY-MM-DDThh:mm:ss")]
    pub now: Option<String>,
}

fn epoch(text: &str) -> Result<Epoch, BadArgument> {
    if text == "unset" {
        return Ok(Epoch::Unset);
    }
    let seconds = text.parse().map(Epoch::Seconds);
    seconds.map_err(|_| BadArgument("expected seconds since 1970, or unset"))
}

fn system(text: &str) -> Result<(String, String), BadArgument> {
    match text.split_once('/') {
        Some((os, arch)) if !os.is_empty() && !arch.is_empty() && !arch.contains('/') => {
            Ok((os.to_owned(), arch.to_owned()))
        }
        _ => Err(BadArgument("expected OS/ARCH, such as linux/amd64")),
    }
}
