//! Text from elsewhere made safe and short for people.

use std::borrow::Cow;

use layerwise::oci::Digest;

/// How many hex digits of an id are shown.
const SHORT: usize = 12;

/// Replaces what could move the cursor, hide text or turn its direction by an
/// escape: control characters, line separators and bidirectional controls.
/// Everything that comes from images, stores and files passes through here
/// before it reaches a terminal.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Whether a character could move the cursor, hide text or turn its direction.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// Replaces every digest in a text by its first hex digits.
pub fn short_ids(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != ':') {
        let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        match word.parse::<Digest>() {
            Ok(digest) => {
                short.extend(digest.hex().chars().take(SHORT));
                short.push_str(piece.strip_prefix(word).unwrap_or_default());
            }
            Err(_) => short.push_str(piece),
        }
    }
    short
}

/// At most `most` characters of a text, counting the mark of what was left out.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().count() <= most {
        return Cow::Borrowed(text);
    }
    let head: String = text.chars().take(most.saturating_sub(1)).collect();
    Cow::Owned(head + "\u{2026}")
}

/// A number of bytes for people.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} bytes");
    }
    let mut whole = count;
    let mut rest = 0;
    let mut unit = "";
    for name in UNITS {
        (rest, whole) = (whole % 1024, whole / 1024);
        unit = name;
        if whole < 1024 {
            break;
        }
    }
    format!("{whole}.{} {unit}", rest * 10 / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_become_short_wherever_they_are() {
        let id = format!("sha256:{}", "0123456789abcdef".repeat(4));
        for (text, short) in [
            (id.clone(), "0123456789ab"),
            (
                format!("no image \"{id}\" in x"),
                "no image \"0123456789ab\" in x",
            ),
            (format!("{id}: gone"), "0123456789ab: gone"),
            (format!("app@{id}"), "app@0123456789ab"),
            (format!("{id}0"), &format!("{id}0")),
            ("sha256:0123".to_owned(), "sha256:0123"),
            ("grün: a  b ".to_owned(), "grün: a  b "),
        ] {
            assert_eq!(short_ids(&text), short);
        }
    }

    #[test]
    fn sizes_are_short() {
        for (count, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1 << 20, "1.0 MiB"),
            (u64::MAX, "16383.9 PiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
