//! Registries over whatever asks them: reading documents and asking for blobs, at the
//! registries of the allow list only. Where tokens come from and where a registry
//! redirects to must be on the list, too.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use layerwise::host::{
    Failure, FailureCode, Presence, Registry, Retrieval, Retrieved, Shelf, Stored, Transfer,
};
use layerwise::oci::{Descriptor, Digest, sha256};
use serde::Deserialize;

use crate::address::{address, encoded, parameter, parts};
use crate::error::Refusal;
use crate::fetch::{Answer, Fetch, Question};
use crate::settings::Settings;

const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json";
/// No manifest is larger.
const LONGEST: u64 = 4 << 20;
const REDIRECTS: usize = 3;
/// What a registry may say in place of something small.
const SLACK: u64 = 64 << 10;

/// The registries that may be asked.
pub struct Remote<'a> {
    settings: &'a Settings,
    fetch: &'a dyn Fetch,
    /// What was proved before, by host and repository.
    tokens: Mutex<BTreeMap<String, String>>,
}

/// A repository of a registry.
struct At<'a> {
    host: &'a str,
    path: &'a str,
}

impl<'a> Remote<'a> {
    /// Those of the settings.
    pub fn new(settings: &'a Settings, fetch: &'a dyn Fetch) -> Self {
        Self {
            settings,
            fetch,
            tokens: Mutex::default(),
        }
    }

    /// The one manifest that a reference stands for.
    ///
    /// # Errors
    /// Why it cannot be found out.
    pub fn one(&self, reference: &str) -> Result<Descriptor, Refusal> {
        Ok(self.resolve_one(reference)?)
    }

    fn resolve_one(&self, reference: &str) -> Result<Descriptor, Failure> {
        let (repository, name) = parts(reference)?;
        let at = self.allowed(repository)?;
        let path = format!("/v2/{}/manifests/{name}", at.path);
        let answer = self.ask(&at, "GET", path, Some(MANIFESTS), LONGEST)?;
        let what = format!("the manifest {reference:?}");
        let body = checked(answer.status, &what).map(|()| &answer.body)?;
        if let Ok(digest) = name.parse::<Digest>() {
            verify(&digest, body)?;
        }
        Ok(Descriptor {
            media_type: media_type(&answer),
            digest: match name.parse::<Digest>() {
                Ok(digest) => digest.to_string(),
                Err(_) => sha256(body).to_string(),
            },
            size: length(body),
            annotations: Vec::new(),
        })
    }

    fn read_one(&self, at: &At<'_>, wanted: &Descriptor, limit: u64) -> Result<String, Failure> {
        let digest: Digest = wanted.digest.parse().map_err(|_| {
            let message = format!("{:?} is not a digest", wanted.digest);
            Failure::new(FailureCode::Invalid, message)
        })?;
        if wanted.size > limit {
            return Err(too_large(&wanted.digest, limit));
        }
        let first = match wanted.media_type.contains(".manifest.")
            || wanted.media_type.contains(".index.")
        {
            true => ["manifests", "blobs"],
            false => ["blobs", "manifests"],
        };
        let mut answer = Answer::default();
        for shelf in first {
            let path = format!("/v2/{}/{shelf}/{digest}", at.path);
            answer = self.ask(at, "GET", path, Some(MANIFESTS), wanted.size.max(SLACK))?;
            if answer.status != 404 {
                break;
            }
        }
        checked(answer.status, &wanted.digest)?;
        verify(&digest, &answer.body)?;
        String::from_utf8(answer.body)
            .map_err(|_| Failure::new(FailureCode::Unsupported, format!("{digest} is not utf-8")))
    }

    fn has_one(&self, at: &At<'_>, digest: &str) -> Result<Presence, Failure> {
        let path = format!("/v2/{}/blobs/{digest}", at.path);
        match self.ask(at, "HEAD", path, None, 0)?.status {
            200..=299 => Ok(Presence::Present),
            404 => Ok(Presence::Absent),
            400 | 405 => Ok(Presence::Unknown),
            status => Err(refused(status, digest)),
        }
    }

    /// A repository, when its registry may be asked.
    fn allowed<'r>(&self, repository: &'r str) -> Result<At<'r>, Failure> {
        let invalid = || {
            let message = format!("{repository:?} is not a repository: expected HOST/NAME");
            Failure::new(FailureCode::Invalid, message)
        };
        let (host, path) = repository.split_once('/').ok_or_else(invalid)?;
        let plain = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/".contains(&byte)
        };
        let parts = path.split('/');
        let mut bad = parts.filter(|part| part.is_empty() || part.starts_with('.'));
        if !path.bytes().all(plain) || bad.next().is_some() {
            return Err(invalid());
        }
        self.check(host)?;
        Ok(At { host, path })
    }

    fn check(&self, host: &str) -> Result<(), Failure> {
        if self.settings.registries.iter().any(|known| known == host) {
            return Ok(());
        }
        let message = format!("{host:?} is not on the list of registries of this service");
        Err(Failure::new(FailureCode::Denied, message))
    }

    fn question(&self, method: &'static str, host: &str, path: String, limit: u64) -> Question {
        Question {
            method,
            encrypted: !self.settings.plain.iter().any(|known| known == host),
            host: host.to_owned(),
            path,
            headers: Vec::new(),
            limit,
        }
    }

    /// Asks with what the registry wants to see, and follows where it leads.
    fn ask(
        &self,
        at: &At<'_>,
        method: &'static str,
        path: String,
        accept: Option<&str>,
        limit: u64,
    ) -> Result<Answer, Failure> {
        let key = format!("{}/{}", at.host, at.path);
        let known = || {
            let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            tokens.get(&key).cloned()
        };
        let mut question = self.question(method, at.host, path, limit);
        question
            .headers
            .extend(accept.map(|accept| ("accept", accept.to_owned())));
        let bare = question.clone();
        question
            .headers
            .extend(known().map(|token| ("authorization", token)));
        let mut answer = self.fetch.fetch(&question)?;
        if answer.status == 401 {
            let token = self.authorize(at, header(&answer, "www-authenticate"))?;
            question = bare;
            question.headers.push(("authorization", token.clone()));
            self.tokens
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(key, token);
            answer = self.fetch.fetch(&question)?;
        }
        for _ in 0..REDIRECTS {
            let moved = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
            let Some(to) = header(&answer, "location").filter(|_| moved) else {
                return Ok(answer);
            };
            let (host, path) = address(to, at.host)?;
            self.check(&host)?;
            // Credentials are for the registry itself.
            let mut next = self.question(method, &host, path, limit);
            if host == at.host {
                next.headers.clone_from(&question.headers);
            }
            answer = self.fetch.fetch(&next)?;
        }
        Ok(answer)
    }

    /// What to send after a registry asked who is there.
    fn authorize(&self, at: &At<'_>, asked: Option<&str>) -> Result<String, Failure> {
        #[derive(Deserialize)]
        struct Token {
            token: Option<String>,
            access_token: Option<String>,
        }
        let denied = |why: &str| {
            let message = format!("{:?} does not let this service in: {why}", at.host);
            Failure::new(FailureCode::Unauthorized, message)
        };
        let asked = asked.ok_or_else(|| denied("it does not say how to authenticate"))?;
        let own = self.settings.auths.get(at.host);
        let basic = own.map(|auth| format!("Basic {auth}"));
        let (scheme, rest) = asked.split_once(' ').unwrap_or((asked, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return basic.ok_or_else(|| denied("no credentials are known"));
        }
        let realm = parameter(rest, "realm").ok_or_else(|| denied("it names no service"))?;
        let service = parameter(rest, "service").unwrap_or_default();
        let (host, path) = address(realm, at.host)?;
        self.check(&host)?;
        let separator = if path.contains('?') { '&' } else { '?' };
        let (service, name) = (encoded(service), encoded(at.path));
        let path = format!("{path}{separator}service={service}&scope=repository%3A{name}%3Apull");
        let mut question = self.question("GET", &host, path, 1 << 20);
        question
            .headers
            .extend(basic.map(|basic| ("authorization", basic)));
        let answer = self.fetch.fetch(&question)?;
        if answer.status != 200 {
            return Err(denied("its service gives no token"));
        }
        let token: Option<Token> = serde_json::from_slice(&answer.body).ok();
        let token = token.and_then(|token| token.token.or(token.access_token));
        let token = token.filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic()));
        let token = token.ok_or_else(|| denied("its service gives no token"))?;
        Ok(format!("Bearer {token}"))
    }
}

impl Registry for Remote<'_> {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        Ok(parts(reference)?.0.to_owned())
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        let references = references.iter();
        references
            .map(|one| Ok(vec![self.resolve_one(one)?]))
            .collect()
    }

    fn read(
        &self,
        repository: &str,
        wanted: &[Descriptor],
        limit: u64,
    ) -> Vec<Result<String, Failure>> {
        let at = self.allowed(repository);
        let one = |wanted| self.read_one(at.as_ref().map_err(Clone::clone)?, wanted, limit);
        wanted.iter().map(one).collect()
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        let at = self.allowed(repository)?;
        let digests = digests.iter();
        digests.map(|digest| self.has_one(&at, digest)).collect()
    }

    fn write(&self, _: &str, _: Shelf, _: &str, _: &str) -> Result<Descriptor, Failure> {
        Err(reads_only())
    }

    fn store(&self, _: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        layers.iter().map(|_| Err(reads_only())).collect()
    }

    fn retrieve(&self, _: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        layers.iter().map(|_| Err(reads_only())).collect()
    }

    fn tag(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(reads_only())
    }

    fn delete(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(reads_only())
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let (status, kind) = match failure.code {
            FailureCode::NotFound => (404, "not-found"),
            FailureCode::Denied => (403, "denied"),
            FailureCode::Invalid => (400, "usage"),
            FailureCode::TooLarge => (413, "limit-exceeded"),
            _ => (502, "host"),
        };
        Self::new(status, kind, failure.message)
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut headers = answer.headers.iter();
    let found = headers.find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// What a manifest says of itself, else what the header says.
fn media_type(answer: &Answer) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        media_type: Option<String>,
    }
    let body: Option<Body> = serde_json::from_slice(&answer.body).ok();
    let own = body.and_then(|body| body.media_type);
    own.filter(|own| !own.is_empty()).unwrap_or_else(|| {
        let said = header(answer, "content-type").unwrap_or_default();
        said.split(';').next().unwrap_or_default().trim().to_owned()
    })
}

fn verify(digest: &Digest, bytes: &[u8]) -> Result<(), Failure> {
    if digest.verifies(bytes) == Some(true) {
        return Ok(());
    }
    let message = format!("the bytes of {digest} have another digest");
    Err(Failure::new(FailureCode::Corrupt, message))
}

fn checked(status: u16, what: &str) -> Result<(), Failure> {
    match status {
        200..=299 => Ok(()),
        status => Err(refused(status, what)),
    }
}

fn refused(status: u16, what: &str) -> Failure {
    let code = match status {
        404 => FailureCode::NotFound,
        401 => FailureCode::Unauthorized,
        403 => FailureCode::Denied,
        429 | 500..=599 => FailureCode::Unavailable,
        _ => FailureCode::Other,
    };
    let message = format!("cannot read {what}: the registry answers {status}");
    Failure::new(code, message)
}

fn too_large(what: &str, limit: u64) -> Failure {
    let message = format!("{what} is above the limit of {limit} bytes");
    Failure::new(FailureCode::TooLarge, message)
}

fn reads_only() -> Failure {
    Failure::new(FailureCode::Unsupported, "the service only reads")
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
