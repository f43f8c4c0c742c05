//! What people type for a cache: a reference, the words that builders take, a
//! directory, a tar file, or the config of a cache that has no manifest.

use std::path::{Path, PathBuf};

use crate::failed::Failed;

/// The index of an image layout.
const INDEX: &str = "index.json";

/// Where a cache is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What the registries and layout directories take.
    Reference(String),
    /// A manifest in a layout directory, which its index need not name.
    Digest {
        /// The directory.
        directory: PathBuf,
        /// Of the manifest.
        digest: String,
    },
    /// An image layout in a tar file.
    Archive {
        /// The file.
        file: PathBuf,
        /// The name or the digest of an entry; `None` for the only one.
        name: Option<String>,
    },
    /// A config that no manifest goes with.
    Config(PathBuf),
}

/// Where a cache is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What the registries and layout directories take.
    pub reference: String,
    /// Attributes of the form of the manifest.
    pub form: Vec<(String, String)>,
}

/// Reads what was typed for a cache that is there.
pub fn cache(text: &str) -> Result<Wanted, Failed> {
    without_scheme(text)?;
    if let Some(file) = text.strip_prefix("config:") {
        return Ok(Wanted::Config(some("config:FILE", text, file)?));
    }
    for prefix in ["archive:", "oci-archive:", "docker-archive:"] {
        if let Some(rest) = text.strip_prefix(prefix) {
            return archive(text, rest);
        }
    }
    if text.starts_with("oci:") || text.starts_with("docker://") {
        return Ok(Wanted::Reference(text.to_owned()));
    }
    if let Some(attributes) = attributes(text)? {
        return from_attributes(text, attributes);
    }
    let path = Path::new(text);
    if path.is_dir() {
        return directory(text, path);
    }
    if let Some((directory, tag)) = text.rsplit_once(':')
        && Path::new(directory).join(INDEX).is_file()
    {
        return layout(text, Path::new(directory), Some(tag)).map(Wanted::Reference);
    }
    if [".tar", ".tgz", ".tar.gz", ".tar.zst"]
        .iter()
        .any(|end| text.ends_with(end))
    {
        return archive(text, text);
    }
    if text.ends_with(".json") {
        return Err(Failed::usage(format!(
            "{text:?} is no reference: for the config of a cache that has no manifest, as \
             type=gha, s3 and azblob keep it, type config:{text}"
        )));
    }
    if is_path(text) || path.is_file() {
        let why = if path.exists() {
            "it is a file: type archive:FILE for a layout in a tar file, or config:FILE"
        } else {
            "there is no such directory or file"
        };
        return Err(Failed::usage(format!("{text:?} is no cache: {why}")));
    }
    Ok(Wanted::Reference(text.to_owned()))
}

/// Reads what was typed for a cache that is to be written.
pub fn target(text: &str) -> Result<Target, Failed> {
    without_scheme(text)?;
    if let Some(attributes) = attributes(text)? {
        return to_attributes(text, attributes);
    }
    if ["config:", "archive:", "oci-archive:", "docker-archive:"]
        .iter()
        .any(|prefix| text.starts_with(prefix))
    {
        let why =
            "a cache is written into a registry, host/name:tag, or a directory, oci:DIR[:TAG]";
        return Err(Failed::usage(format!("{text:?} cannot be written: {why}")));
    }
    let reference = match is_path(text) && !text.starts_with("oci:") {
        // No registry is called like that.
        true => layout(text, Path::new(text), None)?,
        false => text.to_owned(),
    };
    Ok(Target {
        reference,
        form: Vec::new(),
    })
}

/// A reference has no scheme; what is typed elsewhere may have.
fn without_scheme(text: &str) -> Result<(), Failed> {
    match text.split_once("://") {
        // As skopeo has it.
        None | Some(("docker", _)) => Ok(()),
        Some((scheme, rest)) => Err(Failed::usage(format!(
            "{text:?} begins with {scheme}://, which no reference has: write {rest}"
        ))),
    }
}

fn is_path(text: &str) -> bool {
    ["/", "./", "../"]
        .iter()
        .any(|start| text.starts_with(start))
        || text == "."
        || text == ".."
}

fn some(form: &str, text: &str, path: &str) -> Result<PathBuf, Failed> {
    if path.is_empty() {
        return Err(Failed::usage(format!("{text:?} names no file: {form}")));
    }
    Ok(PathBuf::from(path))
}

/// `FILE`, `FILE:NAME` or `FILE@DIGEST`.
fn archive(text: &str, rest: &str) -> Result<Wanted, Failed> {
    let whole = Path::new(rest).exists();
    let digest = rest
        .rsplit_once('@')
        .filter(|(_, digest)| digest.contains(':'));
    let named = digest.or_else(|| rest.split_once(':')).filter(|_| !whole);
    let (file, name) = match named {
        Some((file, name)) => (file, Some(name.to_owned())),
        None => (rest, None),
    };
    Ok(Wanted::Archive {
        file: some("archive:FILE[:NAME]", text, file)?,
        name,
    })
}

fn directory(text: &str, path: &Path) -> Result<Wanted, Failed> {
    if path.join(INDEX).is_file() {
        return layout(text, path, None).map(Wanted::Reference);
    }
    if is_path(text) {
        return Err(Failed::usage(format!(
            "{text:?} is a directory without {INDEX}: a cache by type=local has one"
        )));
    }
    // A repository can have the name of a directory that is here by chance.
    Ok(Wanted::Reference(text.to_owned()))
}

/// The reference of a layout directory.
fn layout(text: &str, path: &Path, tag: Option<&str>) -> Result<String, Failed> {
    let path = path.display().to_string();
    if path.contains([':', '@']) || path.is_empty() {
        return Err(Failed::usage(format!(
            "{text:?}: the path of a layout directory has no colon and no @; \
             give it another name, such as one by a symbolic link"
        )));
    }
    Ok(match tag {
        Some(tag) => format!("oci:{path}:{tag}"),
        None => format!("oci:{path}"),
    })
}

type Attributes = Vec<(String, String)>;

/// The attributes of `type=…,name=value,…`; `None` for another text. Fields are
/// those of CSV, as builders read them.
fn attributes(text: &str) -> Result<Option<Attributes>, Failed> {
    let first = text.trim_start_matches('"').split(['=', ',']).next();
    let known = ["type", "ref", "src", "dest", "tag", "digest"];
    if !text.contains('=') || !first.is_some_and(|first| known.contains(&first)) {
        return Ok(None);
    }
    let mut attributes: Attributes = Vec::new();
    for field in fields(text) {
        let Some((name, value)) = field.split_once('=') else {
            let why = format!("{field:?} is not NAME=VALUE");
            return Err(Failed::usage(format!("{text:?}: {why}")));
        };
        if attributes.iter().any(|(known, _)| known == name) {
            return Err(Failed::usage(format!("{text:?} gives {name} twice")));
        }
        attributes.push((name.to_owned(), value.to_owned()));
    }
    Ok(Some(attributes))
}

/// Fields between commas; in quotes a comma is part of a field, and two quotes are
/// one.
fn fields(text: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}

fn take(attributes: &mut Attributes, name: &str) -> Option<String> {
    let at = attributes.iter().position(|(known, _)| known == name)?;
    Some(attributes.remove(at).1)
}

fn from_attributes(text: &str, mut given: Attributes) -> Result<Wanted, Failed> {
    let kind = take(&mut given, "type").unwrap_or_default();
    let wanted = match kind.as_str() {
        "registry" => {
            let reference = needed(text, &mut given, &["ref"])?;
            Wanted::Reference(in_registry(text, reference)?)
        }
        "local" => {
            let directory = needed(text, &mut given, &["src", "dest"])?;
            let tag = take(&mut given, "tag");
            match take(&mut given, "digest") {
                Some(digest) => Wanted::Digest {
                    directory: PathBuf::from(directory),
                    digest,
                },
                None => {
                    let tag = tag.as_deref().unwrap_or("latest");
                    let path = Path::new(&directory);
                    Wanted::Reference(layout(text, path, Some(tag))?)
                }
            }
        }
        other => return Err(elsewhere(text, other)),
    };
    match given.first() {
        None => Ok(wanted),
        Some((name, _)) => Err(Failed::usage(format!(
            "{text:?}: {name} does not say where a cache is; leave it out"
        ))),
    }
}

fn to_attributes(text: &str, mut given: Attributes) -> Result<Target, Failed> {
    let kind = take(&mut given, "type").unwrap_or_default();
    let reference = match kind.as_str() {
        "registry" => {
            let reference = needed(text, &mut given, &["ref"])?;
            in_registry(text, reference)?
        }
        "local" => {
            let directory = needed(text, &mut given, &["dest"])?;
            let tag = take(&mut given, "tag");
            let tag = tag.as_deref().unwrap_or("latest");
            layout(text, Path::new(&directory), Some(tag))?
        }
        other => return Err(elsewhere(text, other)),
    };
    let mut form = Vec::new();
    for (name, value) in given {
        match name.as_str() {
            "oci-mediatypes" | "image-manifest" => form.push((name, value)),
            "mode" => {
                return Err(Failed::usage(format!(
                    "{text:?}: an export has every record it was given; leave mode out"
                )));
            }
            _ => {
                return Err(Failed::usage(format!(
                    "{text:?}: {name} is not known; oci-mediatypes and image-manifest are"
                )));
            }
        }
    }
    Ok(Target { reference, form })
}

fn needed(text: &str, given: &mut Attributes, names: &[&str]) -> Result<String, Failed> {
    let found = names.iter().find_map(|name| take(given, name));
    match (found.filter(|value| !value.is_empty()), names.first()) {
        (Some(value), _) => Ok(value),
        (None, first) => {
            let name = first.copied().unwrap_or_default();
            Err(Failed::usage(format!("{text:?} has no {name}=")))
        }
    }
}

/// What is said to be in a registry is nothing else.
fn in_registry(text: &str, reference: String) -> Result<String, Failed> {
    if reference.starts_with("oci:") {
        let why = "a directory is type=local,src=DIR";
        return Err(Failed::usage(format!("{text:?}: {why}")));
    }
    Ok(reference)
}

/// Caches that are in no registry and no directory.
fn elsewhere(text: &str, kind: &str) -> Failed {
    let object = match kind {
        "" => return Failed::usage(format!("{text:?} has no type=registry or type=local")),
        "inline" => {
            let why = "an inline cache is in its image: type=registry,ref=IMAGE";
            return Failed::usage(format!("{text:?}: {why}"));
        }
        "gha" => "the newest cache entry whose key begins with index-SCOPE",
        "s3" => "the object manifests/NAME below the prefix",
        "azblob" => "the blob manifests/NAME below the prefix",
        other => {
            let why = "registry, local, and the config of gha, s3 or azblob by config:FILE are";
            return Failed::usage(format!("{text:?}: type {other:?} is not known; {why}"));
        }
    };
    Failed::usage(format!(
        "{text:?}: download its config, which is {object}, and give it as config:FILE"
    ))
}

#[cfg(test)]
mod tests;
