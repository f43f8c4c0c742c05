//! How near a rejected candidate came to being the result: the same instruction
//! first, then the same source and destination, then the smaller difference, then
//! the newer image.

use core::cmp::Reverse;

use crate::docker::config::{ContainerConfig, FIELDS, Healthcheck, Value, list};
use crate::docker::instruction::Parts;
use crate::explain::Difference;
use crate::prelude::*;

/// The place of a rejected candidate; the least is the nearest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// It is not what keeps the step from a hit: it would be no answer even
    /// without the one thing that is said of it.
    no_cause: bool,
    other_instruction: bool,
    /// How many of source and destination differ.
    other_places: u8,
    /// How many things differ, and by how many characters.
    size: (usize, usize),
    /// Among equals a source goes first: without one a child would not do either.
    child: bool,
    newest: Reverse<Option<(i64, u32)>>,
}

impl Rank {
    /// Of what alone keeps the step from a hit.
    pub const fn cause() -> Self {
        Self {
            no_cause: false,
            other_instruction: false,
            other_places: 0,
            size: (0, 0),
            child: false,
            newest: Reverse(None),
        }
    }

    /// Of a child that has another config, or that `others` more things speak
    /// against.
    pub fn of_child(
        have: &ContainerConfig,
        want: &ContainerConfig,
        differences: &[Difference],
        others: usize,
        created: Option<(i64, u32)>,
    ) -> Self {
        let (have_command, want_command) = (list(&have.cmd), list(&want.cmd));
        let joined = |words: Option<&[String]>| words.unwrap_or_default().join(" ");
        let mut rank = Self::of_commands(&joined(have_command), &joined(want_command));
        let (count, characters) = size(have, want, differences);
        rank.size = (count.saturating_add(others), characters);
        rank.child = true;
        rank.newest = Reverse(created);
        rank
    }

    /// Of a source whose next entry has the command `have`, when `others` more
    /// things speak against it.
    pub fn of_source(
        have: Option<&str>,
        want: &str,
        others: usize,
        created: Option<(i64, u32)>,
    ) -> Self {
        let mut rank = Self::of_commands(have.unwrap_or_default(), want);
        if have.is_none() {
            rank.other_instruction = true;
        }
        rank.size.0 = rank.size.0.saturating_add(others);
        rank.newest = Reverse(created);
        rank
    }

    fn of_commands(have: &str, want: &str) -> Self {
        let (a, b) = (Parts::of(have), Parts::of(want));
        let characters = span(have.as_bytes(), want.as_bytes());
        Self {
            no_cause: true,
            other_instruction: a.name != b.name,
            other_places: u8::from(a.source != b.source) + u8::from(a.target != b.target),
            size: (usize::from(have != want), characters),
            child: false,
            newest: Reverse(None),
        }
    }
}

/// How many things differ, each word of a list being one, and by how many
/// characters.
fn size(
    have: &ContainerConfig,
    want: &ContainerConfig,
    differences: &[Difference],
) -> (usize, usize) {
    let (mut count, mut characters) = (0_usize, 0_usize);
    let mut add = |things: usize, length: usize| {
        count = count.saturating_add(things);
        characters = characters.saturating_add(length);
    };
    for difference in differences {
        let (field, of_list) = difference
            .path
            .split_once('[')
            .unwrap_or((&difference.path, ""));
        match (words(have, field), words(want, field)) {
            (Some(have), Some(want)) if !of_list.is_empty() => {
                let bytes = |words: &[String]| words.join("\0").into_bytes();
                add(span(have, want), span(&bytes(have), &bytes(want)));
            }
            _ => {
                let text = |side: &Option<String>| side.clone().unwrap_or_default().into_bytes();
                add(1, span(&text(&difference.have), &text(&difference.want)));
            }
        }
    }
    (count, characters)
}

/// The words of a field, for one that is a list.
fn words<'a>(config: &'a ContainerConfig, field: &str) -> Option<&'a [String]> {
    if field == "Healthcheck.Test" {
        let check = config.healthcheck.as_ref();
        return Some(check.map_or(&[], Healthcheck::words));
    }
    let field = FIELDS.iter().find(|known| known.name == field)?;
    match (field.value)(config) {
        Value::Words(words) => Some(words.unwrap_or_default()),
        _ => None,
    }
}

/// How long the longer side is between what both begin and end with; at least one
/// where they differ.
fn span<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    let before = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let rest = a.len().min(b.len()).saturating_sub(before);
    let ends = a.iter().rev().zip(b.iter().rev());
    let after = ends.take(rest).take_while(|(a, b)| a == b).count();
    a.len().max(b.len()).saturating_sub(before + after)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COPY: &str = "/bin/sh -c #(nop) COPY dir:aa in . ";

    fn nearer(a: &str, b: &str, want: &str) -> bool {
        Rank::of_commands(a, want) < Rank::of_commands(b, want)
    }

    #[test]
    fn the_same_instruction_goes_first() {
        let arg = "/bin/sh -c #(nop)  ARG V=1";
        assert!(nearer(
            "/bin/sh -c #(nop) COPY dir:0000000000 in . ",
            arg,
            COPY
        ));
        assert!(nearer("/bin/sh -c #(nop) COPY file:a in /z ", arg, COPY));
        assert!(nearer("/bin/sh -c other", arg, "/bin/sh -c make"));
    }

    #[test]
    fn then_the_same_source_and_destination() {
        let far = "/bin/sh -c #(nop) COPY dir:0123456789012345 in . ";
        assert!(nearer(far, "/bin/sh -c #(nop) COPY file:aa in . ", COPY));
        assert!(nearer(far, "/bin/sh -c #(nop) COPY dir:aa in x ", COPY));
        let env = "/bin/sh -c #(nop)  ENV A=1";
        let set = "/bin/sh -c #(nop)  ENV A=much longer";
        assert!(nearer(set, "/bin/sh -c #(nop)  ENV B=1", env));
        let args = "|2 A=1 BBBBBBBBBBBBBBBB=2 /bin/sh -c make";
        assert!(nearer(args, "/bin/sh -c mak", "/bin/sh -c make"));
    }

    #[test]
    fn then_the_smaller_difference_and_the_newer() {
        assert!(nearer(
            "/bin/sh -c make test",
            "/bin/sh -c ls",
            "/bin/sh -c make tests"
        ));
        let source = |created| Rank::of_source(Some("a"), "b", 0, Some(created));
        assert!(source((2, 0)) < source((1, 9)));
        // The same command, apart elsewhere, is nearer than another command.
        let apart = |have, others| Rank::of_source(Some(have), "b", others, None);
        assert!(apart("b", 1) < apart("b", 2) && apart("b", 2) < apart("a", 0));
        assert!(Rank::cause() < Rank::of_source(Some("b"), "b", 0, Some((9, 9))));
    }

    #[test]
    fn each_word_of_a_list_counts() {
        assert_eq!(span(&["a", "b", "c"], &["a", "c"]), 1);
        assert_eq!(span(&["a", "b"], &["c", "d", "e"]), 3);
        assert_eq!(span(&["a", "a"], &["a"]), 1);
        assert_eq!(span::<u8>(&[], &[]), 0);
    }
}
