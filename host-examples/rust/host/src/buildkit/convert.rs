//! The types of the interface in both directions.

use layerwise::buildkit::{
    Added, Alternative, Connection, Effect, Evidence, Offer, Options, Outcome, Plan, Pushed, Query,
    Record, Report, Standing, Statistics, Summary, Verdict, VerdictLink,
};
use layerwise::host::Source;

use crate::bindings::exports::layerwise::cache::buildkit as wit;
use crate::bindings::layerwise::cache::registry;
use crate::bindings::{convert, limits};

impl From<Options> for wit::Options {
    fn from(options: Options) -> Self {
        let mut policy = wit::Policy::empty();
        for (flag, set) in [
            (wit::Policy::FALL_BACK, options.policy.fall_back),
            (wit::Policy::STRICT_RESULTS, options.policy.strict_results),
            (wit::Policy::CHECK_FIRST, options.policy.check_first),
        ] {
            if set {
                policy |= flag;
            }
        }
        Self {
            semantics: (&options.semantics).into(),
            oci: options.oci,
            image: options.image,
            policy,
            source: options.source.map(Into::into),
            limits: limits(options.limits),
        }
    }
}

impl From<Source> for registry::Source {
    fn from(source: Source) -> Self {
        match source {
            Source::File(path) => Self::File(path),
            Source::Repository(name) => Self::Repository(name),
            Source::Provider(name) => Self::Provider(name),
        }
    }
}

impl From<&Alternative> for wit::Alternative {
    fn from(given: &Alternative) -> Self {
        Self {
            record: given.record,
            selector: given.selector.clone(),
            foreign: given.foreign.clone(),
        }
    }
}

impl From<&Outcome> for wit::Outcome {
    fn from(given: &Outcome) -> Self {
        Self {
            created: given.created.clone(),
            layers: convert(given.layers.clone()),
            source: given.source.clone().map(Into::into),
        }
    }
}

impl From<&Record> for wit::Entry {
    fn from(given: &Record) -> Self {
        let links = |links: &Vec<Alternative>| links.iter().map(Into::into).collect();
        Self {
            digest: given.digest.clone(),
            inputs: given.inputs.iter().map(links).collect(),
            results: given.results.iter().map(Into::into).collect(),
        }
    }
}

impl From<&Query> for wit::Query {
    fn from(given: &Query) -> Self {
        Self {
            record: given.record.clone(),
            digest: given.digest.clone(),
            output: given.output,
            input: given.input,
            selector: given.selector.clone(),
        }
    }
}

impl From<wit::Added> for Added {
    fn from(added: wit::Added) -> Self {
        Self {
            record: added.record,
            error: added.error.map(Into::into),
        }
    }
}

impl From<wit::Effect> for Effect {
    fn from(effect: wit::Effect) -> Self {
        match effect {
            wit::Effect::Layer(layer) => Self::Layer(layer.into()),
            wit::Effect::Config(config) => Self::Config(config.into()),
            wit::Effect::Manifest(manifest) => Self::Manifest(manifest.into()),
        }
    }
}

impl From<wit::Plan> for Plan {
    fn from(plan: wit::Plan) -> Self {
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

impl From<wit::Pushed> for Pushed {
    fn from(pushed: wit::Pushed) -> Self {
        Self {
            empty: pushed.empty,
            descriptor: pushed.descriptor,
            findings: convert(pushed.findings),
        }
    }
}

impl From<wit::Connection> for Connection {
    fn from(link: wit::Connection) -> Self {
        Self {
            from: link.from,
            to: link.to,
            input: link.input,
            selector: link.selector,
            digest: link.digest,
        }
    }
}

impl From<wit::Offer> for Offer {
    fn from(offer: wit::Offer) -> Self {
        Self {
            record: offer.record,
            result: offer.result,
            created: offer.created,
            blobs: offer.blobs,
        }
    }
}

impl From<wit::Statistics> for Statistics {
    fn from(numbers: wit::Statistics) -> Self {
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

impl From<wit::Verdict> for Verdict {
    fn from(verdict: wit::Verdict) -> Self {
        Self {
            record: verdict.record,
            name: verdict.name,
            digest: verdict.digest,
            standing: match verdict.standing {
                wit::Standing::Hit => Standing::Hit,
                wit::Standing::Broken => Standing::Broken,
                wit::Standing::Key => Standing::Key,
                wit::Standing::Dead => Standing::Dead,
            },
            input: verdict.input,
            links: convert(verdict.links),
            newest: verdict.newest.map(Into::into),
        }
    }
}

impl From<wit::Summary> for Summary {
    fn from(result: wit::Summary) -> Self {
        Self {
            created: result.created,
            layers: result.layers,
            bytes: result.bytes,
            top: result.top,
        }
    }
}

impl From<wit::Link> for VerdictLink {
    fn from(link: wit::Link) -> Self {
        Self {
            input: link.input,
            record: link.record,
            selector: link.selector,
        }
    }
}

impl From<wit::Report> for Report {
    fn from(report: wit::Report) -> Self {
        Self {
            kind: report.kind,
            config: report.config,
            inline: report.inline,
            layers: match report.layers {
                wit::Evidence::None => Evidence::None,
                wit::Evidence::Presence => Evidence::Presence,
                wit::Evidence::Bytes => Evidence::Bytes,
            },
            findings: convert(report.findings),
            verdicts: convert(report.verdicts),
            statistics: report.statistics.into(),
        }
    }
}
