//! Interner by number: each distinct digest, selector and media type is kept once,
//! so that everything else compares integers. Interner that nobody compares by number
//! only have their place here.

use alloc::sync::Arc;

use super::index_vec::{IndexVec, number, place};
use crate::prelude::*;

/// Number of a text.
pub(crate) type Text = u32;

/// The number of the empty text.
pub(crate) const EMPTY: Text = 0;

/// Distinct texts, numbered in the order in which they were seen.
#[derive(Clone, Debug)]
pub(crate) struct Interner {
    /// The first 16 bytes decide most comparisons without following the pointer:
    /// of a `sha256:` digest they hold 36 random bits. Padding with zeros keeps
    /// the order of the texts, and the whole text breaks ties.
    index: BTreeMap<(u128, Arc<str>), Text>,
    all: Vec<Arc<str>>,
}

impl Interner {
    /// Only the empty text.
    pub fn new() -> Self {
        let mut texts = Self {
            index: BTreeMap::new(),
            all: Vec::new(),
        };
        texts.intern("");
        texts
    }

    /// The number of a text, given out now if it is new.
    pub fn intern(&mut self, text: &str) -> Text {
        if text.is_empty() && !self.all.is_empty() {
            return EMPTY;
        }
        let next = number(self.all.len());
        let text: Arc<str> = Arc::from(text);
        let all = &mut self.all;
        *self
            .index
            .entry((head(&text), Arc::clone(&text)))
            .or_insert_with(|| {
                all.push(text);
                next
            })
    }

    /// A number for a text that is not searched for, so that no equal text has it.
    pub fn keep(&mut self, text: &str) -> Text {
        if text.is_empty() {
            return EMPTY;
        }
        let next = number(self.all.len());
        self.all.push(Arc::from(text));
        next
    }

    /// The number of a text that was interned before.
    pub fn find(&self, text: &str) -> Option<Text> {
        self.index.get(&(head(text), Arc::from(text))).copied()
    }

    /// The text of a number.
    pub fn get(&self, text: Text) -> &str {
        self.all.get(place(text)).map_or("", |text| text)
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// For each text that was interned its place in the order of bytes.
    pub fn ranks(&self) -> IndexVec<u32> {
        let mut ranks = IndexVec::filled(self.all.len(), 0);
        for (rank, text) in self.index.values().enumerate() {
            ranks.set(*text, number(rank));
        }
        ranks
    }
}

fn head(text: &str) -> u128 {
    if let Some(head) = text.as_bytes().first_chunk() {
        return u128::from_be_bytes(*head);
    }
    let mut head = [0; 16];
    for (slot, byte) in head.iter_mut().zip(text.bytes()) {
        *slot = byte;
    }
    u128::from_be_bytes(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_a_number_and_ranks_follow_bytes() {
        let mut texts = Interner::new();
        let words = [
            "sha256:0000000000000b",
            "b",
            "a\0",
            "a",
            "",
            "sha256:0000000000000a",
            "é",
            "a",
            "\u{ff}",
            "sha256:0000000000000",
        ];
        let numbers: Vec<_> = words.iter().map(|word| texts.intern(word)).collect();
        assert_eq!(numbers[3], numbers[7]);
        assert_eq!(numbers[4], EMPTY);
        assert_eq!(texts.len(), 9);
        let ranks = texts.ranks();
        let mut by_rank = numbers.clone();
        by_rank.sort_by_key(|text| ranks.at(*text));
        by_rank.dedup();
        let mut sorted = words.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let ranked: Vec<_> = by_rank.iter().map(|text| texts.get(*text)).collect();
        assert_eq!(ranked, sorted);
        assert_eq!(texts.find("b"), Some(numbers[1]));
        assert_eq!(texts.find("c"), None);
    }
}
