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
pub struct Cache(buildkit::Cache);

impl wit::Guest for Engine {
    type Exporter = Exporter;
    type Cache = Cache;

    fn export_to(options: wit::Options) -> Result<wit::Exporter, shared::Error> {
        let exporter = buildkit::Exporter::open(Host, Host, options.into())?;
        Ok(wit::Exporter::new(Exporter(RefCell::new(exporter))))
    }

    fn detect(manifest: String) -> Result<wit::Detected, shared::Error> {
        let (kind, config) = buildkit::detect(&manifest)?;
        Ok(wit::Detected { kind, config })
    }

    fn parse(
        config: String,
        descriptors: String,
        semantics: shared::Semantics,
        given: Vec<shared::Limit>,
    ) -> Result<wit::Cache, shared::Error> {
        let options = reading(semantics, false, given);
        let cache = buildkit::read(self::config(&config, &descriptors), &options)?;
        Ok(wit::Cache::new(Cache(cache)))
    }

    fn open(
        repository: String,
        descriptor: shared::Descriptor,
        semantics: shared::Semantics,
        given: Vec<shared::Limit>,
    ) -> Result<wit::Cache, shared::Error> {
        let options = reading(semantics, false, given);
        let cache = buildkit::read(manifest(&repository, &descriptor.into()), &options)?;
        Ok(wit::Cache::new(Cache(cache)))
    }

    fn open_any_size(
        repository: String,
        descriptor: shared::Descriptor,
        given: Vec<shared::Limit>,
    ) -> Result<wit::Cache, shared::Error> {
        let options = ReadOptions {
            any_size: true,
            limits: limits(given),
            ..ReadOptions::default()
        };
        let cache = buildkit::read(manifest(&repository, &descriptor.into()), &options)?;
        Ok(wit::Cache::new(Cache(cache)))
    }

    fn verify(
        config: String,
        descriptors: String,
        given: Vec<shared::Limit>,
    ) -> Result<wit::Report, shared::Error> {
        let config = self::config(&config, &descriptors);
        Ok(buildkit::inspect(config, false, &limits(given))?.into())
    }

    fn inspect(
        repository: String,
        descriptor: shared::Descriptor,
        read_layers: bool,
        given: Vec<shared::Limit>,
    ) -> Result<wit::Report, shared::Error> {
        let descriptor = descriptor.into();
        let input = manifest(&repository, &descriptor);
        let report = buildkit::inspect(input, read_layers, &limits(given))?;
        Ok(report.into())
    }

    fn attributes(given: Vec<wit::Attribute>) -> Result<wit::Form, shared::Error> {
        let given: Vec<_> = given.into_iter().map(|one| (one.name, one.value)).collect();
        let (oci, image) = buildkit::attributes(&given)?;
        Ok(wit::Form { oci, image })
    }

    fn rules() -> Vec<shared::Rule> {
        convert(buildkit::rules())
    }
}

/// A config; empty text for descriptors when no manifest goes with it.
fn config<'a>(text: &'a str, descriptors: &'a str) -> Input<'a> {
    let descriptors = Some(descriptors).filter(|text| !text.is_empty());
    Input::Config { text, descriptors }
}

/// The cache of a manifest.
fn manifest<'a>(repository: &'a str, descriptor: &'a Descriptor) -> Input<'a> {
    Input::Manifest {
        registry: &Host,
        observer: &Host,
        repository,
        descriptor,
    }
}

fn reading(semantics: shared::Semantics, any_size: bool, given: Vec<shared::Limit>) -> ReadOptions {
    ReadOptions {
        semantics: semantics.into(),
        any_size,
        limits: limits(given),
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
    fn kind(&self) -> String {
        self.0.describe().kind
    }

    fn config(&self) -> String {
        self.0.describe().config
    }

    fn findings(&self) -> Vec<shared::Finding> {
        convert(self.0.describe().findings)
    }

    fn records(&self) -> Result<u32, shared::Error> {
        Ok(self.0.contents()?.records)
    }

    fn roots(&self) -> Result<Vec<String>, shared::Error> {
        Ok(self.0.contents()?.roots)
    }

    fn links(&self) -> Result<Vec<wit::Connection>, shared::Error> {
        Ok(convert(self.0.contents()?.links))
    }

    fn offers(&self) -> Result<Vec<wit::Offer>, shared::Error> {
        Ok(convert(self.0.contents()?.offers))
    }

    fn statistics(&self) -> Result<wit::Statistics, shared::Error> {
        match self.0.describe().statistics {
            Some(numbers) => Ok(numbers.into()),
            None => Err(shared::Error::Other(
                "no numbers by the rules of 2020".into(),
            )),
        }
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

    fn encode(&self) -> Result<String, shared::Error> {
        Ok(self.0.encode()?)
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
