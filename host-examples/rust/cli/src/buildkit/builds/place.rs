//! What people type for a build.

use std::path::{Path, PathBuf};

use crate::failed::Failed;

/// Where builds are, and which one is meant; `None` if it was not named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub kind: Kind,
    pub record: Option<String>,
}

/// Where builds are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Standard input.
    Input,
    /// A `.dockerbuild` file, provenance, a metadata file or a log.
    File(PathBuf),
    /// The attestations of an image.
    Image(String),
    /// The root of a daemon.
    Root(PathBuf),
}

impl Place {
    /// Whether one build is meant: by its name, or the newest one of a daemon.
    pub const fn names_one(&self) -> bool {
        self.record.is_some() || matches!(self.kind, Kind::Root(_))
    }

    /// Reads what was typed.
    pub fn of(text: &str) -> Result<Self, Failed> {
        let whole = |kind| Self { kind, record: None };
        if text == "-" {
            return Ok(whole(Kind::Input));
        }
        if let Some(reference) = text.strip_prefix("image:") {
            return Ok(whole(Kind::Image(reference.to_owned())));
        }
        let root = text.strip_prefix("root:");
        let path = root.unwrap_or(text);
        // A name with `#` in it is one if it is there.
        let (path, record) = match path.rsplit_once('#') {
            Some((before, record)) if !Path::new(path).exists() => (before, Some(record)),
            _ => (path, None),
        };
        if path.is_empty() || record.is_some_and(str::is_empty) {
            return Err(Failed::usage(format!(
                "{text:?} names no build: expected FILE[#RECORD], root:DIR[#RECORD], image:REF or -"
            )));
        }
        let path = PathBuf::from(path);
        Ok(Self {
            kind: match root.is_some() || path.is_dir() {
                true => Kind::Root(path),
                false => Kind::File(path),
            },
            record: record.map(ToOwned::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type() {
        let of = |text| Place::of(text).unwrap();
        let place = |kind, record: Option<&str>| Place {
            kind,
            record: record.map(ToOwned::to_owned),
        };
        assert_eq!(of("-"), place(Kind::Input, None));
        let image = Kind::Image("host/app:1".to_owned());
        assert_eq!(of("image:host/app:1"), place(image, None));
        let file = Kind::File("no/x.dockerbuild".into());
        assert_eq!(of("no/x.dockerbuild"), place(file.clone(), None));
        assert_eq!(of("no/x.dockerbuild#abc"), place(file, Some("abc")));
        let root = Kind::Root("/no/root".into());
        assert_eq!(of("root:/no/root#abc"), place(root, Some("abc")));
        assert_eq!(of("/"), place(Kind::Root("/".into()), None));
        for text in ["", "root:", "#abc", "no/file#"] {
            assert_eq!(Place::of(text).unwrap_err().kind, "usage", "{text}");
        }
    }
}
