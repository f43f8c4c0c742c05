//! Findings about the records of a config, and about what becomes of them when
//! they are imported.

use super::layering::{Layering, Results};
use super::verdict::{Reach, links};
use crate::buildkit::documents::config::RawRecord;
use crate::buildkit::findings::Findings;
use crate::buildkit::read::cache::Cache;
use crate::buildkit::reason::{Finding, Reason};
use crate::buildkit::records::entry::{Link, RANDOM};
use crate::buildkit::records::index_vec::number;
use crate::buildkit::records::notes::notes;
use crate::buildkit::records::web::Web;
use crate::explain::Difference;
use crate::oci::Digest;
use crate::prelude::*;

/// What is odd about records as they are written.
pub(crate) fn check(reach: &Reach<'_>, layers: &Layering<'_>, findings: &mut Findings) {
    let records = reach.records;
    let mut web = Web::default();
    for (at, record) in records.iter().enumerate() {
        let mut known = Vec::new();
        for (input, link) in links(record) {
            let source = usize::try_from(link.link).ok();
            let Some((source, there)) = source.and_then(|s| Some((s, records.get(s)?))) else {
                findings.push(input_finding(Reason::DanglingLink, at, input, link.link));
                continue;
            };
            if there.digest.starts_with(RANDOM) {
                findings.push(input_finding(Reason::RandomLink, at, input, link.link));
            }
            known.push(Link {
                input: number(input),
                source: number(source),
                selector: 0,
            });
        }
        web.push(0, number(record.inputs.len()), known);
        inputs(at, record, findings);
        if record.digest.starts_with(RANDOM) {
            findings.push(record_finding(Reason::RandomRecord, at, record));
        } else if record.digest.parse::<Digest>().is_err() {
            findings.push(record_finding(Reason::OddDigest, at, record));
        }
        // A result that is broken is reported where its layer is.
        if layers.results(record) == Results::None {
            let used = reach.used.get(at).copied().unwrap_or(false);
            let place = if used { "inner" } else { "leaf" };
            let finding = record_finding(Reason::RecordWithoutResult, at, record);
            findings.push(finding.with([Difference::fact("place", place)]));
        }
        let reached = reach.reached.get(at).copied().unwrap_or(false);
        if !reached && !record.digest.starts_with(RANDOM) {
            findings.push(record_finding(Reason::UnreachableRecord, at, record));
        }
    }
    let all: Vec<u32> = (0..number(records.len())).collect();
    for (record, link) in web.walk(&all).1 {
        let facts = [Difference::fact("link", link.source)];
        let subject = format!("records[{record}].inputs[{}]", link.input);
        findings.push(Finding::new(Reason::RecordCycle, subject).with(facts));
    }
}

fn inputs(at: usize, record: &RawRecord<false>, findings: &mut Findings) {
    for (input, links) in record.inputs.iter().enumerate() {
        let code = match links {
            None => Reason::NullInput,
            Some(links) if links.is_empty() => Reason::EmptyInput,
            Some(_) => continue,
        };
        let subject = format!("records[{at}].inputs[{input}]");
        findings.push(Finding::new(code, subject));
    }
}

/// What importing a config did to its records.
pub(crate) fn merged(cache: &Cache, records: &[RawRecord<false>], findings: &mut Findings) {
    let Ok(graph) = cache.graph("verify") else {
        return;
    };
    let mut first: BTreeMap<u32, usize> = BTreeMap::new();
    for (at, handle) in cache.handles.iter().enumerate() {
        let Some(record) = handle.and_then(|handle| graph.resolve(handle)) else {
            continue;
        };
        let Some(other) = first.get(&record).copied() else {
            first.insert(record, at);
            continue;
        };
        let (Some(here), Some(there)) = (records.get(at), records.get(other)) else {
            continue;
        };
        let same = [Difference::fact("same as", format!("records[{other}]"))];
        let code = if here.inputs.len() == there.inputs.len() {
            Reason::DuplicateRecord
        } else {
            Reason::ArityMismatch
        };
        findings.push(record_finding(code, at, here).with(same));
    }
    notes(graph, findings);
    for (a, b) in &cache.names.clashes {
        let digests = [a, b].map(|record| {
            let digest = graph.texts.get(graph.entry(*record).digest);
            Difference::fact("digest", digest)
        });
        let name = cache.names.text(graph, *a);
        findings.push(Finding::new(Reason::DuplicateId, name).with(digests));
    }
}

fn record_finding(code: Reason, at: usize, record: &RawRecord<false>) -> Finding {
    Finding::new(code, format!("records[{at}]")).with([Difference::fact("digest", &record.digest)])
}

fn input_finding(code: Reason, at: usize, input: usize, link: i64) -> Finding {
    Finding::new(code, format!("records[{at}].inputs[{input}]"))
        .with([Difference::fact("link", link)])
}
