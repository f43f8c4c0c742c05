//! The specification, page by page and section by section: what the decisions
//! follow, and what the `section` of a [`Rule`](crate::explain::Rule) names.

use crate::prelude::*;

/// The specification of one system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The interface whose decisions it describes, which is what its codes begin
    /// with: `docker`, `dockerfile`, `buildpacks`, `buildkit`, `builds` or `stacker`.
    pub system: &'static str,
    /// What citations call it, for example "Docker spec".
    pub name: &'static str,
    /// Its file, from the top of the repository.
    pub path: &'static str,
    /// Its text, in Markdown.
    pub text: &'static str,
}

/// Every page.
pub const PAGES: [Page; 6] = [
    Page {
        system: "docker",
        name: "Docker spec",
        path: "src/docker/SPEC.md",
        text: include_str!("docker/SPEC.md"),
    },
    Page {
        system: "dockerfile",
        name: "Dockerfile spec",
        path: "src/dockerfile/SPEC.md",
        text: include_str!("dockerfile/SPEC.md"),
    },
    Page {
        system: "buildpacks",
        name: "Buildpacks spec",
        path: "src/buildpacks/SPEC.md",
        text: include_str!("buildpacks/SPEC.md"),
    },
    Page {
        system: "buildkit",
        name: "BuildKit spec",
        path: "src/buildkit/SPEC.md",
        text: include_str!("buildkit/SPEC.md"),
    },
    Page {
        system: "builds",
        name: "Builds spec",
        path: "src/builds/SPEC.md",
        text: include_str!("builds/SPEC.md"),
    },
    Page {
        system: "stacker",
        name: "stacker spec",
        path: "src/stacker/SPEC.md",
        text: include_str!("stacker/SPEC.md"),
    },
];

/// A numbered section of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Its number, for example "4.1".
    pub number: &'a str,
    /// Its heading without the number, in Markdown.
    pub title: &'a str,
    /// What stands below the heading, up to the next heading.
    pub text: &'a str,
}

impl Page {
    /// The page of the system that a code begins with, if there is one.
    #[must_use]
    pub fn of(code: &str) -> Option<&'static Self> {
        let (system, _) = code.split_once('/')?;
        PAGES.iter().find(|page| page.system == system)
    }

    /// Every numbered section, in the order of the page.
    pub fn sections(&self) -> impl Iterator<Item = Section<'_>> {
        let mut rest = self.text;
        core::iter::from_fn(move || {
            loop {
                let (_, from) = split_heading(rest)?;
                let (line, below) = from.split_once('\n').unwrap_or((from, ""));
                let text = split_heading(below).map_or(below, |(before, _)| before);
                rest = below;
                if let Some((number, title)) = numbered(line) {
                    let text = text.trim();
                    return Some(Section {
                        number,
                        title,
                        text,
                    });
                }
            }
        })
    }

    /// The section with a number.
    #[must_use]
    pub fn section(&self, number: &str) -> Option<Section<'_>> {
        self.sections().find(|section| section.number == number)
    }
}

impl Section<'_> {
    /// The fragment of an address that leads to it: the same where the page is
    /// shown by a code host and in the documentation of this crate.
    #[must_use]
    pub fn anchor(&self) -> String {
        let heading = format!("{} {}", self.number, self.title).to_lowercase();
        let kept = heading.chars().filter_map(|c| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            _ => c.is_alphanumeric().then_some(c),
        });
        kept.collect()
    }
}

/// What stands before the next heading, and what begins with it. A line of a
/// code block is no heading.
fn split_heading(text: &str) -> Option<(&str, &str)> {
    let (mut at, mut code) = (0, false);
    for line in text.split_inclusive('\n') {
        if line.starts_with("```") {
            code = !code;
        } else if !code && line.starts_with('#') {
            return text.split_at_checked(at);
        }
        at += line.len();
    }
    None
}

/// The number and the title of a heading that has a number.
fn numbered(line: &str) -> Option<(&str, &str)> {
    let (number, title) = line.trim_start_matches('#').trim().split_once(' ')?;
    let number = number.strip_suffix('.').unwrap_or(number);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    number.split('.').all(digits).then_some((number, title))
}

/// What the `section` of a rule names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Citation<'a> {
    /// A section of the page of the rule's system, and a row of a table in it if
    /// one is named, for example H3.
    Section(&'a str, Option<&'a str>),
    /// A threat of `tests/THREATS.md`, for example T6.
    Threat(&'a str),
}

/// The parts of a rule's `section`, such as "7, T6" or "8 H3".
pub fn citations(section: &str) -> impl Iterator<Item = Citation<'_>> {
    section.split(", ").map(|part| match part.split_once(' ') {
        Some((number, row)) => Citation::Section(number, Some(row)),
        None if part.starts_with('T') => Citation::Threat(part),
        None => Citation::Section(part, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_found_by_number() {
        let page = Page::of("docker/config-mismatch").unwrap();
        let section = page.section("4.1").unwrap();
        assert_eq!(section.title, "Local lookup");
        assert_eq!(section.anchor(), "41-local-lookup");
        assert!(section.text.starts_with("1. config null"), "{section:?}");
        assert!(!section.text.contains("### 4.2"), "{section:?}");
        assert_eq!(page.section("4.99"), None);
        assert_eq!(Page::of("buildah/x"), None);
    }

    #[test]
    fn a_comment_in_a_code_block_is_no_heading() {
        let text = "## 1. One\n```text\n# 9 nine\n```\n## Two\nb\n### 2.1 Three\nc";
        let page = Page { text, ..PAGES[0] };
        let numbers: Vec<_> = page.sections().map(|s| (s.number, s.title)).collect();
        assert_eq!(numbers, [("1", "One"), ("2.1", "Three")]);
    }

    #[test]
    fn parts_of_a_citation() {
        let parts: Vec<_> = citations("7, T6").chain(citations("8 H3")).collect();
        let expected = [
            Citation::Section("7", None),
            Citation::Threat("T6"),
            Citation::Section("8", Some("H3")),
        ];
        assert_eq!(parts, expected);
    }
}
