//! COPY and ADD: where their files come from, and the comment that has their
//! checksum (Dockerfile spec, section 7).

use super::event::Copying;
use super::expand::{Lexer, Variables};
use super::instruction::Copy;
use super::reason::{Finding, Reason};
use super::refusal::{Stop, refused};
use super::sources::{Copied, Files, Source, copy_source, download, together};
use super::tree::Packed;
use super::version::Rules;
use crate::host::Filesystem;
use crate::paths;
use crate::prelude::*;
use crate::tarsum::Header;

/// A COPY or ADD with its variables replaced.
#[derive(Clone, Debug)]
pub struct Request {
    /// `COPY` or `ADD`.
    pub name: &'static str,
    /// The sources as written.
    pub sources: Vec<String>,
    /// Where to.
    pub destination: String,
    /// `--chown` as the comment tells it, with the blank behind it if there is one.
    pub chown: String,
    /// `--from`.
    pub from: String,
}

impl Request {
    /// Replaces the variables of an instruction.
    ///
    /// # Errors
    /// As the builder refuses.
    pub fn new(
        name: &'static str,
        copy: &Copy,
        lexer: &Lexer<'_>,
        variables: &Variables,
        rules: &Rules,
    ) -> Result<Self, Stop> {
        let expand = |word: &str| lexer.word(word, variables);
        let chown = expand(&copy.chown)?;
        let chmod = expand(&copy.chmod)?;
        expand(&copy.checksum)?;
        let sources = copy.sources.iter().map(|source| expand(source));
        let request = Self {
            name,
            sources: sources.collect::<Result<_, Stop>>()?,
            destination: expand(&copy.destination)?,
            chown: match (chown.as_str(), rules.chown_blank) {
                ("", _) => String::new(),
                (owner, true) => format!("--chown={owner} "),
                (owner, false) => format!("--chown={owner}"),
            },
            from: copy.from.clone(),
        };
        if !chmod.is_empty() {
            return Err(refused(
                Reason::NeedsBuildkit,
                "the --chmod option requires BuildKit",
            ));
        }
        Ok(request)
    }

    /// The addresses that ADD downloads.
    pub fn downloads(&self) -> impl Iterator<Item = &String> {
        let adds = self.name == "ADD";
        self.sources
            .iter()
            .filter(move |source| adds && is_url(source))
    }

    /// Where to, from the root: cleaned, with the `/` at its end if it has one.
    fn target(&self, working_dir: &str) -> String {
        let target = paths::join(&["/", working_dir, &self.destination]);
        let absolute = paths::clean(&self.destination);
        let target = if absolute.starts_with('/') {
            absolute
        } else {
            target
        };
        if self.destination.ends_with('/') && !target.ends_with('/') {
            return format!("{target}/");
        }
        target
    }

    /// The comment of the step.
    pub fn comment(&self, sum: &str) -> String {
        let (name, chown, to) = (self.name, &self.chown, &self.destination);
        format!("{name} {chown}{sum} in {to} ")
    }
}

/// A COPY or ADD of the context that was told to the caller.
#[derive(Clone, Debug)]
pub struct Told {
    /// What it copies.
    pub request: Request,
    /// Where from its destination is.
    pub working_dir: String,
    /// Its command, which has the checksum in it.
    pub command: String,
    /// The checksum of all that it copies.
    pub sum: String,
}

/// A file that ADD downloaded.
#[derive(Clone, Debug)]
pub struct Download {
    /// Its path in `filesystem`.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// The mode that the engine gives it.
    pub mode: u32,
    /// The name of its owner, root, counts.
    pub owner_names: bool,
    /// The name that the server gave.
    pub name: Option<String>,
}

impl Download {
    /// What goes into its checksum under this name.
    fn packed(&self, name: &str) -> Packed {
        let header = Header {
            name: &paths::from_text(name),
            mode: self.mode,
            uid: 0,
            gid: 0,
            size: self.size,
            typeflag: '0',
            link: "",
            owner_names: self.owner_names,
        };
        Packed {
            header: header.text(),
            content: (self.size > 0).then(|| self.path.clone()),
        }
    }
}

/// What a request copies; `None` if its files are not at hand.
///
/// # Errors
/// As the builder refuses, and what the host answers.
pub fn resolve<F: Filesystem>(
    request: &Request,
    working_dir: &str,
    mut own: Option<&mut Files>,
    downloads: &BTreeMap<String, Option<Download>>,
    files: &F,
) -> Result<Option<(Copying, Vec<Copied>)>, Stop> {
    let in_step = |stop: Stop| match stop {
        Stop::Refused(mut refused) => {
            refused.message = format!("{} failed: {}", request.name, refused.message);
            Stop::Refused(refused)
        }
        failed @ Stop::Failed(_) => failed,
    };
    let mut sources = Vec::new();
    let mut copied = Vec::new();
    for source in &request.sources {
        if is_url(source) {
            if request.name == "COPY" {
                return Err(in_step(copy_source("source can't be a URL for COPY")));
            }
            let Some(Some(lent)) = downloads.get(source) else {
                return Ok(None);
            };
            sources.push(downloaded(source, lent, request, files).map_err(in_step)?);
            continue;
        }
        let Some(own) = own.as_deref_mut() else {
            return Err(in_step(copy_source("missing build context")));
        };
        let (found, parts) = own.find(source, files).map_err(in_step)?;
        sources.extend(found);
        copied.extend(parts);
    }
    if sources.is_empty() {
        return Err(in_step(copy_source("no source files were specified")));
    }
    if sources.len() > 1 && !request.destination.ends_with('/') {
        return Err(copy_source(format!(
            "When using {} with more than one source file, the destination must be a directory \
             and end with a /",
            request.name
        )));
    }
    let copying = Copying {
        sum: together(&sources),
        sources,
        from: Some(request.from.clone()).filter(|from| !from.is_empty()),
        to: request.target(working_dir),
    };
    Ok(Some((copying, copied)))
}

fn downloaded<F: Filesystem>(
    url: &str,
    file: &Download,
    request: &Request,
    files: &F,
) -> Result<Source, Stop> {
    let name = file_name(url).or_else(|| file.name.clone());
    if name.is_none() && request.destination.ends_with('/') {
        return Err(copy_source(format!(
            "cannot determine filename for source {url}"
        )));
    }
    let packed = file.packed(name.as_deref().unwrap_or("__unnamed__"));
    Ok(Source {
        path: url.to_owned(),
        sum: download(&packed, files)?,
    })
}

/// The file name in an address.
fn file_name(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (_, path) = rest.split_once('/')?;
    let name = path.rsplit('/').next().filter(|name| !name.is_empty())?;
    Some(paths::lossy(&paths::decode(name)))
}

/// Whether ADD downloads a source.
pub fn is_url(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

/// That the files of a step are not at hand.
pub fn unlent(request: &Request) -> Finding {
    let from = match request.from.as_str() {
        "" => "an address",
        from => from,
    };
    Finding::new(Reason::Unlent, from)
}
