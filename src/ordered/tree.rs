//! A balanced tree (AVL) of slots that holds no keys: who searches it says how
//! a slot compares with what is looked for. Slots are also threaded in order,
//! so that walking them needs no tree.

use core::cmp::Ordering;

use crate::prelude::*;

/// A slot's number, from 1; 0 is none.
pub type Slot = u32;

/// How a slot compares with what is looked for.
pub type Compare<'a> = dyn FnMut(Slot) -> Ordering + 'a;

/// The slots and their order.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Slot n is at n - 1.
    nodes: Vec<Node>,
    root: Slot,
    first: Slot,
    last: Slot,
    /// Slots that were given back, linked by `after`.
    free: Slot,
    count: usize,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    left: Slot,
    right: Slot,
    before: Slot,
    after: Slot,
    height: u32,
}

/// What 0 leads to.
const NONE: Node = Node {
    left: 0,
    right: 0,
    before: 0,
    after: 0,
    height: 0,
};

/// The slots from the root down to where a search ended. A tree of that height
/// has more slots than there are numbers.
#[derive(Clone, Debug)]
pub struct Path {
    slots: [Slot; 48],
    length: usize,
    /// Which side of the last slot is meant.
    side: Ordering,
}

impl Path {
    const fn new() -> Self {
        Self {
            slots: [0; 48],
            length: 0,
            side: Ordering::Equal,
        }
    }

    fn push(&mut self, slot: Slot) {
        if let Some(place) = self.slots.get_mut(self.length) {
            *place = slot;
            self.length += 1;
        }
    }

    fn pop(&mut self) -> Slot {
        self.length = self.length.saturating_sub(1);
        self.slots.get(self.length).copied().unwrap_or(0)
    }

    fn last(&self) -> Slot {
        let last = self.length.checked_sub(1);
        let slot = last.and_then(|last| self.slots.get(last));
        slot.copied().unwrap_or(0)
    }
}

impl Tree {
    /// No slots.
    pub const fn new() -> Self {
        Self {
            nodes: Vec::new(),
            root: 0,
            first: 0,
            last: 0,
            free: 0,
            count: 0,
        }
    }

    /// How many slots are in use.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The first slot in order.
    pub const fn first(&self) -> Slot {
        self.first
    }

    /// The last slot in order.
    pub const fn last(&self) -> Slot {
        self.last
    }

    /// The slot after this one.
    pub fn after(&self, slot: Slot) -> Slot {
        self.node(slot).after
    }

    /// The slot before this one.
    pub fn before(&self, slot: Slot) -> Slot {
        self.node(slot).before
    }

    fn node(&self, slot: Slot) -> Node {
        let place = (slot as usize).wrapping_sub(1);
        self.nodes.get(place).copied().unwrap_or(NONE)
    }

    fn change(&mut self, slot: Slot, change: impl FnOnce(&mut Node)) {
        let place = (slot as usize).wrapping_sub(1);
        if let Some(node) = self.nodes.get_mut(place) {
            change(node);
        }
    }

    /// The slot that compares equal; 0 if there is none.
    pub fn find(&self, compare: &mut Compare<'_>) -> Slot {
        let mut slot = self.root;
        while slot != 0 {
            let node = self.node(slot);
            slot = match compare(slot) {
                Ordering::Equal => break,
                Ordering::Greater => node.left,
                Ordering::Less => node.right,
            };
        }
        slot
    }

    /// The first slot that does not compare less; 0 when all do.
    pub fn bound(&self, compare: &mut Compare<'_>) -> Slot {
        let (mut slot, mut bound) = (self.root, 0);
        while slot != 0 {
            let node = self.node(slot);
            slot = if compare(slot) == Ordering::Less {
                node.right
            } else {
                bound = slot;
                node.left
            };
        }
        bound
    }

    /// As [`Tree::find`], with the way there or to where a new slot belongs.
    pub fn search(&self, compare: &mut Compare<'_>) -> (Slot, Path) {
        let mut path = Path::new();
        let mut slot = self.root;
        // What belongs at the end is common, and costs one comparison.
        if self.last != 0 && compare(self.last) == Ordering::Less {
            while slot != 0 {
                path.push(slot);
                slot = self.node(slot).right;
            }
            path.side = Ordering::Less;
            return (0, path);
        }
        while slot != 0 {
            path.push(slot);
            path.side = compare(slot);
            slot = match path.side {
                Ordering::Equal => break,
                Ordering::Greater => self.node(slot).left,
                Ordering::Less => self.node(slot).right,
            };
        }
        (slot, path)
    }

    /// Adds a slot where a search ended that found none. The new slot is one
    /// that was given back, or the next number.
    pub fn attach(&mut self, mut path: Path) -> Slot {
        let parent = path.last();
        let (before, after) = match path.side {
            Ordering::Greater => (self.before(parent), parent),
            _ => (parent, self.after(parent)),
        };
        let node = Node {
            before,
            after,
            height: 1,
            ..NONE
        };
        let slot = if self.free == 0 {
            self.nodes.push(node);
            u32::try_from(self.nodes.len()).unwrap_or(0)
        } else {
            let slot = self.free;
            self.free = self.after(slot);
            self.change(slot, |place| *place = node);
            slot
        };
        self.count += 1;
        self.thread(before, slot);
        self.thread(slot, after);
        if parent == 0 {
            self.root = slot;
            return slot;
        }
        let left = path.side == Ordering::Greater;
        self.change(parent, |node| {
            *(if left {
                &mut node.left
            } else {
                &mut node.right
            }) = slot;
        });
        self.balance_up(&mut path);
        slot
    }

    /// Gives back the slot at which a search ended.
    pub fn detach(&mut self, mut path: Path) {
        let slot = path.pop();
        let (parent, depth) = (path.last(), path.length);
        let node = self.node(slot);
        self.thread(node.before, node.after);
        self.count -= 1;
        let mut put = node.left | node.right;
        if node.left != 0 && node.right != 0 {
            // The next one in order takes its place.
            path.push(slot);
            put = node.right;
            while self.node(put).left != 0 {
                path.push(put);
                put = self.node(put).left;
            }
            let right = self.node(put).right;
            self.replace(path.last(), put, right);
            let Node { left, right, .. } = self.node(slot);
            self.change(put, |node| (node.left, node.right) = (left, right));
            if let Some(place) = path.slots.get_mut(depth) {
                *place = put;
            }
        }
        self.replace(parent, slot, put);
        self.balance_up(&mut path);
        let after = self.free;
        self.change(slot, |node| *node = Node { after, ..NONE });
        self.free = slot;
    }

    /// Lets one slot follow another in order.
    fn thread(&mut self, before: Slot, after: Slot) {
        if before == 0 {
            self.first = after;
        }
        if after == 0 {
            self.last = before;
        }
        self.change(before, |node| node.after = after);
        self.change(after, |node| node.before = before);
    }

    /// Puts another child in the place of one.
    fn replace(&mut self, parent: Slot, child: Slot, put: Slot) {
        if parent == 0 {
            self.root = put;
        } else {
            self.change(parent, |node| {
                *(if node.left == child {
                    &mut node.left
                } else {
                    &mut node.right
                }) = put;
            });
        }
    }

    /// Balances every slot of a path, from its end to the root.
    fn balance_up(&mut self, path: &mut Path) {
        while path.length > 0 {
            let slot = path.pop();
            let put = self.balance(slot);
            if put != slot {
                self.replace(path.last(), slot, put);
            }
        }
    }

    fn height(&self, slot: Slot) -> u32 {
        self.node(slot).height
    }

    fn measure(&mut self, slot: Slot) {
        let node = self.node(slot);
        let height = 1 + self.height(node.left).max(self.height(node.right));
        self.change(slot, |node| node.height = height);
    }

    /// The slot that stands where `slot` stood, with both sides of nearly one
    /// height.
    fn balance(&mut self, slot: Slot) -> Slot {
        let Node { left, right, .. } = self.node(slot);
        let (low, high) = (self.height(left), self.height(right));
        if low > high + 1 {
            let node = self.node(left);
            if self.height(node.left) < self.height(node.right) {
                let put = self.turn_left(left);
                self.change(slot, |node| node.left = put);
            }
            return self.turn_right(slot);
        }
        if high > low + 1 {
            let node = self.node(right);
            if self.height(node.right) < self.height(node.left) {
                let put = self.turn_right(right);
                self.change(slot, |node| node.right = put);
            }
            return self.turn_left(slot);
        }
        self.measure(slot);
        slot
    }

    fn turn_left(&mut self, slot: Slot) -> Slot {
        let up = self.node(slot).right;
        let between = self.node(up).left;
        self.change(slot, |node| node.right = between);
        self.change(up, |node| node.left = slot);
        self.measure(slot);
        self.measure(up);
        up
    }

    fn turn_right(&mut self, slot: Slot) -> Slot {
        let up = self.node(slot).left;
        let between = self.node(up).right;
        self.change(slot, |node| node.left = between);
        self.change(up, |node| node.right = slot);
        self.measure(slot);
        self.measure(up);
        up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The height of a subtree when it is balanced, ordered and threaded.
    fn check(tree: &Tree, slot: Slot, order: &mut Vec<Slot>) -> u32 {
        if slot == 0 {
            return 0;
        }
        let node = tree.node(slot);
        let left = check(tree, node.left, order);
        order.push(slot);
        let right = check(tree, node.right, order);
        assert!(left.abs_diff(right) <= 1, "balanced");
        assert_eq!(node.height, 1 + left.max(right));
        node.height
    }

    #[test]
    fn it_stays_balanced_whatever_comes_and_goes() {
        let mut tree = Tree::new();
        let mut keys: Vec<u32> = vec![0];
        let mut state: u32 = 1;
        for round in 0..6_000_u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = match round {
                0..2_000 => round,
                2_000..3_000 => 10_000 - round,
                _ => (state >> 8) % 4_000,
            };
            let (slot, path) = tree.search(&mut |slot| keys[slot as usize].cmp(&key));
            if slot == 0 {
                let slot = tree.attach(path) as usize;
                keys.resize(keys.len().max(slot + 1), 0);
                keys[slot] = key;
            } else if round % 2 == 0 || round > 5_000 {
                tree.detach(path);
            }
            if round % 97 == 0 || round > 5_900 {
                let mut order = Vec::new();
                check(&tree, tree.root, &mut order);
                assert_eq!(order.len(), tree.count());
                assert!(order.is_sorted_by_key(|slot| keys[*slot as usize]));
                let mut slot = tree.first();
                for (index, at) in order.iter().enumerate() {
                    assert_eq!(*at, slot);
                    let before = index.checked_sub(1).map_or(0, |index| order[index]);
                    assert_eq!(tree.before(slot), before);
                    slot = tree.after(slot);
                }
                assert_eq!((slot, order.last().copied().unwrap_or(0)), (0, tree.last()));
            }
        }
    }
}
