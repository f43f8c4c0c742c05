//! Facts about things that are numbered from zero.

use crate::prelude::*;

/// "No such thing", in place of a number.
pub(crate) const NONE: u32 = u32::MAX;

/// The number of the next thing of a list that holds `length`. Lists are capped
/// far below `NONE` by the limits of a session.
pub(crate) fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(NONE)
}

/// The place of a number in a list.
pub(crate) const fn place(number: u32) -> usize {
    number as usize
}

/// The number, unless it stands for no such thing.
pub(crate) const fn some(number: u32) -> Option<u32> {
    if number == NONE { None } else { Some(number) }
}

/// One fact for each number. A number that was never given out has the default.
#[derive(Clone, Debug, Default)]
pub(crate) struct IndexVec<T>(Vec<T>);

impl<T: Copy + Default> IndexVec<T> {
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

    /// Changes the fact about `number`, also where none was known.
    ///
    /// What is kept grows up to `number`, which must be one that was given out.
    pub fn put(&mut self, number: u32, value: T) {
        if place(number) >= self.0.len() {
            self.0.resize(place(number).saturating_add(1), T::default());
        }
        self.set(number, value);
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

impl<T> From<Vec<T>> for IndexVec<T> {
    fn from(facts: Vec<T>) -> Self {
        Self(facts)
    }
}

/// Numbers for pairs of a number and something more. Most numbers are in one pair
/// only, which is found without a search.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs<T> {
    first: IndexVec<Option<(T, u32)>>,
    others: BTreeMap<(u32, T), u32>,
}

impl<T: Copy + Ord> Pairs<T> {
    /// The number of a pair; `next`, if the pair is new.
    pub fn number(&mut self, one: u32, more: T, next: u32) -> u32 {
        if one == NONE {
            return *self.others.entry((one, more)).or_insert(next);
        }
        match self.first.at(one) {
            Some((known, number)) if known == more => number,
            Some(_) => *self.others.entry((one, more)).or_insert(next),
            None => {
                self.first.put(one, Some((more, next)));
                next
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_has_its_number() {
        let mut pairs = Pairs::default();
        let given = [
            (3, 'a'),
            (0, 'a'),
            (3, 'b'),
            (NONE, 'a'),
            (3, 'c'),
            (5, 'a'),
        ];
        for (next, (one, more)) in (10..).zip(given) {
            assert_eq!(pairs.number(one, more, next), next);
        }
        for (number, (one, more)) in (10..).zip(given) {
            assert_eq!(pairs.number(one, more, 99), number);
        }
    }
}
