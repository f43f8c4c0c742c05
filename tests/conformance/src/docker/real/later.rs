//! What the rules of later engines answer to the same search.

use std::sync::Arc;

use layerwise::docker::{Answer, Step};
use layerwise::host::{Facts, Failure, Image, ImageStore};
use layerwise::semantics::Semantics;

use super::super::{Native, Subject as _};
use super::engine_store::EngineStore;
use super::format::{Op, Probe};
use super::{Timeline, both_tied, via};
use crate::Case;

impl Timeline<'_> {
    /// The rules of later engines (those of 26.0: these files hold spellings that
    /// the newest refuses), with the marks the file implies and with
    /// every image taken as built here.
    pub fn later(&self, probe: &Probe<'_>, op: &Op<'_>, step: &Step, check: &mut Case<'_>) {
        let newer = probe.newer.as_ref().map(|n| (&n.hit, &n.via));
        let all_local = probe.newer_all_local.as_ref().map(|n| (&n.hit, &n.via));
        if probe.error {
            // They were not tried on these.
            check.equal("newer", &None, &newer);
            check.equal("newer_all_local", &None, &all_local);
            return;
        }
        let names = match &probe.sources {
            None => Vec::new(),
            Some(list) if list.is_empty() => op.cache_from.clone(),
            Some(list) => list.clone(),
        };
        for (name, all_local, differs) in [
            ("newer", false, newer),
            ("newer_all_local", true, all_local),
        ] {
            self.store.set_all_local(all_local);
            let answer = self
                .open(Semantics::compatible(Some("26.0")), &names)
                .and_then(|mut session| session.plan(step));
            self.store.set_all_local(false);
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) => {
                    check.fail(name, "an answer", error.to_string());
                    continue;
                }
            };
            let (hit, want) = differs.unwrap_or((&probe.hit, &probe.via));
            check.equal(&format!("{name} via"), &want.as_deref(), &via(&answer));
            let have = if want.as_deref() == Some("restore") {
                // Later engines write other bytes; the file names the id that the
                // engine's own would have.
                self.restored(&answer, step)
            } else {
                answer.image
            };
            if !both_tied(probe, hit.as_ref(), have.as_ref()) {
                check.equal(&format!("{name} hit"), hit, &have);
            }
        }
    }

    /// The id of a restored image as this engine would have made it: from the
    /// same source, with no child that could answer before.
    fn restored(&self, answer: &Answer, step: &Step) -> Option<String> {
        let semantics = Semantics::compatible(Some("20.10"));
        let options = self.options(semantics, answer.source.as_slice());
        let store = Childless(Arc::clone(&self.store));
        let session = Native.open(Arc::new(store), options);
        let answer = session.and_then(|mut session| session.plan(step));
        answer.ok()?.image
    }
}

/// The store as if no image had children.
struct Childless(Arc<EngineStore>);

impl ImageStore for Childless {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        self.0.get(ids, want, limit)
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        self.0.resolve(references, limit)
    }

    fn children(&self, _: Option<&str>) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }

    fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
        self.0.set_parent(target, parent)
    }

    fn create(
        &self,
        parent: Option<&str>,
        document: &str,
        layer: Option<&str>,
    ) -> Result<String, Failure> {
        self.0.create(parent, document, layer)
    }
}
