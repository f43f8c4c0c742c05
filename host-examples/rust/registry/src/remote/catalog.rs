//! What a registry has: its repositories, and the tags of each, page by page.

use ::http::{Method, Uri, header};
use layerwise::host::{Failure, FailureCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::http::{self, Request};
use super::refusal::refused;
use super::scope::Scope;
use super::{Remote, Repository, length, limited, uri};
use crate::failures;

/// How many names are asked for at a time; registries may send fewer.
const PAGE: usize = 1_000;
/// No page is larger.
const LONGEST: u64 = 4 << 20;
/// No list is longer.
const MOST: usize = 1_000_000;

#[derive(Deserialize)]
struct Catalog {
    repositories: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

impl Remote {
    /// The repositories of a registry, as far as it lists them.
    pub fn repositories(&self, host: &str) -> Result<Vec<String>, Failure> {
        let at = Repository { host, path: "" };
        let what = format!("cannot list the repositories of {host:?}");
        let first = uri::of(self.is_plain(host), host, &format!("/v2/_catalog?n={PAGE}"))?;
        self.pages(at, Scope::catalog(), first, &what, |page: Catalog| {
            page.repositories
        })
    }

    /// The tags of a repository.
    pub fn tags(&self, at: Repository<'_>) -> Result<Vec<String>, Failure> {
        let what = format!("cannot list the tags of \"{}/{}\"", at.host, at.path);
        let first = self.uri(at, &format!("tags/list?n={PAGE}"))?;
        self.pages(at, Scope::pull(at), first, &what, |page: Tags| page.tags)
    }

    /// Every name of a list, without the doubles of pages that overlap.
    fn pages<T: DeserializeOwned>(
        &self,
        at: Repository<'_>,
        scope: Scope<'_>,
        first: Uri,
        what: &str,
        names: impl Fn(T) -> Option<Vec<String>>,
    ) -> Result<Vec<String>, Failure> {
        let failed = |code, why: &str| failures::new(code, format!("{what}: {why}"));
        let mut all = Vec::new();
        let mut next = Some(first);
        while let Some(page) = next {
            let request = Request::new(Method::GET, page);
            let response = self.send(at, scope, &request, &mut self.tries())?;
            if !response.status().is_success() {
                return Err(refused(what, response));
            }
            let link = http::header(&response, &header::LINK);
            let bytes = limited(response, LONGEST)
                .map_err(|error| failed(FailureCode::Unavailable, &error.to_string()))?;
            if length(&bytes) > LONGEST {
                return Err(failed(FailureCode::TooLarge, "a page is too large"));
            }
            let page: T = serde_json::from_slice(&bytes)
                .map_err(|_| failed(FailureCode::Corrupt, "the response is no such list"))?;
            let more = names(page).unwrap_or_default();
            let empty = more.is_empty();
            all.extend(more);
            if all.len() > MOST {
                let why = format!("there are more than {MOST} names");
                return Err(failed(FailureCode::TooLarge, &why));
            }
            next = match link.as_deref().and_then(target).filter(|_| !empty) {
                Some(to) => Some(uri::follow(&request.uri, to)?),
                None => None,
            };
            if next
                .as_ref()
                .is_some_and(|to| !uri::same_origin(&request.uri, to) || *to == request.uri)
            {
                return Err(failed(FailureCode::Other, "the next page is no other page"));
            }
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }
}

/// Where the `Link` header of a page leads, if another page follows.
fn target(link: &str) -> Option<&str> {
    let (to, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    rest.contains("next").then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_link_to_the_next_page_is_followed() {
        let next = "</v2/_catalog?last=b&n=2>; rel=\"next\"";
        assert_eq!(target(next), Some("/v2/_catalog?last=b&n=2"));
        for other in ["", "</v2/>; rel=\"prev\"", "/v2/; rel=next", "<>"] {
            assert_eq!(target(other), None, "{other}");
        }
    }
}
