//! The manifests that were found by their tags: whoever asked for one reads it next.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use layerwise::oci::Digest;

use super::Repository;

/// So many bytes are kept; after that the oldest go.
const MOST_BYTES: usize = 8 << 20;

/// A manifest with its media type.
type Manifest = (String, Vec<u8>);

/// Manifests, each until it is read.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Manifests>);

#[derive(Debug, Default)]
struct Manifests {
    all: HashMap<String, Manifest>,
    /// In the order in which they came; some may be gone.
    order: VecDeque<String>,
    bytes: usize,
}

impl Kept {
    /// Keeps a manifest whose bytes have this digest.
    pub fn put(&self, at: Repository<'_>, digest: &str, media_type: &str, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(at, digest);
        kept.remove(&key);
        kept.bytes = kept.bytes.saturating_add(bytes.len());
        let manifest = (media_type.to_owned(), bytes.to_vec());
        kept.all.insert(key.clone(), manifest);
        kept.order.push_back(key);
        while kept.bytes > MOST_BYTES {
            let Some(oldest) = kept.order.pop_front() else {
                break;
            };
            kept.remove(&oldest);
        }
    }

    /// A manifest, which is then no longer kept.
    pub fn take(&self, at: Repository<'_>, digest: &Digest) -> Option<Manifest> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(&key(at, digest.as_str()))
    }
}

impl Manifests {
    fn remove(&mut self, key: &str) -> Option<Manifest> {
        let manifest = self.all.remove(key)?;
        self.bytes = self.bytes.saturating_sub(manifest.1.len());
        if self.all.is_empty() {
            self.order.clear();
        }
        Some(manifest)
    }
}

fn key(at: Repository<'_>, digest: &str) -> String {
    format!("{}/{}@{digest}", at.host, at.path)
}

#[cfg(test)]
mod tests {
    use layerwise::oci::sha256;

    use super::*;

    #[test]
    fn what_is_read_or_too_much_goes() {
        let at = Repository {
            host: "h",
            path: "a",
        };
        let other = Repository {
            host: "h",
            path: "b",
        };
        let kept = Kept::default();
        let texts: Vec<Vec<u8>> = (0..10).map(|n| vec![n; 1 << 20]).collect();
        let digests: Vec<Digest> = texts.iter().map(|text| sha256(text)).collect();
        for (text, digest) in texts.iter().zip(&digests) {
            kept.put(at, digest.as_str(), "type", text);
            kept.put(at, digest.as_str(), "type", text);
        }
        assert_eq!(kept.take(other, &digests[9]), None);
        let there: Vec<bool> = digests
            .iter()
            .map(|digest| kept.take(at, digest).is_some())
            .collect();
        assert_eq!(there.iter().filter(|there| **there).count(), 8);
        assert_eq!(there[..2], [false, false]);
        assert!(digests.iter().all(|digest| kept.take(at, digest).is_none()));
        let inner = kept.0.lock().unwrap();
        assert_eq!((inner.bytes, inner.order.len()), (0, 0));
    }
}
