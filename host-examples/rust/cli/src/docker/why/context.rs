//! The Dockerfile and the build context, as the user names them.

use std::env;
use std::path::{Path, PathBuf};

use layerwise_files::{Access, Root, encode};

use super::args::WhyArgs;
use crate::failed::Failed;
use crate::io;

/// What paths into the context begin with.
pub const CONTEXT: &str = "/context";

/// A Dockerfile with its context.
pub struct Context {
    /// The Dockerfile.
    pub text: String,
    /// The directory of the context, if there is one.
    pub directory: Option<PathBuf>,
    /// The Dockerfile below the context, in the encoding of paths; `None` if it is not
    /// there.
    pub file: Option<String>,
}

impl Context {
    /// Reads the Dockerfile.
    pub fn open(args: &WhyArgs) -> Result<Self, Failed> {
        if args.context == "-" {
            if args.file.is_some() {
                return Err(Failed::usage(
                    "a Dockerfile on standard input is the whole context: leave --file out",
                ));
            }
            return Ok(Self {
                text: io::text("the Dockerfile", Path::new("-"))?,
                directory: None,
                file: None,
            });
        }
        let directory = Path::new(&args.context);
        let whole = directory
            .canonicalize()
            .map_err(|error| Failed::file("the build context", directory, &error))?;
        if !whole.is_dir() {
            let why = "it is not a directory; unpack an archive or clone a repository first";
            return Err(Failed::unreadable("the build context", directory, why));
        }
        let path = match args.file.as_deref() {
            None => whole.join("Dockerfile"),
            // As the client: a path of the working directory, else one of the context.
            Some("-") => PathBuf::from("-"),
            Some(file) if Path::new(file).exists() => PathBuf::from(file),
            Some(file) => whole.join(file),
        };
        let text = io::text("the Dockerfile", &path)?;
        let below = path.canonicalize().ok();
        let below = below
            .as_ref()
            .and_then(|path| path.strip_prefix(&whole).ok());
        let file = below.map(|path| encode(path.as_os_str().as_encoded_bytes()));
        Ok(Self {
            text,
            directory: Some(whole),
            file,
        })
    }

    /// What is lent of it.
    pub fn root(&self) -> Option<Root> {
        let directory = self.directory.as_ref()?;
        Some(Root::new(directory, Access::ReadOnly).named(CONTEXT))
    }

    /// The Dockerfile as reports name it: below the working directory, else below the
    /// context.
    pub fn shown(&self) -> Option<String> {
        let file = self.file.as_ref()?;
        let here = env::current_dir().ok()?.canonicalize().ok();
        let directory = self.directory.as_ref()?;
        let below = here.and_then(|here| Some(directory.strip_prefix(here).ok()?.to_owned()));
        let below = below.map(|path| path.to_string_lossy().into_owned());
        match below.as_deref() {
            None | Some("") => Some(file.clone()),
            Some(below) => Some(format!("{below}/{file}")),
        }
    }
}

/// The build arguments; a name alone has the value of the environment.
pub fn arguments(given: &[String]) -> Vec<(String, Option<String>)> {
    let one = |text: &String| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text.clone(), env::var(text).ok()),
    };
    given.iter().map(one).collect()
}
