//! Proving who is asking: passwords and bearer tokens.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::http::{Method, Uri, header};
use layerwise::base64;
use layerwise::host::{Failure, FailureCode};
use serde::Deserialize;

use super::challenge::{self, Challenge};
use super::http::{self, Payload, Request, Sent};
use super::refusal::refused;
use super::retry::{Trouble, trouble};
use super::scope::Scope;
use super::{Remote, uri};
use crate::failures;
use crate::keychain::Credentials;

/// The most that a token service may say.
const LONGEST: u64 = 1 << 20;
/// What a token lives when nothing is said (distribution, token specification).
const LIFE: u64 = 60;
const FORM: &str = "application/x-www-form-urlencoded";
/// A token is renewed so long before its end.
const MARGIN: u64 = 10;

/// What was proved before, for each registry and scope.
#[derive(Debug, Default)]
pub struct Tokens(Mutex<BTreeMap<String, Token>>);

#[derive(Clone)]
struct Token {
    header: String,
    until: Option<Instant>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Tokens {
    pub fn get(&self, host: &str, scope: Scope<'_>) -> Option<String> {
        let tokens = self.all();
        let token = tokens.get(&key(host, scope))?;
        let valid = token.until.is_none_or(|until| Instant::now() < until);
        valid.then(|| token.header.clone())
    }

    pub fn forget(&self, host: &str, scope: Scope<'_>) {
        self.all().remove(&key(host, scope));
    }

    fn keep(&self, host: &str, scope: Scope<'_>, token: Token) {
        self.all().insert(key(host, scope), token);
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Token>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remote {
    /// What to send in `Authorization` after a registry asked for it.
    pub(super) fn authorize(
        &self,
        host: &str,
        scope: Scope<'_>,
        asked: &[String],
    ) -> Result<String, Trouble> {
        let challenges = challenge::parse(asked);
        let of = |scheme: &str| {
            challenges
                .iter()
                .find(|challenge| challenge.scheme == scheme)
        };
        let token = if let Some(bearer) = of("bearer") {
            self.bearer(host, scope, bearer)?
        } else if of("basic").is_some() {
            self.basic(host, scope)?
        } else {
            let why = "the registry does not say how to authenticate";
            return Err(unauthorized(host, why).into());
        };
        let header = token.header.clone();
        self.tokens.keep(host, scope, token);
        Ok(header)
    }

    fn basic(&self, host: &str, scope: Scope<'_>) -> Result<Token, Failure> {
        match self.credentials(host, scope)? {
            Some(Credentials::Password { user, password }) => Ok(Token {
                header: password_header(&user, &password),
                until: None,
            }),
            Some(_) => Err(unauthorized(
                host,
                "it wants a password, and only a token is known",
            )),
            None => Err(unauthorized(host, "no credentials are known for it")),
        }
    }

    fn bearer(
        &self,
        host: &str,
        scope: Scope<'_>,
        challenge: &Challenge,
    ) -> Result<Token, Trouble> {
        let credentials = self.credentials(host, scope)?;
        if let Some(Credentials::Bearer(token)) = &credentials {
            return Ok(Token {
                header: format!("Bearer {token}"),
                until: None,
            });
        }
        let Some(realm) = challenge.parameters.get("realm") else {
            return Err(unauthorized(host, "the registry names no service for tokens").into());
        };
        let service = self.token_service(host, realm)?;
        let wish = wish(&service, scope, challenge, &credentials)?;
        let (mut response, _) = self
            .http
            .once(&wish.request(), wish.authorization.as_deref())?;
        if let Some(Credentials::Identity(secret)) = &credentials {
            response.extensions_mut().insert(Sent(secret.clone()));
        }
        let status = response.status();
        if !status.is_success() {
            let what = format!("no token for {host:?} from {}", uri::shown(&service));
            let passing = status.is_server_error() || status.as_u16() == 429;
            let failure = refused(&what, response);
            return Err(if passing {
                Trouble::passing(failure)
            } else {
                let code = match failure.code {
                    FailureCode::Denied => FailureCode::Denied,
                    _ => FailureCode::Unauthorized,
                };
                failures::new(code, failure.message).into()
            });
        }
        let mut text = Vec::new();
        let reader = http::body(response);
        if let Err(error) = reader.take(LONGEST).read_to_end(&mut text) {
            return Err(trouble(&service, &error));
        }
        let answer: Option<Answer> = serde_json::from_slice(&text).ok();
        let life = answer
            .as_ref()
            .and_then(|answer| answer.expires_in)
            .unwrap_or(LIFE);
        let token = answer.and_then(|answer| answer.token.or(answer.access_token));
        let Some(token) = token.filter(|token| is_token(token)) else {
            return Err(unauthorized(
                host,
                &format!("{} answers without a token", uri::shown(&service)),
            )
            .into());
        };
        let life = Duration::from_secs(life.saturating_sub(MARGIN));
        Ok(Token {
            header: format!("Bearer {token}"),
            until: Instant::now().checked_add(life),
        })
    }

    /// The service for tokens: passwords do not go there in the clear, unless
    /// they would to the registry itself.
    fn token_service(&self, host: &str, realm: &str) -> Result<Uri, Failure> {
        let service: Uri = realm
            .parse()
            .map_err(|_| unauthorized(host, &format!("{realm:?} is not a service for tokens")))?;
        match (service.scheme_str(), service.host()) {
            (Some("https"), Some(_)) => Ok(service),
            (Some("http"), Some(_)) if self.is_plain(host) => Ok(service),
            _ => Err(unauthorized(
                host,
                &format!("{realm:?} is not a service to be trusted"),
            )),
        }
    }

    fn credentials(&self, host: &str, scope: Scope<'_>) -> Result<Option<Credentials>, Failure> {
        let patience = self.options.timeouts.helper;
        self.options.keychain.find(host, scope.path, patience)
    }
}

/// A request for a token.
struct Wish {
    to: Uri,
    form: Option<String>,
    authorization: Option<String>,
}

impl Wish {
    fn request(&self) -> Request<'_> {
        match &self.form {
            None => Request::new(Method::GET, self.to.clone()),
            Some(form) => Request::new(Method::POST, self.to.clone())
                .header(header::CONTENT_TYPE, FORM)
                .payload(Payload::Bytes(form.as_bytes())),
        }
    }
}

/// What is asked of a service for tokens, and what it is authorized with.
fn wish(
    service: &Uri,
    scope: Scope<'_>,
    challenge: &Challenge,
    credentials: &Option<Credentials>,
) -> Result<Wish, Failure> {
    let mut scopes = scope.wanted();
    let asked = challenge.parameters.get("scope").map_or("", String::as_str);
    for scope in asked.split_whitespace() {
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    let named = challenge.parameters.get("service");
    if let Some(Credentials::Identity(secret)) = credentials {
        let form = [
            ("grant_type", "refresh_token"),
            ("service", named.map_or("", String::as_str)),
            ("client_id", "layerwise"),
            ("scope", &scopes.join(" ")),
            ("refresh_token", secret),
        ];
        let form = form.map(|(name, value)| format!("{name}={}", uri::encode(value)));
        return Ok(Wish {
            to: service.clone(),
            form: Some(form.join("&")),
            authorization: None,
        });
    }
    let mut to = service.clone();
    if let Some(named) = named {
        to = uri::with(&to, "service", named)?;
    }
    for scope in &scopes {
        to = uri::with(&to, "scope", scope)?;
    }
    let authorization = match credentials {
        Some(Credentials::Password { user, password }) => Some(password_header(user, password)),
        _ => None,
    };
    Ok(Wish {
        to,
        form: None,
        authorization,
    })
}

fn password_header(user: &str, password: &str) -> String {
    format!(
        "Basic {}",
        base64::encode(format!("{user}:{password}").as_bytes())
    )
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn unauthorized(host: &str, why: &str) -> Failure {
    failures::new(
        FailureCode::Unauthorized,
        format!("not authorized at {host:?}: {why}"),
    )
}

fn key(host: &str, scope: Scope<'_>) -> String {
    format!("{host} {}", scope.wanted().join(" "))
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}
