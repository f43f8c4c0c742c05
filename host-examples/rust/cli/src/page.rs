//! Text output: aligned lines. Everything put on a page is made safe here.

use std::borrow::Cow;

use layerwise_host::Rule;

use crate::catalogue::Catalogue;
use crate::color;
use crate::text;

/// The longest value shown on a terminal unless everything is asked for.
const LONGEST: usize = 160;

/// How to print.
#[derive(Clone, Copy, Default)]
pub struct Style<'a> {
    /// JSON instead of text.
    pub json: bool,
    /// Whole ids and values.
    pub verbose: bool,
    /// Somebody looks at a screen.
    pub terminal: bool,
    /// Words that say what came of something are coloured.
    pub color: bool,
    /// What codes mean; without it, that is left out.
    pub catalogue: Option<&'a Catalogue<'a>>,
}

/// Lines for people.
pub struct Page<'a> {
    style: Style<'a>,
    indent: usize,
    text: String,
}

impl<'a> Page<'a> {
    /// An empty page.
    pub const fn new(style: Style<'a>) -> Self {
        Self {
            style,
            indent: 0,
            text: String::new(),
        }
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.text
    }

    /// How it is printed.
    pub const fn style(&self) -> Style<'a> {
        self.style
    }

    /// What a code means, if that is known.
    pub fn rule(&self, code: &str) -> Option<&'a Rule> {
        self.style.catalogue?.find(code)
    }

    /// What `put` puts on the page is moved to the right.
    pub fn indented(&mut self, by: usize, put: impl FnOnce(&mut Self)) {
        self.indent += by;
        put(self);
        self.indent -= by;
    }

    /// A line.
    pub fn line(&mut self, text: &str) {
        self.rows(0, &[[text]]);
    }

    /// A line that is neither shortened nor cut.
    pub fn whole(&mut self, raw: &str) {
        self.text.push_str(&text::escape(raw));
        self.text.push('\n');
    }

    /// A labelled text that somebody may copy, so that it is neither shortened nor cut.
    pub fn told(&mut self, indent: usize, label: &str, raw: &str) {
        let space = " ".repeat(self.indent + indent);
        let label = format!("{label:9}");
        self.text.push_str(&space);
        self.text.push_str(&if self.style.color {
            color::paint(&label)
        } else {
            label
        });
        self.whole(&format!("  {raw}"));
    }

    /// An empty line between two parts.
    pub fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Rows with aligned columns.
    pub fn rows<const N: usize, T: AsRef<str>>(&mut self, indent: usize, rows: &[[T; N]]) {
        let cells = |row: &[T; N]| row.each_ref().map(|cell| self.cell(cell.as_ref()));
        let cells: Vec<[String; N]> = rows.iter().map(cells).collect();
        let mut widths = [0; N];
        for row in &cells {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &cells {
            let mut line = " ".repeat(self.indent + indent);
            for (cell, width) in row.iter().zip(widths) {
                let cell = format!("{cell:width$}");
                line.push_str(&if self.style.color {
                    color::paint(&cell)
                } else {
                    cell
                });
                line.push_str("  ");
            }
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    fn cell(&self, raw: &str) -> String {
        if self.style.verbose {
            return text::escape(raw).into_owned();
        }
        let short = text::short_ids(raw);
        let safe = text::escape(&short);
        if self.style.terminal {
            text::cut(&safe, LONGEST).into_owned()
        } else {
            safe.into_owned()
        }
    }
}

/// A value whose ends must be seen; none is shown as `absent`.
pub fn quoted(value: Option<&str>) -> Cow<'static, str> {
    value.map_or(Cow::Borrowed("absent"), |value| {
        Cow::Owned(format!("\"{value}\""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_aligned_and_safe() {
        let mut page = Page::new(Style::default());
        page.rows(2, &[["a", "1"], ["l\u{1b}ng", "2"]]);
        page.gap();
        page.gap();
        page.line(&format!("sha256:{}", "a".repeat(64)));
        assert_eq!(
            page.finish(),
            "  a          1\n  l\\u{1b}ng  2\n\naaaaaaaaaaaa\n"
        );
    }

    #[test]
    fn long_values_are_cut_on_a_terminal_only() {
        let long = "x".repeat(LONGEST + 1);
        for (terminal, verbose, length) in [
            (true, false, LONGEST),
            (true, true, LONGEST + 1),
            (false, false, LONGEST + 1),
        ] {
            let mut page = Page::new(Style {
                verbose,
                terminal,
                ..Style::default()
            });
            page.line(&long);
            assert_eq!(page.finish().trim_end().chars().count(), length);
        }
    }
}
