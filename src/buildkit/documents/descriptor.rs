//! A descriptor with everything Go's OCI type carries, read and written as Go
//! does (BuildKit spec, section 6.2).

use core::fmt::Write as _;

use super::json::{DEPTH, quote};
use super::media::{self, Family};
use crate::explain::Difference;
use crate::go_json::{Decode, Escapes, Writer, object};
use crate::oci;
use crate::prelude::*;

/// A descriptor as a document has it; nothing of it is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub media_type: String,
    pub digest: String,
    pub size: i64,
    pub urls: Vec<String>,
    pub annotations: BTreeMap<String, String>,
    /// Base64 text.
    pub data: String,
    pub platform: Option<Platform>,
    pub artifact_type: String,
}

/// The platform of a descriptor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Platform {
    architecture: String,
    os: String,
    os_version: String,
    os_features: Vec<String>,
    variant: String,
}

object!(Descriptor {
    "mediaType" => media_type,
    "digest" => digest,
    "size" => size,
    "urls" => urls,
    "annotations" => annotations,
    "data" => data,
    "platform" => platform,
    "artifactType" => artifact_type,
});

object!(Platform {
    "architecture" => architecture,
    "os" => os,
    "os.version" => os_version,
    "os.features" => os_features,
    "variant" => variant,
});

impl Descriptor {
    /// Whether an entry of an index says of another one how it was built, as
    /// buildx writes it beside every image.
    pub fn is_attestation(&self) -> bool {
        let kind = self.annotations.get("vnd.docker.reference.type");
        let unknown =
            |platform: &Platform| platform.os == "unknown" && platform.architecture == "unknown";
        kind.is_some_and(|kind| kind == "attestation-manifest")
            || self.platform.as_ref().is_some_and(unknown)
    }
}

/// The annotation that names the uncompressed bytes.
pub(crate) const UNCOMPRESSED_KEY: &str = "containerd.io/uncompressed";

/// The same, as it is written.
pub(crate) const UNCOMPRESSED: &str = "\"containerd.io/uncompressed\":";

/// Annotations that decide what bytes a layer has or how they are read; the
/// others, such as when it was made, describe it only.
const ESSENTIAL: [&str; 3] = [
    UNCOMPRESSED_KEY,
    "containerd.io/snapshot/stargz/toc.digest",
    "io.containers.estargz.uncompressed-size",
];

/// How two descriptors of one digest differ in what matters: type, size, and what
/// decides how the bytes are read. A layer's Docker type and its OCI type are one.
pub(crate) fn conflict(one: &Descriptor, other: &Descriptor) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut compare = |path: &str, have: Option<&str>, want: Option<&str>| {
        if have != want {
            let owned = |side: Option<&str>| side.map(ToOwned::to_owned);
            differences.push(Difference::new(path, owned(have), owned(want)));
        }
    };
    let media = |given: &Descriptor| media::convert(&given.media_type, Family::Oci).to_owned();
    compare("mediaType", Some(&media(one)), Some(&media(other)));
    let size = |given: &Descriptor| given.size.to_string();
    compare("size", Some(&size(one)), Some(&size(other)));
    for key in ESSENTIAL {
        // One that is silent does not contradict.
        if let (Some(have), Some(want)) = (one.annotations.get(key), other.annotations.get(key)) {
            compare(key, Some(have), Some(want));
        }
    }
    differences
}

/// The members after `size`, each with a comma before it; empty without any.
pub(crate) fn tail(descriptor: &Descriptor) -> String {
    let Descriptor {
        media_type: _,
        digest: _,
        size: _,
        urls,
        annotations,
        data,
        platform,
        artifact_type,
    } = descriptor;
    let mut writer = Writer::new(Escapes::Short);
    if !urls.is_empty() {
        writer.raw(",\"urls\":");
        writer.list(urls, |w, url| w.string(url));
    }
    write_annotations(&mut writer, annotations.iter());
    if !data.is_empty() {
        writer.raw(",\"data\":");
        writer.string(data);
    }
    if let Some(platform) = platform {
        writer.raw(",\"platform\":");
        writer.object(|w| write_platform(w, platform));
    }
    if !artifact_type.is_empty() {
        writer.raw(",\"artifactType\":");
        writer.string(artifact_type);
    }
    writer.finish()
}

/// The tail of a descriptor that has nothing but annotations, in any order; of a
/// repeated key the last one counts.
pub(crate) fn plain_tail(annotations: &[(String, String)]) -> String {
    if annotations.is_empty() {
        return String::new();
    }
    let texts = annotations.iter().flat_map(|(key, value)| [key, value]);
    // Each with quotes and a colon or comma, and what is around all of them.
    let length = texts.fold(20, |sum, text| sum + text.len() + 3);
    let mut writer = Writer::with_capacity(Escapes::Short, length);
    if annotations.is_sorted_by(|(a, _), (b, _)| a < b) {
        write_annotations(&mut writer, annotations.iter().map(|(k, v)| (k, v)));
    } else {
        let sorted: BTreeMap<_, _> = annotations.iter().map(|(k, v)| (k, v)).collect();
        write_annotations(&mut writer, sorted.into_iter());
    }
    writer.finish()
}

fn write_annotations<'a>(
    writer: &mut Writer,
    annotations: impl ExactSizeIterator<Item = (&'a String, &'a String)>,
) {
    if annotations.len() > 0 {
        writer.raw(",\"annotations\":");
        writer.object(|w| {
            for (key, value) in annotations {
                w.member(key).string(value);
            }
        });
    }
}

/// Writes a descriptor; the tail is what [`tail`] made. Without `media` the
/// member is left out, as exports of 2020 do for an empty one.
pub(crate) fn write(out: &mut String, media: Option<&str>, digest: &str, size: i64, tail: &str) {
    out.push('{');
    if let Some(media) = media {
        out.push_str("\"mediaType\":");
        quote(out, media);
        out.push(',');
    }
    out.push_str("\"digest\":");
    quote(out, digest);
    let _ = write!(out, ",\"size\":{size}{tail}}}");
}

/// The annotations inside a tail.
pub(crate) fn annotations(tail: &str) -> Vec<(String, String)> {
    of_tail(tail).annotations.into_iter().collect()
}

/// The members inside a tail.
pub(crate) fn of_tail(tail: &str) -> Descriptor {
    let Some(members) = tail.strip_prefix(',') else {
        return Descriptor::default();
    };
    let document = ["{", members, "}"].concat();
    crate::go_json::from_str::<Descriptor>(&document, 8).unwrap_or_default()
}

impl From<&oci::Descriptor> for Descriptor {
    fn from(given: &oci::Descriptor) -> Self {
        Self {
            media_type: given.media_type.clone(),
            digest: given.digest.clone(),
            size: i64::try_from(given.size).unwrap_or(i64::MAX),
            annotations: given.annotations.iter().cloned().collect(),
            ..Self::default()
        }
    }
}

fn write_platform(writer: &mut Writer, platform: &Platform) {
    let Platform {
        architecture,
        os,
        os_version,
        os_features,
        variant,
    } = platform;
    writer.member("architecture").string(architecture);
    writer.member("os").string(os);
    if !os_version.is_empty() {
        writer.member("os.version").string(os_version);
    }
    if !os_features.is_empty() {
        writer
            .member("os.features")
            .list(os_features, |w, feature| w.string(feature));
    }
    if !variant.is_empty() {
        writer.member("variant").string(variant);
    }
}

/// Reads a list of descriptors.
///
/// # Errors
/// When the text is not JSON of that form.
pub(crate) fn read_list(text: &str) -> Result<Vec<Descriptor>, crate::go_json::Error> {
    #[derive(Default)]
    struct List(Vec<Descriptor>);
    impl Decode for List {
        fn decode(
            &mut self,
            reader: &mut crate::go_json::Reader<'_>,
        ) -> Result<(), crate::go_json::Error> {
            self.0.decode(reader)
        }
    }
    crate::go_json::from_str::<List>(text, DEPTH).map(|list| list.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_survives() {
        let text = concat!(
            r#"{"mediaType":"m","digest":"d","size":5,"urls":["u"],"annotations":{"a":"1","b":"\u003c"},"#,
            r#""data":"aGk=","platform":{"architecture":"amd64","os":"linux","os.version":"1","os.features":["x"],"variant":"v8"},"artifactType":"t"}"#
        );
        let read: Descriptor = crate::go_json::from_str(text, 8).unwrap();
        let mut written = String::new();
        write(&mut written, Some("m"), "d", 5, &tail(&read));
        assert_eq!(written, text);
        assert_eq!(
            annotations(&tail(&read)),
            [("a".into(), "1".into()), ("b".into(), "<".into())]
        );
        assert_eq!(tail(&Descriptor::default()), "");
        assert_eq!(annotations(""), []);
    }
}
