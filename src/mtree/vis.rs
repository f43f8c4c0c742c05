//! How names are encoded in a text (stacker spec, section 9.3).

use crate::prelude::*;

/// Encodes a name: graphic ASCII stays, but for glob characters; a backslash
/// is doubled; every other byte becomes a backslash and three octal digits.
pub fn vis(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'*' | b'?' | b'[' | b'#' => octal(&mut text, *byte),
            0x21..=0x7e => text.push(char::from(*byte)),
            _ => octal(&mut text, *byte),
        }
    }
    text
}

fn octal(text: &mut String, byte: u8) {
    text.push('\\');
    for digit in [byte >> 6, byte >> 3 & 7, byte & 7] {
        text.push(char::from(b'0' + digit));
    }
}

/// Decodes a name; `None` if it is not a valid encoding. Bytes that are not
/// UTF-8 count as U+FFFD each.
pub fn unvis(text: &[u8]) -> Option<Vec<u8>> {
    let text = crate::paths::lossy(text);
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\\' {
            escape(&mut name, &mut rest)?;
        } else {
            name.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    Some(name)
}

/// What follows a backslash.
fn escape(name: &mut Vec<u8>, rest: &mut core::str::Chars<'_>) -> Option<()> {
    let byte = match rest.next()? {
        '\\' => b'\\',
        first @ '0'..='7' => {
            let mut value = first.to_digit(8)?;
            for _ in 0..2 {
                let mut ahead = rest.clone();
                let Some(digit) = ahead.next().and_then(|c| c.to_digit(8)) else {
                    break;
                };
                value = value * 8 + digit;
                *rest = ahead;
            }
            u8::try_from(value).ok()?
        }
        'x' => {
            let high = rest.next()?.to_digit(16)?;
            let low = rest.next()?.to_digit(16)?;
            u8::try_from(high << 4 | low).ok()?
        }
        '^' => control(rest)?,
        'M' => match rest.next()? {
            '^' => 0x80 | control(rest)?,
            '-' => 0x80 | u8::try_from(u32::from(rest.next()?)).ok()?,
            _ => return None,
        },
        'n' => b'\n',
        'r' => b'\r',
        'b' => 0x08,
        'a' => 0x07,
        'v' => 0x0b,
        't' => b'\t',
        'f' => 0x0c,
        's' => b' ',
        'E' => 0x1b,
        '$' | '\n' => return Some(()),
        _ => return None,
    };
    name.push(byte);
    Some(())
}

fn control(rest: &mut core::str::Chars<'_>) -> Option<u8> {
    match rest.next()? {
        '?' => Some(0x7f),
        c => u8::try_from(u32::from(c)).ok().map(|byte| byte & 0x1f),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        for byte in 0..=255 {
            let text = vis(&[byte]);
            assert!(text.bytes().all(|c| (0x21..0x7f).contains(&c)), "{byte}");
            assert_eq!(unvis(text.as_bytes()), Some(vec![byte]));
        }
        let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        assert_eq!(unvis(vis(&all).as_bytes()), Some(all));
    }

    #[test]
    fn other_escapes() {
        for (text, want) in [
            (r"\7", &b"\x07"[..]),
            (r"\18", b"\x018"),
            (r"\377", b"\xff"),
            (r"\x4a", b"J"),
            (r"\x4A1", b"J1"),
            (r"\^A", b"\x01"),
            (r"\^?", b"\x7f"),
            (r"\M-a", b"\xe1"),
            (r"\M^A", b"\x81"),
            (r"\M^?", b"\xff"),
            (r"\n\r\b\a\v\t\f\s\E", b"\n\r\x08\x07\x0b\t\x0c \x1b"),
            (r"a\$b", b"ab"),
            ("a\\\nb", b"ab"),
            ("%41", b"%41"),
            ("\u{e9}", b"\xc3\xa9"),
            ("\\^\u{e9}", b"\x09"),
            ("\\M-\u{e9}", b"\xe9"),
        ] {
            assert_eq!(unvis(text.as_bytes()).as_deref(), Some(want), "{text}");
        }
        assert_eq!(unvis(b"\xff").as_deref(), Some("\u{fffd}".as_bytes()));
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "\\",
            r"\400",
            r"\x4",
            r"\xg1",
            r"\q",
            r"\M",
            r"\Mx",
            r"\M-",
            r"\^",
            "\\^\u{100}",
            r"\8",
        ] {
            assert_eq!(unvis(text.as_bytes()), None, "{text}");
        }
    }
}
