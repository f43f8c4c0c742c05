//! Connections of ureq.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Method, Uri};
use layerwise::host::{Failure, FailureCode};
use ureq::config::AutoHeaderValue;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, Proxy, SendBody};

use super::http::{AGENT, Payload, Request, Response, Sent, has_body};
use super::pace::Sending;
use super::retry::Trouble;
use super::uri;
use crate::content::Counted;
use crate::failures;
use crate::limits::{Limit, Limits};
use crate::options::Options;

/// The bytes of an answer.
pub use ureq::Body;

const LONGEST_HEADERS: usize = 64 << 10;

/// The connections.
#[derive(Debug)]
pub struct Http {
    /// To this machine, never through a proxy.
    near: Agent,
    /// To others, through the proxy that the environment names.
    far: Agent,
    limits: Limits,
    /// That proxy.
    proxy: Option<Proxy>,
}

impl Http {
    pub fn new(options: &Options) -> Result<Self, Failure> {
        let roots = roots(&options.certificates)?;
        let longest = Duration::from_secs(options.limits.of(Limit::TransferSeconds));
        let agent = |proxy| {
            let tls = TlsConfig::builder()
                .provider(TlsProvider::Rustls)
                .root_certs(roots.clone())
                .build();
            Agent::new_with_config(
                Agent::config_builder()
                    .http_status_as_error(false)
                    .max_redirects(0)
                    .max_redirects_will_error(false)
                    .user_agent(AGENT)
                    .accept_encoding(AutoHeaderValue::None)
                    .max_response_header_size(LONGEST_HEADERS)
                    .max_idle_connections_per_host(options.at_once.max(1))
                    .timeout_resolve(Some(options.timeouts.connect))
                    .timeout_connect(Some(options.timeouts.connect))
                    .timeout_per_read(Some(options.timeouts.idle))
                    .timeout_per_write(Some(options.timeouts.idle))
                    .timeout_global(Some(longest))
                    .proxy(proxy)
                    .tls_config(tls)
                    .build(),
            )
        };
        let proxy = Proxy::try_from_env();
        Ok(Self {
            near: agent(None),
            far: agent(proxy.clone()),
            proxy,
            limits: options.limits,
        })
    }

    /// Makes a request once, following nothing.
    pub fn exchange(
        &self,
        request: &Request<'_>,
        to: &Uri,
        authorization: Option<&str>,
    ) -> Result<Response, Trouble> {
        let mut head = ::http::Request::builder().method(&request.method).uri(to);
        for (name, value) in &request.headers {
            head = head.header(name, value);
        }
        if let Some(authorization) = authorization {
            head = head.header(::http::header::AUTHORIZATION, authorization);
        }
        let near = to
            .authority()
            .is_some_and(|host| uri::is_loopback(host.as_str()));
        let agent = if near { &self.near } else { &self.far };
        let answer = match &request.payload {
            Payload::Nothing if has_body(&request.method) => run(agent, head, &b""[..]),
            Payload::Nothing => run(agent, head, ()),
            Payload::Bytes(bytes) => run(agent, head, *bytes),
            Payload::Content(content, progress) => {
                let input = content.input()?;
                let item = content.digest().as_str();
                let input = Counted::new(input, progress, item, content.size());
                let mut input = Sending::new(input, &self.limits);
                head = head.header(::http::header::CONTENT_LENGTH, content.size());
                run(agent, head, SendBody::from_reader(&mut input))
            }
        };
        let mut response = answer.map_err(|error| {
            let proxy = self
                .proxy
                .as_ref()
                .filter(|proxy| !near && !proxy.is_no_proxy(to));
            trouble(&request.method, to, &error, proxy)
        })?;
        response.extensions_mut().insert(self.limits);
        if let Some(authorization) = authorization {
            let sent = Sent(authorization.to_owned());
            response.extensions_mut().insert(sent);
        }
        Ok(response)
    }
}

fn run(
    agent: &Agent,
    head: ::http::request::Builder,
    body: impl ureq::AsSendBody,
) -> Result<Response, ureq::Error> {
    agent.run(head.body(body)?)
}

fn roots(certificates: &[Vec<u8>]) -> Result<RootCerts, Failure> {
    if certificates.is_empty() {
        return Ok(RootCerts::PlatformVerifier);
    }
    let mut found: Vec<Certificate<'static>> = Vec::new();
    for item in certificates.iter().flat_map(|pem| parse_pem(pem)) {
        if let Ok(PemItem::Certificate(certificate)) = item {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        let message = "there is no certificate in what is to be trusted";
        return Err(failures::new(FailureCode::Invalid, message));
    }
    Ok(RootCerts::Specific(Arc::new(found)))
}

/// What an error means: the way may be free again later, or something is wrong.
fn trouble(method: &Method, to: &Uri, error: &ureq::Error, proxy: Option<&Proxy>) -> Trouble {
    let to = uri::shown(to);
    // Without its user and password.
    let way = proxy.map_or_else(String::new, |proxy| {
        let (host, port) = (proxy.host(), proxy.port());
        format!(
            "; it goes through the proxy {host}:{port} that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY \
             names: check it, or except the host with NO_PROXY"
        )
    });
    let failed = |code, why: &str| failures::new(code, format!("{method} {to}: {why}{way}"));
    let passing = |why: &str| Trouble::passing(failed(FailureCode::Unavailable, why));
    match error {
        ureq::Error::Io(error) => {
            if let Some(failure) = failures::carried(error) {
                return failure.clone().into();
            }
            let why = failures::lower(&error.to_string());
            match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                    failed(FailureCode::Other, &why).into()
                }
                _ => passing(&why),
            }
        }
        ureq::Error::Timeout(_) => passing("no response in time"),
        ureq::Error::HostNotFound => passing("the host is not known"),
        ureq::Error::ConnectionFailed => passing("no connection"),
        ureq::Error::Protocol(_) | ureq::Error::BodyStalled => {
            passing(&failures::lower(&error.to_string()))
        }
        ureq::Error::BadUri(_) => failed(FailureCode::Invalid, "not an address").into(),
        _ => failed(FailureCode::Other, &failures::lower(&error.to_string())).into(),
    }
}
