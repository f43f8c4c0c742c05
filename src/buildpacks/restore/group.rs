//! The buildpacks of a build, checked before anything else: ids that name
//! directories, no two of them the same one, and APIs that are versions
//! (Buildpacks spec, section 8, deviations D4, D5 and D11).

use super::request::GroupElement;
use crate::buildpacks::names::escape_id;
use crate::buildpacks::reason::Reason;
use crate::buildpacks::version::ApiVersion;
use crate::error::{Error, Problem};
use crate::explain::{Difference, Finding};
use crate::prelude::*;

/// A group element that was checked.
#[derive(Debug)]
pub struct Element<'a> {
    /// Its id.
    pub id: &'a str,
    /// The name of its directory.
    pub escaped: String,
    /// Its Buildpack API.
    pub api: ApiVersion,
}

/// Checks a group; what only the guarded reading refuses goes to `notes`
/// otherwise.
///
/// # Errors
/// The first element that cannot take part.
pub fn check<'g>(
    group: &'g [GroupElement],
    guarded: bool,
    notes: &mut Vec<Finding>,
) -> Result<Vec<Element<'g>>, Error> {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    let mut elements = Vec::with_capacity(group.len());
    for element in group {
        let escaped = escape_id(&element.id)?;
        let api = element.api.parse().map_err(|_| {
            Error::Invalid(Problem::new(
                Reason::InvalidBuildpackApi,
                "check group",
                element.id.clone(),
                format!("not a version of the buildpack api: {:?}", element.api),
            ))
        })?;
        let owner = *owners.entry(escaped.clone()).or_insert(&element.id);
        if owner != element.id {
            if guarded {
                return Err(Error::Invalid(Problem::new(
                    Reason::BuildpackIdCollision,
                    "check group",
                    element.id.clone(),
                    format!("has the same directory as {owner:?}"),
                )));
            }
            notes.push(
                Finding::new(Reason::BuildpackIdCollision, element.id.clone())
                    .with([Difference::new(
                        "directory",
                        escaped.clone(),
                        owner.to_owned(),
                    )])
                    .hint("the guarded reading refuses this group"),
            );
        }
        elements.push(Element {
            id: &element.id,
            escaped,
            api,
        });
    }
    Ok(elements)
}
