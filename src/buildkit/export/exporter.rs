//! An export session: records in, a cache out.

use super::record::{Alternative, BulkRecord, Intake, Outcome, Record};
use crate::buildkit::options::{Era, Options, caps, era};
use crate::buildkit::read::cache::{Cache, Engine};
use crate::buildkit::reason::{Reason, invalid};
use crate::buildkit::records::add::{Given, Origin};
use crate::buildkit::records::graph::{CacheResult, Graph, Link};
use crate::buildkit::records::index_vec::{IndexVec, NONE, number, place};
use crate::buildkit::records::interner::{EMPTY, Interner, Text};
use crate::buildkit::records::rules_2020::Rules2020;
use crate::buildkit::records::source;
use crate::buildkit::records::web::{Web, some};
use crate::error::{Error, Problem};
use crate::host::{Observer, Registry, Source};
use crate::limits::Limit;
use crate::prelude::*;

/// What became of one record of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The record's handle; none when it is never kept or was refused. The handle
    /// of an earlier record when the two merged.
    pub record: Option<u32>,
    /// Why it was refused.
    pub error: Option<Error>,
}

/// Collects records and exports them as a cache.
#[derive(Clone, Debug)]
pub struct Exporter<R, O> {
    pub(crate) registry: R,
    pub(crate) observer: O,
    pub(crate) options: Options,
    pub(crate) engine: Engine,
    source: Text,
    /// How many caches were merged.
    merged: u32,
}

impl<R: Registry, O: Observer> Exporter<R, O> {
    /// Opens a session without records.
    ///
    /// # Errors
    /// `unsupported` for a version that is not listed, `invalid` for a limit that
    /// is not.
    pub fn open(registry: R, observer: O, options: Options) -> Result<Self, Error> {
        let caps = caps(&options.limits)?;
        let mut engine = match era(&options.semantics, "open")? {
            Era::Rules2020 => Engine::Rules2020(Rules2020::new(caps)),
            Era::Newest => {
                let compatible = !options.semantics.is_guarded();
                Engine::Graph(Graph::new(caps, options.policy, compatible))
            }
        };
        let source = source::encode(options.source.as_ref());
        let source = engine.texts_mut().intern(&source);
        Ok(Self {
            registry,
            observer,
            options,
            engine,
            source,
            merged: 0,
        })
    }

    /// Adds a record and answers its handle; none for a `random:` digest by the
    /// newest rules. A record that merges into an earlier one gets its handle
    /// (BuildKit spec, sections 2 and 3.1).
    ///
    /// # Errors
    /// `invalid` for an input without links, a link that starts nowhere or in
    /// another session, a time that does not parse; `limit-exceeded`. Nothing is
    /// changed then.
    pub fn add(&mut self, record: &Record) -> Result<Option<u32>, Error> {
        let mut intake = intake(&mut self.engine, self.source);
        let digest = intake.texts.intern(&record.digest);
        let inputs = intake.inputs(&record.inputs);
        let results: Vec<_> = record
            .results
            .iter()
            .map(|given| intake.outcome(&record.digest, given))
            .collect::<Result<_, _>>()?;
        self.engine.add(digest, &inputs, &results)
    }

    /// Adds many records: a JSON list of objects with `digest`, `inputs` (a list
    /// of lists of `{record | item | foreign, selector}`, where `item` is the
    /// index of an earlier record of the same list) and `results` (a list of
    /// `{created, layers, source}`; `layers` are OCI descriptors, `source` is one
    /// of `{repository}`, `{provider}`, `{file}`). A refused record does not stop
    /// the ones after it.
    ///
    /// # Errors
    /// `invalid` when the text is not such a list, `limit-exceeded`.
    pub fn add_all(&mut self, records: &str) -> Result<Vec<Added>, Error> {
        let size = records.len() as u64;
        caps(&self.options.limits)?.check(Limit::DocumentBytes, size, "add", "records")?;
        let records: Vec<BulkRecord> = serde_json::from_str(records)
            .map_err(|error| invalid(Reason::BadJson, "add", "records", error.to_string()))?;
        let mut handles = Vec::with_capacity(records.len());
        let mut added = Vec::with_capacity(records.len());
        for record in records {
            let (handle, error) = match self.add_bulk(record, &handles) {
                Ok(handle) => (handle, None),
                Err(error @ Error::LimitExceeded(_)) => return Err(error),
                Err(error) => (None, Some(error)),
            };
            handles.push(handle);
            added.push(Added {
                record: handle,
                error,
            });
        }
        Ok(added)
    }

    fn add_bulk(
        &mut self,
        record: BulkRecord,
        handles: &[Option<u32>],
    ) -> Result<Option<u32>, Error> {
        let mut intake = intake(&mut self.engine, self.source);
        let digest = intake.texts.intern(&record.digest);
        let inputs = intake.bulk_inputs(&record.inputs, handles);
        let results: Vec<_> = record
            .results
            .into_iter()
            .map(|given| intake.bulk_outcome(&record.digest, given))
            .collect::<Result<_, _>>()?;
        self.engine.add(digest, &inputs, &results)
    }

    /// Adds a link to a record that is there (rules of 2020 only, BuildKit spec,
    /// section 3.1).
    ///
    /// # Errors
    /// `unsupported` by the newest rules, `not-found` for a handle of nobody,
    /// `limit-exceeded`.
    pub fn link(
        &mut self,
        record: u32,
        input: u32,
        alternative: &Alternative,
    ) -> Result<(), Error> {
        let rules = self.engine.rules_2020("link")?;
        let source = alternative.record.unwrap_or(NONE);
        for handle in [record, source] {
            if rules.digest(handle).is_none() {
                return Err(nobody("link", handle));
            }
        }
        let selector = rules.texts.intern(&alternative.selector);
        rules.link(
            record,
            Link {
                input,
                source,
                selector,
            },
        )
    }

    /// Sets the result of a record (rules of 2020 only, BuildKit spec, section
    /// 3.1).
    ///
    /// # Errors
    /// `unsupported` by the newest rules, `not-found` for a handle of nobody,
    /// `invalid` for a time that does not parse, `limit-exceeded`.
    pub fn put_result(&mut self, record: u32, outcome: &Outcome) -> Result<(), Error> {
        let source = self.source;
        let rules = self.engine.rules_2020("result")?;
        let Some(digest) = rules.digest(record) else {
            return Err(nobody("result", record));
        };
        let digest = digest.to_owned();
        let mut intake = Intake {
            texts: &mut rules.texts,
            blobs: &mut rules.blobs,
            source,
        };
        let result = intake.outcome(&digest, outcome)?;
        rules.result(record, result)
    }

    /// Adds every record of a cache that was read, with its results. Chains keep
    /// what they share, so the cost is that of the cache.
    ///
    /// Guarded: what the caller added outranks it, and so do the caches merged
    /// before. Otherwise whoever can write into one of several caches could replace
    /// the results of all others by naming a later time.
    ///
    /// # Errors
    /// `unsupported` when one of the two follows the rules of 2020, `invalid` and
    /// `limit-exceeded` as for [`Exporter::add`].
    pub fn merge(&mut self, cache: &Cache, source: Option<&Source>) -> Result<(), Error> {
        let from = cache.graph("merge")?;
        let Engine::Graph(graph) = &mut self.engine else {
            return Err(unsupported("merge"));
        };
        let source = match source {
            None => self.source,
            given => graph.texts.intern(&source::encode(given)),
        };
        self.merged = self.merged.saturating_add(1);
        let rank = if graph.compatible { 0 } else { self.merged };
        copy(from, graph, source, rank)
    }
}

/// Adds every record of one graph to another. Layers without a source get the
/// one given, results the rank.
///
/// # Errors
/// As [`Graph::add`].
pub(crate) fn copy(from: &Graph, into: &mut Graph, source: Text, rank: u32) -> Result<(), Error> {
    let mut copier = Copier {
        texts: IndexVec::filled(from.texts.len(), NONE),
        nodes: IndexVec::filled(from.blobs.nodes(), NONE),
    };
    copier.nodes(from, into, source);
    let web = Web::from(from);
    let mut handles = IndexVec::filled(web.len(), None);
    for record in web.sources_first() {
        let entry = from.entry(record);
        if entry.alias != record {
            continue;
        }
        let digest = copier.text(&from.texts, &mut into.texts, entry.digest);
        let inputs = copier.inputs(from, into, &web, record, &handles);
        let results: Vec<_> = entry
            .results
            .iter()
            .map(|result| CacheResult {
                node: some(result.node).map_or(NONE, |node| copier.nodes.at(node)),
                time: result.time,
                rank,
            })
            .collect();
        handles.set(record, into.add(digest, &inputs, &results)?);
    }
    Ok(())
}

/// What the texts and chains of one session are called in another.
struct Copier {
    texts: IndexVec<u32>,
    nodes: IndexVec<u32>,
}

impl Copier {
    fn text(&mut self, from: &Interner, into: &mut Interner, text: Text) -> Text {
        let known = self.texts.at(text);
        if known != NONE {
            return known;
        }
        let new = into.intern(from.get(text));
        self.texts.set(text, new);
        new
    }

    /// Copies all chains; what is below a node has a smaller number.
    fn nodes(&mut self, from: &Graph, into: &mut Graph, source: Text) {
        for at in 0..number(from.blobs.nodes()) {
            let node = from.blobs.node(at);
            let blob = from.blobs.blob(node.blob);
            let digest = self.text(&from.texts, &mut into.texts, blob.digest);
            let media = self.text(&from.texts, &mut into.texts, blob.media);
            let tail = from.texts.get(blob.tail);
            let blob = (into.blobs).add(&mut into.texts, digest, media, blob.size, tail);
            let parent = some(node.parent).map_or(NONE, |parent| self.nodes.at(parent));
            let source = if node.source == EMPTY {
                source
            } else {
                self.text(&from.texts, &mut into.texts, node.source)
            };
            self.nodes.set(at, into.blobs.grow(parent, blob, source));
        }
    }

    fn inputs(
        &mut self,
        from: &Graph,
        into: &mut Graph,
        web: &Web,
        record: u32,
        handles: &IndexVec<Option<u32>>,
    ) -> Vec<Vec<Given>> {
        let mut inputs = vec![Vec::new(); place(web.arity.at(record))];
        for link in web.links(record) {
            if let Some(links) = inputs.get_mut(place(link.input)) {
                links.push(Given {
                    source: handles
                        .at(link.source)
                        .map_or(Origin::Nothing, Origin::Record),
                    selector: self.text(&from.texts, &mut into.texts, link.selector),
                });
            }
        }
        inputs
    }
}

fn intake(engine: &mut Engine, source: Text) -> Intake<'_> {
    let (texts, blobs) = match engine {
        Engine::Graph(graph) => (&mut graph.texts, &mut graph.blobs),
        Engine::Rules2020(rules) => (&mut rules.texts, &mut rules.blobs),
    };
    Intake {
        texts,
        blobs,
        source,
    }
}

/// The error for a call that only other rules have.
pub(crate) fn unsupported(operation: &str) -> Error {
    Error::Unsupported(Problem::new(
        Reason::OtherRules,
        operation,
        "session",
        "the rules of this session do not have it",
    ))
}

fn nobody(operation: &str, handle: u32) -> Error {
    Error::NotFound(Problem::new(
        Reason::NoSuchRecord,
        operation,
        handle.to_string(),
        "no record of this session has this handle",
    ))
}
