//! The decisions of layerwise over HTTP: a thin front without state.
//!
//! [`answer`] takes a request and gives a response, and knows no server; `wasi` is the
//! one place that does, so that everything else is tested natively. What a decision
//! needs comes with the request, or from the registries on the allow list ([`Settings`]).
//!
//! | path | module |
//! |---|---|
//! | `POST /v1/docker/plan` | `docker` |
//! | `POST /v1/buildkit/verify`, `POST /v1/buildkit/why` | `buildkit` |
//! | `POST /v1/buildpacks/plan` | `buildpacks` |
//! | `GET /health`, `GET /metrics` | `front` |
//! | `GET /openapi.json` | `openapi`, which makes it |

mod address;
mod buildkit;
mod buildpacks;
mod docker;
mod error;
mod fetch;
mod files;
mod front;
mod http;
mod images;
pub mod openapi;
mod registry;
mod semantics;
mod settings;
#[cfg(all(target_os = "wasi", target_env = "p2"))]
mod wasi;

pub use error::Refusal;
pub use fetch::{Answer, Fetch, Question};
pub use front::answer;
pub use http::{Request, Response};
pub use settings::Settings;
