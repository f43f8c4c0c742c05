//! Caps on what a session reads or does, by the names the opener uses.

use crate::error::{Error, Excess, Problem};
use crate::prelude::*;

/// The caps of one system, with their names.
///
/// A system lists its names and defaults once; the opener overrides them by
/// name, and a cap that is met is reported under the same name.
#[derive(Clone, Debug)]
pub struct Limits<const N: usize> {
    caps: [(&'static str, u64); N],
}

impl<const N: usize> Limits<N> {
    /// The defaults.
    pub const fn new(caps: [(&'static str, u64); N]) -> Self {
        Self { caps }
    }

    /// The defaults with the opener's values.
    ///
    /// # Errors
    /// `invalid` for a name that does not exist here.
    pub fn with(mut self, given: &[(String, u64)]) -> Result<Self, Error> {
        for (name, value) in given {
            match self.caps.iter_mut().find(|(known, _)| known == name) {
                Some(cap) => cap.1 = *value,
                None => {
                    let known: Vec<_> = self.caps.iter().map(|(n, _)| *n).collect();
                    return Err(Error::Invalid(Problem::new(
                        "limits/unknown",
                        "open",
                        name.clone(),
                        format!("no such limit; known are {}", known.join(", ")),
                    )));
                }
            }
        }
        Ok(self)
    }

    /// The value of a cap; 0 for a name the system did not list.
    pub fn get(&self, name: &'static str) -> u64 {
        self.caps
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(0, |(_, value)| *value)
    }

    /// Refuses `amount` above the cap.
    ///
    /// # Errors
    /// `limit-exceeded` with the cap's name and value.
    pub fn check(
        &self,
        name: &'static str,
        amount: u64,
        operation: &str,
        subject: &str,
    ) -> Result<(), Error> {
        let value = self.get(name);
        if amount > value {
            return Err(Error::LimitExceeded(Excess {
                operation: operation.to_owned(),
                limit: name.to_owned(),
                value,
                subject: subject.to_owned(),
            }));
        }
        Ok(())
    }
}
