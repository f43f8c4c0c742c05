//! Text as Go handles it.

use crate::prelude::*;

/// Go's `strings.ToLower`: each character maps to exactly one. Differs from
/// Rust for U+0130 and the final sigma (Docker spec, section 6.1).
pub fn go_lower(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().map(lower).collect()
}

fn lower(c: char) -> char {
    if c == '\u{130}' {
        return 'i';
    }
    let mut mapped = c.to_lowercase();
    mapped
        .next()
        .filter(|_| mapped.next().is_none())
        .unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::go_lower;

    #[test]
    fn lowers_one_to_one() {
        assert_eq!(go_lower("AMD64"), "amd64");
        assert_eq!(go_lower("\u{130}\u{212a}Σ"), "ikσ");
        assert_eq!(go_lower("ΑΣ"), "ας".replace('ς', "σ"));
    }
}
