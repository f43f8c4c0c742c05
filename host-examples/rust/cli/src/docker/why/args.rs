//! The options of `docker why`.

use clap::{Args, ValueEnum};
use layerwise::dockerfile::Packer;
use serde::Serialize;

use crate::docker::args::SessionArgs;
use crate::failed::BadArgument;
use crate::report::ReportArgs;

/// What `--help` says about the output.
pub const HELP: &str = r#"Nothing is built and nothing is changed. Every step of every stage that would be built is shown with
its line and what it hits:
  hit        the image that the builder would use
  miss       no image is its result; the reason and the nearest image are told, and for COPY and
             ADD the files that changed
  changed    it runs after a miss, and would miss by itself, too
  runs       it only runs because a step before it missed
  unknown    what it asks cannot be known here, such as the content behind an address or of a
             stage that has to be built first, and what comes after such a step
  fails      the builder ends here with an error

Other clients than the newest pack the context otherwise, so that their COPY steps ask for other
checksums: say so with --client. A COPY of the same files by another client is told as such.

COPY --from looks into the image or the finished stage wherever the store keeps its layers: in the
directories of vfs, btrfs and overlay2, as blobs of containerd or of a layout, in an archive.

Exit codes: 0 every step hits, 1 a step misses or fails or is not known, 2 usage, 3 error.

--json prints one document, absent members as null:
  schema    "layerwise/docker-why/1"
  title, verdict, facts   what was asked and what came of it
  file      the Dockerfile, below the context
  sides     what `have` and `want` of differences are
  steps     [{"name", "lines": [first, last], "text", "state", "level": "fine", "note", "warning"
            or "error", "result": image, "facts", "causes": findings, "files": [{"path", "change":
            "added", "removed" or "changed", "differences"}]}]
  findings  what is about no step
A finding is {"code", "subject", "differences": [{"path", "have", "want"}], "hint", "cascade"};
`layerwise rule CODE` says what its code means."#;

/// The Dockerfile and how it is built: the options of `docker build`.
#[derive(Args)]
pub struct WhyArgs {
    /// The directory of the build context; `-` is a Dockerfile on standard input, which is all of
    /// it.
    pub context: String,
    /// The Dockerfile; `-` is standard input. Default: Dockerfile, else dockerfile, in the context.
    #[arg(long, short, value_name = "FILE|-")]
    pub file: Option<String>,
    /// A build argument; without a value that of the environment.
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub build_arg: Vec<String>,
    /// A label of the image.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub label: Vec<(String, String)>,
    /// The stage to build; default: the last one.
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// What to build for.
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
    /// The image of the last build: what misses is compared with what that build made of the
    /// step. Without REF the named image whose history fits best, and of these the newest. Default:
    /// whichever image came nearest. Write it after CONTEXT, or as --last=REF.
    #[arg(long, value_name = "REF", num_args = 0..=1, default_missing_value = "")]
    pub last: Option<String>,
    /// The name that the build gives its image. If an image has it now, that is the last build.
    #[arg(long, short, value_name = "NAME", conflicts_with = "last")]
    pub tag: Option<String>,
    /// What packs the context.
    #[arg(long, value_name = "CLIENT", default_value = "29")]
    pub client: Client,
    #[command(flatten)]
    pub session: SessionArgs,
    #[command(flatten)]
    pub report: ReportArgs,
}

/// What packs the context.
#[derive(Clone, Copy, Debug, ValueEnum, Serialize)]
pub enum Client {
    /// The command line of Docker, as it is today.
    #[value(name = "29")]
    Newest,
    /// The command line of Docker 20.10.
    #[value(name = "20.10")]
    V20Dot10,
    /// A program that sends a tar itself, such as docker-py.
    #[value(name = "api")]
    Api,
}

impl Client {
    /// As the component takes it.
    pub const fn packer(self) -> Packer {
        match self {
            Self::Newest => Packer::Client,
            Self::V20Dot10 => Packer::Client20Dot10,
            Self::Api => Packer::Api,
        }
    }
}

fn pair(text: &str) -> Result<(String, String), BadArgument> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    Ok((name.to_owned(), value.to_owned()))
}
