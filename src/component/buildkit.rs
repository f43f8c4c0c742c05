//! The export `buildkit`.

use core::cell::RefCell;

use super::Engine;
use super::bindings::exports::layerwise::cache::buildkit as wit;
use super::bindings::layerwise::cache::registry as host;
use super::bindings::layerwise::cache::types as shared;
use super::imports::Host;
use super::types::{convert, limits};
use crate::buildkit::{
    self, Added, Alternative, Connection, Effect, Evidence, Input, Offer, Options, Outcome, Plan,
    Policy, Pushed, Query, ReadOptions, Record, Report, Standing, Statistics, Summary, Verdict,
    VerdictLink,
};
use crate::host::Source;
use crate::oci::Descriptor;
use crate::prelude::*;

/// An export session of the export.
pub struct Exporter(RefCell<buildkit::Exporter<Host, Host>>);

/// A cache that was read.
pub struct Cache(pub(super) buildkit::Cache);

impl wit::Guest for Engine {
    type Exporter = Exporter;
    type Cache = Cache;

    fn export_to(options: wit::Options) -> Result<wit::Exporter, shared::Error> {
        let exporter = buildkit::Exporter::open(Host, Host, options.into())?;
        Ok(wit::Exporter::new(Exporter(RefCell::new(exporter))))
    }

    fn read(input: wit::Input, options: wit::ReadOptions) -> Result<wit::Cache, shared::Error> {
        let options = ReadOptions {
            semantics: options.semantics.into(),
            any_size: options.any_size,
            limits: limits(options.limits),
        };
        let cache = buildkit::read(Given::from(input).input(), &options)?;
        Ok(wit::Cache::new(Cache(cache)))
    }

    fn inspect(
        input: wit::Input,
        read_layers: bool,
        given: Vec<shared::Limit>,
    ) -> Result<wit::Report, shared::Error> {
        let limits = limits(given);
        let report = buildkit::inspect(Given::from(input).input(), read_layers, &limits)?;
        Ok(report.into())
    }

    fn attributes(given: Vec<wit::Attribute>) -> Result<wit::Form, shared::Error> {
        let given: Vec<_> = given.into_iter().map(|one| (one.name, one.value)).collect();
        let (oci, image) = buildkit::attributes(&given)?;
        Ok(wit::Form { oci, image })
    }
}

/// Where a cache is, as it was given.
pub enum Given {
    Config(wit::ConfigInput),
    Manifest(String, Descriptor),
}

impl From<wit::Input> for Given {
    fn from(input: wit::Input) -> Self {
        match input {
            wit::Input::Config(config) => Self::Config(config),
            wit::Input::Manifest(manifest) => {
                Self::Manifest(manifest.repository, manifest.descriptor.into())
            }
        }
    }
}

impl Given {
    /// As the system takes it.
    pub fn input(&self) -> Input<'_> {
        match self {
            Self::Config(config) => Input::Config {
                text: &config.text,
                descriptors: config.descriptors.as_deref(),
            },
            Self::Manifest(repository, descriptor) => Input::Manifest {
                registry: &Host,
                observer: &Host,
                repository,
                descriptor,
            },
        }
    }
}

impl wit::GuestExporter for Exporter {
    fn add(&self, entry: wit::Entry) -> Result<Option<u32>, shared::Error> {
        Ok(self.0.borrow_mut().add(&entry.into())?)
    }

    fn add_all(&self, records: String) -> Result<Vec<wit::Added>, shared::Error> {
        Ok(convert(self.0.borrow_mut().add_all(&records)?))
    }

    fn link(
        &self,
        target: u32,
        input: u32,
        alternative: wit::Alternative,
    ) -> Result<(), shared::Error> {
        let mut exporter = self.0.borrow_mut();
        Ok(exporter.link(target, input, &alternative.into())?)
    }

    fn put_result(&self, target: u32, outcome: wit::Outcome) -> Result<(), shared::Error> {
        Ok(self.0.borrow_mut().put_result(target, &outcome.into())?)
    }

    fn merge(
        &self,
        cache: wit::CacheBorrow<'_>,
        source: Option<host::Source>,
    ) -> Result<(), shared::Error> {
        let source = source.map(Source::from);
        let cache: &Cache = cache.get();
        Ok(self.0.borrow_mut().merge(&cache.0, source.as_ref())?)
    }

    fn plan(&self) -> Result<wit::Plan, shared::Error> {
        Ok(self.0.borrow().plan()?.into())
    }

    fn finalize(
        &self,
        repository: String,
        reference: Option<String>,
    ) -> Result<wit::Pushed, shared::Error> {
        let exporter = self.0.borrow();
        Ok(exporter.finalize(&repository, reference.as_deref())?.into())
    }
}

impl wit::GuestCache for Cache {
    fn describe(&self) -> wit::Description {
        let found = self.0.describe();
        wit::Description {
            kind: found.kind,
            config: found.config,
            findings: convert(found.findings),
            statistics: found.statistics.map(Into::into),
        }
    }

    fn contents(&self) -> Result<wit::Contents, shared::Error> {
        let found = self.0.contents()?;
        Ok(wit::Contents {
            records: found.records,
            roots: found.roots,
            links: convert(found.links),
            offers: convert(found.offers),
        })
    }

    fn lookup(&self, query: wit::Query) -> Result<Vec<String>, shared::Error> {
        Ok(self.0.lookup(&query.into())?)
    }

    fn explain(&self, query: wit::Query) -> Result<shared::Explanation, shared::Error> {
        Ok(self.0.explain(&query.into())?.into())
    }

    fn compare(&self, other: wit::CacheBorrow<'_>) -> Result<shared::Explanation, shared::Error> {
        Ok(buildkit::compare(&self.0, &other.get::<Self>().0)?.into())
    }
}

impl From<wit::Options> for Options {
    fn from(options: wit::Options) -> Self {
        let flag = |flag| options.policy.contains(flag);
        Self {
            policy: Policy {
                fall_back: flag(wit::Policy::FALL_BACK),
                strict_results: flag(wit::Policy::STRICT_RESULTS),
                check_first: flag(wit::Policy::CHECK_FIRST),
            },
            semantics: options.semantics.into(),
            oci: options.oci,
            image: options.image,
            source: options.source.map(Into::into),
            limits: limits(options.limits),
        }
    }
}

impl From<host::Source> for Source {
    fn from(source: host::Source) -> Self {
        match source {
            host::Source::File(path) => Self::File(path),
            host::Source::Repository(name) => Self::Repository(name),
            host::Source::Provider(name) => Self::Provider(name),
        }
    }
}

impl From<wit::Alternative> for Alternative {
    fn from(given: wit::Alternative) -> Self {
        Self {
            record: given.record,
            selector: given.selector,
            foreign: given.foreign,
        }
    }
}

impl From<wit::Outcome> for Outcome {
    fn from(given: wit::Outcome) -> Self {
        Self {
            created: given.created,
            layers: convert(given.layers),
            source: given.source.map(Into::into),
        }
    }
}

impl From<wit::Entry> for Record {
    fn from(given: wit::Entry) -> Self {
        Self {
            digest: given.digest,
            inputs: given.inputs.into_iter().map(convert).collect(),
            results: convert(given.results),
        }
    }
}

impl From<wit::Query> for Query {
    fn from(given: wit::Query) -> Self {
        Self {
            record: given.record,
            digest: given.digest,
            output: given.output,
            input: given.input,
            selector: given.selector,
        }
    }
}

impl From<Added> for wit::Added {
    fn from(added: Added) -> Self {
        Self {
            record: added.record,
            error: added.error.map(Into::into),
        }
    }
}

impl From<Effect> for wit::Effect {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Layer(layer) => Self::Layer(layer.into()),
            Effect::Config(config) => Self::Config(config.into()),
            Effect::Manifest(manifest) => Self::Manifest(manifest.into()),
        }
    }
}

impl From<Plan> for wit::Plan {
    fn from(plan: Plan) -> Self {
        Self {
            empty: plan.empty,
            config: plan.config,
            manifest: plan.manifest,
            descriptor: plan.descriptor,
            effects: convert(plan.effects),
            findings: convert(plan.findings),
        }
    }
}

impl From<Pushed> for wit::Pushed {
    fn from(pushed: Pushed) -> Self {
        Self {
            empty: pushed.empty,
            descriptor: pushed.descriptor,
            findings: convert(pushed.findings),
        }
    }
}

impl From<Connection> for wit::Connection {
    fn from(link: Connection) -> Self {
        Self {
            from: link.from,
            to: link.to,
            input: link.input,
            selector: link.selector,
            digest: link.digest,
        }
    }
}

impl From<Offer> for wit::Offer {
    fn from(offer: Offer) -> Self {
        Self {
            record: offer.record,
            result: offer.result,
            created: offer.created,
            blobs: offer.blobs,
        }
    }
}

impl From<Statistics> for wit::Statistics {
    fn from(numbers: Statistics) -> Self {
        Self {
            records: numbers.records,
            roots: numbers.roots,
            leaves: numbers.leaves,
            links: numbers.links,
            results: numbers.results,
            depth: numbers.depth,
            blobs: numbers.blobs,
            bytes: numbers.bytes,
            oldest: numbers.oldest,
            newest: numbers.newest,
        }
    }
}

impl From<Verdict> for wit::Verdict {
    fn from(verdict: Verdict) -> Self {
        Self {
            record: verdict.record,
            name: verdict.name,
            digest: verdict.digest,
            standing: match verdict.standing {
                Standing::Hit => wit::Standing::Hit,
                Standing::Broken => wit::Standing::Broken,
                Standing::Key => wit::Standing::Key,
                Standing::Dead => wit::Standing::Dead,
            },
            input: verdict.input,
            links: convert(verdict.links),
            newest: verdict.newest.map(Into::into),
        }
    }
}

impl From<Summary> for wit::Summary {
    fn from(result: Summary) -> Self {
        Self {
            created: result.created,
            layers: result.layers,
            bytes: result.bytes,
            top: result.top,
        }
    }
}

impl From<VerdictLink> for wit::Link {
    fn from(link: VerdictLink) -> Self {
        Self {
            input: link.input,
            record: link.record,
            selector: link.selector,
        }
    }
}

impl From<Report> for wit::Report {
    fn from(report: Report) -> Self {
        Self {
            kind: report.kind,
            config: report.config,
            inline: report.inline,
            layers: match report.layers {
                Evidence::None => wit::Evidence::None,
                Evidence::Presence => wit::Evidence::Presence,
                Evidence::Bytes => wit::Evidence::Bytes,
            },
            findings: convert(report.findings),
            verdicts: convert(report.verdicts),
            statistics: report.statistics.into(),
        }
    }
}
