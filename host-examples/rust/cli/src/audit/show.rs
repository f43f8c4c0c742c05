//! The numbers of an audit as text.

use super::output::{Shown, Totals};
use crate::page::Page;
use crate::text;

/// How many of the bad ones are shown unless all are asked for.
pub const SHOWN: usize = 20;

/// Puts all numbers on a page, the bad ones first.
pub fn put(page: &mut Page, totals: &Totals, bad: &[Shown], applied: bool) {
    for Shown {
        state,
        kind,
        what,
        why,
    } in bad
    {
        page.rows(0, &[[*state, *kind, &**what]]);
        if !why.is_empty() {
            page.rows(4, &[[&**why]]);
        }
    }
    if bad.len() == SHOWN {
        page.line("there may be more; --verbose lists them, and --json everything");
    }
    page.gap();
    let mut rows = Vec::new();
    for (kind, states) in &totals.manifests {
        let states = states.iter();
        let states: Vec<String> = states
            .map(|(state, count)| format!("{} {count}", state.as_str()))
            .collect();
        rows.push([kind.as_str().to_owned(), states.join(", ")]);
    }
    let records = totals.records;
    rows.push([
        "records".to_owned(),
        format!(
            "hit {}, broken {}, key {}, dead {}",
            records.hit, records.broken, records.key, records.dead
        ),
    ]);
    let size = text::bytes;
    let bytes = &totals.bytes;
    rows.push([
        "bytes".to_owned(),
        format!(
            "{}; {} shared, which saves {}",
            size(bytes.stored),
            size(bytes.shared),
            size(bytes.saved)
        ),
    ]);
    if totals.duplicates > 0 {
        let line = format!("{} caches hold the same as another", totals.duplicates);
        rows.push(["duplicates".to_owned(), line]);
    }
    let delete = match applied {
        true => &totals.deleted,
        false => &totals.delete,
    };
    let causes = bytes.causes.iter();
    let causes: Vec<String> = causes
        .map(|(cause, bytes)| format!("{} {}", cause.as_str(), size(*bytes)))
        .collect();
    rows.push([
        if applied { "deleted" } else { "may go" }.to_owned(),
        format!(
            "{} manifests, {} blobs, {}",
            delete.manifests,
            delete.blobs,
            size(delete.bytes)
        ),
    ]);
    if !causes.is_empty() {
        rows.push(["because".to_owned(), causes.join(", ")]);
    }
    page.rows(0, &rows);
    if !applied && totals.delete.manifests.saturating_add(totals.delete.blobs) > 0 {
        page.gap();
        page.line("--apply deletes what may go; --json lists it");
    }
}
