//! Standard base64 with padding, as Go's `base64.StdEncoding`.

use crate::prelude::*;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes some bytes.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        for (slot, byte) in group.iter_mut().zip(chunk) {
            *slot = *byte;
        }
        let [a, b, c] = group.map(usize::from);
        let letters = [
            a >> 2,
            (a & 3) << 4 | b >> 4,
            (b & 15) << 2 | c >> 6,
            c & 63,
        ];
        for (place, letter) in letters.into_iter().enumerate() {
            let letter = ALPHABET
                .get(letter)
                .copied()
                .filter(|_| place <= chunk.len());
            text.push(char::from(letter.unwrap_or(b'=')));
        }
    }
    text
}

/// Decodes a text; line breaks in it do not count. `None` if it is not base64 or
/// its padding is missing.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut group = 0_u32;
    let mut digits = 0_u32;
    let mut padding = 0_u32;
    for letter in text
        .bytes()
        .filter(|letter| !matches!(letter, b'\r' | b'\n'))
    {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' if digits + padding >= 2 && digits + padding < 4 => {
                padding += 1;
                continue;
            }
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        group = group << 6 | u32::from(value);
        digits += 1;
        if digits == 4 {
            let [_, a, b, c] = group.to_be_bytes();
            bytes.extend([a, b, c]);
            group = 0;
            digits = 0;
        }
    }
    match (digits, padding) {
        (0, 0) => {}
        (2, 2) => bytes.push(u8::try_from(group >> 4 & 0xff).ok()?),
        (3, 1) => {
            let [_, _, a, b] = (group >> 2).to_be_bytes();
            bytes.extend([a, b]);
        }
        _ => return None,
    }
    Some(bytes)
}

/// How many bytes a text stands for, which is not checked.
pub fn decoded_length(text: &str) -> usize {
    let padding = text
        .bytes()
        .rev()
        .take_while(|letter| *letter == b'=')
        .count();
    (text.len() / 4 * 3).saturating_sub(padding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values_and_round_trips() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(plain.as_bytes()));
            assert_eq!(decoded_length(text), plain.len());
        }
        for length in 0..260 {
            let bytes: Vec<u8> = (0..length)
                .map(|n| u8::try_from(n * 7 % 256).unwrap())
                .collect();
            assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
        assert_eq!(decode("Z\ng\r=\n=\n").as_deref(), Some(b"f".as_slice()));
        assert_eq!(decode("Zh==").as_deref(), Some(b"f".as_slice()));
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "Z", "Zg", "Zg=", "Zm8", "Zm=8", "Zg===", "Zg==Zg==", "=", "Z===", "Zm9v=", "Zm 8=",
            "Zm8-", "====", "Zg===",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
