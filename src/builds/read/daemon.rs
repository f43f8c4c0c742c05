//! What a daemon keeps of its own builds: the keys of `cache.db` (Builds spec, section
//! 3.6), and what it is configured with (Builds spec, section 6.8), as a host hands them
//! in without knowing what they mean.

use serde::Deserialize;
use serde_json::Value;

use super::assemble::LIMITS;
use super::bad::Bad;
use crate::builds::collection::Collection;
use crate::builds::reason::Reason;
use crate::builds::store::Store;
use crate::error::{Error, Problem};
use crate::limits::Limit;
use crate::prelude::*;

/// What is being done, for errors.
const OPERATION: &str = "read";
const SUBJECT: &str = "cache.db";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// The keys of the buckets in `_links`, each with the name of its bucket before it.
    links: Vec<(String, String)>,
    /// The keys of the buckets in `_result`, in the same way.
    results: Vec<(String, String)>,
    /// The snapshots that there are; absent if they are not known.
    snapshots: Option<Vec<String>>,
    /// What the daemon is configured with.
    configuration: Option<Value>,
}

/// What is known of a daemon.
#[derive(Clone, Debug, Default)]
pub struct Daemon {
    /// The keys of its cache.
    pub(in crate::builds) store: Store,
    /// What its configuration says of garbage collection.
    pub(in crate::builds) collection: Collection,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Link {
    #[serde(default)]
    input: u32,
    #[serde(default)]
    output: i64,
    digest: String,
    #[serde(default)]
    selector: String,
}

/// Reads what is known of a daemon.
///
/// # Errors
/// `corrupt` if they are none, `limit-exceeded`.
pub fn daemon(text: &str) -> Result<Daemon, Error> {
    let size = text.len() as u64;
    LIMITS.check(Limit::DocumentBytes, size, OPERATION, SUBJECT)?;
    let corrupt = |bad: &Bad| {
        let message = bad.to_string();
        Error::Corrupt(Problem::new(
            Reason::Unreadable,
            OPERATION,
            SUBJECT,
            message,
        ))
    };
    let document: Document =
        serde_json::from_str(text).map_err(|error| corrupt(&Bad::json(&error)))?;
    let entries = document.links.len().saturating_add(document.results.len());
    LIMITS.check(Limit::Entries, entries as u64, OPERATION, SUBJECT)?;
    let mut store = Store::of_daemon();
    for (from, key) in &document.links {
        let parts = key.rsplit_once('@');
        let (link, to) = parts.ok_or_else(|| corrupt(&Bad::Form("a link leads nowhere")))?;
        let link: Link = serde_json::from_str(link).map_err(|error| corrupt(&Bad::json(&error)))?;
        let operation = (link.digest.as_str(), link.output, link.input);
        store.add_link(from, operation, &link.selector, to);
    }
    let snapshots = document.snapshots.as_deref();
    let snapshots: Option<BTreeSet<&str>> =
        snapshots.map(|list| list.iter().map(String::as_str).collect());
    for (key, result) in &document.results {
        // A result is the name of a worker and of a snapshot of it.
        let snapshot = result.rsplit_once("::").map_or(&**result, |(_, name)| name);
        if snapshots
            .as_ref()
            .is_none_or(|there| there.contains(snapshot))
        {
            store.add_result(key);
        }
    }
    let configuration = document.configuration.as_ref();
    Ok(Daemon {
        store,
        collection: configuration.map(Collection::of).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_results_that_are_there() {
        let text = r#"{"links": [["a", "{\"Digest\":\"sha256:d\",\"Selector\":\"s\"}@t"]],
            "results": [["t", "w::one"], ["u", "w::two"]], "snapshots": ["one"]}"#;
        let store = daemon(text).unwrap().store;
        assert_eq!(store.links("sha256:d", 0, 0).len(), 1);
        assert!(store.knows("sha256:d") && !store.knows("sha256:e"));
        assert!(store.has_result("t") && !store.has_result("u"));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "{",
            r#"{"links": [["a", "{}"]], "results": []}"#,
            r#"{"links": [["a", "{}@t"]], "results": []}"#,
            r#"{"links": [], "results": [], "more": 1}"#,
        ] {
            assert!(matches!(daemon(text), Err(Error::Corrupt(_))), "{text}");
        }
    }
}
