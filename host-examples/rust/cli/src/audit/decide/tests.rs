//! The decision against a plain model: a store of manifests and blobs, in which
//! somebody asks for everything by name and by digest.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// A generator of numbers; the same ones each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// A store with its manifests; those that refer to others come after them.
struct Store {
    manifests: Vec<Manifest>,
    blobs: BTreeSet<Id>,
}

fn store(random: &mut Random) -> Store {
    let count = random.below(9);
    let mut manifests: Vec<Manifest> = Vec::new();
    let mut blobs: BTreeSet<Id> = (0..random.below(12)).map(|id| id as Id).collect();
    for at in 0..count {
        let mut needs: BTreeSet<Id> = (0..random.below(4))
            .map(|_| random.below(8) as Id)
            .collect();
        if random.below(4) == 0 && !manifests.is_empty() {
            let other = &manifests[random.below(manifests.len() as u64) as usize];
            needs.insert(other.digest);
            needs.extend(other.needs.iter().copied());
        }
        let digest = 100 + at as Id;
        manifests.push(Manifest {
            digest,
            named: random.below(2) == 0,
            worth: match random.below(5) {
                0 => Worth::Other,
                1 => Worth::Nothing(Cause::Refused),
                2 => Worth::Nothing(Cause::NoHit),
                _ => Worth::Hits,
            },
            needs: needs.into_iter().collect(),
            whole: random.below(20) > 0,
        });
        blobs.insert(digest);
    }
    Store { manifests, blobs }
}

impl Store {
    /// What can be hit: contents by the names that somebody may ask for, and every
    /// content that is there under any digest.
    fn hits(&self) -> (BTreeSet<Id>, BTreeSet<Vec<Id>>) {
        let hit = |manifest: &&Manifest| manifest.worth == Worth::Hits && self.is_there(manifest);
        let all: Vec<&Manifest> = self.manifests.iter().filter(hit).collect();
        let named = all.iter().filter(|manifest| manifest.named);
        (
            named.map(|manifest| manifest.digest).collect(),
            all.iter().map(|manifest| manifest.needs.to_vec()).collect(),
        )
    }

    fn is_there(&self, manifest: &Manifest) -> bool {
        let mut all = manifest.needs.iter().chain([&manifest.digest]);
        all.all(|id| self.blobs.contains(id))
    }

    /// The store after a plan.
    fn after(&self, decisions: &[Decision], lost: &[(Id, Cause)]) -> Self {
        let kept = self.manifests.iter().zip(decisions);
        let kept = kept.filter(|(_, decision)| matches!(decision, Decision::Keep(_)));
        let lost: BTreeSet<Id> = lost.iter().map(|(id, _)| *id).collect();
        Self {
            manifests: kept.map(|(manifest, _)| manifest.clone()).collect(),
            blobs: self.blobs.difference(&lost).copied().collect(),
        }
    }
}

#[test]
fn no_hit_is_lost_and_nothing_that_is_kept_lacks_anything() {
    let mut random = Random(20);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..30_000 {
        let before = store(&mut random);
        let decisions = manifests(&before.manifests);
        let lost = blobs(&before.manifests, &decisions, before.blobs.iter().copied());
        let after = before.after(&decisions, lost.as_deref().unwrap_or_default());
        assert_eq!(before.hits(), after.hits());
        for manifest in &after.manifests {
            assert_eq!(before.is_there(manifest), after.is_there(manifest));
            for other in manifest.needs.iter().filter(|id| before.blobs.contains(id)) {
                assert!(after.blobs.contains(other), "a blob that is needed is gone");
            }
        }
        // What nobody can name or tell about is kept.
        for (manifest, decision) in before.manifests.iter().zip(&decisions) {
            let other = manifest.worth == Worth::Other;
            assert!(!other || matches!(decision, Decision::Keep(Kept::Other)));
        }
        // Nothing more can go: a second look finds nothing.
        let again = manifests(&after.manifests);
        assert!(
            again
                .iter()
                .all(|decision| matches!(decision, Decision::Keep(_)))
        );
        let rest = blobs(&after.manifests, &again, after.blobs.iter().copied());
        match (&lost, rest) {
            (Some(_), Some(rest)) => assert!(rest.is_empty(), "{rest:?}"),
            (None, rest) => assert_eq!(rest, None),
            (Some(_), None) => panic!("what is kept was whole before"),
        }
        *seen.entry("plans").or_default() += usize::from(!decisions.is_empty());
        for decision in decisions {
            let name = match decision {
                Decision::Keep(Kept::Hits) => "hits",
                Decision::Keep(Kept::Other) => "other",
                Decision::Keep(Kept::Needed) => "needed",
                Decision::Delete(Cause::Refused) => "refused",
                Decision::Delete(Cause::NoHit) => "no hit",
                Decision::Delete(Cause::Duplicate) => "duplicate",
                Decision::Delete(Cause::Orphan) => panic!("a manifest is no orphan"),
            };
            *seen.entry(name).or_default() += 1;
        }
    }
    assert_eq!(seen.len(), 7, "{seen:?}");
    assert!(seen.values().all(|count| *count > 200), "{seen:?}");
}

fn manifest(digest: Id, named: bool, worth: Worth, needs: &[Id]) -> Manifest {
    Manifest {
        digest,
        named,
        worth,
        needs: needs.into(),
        whole: true,
    }
}

#[test]
fn each_cause_by_an_example() {
    let all = [
        manifest(10, true, Worth::Hits, &[1, 2]),
        manifest(11, false, Worth::Hits, &[1, 2]),
        manifest(12, true, Worth::Nothing(Cause::NoHit), &[2, 3]),
        manifest(13, true, Worth::Nothing(Cause::Refused), &[4]),
        manifest(14, true, Worth::Other, &[4, 13]),
        manifest(15, true, Worth::Hits, &[1, 2]),
    ];
    let decisions = manifests(&all);
    assert_eq!(
        decisions,
        [
            Decision::Keep(Kept::Hits),
            Decision::Delete(Cause::Duplicate),
            Decision::Delete(Cause::NoHit),
            Decision::Keep(Kept::Needed),
            Decision::Keep(Kept::Other),
            Decision::Keep(Kept::Hits),
        ]
    );
    let there = (1..=5).chain(10..=15);
    assert_eq!(
        blobs(&all, &decisions, there).unwrap(),
        [
            (3, Cause::NoHit),
            (5, Cause::Orphan),
            (11, Cause::Duplicate),
            (12, Cause::NoHit),
        ]
    );
}

#[test]
fn what_cannot_be_read_to_its_end_keeps_every_blob() {
    let mut all = [
        manifest(10, true, Worth::Other, &[1]),
        manifest(11, true, Worth::Nothing(Cause::NoHit), &[2]),
    ];
    all[0].whole = false;
    let decisions = manifests(&all);
    assert_eq!(decisions[1], Decision::Delete(Cause::NoHit));
    assert_eq!(blobs(&all, &decisions, [1, 2, 10, 11]), None);
}
