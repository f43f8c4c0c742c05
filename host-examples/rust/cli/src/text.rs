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

/// The same for JSON, as escapes of JSON; line ends between members stay.
pub fn escape_json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) && c != '\n' {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe
}

fn is_unsafe(c: char) -> bool {
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

/// Both texts from a little before the first difference, so that cutting them
/// does not hide it.
pub fn around_difference<'a>(
    a: &'a str,
    b: &'a str,
    before: usize,
) -> (Cow<'a, str>, Cow<'a, str>) {
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let skip = same.saturating_sub(before);
    let from = |text: &'a str| match skip {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(
            text.chars()
                .skip(skip)
                .fold("\u{2026}".to_owned(), |mut t, c| {
                    t.push(c);
                    t
                }),
        ),
    };
    (from(a), from(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_or_turns_passes() {
        let hidden = "\0\t\n\r\u{1b}\u{7f}\u{85}\u{9b}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\
                      \u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        for c in hidden.chars() {
            let text = format!("a{c}b");
            assert!(!escape(&text).contains(c), "{c:?}");
            let json = serde_json::to_string(&text).unwrap();
            let safe = escape_json(&json);
            assert!(!safe.contains(c), "{c:?}");
            assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
        assert_eq!(escape("\u{1b}[2J\u{202e}"), "\\u{1b}[2J\\u{202e}");
        assert_eq!(escape("a\tb\nc\\"), "a\\tb\\nc\\");
        assert!(matches!(escape("grün \u{5d0} 日本 \\"), Cow::Borrowed(_)));
    }

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
    fn long_texts_are_cut_where_they_differ() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("äbcd", 3), "äb\u{2026}");
        let (a, b) = around_difference("same same a", "same same b", 2);
        assert_eq!((&*a, &*b), ("\u{2026}e a", "\u{2026}e b"));
        let (a, b) = around_difference("xa", "xb", 2);
        assert_eq!((&*a, &*b), ("xa", "xb"));
    }
}
