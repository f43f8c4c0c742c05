//! Paths as the filesystem interface writes them, and Go's lexical rules for
//! paths.
//!
//! A path is text in which bytes that are not UTF-8 are `%XX` and `%` itself is
//! `%25` (`wit/filesystem.wit`). Neither `/` nor `.` is ever encoded, so the
//! lexical rules hold for both forms.

use crate::prelude::*;

/// The path that stands for some bytes.
pub fn encode(bytes: &[u8]) -> String {
    let mut path = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '%' {
                path.push_str("%25");
            } else {
                path.push(c);
            }
        }
        for byte in chunk.invalid() {
            path.push('%');
            path.push(hex_digit(byte >> 4));
            path.push(hex_digit(byte & 0xf));
        }
    }
    path
}

/// The path that stands for some text.
pub fn from_text(text: &str) -> String {
    text.replace('%', "%25")
}

/// The bytes a path stands for. A `%` without two hex digits stands for itself.
pub fn decode(path: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if let (b'%', [high, low, after @ ..]) = (*first, tail)
            && let (Some(high), Some(low)) = (hex_value(*high), hex_value(*low))
        {
            bytes.push(high << 4 | low);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    bytes
}

/// The text of some bytes as Go's JSON decoder reads them: each byte that is
/// not part of valid UTF-8 is one U+FFFD.
pub fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// The parts of a path once `.`, `..` and repeated slashes are resolved
/// lexically; `..` never leads above the start.
pub fn components(path: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts
}

/// Whether a path is below a folder, which is not cleaned.
pub fn is_below(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder);
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// Cleans a path lexically, as Go's `path.Clean` does.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// Joins the parts that are not empty and cleans the result; without such a
/// part the result is empty (stacker spec, section 2).
pub fn join(parts: &[&str]) -> String {
    let parts: Vec<_> = parts
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect();
    if parts.is_empty() {
        String::new()
    } else {
        clean(&parts.join("/"))
    }
}

/// The last element of a path: `.` of an empty one, `/` of one of slashes only
/// (stacker spec, section 2).
pub fn last_element(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return "/";
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed)
}

fn hex_digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), all);
        assert_eq!(encode(b"a%\xff\xc3\xa9"), "a%25%FF\u{e9}");
        assert_eq!(decode("100%"), b"100%");
        assert_eq!(decode("%zz%25"), b"%zz%");
        assert_eq!(from_text("%41"), encode(b"%41"));
        assert_eq!(lossy(b"a\xe2\x82b"), "a\u{fffd}\u{fffd}b");
    }

    #[test]
    fn go_lexical_rules() {
        for (path, want) in [
            ("", "."),
            ("/", "/"),
            ("a//b/./c/..", "a/b"),
            ("/../a", "/a"),
            ("../../a", "../../a"),
            ("a/../..", ".."),
            ("a/", "a"),
        ] {
            assert_eq!(clean(path), want, "{path:?}");
        }
        assert_eq!(join(&["", ""]), "");
        assert_eq!(join(&["/w", "", "a/../b/"]), "/w/b");
        assert_eq!(
            join(&["/w", "n", "overlay_dirs", "x", "/"]),
            "/w/n/overlay_dirs/x"
        );
        for (path, want) in [
            ("", "."),
            ("//", "/"),
            ("/a/b/", "b"),
            ("http://h/x?y=/z", "z"),
        ] {
            assert_eq!(last_element(path), want);
        }
        assert_eq!(components(b"/../a/./b/../c"), [b"a".as_slice(), b"c"]);
    }
}
