//! The manifest that lists a cache, written in four forms (BuildKit spec, section
//! 6.2).

use super::layout::Layer;
use crate::buildkit::documents::descriptor;
use crate::buildkit::documents::media::{self, Family};
use crate::buildkit::options::Form;
use crate::buildkit::records::blobs::{Blob, Blobs};
use crate::buildkit::records::interner::Interner;
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
