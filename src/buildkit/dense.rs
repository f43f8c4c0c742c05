//! Facts about things that are numbered from zero.

use crate::prelude::*;

/// "No such thing", in place of a number.
pub(super) const NONE: u32 = u32::MAX;

/// The number of the next thing of a list that holds `length`. Lists are capped
/// far below `NONE` by the limits of a session.
pub(super) fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(NONE)
}

/// The place of a number in a list.
pub(super) const fn place(number: u32) -> usize {
    number as usize
}

/// One fact for each number. A number that was never given out has the default.
#[derive(Clone, Debug, Default)]
pub(super) struct Dense<T>(Vec<T>);

impl<T: Copy + Default> Dense<T> {
    /// `value` for the numbers below `length`.
    pub fn filled(length: usize, value: T) -> Self {
        Self(vec![value; length])
    }

    /// The fact about `number`.
    pub fn at(&self, number: u32) -> T {
        self.0.get(place(number)).copied().unwrap_or_default()
    }

    /// Changes the fact about `number`.
    pub fn set(&mut self, number: u32, value: T) {
        if let Some(slot) = self.0.get_mut(place(number)) {
            *slot = value;
        }
    }

    /// Adds the fact about the next number.
    pub fn push(&mut self, value: T) {
        self.0.push(value);
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> From<Vec<T>> for Dense<T> {
    fn from(facts: Vec<T>) -> Self {
        Self(facts)
    }
}
