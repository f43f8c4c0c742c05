//! What `layerwise buildkit` accepts.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::builds::ValueArgs;
use super::words::WordArgs;
use crate::args::{LimitArgs, ReadingArgs, digest};
use crate::lend::RegistryArgs;

#[derive(Args)]
pub struct ExportArgs {
    /// Where the cache goes: `host/name:tag` in a registry, or `oci:DIR[:TAG]`, a layout directory
    /// (which is what `--export-cache type=local` writes); or as builders take it:
    /// `type=registry,ref=…`, `type=local,dest=…`.
    #[arg(value_name = "REFERENCE")]
    pub target: String,
    /// A file of records, described below; `-` is standard input.
    #[arg(long, value_name = "FILE|-", required_unless_present = "from")]
    pub records: Option<PathBuf>,
    /// A cache whose records are added, with their layers; any cache that `inspect` reads. Copies
    /// it to another registry or into another form, and leaves out results whose layers are gone.
    /// Given several times, merges caches: where two have different results for one key, the
    /// earlier one counts (with --compatible the newest, as upstream does).
    #[arg(long, value_name = "REFERENCE")]
    pub from: Vec<String>,
    /// The repository that has the layers for which the records name no other.
    /// Default: the target.
    #[arg(long, value_name = "REPOSITORY")]
    pub source: Option<String>,
    /// Show what would be written, and write nothing.
    #[arg(long, visible_alias = "dry-run")]
    pub plan: bool,
    #[command(flatten)]
    pub form: FormArgs,
    /// Export the newest result that is whole when layers of the newest are missing.
    #[arg(long)]
    pub fall_back: bool,
    /// Keep results of one instant and length apart when their digests differ.
    #[arg(long)]
    pub strict_results: bool,
    /// Push a config or manifest above 1 MiB all the same, although no importer reads it.
    #[arg(long)]
    pub push_too_large: bool,
    #[command(flatten)]
    pub reading: ReadingArgs,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// The form of the manifest, in the words of BuildKit's own attributes.
#[derive(Args)]
pub struct FormArgs {
    /// Media types of OCI; with `false` those of Docker, in a manifest list.
    /// Default: true.
    #[arg(long, value_name = "BOOL")]
    pub oci_mediatypes: Option<String>,
    /// An image manifest; with `false` an index or manifest list of layers, which many registries
    /// refuse (see below). Default: as --oci-mediatypes.
    #[arg(long, value_name = "BOOL")]
    pub image_manifest: Option<String>,
}

/// One cache.
#[derive(Args)]
pub struct CacheArgs {
    /// The cache: `host/name:tag[@digest]`, `oci:DIR[:TAG]`, a directory, a tar file of a layout
    /// (`FILE.tar`, `archive:FILE[:NAME]`), the words of builders (`type=registry,ref=…`,
    /// `type=local,src=…`), or `config:FILE`, what type=gha, s3 and azblob keep.
    #[arg(value_name = "REFERENCE")]
    pub cache: String,
    /// Refuse any other manifest than this one, whatever the reference stands for now: a cache can
    /// be replaced by an older one of the same name.
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    pub digest: Option<String>,
}

#[derive(Args)]
pub struct InspectArgs {
    #[command(flatten)]
    pub cache: CacheArgs,
    /// List every record with its verdict, its name and its links.
    #[arg(long)]
    pub records: bool,
    /// Read every layer too, and compare its bytes with its digests.
    #[arg(long)]
    pub read_layers: bool,
    #[command(flatten)]
    pub words: WordArgs,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
}

#[derive(Args)]
pub struct DiffArgs {
    /// The cache to compare from.
    #[arg(value_name = "OLD")]
    pub old: String,
    /// The cache to compare to.
    #[arg(value_name = "NEW")]
    pub new: String,
    /// Also list what only follows from the differences.
    #[arg(long)]
    pub cascades: bool,
    #[command(flatten)]
    pub words: WordArgs,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
}

#[derive(Args)]
pub struct ExplainArgs {
    /// The caches, as builders take several --cache-from; each as `inspect` takes it.
    #[arg(value_name = "REFERENCE", required = true)]
    pub caches: Vec<String>,
    /// The cache digest of the vertex that is about to run, or the digest of the files it takes; with
    /// --build also its digest in a log (--progress=rawjson).
    #[arg(long, value_name = "DIGEST", value_parser = digest, required_unless_present = "step")]
    pub vertex: Option<String>,
    /// The step of --build that is about to run, by a line of the Dockerfile or a part of its name.
    #[arg(long, value_name = "NAME|LINE", requires = "build", conflicts_with_all = ["vertex", "record", "selector", "input", "output"])]
    pub step: Option<String>,
    #[command(flatten)]
    pub words: WordArgs,
    #[command(flatten)]
    pub values: ValueArgs,
    /// Which of its outputs; -1 for the digest of files.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub output: i32,
    /// The name of the record that its input comes from; without one, a record without inputs is
    /// looked for.
    #[arg(long, value_name = "NAME")]
    pub record: Option<String>,
    /// Which input that is.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub input: u32,
    /// Which part of the input is used; empty for all of it.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub selector: String,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
}

#[derive(Args)]
pub struct GraphArgs {
    #[command(flatten)]
    pub cache: CacheArgs,
    /// Write to this file, whose extension tells the format; standard output otherwise.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What to draw. Default: what the extension of the file says, else dot.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// How many boxes are drawn at most; what is beyond is counted in a note.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub boxes: usize,
    /// Draw every record, also in long runs without a branch, a result or a finding.
    #[arg(long)]
    pub no_collapse: bool,
    #[command(flatten)]
    pub words: WordArgs,
    /// An earlier build that --build is compared with, to mark the steps that ran for a cause of
    /// their own.
    #[arg(long, value_name = "BUILD", requires = "build")]
    pub against: Option<String>,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// A format of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Graphviz's language.
    Dot,
    /// A picture.
    Svg,
    /// A page with the picture, numbers and findings.
    Html,
}
