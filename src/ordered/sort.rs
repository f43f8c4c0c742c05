//! Stable sorting. Natively `std`'s; in the component one sort of places for
//! all types.

#[cfg(any(feature = "component", test))]
use alloc::vec::Vec;
use core::cmp::Ordering;

/// Sorts.
pub fn sort<T: Ord>(list: &mut [T]) {
    sort_by(list, T::cmp);
}

/// Sorts by a key.
pub fn sort_by_key<T, K: Ord>(list: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(list, |a, b| key(a).cmp(&key(b)));
}

/// Sorts by a comparison.
#[cfg(not(feature = "component"))]
pub fn sort_by<T>(list: &mut [T], compare: impl FnMut(&T, &T) -> Ordering) {
    list.sort_by(compare);
}

/// Sorts by a comparison.
#[cfg(feature = "component")]
pub fn sort_by<T>(list: &mut [T], compare: impl FnMut(&T, &T) -> Ordering) {
    by_places(list, compare);
}

/// Sorts places by what is there, and then moves everything at once.
#[cfg(any(feature = "component", test))]
fn by_places<T>(list: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    if list.len() <= FEW {
        return insert(list.len(), &mut |a, b| match (list.get(a), list.get(b)) {
            (Some(first), Some(second)) if compare(second, first) == Ordering::Less => {
                list.swap(a, b);
                true
            }
            _ => false,
        });
    }
    let Ok(count) = u32::try_from(list.len()) else {
        return;
    };
    let mut places: Vec<u32> = (0..count).collect();
    merge(
        &mut places,
        &mut |a, b| match (list.get(a as usize), list.get(b as usize)) {
            (Some(a), Some(b)) => compare(a, b),
            _ => Ordering::Equal,
        },
    );
    arrange(&mut places, &mut |a, b| list.swap(a, b));
}

/// So many are sorted in place.
#[cfg(any(feature = "component", test))]
const FEW: usize = 16;

/// Moves each down while it belongs below: `swap` swaps two neighbours if they
/// are in the wrong order, and tells.
#[cfg(any(feature = "component", test))]
fn insert(count: usize, swap: &mut dyn FnMut(usize, usize) -> bool) {
    for start in 1..count {
        let mut at = start;
        while at > 0 && swap(at - 1, at) {
            at -= 1;
        }
    }
}

/// A merge sort from below.
#[cfg(any(feature = "component", test))]
fn merge(places: &mut Vec<u32>, compare: &mut dyn FnMut(u32, u32) -> Ordering) {
    let mut sorted: Vec<u32> = Vec::with_capacity(places.len());
    let mut width = 1;
    while width < places.len() {
        for pair in places.chunks(width * 2) {
            let (mut a, mut b) = pair.split_at(width.min(pair.len()));
            while let (Some((first, rest)), Some((second, later))) =
                (a.split_first(), b.split_first())
            {
                if compare(*second, *first) == Ordering::Less {
                    sorted.push(*second);
                    b = later;
                } else {
                    sorted.push(*first);
                    a = rest;
                }
            }
            sorted.extend_from_slice(a);
            sorted.extend_from_slice(b);
        }
        core::mem::swap(places, &mut sorted);
        sorted.clear();
        width *= 2;
    }
}

/// Swaps until at each index is what `places` says; `places` is used up.
#[cfg(any(feature = "component", test))]
fn arrange(places: &mut [u32], swap: &mut dyn FnMut(usize, usize)) {
    for start in 0..places.len() {
        let mut at = start;
        while let Some(place) = places.get_mut(at) {
            let from = core::mem::replace(place, u32::try_from(at).unwrap_or(0)) as usize;
            if from == start || from == at {
                break;
            }
            swap(at, from);
            at = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sorts_and_keeps_the_order_of_equals() {
        let mut state: u32 = 3;
        for count in (0..40).chain([100, 1_000, 1_025]) {
            for most in [1, 3, 1_000_000] {
                let mut list: Vec<(u32, u32)> = (0..count)
                    .map(|index| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        ((state >> 7) % most, index)
                    })
                    .collect();
                let mut std = list.clone();
                by_places(&mut list, |a, b| a.0.cmp(&b.0));
                std.sort_by_key(|item| item.0);
                assert_eq!(list, std);
            }
        }
    }
}
