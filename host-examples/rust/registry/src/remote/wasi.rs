//! Connections of the runtime: `wasi:http`.
//!
//! The runtime has the certificates and knows the way, proxies included.

use std::io::{self, Read};
use std::time::Duration;

use ::http::{Method, Uri};
use layerwise::host::{Failure, FailureCode};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method as WasiMethod, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::streams::InputStream;

use super::http::{AGENT, Payload, Request, Response, Sent, has_body};
use super::pace::Sending;
use super::retry::Trouble;
use super::uri;
use crate::content::Counted;
use crate::failures;
use crate::limits::Limits;
use crate::options::{Options, Timeouts};

/// The connections, which the runtime has.
#[derive(Debug)]
pub struct Http {
    limits: Limits,
    timeouts: Timeouts,
}

/// The bytes of an answer. Its parts are dropped in this order, as the runtime wants it.
pub struct Body {
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
    length: Option<u64>,
}

impl Body {
    /// How many bytes the registry announced.
    pub const fn content_length(&self) -> Option<u64> {
        self.length
    }

    pub fn into_reader(self) -> impl Read + Send {
        self
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(&mut self.stream, buffer)
    }
}

impl Http {
    pub fn new(options: &Options) -> Result<Self, Failure> {
        if !options.certificates.is_empty() {
            let message = "the certificates to trust are those of the WASI runtime: none are given";
            return Err(failures::new(FailureCode::Unsupported, message));
        }
        Ok(Self {
            limits: options.limits,
            timeouts: options.timeouts,
        })
    }

    /// Makes a request once, following nothing.
    pub fn exchange(
        &self,
        request: &Request<'_>,
        to: &Uri,
        authorization: Option<&str>,
    ) -> Result<Response, Trouble> {
        let mut headers: Vec<(&str, &str)> = vec![("user-agent", AGENT)];
        for (name, value) in &request.headers {
            headers.push((name.as_str(), value));
        }
        if let Some(authorization) = authorization {
            headers.push(("authorization", authorization));
        }
        let size = match &request.payload {
            Payload::Nothing => has_body(&request.method).then_some(0),
            Payload::Bytes(bytes) => Some(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            Payload::Content(content, _) => Some(content.size()),
        };
        let length = size.map(|size| size.to_string());
        if let Some(length) = &length {
            headers.push(("content-length", length));
        }
        let failed = |why: &str| failed(FailureCode::Invalid, &request.method, to, why);
        let outgoing = outgoing(&request.method, to, &headers)
            .ok_or_else(|| failed("the runtime refuses the request"))?;
        let body = outgoing
            .body()
            .map_err(|()| failed("the runtime refuses the request"))?;
        let answer = outgoing_handler::handle(outgoing, Some(self.options()))
            .map_err(|error| trouble(&request.method, to, &error))?;
        self.send(request, to, body)?;
        answer.subscribe().block();
        let response = match answer.get() {
            Some(Ok(Ok(response))) => response,
            Some(Ok(Err(error))) => return Err(trouble(&request.method, to, &error)),
            _ => return Err(failed("the runtime has no answer").into()),
        };
        let mut response =
            read(response).ok_or_else(|| failed("the answer of the registry cannot be read"))?;
        response.extensions_mut().insert(self.limits);
        if let Some(authorization) = authorization {
            let sent = Sent(authorization.to_owned());
            response.extensions_mut().insert(sent);
        }
        Ok(response)
    }

    fn send(&self, request: &Request<'_>, to: &Uri, body: OutgoingBody) -> Result<(), Trouble> {
        let failed = |why: &str| failed(FailureCode::Unavailable, &request.method, to, why);
        let mut stream = body
            .write()
            .map_err(|()| failed("the runtime takes no body"))?;
        let poured = match &request.payload {
            Payload::Nothing => Ok(0),
            Payload::Bytes(bytes) => io::copy(&mut &bytes[..], &mut stream),
            Payload::Content(content, progress) => {
                let item = content.digest().as_str();
                let input = Counted::new(content.input()?, progress, item, content.size());
                io::copy(&mut Sending::new(input, &self.limits), &mut stream)
            }
        };
        let flushed = poured.and_then(|_| io::Write::flush(&mut stream));
        drop(stream);
        match flushed {
            Ok(()) => OutgoingBody::finish(body, None)
                .map_err(|error| trouble(&request.method, to, &error)),
            Err(error) => match failures::carried(&error) {
                Some(failure) => Err(failure.clone().into()),
                // The registry may have answered before it read all: what it said counts.
                None => Ok(()),
            },
        }
    }

    /// What is waited for. A runtime that has no such limit keeps its own.
    fn options(&self) -> RequestOptions {
        let options = RequestOptions::new();
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).ok();
        let _ = options.set_connect_timeout(nanoseconds(self.timeouts.connect));
        let _ = options.set_first_byte_timeout(nanoseconds(self.timeouts.idle));
        let _ = options.set_between_bytes_timeout(nanoseconds(self.timeouts.idle));
        options
    }
}

/// A request as the runtime takes it; `None` where it does not.
fn outgoing(method: &Method, to: &Uri, headers: &[(&str, &str)]) -> Option<OutgoingRequest> {
    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value.as_bytes()).ok()?;
    }
    let request = OutgoingRequest::new(fields);
    let method = match *method {
        Method::GET => WasiMethod::Get,
        Method::HEAD => WasiMethod::Head,
        Method::POST => WasiMethod::Post,
        Method::PUT => WasiMethod::Put,
        Method::PATCH => WasiMethod::Patch,
        Method::DELETE => WasiMethod::Delete,
        ref other => WasiMethod::Other(other.to_string()),
    };
    request.set_method(&method).ok()?;
    let scheme = match to.scheme_str() {
        Some("http") => Scheme::Http,
        _ => Scheme::Https,
    };
    request.set_scheme(Some(&scheme)).ok()?;
    request
        .set_authority(to.authority().map(|host| host.as_str()))
        .ok()?;
    let path = to.path_and_query().map(|path| path.as_str());
    request.set_path_with_query(path).ok()?;
    Some(request)
}

fn read(response: IncomingResponse) -> Option<Response> {
    let mut head = ::http::Response::builder().status(response.status());
    for (name, value) in response.headers().entries() {
        head = head.header(name, value);
    }
    let length = head.headers_ref().and_then(|headers| {
        let length = headers.get(::http::header::CONTENT_LENGTH)?;
        length.to_str().ok()?.parse().ok()
    });
    let body = response.consume().ok()?;
    let stream = body.stream().ok()?;
    head.body(Body {
        stream,
        _body: body,
        _response: response,
        length,
    })
    .ok()
}

fn failed(code: FailureCode, method: &Method, to: &Uri, why: &str) -> Failure {
    failures::new(code, format!("{method} {}: {why}", uri::shown(to)))
}

/// What an error means: the way may be free again later, or something is wrong.
fn trouble(method: &Method, to: &Uri, error: &ErrorCode) -> Trouble {
    let passing = |why: &str| Trouble::passing(failed(FailureCode::Unavailable, method, to, why));
    match error {
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => {
            passing("the host is not known")
        }
        ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionLimitReached => passing("no connection"),
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => passing("no response in time"),
        ErrorCode::ConnectionTerminated
        | ErrorCode::HttpResponseIncomplete
        | ErrorCode::HttpProtocolError => passing("the connection ended early"),
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            let why = "the WASI runtime allows no request to it";
            failed(FailureCode::Denied, method, to, why).into()
        }
        ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => {
            let why = "its certificate or encryption is refused by the WASI runtime";
            failed(FailureCode::Other, method, to, why).into()
        }
        ErrorCode::InternalError(why) => {
            let why = why.as_deref().unwrap_or("the WASI runtime failed");
            passing(&failures::lower(why))
        }
        other => {
            let why = failures::lower(&format!("{other:?}"));
            failed(FailureCode::Other, method, to, &why).into()
        }
    }
}
