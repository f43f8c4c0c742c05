//! Which words are TOML values: booleans, numbers, dates and times.

use crate::prelude::*;

/// Whether `word` is a boolean, a number or a date, time or both.
pub fn is_scalar(word: &str) -> bool {
    matches!(word, "true" | "false") || is_number(word) || is_date_time(word)
}

fn is_number(word: &str) -> bool {
    let (signed, body) = match word.strip_prefix(['+', '-']) {
        Some(body) => (true, body),
        None => (false, word),
    };
    if matches!(body, "inf" | "nan") {
        return true;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = body.strip_prefix(prefix) {
            return !signed
                && separated(digits, |c| c.is_digit(radix))
                && i64::from_str_radix(&plain(digits), radix).is_ok();
        }
    }
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (body, None),
    };
    if let Some(exponent) = exponent
        && !decimal(exponent.strip_prefix(['+', '-']).unwrap_or(exponent), true)
    {
        return false;
    }
    // A float must not be out of range.
    let finite = || plain(body).parse().is_ok_and(f64::is_finite);
    match mantissa.split_once('.') {
        Some((whole, fraction)) => decimal(whole, false) && decimal(fraction, true) && finite(),
        None if exponent.is_some() => decimal(mantissa, false) && finite(),
        None => {
            let negative = word.starts_with('-');
            let text = plain(body);
            let sign = if negative { "-" } else { "" };
            decimal(mantissa, false) && [sign, &text].concat().parse::<i64>().is_ok()
        }
    }
}

fn plain(digits: &str) -> String {
    digits.replace('_', "")
}

/// Digits, perhaps with single underscores between them.
fn separated(digits: &str, digit: impl Fn(char) -> bool) -> bool {
    !digits.is_empty()
        && digits
            .split('_')
            .all(|part| !part.is_empty() && part.chars().all(&digit))
}

/// Decimal digits; a leading zero only where it does not matter.
fn decimal(digits: &str, leading_zero: bool) -> bool {
    separated(digits, |c| c.is_ascii_digit())
        && (leading_zero || digits.len() == 1 || !digits.starts_with('0'))
}

fn is_date_time(word: &str) -> bool {
    let Some((_, rest)) = word.split_at_checked(10).filter(|(date, _)| is_date(date)) else {
        return is_time(word);
    };
    if rest.is_empty() {
        return true;
    }
    let Some(time) = rest.strip_prefix(['T', 't', ' ']) else {
        return false;
    };
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return is_time(time);
    }
    match time
        .rfind(['+', '-'])
        .and_then(|at| time.split_at_checked(at))
    {
        Some((time, offset)) => {
            let offset = offset.get(1..).unwrap_or_default();
            is_time(time) && offset.len() == 5 && clock(offset, [25, 61, 0]) == Some(2)
        }
        None => is_time(time),
    }
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut next = |digits: usize| parts.next().and_then(|part| fixed(part, digits));
    let (Some(year), Some(month), Some(day)) = (next(4), next(2), next(2)) else {
        return false;
    };
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    parts.next().is_none() && (1..=last).contains(&day)
}

/// `hh:mm`, `hh:mm:ss` or `hh:mm:ss.fraction`.
fn is_time(text: &str) -> bool {
    let (clock_text, fraction) = match text.split_once('.') {
        Some((clock_text, fraction)) => (clock_text, Some(fraction)),
        None => (text, None),
    };
    let Some(parts) = clock(clock_text, [24, 60, 60]) else {
        return false;
    };
    match fraction {
        None => parts >= 2,
        Some(digits) => {
            parts == 3 && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
        }
    }
}

/// How many parts a clock has, two or three, when each is below its limit.
fn clock(text: &str, limits: [u32; 3]) -> Option<usize> {
    let mut parts = 0_usize;
    for (part, limit) in text.split(':').zip(limits) {
        fixed(part, 2).filter(|value| *value < limit)?;
        parts = parts.saturating_add(1);
    }
    (parts == text.split(':').count() && parts >= 2).then_some(parts)
}

fn fixed(text: &str, digits: usize) -> Option<u32> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::is_scalar;

    #[test]
    fn words_are_told_apart() {
        for word in [
            "true",
            "0",
            "-0",
            "+17",
            "1_000",
            "0xDEAD_beef",
            "0o755",
            "0b1_0",
            "1.5",
            "-0.1",
            "1e10",
            "1E-07",
            "6.6_2e+3_4",
            "inf",
            "-nan",
            "9223372036854775807",
            "-9223372036854775808",
            "1979-05-27",
            "07:32:00",
            "07:32:00.999",
            "07:32",
            "1979-05-27T07:32:00Z",
            "1979-05-27t07:32:00.5-07:00",
            "1979-05-27 07:32:00",
            "2024-02-29",
            "1e-400",
            // As Go reads offsets.
            "1979-05-27T07:32:00+24:60",
        ] {
            assert!(is_scalar(word), "{word}");
        }
        for word in [
            "",
            "True",
            "toml",
            "01",
            "1_",
            "_1",
            "1__0",
            "+0x1",
            "0x",
            "0X1",
            "1.",
            ".5",
            "1.e1",
            "1e",
            "+",
            "9223372036854775808",
            "-9223372036854775809",
            "0xffffffffffffffff",
            "1979-13-01",
            "2023-02-29",
            "1979-05-27T",
            "1979-05-27X07:32:00",
            "24:00:00",
            "07:60:00",
            "7:32:00",
            "07:32:00.",
            "1979-05-27T07:32:00+0700",
            "1979-05-27T07:32:00+25:00",
            "1979-05-27T07:32:00-00:61",
            "23:59:60",
            "1e400",
            "-1.0e309",
            "07:32:00Z",
            "infinity",
            "07",
            "12:30:00:00",
        ] {
            assert!(!is_scalar(word), "{word}");
        }
    }
}
