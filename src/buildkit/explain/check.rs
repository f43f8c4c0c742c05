//! What is wrong with one config: with its text, its layers, its records, and
//! with what importing it makes of them.

use super::chains::Chains;
use super::layering::Layering;
use super::layers::Layers;
use super::listing::{self, Kept};
use super::records;
use super::shape;
use super::verdict::{Reach, Verdict};
use crate::buildkit::documents::config::Config;
use crate::buildkit::documents::descriptor::Descriptor;
use crate::buildkit::documents::json::{DEPTH, bad_json};
use crate::buildkit::documents::lint::lint;
use crate::buildkit::documents::media::Family;
use crate::buildkit::documents::size::size;
use crate::buildkit::export::document::encode;
use crate::buildkit::findings::{Findings, of_error};
use crate::buildkit::options::SessionLimits;
use crate::buildkit::read::cache::{Cache, Statistics};
use crate::buildkit::read::parse::Reading;
use crate::buildkit::reason::{Finding, Reason};
use crate::buildkit::records::engine::Engine;
use crate::buildkit::records::lost_links::may_lose_links;
use crate::explain::Difference;
use crate::go_json;
use crate::prelude::*;
use crate::semantics::Semantics;

/// One verification.
pub(crate) struct Check<'a> {
    pub findings: Findings,
    pub limits: SessionLimits,
    pub listed: &'a [Descriptor],
    pub family: Option<Family>,
    pub layers: Layers,
    pub kept: Kept,
}

impl Check<'_> {
    /// Everything about a config.
    pub fn config(&mut self, text: &str) -> (Vec<Verdict>, Statistics) {
        if self.kept == Kept::Listed {
            size("config", text.len(), &mut self.findings);
        }
        if self.kept != Kept::Inline {
            lint(text, &mut self.findings);
        }
        let raw = match go_json::from_str::<Config<false>>(text, DEPTH) {
            Ok(raw) => raw,
            Err(error) => {
                let error = bad_json("verify", "config", &error);
                self.findings.push(of_error(&error));
                return (Vec::new(), Statistics::default());
            }
        };
        let own = (self.kept == Kept::Alone).then(|| self.described(&raw));
        let listed = own.as_deref().unwrap_or(self.listed);
        let layering = Layering::new(&raw, listed, &self.layers);
        listing::listing(
            listed,
            self.family,
            self.kept,
            &layering,
            &mut self.findings,
        );
        listing::layers(&raw, &layering, &mut self.findings);
        let reach = Reach::new(&raw.records);
        records::check(&reach, &layering, &mut self.findings);
        if self.kept != Kept::Inline {
            shape::mode(&raw, &reach, &mut self.findings);
        }
        shape::selectors(&raw, &mut self.findings);
        let mut verdicts = reach.verdicts(&layering, &Chains::new(&raw, listed));
        // What is known of a large cache would be in the way of importing it.
        drop((reach, layering));
        let statistics = self.import(&raw, text, listed, &mut verdicts);
        (verdicts, statistics)
    }

    /// What a manifest lists when its config cannot be read.
    pub fn without_config(&mut self) {
        let none = Config::default();
        let layering = Layering::new(&none, self.listed, &self.layers);
        listing::listing(
            self.listed,
            self.family,
            self.kept,
            &layering,
            &mut self.findings,
        );
    }

    /// The descriptors of layers that describe themselves.
    fn described(&mut self, raw: &Config<false>) -> Vec<Descriptor> {
        let mut listed = Vec::with_capacity(raw.layers.len());
        for (at, layer) in raw.layers.iter().enumerate() {
            match layer.describe() {
                Some(descriptor) => listed.push(descriptor),
                None => {
                    let blob = Difference::fact("blob", &layer.blob);
                    let subject = format!("layers[{at}]");
                    let finding = Finding::new(Reason::LayerUndescribed, subject);
                    self.findings.push(finding.with([blob]));
                }
            }
        }
        listed
    }

    /// Imports the config in the guarded reading and says what that showed.
    fn import(
        &mut self,
        raw: &Config<false>,
        text: &str,
        listed: &[Descriptor],
        verdicts: &mut [Verdict],
    ) -> Statistics {
        let semantics = Semantics::default();
        let reading = Reading {
            limits: self.limits.clone(),
            semantics: &semantics,
            source: None,
        };
        let cache = match reading.resolve(raw, listed) {
            Ok(cache) => cache,
            Err(error) => {
                self.findings.push(of_error(&error));
                return Statistics::default();
            }
        };
        records::merged(&cache, &raw.records, &mut self.findings);
        if let Engine::Graph(graph) = &cache.engine {
            self.findings.extend(may_lose_links(graph));
            for (verdict, handle) in verdicts.iter_mut().zip(&cache.handles) {
                if let Some(record) = handle.and_then(|handle| graph.resolve(handle)) {
                    verdict.name = cache.names.text(graph, record);
                }
            }
        }
        if self.kept == Kept::Listed {
            self.canonical(&cache, text);
        }
        cache.statistics().unwrap_or_default()
    }

    /// Compares a config with what exporting its records gives.
    fn canonical(&mut self, cache: &Cache, text: &str) {
        let (layout, picks) = match cache.lay_out() {
            Ok(laid_out) => laid_out,
            Err(error) => {
                self.findings.push(of_error(&error));
                return;
            }
        };
        let (texts, _) = cache.engine.store();
        match encode(&layout, texts, &picks) {
            Ok(again) if again.text == text => {}
            Ok(again) => {
                let same = again
                    .text
                    .bytes()
                    .zip(text.bytes())
                    .take_while(|(a, b)| a == b);
                let first = Difference::fact("byte", same.count());
                self.findings
                    .push(Finding::new(Reason::NotCanonical, "config").with([first]));
            }
            Err(error) => self.findings.push(of_error(&error)),
        }
        for (a, b) in &layout.ties {
            let pair = Difference::fact("records", format!("{a}, {b}"));
            self.findings
                .push(Finding::new(Reason::TieOrder, "config").with([pair]));
        }
    }
}
