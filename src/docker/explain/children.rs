//! Findings about the children of the parent.

use super::rank::Rank;
use super::verdicts::Verdicts;
use crate::docker::compare::compare;
use crate::docker::config::{ContainerConfig, list};
use crate::docker::history::joined;
use crate::docker::image::ImageDocument;
use crate::docker::instruction::difference;
use crate::docker::key::Key;
use crate::docker::local::{Local, Looked, Match, not_built_here, obstacles};
use crate::docker::reason::{Finding, Reason};
use crate::docker::request::{Request, Requested};
use crate::docker::store::Store;
use crate::error::Error;
use crate::explain::Difference;
use crate::go_json::{Timestamp, Zone};
use crate::host::{ImageStore, Provenance};
use crate::prelude::*;

impl Verdicts<'_> {
    /// One verdict per child: the first rule of the Docker spec, section 4.1, that
    /// fires. Documents are read again, because explanations are rare and lookups
    /// keep digests only.
    pub(super) fn explain_children<H: ImageStore>(
        &mut self,
        store: &mut Store<H>,
        request: &Request,
        requested: &Requested,
        local: &Local,
    ) -> Result<(), Error> {
        let all = store.children(request.parent.as_deref())?;
        let provenance = store.provenance(&all);
        let unreadable = local.unreadable.iter();
        let unreadable: BTreeMap<&str, _> = unreadable.map(|c| (c.id.as_str(), c)).collect();
        let matches = local.matches.iter();
        let matches: BTreeMap<&str, &Match> = matches.map(|m| (m.id.as_str(), m)).collect();
        self.winner = local.winner.as_ref().map(|winner| winner.id.clone());
        let mut stopped = false;
        let mut provenance = provenance.into_iter();
        // Each document is let go before the next one is read.
        store.documents(&all, |store, id, answer| {
            let built = provenance.next().unwrap_or_default();
            // From scratch, only what was built here is a child at all.
            let child = request.parent.is_some() || not_built_here(built, &store.rules).is_none();
            if stopped && child {
                self.add(Finding::new(Reason::NotReached, id).cascade());
                return;
            }
            if let Some(child) = unreadable.get(id) {
                stopped |= child.stops;
                let reason = if child.stops {
                    Reason::Unreadable
                } else {
                    Reason::UnreadableSkipped
                };
                let cause = Difference::fact("cause", &child.failure.message);
                self.add(Finding::new(reason, id).with([cause]));
                return;
            }
            let read = answer.and_then(|text| store.read(id, &text)).ok();
            let against = against(store, request, requested, built, read.as_ref());
            if against.is_empty() {
                let own = matches.get(id).copied();
                self.add(matching(id, own, local.winner.as_ref()));
            } else {
                self.reject_child(id, requested, &against, read.as_ref());
            }
        });
        Ok(())
    }

    fn reject_child(
        &mut self,
        id: &str,
        requested: &Requested,
        against: &[(Reason, Vec<Difference>)],
        read: Option<&ImageDocument>,
    ) {
        let Some((reason, own)) = against.first() else {
            return;
        };
        let mut finding = Finding::new(*reason, id).with(own.iter().cloned());
        let nothing = ContainerConfig::default();
        let config = read.map_or(&nothing, |image| &image.container_config);
        let version = read
            .filter(|_| config.cmd.is_some())
            .and_then(ImageDocument::engine_without_marks);
        match (reason, version) {
            (Reason::LocalCheckFailed, Some(version)) => {
                self.unmarked.get_or_insert_with(|| version.to_owned());
            }
            (Reason::NotBuiltLocally, Some(version)) => {
                finding = finding.hint(format!(
                    "built by an engine before 23.0.10, 24.0.9 or 25.0.2 ({version}), \
                     which wrote no built-here marks: built once more here, it is used"
                ));
            }
            (Reason::ConfigMismatch, _) => {
                if let Some(hint) = difference(&joined(list(&config.cmd)), &requested.command) {
                    finding = finding.hint(hint);
                }
            }
            _ => {}
        }
        let others = against.iter().filter(|(r, _)| *r != Reason::ConfigMismatch);
        let every = against.iter().flat_map(|(_, d)| d.iter().cloned());
        let every: Vec<Difference> = every.collect();
        let created = read.and_then(|image| Some(image.created?.instant()));
        let rank = Rank::of_child(config, &requested.config, &every, others.count(), created);
        self.reject(finding, rank, every);
    }
}

/// The finding about a child that matches, beside the one that is kept; that is `None`
/// if a later child stops the lookup.
fn matching(id: &str, own: Option<&Match>, winner: Option<&Match>) -> Finding {
    let Some(winner) = winner else {
        return Finding::new(Reason::NotNewest, id);
    };
    let newest = show_instant(winner.created);
    if winner.id == id {
        let created = Difference::new("created", newest, None);
        return Finding::new(Reason::Selected, id).with([created]);
    }
    let own = own.map(|own| own.created);
    Finding::new(Reason::NotNewest, id).with([
        Difference::new("created", own.and_then(show_instant), newest),
        Difference::fact("winner", &winner.id),
        Difference::fact("tie", own == Some(winner.created)),
    ])
}

/// Everything that keeps a child from being the result, in the order of the rules,
/// with its evidence.
fn against<H: ImageStore>(
    store: &Store<H>,
    request: &Request,
    requested: &Requested,
    built: Provenance,
    document: Option<&ImageDocument>,
) -> Vec<(Reason, Vec<Difference>)> {
    let rules = &store.rules;
    let mut against = Vec::new();
    if let Some(reason) = not_built_here(built, rules) {
        let have = match built {
            Provenance::Elsewhere => "elsewhere",
            _ => "unknown",
        };
        let evidence = Difference::new("built", have.to_owned(), "here".to_owned());
        against.push((reason, vec![evidence]));
    }
    let Some(image) = document else {
        return against;
    };
    let platform = image.platform();
    let looked = Looked {
        has_platform: image.has_platform(),
        fits: request.matcher.mismatch(&platform).is_none(),
        key: &Key::of(&image.container_config, rules.compared),
        created: image.created.map(|time| time.instant()),
    };
    for reason in obstacles(&looked, requested, request.mode, rules) {
        let evidence = match reason {
            Reason::NoPlatform => {
                let variant = Some(&image.variant).filter(|variant| !variant.is_empty());
                let variant = variant.map(|variant| Difference::fact("variant", variant));
                variant.into_iter().collect()
            }
            Reason::PlatformMismatch => request.matcher.evidence(&platform),
            Reason::ConfigMismatch => {
                let (have, want) = (&image.container_config, &requested.config);
                let labels = request.mode.labels();
                compare(Some(have), Some(want), rules.compared, labels).differences
            }
            _ => Vec::new(),
        };
        against.push((reason, evidence));
    }
    against
}

fn show_instant((seconds, nanoseconds): (i64, u32)) -> Option<String> {
    Timestamp {
        seconds,
        nanoseconds,
        zone: Zone::Zulu,
    }
    .to_text()
}
