//! An implementation whose every call is written down, together with the calls
//! it makes of its image store.

use std::sync::Arc;

use layerwise::docker::{Answer, Comparison, Options, Order, Step};
use layerwise::error::Error;
use layerwise::explain::{Difference, Explanation, Finding};
use layerwise::go_json::Timestamp;
use layerwise::host::{Facts, Failure, Image, ImageStore};
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use layerwise_conformance::docker::{Functions, Session, SharedStore, Subject};

use crate::transcript::{Heard, Transcript};

/// The implementation and what it did so far.
pub struct Recorded<'a> {
    subject: &'a dyn Subject,
    /// Each step that is looked up is planned and explained first; neither
    /// changes anything.
    thorough: bool,
    transcript: Transcript,
}

impl<'a> Recorded<'a> {
    pub fn new(subject: &'a dyn Subject, thorough: bool) -> Self {
        Self {
            subject,
            thorough,
            transcript: Transcript::default(),
        }
    }

    pub fn lines(&self) -> Vec<String> {
        self.transcript.lines()
    }
}

impl Subject for Recorded<'_> {
    fn open(&self, inner: SharedStore, options: Options) -> Result<Box<dyn Session>, Error> {
        let asked = format!("{options:?}");
        let transcript = self.transcript.clone();
        let opened = self
            .subject
            .open(Arc::new(Heard { inner, transcript }), options);
        let told = opened.as_ref().map(|_| "a session");
        self.transcript.note("open", asked, told).ok();
        Ok(Box::new(Lookups {
            inner: opened?,
            thorough: self.thorough,
            transcript: self.transcript.clone(),
        }))
    }

    fn functions(&self) -> &dyn Functions {
        self
    }
}

impl Functions for Recorded<'_> {
    fn compare_configs(
        &self,
        have: Option<&str>,
        want: Option<&str>,
        semantics: &Semantics,
    ) -> Result<Comparison, Error> {
        let answer = self
            .subject
            .functions()
            .compare_configs(have, want, semantics);
        let asked = (have, want, semantics);
        self.transcript.note("compare-configs", asked, answer)
    }

    fn match_platforms(
        &self,
        builders: &[Platform],
        images: &[Platform],
        host_os: &str,
        semantics: &Semantics,
    ) -> Result<Vec<Vec<bool>>, Error> {
        let answer = self
            .subject
            .functions()
            .match_platforms(builders, images, host_os, semantics);
        let asked = (builders, images, host_os, semantics);
        self.transcript.note("match-platforms", asked, answer)
    }

    fn normalize_platform(&self, platform: &Platform, host_os: &str) -> Result<Platform, Error> {
        let answer = self
            .subject
            .functions()
            .normalize_platform(platform, host_os);
        let asked = (platform, host_os);
        self.transcript.note("normalize-platform", asked, answer)
    }

    fn step_platform(
        &self,
        base: Option<&Platform>,
        build: Option<&Platform>,
        machine: &Platform,
        semantics: &Semantics,
    ) -> Result<Platform, Error> {
        let answer = self
            .subject
            .functions()
            .step_platform(base, build, machine, semantics);
        let asked = (base, build, machine, semantics);
        self.transcript.note("step-platform", asked, answer)
    }

    fn compare_parent(
        &self,
        document: &str,
        parent: Option<&str>,
        semantics: &Semantics,
    ) -> Result<Option<Finding>, Error> {
        let answer = self
            .subject
            .functions()
            .compare_parent(document, parent, semantics);
        let asked = (document, parent, semantics);
        self.transcript.note("compare-parent", asked, answer)
    }

    fn compare_command(
        &self,
        entry: &str,
        config: &str,
        semantics: &Semantics,
    ) -> Result<Option<Finding>, Error> {
        let answer = self
            .subject
            .functions()
            .compare_command(entry, config, semantics);
        let asked = (entry, config, semantics);
        self.transcript.note("compare-command", asked, answer)
    }

    fn compare_history(&self, a: &str, b: &str) -> Result<Vec<Difference>, Error> {
        let answer = self.subject.functions().compare_history(a, b);
        self.transcript.note("compare-history", (a, b), answer)
    }

    fn layer_of(
        &self,
        document: &str,
        index: u32,
        semantics: &Semantics,
    ) -> Result<Option<String>, Error> {
        let answer = self
            .subject
            .functions()
            .layer_of(document, index, semantics);
        let asked = (document, index, semantics);
        self.transcript.note("layer-of", asked, answer)
    }

    fn newest(
        &self,
        created: &[Option<String>],
        semantics: &Semantics,
    ) -> Result<Option<u32>, Error> {
        let answer = self.subject.functions().newest(created, semantics);
        self.transcript.note("newest", (created, semantics), answer)
    }

    fn parse_time(&self, text: &str) -> Result<Timestamp, Error> {
        let answer = self.subject.functions().parse_time(text);
        self.transcript.note("parse-time", text, answer)
    }

    fn encode_config(&self, text: &str, semantics: &Semantics) -> Result<String, Error> {
        let answer = self.subject.functions().encode_config(text, semantics);
        self.transcript
            .note("encode-config", (text, semantics), answer)
    }

    fn encode_image(
        &self,
        text: &str,
        order: Order,
        semantics: &Semantics,
    ) -> Result<String, Error> {
        let answer = self
            .subject
            .functions()
            .encode_image(text, order, semantics);
        let asked = (text, order, semantics);
        self.transcript.note("encode-image", asked, answer)
    }
}

struct Lookups {
    inner: Box<dyn Session>,
    thorough: bool,
    transcript: Transcript,
}

impl Session for Lookups {
    fn lookup(&mut self, step: &Step) -> Result<Answer, Error> {
        if self.thorough {
            self.plan(step).ok();
            self.explain(step).ok();
        }
        let answer = self.inner.lookup(step);
        self.transcript.note("lookup", step, answer)
    }

    fn plan(&mut self, step: &Step) -> Result<Answer, Error> {
        let answer = self.inner.plan(step);
        self.transcript.note("plan", step, answer)
    }

    fn replay(&mut self, steps: &[Step]) -> Result<Vec<Answer>, Error> {
        let answer = self.inner.replay(steps);
        self.transcript.note("replay", steps, answer)
    }

    fn explain(&mut self, step: &Step) -> Result<Explanation, Error> {
        let answer = self.inner.explain(step);
        self.transcript.note("explain", step, answer)
    }

    fn sources(&mut self) -> Result<Vec<String>, Error> {
        let answer = self.inner.sources();
        self.transcript.note("sources", (), answer)
    }

    fn skipped(&mut self) -> Result<Vec<Finding>, Error> {
        let answer = self.inner.skipped();
        self.transcript.note("skipped", (), answer)
    }
}

impl ImageStore for Heard<dyn ImageStore + Send + Sync> {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        let answer = self.inner.get(ids, want, limit);
        let asked = (ids, want, limit);
        self.transcript.note("images get", asked, answer)
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        let answer = self.inner.resolve(references, limit);
        let asked = (references, limit);
        self.transcript.note("images resolve", asked, answer)
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        let answer = self.inner.children(parent);
        self.transcript.note("images children", parent, answer)
    }

    fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
        let answer = self.inner.set_parent(target, parent);
        let asked = (target, parent);
        self.transcript.note("images set-parent", asked, answer)
    }

    fn create(
        &self,
        parent: Option<&str>,
        document: &str,
        layer: Option<&str>,
    ) -> Result<String, Failure> {
        let answer = self.inner.create(parent, document, layer);
        let asked = (parent, document, layer);
        self.transcript.note("images create", asked, answer)
    }
}
