//! What an export would write: both documents, the layers, and what should be
//! known before anything is pushed (BuildKit spec, sections 5 and 6).

use serde::Serialize;

use super::exporter::Exporter;
use super::layout::{Layout, lay_out};
use crate::buildkit::documents::config;
use crate::buildkit::documents::descriptor;
use crate::buildkit::documents::manifest;
use crate::buildkit::documents::media;
use crate::buildkit::options::{Era, Options};
use crate::buildkit::read::cache::Engine;
use crate::buildkit::reason::{Findings, Reason, invalid};
use crate::buildkit::records::blobs::Blobs;
use crate::buildkit::records::graph::{CacheResult, Graph, Note};
use crate::buildkit::records::index_vec::{IndexVec, NONE, number, place};
use crate::buildkit::records::interner::{EMPTY, Interner, Text};
use crate::buildkit::records::rules_2020::looping;
use crate::buildkit::records::source;
use crate::buildkit::records::web::Web;
use crate::buildkit::{Form, IMPORT_LIMIT};
use crate::error::{Error, Problem};
use crate::explain::{Difference, Finding};
use crate::host::{FailureCode, Observer, Presence, Registry};
use crate::oci::{Descriptor, Digest, sha256};
use crate::prelude::*;

/// Something an export writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// A layer is copied, unless it is there.
    Layer(Descriptor),
    /// The config is written.
    Config(Descriptor),
    /// The manifest is written.
    Manifest(Descriptor),
}

/// What an export would write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Nothing would be written, since no record has a result with layers.
    pub empty: bool,
    /// The config; it is not written when the plan is empty.
    pub config: String,
    /// The manifest; empty when nothing would be written.
    pub manifest: String,
    /// The manifest's descriptor as JSON, the value of `cache.manifest`.
    pub descriptor: String,
    /// What would be written, in order, each thing once.
    pub effects: Vec<Effect>,
    /// What should be known before.
    pub findings: Vec<Finding>,
}

/// Everything a push needs.
pub(crate) struct Draft {
    pub form: Option<Form>,
    pub layout: Layout,
    /// The config, or the time that cannot be written.
    pub config: Result<Document, Error>,
    pub manifest: Document,
    pub findings: Vec<Finding>,
}

/// A document and its descriptor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    pub text: String,
    pub digest: String,
    pub descriptor: String,
}

impl Document {
    fn new(media: &str, text: String) -> Self {
        let digest = sha256(text.as_bytes()).to_string();
        let descriptor = manifest::describe(media, &digest, text.len());
        Self {
            text,
            digest,
            descriptor,
        }
    }
}

impl Draft {
    /// Nothing is to be written.
    pub fn empty(&self) -> bool {
        self.layout.layers.is_empty() && self.form != Some(Form::List2020)
    }
}

impl<R: Registry, O: Observer> Exporter<R, O> {
    /// Decides what an export would write and writes nothing.
    ///
    /// # Errors
    /// `invalid` for an image manifest without OCI types, for a time that has no
    /// text, and for links that close a loop (rules of 2020); what a source
    /// fails with when it is asked for its layers.
    pub fn plan(&self) -> Result<Plan, Error> {
        let draft = self.draft()?;
        let empty = draft.empty();
        let config = draft.config?;
        if empty {
            return Ok(Plan {
                empty,
                config: config.text,
                manifest: String::new(),
                descriptor: String::new(),
                effects: Vec::new(),
                findings: draft.findings,
            });
        }
        let form = draft.form.ok_or_else(needs_oci)?;
        let mut effects = Vec::new();
        let mut seen = BTreeSet::new();
        for layer in &draft.layout.layers {
            if seen.insert(layer.digest) {
                let (texts, blobs) = self.engine.store();
                effects.push(Effect::Layer(copied(form, texts, blobs, layer.node)));
            }
        }
        effects.push(Effect::Config(written(media::CONFIG, &config)));
        effects.push(Effect::Manifest(written(
            form.media_type(),
            &draft.manifest,
        )));
        Ok(Plan {
            empty,
            config: config.text,
            manifest: draft.manifest.text,
            descriptor: draft.manifest.descriptor,
            effects,
            findings: draft.findings,
        })
    }

    pub(crate) fn draft(&self) -> Result<Draft, Error> {
        let (texts, blobs) = self.engine.store();
        let mut findings = Findings::new();
        let (layout, picks, era) = match &self.engine {
            Engine::Graph(graph) => {
                let whole = self.whole(graph, &mut findings)?;
                let picks = picks(graph, self.options.policy.fall_back, &whole, &mut findings);
                let layout = lay_out(Web::from(graph), texts, blobs, &picks, false);
                notes(graph, &mut findings);
                (layout, picks, Era::Newest)
            }
            Engine::Rules2020(rules) => {
                let normal = rules.normalize()?;
                let layout = lay_out(normal.web, texts, blobs, &normal.picks, true);
                if let Some((record, _)) = layout.loops.first() {
                    return Err(looping(texts.get(layout.web.digest.at(*record))));
                }
                (layout, normal.picks, Era::Rules2020)
            }
        };
        let form = self.options.form(era);
        let config = encode(&layout, texts, &picks);
        let manifest = match (form, &config) {
            (Some(form), Ok(config)) => {
                let text = manifest::write(form, &layout.layers, blobs, texts, &config.descriptor);
                Document::new(form.media_type(), text)
            }
            _ => Document::default(),
        };
        let draft = Draft {
            form,
            layout,
            config,
            manifest,
            findings: Vec::new(),
        };
        review(&draft, texts, blobs, &mut findings);
        Ok(Draft {
            findings: findings.finish(),
            ..draft
        })
    }

    /// Which chains are whole at their sources. Each digest is asked for once.
    fn whole(&self, graph: &Graph, findings: &mut Findings) -> Result<Whole, Error> {
        let blobs = &graph.blobs;
        let mut wanted: BTreeMap<Text, BTreeSet<Text>> = BTreeMap::new();
        let mut marked = IndexVec::filled(blobs.nodes(), false);
        let every = self.options.policy.fall_back;
        for record in graph.live() {
            let results = &graph.entry(record).results;
            let candidates = results.iter().filter(|_| every).chain(newest(results));
            for result in candidates {
                let mut at = result.node;
                while at != NONE && !marked.at(at) {
                    marked.set(at, true);
                    let node = blobs.node(at);
                    wanted
                        .entry(node.source)
                        .or_default()
                        .insert(blobs.blob(node.blob).digest);
                    at = node.parent;
                }
            }
        }
        let mut missing = BTreeSet::new();
        for (source, digests) in wanted {
            self.ask(graph, source, &digests, &mut missing, findings)?;
        }
        let mut broken = IndexVec::filled(blobs.nodes(), false);
        if !missing.is_empty() {
            for at in 0..number(blobs.nodes()) {
                let node = blobs.node(at);
                let below = node.parent != NONE && broken.at(node.parent);
                let here = missing.contains(&(node.source, blobs.blob(node.blob).digest));
                broken.set(at, below || here);
            }
        }
        Ok(Whole { broken })
    }

    /// Asks one source for all layers that are wanted of it.
    fn ask(
        &self,
        graph: &Graph,
        source: Text,
        digests: &BTreeSet<Text>,
        missing: &mut BTreeSet<(Text, Text)>,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let text = |digest: &Text| graph.texts.get(*digest).to_owned();
        let mut asked: Vec<Text> = digests.iter().copied().collect();
        if self.options.semantics.is_guarded() {
            asked.retain(|digest| {
                let valid = graph.texts.get(*digest).parse::<Digest>().is_ok();
                if !valid {
                    missing.insert((source, *digest));
                    findings.push(Finding::new(Reason::OddDigest, text(digest)));
                }
                valid
            });
        }
        let Some(name) = source::asked(&graph.texts, source) else {
            return Ok(());
        };
        if asked.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = asked.iter().map(text).collect();
        let answers = match self.registry.has(name, &names) {
            Ok(answers) => answers,
            Err(failure) if failure.code == FailureCode::Unsupported => return Ok(()),
            Err(failure) => {
                let message = format!("cannot tell which layers are there: {failure}");
                return Err(Problem::new(Reason::SourceUnknown, "export", name, message)
                    .from_failure(&failure));
            }
        };
        for (at, digest) in asked.iter().enumerate() {
            // A host that answers too little does not vouch for the rest.
            if matches!(answers.get(at), None | Some(Presence::Absent)) {
                missing.insert((source, *digest));
                let finding = Finding::new(Reason::LayerLeftOut, text(digest));
                findings.push(finding.with([Difference::fact("source", name)]));
            }
        }
        Ok(())
    }
}

/// Which chains have a layer that is not there.
struct Whole {
    broken: IndexVec<bool>,
}

impl Whole {
    fn usable(&self, result: &CacheResult) -> bool {
        result.node != NONE && !self.broken.at(result.node)
    }
}

/// The newest result of whoever comes first, of equal ones the first.
pub(crate) fn newest(results: &[CacheResult]) -> Option<&CacheResult> {
    let mut results = results.iter();
    let first = results.next()?;
    Some(results.fold(first, |best, next| {
        let later = next.time.instant() > best.time.instant();
        if next.rank < best.rank || (next.rank == best.rank && later) {
            next
        } else {
            best
        }
    }))
}

/// The result of each record (BuildKit spec, section 5.2).
fn picks(
    graph: &Graph,
    fall_back: bool,
    whole: &Whole,
    findings: &mut Findings,
) -> Vec<Option<CacheResult>> {
    let mut picks = vec![None; graph.len()];
    for record in graph.live() {
        let results = &graph.entry(record).results;
        let Some(best) = newest(results).copied() else {
            continue;
        };
        let usable: Vec<CacheResult>;
        let pick = if whole.usable(&best) {
            Some(best)
        } else {
            usable = results
                .iter()
                .filter(|f| whole.usable(f))
                .copied()
                .collect();
            let other = newest(&usable).copied();
            if let Some(other) = other {
                findings.push(set_aside(graph, record, &best, &other, fall_back));
            }
            other.filter(|_| fall_back)
        };
        if let Some(finding) = conflict(graph, record, pick.as_ref().unwrap_or(&best)) {
            findings.push(finding);
        }
        if let Some(slot) = picks.get_mut(place(record)) {
            *slot = pick;
        }
    }
    picks
}

/// What there is to say when another of the merged caches has another result for a
/// record.
fn conflict(graph: &Graph, record: u32, kept: &CacheResult) -> Option<Finding> {
    let path = |result: &CacheResult| graph.blobs.node(result.node).path;
    let results = graph.entry(record).results.iter();
    let others: Vec<CacheResult> = results
        .filter(|other| other.rank != kept.rank && path(other) != path(kept))
        .copied()
        .collect();
    let other = newest(&others)?;
    let side = |result: &CacheResult| {
        let node = graph.blobs.node(result.node);
        let source = source::decode(graph.texts.get(node.source));
        let place = source.map_or(String::new(), |source| {
            format!(" of {}", source::name(&source))
        });
        let top = graph.texts.get(graph.blobs.digest(result.node));
        format!("{} layers, {top}, at {}{place}", node.length, time(result))
    };
    let digest = graph.texts.get(graph.entry(record).digest);
    Some(Finding::new(Reason::MergeConflict, digest).with([
        Difference::fact("kept", side(kept)),
        Difference::fact("set aside", side(other)),
    ]))
}

fn set_aside(
    graph: &Graph,
    record: u32,
    best: &CacheResult,
    other: &CacheResult,
    fall_back: bool,
) -> Finding {
    let digest = graph.texts.get(graph.entry(record).digest);
    let finding = Finding::new(Reason::ResultDropped, digest).with([
        Difference::fact("newest", time(best)),
        Difference::fact("whole", time(other)),
    ]);
    if fall_back {
        finding.hint("the newest result is not whole; the newest whole one is exported")
    } else {
        finding.hint("the newest result is not whole; open the session with fall-back to export the newest whole one")
    }
}

/// The results of a cache that was read, all of which count as whole.
pub(crate) fn trusting(graph: &Graph) -> Vec<Option<CacheResult>> {
    let mut picks = vec![None; graph.len()];
    for record in graph.live() {
        let best = newest(&graph.entry(record).results).copied();
        if let Some(slot) = picks.get_mut(place(record)) {
            *slot = best.filter(|result| result.node != NONE);
        }
    }
    picks
}

/// Writes the config of a layout.
pub(crate) fn encode(
    layout: &Layout,
    texts: &Interner,
    picks: &[Option<CacheResult>],
) -> Result<Document, Error> {
    config::write(layout, texts, picks)
        .map(|text| Document::new(media::CONFIG, text))
        .map_err(|record| {
            let digest = texts.get(layout.web.digest.at(record));
            invalid(Reason::UnwritableTime, "export", digest, config::UNWRITABLE)
        })
}

/// A time for people.
pub(crate) fn time(result: &CacheResult) -> String {
    crate::buildkit::read::cache::time_text(result.time)
}

/// The descriptor under which a layer is copied.
pub(crate) fn copied(form: Form, texts: &Interner, blobs: &Blobs, node: u32) -> Descriptor {
    let blob = blobs.blob(blobs.node(node).blob);
    Descriptor {
        media_type: manifest::copied_media(form, texts.get(blob.media)).to_owned(),
        digest: texts.get(blob.digest).to_owned(),
        size: u64::try_from(blob.size).unwrap_or_default(),
        annotations: descriptor::annotations(texts.get(blob.tail)),
    }
}

/// The descriptor of a document.
pub(crate) fn written(media: &str, document: &Document) -> Descriptor {
    Descriptor {
        media_type: media.to_owned(),
        digest: document.digest.clone(),
        size: document.text.len() as u64,
        annotations: Vec::new(),
    }
}

/// The error for an image manifest without OCI types.
pub(crate) fn needs_oci() -> Error {
    invalid(
        Reason::OciRequired,
        "export",
        "image-manifest",
        "invalid configuration for remote cache, \
         OCI mediatypes are required for image-manifest cache format",
    )
}

/// What was noticed while records were added.
pub(crate) fn notes(graph: &Graph, findings: &mut Findings) {
    let name = |record: u32| graph.texts.get(graph.entry(record).digest);
    for note in &graph.notes {
        match note {
            Note::Loop { record, source } => findings.push(
                Finding::new(Reason::MergeLoop, name(*record))
                    .with([Difference::fact("source", name(*source))]),
            ),
            Note::Result { record, time } => findings.push(
                Finding::new(Reason::ResultDropped, name(*record))
                    .with([Difference::fact("time", crate::buildkit::read::cache::time_text(*time))])
                    .hint("a result of the same instant and length was there; strict results keep both"),
            ),
            Note::Merged { .. } => {}
        }
    }
}

/// What readers or registries may not like about an export.
fn review(draft: &Draft, texts: &Interner, blobs: &Blobs, findings: &mut Findings) {
    if draft.empty() {
        return;
    }
    if let Ok(config) = &draft.config {
        size("config", config.text.len(), findings);
        size("manifest", draft.manifest.text.len(), findings);
    }
    if let Some(form @ (Form::List2020 | Form::List | Form::Index)) = draft.form {
        let kind = Difference::fact("mediaType", form.media_type());
        findings.push(Finding::new(Reason::IndexWithLayers, "manifest").with([kind]));
    }
    for (digest, differences) in &draft.layout.conflicts {
        let finding = Finding::new(Reason::DescriptorConflict, texts.get(*digest));
        findings.push(finding.with(differences.clone()));
    }
    for (a, b) in &draft.layout.ties {
        findings.push(
            Finding::new(Reason::TieOrder, "records")
                .with([Difference::fact("records", format!("{a}, {b}"))]),
        );
    }
    let mut seen = BTreeSet::new();
    for layer in &draft.layout.layers {
        if !seen.insert(layer.digest) {
            continue;
        }
        let blob = blobs.blob(blobs.node(layer.node).blob);
        let digest = texts.get(blob.digest);
        let media = texts.get(blob.media);
        if let Some(form) = draft.form
            && unlike(form, media)
        {
            let media = Difference::fact("mediaType", media);
            findings.push(Finding::new(Reason::WrongMediaType, digest).with([media]));
        }
        if blob.size <= 0 && draft.form != Some(Form::List2020) {
            findings.push(Finding::new(Reason::SizeZero, digest));
        }
        if blob.tail == EMPTY || !texts.get(blob.tail).contains(UNCOMPRESSED) {
            findings.push(Finding::new(Reason::NoUncompressed, digest));
        }
    }
}

/// The annotation that names the uncompressed bytes.
pub(crate) const UNCOMPRESSED_KEY: &str = "containerd.io/uncompressed";

/// The same, as it is written.
pub(crate) const UNCOMPRESSED: &str = "\"containerd.io/uncompressed\":";

/// Whether a layer is listed under a type of another family than the manifest's.
fn unlike(form: Form, media: &str) -> bool {
    match form {
        Form::List2020 => media::family(media).is_none(),
        Form::List => !media::convertible(
            media::convert(media, media::Family::Oci),
            media::Family::Docker,
        ),
        Form::Index | Form::Image => !media::convertible(media, media::Family::Oci),
    }
}

/// What readers say to the size of a document.
pub(crate) fn size(what: &str, length: usize, findings: &mut Findings) {
    let length = length as u64;
    let facts = [Difference::new(
        "size",
        length.to_string(),
        format!("at most {IMPORT_LIMIT}"),
    )];
    if length > IMPORT_LIMIT {
        findings.push(Finding::new(Reason::TooLarge, what).with(facts));
    } else if length > IMPORT_LIMIT / 5 * 4 {
        findings.push(Finding::new(Reason::NearLimit, what).with(facts));
    }
}

impl Options {
    /// Whether what readers would refuse is refused before anything is written.
    pub(crate) const fn checks_first(&self) -> bool {
        self.policy.check_first
    }
}
