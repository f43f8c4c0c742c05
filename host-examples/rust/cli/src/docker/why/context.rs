//! The Dockerfile and the build context, as the user names them and the client finds
//! them (Dockerfile spec, section 1.4).

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use layerwise::dockerfile::Packer;
use layerwise_files::{Access, Root, encode};
use tempfile::TempDir;

use super::args::{Client, WhyArgs};
use crate::failed::Failed;
use crate::io;

/// What paths into the context begin with.
pub const CONTEXT: &str = "/context";

/// The Dockerfile of a context, unless another one is named.
const DOCKERFILE: &str = "Dockerfile";

/// A Dockerfile with its context.
pub struct Context {
    /// The Dockerfile.
    pub text: String,
    /// The directory of the context, if there is one.
    pub directory: Option<PathBuf>,
    /// The Dockerfile below the context, in the encoding of paths; `None` if it is not
    /// there.
    pub file: Option<String>,
    /// The directory, if the client makes it.
    made: Option<TempDir>,
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
            return Self::make();
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
            None => inside(&whole),
            Some("-") => PathBuf::from("-"),
            Some(file) => outside(&whole, directory, file)?,
        };
        let text = text(&path, io::bytes("the Dockerfile", &path)?)?;
        let below = path.canonicalize().ok();
        let below = below
            .as_ref()
            .and_then(|path| path.strip_prefix(&whole).ok());
        if below.is_none() && args.file.is_none() {
            let why = "it is a link out of the build context, where the client does not read it; \
                       name the file itself with --file";
            return Err(Failed::unreadable("the Dockerfile", &path, why));
        }
        let file = below.map(|path| encode(path.as_os_str().as_encoded_bytes()));
        Ok(Self {
            text,
            directory: Some(whole),
            file,
            made: None,
        })
    }

    /// Makes the context that the client makes of a Dockerfile alone: a directory with
    /// nothing else in it, whose modes and owners are those of the client's user.
    fn make() -> Result<Self, Failed> {
        let standard_input = Path::new("-");
        let bytes = io::bytes("the Dockerfile", standard_input)?;
        let failed =
            |error: std::io::Error| Failed::unwritable("the context of a Dockerfile alone", &error);
        let made = tempfile::tempdir().map_err(failed)?;
        let directory = made.path().canonicalize().map_err(failed)?;
        fs::write(directory.join(DOCKERFILE), &bytes).map_err(failed)?;
        Ok(Self {
            text: text(standard_input, bytes)?,
            directory: Some(directory),
            file: Some(DOCKERFILE.to_owned()),
            made: Some(made),
        })
    }

    /// What is lent of it.
    pub fn root(&self) -> Option<Root> {
        let directory = self.directory.as_ref()?;
        Some(Root::new(directory, Access::ReadOnly).named(CONTEXT))
    }

    /// What packs it. The client leaves the owners of a context that it made itself as they
    /// are, as a program does that sends a tar; that of 20.10 is taken to be run by root.
    pub const fn packer(&self, client: Client) -> Packer {
        match client {
            Client::Newest if self.made.is_some() => Packer::Api,
            client => client.packer(),
        }
    }

    /// The Dockerfile as reports name it: below the working directory, else below the
    /// context.
    pub fn shown(&self) -> Option<String> {
        let file = self.file.as_ref().filter(|_| self.made.is_none())?;
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

/// The Dockerfile of a context: also in lower case, if that is all there is.
fn inside(whole: &Path) -> PathBuf {
    let path = whole.join(DOCKERFILE);
    let other = whole.join(DOCKERFILE.to_lowercase());
    let there = |path: &Path| path.symlink_metadata().is_ok();
    if !there(&path) && there(&other) {
        return other;
    }
    path
}

/// The file that `--file` names, which is a path of the working directory, whatever the
/// context is.
fn outside(whole: &Path, directory: &Path, file: &str) -> Result<PathBuf, Failed> {
    let path = Path::new(file);
    if !path.exists() && path.is_relative() && whole.join(path).exists() {
        let why = format!(
            "it does not exist in the working directory, where the client looks for it; write \
             --file {}",
            directory.join(path).display()
        );
        return Err(Failed::unreadable("the Dockerfile", path, &why));
    }
    Ok(path.to_owned())
}

/// The text of a Dockerfile. Bytes that are not UTF-8 are of no matter in a comment; in
/// an instruction the engine would never find its step again, because its documents
/// cannot hold them.
fn text(path: &Path, bytes: Vec<u8>) -> Result<String, Failed> {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error.into_bytes(),
    };
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let comment = line.trim_ascii_start().starts_with(b"#");
        if !comment && std::str::from_utf8(line).is_err() {
            let why = format!("line {number} is not utf-8, so that no image is ever found for it");
            return Err(Failed::unreadable("the Dockerfile", path, &why));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The build arguments; a name alone has the value of the environment.
pub fn arguments(given: &[String]) -> Vec<(String, Option<String>)> {
    let one = |text: &String| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text.clone(), env::var(text).ok()),
    };
    given.iter().map(one).collect()
}
