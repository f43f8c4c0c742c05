//! An implementation whose every call is written down, together with the calls
//! it makes of its host.

use std::sync::Arc;

use layerwise::buildpacks::{
    Addition, Commit, ImageOptions, LayerAnswer, RecordedSha, RestoreOptions, RestorePlan,
    RestoreRequest, Retrieval, State, WantedLayer,
};
use layerwise::error::Error;
use layerwise::explain::Explanation;
use layerwise_conformance::buildpacks::{
    ImageSession, RestoreSession, SharedFilesystem, SharedObserver, SharedRegistry, Subject,
};

use crate::transcript::{Heard, Transcript};

/// The implementation and what it did so far.
pub struct Recorded<'a> {
    subject: &'a dyn Subject,
    transcript: Transcript,
}

impl<'a> Recorded<'a> {
    pub fn new(subject: &'a dyn Subject) -> Self {
        Self {
            subject,
            transcript: Transcript::default(),
        }
    }

    pub fn lines(&self) -> Vec<String> {
        self.transcript.lines()
    }

    fn heard<T: ?Sized>(&self, inner: Arc<T>) -> Arc<Heard<T>> {
        Arc::new(Heard {
            inner,
            transcript: self.transcript.clone(),
        })
    }

    fn session<S: ?Sized>(
        &self,
        call: &str,
        asked: &str,
        opened: Result<Box<S>, Error>,
    ) -> Result<Session<S>, Error> {
        let told = opened.as_ref().map(|_| "a session");
        self.transcript.note(call, asked, told).ok();
        Ok(Session {
            inner: opened?,
            transcript: self.transcript.clone(),
        })
    }
}

impl Subject for Recorded<'_> {
    fn open_image(
        &self,
        registry: SharedRegistry,
        observer: SharedObserver,
        options: ImageOptions,
    ) -> Result<Box<dyn ImageSession>, Error> {
        let asked = format!("{options:?}");
        let (registry, observer) = (self.heard(registry), self.heard(observer));
        let opened = self.subject.open_image(registry, observer, options);
        Ok(Box::new(self.session("open-image", &asked, opened)?))
    }

    fn open_restorer(
        &self,
        filesystem: SharedFilesystem,
        observer: SharedObserver,
        options: RestoreOptions,
    ) -> Result<Box<dyn RestoreSession>, Error> {
        let asked = format!("{options:?}");
        let (filesystem, observer) = (self.heard(filesystem), self.heard(observer));
        let opened = self.subject.open_restorer(filesystem, observer, options);
        Ok(Box::new(self.session("open-restorer", &asked, opened)?))
    }
}

struct Session<S: ?Sized> {
    inner: Box<S>,
    transcript: Transcript,
}

impl ImageSession for Session<dyn ImageSession> {
    fn exists(&mut self) -> Result<bool, Error> {
        let answer = self.inner.exists();
        self.transcript.note("exists", (), answer)
    }

    fn name(&mut self) -> Result<String, Error> {
        let answer = self.inner.name();
        self.transcript.note("name", (), answer)
    }

    fn metadata(&mut self) -> Result<Retrieval, Error> {
        let answer = self.inner.metadata();
        self.transcript.note("metadata", (), answer)
    }

    fn set_metadata(&mut self, document: &str) -> Result<(), Error> {
        let answer = self.inner.set_metadata(document);
        self.transcript.note("set-metadata", document, answer)
    }

    fn add(&mut self, layers: &[Addition]) -> Result<Vec<LayerAnswer>, Error> {
        let answer = self.inner.add(layers);
        self.transcript.note("add", layers, answer)
    }

    fn reuse(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error> {
        let answer = self.inner.reuse(diff_ids);
        self.transcript.note("reuse", diff_ids, answer)
    }

    fn retrieve(&mut self, layers: &[WantedLayer]) -> Result<Vec<LayerAnswer>, Error> {
        let answer = self.inner.retrieve(layers);
        self.transcript.note("retrieve", layers, answer)
    }

    fn verify(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error> {
        let answer = self.inner.verify(diff_ids);
        self.transcript.note("verify", diff_ids, answer)
    }

    fn plan(&mut self) -> Result<Commit, Error> {
        let answer = self.inner.plan();
        self.transcript.note("plan", (), answer)
    }

    fn commit(&mut self) -> Result<Commit, Error> {
        let answer = self.inner.commit();
        self.transcript.note("commit", (), answer)
    }

    fn state(&mut self) -> Result<State, Error> {
        let answer = self.inner.state();
        self.transcript.note("state", (), answer)
    }

    fn explain(&mut self) -> Result<Explanation, Error> {
        let answer = self.inner.explain();
        self.transcript.note("explain", (), answer)
    }
}

impl RestoreSession for Session<dyn RestoreSession> {
    fn plan(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        let answer = self.inner.plan(request);
        self.transcript.note("plan", request, answer)
    }

    fn restore(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        let answer = self.inner.restore(request);
        self.transcript.note("restore", request, answer)
    }

    fn explain(&mut self, request: &RestoreRequest) -> Result<Explanation, Error> {
        let answer = self.inner.explain(request);
        self.transcript.note("explain", request, answer)
    }

    fn shas(&mut self) -> Result<Vec<RecordedSha>, Error> {
        let answer = self.inner.shas();
        self.transcript.note("shas", (), answer)
    }
}
