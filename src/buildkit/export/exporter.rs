//! An export session: records in, a cache out.

use super::record::{Alternative, BulkRecord, Intake, Outcome, Record};
use crate::buildkit::options::{Era, LIMITS, Options, era};
use crate::buildkit::reason::{Reason, invalid};
use crate::buildkit::records::engine::Engine;
use crate::buildkit::records::entry::Link;
use crate::buildkit::records::graph::Graph;
use crate::buildkit::records::index_vec::NONE;
use crate::buildkit::records::interner::Text;
use crate::buildkit::records::rules_2020::Rules2020;
use crate::buildkit::records::source;
use crate::error::{Error, Problem};
use crate::host::{Observer, Registry};
use crate::limits::Limit;
use crate::prelude::*;

/// What became of one record of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The record's handle; `None` if it is never kept or was refused. The handle
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
    pub(crate) source: Text,
    /// How many caches were merged.
    pub(crate) merged: u32,
}

impl<R: Registry, O: Observer> Exporter<R, O> {
    /// Opens a session without records.
    ///
    /// # Errors
    /// `unsupported` for a version that is not listed, `invalid` for a limit that
    /// is not.
    pub fn open(registry: R, observer: O, options: Options) -> Result<Self, Error> {
        let limits = LIMITS.with(&options.limits)?;
        let mut engine = match era(&options.semantics, "open")? {
            Era::Rules2020 => Engine::Rules2020(Rules2020::new(limits)),
            Era::Newest => {
                let compatible = !options.semantics.is_guarded();
                Engine::Graph(Graph::new(limits, options.policy, compatible))
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

    /// Adds a record and returns its handle; `None` for a `random:` digest by
    /// the newest rules. A record that merges into an earlier one gets its
    /// handle (BuildKit spec, sections 2 and 3.1).
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
        LIMITS
            .with(&self.options.limits)?
            .check(Limit::DocumentBytes, size, "add", "records")?;
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
    /// `unsupported` by the newest rules, `not-found` for an unknown handle,
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
    /// `unsupported` by the newest rules, `not-found` for an unknown handle,
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

fn nobody(operation: &str, handle: u32) -> Error {
    Error::NotFound(Problem::new(
        Reason::NoSuchRecord,
        operation,
        handle.to_string(),
        "no record of this session has this handle",
    ))
}
