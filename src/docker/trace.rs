//! What a decision tells of itself while it is made.

use super::base::Base;
use super::candidate::{Found, Rejection};
use super::local::Local;
use super::request::{Request, Requested};
use super::source::Source;
use super::store::Store;
use crate::error::Error;
use crate::prelude::*;

/// A verdict on candidates.
#[derive(Clone, Copy)]
pub enum Event<'a> {
    /// The children of the parent were judged (Docker spec, section 4.1).
    Children(&'a Requested, &'a Local),
    /// The local match with this id is used only if one of the sources with these ids
    /// descends from it (Docker spec, section 4.2).
    Ancestry(&'a [String], &'a str),
    /// A source was judged, on this base (Docker spec, sections 4.3 and 5.3).
    Source(&'a Source, Option<&'a Base>, &'a Result<Found, Rejection>),
}

/// Is told each verdict of a decision as it is reached. Lookups give `()`, which
/// costs nothing; an explanation makes findings of them.
pub trait Trace<H> {
    /// Takes a verdict.
    ///
    /// # Errors
    /// When more would have to be read for its evidence and cannot be.
    fn tell(
        &mut self,
        store: &mut Store<H>,
        request: &Request,
        event: Event<'_>,
    ) -> Result<(), Error>;
}

impl<H> Trace<H> for () {
    fn tell(&mut self, _: &mut Store<H>, _: &Request, _: Event<'_>) -> Result<(), Error> {
        Ok(())
    }
}
