//! Which line of one Dockerfile is which line of another (Builds spec, section 6.2).

use crate::prelude::*;

/// Longer files are compared without what they begin and end with in common, and no
/// further than this many lines.
const LONGEST: usize = 4000;

/// Pairs of equal lines that are looked at: a file of 4,000 equal lines with others between
/// them has some thousand millions.
const MOST_WORK: usize = 20_000_000;

/// For each line of `new`, counted from 1, the line of `old`: equal blocks of lines,
/// and between them replaced ones, pair up in order.
pub(super) fn map(old: &str, new: &str) -> BTreeMap<u32, u32> {
    let old: Vec<&str> = old.lines().take(LONGEST).collect();
    let new: Vec<&str> = new.lines().take(LONGEST).collect();
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, line) in old.iter().enumerate() {
        places.entry(line).or_default().push(at);
    }
    let mut blocks = Vec::new();
    // Parts of the files that are still to be compared: from and to in both.
    let mut rest = vec![(0, old.len(), 0, new.len())];
    let mut work = MOST_WORK;
    while let Some((old_from, old_to, new_from, new_to)) = rest.pop() {
        let part = (old_from..old_to, new_from..new_to);
        // What is left then pairs up in order.
        let Some(left) = work.checked_sub(cost(&places, &new, &part.1)) else {
            break;
        };
        work = left;
        let (old_at, new_at, size) = longest(&places, &new, &part.0, &part.1);
        if size == 0 {
            continue;
        }
        blocks.push((old_at, new_at, size));
        rest.push((old_from, old_at, new_from, new_at));
        rest.push((old_at + size, old_to, new_at + size, new_to));
    }
    sort(&mut blocks);
    blocks.push((old.len(), new.len(), 0));
    let mut pairs = BTreeMap::new();
    let (mut old_next, mut new_next) = (0, 0);
    for (old_at, new_at, size) in blocks {
        let replaced = (old_next..old_at).zip(new_next..new_at);
        let equal = (old_at..old_at + size).zip(new_at..new_at + size);
        for (old, new) in replaced.chain(equal) {
            if let (Ok(old), Ok(new)) = (u32::try_from(old + 1), u32::try_from(new + 1)) {
                pairs.insert(new, old);
            }
        }
        (old_next, new_next) = (old_at + size, new_at + size);
    }
    pairs
}

/// How many pairs of lines the longest block of a part is found among.
fn cost(
    places: &BTreeMap<&str, Vec<usize>>,
    new: &[&str],
    part: &core::ops::Range<usize>,
) -> usize {
    let lines = new.get(part.clone()).unwrap_or_default().iter();
    lines
        .map(|line| 1 + places.get(line).map_or(0, Vec::len))
        .sum()
}

/// The longest block of lines that two parts have in common: the first one in the old
/// part, and of these the first one in the new part.
fn longest(
    places: &BTreeMap<&str, Vec<usize>>,
    new: &[&str],
    old_part: &core::ops::Range<usize>,
    new_part: &core::ops::Range<usize>,
) -> (usize, usize, usize) {
    let mut best = (old_part.start, new_part.start, 0);
    // The length of the block that ends at a line of the old part and the line of the
    // new part before.
    let mut ending: BTreeMap<usize, usize> = BTreeMap::new();
    for at in new_part.clone() {
        let mut next = BTreeMap::new();
        let found = new.get(at).and_then(|line| places.get(line));
        for place in found.into_iter().flatten().copied() {
            if !old_part.contains(&place) {
                continue;
            }
            let before = place.checked_sub(1).and_then(|before| ending.get(&before));
            let size = before.copied().unwrap_or_default() + 1;
            next.insert(place, size);
            let block = (place + 1 - size, at + 1 - size, size);
            let (old_at, new_at, longest) = best;
            if size > longest || size == longest && (block.0, block.1) < (old_at, new_at) {
                best = block;
            }
        }
        ending = next;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_pair_up_in_order() {
        let pairs = map("a\nb\nc\nd", "a\nx\nb\nC\nd");
        let want = [(1, 1), (3, 2), (4, 3), (5, 4)];
        assert_eq!(pairs, BTreeMap::from(want));
        assert_eq!(map("", ""), BTreeMap::new());
        assert_eq!(map("a\nb", "b\na"), BTreeMap::from([(2, 1)]));
    }

    #[test]
    fn many_equal_lines_take_a_bounded_time() {
        let old = "a\n".repeat(4000);
        let new: String = (0..2000).map(|at| format!("a\nb{at}\n")).collect();
        let pairs = map(&old, &new);
        assert!(pairs.len() > 3_000, "{} pairs", pairs.len());
    }
}
