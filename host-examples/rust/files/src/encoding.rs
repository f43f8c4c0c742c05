//! How bytes that need not be UTF-8 are written as text, and read back.

use std::error::Error;
use std::fmt::{self, Write as _};

/// Text that no bytes are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The text for a path or a name: bytes that are not part of valid UTF-8 are
/// `%XX` with upper-case hex digits, and `%` is `%25`.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for part in chunk.valid().split_inclusive('%') {
            text.push_str(part);
            if part.ends_with('%') {
                text.push_str("25");
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The bytes of a path or a name. Each sequence of bytes has one text: a `%`
/// before anything but `25` or a byte that had to be encoded is refused, so that
/// no `..`, slash or zero byte hides behind one.
///
/// # Errors
/// When [`encode`] never makes this text.
pub fn decode(text: &str) -> Result<Vec<u8>, Malformed> {
    let mut parts = text.split('%');
    let mut bytes = Vec::with_capacity(text.len());
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(Malformed)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Malformed);
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| Malformed)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    if encode(&bytes) == text {
        Ok(bytes)
    } else {
        Err(Malformed)
    }
}

/// The text of a file, with one U+FFFD for each byte that is not part of valid
/// UTF-8, and whether there was one.
pub fn lossy(bytes: Vec<u8>) -> (String, bool) {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return (text, false),
        Err(error) => error.into_bytes(),
    };
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    (text, true)
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a % in it is not followed by 25 or by a byte that is not utf-8")
    }
}

impl Error for Malformed {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_and_read_back() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"a/b", "a/b"),
            (b"100%", "100%25"),
            (b"%41", "%2541"),
            (b"\xff\x80%", "%FF%80%25"),
            ("é\n\u{202e}".as_bytes(), "é\n\u{202e}"),
            // A sequence that is cut short, one that is too long, a surrogate.
            (b"\xe2\x82", "%E2%82"),
            (b"\xc0\xaf", "%C0%AF"),
            (b"\xed\xa0\x80", "%ED%A0%80"),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text), Ok(bytes.to_vec()), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_read() {
        for text in [
            "%", "a%", "%2", "%2%", "%zz", "%+1", "%ff", "%2f", "%2F", "%2E%2E", "%00", "%41",
            "%C3%A9", "%é", "%%", "%2525%",
        ] {
            assert_eq!(decode(text), Err(Malformed), "{text}");
        }
    }

    /// Any bytes come back, and any text that is accepted is the only one for
    /// its bytes.
    #[test]
    fn arbitrary_bytes_come_back() {
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        let odd = b"%25FfAa/.\0\n\xc3\xa9\xff\xe2\x82\xac\xf0\x9f";
        for _ in 0..20_000 {
            let length = numbers.next() % 24;
            let bytes: Vec<u8> = (0..length)
                .map(|_| match numbers.next() {
                    n if n % 2 == 0 => odd[n as usize / 2 % odd.len()],
                    n => (n >> 8) as u8,
                })
                .collect();
            let text = encode(&bytes);
            assert_eq!(decode(&text), Ok(bytes.clone()), "{bytes:?}");
            if let Ok(text) = String::from_utf8(bytes)
                && let Ok(bytes) = decode(&text)
            {
                assert_eq!(encode(&bytes), text);
            }
        }
    }

    /// Pseudo-random numbers (xorshift).
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 >> 16
        }
    }

    #[test]
    fn each_byte_that_is_no_text_is_one_replacement() {
        let of = |bytes: &[u8]| lossy(bytes.to_vec());
        assert_eq!(of("aé%".as_bytes()), ("aé%".to_owned(), false));
        assert_eq!(
            of(b"a\xe2\x82b\xff"),
            ("a\u{fffd}\u{fffd}b\u{fffd}".to_owned(), true)
        );
        assert_eq!(of("\u{fffd}".as_bytes()), ("\u{fffd}".to_owned(), false));
    }
}
