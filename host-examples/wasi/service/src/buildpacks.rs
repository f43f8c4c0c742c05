//! `POST /v1/buildpacks/plan`: which layer metadata a build would find again.

use std::collections::BTreeMap;
use std::sync::Arc;

use layerwise::buildpacks::{
    CacheImage, GroupElement, ImageOptions, ImagePolicy, RestoreOptions, RestorePlan,
    RestorePolicy, RestoreRequest, Restorer, Retrieval, ShaStore,
};
use layerwise::explain::{Explanation, Finding};
use layerwise::host::Silent;
use layerwise::semantics::Semantics;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Refusal, parse};
use crate::files::Files;
use crate::http::Response;
use crate::registry::Remote;
use crate::semantics::Asked;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "buildpacks-plan-request")]
pub struct Wanted {
    #[serde(default)]
    semantics: Asked,
    /// Such as `0.14`.
    platform_api: String,
    /// The layers directory as the build sees it, such as `/layers`.
    directory: String,
    /// Files that are in it already, by their paths; none before a build.
    #[serde(default)]
    files: BTreeMap<String, String>,
    group: Vec<Element>,
    /// The label of the application image; null without one.
    #[serde(default)]
    app: Option<String>,
    #[serde(default)]
    cache: Option<Cache>,
    #[serde(default)]
    skip_layers: bool,
    #[serde(default)]
    explain: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "buildpacks-element")]
struct Element {
    id: String,
    #[serde(default)]
    version: String,
    api: String,
}

/// Where the metadata of the cache is.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "buildpacks-cache-source")]
enum Cache {
    /// The text of the label.
    Label(String),
    /// A cache image in a registry.
    Image {
        /// `host/name:tag`.
        reference: String,
        /// Whose cache it is; the guarded reading needs it.
        #[serde(default)]
        scope: String,
        #[serde(default)]
        accept_unscoped: bool,
    },
}

/// The document of `layerwise buildpacks plan --json`.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    command: &'static str,
    semantics: Semantics,
    platform_api: String,
    layers: String,
    directory: String,
    group: Vec<GroupElement>,
    app: Option<App>,
    cache: Option<Found>,
    plan: RestorePlan,
    /// Content is moved by whoever has it.
    data: Option<()>,
    explanation: Option<Explanation>,
}

/// The application's metadata.
#[derive(Serialize)]
struct App {
    from: &'static str,
    name: String,
    found: bool,
}

/// The cache's metadata.
#[derive(Serialize)]
struct Found {
    from: &'static str,
    name: String,
    digest: Option<String>,
    finding: Option<Finding>,
}

/// Decides.
pub fn plan(body: &[u8], remote: &Arc<Remote<'_>>) -> Result<Response, Refusal> {
    let wanted: Wanted = parse(body)?;
    let semantics = Semantics::from(wanted.semantics);
    let (cache, found) = match wanted.cache {
        None => (None, None),
        Some(cache) => {
            let (text, found) = metadata(cache, &semantics, remote)?;
            (Some(text), Some(found))
        }
    };
    let app = wanted.app.as_ref().map(|_| App {
        from: "request",
        name: String::new(),
        found: true,
    });
    let request = RestoreRequest {
        group: wanted
            .group
            .into_iter()
            .map(|element| GroupElement {
                id: element.id,
                version: element.version,
                api: element.api,
            })
            .collect(),
        app: wanted.app,
        cache,
        retrieval: found
            .as_ref()
            .and_then(|found| found.finding.as_ref())
            .map_or_else(String::new, |finding| finding.code.to_string()),
    };
    let options = RestoreOptions {
        semantics: semantics.clone(),
        directory: wanted.directory.clone(),
        platform_api: wanted.platform_api.clone(),
        shas: ShaStore::Memory,
        policy: RestorePolicy {
            skip_layers: wanted.skip_layers,
            ..RestorePolicy::default()
        },
        limits: Vec::new(),
    };
    let restorer = Restorer::open(Files(wanted.files), Silent, options)?;
    let explanation = wanted.explain.then(|| restorer.explain(&request));
    let plan = restorer.plan(&request)?;
    Ok(Response::json(
        200,
        &Document {
            schema: "layerwise/buildpacks-restore/1",
            command: "plan",
            semantics,
            platform_api: wanted.platform_api,
            layers: wanted.directory.clone(),
            directory: wanted.directory,
            group: request.group,
            app,
            cache: found,
            plan,
            data: None,
            explanation,
        },
    ))
}

/// The metadata of a cache, and where it comes from.
fn metadata(
    cache: Cache,
    semantics: &Semantics,
    remote: &Arc<Remote<'_>>,
) -> Result<(String, Found), Refusal> {
    let (reference, scope, accept_unscoped) = match cache {
        Cache::Label(text) => {
            let found = Found {
                from: "request",
                name: String::new(),
                digest: None,
                finding: None,
            };
            return Ok((text, found));
        }
        Cache::Image {
            reference,
            scope,
            accept_unscoped,
        } => (reference, scope, accept_unscoped),
    };
    let options = ImageOptions {
        semantics: semantics.clone(),
        reference: reference.clone(),
        scope,
        os: String::new(),
        policy: ImagePolicy {
            accept_unscoped,
            ..ImagePolicy::default()
        },
        limits: Vec::new(),
    };
    let image = CacheImage::open(Arc::clone(remote), Silent, options)?;
    let Retrieval { document, finding } = image.metadata();
    let found = Found {
        from: "image",
        name: reference,
        digest: image.state().digest,
        finding: Some(finding),
    };
    Ok((document, found))
}
