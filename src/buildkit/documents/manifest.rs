//! The manifest that lists a cache, and its kind told from its text (BuildKit spec,
//! section 7.1).

use super::descriptor::Descriptor;
use super::json::DEPTH;
use super::media;
use crate::buildkit::reason::Reason;
use crate::error::{Error, Problem};
use crate::go_json::{self, Decode, Reader, object};
use crate::prelude::*;

/// Which members a manifest has; `null` counts as there.
#[derive(Clone, Debug, Default)]
struct Outline {
    media: Option<String>,
    config: There,
    layers: There,
    manifests: There,
}

/// Why the kind of a manifest cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unclear {
    /// Not JSON of that form.
    Json(go_json::Error),
    /// Both shapes at once.
    Ambiguous,
    /// The media type is of the other shape.
    Mismatch,
}

/// What kind of manifest a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The media type it stands for.
    pub media: &'static str,
    /// The media type it names.
    pub named: Option<String>,
    /// An image manifest, not a list.
    pub image: bool,
}

/// Tells the kind of a manifest from its text.
fn tell(text: &str) -> Result<Kind, Unclear> {
    let outline: Outline = go_json::from_str(text, DEPTH).map_err(Unclear::Json)?;
    let image = outline.config.0 || outline.layers.0;
    if image && outline.manifests.0 {
        return Err(Unclear::Ambiguous);
    }
    let known = [
        (media::DOCKER_MANIFEST, true),
        (media::DOCKER_LIST, false),
        (media::OCI_MANIFEST, true),
        (media::OCI_INDEX, false),
    ];
    let named = outline.media.as_deref();
    let media = match known.iter().find(|(media, _)| named == Some(media)) {
        Some((media, of_image)) if *of_image == image => media,
        Some(_) => return Err(Unclear::Mismatch),
        None if image => media::DOCKER_MANIFEST,
        None => media::DOCKER_LIST,
    };
    Ok(Kind {
        media,
        named: outline.media,
        image,
    })
}

/// The kind of a manifest.
///
/// # Errors
/// `corrupt` for one of no clear kind.
pub(crate) fn kind(text: &str, subject: &str) -> Result<Kind, Error> {
    tell(text).map_err(|unclear| unclear_error(&unclear, subject))
}

/// The error for a manifest of no clear kind.
fn unclear_error(unclear: &Unclear, subject: &str) -> Error {
    let (code, message) = match unclear {
        Unclear::Json(error) => (Reason::ManifestNotJson, error.to_string()),
        Unclear::Ambiguous => (
            Reason::ManifestAmbiguous,
            "invalid ambiguous manifest and manifest list".to_owned(),
        ),
        Unclear::Mismatch => (
            Reason::ManifestMismatch,
            "mediaType in manifest does not match manifest contents".to_owned(),
        ),
    };
    Error::Corrupt(Problem::new(code, "open", subject, message))
}

/// Reads the text of a manifest.
///
/// # Errors
/// `corrupt` when it is not JSON of that form.
pub(crate) fn read(text: &str, subject: &str) -> Result<Manifest, Error> {
    go_json::from_str(text, DEPTH).map_err(|error| unclear_error(&Unclear::Json(error), subject))
}

/// What a manifest lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifest {
    schema: i64,
    /// The config of an image manifest, whatever its type is.
    pub config: Option<Descriptor>,
    layers: Vec<Descriptor>,
    manifests: Vec<Descriptor>,
}

impl Manifest {
    /// The descriptors of cache configs in it; the last one is used.
    pub fn configs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config
            .iter()
            .chain(&self.manifests)
            .filter(|entry| entry.media_type == media::CONFIG)
    }

    /// The same descriptors as [`Manifest::listed`], without a copy of each.
    pub fn into_listed(self) -> Vec<Descriptor> {
        let Self {
            mut layers,
            mut manifests,
            ..
        } = self;
        layers.append(&mut manifests);
        layers.retain(|entry| entry.media_type != media::CONFIG);
        layers
    }

    /// The descriptors of everything else but an image's config.
    pub fn listed(&self) -> impl Iterator<Item = &Descriptor> {
        self.layers
            .iter()
            .chain(&self.manifests)
            .filter(|entry| entry.media_type != media::CONFIG)
    }
}

object!(Outline {
    "mediaType" => media,
    "config" => config,
    "layers" => layers,
    "manifests" => manifests,
});

object!(Manifest {
    "schemaVersion" => schema,
    "config" => config,
    "layers" => layers,
    "manifests" => manifests,
});

/// Whether a member is there.
#[derive(Clone, Copy, Debug, Default)]
struct There(bool);

impl Decode for There {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), go_json::Error> {
        self.0 = true;
        reader.skip()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let media = |text: &str| tell(text).map(|kind| kind.media);
        assert_eq!(media("{}"), Ok(media::DOCKER_LIST));
        assert_eq!(media("null"), Ok(media::DOCKER_LIST));
        assert_eq!(
            media(r#"{"config":null,"manifests":null}"#),
            Err(Unclear::Ambiguous)
        );
        assert_eq!(media(r#"{"layers":null}"#), Ok(media::DOCKER_MANIFEST));
        assert_eq!(
            media(r#"{"mediaType":"application/vnd.oci.image.index.v1+json","layers":[]}"#),
            Err(Unclear::Mismatch)
        );
        assert!(media("[]").is_err());
    }
}
