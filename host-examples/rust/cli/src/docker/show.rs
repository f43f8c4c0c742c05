//! Results of steps as text.

use layerwise::docker::{Answer, Effect, Outcome};
use layerwise::oci::Platform;

use crate::page::Page;
use crate::why;

/// The outcome and what goes with it; `about` are lines that say what was asked.
pub fn answer(page: &mut Page, answer: &Answer, about: &[[&str; 2]], done: bool) {
    page.line(&match &answer.image {
        Some(image) => format!("{}  {image}", outcome(answer.outcome)),
        None => outcome(answer.outcome).to_owned(),
    });
    let effects: Vec<String> = answer.effects.iter().map(effect).collect();
    let mut rows = about.to_vec();
    if let Some(source) = &answer.source {
        rows.push(["source", source]);
    }
    for effect in &effects {
        rows.push([if done { "did" } else { "would" }, effect]);
    }
    page.rows(2, &rows);
    for note in &answer.notes {
        page.rows(2, &[[&note.code[..], &note.subject]]);
        page.rows(6, &[[why::meaning(page, note)]]);
        why::evidence(page, note, 6);
    }
}

/// Such as `linux/arm/v7`.
pub fn platform(platform: &Platform) -> String {
    let Platform {
        os,
        architecture,
        variant,
        ..
    } = platform;
    match variant.as_str() {
        "" => format!("{os}/{architecture}"),
        variant => format!("{os}/{architecture}/{variant}"),
    }
}

/// An outcome by its name.
pub const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::HitLocal => "hit-local",
        Outcome::HitSource => "hit-source",
        Outcome::HitRestored => "hit-restored",
        Outcome::Miss => "miss",
        Outcome::RestoreFailed => "restore-failed",
    }
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::SetParent(link) => format!("set parent of {} to {}", link.target, link.parent),
        Effect::Create(creation) => {
            let id = &creation.id;
            let parent = creation.parent.as_deref().unwrap_or("scratch");
            match &creation.layer {
                Some(layer) => format!("create {id} on {parent} with the layer {layer}"),
                None => format!("create {id} on {parent} without a layer"),
            }
        }
    }
}
