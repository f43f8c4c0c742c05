//! What readers or registries may not like about an export.

use super::draft::Draft;
use crate::buildkit::documents::descriptor::UNCOMPRESSED;
use crate::buildkit::documents::media;
use crate::buildkit::documents::size::size;
use crate::buildkit::findings::Findings;
use crate::buildkit::options::Form;
use crate::buildkit::reason::{Finding, Reason};
use crate::buildkit::records::blobs::Blobs;
use crate::buildkit::records::interner::{EMPTY, Interner};
use crate::explain::Difference;
use crate::prelude::*;

/// What readers or registries may not like about an export.
pub(crate) fn review(draft: &Draft, texts: &Interner, blobs: &Blobs, findings: &mut Findings) {
    if draft.empty() {
        return;
    }
    if let Ok(config) = &draft.config {
        size("config", config.text.len(), findings);
        size("manifest", draft.manifest.text.len(), findings);
    }
    if let Some(form @ (Form::List2020 | Form::List | Form::Index)) = draft.form {
        let kind = Difference::fact("mediaType", form.media_type());
        findings.push(Finding::new(Reason::IndexWithLayers, "manifest").with([kind]));
    }
    for (digest, differences) in &draft.layout.conflicts {
        let finding = Finding::new(Reason::DescriptorConflict, texts.get(*digest));
        findings.push(finding.with(differences.clone()));
    }
    for (a, b) in &draft.layout.ties {
        findings.push(
            Finding::new(Reason::TieOrder, "records")
                .with([Difference::fact("records", format!("{a}, {b}"))]),
        );
    }
    let mut seen = BTreeSet::new();
    for layer in &draft.layout.layers {
        if !seen.insert(layer.digest) {
            continue;
        }
        let blob = blobs.blob(blobs.node(layer.node).blob);
        let digest = texts.get(blob.digest);
        let media = texts.get(blob.media);
        if let Some(form) = draft.form
            && unlike(form, media)
        {
            let media = Difference::fact("mediaType", media);
            findings.push(Finding::new(Reason::WrongMediaType, digest).with([media]));
        }
        if blob.size <= 0 && draft.form != Some(Form::List2020) {
            findings.push(Finding::new(Reason::SizeZero, digest));
        }
        if blob.tail == EMPTY || !texts.get(blob.tail).contains(UNCOMPRESSED) {
            findings.push(Finding::new(Reason::NoUncompressed, digest));
        }
    }
}

/// Whether a layer is listed under a type of another family than the manifest's.
fn unlike(form: Form, media: &str) -> bool {
    match form {
        Form::List2020 => media::family(media).is_none(),
        Form::List => !media::convertible(
            media::convert(media, media::Family::Oci),
            media::Family::Docker,
        ),
        Form::Index | Form::Image => !media::convertible(media, media::Family::Oci),
    }
}
