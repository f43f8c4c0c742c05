//! `POST /v1/docker/plan`: what one step of the classic builder would hit.

use std::sync::Arc;

use layerwise::docker::{Answer, CacheFrom, Options, Policy, Session, Step};
use layerwise::explain::{Explanation, Finding};
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{Refusal, parse};
use crate::http::Response;
use crate::images::{Given, Images};
use crate::registry::Remote;
use crate::semantics::Asked;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "docker-plan-request")]
pub struct Wanted {
    #[serde(default)]
    semantics: Asked,
    /// The store: all images that can matter.
    images: Vec<Given>,
    #[serde(default)]
    cache_from: Vec<Source>,
    /// An id or a name of the store; null for scratch.
    #[serde(default)]
    parent: Option<String>,
    /// The container config that the step would commit.
    config: Box<RawValue>,
    /// Such as `linux/amd64`.
    platform: String,
    #[serde(default)]
    last: bool,
    #[serde(default)]
    explain: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "docker-source")]
struct Source {
    reference: String,
    #[serde(default)]
    trusted: bool,
}

/// The document of `layerwise docker plan --json`.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    command: &'static str,
    store: &'static str,
    semantics: Semantics,
    parent: Option<String>,
    platform: Platform,
    sources: Vec<String>,
    skipped: Vec<Finding>,
    answer: Answer,
    explanation: Option<Explanation>,
}

/// Decides.
pub fn plan(body: &[u8], _: &Arc<Remote<'_>>) -> Result<Response, Refusal> {
    let wanted: Wanted = parse(body)?;
    let images = Images::new(wanted.images);
    let parent = match wanted.parent {
        None => None,
        Some(name) => match images.find(&name) {
            Some(image) => Some(image.id.clone()),
            None => {
                let message = format!("no image {name:?} is in the request");
                return Err(Refusal::new(404, "store", message));
            }
        },
    };
    let semantics = Semantics::from(wanted.semantics);
    let options = Options {
        semantics: semantics.clone(),
        cache_from: wanted
            .cache_from
            .into_iter()
            .map(|source| CacheFrom {
                reference: source.reference,
                trusted: source.trusted,
            })
            .collect(),
        policy: Policy {
            dry_run: true,
            ..Policy::default()
        },
        ..Options::default()
    };
    let step = Step {
        parent,
        config: Some(wanted.config.get().to_owned()),
        platform: platform(&wanted.platform)?,
        last: wanted.last,
    };
    let mut session = Session::open(images, options)?;
    let skipped = session.skipped();
    let explanation = match wanted.explain {
        true => Some(session.explain(&step)?),
        false => None,
    };
    let answer = session.plan(&step)?;
    Ok(Response::json(
        200,
        &Document {
            schema: "layerwise/docker-step/1",
            command: "plan",
            store: "request",
            semantics,
            parent: step.parent,
            platform: step.platform,
            sources: session.sources(),
            skipped,
            answer,
            explanation,
        },
    ))
}

/// `OS/ARCH` or `OS/ARCH/VARIANT`.
fn platform(text: &str) -> Result<Platform, Refusal> {
    let mut parts = text.split('/').map(str::to_owned);
    let (os, architecture) = (parts.next(), parts.next());
    match (os, architecture, parts.next(), parts.next()) {
        (Some(os), Some(architecture), variant, None)
            if !os.is_empty() && !architecture.is_empty() && variant.as_deref() != Some("") =>
        {
            Ok(Platform {
                os,
                architecture,
                variant: variant.unwrap_or_default(),
                ..Platform::default()
            })
        }
        _ => Err(Refusal::usage(format!(
            "{text:?} is no platform: expected OS/ARCH or OS/ARCH/VARIANT, such as linux/amd64"
        ))),
    }
}
