//! What the user of a step that missed can do, where more than its candidates has to
//! be looked at to know.

use super::verdicts::Verdicts;
use crate::docker::child::Child;
use crate::docker::history::{BY_BUILDKIT, Entry};
use crate::docker::key::Key;
use crate::docker::local::matching;
use crate::docker::reason::{Finding, Reason};
use crate::docker::request::{Mode, Request, Sources};
use crate::docker::source::Source;
use crate::docker::store::Store;
use crate::explain::Difference;
use crate::host::ImageStore;
use crate::limits::Limit;
use crate::prelude::*;

/// How many images are asked for their children at most, to find a hidden answer.
const MOST_LISTED: usize = 200;

/// Adds what was found out about a miss to the verdicts; answers it as hints, each
/// said once. What cannot be read, or is more than the limits allow, gives no advice.
pub fn advise<H: ImageStore>(
    store: &mut Store<H>,
    sources: &Sources,
    request: &Request,
    verdicts: &mut Verdicts<'_>,
) -> Vec<String> {
    let mut hints = Vec::new();
    if let Some(version) = verdicts.unmarked.take() {
        let hint = format!(
            "no image here has a built-here mark, and this one was made by engine {version}, \
             which writes none: --compatible=20.10 is its reading; a newer engine would run \
             each step once more and use its own results from then on"
        );
        verdicts.note(Finding::new(Reason::NoMarks, version).hint(&hint));
        hints.push(hint);
    }
    for (id, hint) in by_buildkit(store, sources, request) {
        verdicts.note(Finding::new(Reason::BuiltByBuildkit, id).hint(&hint));
        hints.push(hint);
    }
    let hidden = hidden_answer(store, request);
    if let Some((sibling, answer)) = hidden {
        let hint = format!(
            "the older image {sibling} leads to an answer for this step, {answer}, but of equal \
             images the newest is used, and it does not: remove the newer one, or name the \
             answer with --cache-from"
        );
        let finding = Finding::new(Reason::HidesLongerChain, sibling);
        verdicts.note(
            finding
                .with([Difference::fact("image", answer)])
                .hint(&hint),
        );
        hints.push(hint);
    }
    for (index, id) in usable_sources(store, sources, request)
        .into_iter()
        .enumerate()
    {
        let hint = format!(
            "{id} does this step, but was not built here: only --cache-from can use it; if you \
             trust whoever made it: --trust {id}"
        );
        let finding = Finding::new(Reason::UsableAsSource, id);
        verdicts.note(finding.hint(&hint));
        if index == 0 {
            hints.push(hint);
        }
    }
    hints
}

/// The sources whose next step BuildKit made, and what that means.
fn by_buildkit<H: ImageStore>(
    store: &mut Store<H>,
    sources: &Sources,
    request: &Request,
) -> Vec<(String, String)> {
    let given = sources.list();
    let base = request.parent.as_ref().map(|id| store.base(id));
    let index = match base {
        None => 0,
        Some(Ok(base)) => base.entries,
        Some(Err(_)) => return Vec::new(),
    };
    let made = |source: &&Rc<Source>| {
        let mut entries = source.history.iter().skip(index);
        entries.next().is_some_and(Entry::is_by_buildkit)
    };
    let told = |source: &Rc<Source>| {
        let hint = format!("{}: {BY_BUILDKIT}", source.reference);
        (source.id.clone(), hint)
    };
    given.iter().filter(made).map(told).collect()
}

/// An older image that is equal to the parent, or to an image that it stands on, and
/// leads to the answer, with that answer: the newest of equal images is used, although
/// its chain may be shorter.
fn hidden_answer<H: ImageStore>(
    store: &mut Store<H>,
    request: &Request,
) -> Option<(String, String)> {
    let mode = request.mode;
    let (parent, requested) = (request.parent.as_ref()?, request.config.as_ref()?);
    let mut left = MOST_LISTED;
    // What the images between the one looked at and the parent are like, lowest first.
    let mut above: Vec<Key> = Vec::new();
    let mut at = parent.clone();
    loop {
        let below = store.parents(&[at.clone()]).pop()?.ok()?;
        let (own, older) = older(store, below.as_deref(), &at, mode, &mut left)?;
        for sibling in older {
            let mut level = vec![sibling.clone()];
            for key in &above {
                let mut next = Vec::new();
                for id in level {
                    next.extend(children_like(store, &id, key, mode, &mut left)?);
                }
                level = next;
            }
            for id in level {
                left = left.checked_sub(1)?;
                let listing = store.candidates(Some(&id), mode.guarded).ok()?;
                let found = matching(store, &listing, request, requested);
                if let Some(answer) = found.first() {
                    return Some((sibling, answer.id.clone()));
                }
            }
        }
        above.insert(0, own);
        at = below?;
    }
}

/// What an image is like, and the images beside it that are like it and not newer.
fn older<H: ImageStore>(
    store: &mut Store<H>,
    below: Option<&str>,
    id: &str,
    mode: Mode,
    left: &mut usize,
) -> Option<(Key, Vec<String>)> {
    *left = left.checked_sub(1)?;
    let listing = store.candidates(below, mode.guarded).ok()?;
    let place = listing.ids.iter().position(|other| other == id)?;
    let facts = |place: usize| {
        let facts = listing.facts.get(place)?.as_ref().ok()?;
        store.child(*facts)
    };
    let own = facts(place)?;
    let same = listing.configs.get(own.key.rest()).into_iter().flatten();
    let older = same.filter(|other| {
        let like = |child: &Child| child.key == own.key && child.created <= own.created;
        **other != place && facts(**other).is_some_and(like)
    });
    let older = older.filter_map(|place| listing.ids.get(*place).cloned());
    Some((own.key.clone(), older.collect()))
}

/// The children of an image that are like this.
fn children_like<H: ImageStore>(
    store: &mut Store<H>,
    id: &str,
    key: &Key,
    mode: Mode,
    left: &mut usize,
) -> Option<Vec<String>> {
    *left = left.checked_sub(1)?;
    let listing = store.candidates(Some(id), mode.guarded).ok()?;
    let same = listing.configs.get(key.rest()).into_iter().flatten();
    let like = same.filter(|place| {
        let facts = listing
            .facts
            .get(**place)
            .and_then(|facts| facts.as_ref().ok());
        let child = facts.and_then(|facts| store.child(*facts));
        child.is_some_and(|child| child.key == *key)
    });
    Some(
        like.filter_map(|place| listing.ids.get(*place).cloned())
            .collect(),
    )
}

/// Images without a recorded parent, thus pulled, loaded or imported, whose history
/// continues the parent with this very step.
fn usable_sources<H: ImageStore>(
    store: &mut Store<H>,
    sources: &Sources,
    request: &Request,
) -> Vec<String> {
    let (Some(parent), Some(requested)) = (&request.parent, &request.config) else {
        return Vec::new();
    };
    let Ok(base) = store.base(parent) else {
        return Vec::new();
    };
    let mut roots = store.children(None).unwrap_or_default();
    let given = |id: &String| sources.list().iter().any(|source| source.id == *id);
    roots.retain(|id| id != parent && !given(id));
    roots.truncate(usize::try_from(store.limits.get(Limit::Sources)).unwrap_or(usize::MAX));
    let mut found = Vec::new();
    store.documents(&roots, |store, id, answer| {
        let Ok(image) = answer.and_then(|text| store.read(id, &text)) else {
            return;
        };
        let source = Source::of(id.to_owned(), id, false, image);
        let does = source
            .history
            .get(base.entries)
            .is_some_and(|entry| entry.created_by == requested.command && !entry.is_by_buildkit());
        if does && source.continues(Some(&base)) {
            found.push(id.to_owned());
        }
    });
    found
}
