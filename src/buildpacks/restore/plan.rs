//! A restore as a value: the group is checked, both labels are read, every
//! layer is decided, and what would be written is collected (Buildpacks spec,
//! section 5.2).

use super::context::Context;
use super::decision::{Decision, Origin, PlannedFile, RecordedSha, RestorePlan};
use super::group::{self, Element};
use super::request::{RestoreRequest, ShaStore};
use super::table::{AppSide, decide_app, decide_cache, restores};
use super::{directories, lines};
use crate::buildpacks::decode::{Document, Reading};
use crate::buildpacks::label::{APP_LABEL, CACHE_LABEL, read_label};
use crate::buildpacks::layer_file::TYPES;
use crate::buildpacks::metadata::{Buildpack, Layer, Metadata};
use crate::buildpacks::names::{join, refused_layer_name, reserved_layer_name};
use crate::buildpacks::reason::Reason;
use crate::buildpacks::toml::{self, Refused, Style};
use crate::buildpacks::version::{ApiVersion, FlagLines};
use crate::error::{Error, Problem};
use crate::explain::{Difference, Finding};
use crate::host::{Filesystem, Level, Observer};
use crate::limits::Limit;
use crate::prelude::*;

/// From this Platform API on the cache stands in for an application image.
const FALLBACK: ApiVersion = ApiVersion::new(0, 14);

/// Decides everything; logs what upstream logs.
///
/// # Errors
/// See [`Restorer::plan`](super::Restorer::plan).
pub fn make<F: Filesystem>(
    session: &Context<F>,
    request: &RestoreRequest,
    log: &dyn Observer,
) -> Result<RestorePlan, Error> {
    let mut maker = Maker {
        session,
        log,
        plan: RestorePlan::default(),
        positions: BTreeMap::new(),
        shas: BTreeMap::new(),
        output: 0,
    };
    let group = group::check(&request.group, session.rules.guarded, &mut maker.plan.notes)?;
    let app = maker.label(request.app.as_deref(), Document::App);
    if request.cache.is_none() {
        log.log(
            Level::Debug,
            "Usable cache not provided, using empty cache metadata",
            &[],
        );
    } else if request.retrieval == Reason::ImageNotFound.as_str() {
        log.log(Level::Info, "Layer cache not found", &[]);
    }
    let cache = maker.label(request.cache.as_deref(), Document::Cache);
    let retrieval = maker.retrieval(request);
    let sides = Sides {
        app_first: app.first_entries(),
        cache_first: cache.first_entries(),
        app: &app,
        cache: &cache,
        retrieval,
    };
    let replaced = maker.stores(&group, &sides)?;
    if session.policy.skip_layers {
        log.log(Level::Info, "Skipping buildpack layer analysis", &[]);
        for element in &group {
            maker.skip(element, sides.app_entry(element), Origin::App);
            maker.skip(element, sides.cache_entry(element), Origin::Cache);
        }
    } else {
        directories::check(session, &group, &replaced, log)?;
        for element in &group {
            maker.layers(element, &sides)?;
        }
    }
    maker.never_looked_at(&group, &app, &sides.app_first, Origin::App);
    maker.never_looked_at(&group, &cache, &sides.cache_first, Origin::Cache);
    Ok(maker.finish())
}

/// Both documents, with the entry that counts for each key.
struct Sides<'a> {
    app: &'a Metadata,
    cache: &'a Metadata,
    app_first: BTreeMap<&'a str, usize>,
    cache_first: BTreeMap<&'a str, usize>,
    retrieval: String,
}

impl<'a> Sides<'a> {
    fn app_entry(&self, element: &Element<'_>) -> Option<&'a Buildpack> {
        self.app.entries().get(*self.app_first.get(element.id)?)
    }

    fn cache_entry(&self, element: &Element<'_>) -> Option<&'a Buildpack> {
        self.cache.entries().get(*self.cache_first.get(element.id)?)
    }
}

struct Maker<'a, F> {
    session: &'a Context<F>,
    log: &'a dyn Observer,
    plan: RestorePlan,
    /// Where each path is in the plan's files.
    positions: BTreeMap<String, usize>,
    shas: BTreeMap<(String, String), String>,
    /// Bytes of all files.
    output: u64,
}

impl<F: Filesystem> Maker<'_, F> {
    fn label(&mut self, text: Option<&str>, document: Document) -> Metadata {
        let subject = match document {
            Document::App => APP_LABEL,
            Document::Cache | Document::Volume => CACHE_LABEL,
        };
        let reading = Reading {
            strict: self.session.rules.guarded,
            integers: self.session.policy.keep_integers,
            limits: &self.session.limits,
        };
        let (metadata, finding) = read_label(text, document, subject, reading);
        if finding.code == Reason::LabelMalformed || finding.hint.is_some() {
            self.plan.notes.push(finding);
        }
        metadata
    }

    /// Why the cache metadata is what it is, as far as it is known.
    fn retrieval(&mut self, request: &RestoreRequest) -> String {
        let subject = CACHE_LABEL;
        let malformed = self
            .plan
            .notes
            .iter()
            .any(|note| note.subject == subject && note.code == Reason::LabelMalformed);
        let code = if request.cache.is_none() {
            Reason::CacheNotProvided.as_str()
        } else if malformed {
            Reason::LabelMalformed.as_str()
        } else {
            &request.retrieval
        };
        let known = Reason::ALL.iter().find(|reason| reason.as_str() == code);
        match known {
            Some(Reason::Hit | Reason::LabelMalformed) | None => {}
            Some(reason) => self.plan.notes.push(Finding::new(*reason, subject)),
        }
        known
            .map(|reason| reason.as_str().to_owned())
            .unwrap_or_default()
    }

    /// Step 1. Returns the escaped ids whose `store.toml` is written.
    fn stores(
        &mut self,
        group: &[Element<'_>],
        sides: &Sides<'_>,
    ) -> Result<BTreeSet<String>, Error> {
        let mut written = BTreeSet::new();
        for element in group {
            let Some(store) = sides
                .app_entry(element)
                .and_then(|entry| entry.store.as_ref())
            else {
                self.plan
                    .notes
                    .push(Finding::new(Reason::StoreAbsent, element.id));
                continue;
            };
            match toml::store_file(store, self.style()) {
                Ok(text) => {
                    let path = join(&self.session.directory_of(&element.escaped), "store.toml");
                    self.plan.notes.push(
                        Finding::new(Reason::StoreRestored, element.id)
                            .with([Difference::fact("path", &path)]),
                    );
                    self.write(path, text)?;
                    written.insert(element.escaped.clone());
                }
                Err(refused) => {
                    let (reason, evidence) = self.refuse(&refused, element.id)?;
                    let evidence = evidence.into_iter().collect();
                    self.decide(
                        element.id,
                        "",
                        Origin::Store,
                        reason,
                        evidence,
                        String::new(),
                    );
                }
            }
        }
        Ok(written)
    }

    /// Steps 3b and 3c for one buildpack.
    fn layers(&mut self, element: &Element<'_>, sides: &Sides<'_>) -> Result<(), Error> {
        let none = &BTreeMap::new();
        let app_entry = sides.app_entry(element);
        let cache_entry = sides.cache_entry(element);
        let app = app_entry.map_or(none, Buildpack::layers);
        let cache = cache_entry.map_or(none, Buildpack::layers);
        let mut app_reasons: BTreeMap<&str, Reason> = BTreeMap::new();
        for (name, layer) in app {
            if self.refused_name(element, name, Origin::App) {
                app_reasons.insert(name, Reason::UnsafeLayerName);
                continue;
            }
            let cached = cache.get(name);
            let mut reason = decide_app(layer.flags, cached.map(|layer| layer.flags));
            let mut evidence = layer_evidence(layer);
            if let Some(cached) = cached {
                evidence.push(Difference::fact("cache.sha", &cached.sha));
                evidence.push(Difference::fact("cache.flags", cached.flags.to_text()));
            }
            if reason == Reason::NotInCache {
                evidence.push(Difference::fact("cache.buildpack", cache_entry.is_some()));
                if !sides.retrieval.is_empty() {
                    evidence.push(Difference::fact("cache.retrieval", &sides.retrieval));
                }
            }
            lines::app(self.log, element.id, name, reason);
            if restores(reason) {
                reason = self.write_layer(element, name, layer, reason, &mut evidence)?;
            }
            app_reasons.insert(name, reason);
            self.decide_layer(element, name, Origin::App, reason, evidence);
        }
        let rules = &self.session.rules;
        let fallback = rules.launch_fallback && self.session.platform_api >= FALLBACK;
        for (name, layer) in cache {
            if self.refused_name(element, name, Origin::Cache) {
                continue;
            }
            let app_reason = app_reasons.get(name.as_str()).copied();
            let side = match app_reason {
                None => AppSide::Absent,
                Some(reason) if restores(reason) => AppSide::Restored,
                Some(_) => AppSide::Present,
            };
            let mut reason = decide_cache(layer.flags, side, fallback);
            let mut evidence = layer_evidence(layer);
            if let (Some(app_layer), Some(app_reason)) = (app.get(name), app_reason) {
                evidence.push(Difference::fact("app.sha", &app_layer.sha));
                evidence.push(Difference::fact("app.reason", app_reason.as_str()));
            }
            if matches!(
                reason,
                Reason::LaunchNotInApp | Reason::RestoredFromCacheLaunchFallback
            ) {
                evidence.push(Difference::new(
                    "platform-api",
                    self.session.platform_api.to_string(),
                    FALLBACK.to_string(),
                ));
            }
            lines::cache(self.log, element.id, name, reason);
            if restores(reason) {
                reason = self.write_layer(element, name, layer, reason, &mut evidence)?;
            }
            self.decide_layer(element, name, Origin::Cache, reason, evidence);
        }
        Ok(())
    }

    /// Refuses a name that is no file of its own.
    fn refused_name(&mut self, element: &Element<'_>, name: &str, origin: Origin) -> bool {
        let guarded = self.session.rules.guarded;
        let (reason, rule) = match refused_layer_name(name) {
            Some(refused) => refused,
            None if reserved_layer_name(name, guarded) => (Reason::ReservedLayerName, name),
            None => return false,
        };
        let evidence = vec![Difference::fact("rule", rule)];
        self.decide(element.id, name, origin, reason, evidence, String::new());
        true
    }

    /// Plans the files of a layer; returns why not, where they cannot be written.
    fn write_layer(
        &mut self,
        element: &Element<'_>,
        name: &str,
        layer: &Layer,
        reason: Reason,
        evidence: &mut Vec<Difference>,
    ) -> Result<Reason, Error> {
        let with_flags = match self.session.rules.flag_lines {
            FlagLines::ByApi => element.api < TYPES,
            FlagLines::Never => false,
        };
        let text = match toml::layer_file(layer, with_flags, self.style()) {
            Ok(text) => text,
            Err(refused) => {
                let subject = format!("{}:{name}", element.id);
                let (reason, why) = self.refuse(&refused, &subject)?;
                evidence.extend(why);
                return Ok(reason);
            }
        };
        lines::writing(self.log, element.id, name);
        let directory = self.session.directory_of(&element.escaped);
        let path = join(&directory, &format!("{name}.toml"));
        evidence.push(Difference::fact("path", &path));
        self.write(path, text)?;
        match self.session.store {
            ShaStore::Files => {
                self.write(join(&directory, &format!("{name}.sha")), layer.sha.clone())?;
            }
            ShaStore::Memory => {
                let key = (element.id.to_owned(), name.to_owned());
                self.shas.insert(key, layer.sha.clone());
            }
        }
        Ok(reason)
    }

    /// Guarded passes over what cannot be written; upstream fails (D6).
    fn refuse(
        &self,
        refused: &Refused,
        subject: &str,
    ) -> Result<(Reason, Option<Difference>), Error> {
        let (reason, words, path) = match refused {
            Refused::TooLarge => {
                let limit = self.session.limits.get(Limit::FileBytes);
                let fact = Difference::fact("limit.file-bytes", limit);
                return Ok((Reason::MetadataTooLarge, Some(fact)));
            }
            Refused::NullInList(path) => (
                Reason::UnencodableMetadata,
                "toml: cannot encode array with nil element",
                path,
            ),
            Refused::MixedList(path) => (
                Reason::UnencodableMetadata,
                "toml: cannot encode array with mixed element types",
                path,
            ),
        };
        if !self.session.rules.guarded {
            return Err(Error::Invalid(Problem::new(
                reason, "restore", subject, words,
            )));
        }
        Ok((reason, Some(Difference::fact("data", path))))
    }

    fn style(&self) -> Style {
        Style {
            floats: self.session.rules.floats,
            mixed_lists: self.session.rules.mixed_lists,
            limit: self.session.limits.get(Limit::FileBytes),
        }
    }

    /// Plans a file; a later text for the same path replaces an earlier one.
    fn write(&mut self, path: String, text: String) -> Result<(), Error> {
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.output = self.output.saturating_add(bytes);
        let limits = &self.session.limits;
        limits.check(Limit::OutputBytes, self.output, "restore", &path)?;
        let known = self.positions.get(&path);
        match known.and_then(|at| self.plan.files.get_mut(*at)) {
            Some(file) => file.text = text,
            None => {
                self.positions.insert(path.clone(), self.plan.files.len());
                self.plan.files.push(PlannedFile { path, text });
            }
        }
        Ok(())
    }

    fn decide_layer(
        &mut self,
        element: &Element<'_>,
        name: &str,
        origin: Origin,
        reason: Reason,
        evidence: Vec<Difference>,
    ) {
        let prefix = if restores(reason) {
            join(&join("", &element.escaped), name)
        } else {
            String::new()
        };
        self.decide(element.id, name, origin, reason, evidence, prefix);
    }

    fn decide(
        &mut self,
        buildpack: &str,
        layer: &str,
        origin: Origin,
        reason: Reason,
        evidence: Vec<Difference>,
        prefix: String,
    ) {
        let finding = Finding::new(reason, format!("{buildpack}:{layer}"))
            .with([Difference::fact("source", origin.as_str())])
            .with(evidence);
        self.plan.decisions.push(Decision {
            buildpack: buildpack.to_owned(),
            layer: layer.to_owned(),
            origin,
            restored: restores(reason),
            finding,
            prefix,
        });
    }

    fn skip(&mut self, element: &Element<'_>, entry: Option<&Buildpack>, origin: Origin) {
        for name in entry.into_iter().flat_map(|entry| entry.layers().keys()) {
            let reason = Reason::SkipLayers;
            self.decide(element.id, name, origin, reason, Vec::new(), String::new());
        }
    }

    /// Layers of entries that no rule ever sees.
    fn never_looked_at(
        &mut self,
        group: &[Element<'_>],
        metadata: &Metadata,
        first: &BTreeMap<&str, usize>,
        origin: Origin,
    ) {
        let ids: BTreeSet<&str> = group.iter().map(|element| element.id).collect();
        for (index, entry) in metadata.entries().iter().enumerate() {
            let counts = first.get(entry.key.as_str()).copied().unwrap_or(index);
            let (reason, evidence) = if !ids.contains(entry.key.as_str()) {
                (Reason::BuildpackNotInGroup, Vec::new())
            } else if counts != index {
                let fact = Difference::fact("entry", counts);
                (Reason::ShadowedByEarlierEntry, vec![fact])
            } else {
                continue;
            };
            for name in entry.layers().keys() {
                let evidence = evidence.clone();
                self.decide(&entry.key, name, origin, reason, evidence, String::new());
            }
        }
    }

    fn finish(mut self) -> RestorePlan {
        self.plan.shas = self
            .shas
            .into_iter()
            .map(|((buildpack, layer), sha)| RecordedSha {
                buildpack,
                layer,
                sha,
            })
            .collect();
        self.plan
    }
}

fn layer_evidence(layer: &Layer) -> Vec<Difference> {
    vec![
        Difference::fact("sha", &layer.sha),
        Difference::fact("flags", layer.flags.to_text()),
    ]
}
