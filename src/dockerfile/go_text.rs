//! Values as Go's `fmt` writes them, which is how they come into commands
//! (Dockerfile spec, section 6.2).

use core::fmt::Write as _;

use crate::prelude::*;

/// `%q` of a text.
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        escape(c, '"', &mut quoted);
    }
    quoted.push('"');
    quoted
}

/// `%q` of a list of texts.
pub fn quote_all(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| quote(word)).collect();
    format!("[{}]", words.join(" "))
}

/// `%v` of a list of texts.
pub fn list(words: &[String]) -> String {
    format!("[{}]", words.join(" "))
}

/// `%q` of a number: the character it stands for.
pub fn quote_number(number: i64) -> String {
    let c = u32::try_from(number).ok().and_then(char::from_u32);
    let mut quoted = String::from("'");
    escape(c.unwrap_or(char::REPLACEMENT_CHARACTER), '\'', &mut quoted);
    quoted.push('\'');
    quoted
}

fn escape(c: char, quote: char, to: &mut String) {
    let short = match c {
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{b}' => 'v',
        '\\' => '\\',
        c if c == quote => c,
        c if is_printable(c) => {
            to.push(c);
            return;
        }
        c => {
            let code = u32::from(c);
            // Writing to a text does not fail.
            let _ = match code {
                ..0x80 => write!(to, "\\x{code:02x}"),
                0x80..0x1_0000 => write!(to, "\\u{code:04x}"),
                _ => write!(to, "\\U{code:08x}"),
            };
            return;
        }
    };
    to.push('\\');
    to.push(short);
}

/// Whether it is shown as it is: letters, marks, numbers, punctuation, symbols, and
/// the blank. Behind another character, a mark needs no escape here either.
fn is_printable(c: char) -> bool {
    c == '\'' || c == '"' || format!("a{c}").escape_debug().nth(1) == Some(c)
}

/// Nanoseconds as Go writes a duration: `1m30s`, `1.5s`, `20ms`, `0s`.
pub fn duration(nanoseconds: i64) -> String {
    let total = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let text = match total {
        0 => return "0s".to_owned(),
        1..1_000 => format!("{total}ns"),
        1_000..1_000_000 => format!("{}\u{b5}s", fraction(total, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", fraction(total, 1_000_000)),
        _ => {
            let minutes = total / 60_000_000_000;
            let seconds = fraction(total % 60_000_000_000, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    };
    format!("{sign}{text}")
}

/// A number of units with its decimals, zeros at the end cut.
fn fraction(total: u64, unit: u64) -> String {
    let (whole, part) = (total / unit, total % unit);
    if part == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let decimals = format!("{part:0width$}");
    format!("{whole}.{}", decimals.trim_end_matches('0'))
}

/// The nanoseconds of a duration as Go reads it, or Go's words against it.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let refuse = |why: &str| Err(format!("time: {why} {}", quote(text)));
    let (negative, mut rest) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return refuse("invalid duration");
    }
    /// One more than the largest, which only a negative one may have.
    const MOST: u64 = 1 << 63;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (decimals, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && decimals.is_empty() {
            return refuse("invalid duration");
        }
        let end = after
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end).unwrap_or((after, ""));
        let unit: u64 = match unit {
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "" => return refuse("missing unit in duration"),
            unit => {
                return Err(format!(
                    "time: unknown unit {} in duration {}",
                    quote(unit),
                    quote(text)
                ));
            }
        };
        let whole: Option<u64> = if whole.is_empty() {
            Some(0)
        } else {
            whole.parse().ok()
        };
        let value = whole.and_then(|whole| whole.checked_mul(unit));
        let sum = value
            .filter(|value| *value <= MOST)
            .and_then(|value| value.checked_add(decimal(decimals, unit)))
            .and_then(|value| total.checked_add(value))
            .filter(|total| *total <= MOST);
        let Some(sum) = sum else {
            return refuse("invalid duration");
        };
        total = sum;
        rest = after;
    }
    match (negative, i64::try_from(total)) {
        (true, Ok(total)) => Ok(-total),
        (true, Err(_)) => Ok(i64::MIN),
        (false, Ok(total)) => Ok(total),
        (false, Err(_)) => refuse("invalid duration"),
    }
}

fn digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Decimals of a unit in nanoseconds, computed with the same floating point steps.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go computes it so, and the value is below a unit"
)]
fn decimal(digits: &str, unit: u64) -> u64 {
    let mut value: u64 = 0;
    let mut scale = 1.0_f64;
    for digit in digits.bytes() {
        let next = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(u64::from(digit - b'0')));
        match next {
            Some(next) if next < 1 << 63 => value = next,
            _ => break,
        }
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_go_does() {
        assert_eq!(
            quote("a\"b\\\n\u{7f}\u{85}e\u{301}\u{feff}'"),
            "\"a\\\"b\\\\\\n\\x7f\\u0085e\u{301}\\ufeff'\""
        );
        assert_eq!(quote_number(0), "'\\x00'");
        assert_eq!(quote_number(39), "'\\''");
        assert_eq!(quote_number(65), "'A'");
        assert_eq!(quote_number(-1), "'\u{fffd}'");
    }

    #[test]
    fn durations() {
        for (text, nanoseconds, written) in [
            ("1m30s", 90_000_000_000, "1m30s"),
            ("1h", 3_600_000_000_000, "1h0m0s"),
            ("1.5s", 1_500_000_000, "1.5s"),
            (".5ms", 500_000, "500\u{b5}s"),
            ("1h0.001s", 3_600_001_000_000, "1h0m0.001s"),
            ("0", 0, "0s"),
            ("-3ns", -3, "-3ns"),
        ] {
            assert_eq!(parse_duration(text), Ok(nanoseconds), "{text}");
            assert_eq!(duration(nanoseconds), written);
        }
        for text in ["", "x", "1", "1d", ".s", "9999999h", "1s."] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
