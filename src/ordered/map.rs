//! A map in the order of its keys, with the part of `BTreeMap`'s interface that
//! is used here.

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::ops::{Bound, Index, RangeBounds};

use super::tree::{Path, Slot, Tree};
use crate::prelude::*;

/// A map in the order of its keys.
#[derive(Clone)]
pub struct Map<K, V> {
    tree: Tree,
    /// What slot n holds is at n - 1.
    items: Vec<Option<(K, V)>>,
}

const fn place(slot: Slot) -> usize {
    (slot as usize).wrapping_sub(1)
}

impl<K, V> Map<K, V> {
    /// An empty map.
    pub const fn new() -> Self {
        Self {
            tree: Tree::new(),
            items: Vec::new(),
        }
    }

    /// How many keys it has.
    pub const fn len(&self) -> usize {
        self.tree.count()
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn item(&self, slot: Slot) -> Option<(&K, &V)> {
        let (key, value) = self.items.get(place(slot))?.as_ref()?;
        Some((key, value))
    }

    fn take(&mut self, slot: Slot) -> Option<(K, V)> {
        self.items.get_mut(place(slot))?.take()
    }

    fn put(&mut self, path: Path, key: K, value: V) -> Slot {
        let slot = self.tree.attach(path);
        match self.items.get_mut(place(slot)) {
            Some(item) => *item = Some((key, value)),
            None => self.items.push(Some((key, value))),
        }
        slot
    }

    /// In the order of the keys.
    pub const fn iter(&self) -> Iter<'_, K, V> {
        Iter {
            map: self,
            front: self.tree.first(),
            back: self.tree.last(),
            left: self.len(),
        }
    }

    /// The keys.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// The values.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator + Clone {
        self.iter().map(|(_, value)| value)
    }

    /// The keys, by value.
    pub fn into_keys(self) -> impl DoubleEndedIterator<Item = K> + ExactSizeIterator {
        self.into_iter().map(|(key, _)| key)
    }

    /// The values, by value.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = V> + ExactSizeIterator {
        self.into_iter().map(|(_, value)| value)
    }

    /// Takes everything away.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// The first item.
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.item(self.tree.first())
    }

    /// The last item.
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.item(self.tree.last())
    }
}

impl<K: Ord, V> Map<K, V> {
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Slot
    where
        K: Borrow<Q>,
    {
        self.tree.find(&mut |slot| self.compare(slot, key))
    }

    fn search<Q: Ord + ?Sized>(&self, key: &Q) -> (Slot, Path)
    where
        K: Borrow<Q>,
    {
        self.tree.search(&mut |slot| self.compare(slot, key))
    }

    fn compare<Q: Ord + ?Sized>(&self, slot: Slot, key: &Q) -> Ordering
    where
        K: Borrow<Q>,
    {
        self.item(slot)
            .map_or(Ordering::Equal, |(have, _)| have.borrow().cmp(key))
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.item(self.find(key)).map(|(_, value)| value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let slot = self.find(key);
        let (_, value) = self.items.get_mut(place(slot))?.as_mut()?;
        Some(value)
    }

    /// Whether it has a key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key) != 0
    }

    /// Sets the value of a key and returns the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (slot, path) = self.search(&key);
        if slot == 0 {
            self.put(path, key, value);
            return None;
        }
        let item = self.items.get_mut(place(slot))?;
        let (_, have) = item.as_mut()?;
        Some(core::mem::replace(have, value))
    }

    /// Takes a key away and returns its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.remove_entry(key).map(|(_, value)| value)
    }

    /// Takes a key away and returns both.
    pub fn remove_entry<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        let (slot, path) = self.search(key);
        if slot == 0 {
            return None;
        }
        self.tree.detach(path);
        self.take(slot)
    }

    /// Takes the first item away.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        let first = self.tree.first();
        let (slot, path) = self
            .tree
            .search(&mut |slot| self.order(slot).cmp(&self.order(first)));
        if slot == 0 {
            return None;
        }
        self.tree.detach(path);
        self.take(slot)
    }

    fn order(&self, slot: Slot) -> Option<&K> {
        self.item(slot).map(|(key, _)| key)
    }

    /// The place of a key, taken or not.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        let (slot, path) = self.search(&key);
        if slot == 0 {
            Entry::Vacant(VacantEntry {
                map: self,
                path,
                key,
            })
        } else {
            Entry::Occupied(OccupiedEntry { map: self, slot })
        }
    }

    /// The items between two bounds.
    pub fn range<R: RangeBounds<K>>(&self, range: R) -> Range<'_, K, V> {
        let bound = |key: &K, with: bool| {
            self.tree.bound(&mut |slot| match self.compare(slot, key) {
                Ordering::Equal if !with => Ordering::Less,
                order => order,
            })
        };
        Range {
            map: self,
            front: match range.start_bound() {
                Bound::Included(key) => bound(key, true),
                Bound::Excluded(key) => bound(key, false),
                Bound::Unbounded => self.tree.first(),
            },
            end: match range.end_bound() {
                Bound::Included(key) => bound(key, false),
                Bound::Excluded(key) => bound(key, true),
                Bound::Unbounded => 0,
            },
        }
    }
}

/// The place of a key.
pub enum Entry<'a, K, V> {
    /// It is there.
    Occupied(OccupiedEntry<'a, K, V>),
    /// It is not.
    Vacant(VacantEntry<'a, K, V>),
}

/// The place of a key that is there.
pub struct OccupiedEntry<'a, K, V> {
    map: &'a mut Map<K, V>,
    slot: Slot,
}

/// The place of a key that is not there.
pub struct VacantEntry<'a, K, V> {
    map: &'a mut Map<K, V>,
    path: Path,
    key: K,
}

impl<'a, K, V> Map<K, V> {
    // INVARIANT: a slot in use has an item.
    #[expect(clippy::expect_used, reason = "a slot in use has an item")]
    fn value_mut(&'a mut self, slot: Slot) -> &'a mut V {
        let item = self.items.get_mut(place(slot)).and_then(Option::as_mut);
        let (_, value) = item.expect("an item");
        value
    }
}

impl<'a, K: Ord, V> Entry<'a, K, V> {
    /// The value there, or this one.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The value there, or the default.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }

    /// The value there, or what `value` makes.
    pub fn or_insert_with(self, value: impl FnOnce() -> V) -> &'a mut V {
        match self {
            Self::Occupied(OccupiedEntry { map, slot }) => map.value_mut(slot),
            Self::Vacant(VacantEntry { map, path, key }) => {
                let slot = map.put(path, key, value());
                map.value_mut(slot)
            }
        }
    }
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for Map<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other)
    }
}

impl<K: Eq, V: Eq> Eq for Map<K, V> {}

impl<K: PartialOrd, V: PartialOrd> PartialOrd for Map<K, V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.iter().partial_cmp(other)
    }
}

impl<K: Ord, V: Ord> Ord for Map<K, V> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other)
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(items: T) -> Self {
        let mut map = Self::new();
        map.extend(items);
        map
    }
}

impl<K: Ord, V> Extend<(K, V)> for Map<K, V> {
    fn extend<T: IntoIterator<Item = (K, V)>>(&mut self, items: T) {
        for (key, value) in items {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for Map<K, V> {
    fn from(items: [(K, V); N]) -> Self {
        items.into_iter().collect()
    }
}

impl<Q: Ord + ?Sized, K: Borrow<Q> + Ord, V> Index<&Q> for Map<K, V> {
    type Output = V;

    #[expect(clippy::expect_used, reason = "as every map does")]
    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("no entry for the key")
    }
}

impl<K: serde::Serialize, V: serde::Serialize> serde::Serialize for Map<K, V> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de, K, V> serde::Deserialize<'de> for Map<K, V>
where
    K: serde::Deserialize<'de> + Ord,
    V: serde::Deserialize<'de>,
{
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Visitor(Self::new()))
    }
}

/// Fills a map; of a repeated key the last value stays.
struct Visitor<K, V>(Map<K, V>);

impl<'de, K, V> serde::de::Visitor<'de> for Visitor<K, V>
where
    K: serde::Deserialize<'de> + Ord,
    V: serde::Deserialize<'de>,
{
    type Value = Map<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(
        mut self,
        mut map: A,
    ) -> Result<Self::Value, A::Error> {
        while let Some((key, value)) = map.next_entry()? {
            self.0.insert(key, value);
        }
        Ok(self.0)
    }
}

/// The items of a map in order.
pub struct Iter<'a, K, V> {
    map: &'a Map<K, V>,
    front: Slot,
    back: Slot,
    left: usize,
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let slot = self.front;
        self.front = self.map.tree.after(slot);
        self.map.item(slot)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let slot = self.back;
        self.back = self.map.tree.before(slot);
        self.map.item(slot)
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}

impl<'a, K, V> IntoIterator for &'a Map<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The items between two bounds.
pub struct Range<'a, K, V> {
    map: &'a Map<K, V>,
    front: Slot,
    /// The first slot that is not in it.
    end: Slot,
}

impl<'a, K, V> Iterator for Range<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        if self.front == self.end {
            return None;
        }
        let slot = self.front;
        self.front = self.map.tree.after(slot);
        self.map.item(slot)
    }
}

/// The items of a map in order, by value.
pub struct IntoIter<K, V> {
    map: Map<K, V>,
    front: Slot,
    back: Slot,
    left: usize,
}

impl<K, V> Iterator for IntoIter<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        self.left = self.left.checked_sub(1)?;
        let slot = self.front;
        self.front = self.map.tree.after(slot);
        self.map.take(slot)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<K, V> DoubleEndedIterator for IntoIter<K, V> {
    fn next_back(&mut self) -> Option<(K, V)> {
        self.left = self.left.checked_sub(1)?;
        let slot = self.back;
        self.back = self.map.tree.before(slot);
        self.map.take(slot)
    }
}

impl<K, V> ExactSizeIterator for IntoIter<K, V> {}

impl<K, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = IntoIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        IntoIter {
            front: self.tree.first(),
            back: self.tree.last(),
            left: self.len(),
            map: self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap as Std;

    #[test]
    fn it_is_what_std_s_is() {
        let mut map: Map<u32, u32> = Map::new();
        let mut std: Std<u32, u32> = Std::new();
        let mut state: u32 = 7;
        for round in 0..20_000_u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = (state >> 10) % 300;
            match state >> 28 {
                0..6 => assert_eq!(map.insert(key, round), std.insert(key, round)),
                6..9 => assert_eq!(map.remove(&key), std.remove(&key)),
                9 => assert_eq!(map.pop_first(), std.pop_first()),
                10 => {
                    assert_eq!(
                        map.entry(key).or_insert(round),
                        std.entry(key).or_insert(round)
                    );
                }
                11 => *map.entry(key).or_default() = *std.entry(key).or_default(),
                12 => {
                    let ours: Vec<_> = map.range(key..=key + 20).collect();
                    assert_eq!(ours, std.range(key..=key + 20).collect::<Vec<_>>());
                    let ours: Vec<_> = map.range(..key).collect();
                    assert_eq!(ours, std.range(..key).collect::<Vec<_>>());
                }
                13 => assert!(map.iter().rev().eq(std.iter().rev())),
                _ => {
                    assert_eq!(map.get(&key), std.get(&key));
                    assert_eq!(map.contains_key(&key), std.contains_key(&key));
                    assert_eq!(map.first_key_value(), std.first_key_value());
                    assert_eq!(map.last_key_value(), std.last_key_value());
                }
            }
            assert_eq!(map.len(), std.len());
        }
        assert!(map.iter().eq(std.iter()));
        let other: Map<_, _> = std.clone().into_iter().rev().collect();
        assert_eq!(map, other);
        assert_eq!(format!("{map:?}"), format!("{std:?}"));
        assert!(map.into_iter().eq(std));
    }
}
