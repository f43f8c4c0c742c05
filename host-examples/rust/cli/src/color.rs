//! Whether and how text is coloured: whole words of ours, never what comes from an image.

use std::env;
use std::ffi::OsString;
use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How words look that say what came of something.
const WORDS: &[(&str, Style)] = &[
    ("hit", GOOD),
    ("hit-local", GOOD),
    ("hit-source", GOOD),
    ("hit-restored", GOOD),
    ("cached", GOOD),
    ("restored", GOOD),
    ("reused", GOOD),
    ("passed", GOOD),
    ("changed", DOUBTFUL),
    ("miss", DOUBTFUL),
    ("ran", DOUBTFUL),
    ("runs", DIM),
    ("unknown", DOUBTFUL),
    ("absent", DOUBTFUL),
    ("fails", BAD),
    ("failed", BAD),
    ("refused", BAD),
    ("restore-failed", BAD),
    ("stale", BAD),
    ("advice", STRONG),
    ("because", STRONG),
];

const GOOD: Style = AnsiColor::Green.on_default();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const DIM: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// A cell, coloured if it is one of the words, or begins with one and a gap. The spaces that
/// align it stay outside.
pub fn paint(cell: &str) -> String {
    let word = cell.split("  ").next().unwrap_or(cell);
    match WORDS.iter().find(|(known, _)| *known == word) {
        Some((_, style)) => cell.replacen(word, &format!("{style}{word}{style:#}"), 1),
        None => cell.to_owned(),
    }
}

/// A line of an error.
pub fn paint_error(text: &str) -> String {
    match text.strip_prefix("error:") {
        Some(rest) => format!("{BAD}error:{BAD:#}{rest}"),
        None => text.to_owned(),
    }
}

impl Color {
    /// Whether text on a stream is coloured.
    pub fn holds(self, stream: &impl IsTerminal) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => stream.is_terminal() && is_welcome(),
        }
    }

    /// What was asked for in arguments that cannot be read otherwise.
    pub fn typed(arguments: &[OsString]) -> Self {
        let words: Vec<_> = arguments.iter().map(|a| a.to_string_lossy()).collect();
        let joined = words.iter().find_map(|word| word.strip_prefix("--color="));
        let next = words.iter().skip_while(|word| *word != "--color").nth(1);
        let variable = env::var("LAYERWISE_COLOR").unwrap_or_default();
        let named = joined.or(next.map(|word| &**word)).unwrap_or(&variable);
        Self::from_str(named, false).unwrap_or_default()
    }
}

fn is_welcome() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_are_coloured() {
        assert_eq!(paint("hit  "), "\u{1b}[32mhit\u{1b}[0m  ");
        assert_eq!(paint("hit  abc"), "\u{1b}[32mhit\u{1b}[0m  abc");
        assert_eq!(paint("hit it"), "hit it");
        assert_eq!(paint_error("error: x"), "\u{1b}[31merror:\u{1b}[0m x");
    }

    #[test]
    fn the_option_is_found_in_wrong_arguments() {
        let typed = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            Color::typed(&words)
        };
        assert_eq!(typed(&["dmo", "--color", "always"]), Color::Always);
        assert_eq!(typed(&["--color=never", "dmo"]), Color::Never);
        assert_eq!(typed(&["dmo", "--color"]), Color::Auto);
    }
}
