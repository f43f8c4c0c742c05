//! Records out of a config (BuildKit spec, section 7.3).

use super::cache::Cache;
use super::input::ReadOptions;
use super::stack::Stack;
use crate::buildkit::documents::config::{Config, RawLayer, RawRecord};
use crate::buildkit::documents::descriptor::{self, Descriptor};
use crate::buildkit::documents::json::{DEPTH, bad_json};
use crate::buildkit::options::{Era, LIMITS, Policy, SessionLimits, era};
use crate::buildkit::reason::{Reason, invalid};
use crate::buildkit::records::engine::Engine;
use crate::buildkit::records::entry::{CacheResult, Given, Link, Origin};
use crate::buildkit::records::graph::Graph;
use crate::buildkit::records::index_vec::{number, place};
use crate::buildkit::records::interner::Text;
use crate::buildkit::records::rules_2020::Rules2020;
use crate::buildkit::records::source;
use crate::error::{Error, Problem};
use crate::go_json;
use crate::host::Source;
use crate::limits::Limit;
use crate::prelude::*;
use crate::semantics::Semantics;

/// Reads a config as an importer does.
///
/// # Errors
/// `invalid` for what importers refuse, `limit-exceeded`, `unsupported` for a
/// version that is not listed.
pub(crate) fn parse(
    config: &str,
    descriptors: Option<&str>,
    options: &ReadOptions,
) -> Result<Cache, Error> {
    let limits = LIMITS.with(&options.limits)?;
    let size = config.len().max(descriptors.unwrap_or_default().len()) as u64;
    limits.check(Limit::DocumentBytes, size, "parse", "config")?;
    let listed = listed(descriptors, "parse")?;
    Reading {
        limits,
        semantics: &options.semantics,
        source: None,
    }
    .read(config, listed.as_deref())
}

/// The descriptors that go with a config; `None` when its layers describe
/// themselves.
pub(crate) fn listed(
    descriptors: Option<&str>,
    operation: &str,
) -> Result<Option<Vec<Descriptor>>, Error> {
    let read = |text| {
        descriptor::read_list(text).map_err(|error| bad_json(operation, "descriptors", &error))
    };
    descriptors.map(read).transpose()
}

/// The descriptors of layers that describe themselves.
///
/// # Errors
/// `invalid` for a layer that does not.
fn described<const OF_2020: bool>(layers: &[RawLayer<OF_2020>]) -> Result<Vec<Descriptor>, Error> {
    let mut listed = Vec::with_capacity(layers.len());
    for (at, layer) in layers.iter().enumerate() {
        let message = || format!("layer {at} does not describe itself, and no manifest lists it");
        listed.push(
            layer.describe().ok_or_else(|| {
                invalid(Reason::LayerUndescribed, "parse", &layer.blob, message())
            })?,
        );
    }
    Ok(listed)
}

/// How a config is read.
pub(crate) struct Reading<'a> {
    pub limits: SessionLimits,
    pub semantics: &'a Semantics,
    /// Where the layers are.
    pub source: Option<Source>,
}

impl Reading<'_> {
    /// Reads a config. Without a list its layers describe themselves.
    ///
    /// # Errors
    /// As [`parse`].
    pub fn read(&self, config: &str, listed: Option<&[Descriptor]>) -> Result<Cache, Error> {
        match era(self.semantics, "parse")? {
            Era::Newest => {
                let raw = go_json::from_str::<Config<false>>(config, DEPTH)
                    .map_err(|error| bad_json("parse", "config", &error))?;
                match listed {
                    Some(listed) => self.resolve(&raw, listed),
                    None => self.resolve(&raw, &described(&raw.layers)?),
                }
            }
            Era::Rules2020 => {
                let raw = go_json::from_str::<Config<true>>(config, DEPTH)
                    .map_err(|error| bad_json("parse", "config", &error))?;
                match listed {
                    Some(listed) => self.resolve_2020(&raw, listed),
                    None => self.resolve_2020(&raw, &described(&raw.layers)?),
                }
            }
        }
    }

    /// The records of a config by the newest rules.
    ///
    /// # Errors
    /// As [`parse`], but for JSON.
    pub fn resolve(&self, raw: &Config<false>, listed: &[Descriptor]) -> Result<Cache, Error> {
        let compatible = !self.semantics.is_guarded();
        let mut graph = Graph::new(self.limits.clone(), Policy::default(), compatible);
        let source = graph.texts.intern(&source::encode(self.source.as_ref()));
        let stack = Stack::new(
            &raw.layers,
            listed,
            &mut graph.texts,
            &mut graph.blobs,
            source,
        );
        let mut newest = Newest { graph, stack };
        let handles = Resolver::new(&raw.records).run(&mut newest)?;
        Ok(Cache::new(Engine::Graph(newest.graph), handles))
    }

    fn resolve_2020(&self, raw: &Config<true>, listed: &[Descriptor]) -> Result<Cache, Error> {
        let mut rules = Rules2020::new(self.limits.clone());
        let source = rules.texts.intern(&source::encode(self.source.as_ref()));
        let stack = Stack::new(
            &raw.layers,
            listed,
            &mut rules.texts,
            &mut rules.blobs,
            source,
        );
        let mut old = Old { rules, stack };
        let handles = Resolver::new(&raw.records).run(&mut old)?;
        Ok(Cache::new(Engine::Rules2020(old.rules), handles))
    }
}

/// What the two sets of rules do differently.
trait Rules<const OF_2020: bool> {
    /// Comes before the links of a record are followed.
    fn begin(&mut self, record: &RawRecord<OF_2020>) -> Result<Option<u32>, Error>;

    /// Comes after; `links` holds the handles of all links, input after input.
    fn end(
        &mut self,
        at: u32,
        record: &RawRecord<OF_2020>,
        begun: Option<u32>,
        links: &[Option<u32>],
    ) -> Result<Option<u32>, Error>;

    /// Whether an input without links is refused.
    const WANTS_LINKS: bool;
}

/// Follows links from record to record, depth first.
struct Resolver<'a, const OF_2020: bool> {
    records: &'a [RawRecord<OF_2020>],
    states: Vec<State>,
    stack: Vec<Frame>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Open,
    Done(Option<u32>),
}

/// A record whose links are being followed.
struct Frame {
    record: u32,
    input: usize,
    link: usize,
    begun: Option<u32>,
    links: Vec<Option<u32>>,
}

impl<'a, const OF_2020: bool> Resolver<'a, OF_2020> {
    fn new(records: &'a [RawRecord<OF_2020>]) -> Self {
        Self {
            records,
            states: vec![State::Fresh; records.len()],
            stack: Vec::new(),
        }
    }

    /// The handle of each record.
    fn run(mut self, rules: &mut impl Rules<OF_2020>) -> Result<Vec<Option<u32>>, Error> {
        for record in 0..self.records.len() {
            let index = i64::from(number(record));
            if self.state(index)? == State::Fresh {
                self.open(number(record), rules)?;
                self.follow(rules)?;
            }
        }
        let handle = |state| match state {
            State::Done(handle) => handle,
            State::Fresh | State::Open => None,
        };
        Ok(self.states.into_iter().map(handle).collect())
    }

    /// The state of the record a link leads to.
    fn state(&self, link: i64) -> Result<State, Error> {
        let index = usize::try_from(link).ok();
        match index.and_then(|index| self.states.get(index)) {
            None => Err(invalid(
                Reason::InvalidRecord,
                "parse",
                "records",
                format!("invalid record ID: {link}"),
            )),
            // A record that was refused reads as a loop too.
            Some(State::Open | State::Done(None)) => Err(invalid(
                Reason::LoopingRecord,
                "parse",
                "records",
                "invalid looping record",
            )),
            Some(state) => Ok(*state),
        }
    }

    fn open(&mut self, record: u32, rules: &mut impl Rules<OF_2020>) -> Result<(), Error> {
        let Some(raw) = self.records.get(place(record)) else {
            return Ok(());
        };
        let begun = rules.begin(raw)?;
        self.set(record, State::Open);
        self.stack.push(Frame {
            record,
            input: 0,
            link: 0,
            begun,
            links: Vec::new(),
        });
        Ok(())
    }

    fn set(&mut self, record: u32, state: State) {
        if let Some(slot) = self.states.get_mut(place(record)) {
            *slot = state;
        }
    }

    fn follow<R: Rules<OF_2020>>(&mut self, rules: &mut R) -> Result<(), Error> {
        while let Some(mut frame) = self.stack.pop() {
            let Some(raw) = self.records.get(place(frame.record)) else {
                continue;
            };
            let Some(input) = raw.inputs.get(frame.input) else {
                let handle = rules.end(frame.record, raw, frame.begun, &frame.links)?;
                self.set(frame.record, State::Done(handle));
                if let Some(below) = self.stack.last_mut() {
                    below.links.push(handle);
                }
                continue;
            };
            let links = input.as_deref().unwrap_or_default();
            if links.is_empty() && R::WANTS_LINKS {
                return Err(invalid(
                    Reason::EmptyInput,
                    "parse",
                    "records",
                    format!("invalid empty input for record {}", frame.record),
                ));
            }
            let Some(link) = links.get(frame.link) else {
                frame.input += 1;
                frame.link = 0;
                self.stack.push(frame);
                continue;
            };
            frame.link += 1;
            match self.state(link.link)? {
                State::Done(handle) => {
                    frame.links.push(handle);
                    self.stack.push(frame);
                }
                State::Fresh | State::Open => {
                    self.stack.push(frame);
                    let record = u32::try_from(link.link).unwrap_or_default();
                    self.open(record, rules)?;
                }
            }
        }
        Ok(())
    }
}

/// The newest rules.
struct Newest {
    graph: Graph,
    stack: Stack,
}

impl Rules<false> for Newest {
    const WANTS_LINKS: bool = true;

    fn begin(&mut self, _: &RawRecord<false>) -> Result<Option<u32>, Error> {
        Ok(None)
    }

    fn end(
        &mut self,
        at: u32,
        record: &RawRecord<false>,
        _: Option<u32>,
        links: &[Option<u32>],
    ) -> Result<Option<u32>, Error> {
        let mut results = Vec::new();
        for result in &record.layers {
            let fate = self.stack.fate(result.layer, &mut self.graph.blobs);
            if let Some(node) = fate.top()? {
                results.push(CacheResult {
                    time: result.created,
                    node,
                    rank: 0,
                });
            }
        }
        for chain in &record.chains {
            let fate = self.stack.chain(chain, &mut self.graph.blobs);
            if let Some(node) = fate.top()? {
                results.push(CacheResult {
                    time: chain.created,
                    node,
                    rank: 0,
                });
            }
        }
        let mut handles = links.iter();
        let mut inputs = Vec::with_capacity(record.inputs.len());
        for input in &record.inputs {
            let links = input.as_deref().unwrap_or_default();
            let given = links
                .iter()
                .zip(handles.by_ref())
                .map(|(link, handle)| Given {
                    source: handle.map_or(Origin::Nothing, Origin::Record),
                    selector: self.graph.texts.intern(&link.selector),
                });
            inputs.push(given.collect());
        }
        let digest = self.graph.texts.intern(&record.digest);
        match self.graph.add(digest, &inputs, &results) {
            Err(Error::Invalid(problem)) => Err(Error::Invalid(Problem {
                message: format!("failed to add record {at}: {}", problem.message),
                code: Reason::AddFailed.into(),
                operation: "parse".into(),
                ..problem
            })),
            answer => answer,
        }
    }
}

/// The rules of 2020.
struct Old {
    rules: Rules2020,
    stack: Stack,
}

impl Rules<true> for Old {
    const WANTS_LINKS: bool = false;

    fn begin(&mut self, record: &RawRecord<true>) -> Result<Option<u32>, Error> {
        let digest: Text = self.rules.texts.intern(&record.digest);
        self.rules.add(digest).map(Some)
    }

    fn end(
        &mut self,
        _: u32,
        record: &RawRecord<true>,
        begun: Option<u32>,
        links: &[Option<u32>],
    ) -> Result<Option<u32>, Error> {
        let Some(handle) = begun else {
            return Ok(None);
        };
        let mut handles = links.iter();
        for (input, given) in record.inputs.iter().enumerate() {
            let given = given.as_deref().unwrap_or_default();
            for (link, source) in given.iter().zip(handles.by_ref()) {
                let Some(source) = *source else { continue };
                let selector = self.rules.texts.intern(&link.selector);
                let link = Link {
                    input: number(input),
                    source,
                    selector,
                };
                self.rules.link(handle, link)?;
            }
        }
        for result in &record.layers {
            let fate = self.stack.fate(result.layer, &mut self.rules.blobs);
            if let Some(node) = fate.top()? {
                let result = CacheResult {
                    time: result.created,
                    node,
                    rank: 0,
                };
                self.rules.result(handle, result)?;
            }
        }
        Ok(Some(handle))
    }
}
