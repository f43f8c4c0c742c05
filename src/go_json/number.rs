//! Numbers as Go reads and writes them.

use core::fmt::Write as _;

use crate::prelude::*;

/// A 64-bit integer, which Go accepts only without fraction and exponent.
pub fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Writes a finite float: the shortest digits that read back as the same value,
/// plain between 1e-6 and 1e21, with an exponent outside (Buildpacks spec,
/// section 2.3). Returns false, and writes nothing, for NaN and infinities.
pub fn write_float(out: &mut String, value: f64) -> bool {
    if !value.is_finite() {
        return false;
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let (digits, exponent) = scientific(value);
        let sign = if exponent < 0 { "" } else { "+" };
        let _ = write!(out, "{digits}e{sign}{exponent}");
    } else {
        write_plain(out, value);
    }
    true
}

/// Writes a finite float without an exponent, and without a point where it is an
/// integer.
pub fn write_plain(out: &mut String, value: f64) {
    let (mantissa, exponent) = scientific(value);
    let digits = mantissa.replace(['-', '.'], "");
    if mantissa.starts_with('-') {
        out.push('-');
    }
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let whole = exponent.saturating_add(1);
    if whole <= 0 {
        let _ = write!(out, "0.{}{digits}", zeros(whole.saturating_neg()));
    } else if whole < length {
        let point = usize::try_from(whole).unwrap_or(0);
        let (whole, fraction) = digits.split_at_checked(point).unwrap_or((&digits, ""));
        let _ = write!(out, "{whole}.{fraction}");
    } else {
        let _ = write!(out, "{digits}{}", zeros(whole.saturating_sub(length)));
    }
}

/// A finite float as `d.ddd` and the exponent of ten: the fewest digits that
/// read back as the same value, the nearest of these, and of two that are
/// equally near the even one, where Rust takes the larger.
pub fn scientific(value: f64) -> (String, i32) {
    // Fewer digits than this are never equally near.
    const DIGITS: usize = 16;
    let mut text = format!("{value:e}");
    let mantissa = text.split('e').next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    if digits >= DIGITS {
        let even = format!("{value:.*e}", digits.saturating_sub(1));
        if even.parse() == Ok(value) {
            text = even;
        }
    }
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (digits.to_owned(), exponent.parse().unwrap_or(0))
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
            (1_152_921_504_606_846_976.0, "1152921504606847000"),
            (0.1, "0.1"),
            (0.012, "0.012"),
            (2_985_312_365_942_325.0 / 4.0, "746328091485581.2"),
            (2_985_312_365_942_327.0 / 4.0, "746328091485581.8"),
            (-2_251_799_813_685_249.0 / 4.0, "-562949953421312.2"),
            (123_456_789_012.345_67, "123456789012.34567"),
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
