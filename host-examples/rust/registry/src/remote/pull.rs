//! A blob as a stream that goes on after an interruption.

use std::io::{self, Read};
use std::time::Instant;

use ::http::{Method, StatusCode, header};
use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;

use super::http::{self, Request};
use super::refusal::refused;
use super::retry::{Tries, Trouble, ended_early, trouble};
use super::scope::{Repository, Scope};
use super::{MANIFESTS, Remote, uri};
use crate::content::Content;
use crate::failures;
use crate::limits::Limit;

/// So much progress makes up for earlier interruptions.
const PROGRESS: u64 = 1 << 20;

impl Remote {
    /// A manifest as bytes that can be read.
    pub fn manifest_content<'a>(
        &'a self,
        at: Repository<'a>,
        digest: &Digest,
        size: u64,
    ) -> Content<'a> {
        self.content(at, "manifests", digest, size)
    }

    /// A blob as bytes that can be read.
    pub fn blob<'a>(&'a self, at: Repository<'a>, digest: &Digest, size: u64) -> Content<'a> {
        self.content(at, "blobs", digest, size)
    }

    fn content<'a>(
        &'a self,
        at: Repository<'a>,
        kind: &'static str,
        digest: &Digest,
        size: u64,
    ) -> Content<'a> {
        let name = format!("{kind}/{digest}");
        let wanted = digest.clone();
        Content::new(digest.clone(), size, move || {
            if kind == "manifests"
                && let Some((_, bytes)) = self.kept.take(at, &wanted)
            {
                return Ok(Box::new(io::Cursor::new(bytes)));
            }
            let mut request = Request::new(Method::GET, self.uri(at, &name)?);
            if kind == "manifests" {
                request = request.header(header::ACCEPT, &MANIFESTS.join(", "));
            }
            Ok(Box::new(Pull::open(self, at, request, size)?))
        })
    }
}

/// The bytes of a manifest or blob; not checked.
pub struct Pull<'a> {
    remote: &'a Remote,
    at: Repository<'a>,
    request: Request<'a>,
    body: Option<Box<dyn Read + Send>>,
    tries: Tries,
    size: u64,
    done: u64,
    /// Where the last interruption was.
    stuck: u64,
    /// Where the registry says that the end is.
    end: Option<u64>,
    start: Instant,
}

impl<'a> Pull<'a> {
    /// Asks for it.
    pub fn open(
        remote: &'a Remote,
        at: Repository<'a>,
        request: Request<'a>,
        size: u64,
    ) -> Result<Self, Failure> {
        let mut pull = Self {
            remote,
            at,
            request,
            body: None,
            tries: remote.tries(),
            size,
            done: 0,
            stuck: 0,
            end: None,
            start: Instant::now(),
        };
        pull.connect()?;
        Ok(pull)
    }

    /// Asks for what is left; a registry that sends all of it again is read
    /// over.
    fn connect(&mut self) -> Result<(), Failure> {
        if self.done > 0 {
            self.request
                .set(header::RANGE, &format!("bytes={}-", self.done));
        }
        let scope = Scope::pull(self.at);
        let response = self
            .remote
            .send(self.at, scope, &self.request, &mut self.tries)?;
        let mut over = self.done;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::PARTIAL_CONTENT if self.is_rest(&response) => over = 0,
            _ => {
                let what = format!("cannot read {}", uri::shown(&self.request.uri));
                return Err(refused(&what, response));
            }
        }
        let start = self.done.saturating_sub(over);
        let length = response.body().content_length();
        self.end = length.map(|length| start.saturating_add(length));
        if let Some(end) = self.end.filter(|end| *end > self.size) {
            let message = format!(
                "{}: the registry announces {end} bytes, more than the {} that are expected",
                uri::shown(&self.request.uri),
                self.size
            );
            return Err(failures::new(FailureCode::Corrupt, message));
        }
        let mut body = http::body(response);
        if over > 0 {
            let skipped = io::copy(&mut (&mut body).take(over), &mut io::sink());
            if let Err(error) = skipped {
                return self.interrupted(trouble(uri::shown(&self.request.uri), &error));
            }
        }
        self.body = Some(Box::new(body));
        Ok(())
    }

    fn is_rest(&self, response: &http::Response) -> bool {
        let range = http::header(response, &header::CONTENT_RANGE).unwrap_or_default();
        range.starts_with(&format!("bytes {}-", self.done))
    }

    fn interrupted(&mut self, trouble: Trouble) -> Result<(), Failure> {
        self.check_time()?;
        self.body = None;
        if self.done.saturating_sub(self.stuck) >= PROGRESS {
            self.tries.renew();
        }
        self.stuck = self.done;
        self.tries.again(trouble)
    }

    fn check_time(&self) -> Result<(), Failure> {
        let most = self.remote.options.limits.of(Limit::TransferSeconds);
        if self.start.elapsed().as_secs() < most {
            return Ok(());
        }
        let message = format!(
            "{}: the transfer takes longer than the limit {} of {most}",
            uri::shown(&self.request.uri),
            Limit::TransferSeconds
        );
        Err(failures::new(FailureCode::Unavailable, message))
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        loop {
            self.check_time()?;
            let Some(body) = &mut self.body else {
                self.connect()?;
                continue;
            };
            let trouble = match body.read(buffer) {
                // All came that will ever come.
                Ok(0) if self.end == Some(self.done) => return Ok(0),
                Ok(0) if self.done < self.size => {
                    ended_early(uri::shown(&self.request.uri), self.done)
                }
                Ok(count) => {
                    let bytes = u64::try_from(count).unwrap_or(u64::MAX);
                    self.done = self.done.saturating_add(bytes);
                    return Ok(count);
                }
                Err(error) => trouble(uri::shown(&self.request.uri), &error),
            };
            self.interrupted(trouble)?;
        }
    }
}

impl Read for Pull<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.next(buffer).map_err(io::Error::other)
    }
}
