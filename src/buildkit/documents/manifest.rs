//! The manifest that lists a cache: written in three forms, and its kind told
//! from its text (BuildKit spec, sections 6.2 and 7.1).

use super::descriptor::{self, Descriptor};
use super::media::{self, Family};
use crate::buildkit::Form;
use crate::buildkit::export::layout::Layer;
use crate::buildkit::records::blobs::{Blob, Blobs};
use crate::buildkit::records::interner::Interner;
use crate::go_json::{self, Decode, Reader, object};
use crate::prelude::*;

/// The text of a manifest. `config` is the descriptor of the config, written.
pub(crate) fn write(
    form: Form,
    layers: &[Layer],
    blobs: &Blobs,
    texts: &Interner,
    config: &str,
) -> String {
    let mut text = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{}\",",
        form.media_type()
    );
    if form == Form::Image {
        text.push_str("\"config\":");
        text.push_str(config);
        text.push_str(",\"layers\":[");
    } else {
        text.push_str("\"manifests\":[");
    }
    for (at, layer) in layers.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        let blob = blobs.blob(blobs.node(layer.node).blob);
        write_layer(&mut text, form, &blob, texts);
    }
    if form != Form::Image {
        if !layers.is_empty() {
            text.push(',');
        }
        text.push_str(config);
    }
    text.push_str("]}");
    text
}

fn write_layer(out: &mut String, form: Form, blob: &Blob, texts: &Interner) {
    let media = listed_media(form, texts.get(blob.media));
    descriptor::write(
        out,
        // Exports of 2020 leave out what is empty.
        (form != Form::List2020 || !media.is_empty()).then_some(media),
        texts.get(blob.digest),
        blob.size,
        texts.get(blob.tail),
    );
}

/// The media type under which a manifest lists a layer.
pub(crate) fn listed_media(form: Form, media: &str) -> &str {
    match form {
        Form::List2020 => media,
        Form::List => media::convert(copied_media(form, media), Family::Docker),
        Form::Index | Form::Image => media::convert(media, Family::Oci),
    }
}

/// The media type a layer is copied under.
pub(crate) fn copied_media(form: Form, media: &str) -> &str {
    if form == Form::List2020 {
        media
    } else {
        media::convert(media, Family::Oci)
    }
}

/// The text of the descriptor of a document.
pub(crate) fn describe(media: &str, digest: &str, size: usize) -> String {
    let mut text = String::new();
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    descriptor::write(&mut text, Some(media), digest, size, "");
    text
}

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
pub(crate) enum Unclear {
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
pub(crate) fn kind(text: &str) -> Result<Kind, Unclear> {
    let outline: Outline =
        go_json::from_str(text, crate::buildkit::DEPTH).map_err(Unclear::Json)?;
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
    /// Reads the text of a manifest.
    pub fn read(text: &str) -> Result<Self, go_json::Error> {
        go_json::from_str(text, crate::buildkit::DEPTH)
    }

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
        let media = |text: &str| kind(text).map(|kind| kind.media);
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
