//! Text in quotes as Go's `%q` prints it, for the lines upstream logs
//! (Buildpacks spec, sections 4.2 and 5.7).

use core::fmt::Write as _;

use crate::prelude::*;

/// A quoted Go string. Control, format and unassigned spaces are escaped.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\0'..='\u{1f}' | '\u{7f}' => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            _ if printable(c) => out.push(c),
            '\u{10000}'.. => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
            _ => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// Whether Go prints a character as it is.
fn printable(c: char) -> bool {
    !matches!(c,
        '\u{80}'..='\u{a0}'
        | '\u{ad}'
        | '\u{600}'..='\u{605}'
        | '\u{61c}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{1680}'
        | '\u{180e}'
        | '\u{2000}'..='\u{200f}'
        | '\u{2028}'..='\u{202f}'
        | '\u{205f}'..='\u{206f}'
        | '\u{3000}'
        | '\u{e000}'..='\u{f8ff}'
        | '\u{feff}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{fffe}'..='\u{ffff}'
        | '\u{e0000}'..='\u{e00ff}'
        | '\u{e0200}'..
    )
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn quotes_as_go_does() {
        assert_eq!(quoted("a:b/é\u{301}😀"), "\"a:b/é\u{301}😀\"");
        assert_eq!(
            quoted("\"\\\n\u{1b}\u{7f}\u{202e}\u{feff}\u{e0001}\u{a0}"),
            r#""\"\\\n\x1b\x7f\u202e\ufeff\U000e0001\u00a0""#
        );
        assert_eq!(quoted("\u{7}\u{8}\u{c}\r\t\u{b}"), r#""\a\b\f\r\t\v""#);
    }
}
