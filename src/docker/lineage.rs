//! The ancestors of sources, as far as they were followed (Docker spec, section
//! 4.2).

use super::reason::{Finding, Reason};
use crate::error::Error;
use crate::explain::Difference;
use crate::host::Failure;
use crate::limits::{Limit, Limits};
use crate::prelude::*;

/// How the links of an image end.
#[derive(Debug)]
pub enum End<'a> {
    /// At the image that was looked for.
    Reached,
    /// At an image without a link.
    Last(&'a str),
    /// At an image whose link cannot be read.
    Unreadable(&'a str, &'a Failure),
    /// In a circle of, or led to by, these images.
    Circle(BTreeSet<&'a str>),
}

/// A walk up the parent links of some images that can be continued. It follows
/// each link once, level by level, so that neither depth nor a cycle matters
/// (hazard H4).
#[derive(Debug)]
pub struct Lineage {
    heads: Vec<String>,
    /// Proper ancestors of the heads.
    found: BTreeSet<String>,
    /// Images whose links were followed, and where to; `None` for an end.
    links: BTreeMap<String, Result<Option<String>, Failure>>,
    /// Images whose links are followed next.
    level: Vec<String>,
    /// How many links the level is away from the heads.
    distance: u64,
}

impl Lineage {
    /// Nothing is known yet of the ancestors of these images.
    pub fn new(heads: Vec<String>) -> Self {
        Self {
            level: heads.clone(),
            heads,
            found: BTreeSet::new(),
            links: BTreeMap::new(),
            distance: 0,
        }
    }

    /// Whether it is that of these images.
    pub fn is_of(&self, heads: &[String]) -> bool {
        self.heads == heads
    }

    /// Whether an image is a proper ancestor of one of the heads. A link that cannot
    /// be read ends its chain. `parents` reads the links of some images.
    ///
    /// # Errors
    /// `limit-exceeded` for `ancestors` when more links than that lead away from a
    /// head and the image is not among those before.
    pub fn reaches<const N: usize>(
        &mut self,
        id: &str,
        limits: &Limits<N>,
        parents: impl Fn(&[String]) -> Vec<Result<Option<String>, Failure>>,
    ) -> Result<bool, Error> {
        while !self.found.contains(id) {
            let links = &mut self.links;
            self.level.retain(|image| {
                let new = !links.contains_key(image);
                if new {
                    links.insert(image.clone(), Ok(None));
                }
                new
            });
            if self.level.is_empty() {
                return Ok(false);
            }
            self.distance = self.distance.saturating_add(1);
            let parents = parents(&self.level).into_iter();
            let level = core::mem::take(&mut self.level);
            for (image, parent) in level.into_iter().zip(parents) {
                if let Ok(Some(parent)) = &parent {
                    limits.check(Limit::Ancestors, self.distance, "follow parents", &image)?;
                    self.found.insert(parent.clone());
                    self.level.push(parent.clone());
                }
                self.links.insert(image, parent);
            }
        }
        Ok(true)
    }

    /// How the links of a head end, as far as they were followed to find an image.
    pub fn end<'a>(&'a self, head: &'a str, id: &str) -> End<'a> {
        let mut seen = BTreeSet::new();
        let mut at = head;
        loop {
            if !seen.insert(at) {
                return End::Circle(seen);
            }
            match self.links.get(at) {
                Some(Ok(Some(parent))) if parent == id => return End::Reached,
                Some(Ok(Some(parent))) => at = parent,
                Some(Err(failure)) => return End::Unreadable(at, failure),
                Some(Ok(None)) | None => return End::Last(at),
            }
        }
    }

    /// The heads whose links end in a loop (hazard H4), when all were followed. Each
    /// image is looked at once.
    pub fn cycles(&self) -> Vec<Finding> {
        // Whether the links of an image end in a loop.
        let mut known: BTreeMap<&str, bool> = BTreeMap::new();
        let mut findings = Vec::new();
        for head in &self.heads {
            let mut path: BTreeSet<&str> = BTreeSet::new();
            let mut at = Some(head.as_str());
            let loops = loop {
                let Some(image) = at else { break false };
                if let Some(loops) = known.get(image) {
                    break *loops;
                }
                if !path.insert(image) {
                    break true;
                }
                let link = self.links.get(image).and_then(|link| link.as_ref().ok());
                at = link.and_then(Option::as_deref);
            };
            known.extend(path.into_iter().map(|image| (image, loops)));
            if loops {
                findings.push(
                    Finding::new(Reason::AncestryCycle, head)
                        .with(at.map(|image| Difference::fact("image", image))),
                );
            }
        }
        findings
    }
}
