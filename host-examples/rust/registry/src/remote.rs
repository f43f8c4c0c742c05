//! Registries that speak OCI distribution (1.1) over HTTP and HTTPS.

mod auth;
mod catalog;
mod challenge;
mod http;
mod kept;
mod pace;
mod pull;
mod refusal;
mod retry;
mod scope;
mod upload;
mod uri;
#[cfg_attr(target_family = "wasm", path = "remote/wasi.rs")]
mod wire;

use std::io::Read as _;

use ::http::{Method, StatusCode, Uri, header};
use layerwise::host::{Failure, FailureCode, Presence};
use layerwise::oci::{Descriptor, Digest, sha256};
use layerwise_stores::place::Target;
use serde::Deserialize;

use crate::digests::verifies;
use crate::failures;
use crate::limits::{Limit, over};
use crate::options::Options;

use auth::Tokens;
use http::{Http, Payload, Request, Response};
use kept::Kept;
use refusal::refused;
use retry::{Tries, Trouble, ended_early, trouble};
use scope::Scope;

pub use scope::Repository;

/// The manifests that are understood.
const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// All registries, with the tokens they gave and the manifests they told of.
#[derive(Debug)]
pub struct Remote {
    options: Options,
    http: Http,
    tokens: Tokens,
    kept: Kept,
}

/// What a document says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    media_type: Option<String>,
}

impl Remote {
    pub fn new(options: &Options) -> Result<Self, Failure> {
        Ok(Self {
            options: options.clone(),
            http: Http::new(options)?,
            tokens: Tokens::default(),
            kept: Kept::default(),
        })
    }

    /// What a name stands for: the digest and size of the bytes that came,
    /// whatever the headers say.
    pub fn resolve(&self, at: Repository<'_>, target: &Target) -> Result<Descriptor, Failure> {
        let (media_type, bytes) = match target {
            Target::Digest(digest) => self.manifest(at, digest)?,
            _ => self.fetch(at, target.tag().unwrap_or_default())?,
        };
        let digest = sha_of(target, &bytes);
        self.kept.put(at, &digest, &media_type, &bytes);
        Ok(Descriptor {
            media_type,
            digest,
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            annotations: Vec::new(),
        })
    }

    /// Whether a repository has a blob.
    pub fn has(&self, at: Repository<'_>, digest: &Digest) -> Result<Presence, Failure> {
        let uri = self.uri(at, &format!("blobs/{digest}"))?;
        let request = Request::new(Method::HEAD, uri);
        let response = self.send(at, Scope::pull(at), &request, &mut self.tries())?;
        match response.status() {
            status if status.is_success() => Ok(Presence::Present),
            StatusCode::NOT_FOUND => Ok(Presence::Absent),
            StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED => Ok(Presence::Unknown),
            _ => Err(refused(&format!("cannot look for {digest}"), response)),
        }
    }

    /// Stores a manifest under a tag or its digest.
    pub fn put_manifest(
        &self,
        at: Repository<'_>,
        name: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let uri = self.uri(at, &format!("manifests/{name}"))?;
        let request = Request::new(Method::PUT, uri)
            .header(header::CONTENT_TYPE, media_type)
            .payload(Payload::Bytes(bytes));
        let response = self.send(at, Scope::push(at), &request, &mut self.tries())?;
        if response.status().is_success() {
            return Ok(());
        }
        let what = format!(
            "cannot store the manifest {name:?} in \"{}/{}\"",
            at.host, at.path
        );
        Err(refused(&what, response))
    }

    /// Makes a tag stand for a manifest that is there.
    pub fn tag(&self, at: Repository<'_>, tag: &str, digest: &Digest) -> Result<(), Failure> {
        let (media_type, bytes) = self.manifest(at, digest)?;
        self.put_manifest(at, tag, &media_type, &bytes)
    }

    /// Deletes a manifest.
    pub fn delete(&self, at: Repository<'_>, digest: &Digest) -> Result<(), Failure> {
        let uri = self.uri(at, &format!("manifests/{digest}"))?;
        let request = Request::new(Method::DELETE, uri);
        let mut tries = self.tries();
        let response = self.send(at, Scope::delete(at), &request, &mut tries)?;
        let status = response.status();
        // The answer to an earlier try may have been lost.
        let gone = status == StatusCode::NOT_FOUND && tries.was_repeated();
        if status.is_success() || gone {
            return Ok(());
        }
        Err(refused(
            &format!("cannot delete the manifest {digest}"),
            response,
        ))
    }

    /// A manifest by its digest, checked, with its media type.
    pub fn manifest(
        &self,
        at: Repository<'_>,
        digest: &Digest,
    ) -> Result<(String, Vec<u8>), Failure> {
        if let Some(manifest) = self.kept.take(at, digest) {
            return Ok(manifest);
        }
        let (media_type, bytes) = self.fetch(at, digest.as_str())?;
        if verifies(digest, &bytes) {
            return Ok((media_type, bytes));
        }
        let message = format!("the bytes of {digest} have the digest {}", sha256(&bytes));
        Err(failures::new(FailureCode::Corrupt, message))
    }

    /// A manifest by a tag or digest, not checked yet.
    fn fetch(&self, at: Repository<'_>, name: &str) -> Result<(String, Vec<u8>), Failure> {
        let what = format!(
            "cannot read the manifest {name:?} of \"{}/{}\"",
            at.host, at.path
        );
        let limit = self.options.limits.of(Limit::ManifestBytes);
        let too_large = || over(Limit::ManifestBytes, limit, &format!("{what}: its size"));
        let uri = self.uri(at, &format!("manifests/{name}"))?;
        let request = Request::new(Method::GET, uri).header(header::ACCEPT, &MANIFESTS.join(", "));
        let mut tries = self.tries();
        loop {
            let response = self.send(at, Scope::pull(at), &request, &mut tries)?;
            if !response.status().is_success() {
                return Err(refused(&what, response));
            }
            let said = http::header(&response, &header::CONTENT_TYPE).unwrap_or_default();
            let declared = response.body().content_length();
            if declared.is_some_and(|size| size > limit) {
                return Err(too_large());
            }
            match limited(response, limit) {
                Ok(bytes) if length(&bytes) > limit => return Err(too_large()),
                Ok(bytes) if declared.is_none_or(|size| size == length(&bytes)) => {
                    return Ok((media_type(&said, &bytes), bytes));
                }
                Ok(bytes) => tries.again(ended_early(&what, length(&bytes)))?,
                Err(error) => tries.again(trouble(&what, &error))?,
            }
        }
    }

    /// Makes a request, again after passing trouble, with a token or password
    /// where the registry asks for one.
    fn send(
        &self,
        at: Repository<'_>,
        scope: Scope<'_>,
        request: &Request<'_>,
        tries: &mut Tries,
    ) -> Result<Response, Failure> {
        loop {
            match self.try_once(at, scope, request) {
                Ok(response) => return Ok(response),
                Err(trouble) => tries.again(trouble)?,
            }
        }
    }

    fn try_once(
        &self,
        at: Repository<'_>,
        scope: Scope<'_>,
        request: &Request<'_>,
    ) -> Result<Response, Trouble> {
        let known = self.tokens.get(at.host, scope);
        let (mut response, mut own) = self.http.once(request, known.as_deref())?;
        if response.status() == StatusCode::UNAUTHORIZED && own {
            let asked = http::headers(&response, &header::WWW_AUTHENTICATE);
            drop(response);
            let secret = self.authorize(at.host, scope, &asked)?;
            (response, own) = self.http.once(request, Some(&secret))?;
            if response.status() == StatusCode::UNAUTHORIZED && own {
                self.tokens.forget(at.host, scope);
            }
        }
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS
            || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
        {
            let after = http::header(&response, &header::RETRY_AFTER);
            let what = format!("{} {}", request.method, uri::shown(&request.uri));
            return Err(Trouble::passing(refused(&what, response)).after(after));
        }
        Ok(response)
    }

    fn tries(&self) -> Tries {
        Tries::new(self.options.retry)
    }

    fn uri(&self, at: Repository<'_>, rest: &str) -> Result<Uri, Failure> {
        uri::of(
            self.is_plain(at.host),
            at.host,
            &format!("/v2/{}/{rest}", at.path),
        )
    }

    fn is_plain(&self, host: &str) -> bool {
        let options = &self.options;
        options.plain.contains(host)
            || (uri::is_loopback(host) && !options.encrypted.contains(host))
    }
}

/// Whether a media type is that of a manifest.
pub fn is_manifest(media_type: &str) -> bool {
    MANIFESTS.contains(&media_type)
}

/// The media type of a document: what it says itself, so that the same bytes
/// are never two things, else what the header says.
pub fn media_type(said: &str, bytes: &[u8]) -> String {
    let body = serde_json::from_slice::<Body>(bytes).ok();
    let own = body
        .and_then(|body| body.media_type)
        .filter(|own| !own.is_empty());
    own.unwrap_or_else(|| said.split(';').next().unwrap_or_default().trim().to_owned())
}

fn sha_of(target: &Target, bytes: &[u8]) -> String {
    match target {
        Target::Digest(digest) => digest.to_string(),
        _ => sha256(bytes).to_string(),
    }
}

/// At most one byte more than the limit.
fn limited(response: Response, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let reader = http::body(response);
    reader
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
