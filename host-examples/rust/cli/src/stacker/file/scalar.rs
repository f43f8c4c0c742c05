//! What plain values are: YAML 1.1 as the Go library of stacker (yaml.v2) reads
//! it. A value is read, written back and read again before stacker sees it, so
//! what counts is how it is written back: `yes` is `true`, `0755` is `493`.

use super::node::Node;

/// The value of a plain text.
pub fn resolve(text: &str) -> Node {
    let text_of = || Node::Text(text.to_owned());
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Node::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Node::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Node::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return number(".nan"),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return number(".inf"),
        "-.inf" | "-.Inf" | "-.INF" => return number("-.inf"),
        _ => {}
    }
    match text.bytes().next() {
        Some(b'.') if is_float(text) => float(text).unwrap_or_else(text_of),
        Some(b'+' | b'-' | b'0'..=b'9') => {
            let plain = text.replace('_', "");
            match integer(&plain) {
                Some(number) => number,
                None if is_float(&plain) => float(&plain).unwrap_or_else(text_of),
                None => text_of(),
            }
        }
        _ => text_of(),
    }
}

fn number(text: &str) -> Node {
    Node::Number(text.to_owned(), None)
}

/// A whole number with an optional sign and base prefix; a leading zero means
/// base eight. Above the signed range it must have no sign.
fn integer(text: &str) -> Option<Node> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", text.get(1..)?),
        b'+' => ("+", text.get(1..)?),
        _ => ("", text),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let value = u64::from_str_radix(digits, base).ok()?;
    let value = match sign {
        "-" => 0_i64.checked_sub_unsigned(value)?,
        _ => match i64::try_from(value) {
            Ok(value) => value,
            Err(_) if sign.is_empty() => return Some(number(&value.to_string())),
            Err(_) => return None,
        },
    };
    Some(Node::Number(value.to_string(), Some(value)))
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent_ok = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    exponent_ok && digits(whole) && digits(part) && !(whole.is_empty() && part.is_empty())
}

/// As Go's `strconv` writes it with format `g` and the fewest digits that give
/// it back. What is too large is no number.
fn float(text: &str) -> Option<Node> {
    let value: f64 = text.parse().ok()?;
    if !value.is_finite() {
        return None;
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let text = if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
    } else {
        value.to_string()
    };
    let whole = text.parse().ok().filter(|_| !text.contains(['.', 'e']));
    Some(Node::Number(text, whole))
}
