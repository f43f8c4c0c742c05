//! Auditing one registry or directory, whose repositories share their blobs.

use std::collections::{BTreeMap, BTreeSet};

use layerwise::host::{Failure, Observer as _, Registry as _};
use layerwise::oci::Digest;
use layerwise_files::parallel;

use super::decide::{self, Cause, Decision, Kept, Manifest, Worth};
use super::facts::Facts;
use super::ids::{Id, Ids};
use super::journal::Journal;
use super::look::{Looking, Named};
use super::output::{Line, Output, count};
use super::places::{self, Store, Wanted};
use crate::failed::Failed;
use crate::lend::{Bars, failed};

/// So many manifests are looked at before what was found out is written down.
const AT_A_TIME: usize = 128;

/// What an audit needs.
pub struct Auditor<'a> {
    pub looking: Looking,
    pub jobs: usize,
    pub journal: Option<Journal>,
    pub output: Output<'a>,
    pub bars: Bars,
    pub apply: bool,
}

/// What is known of a store so far.
#[derive(Default)]
struct Held {
    ids: Ids,
    /// The blobs of a directory.
    there: Option<Vec<Id>>,
    manifests: Vec<Manifest>,
    decisions: Vec<Decision>,
    /// Of each manifest: its repository and its names.
    named: Vec<(usize, Vec<String>)>,
    repositories: Vec<String>,
}

impl Auditor<'_> {
    /// Audits all of a store.
    pub fn store(&mut self, store: &Store) -> Result<(), Failed> {
        let mut held = Held::default();
        match store {
            Store::Layout(layout) => {
                // Blobs come first: what somebody adds meanwhile is none of them.
                let listed = self.looking.repositories.blobs(layout);
                let listed = listed.and_then(|blobs| {
                    let entries = places::of_layout(&self.looking.repositories, layout)?;
                    Ok((blobs, entries))
                });
                let (blobs, entries) = match listed {
                    Ok(listed) => listed,
                    Err(failure) => return self.output.problem(layout, &failure.message),
                };
                let blobs = blobs.into_iter();
                held.there = Some(
                    blobs
                        .map(|(digest, size)| held.ids.of(digest.as_str(), size))
                        .collect(),
                );
                self.repository(&mut held, layout, &entries)?;
                held.decide(true);
            }
            Store::Registry { host, repositories } => {
                let wanted = match self.wanted(host, repositories.as_deref()) {
                    Ok(wanted) => wanted,
                    Err(failure) => return self.output.problem(host, &failure.message),
                };
                for wanted in wanted {
                    self.remote(&mut held, &wanted)?;
                }
            }
        }
        self.plan(&held)
    }

    fn wanted(&self, host: &str, given: Option<&[Wanted]>) -> Result<Vec<Wanted>, Failure> {
        if let Some(given) = given {
            return Ok(given.to_vec());
        }
        let names = self.looking.repositories.repositories(host)?.into_iter();
        let wanted = names.map(|name| Wanted {
            repository: format!("{host}/{name}"),
            references: Vec::new(),
        });
        Ok(wanted.collect())
    }

    /// A repository of a registry.
    fn remote(&mut self, held: &mut Held, wanted: &Wanted) -> Result<(), Failed> {
        let repository = &wanted.repository;
        let whole = wanted.references.is_empty();
        let named: Vec<(String, String)> = if whole {
            match self.looking.repositories.tags(repository) {
                Ok(tags) => tags
                    .into_iter()
                    .map(|tag| (tag.clone(), format!("{repository}:{tag}")))
                    .collect(),
                Err(failure) => return self.output.problem(repository, &failure.message),
            }
        } else {
            let all = wanted.references.iter();
            all.map(|one| {
                let name = one.strip_prefix(&**repository).unwrap_or(one);
                (name.trim_start_matches([':', '@']).to_owned(), one.clone())
            })
            .collect()
        };
        let (manifests, unresolved) = places::resolved(&self.looking.repositories, &named);
        for (reference, failure) in &unresolved {
            self.output.problem(reference, &failure.message)?;
        }
        self.repository(held, repository, &manifests)?;
        // What is not seen may refer to anything.
        held.decide(whole && unresolved.is_empty());
        Ok(())
    }

    /// Looks at the manifests of a repository, some at a time.
    fn repository(
        &mut self,
        held: &mut Held,
        repository: &str,
        all: &[Named],
    ) -> Result<(), Failed> {
        held.repositories.push(repository.to_owned());
        let total = u64::try_from(all.len()).unwrap_or(u64::MAX);
        let mut done = 0_u64;
        for part in all.chunks(AT_A_TIME) {
            let mut known: Vec<Option<Facts>> = Vec::with_capacity(part.len());
            for named in part {
                known.push(match &self.journal {
                    Some(journal) => journal.known(repository, &named.manifest.digest)?,
                    None => None,
                });
            }
            let pairs: Vec<(&Named, Option<Facts>)> = part.iter().zip(known).collect();
            let looking = &self.looking;
            let found = parallel::map(self.jobs, &pairs, |(named, known)| match known {
                // Names change, and what they stand for does not.
                Some(known) => (
                    Facts {
                        names: named.names.clone(),
                        ..known.clone()
                    },
                    false,
                ),
                None => (looking.at(repository, named), true),
            });
            for (facts, new) in found {
                if let (Some(journal), true) = (&mut self.journal, new) {
                    journal.add(&facts)?;
                }
                self.output.manifest(&facts)?;
                held.take(facts);
                done = done.saturating_add(1);
            }
            self.bars.progress("auditing", repository, done, total);
        }
        Ok(())
    }

    /// Says what may go and what that brings, and does it if that is asked for.
    fn plan(&mut self, held: &Held) -> Result<(), Failed> {
        self.duplicates(held)?;
        let layout = held.there.is_some();
        let there: Vec<Id> = match &held.there {
            Some(there) => there.clone(),
            None => held.ids.all().collect(),
        };
        held.weigh(&there, &mut self.output.totals.bytes);
        let lost = decide::blobs(&held.manifests, &held.decisions, there);
        if lost.is_none() {
            let place = held.repositories.first().map_or("", String::as_str);
            let why = "a manifest that is kept cannot be read to its end, so that nobody can tell \
                       which blobs are needed: none may go";
            self.output.problem(place, why)?;
        }
        let lost = lost.unwrap_or_default();
        let ids: BTreeSet<Id> = lost.iter().map(|(id, _)| *id).collect();
        let ids: BTreeSet<Id> = ids
            .into_iter()
            .chain(held.deleted().map(|(_, manifest, _)| manifest.digest))
            .collect();
        let digests = held.ids.digests(&ids);
        let digest = |id: &Id| digests.get(id).copied().unwrap_or_default();
        for (at, manifest, cause) in held.deleted() {
            let (repository, names) = held.place(at);
            count(&mut self.output.totals.delete.manifests, 1);
            self.output.line(&Line::Delete {
                repository,
                digest: digest(&manifest.digest),
                names,
                cause,
            })?;
        }
        for (id, cause) in &lost {
            let size = held.ids.size(*id);
            let totals = &mut self.output.totals;
            count(totals.bytes.causes.entry(*cause).or_default(), size);
            count(&mut totals.delete.bytes, size);
            if layout {
                count(&mut totals.delete.blobs, 1);
                let repository = held.repositories.first().map_or("", String::as_str);
                self.output.line(&Line::DeleteBlob {
                    repository,
                    digest: digest(id),
                    size,
                    cause: *cause,
                })?;
            }
        }
        if !self.apply {
            return Ok(());
        }
        match layout {
            true => self.apply_layout(held, &lost, digest),
            false => self.apply_registry(held, digest),
        }
    }

    fn apply_layout<'a>(
        &mut self,
        held: &'a Held,
        lost: &[(Id, Cause)],
        digest: impl Fn(&Id) -> &'a str,
    ) -> Result<(), Failed> {
        let all: BTreeSet<Id> = held.manifests.iter().map(|one| one.digest).collect();
        let known = held.ids.digests(&all).into_values().map(str::to_owned);
        let known: BTreeSet<String> = known.collect();
        let entries: BTreeSet<String> = held
            .deleted()
            .map(|(_, manifest, _)| digest(&manifest.digest).to_owned())
            .collect();
        let blobs: Vec<Digest> = lost
            .iter()
            .filter_map(|(id, _)| digest(id).parse().ok())
            .collect();
        let layout = held.repositories.first().map_or("", String::as_str);
        let repositories = &self.looking.repositories;
        let removed = repositories
            .prune(layout, &known, &entries, &blobs)
            .map_err(failed)?;
        let deleted = &mut self.output.totals.deleted;
        let bytes = lost.iter().map(|(id, _)| held.ids.size(*id)).sum();
        count(
            &mut deleted.manifests,
            u64::try_from(entries.len()).unwrap_or(u64::MAX),
        );
        count(&mut deleted.blobs, removed);
        count(&mut deleted.bytes, bytes);
        Ok(())
    }

    /// One manifest after the other. A registry takes the blobs away itself.
    fn apply_registry<'a>(
        &mut self,
        held: &'a Held,
        digest: impl Fn(&Id) -> &'a str,
    ) -> Result<(), Failed> {
        for (at, manifest, _) in held.deleted() {
            let (repository, _) = held.place(at);
            let digest = digest(&manifest.digest);
            let deleted = self.looking.repositories.delete(repository, digest);
            deleted.map_err(|failure| {
                let done = self.output.totals.deleted.manifests;
                let message = format!(
                    "{}; {done} manifests were deleted before; the same command goes on",
                    failure.message
                );
                Failed::new("host", message).about(format!("{repository}@{digest}"))
            })?;
            count(&mut self.output.totals.deleted.manifests, 1);
            self.output.line(&Line::Deleted { repository, digest })?;
        }
        Ok(())
    }

    /// Caches that hold the same as an earlier one.
    fn duplicates(&mut self, held: &Held) -> Result<(), Failed> {
        let mut first: BTreeMap<(usize, &[Id]), usize> = BTreeMap::new();
        let mut found: Vec<(usize, usize)> = Vec::new();
        for (at, (manifest, (repository, _))) in held.manifests.iter().zip(&held.named).enumerate()
        {
            if manifest.worth != Worth::Hits || !manifest.whole {
                continue;
            }
            let other = *first.entry((*repository, &*manifest.needs)).or_insert(at);
            if other != at {
                found.push((at, other));
            }
        }
        let id = |at: usize| held.manifests.get(at).map(|manifest| manifest.digest);
        let ids = found.iter().flat_map(|(at, other)| [id(*at), id(*other)]);
        let digests = held.ids.digests(&ids.flatten().collect());
        let digest = |at: usize| {
            let digest = id(at).and_then(|id| digests.get(&id));
            digest.copied().unwrap_or_default()
        };
        for (at, other) in found {
            let (repository, names) = held.place(at);
            count(&mut self.output.totals.duplicates, 1);
            self.output.line(&Line::Duplicate {
                repository,
                digest: digest(at),
                names,
                of: digest(other),
            })?;
        }
        Ok(())
    }
}

impl Held {
    /// Keeps what deciding needs of a manifest.
    fn take(&mut self, facts: Facts) {
        let worth = facts.worth();
        let needs = facts.needs.iter();
        self.manifests.push(Manifest {
            digest: self.ids.of(&facts.digest, facts.size),
            named: !facts.names.is_empty(),
            worth,
            needs: needs
                .map(|need| self.ids.of(&need.digest, need.size))
                .collect(),
            whole: facts.whole,
        });
        let repository = self.repositories.len().saturating_sub(1);
        self.named.push((repository, facts.names));
    }

    /// Decides about the manifests of the last repository, if all of it is known.
    fn decide(&mut self, whole: bool) {
        let rest = self.manifests.get(self.decisions.len()..);
        let rest = rest.unwrap_or_default();
        let decisions = match whole {
            true => decide::manifests(rest),
            false => vec![Decision::Keep(Kept::Other); rest.len()],
        };
        self.decisions.extend(decisions);
    }

    /// The manifests that go.
    fn deleted(&self) -> impl Iterator<Item = (usize, &Manifest, Cause)> {
        let all = self.manifests.iter().zip(&self.decisions).enumerate();
        all.filter_map(|(at, (manifest, decision))| match decision {
            Decision::Delete(cause) => Some((at, manifest, *cause)),
            Decision::Keep(_) => None,
        })
    }

    fn place(&self, at: usize) -> (&str, &[String]) {
        let Some((repository, names)) = self.named.get(at) else {
            return ("", &[]);
        };
        let repository = self.repositories.get(*repository);
        (repository.map_or("", String::as_str), names)
    }

    /// Counts bytes, each blob once.
    fn weigh(&self, there: &[Id], bytes: &mut super::output::Bytes) {
        let mut users: BTreeMap<Id, u64> = BTreeMap::new();
        for manifest in &self.manifests {
            for id in manifest.needs.iter().chain([&manifest.digest]) {
                count(users.entry(*id).or_default(), 1);
            }
        }
        for id in there {
            let size = self.ids.size(*id);
            count(&mut bytes.stored, size);
            let users = users.get(id).copied().unwrap_or_default();
            if users > 1 {
                count(&mut bytes.shared, size);
                count(
                    &mut bytes.saved,
                    size.saturating_mul(users.saturating_sub(1)),
                );
            }
        }
    }
}
