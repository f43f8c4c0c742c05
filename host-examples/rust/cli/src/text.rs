//! Text from elsewhere made safe and short for people.

use std::borrow::Cow;

use layerwise_picture::text::is_unsafe;

pub use layerwise_picture::text::{bytes, cut, escape, short_ids};

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
    fn long_texts_are_cut_where_they_differ() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("äbcd", 3), "äb\u{2026}");
        let (a, b) = around_difference("same same a", "same same b", 2);
        assert_eq!((&*a, &*b), ("\u{2026}e a", "\u{2026}e b"));
        let (a, b) = around_difference("xa", "xb", 2);
        assert_eq!((&*a, &*b), ("xa", "xb"));
    }
}
