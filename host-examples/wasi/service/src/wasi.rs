//! The one place that knows WASI: requests come in, responses go out, and registries
//! are asked over `wasi:http`.

use std::cell::OnceCell;
use std::env;
use std::sync::OnceLock;
use std::time::Duration;

use layerwise::host::{Failure, FailureCode};
use wasip2::clocks::monotonic_clock::{now, subscribe_instant};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, IncomingRequest, Method, OutgoingBody,
    OutgoingRequest, OutgoingResponse, RequestOptions, ResponseOutparam, Scheme,
};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::StreamError;

use crate::error::Refusal;
use crate::fetch::{Answer, Fetch, Question};
use crate::front::answer;
use crate::http::{Request, Response};
use crate::settings::Settings;

/// So many bytes are read at a time.
const PIECE: u64 = 64 << 10;

/// So many bytes are written at a time, the most that WASI takes in one call.
const WRITTEN: usize = 4096;

/// The environment of an instance stays as it is.
static SETTINGS: OnceLock<Result<Settings, String>> = OnceLock::new();

struct Service;

wasip2::http::proxy::export!(Service);

impl Guest for Service {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let settings = SETTINGS.get_or_init(|| Settings::read(|name| env::var(name).ok()));
        let response = match settings {
            Err(why) => Refusal::new(500, "other", why.as_str()).response(),
            Ok(settings) => {
                handled(settings, &request).unwrap_or_else(|refusal| refusal.response())
            }
        };
        // Whoever asked may be gone; nobody else is to be told.
        let _ = send(&response, out);
    }
}

fn handled(settings: &Settings, request: &IncomingRequest) -> Result<Response, Refusal> {
    let path = request.path_with_query().unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default().to_owned();
    let method = match request.method() {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Head => "HEAD",
        _ => "",
    };
    let body = match method {
        "POST" => {
            let lost = || Refusal::usage("the request has no body");
            let body = request.consume().map_err(|()| lost())?;
            let deadline = Deadline::after(settings.body_time);
            read(&body, settings.body_bytes, &deadline).map_err(|error| match error {
                Unread::TooLarge => Refusal::too_large("body-bytes", settings.body_bytes),
                Unread::Late => Refusal::new(408, "deadline", "the request does not come in time"),
                Unread::Broken => Refusal::usage("the request ends early"),
            })?
        }
        _ => Vec::new(),
    };
    let request = Request {
        method: method.to_owned(),
        path,
        body,
    };
    Ok(answer(
        settings,
        &Outgoing(settings.registry_time),
        &request,
    ))
}

fn send(response: &Response, out: ResponseOutparam) -> Result<(), ()> {
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_owned());
    let headers = Fields::from_list(&[
        header("content-type", response.content_type),
        header("content-length", &response.body.len().to_string()),
        header("cache-control", "no-store"),
    ])
    .map_err(|_| ())?;
    let outgoing = OutgoingResponse::new(headers);
    if response.status != 200 {
        outgoing.set_status_code(response.status)?;
    }
    let body = outgoing.body()?;
    ResponseOutparam::set(out, Ok(outgoing));
    {
        let stream = body.write()?;
        for piece in response.body.as_bytes().chunks(WRITTEN) {
            stream.blocking_write_and_flush(piece).map_err(|_| ())?;
        }
    }
    OutgoingBody::finish(body, None).map_err(|_| ())
}

/// A moment that nothing is waited for beyond, some time after the first wait.
struct Deadline {
    time: Duration,
    begun: OnceCell<(Pollable, u64)>,
}

impl Deadline {
    const fn after(time: Duration) -> Self {
        Self {
            time,
            begun: OnceCell::new(),
        }
    }

    /// Waits for something; false when the moment came first.
    fn wait(&self, other: &Pollable) -> bool {
        let (moment, end) = self.begun.get_or_init(|| {
            let nanoseconds = u64::try_from(self.time.as_nanos()).unwrap_or(u64::MAX);
            let end = now().saturating_add(nanoseconds);
            (subscribe_instant(end), end)
        });
        // What is there already does not save what keeps coming for ever.
        poll(&[other, moment]).contains(&0) && now() < *end
    }
}

enum Unread {
    TooLarge,
    Late,
    Broken,
}

/// All of a body.
fn read(body: &IncomingBody, limit: u64, deadline: &Deadline) -> Result<Vec<u8>, Unread> {
    let stream = body.stream().map_err(|()| Unread::Broken)?;
    let ready = OnceCell::new();
    let mut bytes = Vec::new();
    loop {
        match stream.read(PIECE) {
            // Most bodies are there as a whole, and nothing is waited for.
            Ok(piece) if piece.is_empty() => {
                if !deadline.wait(ready.get_or_init(|| stream.subscribe())) {
                    return Err(Unread::Late);
                }
            }
            Ok(piece) => bytes.extend(piece),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(_)) => return Err(Unread::Broken),
        }
        if u64::try_from(bytes.len()).is_ok_and(|size| size > limit) {
            return Err(Unread::TooLarge);
        }
    }
}

/// Asks registries, each within some time.
struct Outgoing(Duration);

impl Fetch for Outgoing {
    fn fetch(&self, question: &Question) -> Result<Answer, Failure> {
        let lost = |why: &str| {
            let message = format!("{:?} does not answer: {why}", question.host);
            Failure::new(FailureCode::Unavailable, message)
        };
        let deadline = Deadline::after(self.0);
        let future = self
            .ask(question)
            .ok_or_else(|| lost("it cannot be asked"))?;
        if !deadline.wait(&future.subscribe()) {
            return Err(lost("no response in time"));
        }
        let response = match future.get() {
            Some(Ok(Ok(response))) => response,
            Some(Ok(Err(code))) => return Err(lost(&format!("{code}"))),
            _ => return Err(lost("no response")),
        };
        let headers = response.headers().entries().into_iter();
        let headers = headers.map(|(name, value)| {
            let value = String::from_utf8_lossy(&value).into_owned();
            (name.to_ascii_lowercase(), value)
        });
        let mut answer = Answer {
            status: response.status(),
            headers: headers.collect(),
            body: Vec::new(),
        };
        if question.method == "GET" {
            let body = response.consume().map_err(|()| lost("no body"))?;
            answer.body = read(&body, question.limit, &deadline).map_err(|error| match error {
                Unread::TooLarge => Failure::new(
                    FailureCode::TooLarge,
                    format!("what {:?} sends is above the limit", question.host),
                ),
                Unread::Late => lost("no response in time"),
                Unread::Broken => lost("the response ends early"),
            })?;
        }
        Ok(answer)
    }
}

impl Outgoing {
    fn ask(&self, question: &Question) -> Option<FutureIncomingResponse> {
        let headers = Fields::new();
        headers.append("user-agent", b"layerwise-service").ok()?;
        for (name, value) in &question.headers {
            headers.append(name, value.as_bytes()).ok()?;
        }
        let request = OutgoingRequest::new(headers);
        let method = match question.method {
            "HEAD" => Method::Head,
            _ => Method::Get,
        };
        let scheme = match question.encrypted {
            true => Scheme::Https,
            false => Scheme::Http,
        };
        request.set_method(&method).ok()?;
        request.set_scheme(Some(&scheme)).ok()?;
        request.set_authority(Some(&question.host)).ok()?;
        request.set_path_with_query(Some(&question.path)).ok()?;
        let nanoseconds = u64::try_from(self.0.as_nanos()).ok();
        let options = RequestOptions::new();
        // A host that does not know these times has its own; ours is kept in any case.
        let _ = options.set_connect_timeout(nanoseconds);
        let _ = options.set_first_byte_timeout(nanoseconds);
        let _ = options.set_between_bytes_timeout(nanoseconds);
        outgoing_handler::handle(request, Some(options)).ok()
    }
}
