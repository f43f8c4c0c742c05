//! Options that commands of `layerwise docker` share.

use std::path::PathBuf;

use clap::Args;

use crate::args::{LimitArgs, ReadingArgs};

/// How a session is opened.
#[derive(Args)]
pub struct SessionArgs {
    /// The image store: `oci:DIRECTORY` an OCI image layout, `docker:DIRECTORY` a Docker data
    /// root (read only; without a directory /var/lib/docker), `containerd:DIRECTORY` or
    /// `containerd:DIRECTORY#NAMESPACE` the images of containerd (read only), `archive:FILE` a tar
    /// of `docker save` or of a layout, perhaps compressed with gzip (read only), `memory:` an empty one.
    #[arg(long, value_name = "KIND:PATH", default_value = "docker:")]
    pub store: String,
    /// A source: an image whose history may stand for steps. With at least one source, only
    /// images that a source descends from, or that come from one, are used.
    #[arg(long, value_name = "REF")]
    pub cache_from: Vec<String>,
    /// A source whose writers you vouch for, by its name or whole id. The guarded reading uses no
    /// other. It need not be given with --cache-from too; those that are not come last.
    #[arg(long, value_name = "REF")]
    pub trust: Vec<String>,
    /// Vouch for the sources given with --cache-from that this key signed: an ECDSA P-256 public
    /// key in PEM, such as cosign.pub. Signatures are those in the layout, as cosign names them.
    #[arg(long, value_name = "FILE")]
    pub trust_key: Vec<PathBuf>,
    /// Vouch for all names given with --cache-from.
    #[arg(long)]
    pub trust_all_sources: bool,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Pass over children whose document cannot be read instead of failing.
    #[arg(long)]
    pub skip_unreadable: bool,
    /// Refuse sources for another platform instead of noting it.
    #[arg(long)]
    pub same_platform: bool,
    /// The operating system the builder runs on, in Go's spelling.
    #[arg(long, value_name = "OS", default_value = "linux")]
    pub host_os: String,
    /// What versions that write `docker_version` into restored images write there.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub docker_version: String,
    #[command(flatten)]
    pub limits: LimitArgs,
}

impl SessionArgs {
    /// The names given with --cache-from, which takes lists with commas, as the client's
    /// does; an empty one has none.
    pub fn sources(&self) -> Vec<&str> {
        let lists = self.cache_from.iter().filter(|list| !list.is_empty());
        lists.flat_map(|list| list.split(',')).collect()
    }
}
