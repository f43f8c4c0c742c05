//! Restores, layers and commits as text.

use layerwise::buildpacks::{
    Action, Commit, DataDecision, Effect, LayerAnswer, Outcome, PlannedFile, Reason, RestorePlan,
};
use layerwise::explain::Finding;

use super::document::{Document, Verb};
use super::restore::loses;
use crate::page::Page;
use crate::why;

/// All of a restore.
pub fn restore(page: &mut Page, document: &Document<'_>) {
    let Document {
        command,
        semantics,
        platform_api,
        directory,
        app,
        cache,
        plan: planned,
        data,
        explanation,
        ..
    } = document;
    let app = app.as_ref().map_or_else(
        || "none given".to_owned(),
        |app| match app.found {
            true => app.name.clone(),
            false => format!("{}, which has no metadata", app.name),
        },
    );
    let from = cache.as_ref().map_or_else(
        || "none given".to_owned(),
        |cache| match &cache.digest {
            Some(digest) => format!("{}  {digest}", cache.name),
            None => cache.name.clone(),
        },
    );
    let reading = why::semantics(semantics);
    let about = [
        ["layers", directory],
        ["platform api", platform_api],
        ["reading", &reading],
        ["app", &app],
        ["cache", &from],
    ];
    let lost = match (command, data) {
        (Verb::Restore, Some(decisions)) => &decisions[..],
        _ => &[],
    };
    if let Some(planned) = planned {
        page.line(&summary(planned, lost));
        page.rows(2, &about);
        if let Some(cache) = cache {
            why::findings(page, [&cache.finding]);
        }
        let known = cache.as_ref().map(|cache| &*cache.finding.code);
        put(page, planned, *command == Verb::Restore, known, lost);
    }
    if let Some(explanation) = explanation {
        page.gap();
        let about = if planned.is_none() { &about[..] } else { &[] };
        why::explanation(page, explanation, about);
    }
    // Why the cache gave nothing is not said by what was decided without it.
    if let (None, Some(cache)) = (planned, cache)
        && cache.finding.code != Reason::Hit
    {
        page.gap();
        why::findings(page, [&cache.finding]);
    }
    if let Some(decisions) = data
        && !decisions.is_empty()
    {
        page.gap();
        page.line("content of layers:");
        contents(page, decisions, *command == Verb::Restore);
    }
    let unexplained = explanation.is_none();
    if unexplained
        && planned
            .as_ref()
            .is_some_and(|plan| restored(plan, lost) == 0)
    {
        page.gap();
        page.line("`layerwise buildpacks explain` with the same arguments says why");
    }
}

/// The files, the decisions and the notes of a plan.
pub fn plan(page: &mut Page, plan: &RestorePlan) {
    put(page, plan, false, None, &[]);
}

/// The same, without the note that says again what was said before, and with what was
/// removed again because its content could not be had.
fn put(
    page: &mut Page,
    plan: &RestorePlan,
    done: bool,
    known: Option<&str>,
    lost: &[DataDecision],
) {
    for file in files(plan, lost) {
        page.rows(
            2,
            &[[if done { "wrote" } else { "would write" }, &file.path]],
        );
        if !done {
            page.indented(6, |page| file.text.lines().for_each(|line| page.line(line)));
        }
    }
    if !plan.decisions.is_empty() {
        page.gap();
        let rows: Vec<[String; 4]> = plan
            .decisions
            .iter()
            .map(|decision| {
                let word = match decision.restored {
                    true if loses(lost, decision) => "removed",
                    true => "restored",
                    false => "-",
                };
                [
                    word.to_owned(),
                    decision.origin.as_str().to_owned(),
                    format!("{}:{}", decision.buildpack, decision.layer),
                    decision.finding.code.to_string(),
                ]
            })
            .collect();
        table(page, &rows);
    }
    let notes = plan.notes.iter().filter(|note| Some(&*note.code) != known);
    let notes: Vec<&Finding> = notes.collect();
    if !notes.is_empty() {
        page.gap();
        why::findings(page, notes);
    }
}

/// What became of each of several layers.
pub fn answers(page: &mut Page, answers: &[LayerAnswer]) {
    for answer in answers {
        let word = match answer.outcome {
            Outcome::Done => "done",
            Outcome::Miss => "miss",
            Outcome::Failed => "failed",
        };
        page.rows(2, &[[word, &answer.diff_id, &answer.finding.code]]);
        facts(page, &answer.finding);
        if answer.outcome != Outcome::Done {
            why::advise(page, &answer.finding, 6);
        }
    }
}

/// What a commit does.
pub fn commit(page: &mut Page, commit: &Commit, done: bool) {
    let word = if done { "did" } else { "would" };
    for effect in &commit.effects {
        let text = match effect {
            Effect::WriteLayer(written) => {
                format!("write the empty layer {}", written.descriptor.digest)
            }
            Effect::WriteConfig(written) => {
                format!("write the config {}", written.descriptor.digest)
            }
            Effect::WriteManifest(written) => {
                format!("write the manifest {}", written.descriptor.digest)
            }
            Effect::SetTag(digest) => format!("set the tag to {digest}"),
            Effect::Delete(digest) => format!("delete the manifest {digest}"),
        };
        page.rows(2, &[[word, &text]]);
    }
    why::findings(page, &commit.notes);
}

fn contents(page: &mut Page, decisions: &[DataDecision], done: bool) {
    for decision in decisions {
        let word = match (decision.action, done) {
            (Action::Retrieve, true) => "retrieved",
            (Action::Retrieve, false) => "would retrieve",
            (Action::Remove, true) => "removed",
            (Action::Remove, false) => "would remove",
            (Action::Keep, _) => "kept",
        };
        let finding = &decision.finding;
        page.rows(2, &[[word, &finding.subject, &finding.code]]);
        facts(page, finding);
    }
}

fn facts(page: &mut Page, finding: &Finding) {
    page.indented(4, |page| why::evidence(page, finding, 2));
}

fn summary(plan: &RestorePlan, lost: &[DataDecision]) -> String {
    let count = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    };
    format!(
        "metadata of {} restored, {}",
        count(restored(plan, lost), "layer"),
        count(files(plan, lost).count(), "file")
    )
}

/// How many layers have their metadata, those left out that lost it with their content.
fn restored(plan: &RestorePlan, lost: &[DataDecision]) -> usize {
    let decisions = plan.decisions.iter();
    decisions
        .filter(|one| one.restored && !loses(lost, one))
        .count()
}

/// The files that were written and are still there.
fn files<'a>(
    plan: &'a RestorePlan,
    lost: &'a [DataDecision],
) -> impl Iterator<Item = &'a PlannedFile> {
    plan.files.iter().filter(|file| {
        let mut removed = lost.iter().filter(|one| one.action == Action::Remove);
        !removed.any(|one| one.paths.contains(&file.path))
    })
}

fn table(page: &mut Page, rows: &[[String; 4]]) {
    page.rows(2, rows);
}
