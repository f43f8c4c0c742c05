//! Numbers as Go reads and writes them.

use core::fmt::Write as _;

use crate::prelude::*;

/// A 64-bit integer, which Go accepts only without fraction and exponent.
pub fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Writes a finite float: the shortest digits that read back as the same value,
/// plain between 1e-6 and 1e21, with an exponent outside (buildpacks spec,
/// section 2.3). Answers false, and writes nothing, for NaN and infinities.
pub fn write_float(out: &mut String, value: f64) -> bool {
    if !value.is_finite() {
        return false;
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        let _ = write!(out, "{digits}e{sign}{exponent}");
    } else {
        let _ = write!(out, "{value}");
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_go_does() {
        for (value, want) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (1.5, "1.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e22, "1.5e+22"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (5e-324, "5e-324"),
            (-2.5e-9, "-2.5e-9"),
            (9_007_199_254_740_992.0, "9007199254740992"),
        ] {
            let mut out = String::new();
            assert!(write_float(&mut out, value));
            assert_eq!(out, want);
        }
        let mut out = String::new();
        assert!(!write_float(&mut out, f64::NAN));
        assert!(!write_float(&mut out, f64::INFINITY));
        assert_eq!(out, "");
    }

    #[test]
    fn integers_are_plain() {
        assert_eq!(integer("-0"), Some(0));
        assert_eq!(integer("9223372036854775807"), Some(i64::MAX));
        for text in ["9223372036854775808", "1.0", "1e1", ""] {
            assert_eq!(integer(text), None, "{text}");
        }
    }
}
