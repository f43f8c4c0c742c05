//! The shortest of several lists.

use crate::prelude::*;

/// Walks several lists side by side until one ends, and returns that one: the
/// cost is that of the shortest list times the number of lists.
pub(crate) fn fewest<I: Iterator<Item = u32>>(walks: &mut [I]) -> Vec<u32> {
    let mut seen: Vec<Vec<u32>> = walks.iter().map(|_| Vec::new()).collect();
    loop {
        for (walk, seen) in walks.iter_mut().zip(&mut seen) {
            match walk.next() {
                Some(record) => seen.push(record),
                None => return core::mem::take(seen),
            }
        }
        if walks.is_empty() {
            return Vec::new();
        }
    }
}
