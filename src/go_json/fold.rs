//! Member names that count as the same.

/// Whether Go takes the member `have` for the field `want`: equal but for case.
/// `want` is ASCII, so the only other characters that fold onto it are U+017F
/// (`s`) and U+212A (`k`).
pub fn same_name(have: &str, want: &str) -> bool {
    let mut have = have.chars();
    let mut want = want.chars();
    loop {
        match (have.next(), want.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if fold(a) == fold(b) => {}
            _ => return false,
        }
    }
}

const fn fold(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => c.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::same_name;

    #[test]
    fn folds_as_go_does() {
        assert!(same_name("OS.VERSION", "os.version"));
        assert!(same_name("\u{17f}hell", "Shell"));
        assert!(same_name("lin\u{212a}", "link"));
        assert!(!same_name("shells", "Shell"));
        assert!(!same_name("shel", "Shell"));
        assert!(!same_name("\u{130}d", "id"));
    }
}
