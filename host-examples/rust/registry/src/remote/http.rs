//! One request and its answer, with redirects followed.

use std::io::Read;

use ::http::{HeaderName, Method, StatusCode, Uri};
use layerwise::host::FailureCode;

use super::pace::Received;
use super::retry::Trouble;
use super::uri;
use super::wire::Body;
use crate::content::Sendable;
use crate::failures;
use crate::limits::Limits;
use crate::options::Progress;

pub use super::wire::Http;

/// What registries are told of this program.
pub const AGENT: &str = concat!("layerwise/", env!("CARGO_PKG_VERSION"));
const REDIRECTS: usize = 5;

/// What came back.
pub type Response = ::http::Response<Body>;

/// What an answer was asked for with, which a registry may repeat in its words.
#[derive(Clone)]
pub struct Sent(pub String);

/// That an answer comes from where another one led.
#[derive(Clone, Copy)]
pub struct Redirected;

/// What is sent along.
pub enum Payload<'a> {
    Nothing,
    Bytes(&'a [u8]),
    Content(&'a dyn Sendable, &'a Progress),
}

/// A request that can be made more than once.
pub struct Request<'a> {
    pub method: Method,
    pub uri: Uri,
    pub headers: Vec<(HeaderName, String)>,
    pub payload: Payload<'a>,
}

impl<'a> Request<'a> {
    pub const fn new(method: Method, uri: Uri) -> Self {
        Self {
            method,
            uri,
            headers: Vec::new(),
            payload: Payload::Nothing,
        }
    }

    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.set(name, value);
        self
    }

    pub fn set(&mut self, name: HeaderName, value: &str) {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
    }

    pub fn payload(mut self, payload: Payload<'a>) -> Self {
        self.payload = payload;
        self
    }
}

impl Http {
    /// Makes a request once. Reading requests follow redirects; credentials go
    /// to the origin of the request only. Returns too whether the response is
    /// from there.
    pub fn once(
        &self,
        request: &Request<'_>,
        authorization: Option<&str>,
    ) -> Result<(Response, bool), Trouble> {
        let mut to = request.uri.clone();
        for redirects in 0..=REDIRECTS {
            let own = uri::same_origin(&request.uri, &to);
            let mut response = self.exchange(request, &to, authorization.filter(|_| own))?;
            if redirects > 0 {
                response.extensions_mut().insert(Redirected);
            }
            let reading = matches!(request.method, Method::GET | Method::HEAD);
            if !reading || !is_redirect(response.status()) {
                return Ok((response, own));
            }
            let Some(location) = header(&response, &::http::header::LOCATION) else {
                return Ok((response, own));
            };
            to = uri::follow(&to, &location)?;
        }
        let from = uri::shown(&request.uri);
        let message = format!("{from} redirects more than {REDIRECTS} times");
        Err(failures::new(FailureCode::Other, message).into())
    }
}

/// The bytes of an answer, which must keep coming.
pub fn body(response: Response) -> impl Read + Send {
    let limits = response.extensions().get::<Limits>().copied();
    let limits = limits.unwrap_or_default();
    Received::new(response.into_body().into_reader(), &limits)
}

/// One header as text.
pub fn header(response: &Response, name: &HeaderName) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// All headers of a name as texts.
pub fn headers(response: &Response, name: &HeaderName) -> Vec<String> {
    let all = response.headers().get_all(name).iter();
    all.filter_map(|value| Some(value.to_str().ok()?.to_owned()))
        .collect()
}

/// Whether a request of this method always has a body, if only an empty one.
pub const fn has_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}
