//! Paths, methods, and what is the same for all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Refusal;
use crate::fetch::Fetch;
use crate::http::{JSON, Request, Response};
use crate::registry::Remote;
use crate::settings::Settings;
use crate::{buildkit, buildpacks, docker};

/// What [`crate::openapi`] makes.
const DESCRIPTION: &str = include_str!("../openapi.json");
const TEXT: &str = "text/plain; version=0.0.4";

/// The requests that this instance answered, by path and status.
static COUNTS: Mutex<BTreeMap<(&'static str, u16), u64>> = Mutex::new(BTreeMap::new());

/// A decision: from the text of a request to a response.
type Decide = fn(&[u8], &Arc<Remote<'_>>) -> Result<Response, Refusal>;

const DECISIONS: [(&str, Decide); 4] = [
    ("/v1/docker/plan", docker::plan),
    ("/v1/buildkit/verify", buildkit::verify),
    ("/v1/buildkit/why", buildkit::why),
    ("/v1/buildpacks/plan", buildpacks::plan),
];

/// Answers a request. `fetch` asks registries.
pub fn answer(settings: &Settings, fetch: &dyn Fetch, request: &Request) -> Response {
    let (path, response) = routed(settings, fetch, request);
    let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    let count = counts.entry((path, response.status)).or_default();
    *count = count.saturating_add(1);
    response
}

/// The response, and the path as metrics name it.
fn routed(settings: &Settings, fetch: &dyn Fetch, request: &Request) -> (&'static str, Response) {
    let asked = (&*request.method, &*request.path);
    match asked {
        ("GET", "/health") => return ("/health", Response::text(JSON, "{\"status\":\"ok\"}\n")),
        ("GET", "/openapi.json") => return ("/openapi.json", Response::text(JSON, DESCRIPTION)),
        ("GET", "/metrics") => return ("/metrics", metrics(settings)),
        _ => {}
    }
    let found = DECISIONS.iter().find(|(path, _)| *path == request.path);
    let Some(&(path, decide)) = found else {
        let refusal = match asked.1 {
            "/health" | "/metrics" | "/openapi.json" => {
                Refusal::new(405, "usage", "this path is for GET")
            }
            other => Refusal::new(404, "usage", format!("there is no path {other:?}")),
        };
        return ("other", refusal.response());
    };
    if request.method != "POST" {
        let refusal = Refusal::new(405, "usage", "this path is for POST");
        return (path, refusal.response());
    }
    if u64::try_from(request.body.len()).is_ok_and(|size| size > settings.body_bytes) {
        let refusal = Refusal::too_large("body-bytes", settings.body_bytes);
        return (path, refusal.response());
    }
    let remote = Arc::new(Remote::new(settings, fetch));
    let decided = decide(&request.body, &remote);
    (path, decided.unwrap_or_else(|refusal| refusal.response()))
}

/// What this instance knows of itself. A server may run many; see the README.
fn metrics(settings: &Settings) -> Response {
    let mut text = format!(
        "# TYPE layerwise_build_info gauge\nlayerwise_build_info{{version={:?}}} 1\n\
         # TYPE layerwise_body_bytes_limit gauge\nlayerwise_body_bytes_limit {}\n\
         # TYPE layerwise_instance_requests_total counter\n",
        env!("CARGO_PKG_VERSION"),
        settings.body_bytes
    );
    let counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    for ((path, status), count) in counts.iter() {
        text.push_str(&format!(
            "layerwise_instance_requests_total{{path={path:?},status=\"{status}\"}} {count}\n"
        ));
    }
    Response::text(TEXT, &text)
}
