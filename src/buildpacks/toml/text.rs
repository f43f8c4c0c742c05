//! Strings and numbers as upstream's encoder writes them.

use core::fmt::Write as _;

use crate::buildpacks::version::Floats;
use crate::go_json::{scientific, write_plain};
use crate::prelude::*;

/// A basic string on one line.
pub fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '\u{7f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// A finite float: the shortest digits that read back as the same value, always
/// recognisable as a float.
pub fn write_float(out: &mut String, value: f64, style: Floats) {
    let (digits, exponent) = scientific(value);
    if style == Floats::Exponent && value != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{digits}e{sign}{:02}", exponent.unsigned_abs());
        return;
    }
    let start = out.len();
    write_plain(out, value);
    if !out.get(start..).unwrap_or_default().contains('.') {
        out.push_str(".0");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_go_does() {
        for (value, exponent, plain) in [
            (0.0, "0.0", "0.0"),
            (-0.0, "-0.0", "-0.0"),
            (-3.0, "-3.0", "-3.0"),
            (2.5, "2.5", "2.5"),
            (123_456.0, "123456.0", "123456.0"),
            (1_000_000.0, "1e+06", "1000000.0"),
            (1_234_567.0, "1.234567e+06", "1234567.0"),
            (1e21, "1e+21", "1000000000000000000000.0"),
            (0.0001, "0.0001", "0.0001"),
            (0.000_012, "1.2e-05", "0.000012"),
            (1e-7, "1e-07", "0.0000001"),
            (
                -2_985_312_365_942_325.0 / 4.0,
                "-7.463280914855812e+14",
                "-746328091485581.2",
            ),
            (1e100, "1e+100", &format!("1{}.0", "0".repeat(100))),
        ] {
            for (style, want) in [(Floats::Exponent, exponent), (Floats::Plain, plain)] {
                let mut out = String::new();
                write_float(&mut out, value, style);
                assert_eq!(out, want);
            }
        }
    }
}
