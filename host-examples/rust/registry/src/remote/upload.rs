//! Blobs: mounted from another repository of the registry, or sent as a whole.

use ::http::{Method, StatusCode, Uri, header};
use layerwise::host::{Failure, FailureCode, Presence};

use super::http::{self, Payload, Request};
use super::refusal::refused;
use super::retry::Trouble;
use super::scope::Scope;
use super::{Remote, Repository, uri};
use crate::content::Content;
use crate::failures;

impl Remote {
    /// Stores a blob unless it is there; returns whether it was not. `from` is
    /// another repository of the same registry that has it.
    pub fn store(
        &self,
        at: Repository<'_>,
        content: &Content<'_>,
        from: Option<&str>,
    ) -> Result<bool, Failure> {
        if self.has(at, &content.digest)? == Presence::Present {
            return Ok(false);
        }
        let mut tries = self.tries();
        let mut from = from;
        loop {
            match self.upload(at, content, from.take()) {
                Ok(()) => return Ok(true),
                Err(trouble) => tries.again(trouble)?,
            }
            // The answer to an earlier try may have been lost.
            if self.has(at, &content.digest)? == Presence::Present {
                return Ok(true);
            }
        }
    }

    fn upload(
        &self,
        at: Repository<'_>,
        content: &Content<'_>,
        from: Option<&str>,
    ) -> Result<(), Trouble> {
        let what = format!(
            "cannot store {} in \"{}/{}\"",
            content.digest, at.host, at.path
        );
        let mut to = self.uri(at, "blobs/uploads/")?;
        if let Some(from) = from {
            to = uri::with(&to, "mount", content.digest.as_str())?;
            to = uri::with(&to, "from", from)?;
        }
        let scope = Scope::push(at).and_from(from);
        let request = Request::new(Method::POST, to.clone());
        let response = self.try_once(at, scope, &request)?;
        match response.status() {
            StatusCode::CREATED if from.is_some() => return Ok(()),
            StatusCode::ACCEPTED => {}
            _ => return Err(refused(&what, response).into()),
        }
        let Some(location) = http::header(&response, &header::LOCATION) else {
            let message = format!("{what}: the registry does not say where");
            return Err(failures::new(FailureCode::Other, message).into());
        };
        drop(response);
        let session = uri::follow(&to, &location)?;
        let sent = self.send_content(scope, at, content, &what, &session);
        if sent.is_err() {
            self.give_up(scope, at, session);
        }
        sent
    }

    fn send_content(
        &self,
        scope: Scope<'_>,
        at: Repository<'_>,
        content: &Content<'_>,
        what: &str,
        session: &Uri,
    ) -> Result<(), Trouble> {
        let to = uri::with(session, "digest", content.digest.as_str())?;
        let request = Request::new(Method::PUT, to)
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .payload(Payload::Content(content, &self.options.progress));
        let response = self.try_session(scope, at, &request)?;
        match response.status() {
            status if status.is_success() => Ok(()),
            // The session is gone: another one may last longer.
            StatusCode::NOT_FOUND => Err(Trouble::passing(refused(what, response))),
            _ => Err(refused(what, response).into()),
        }
    }

    /// Frees what the registry keeps for an upload that will not be finished.
    fn give_up(&self, scope: Scope<'_>, at: Repository<'_>, session: Uri) {
        let _ = self.try_session(scope, at, &Request::new(Method::DELETE, session));
    }

    /// A request to an upload session. It may be on another host, which then
    /// gets no credentials.
    fn try_session(
        &self,
        scope: Scope<'_>,
        at: Repository<'_>,
        request: &Request<'_>,
    ) -> Result<http::Response, Trouble> {
        let registry = self.uri(at, "")?;
        if uri::same_origin(&registry, &request.uri) {
            return self.try_once(at, scope, request);
        }
        Ok(self.http.once(request, None)?.0)
    }
}
