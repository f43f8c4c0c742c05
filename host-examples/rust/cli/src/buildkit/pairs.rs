//! Which builds are explained, each with the earlier one that it is compared with.

use super::builds::{Found, Opened, Place, chosen};
use crate::failed::Failed;

/// A build, and the earlier one.
pub struct Pair<'a> {
    pub new: &'a Found,
    /// `None` if it has no earlier build.
    pub old: Option<&'a Found>,
}

/// The builds that were typed: one, or of a file of several the newest of each target.
/// `others` has what `--against` names.
pub fn pairs<'a>(
    opened: &Opened,
    (text, all): (&str, &'a [Found]),
    against: Option<(&str, &'a [Found])>,
) -> Result<Vec<Pair<'a>>, Failed> {
    let place = Place::of(text)?;
    if all.len() == 1 || place.names_one() {
        let new = chosen(text, &place, all)?;
        let old = match against {
            None => before(opened, new, all)?,
            Some((typed, others)) => Some(named(opened, new, typed, others)?),
        };
        let missing = || {
            Failed::usage(format!(
                "{text:?} has no earlier build of the same target and platforms; name one with \
                 --against"
            ))
        };
        let old = Some(old.ok_or_else(missing)?);
        return Ok(vec![Pair { new, old }]);
    }
    let mut pairs = Vec::new();
    for new in newest(opened, all)? {
        let old = match against {
            None => before(opened, new, all)?,
            Some((_, others)) => before(opened, new, others)?.or_else(|| alike(new, others)),
        };
        pairs.push(Pair { new, old });
    }
    if pairs.iter().all(|pair| pair.old.is_none()) {
        let names: Vec<&str> = pairs.iter().map(|pair| pair.new.name()).collect();
        return Err(Failed::usage(format!(
            "none of the builds of {text:?} has an earlier one of the same target and platforms; \
             name one as {text}#RECORD with --against: {}",
            names.join(", ")
        )));
    }
    Ok(pairs)
}

/// The build before, if it is there.
fn before<'a>(
    opened: &Opened,
    of: &Found,
    among: &'a [Found],
) -> Result<Option<&'a Found>, Failed> {
    let place = opened.before(of, among)?;
    Ok(place.and_then(|place| among.get(place)))
}

/// The build of the same target, where no record tells when it began.
fn alike<'a>(of: &Found, among: &'a [Found]) -> Option<&'a Found> {
    let mut among = among.iter().filter(|one| one.target().is_some());
    among.find(|one| of.description.created.is_none() && one.name() == of.name())
}

/// The build that `--against` names; of a file of several the one of the same target.
fn named<'a>(
    opened: &Opened,
    new: &Found,
    text: &str,
    others: &'a [Found],
) -> Result<&'a Found, Failed> {
    let place = Place::of(text)?;
    if others.len() > 1
        && !place.names_one()
        && let Some(found) = before(opened, new, others)?.or_else(|| alike(new, others))
    {
        return Ok(found);
    }
    chosen(text, &place, others)
}

/// The newest build of each target: those that come before no other one.
fn newest<'a>(opened: &Opened, all: &'a [Found]) -> Result<Vec<&'a Found>, Failed> {
    let mut earlier = Vec::with_capacity(all.len());
    for build in all {
        earlier.push(opened.before(build, all)?);
    }
    // The newest stand first. A build that failed comes before none.
    let is_newest = |(place, _): &(usize, &Found)| {
        let own = earlier.get(*place).copied().flatten();
        let mut newer = earlier.iter().take(*place);
        !(earlier.contains(&Some(*place)) || own.is_some() && newer.any(|one| *one == own))
    };
    let found = all.iter().enumerate().filter(is_newest);
    Ok(found.map(|(_, build)| build).collect())
}
