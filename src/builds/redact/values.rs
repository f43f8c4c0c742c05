//! Where values stand in a text: behind a name, behind an option, in a header (Builds
//! spec, section 8).

use super::secret::{HIDDEN, is_secret};
use crate::prelude::*;

/// How far the end of a quoted value is looked for, in letters.
const LONGEST: usize = 1 << 16;
/// What a credential begins with that is of two words.
const SCHEMES: [&str; 6] = ["basic", "bearer", "digest", "negotiate", "ntlm", "token"];

/// The text without the values of secret names, or without those of all. Lines stay
/// lines.
pub(super) fn hidden(text: &str, all: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut scan = Scan {
        text,
        all,
        at: 0,
        from: 0,
        quote: None,
        word: "",
    };
    while let Some((part, value)) = scan.next() {
        shown.push_str(part);
        if !value.is_empty() {
            shown.push_str(HIDDEN);
            let lines = value.matches('\n');
            lines.for_each(|line| shown.push_str(line));
        }
    }
    shown
}

/// A way through a text.
struct Scan<'a> {
    text: &'a str,
    /// Whether the values of all names count.
    all: bool,
    /// How far it is read.
    at: usize,
    /// Where the part begins that was not told yet.
    from: usize,
    /// The quote that is open in this line.
    quote: Option<char>,
    /// The word before the one that is read.
    word: &'a str,
}

/// A value: what is between it and its sign, and how long it is.
struct Span {
    blank: usize,
    length: usize,
}

impl<'a> Scan<'a> {
    /// The text up to a value, and the value; in the end without one.
    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        let begin = self.from;
        let mut escaped = false;
        // Where the word begins that a sign may follow.
        let mut word_from = begin;
        while let Some(letter) = self
            .text
            .get(self.at..)
            .and_then(|rest| rest.chars().next())
        {
            let at = self.at;
            self.at += letter.len_utf8();
            match (letter, self.quote) {
                ('\n', _) => self.quote = None,
                ('"' | '\'', None) if !escaped => self.quote = Some(letter),
                ('"' | '\'', Some(open)) if open == letter && !escaped => self.quote = None,
                _ => {}
            }
            escaped = letter == '\\' && !escaped;
            if !matches!(letter, '=' | ':' | ',' | ' ' | '\t' | '\n') {
                continue;
            }
            let before = self.text.get(word_from..at).unwrap_or_default();
            let after = self.text.get(self.at..).unwrap_or_default();
            let span = self.value(before, letter, after, word_from == 0);
            if !before.is_empty() || letter == '\n' {
                self.word = before;
            }
            word_from = self.at;
            if let Some(span) = span.filter(|span| span.length > 0) {
                let value = self.at + span.blank;
                self.at = value + span.length;
                self.from = self.at;
                let part = self.text.get(begin..value)?;
                return Some((part, self.text.get(value..self.at)?));
            }
        }
        self.from = self.text.len();
        let rest = self.text.get(begin..).filter(|rest| !rest.is_empty())?;
        Some((rest, ""))
    }

    /// The value that follows a sign, if it is to be hidden.
    fn value(&self, before: &str, sign: char, after: &str, at_start: bool) -> Option<Span> {
        let bare = before.trim_end_matches(['"', '\'', '\\']);
        let quoted = bare.len() < before.len();
        let spaced = bare.is_empty() && matches!(sign, '=' | ':');
        let name = name(if spaced { self.word } else { bare });
        let is_name = name.bytes().any(|letter| letter.is_ascii_alphanumeric());
        let is_option = is_name && name.starts_with('-');
        let secret = is_secret(name);
        let blank = after.len() - skip_blanks(after).len();
        let rest = skip_blanks(after);
        let asked = secret || self.all && is_name;
        let opens = rest.trim_start_matches('\\').starts_with(['"', '\'']);
        // What daemons say when they fail.
        let of_cache = name == "key" && self.word == "cache";
        let of_environment = self.word.eq_ignore_ascii_case("env") && !is_option;
        let length = match sign {
            '=' if asked => self.word_length(rest, true),
            // In JSON.
            ':' if quoted && asked && opens => quoted_length(rest, true),
            ':' if quoted && asked => {
                let end = |letter: char| letter.is_whitespace() || ",}]".contains(letter);
                rest.find(end).unwrap_or(rest.len())
            }
            ':' if secret && !of_cache && !after.starts_with("//") => {
                self.header_length(rest, at_start)
            }
            // In a list, as commands without a shell have it.
            ',' if quoted && is_option && opens && self.takes(rest, secret) => {
                quoted_length(rest, true)
            }
            ' ' | '\t' if is_option && self.takes(rest, secret) => self.word_length(rest, false),
            ' ' | '\t' if of_environment && asked && !bare.is_empty() => line_length(rest),
            ' ' | '\t' if name == "Bearer" => self.word_length(rest, false),
            _ => return None,
        };
        Some(Span { blank, length })
    }

    /// Whether what follows an option is its value.
    fn takes(&self, rest: &str, secret: bool) -> bool {
        let is_option = rest.trim_start_matches(['\\', '"', '\'']).starts_with('-');
        secret || self.all && !is_option
    }

    /// A value up to the end of a word, as a shell has it; of two words, if the first is
    /// the scheme of a credential.
    fn word_length(&self, rest: &str, lines: bool) -> usize {
        let length = self.one_word(rest, lines);
        let (word, beyond) = rest.split_at_checked(length).unwrap_or((rest, ""));
        let is_scheme = SCHEMES.iter().any(|one| word.eq_ignore_ascii_case(one));
        if !is_scheme {
            return length;
        }
        let second = skip_blanks(beyond);
        length + (beyond.len() - second.len()) + self.one_word(second, lines)
    }

    fn one_word(&self, rest: &str, lines: bool) -> usize {
        let mut at = 0;
        while let Some(part) = rest.get(at..) {
            let mut letters = part.chars();
            let (Some(letter), next) = (letters.next(), letters.next()) else {
                break;
            };
            let goes_on = next.is_some_and(|next| next.is_alphanumeric());
            match letter {
                // The end of what the name is quoted in, too.
                '"' | '\'' if self.quote == Some(letter) && !(at == 0 && goes_on) => break,
                '"' | '\'' => at += quoted_length(part, lines && at == 0),
                '\\' if at == 0 && matches!(next, Some('"' | '\'')) => {
                    at += quoted_length(part, false);
                }
                '\\' if matches!(next, Some('"' | '\'' | '\n')) => break,
                '\\' => at += 1 + next.map_or(0, char::len_utf8),
                letter if letter.is_whitespace() || ";&|".contains(letter) => break,
                letter => at += letter.len_utf8(),
            }
        }
        at
    }

    /// The value of a header: up to the end of what it is quoted in, or of the line where
    /// the text is nothing else.
    fn header_length(&self, rest: &str, at_start: bool) -> usize {
        let opens = rest.starts_with(['"', '\'']);
        match self.quote {
            Some(quote) if !opens => {
                let line = line_length(rest);
                let found = rest.get(..line).and_then(|line| closing(line, quote));
                found.unwrap_or(line)
            }
            None if at_start => line_length(rest),
            _ => self.word_length(rest, false),
        }
    }
}

/// The name at the end of what stands before a sign.
fn name(before: &str) -> &str {
    let bare = before.trim_end_matches(['"', '\'', '\\']);
    let other = |letter: char| !(letter.is_ascii_alphanumeric() || "_-.".contains(letter));
    bare.rsplit(other).next().unwrap_or(bare)
}

/// What follows blanks, and ends of lines that are taken back.
fn skip_blanks(text: &str) -> &str {
    let mut rest = text.trim_start_matches([' ', '\t']);
    while let Some(next) = rest.strip_prefix("\\\n") {
        rest = next.trim_start_matches([' ', '\t']);
    }
    rest
}

fn line_length(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// How long a quoted value is, with its quotes, which may be escaped. One that does not
/// end goes to the end of the line.
fn quoted_length(text: &str, lines: bool) -> usize {
    let escaped = text.starts_with('\\');
    let opening = if escaped { 2 } else { 1 };
    let quote = text.trim_start_matches('\\').chars().next();
    let line = line_length(text);
    let (Some(quote), Some(inner)) = (quote, text.get(opening..)) else {
        return line;
    };
    let end = match escaped {
        true => inner.find(if quote == '"' { "\\\"" } else { "\\'" }),
        false => closing(inner, quote),
    };
    let end = end.map(|end| end + 2 * opening);
    end.filter(|end| lines || *end <= line)
        .unwrap_or(line)
        .min(text.len())
}

/// Where a quote closes. In single quotes nothing is escaped.
fn closing(inner: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, letter) in inner.char_indices().take(LONGEST) {
        if letter == quote && !escaped {
            return Some(at);
        }
        escaped = quote == '"' && letter == '\\' && !escaped;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_headers_are_hidden_whole() {
        for (text, shown) in [
            (
                "curl -H \"Authorization: Bearer tok1\" x",
                "curl -H \"Authorization: ***\" x",
            ),
            (
                "curl -H 'Authorization: Basic dXM6cHc=' x",
                "curl -H 'Authorization: ***' x",
            ),
            (
                "curl -H Authorization:\\ Bearer x",
                "curl -H Authorization:*** x",
            ),
            ("Authorization: Bearer tok1", "Authorization: ***"),
            ("Cookie: a=b; c=d", "Cookie: ***"),
            ("say -H \"Cookie: a=b; c=d\" x", "say -H \"Cookie: ***\" x"),
            (
                "echo Authorization: Bearer tok1 x",
                "echo Authorization: *** x",
            ),
            ("AUTH='Bearer tok' x", "AUTH=*** x"),
            (
                "RUN [\"w\", \"Authorization: Bearer tok2\", \"x\"]",
                "RUN [\"w\", \"Authorization: ***\", \"x\"]",
            ),
            ("\"X-Mine: Bearer tok\" x", "\"X-Mine: Bearer ***\" x"),
        ] {
            assert_eq!(hidden(text, false), shown, "{text}");
        }
    }

    #[test]
    fn options_and_lists_of_arguments() {
        for (text, shown) in [
            (
                "RUN [\"/tool\", \"--token\", \"tok1\", \"x\"]",
                "RUN [\"/tool\", \"--token\", ***, \"x\"]",
            ),
            (
                "RUN [\"/tool\",\"--token\",\"tok1\"]",
                "RUN [\"/tool\",\"--token\",***]",
            ),
            (
                "login --password \\\n  abc \\\n  --user me",
                "login --password \\\n  *** \\\n  --user me",
            ),
            ("login -password abc x", "login -password *** x"),
            ("login --token && make", "login --token && make"),
            ("ENV TOKEN a b\nENV A b", "ENV TOKEN ***\nENV A b"),
            ("token = abc", "token = ***"),
            (
                "failed to compute cache key: failed to copy",
                "failed to compute cache key: failed to copy",
            ),
            ("mysql -p pw2 PLAIN=p2", "mysql -p pw2 PLAIN=p2"),
        ] {
            assert_eq!(hidden(text, false), shown, "{text}");
        }
    }

    #[test]
    fn json_in_commands() {
        for (text, shown) in [
            (
                "curl -d '{\"password\":\"pw1\",\"user\":\"me\"}'",
                "curl -d '{\"password\":***,\"user\":\"me\"}'",
            ),
            ("{'password': 'x', 'a': 'b'}", "{'password': ***, 'a': 'b'}"),
            (
                "{\"password\": 12, \"a\": 1}",
                "{\"password\": ***, \"a\": 1}",
            ),
            (
                "curl -d \"{\\\"password\\\":\\\"pw1\\\",\\\"a\\\":1}\"",
                "curl -d \"{\\\"password\\\":***,\\\"a\\\":1}\"",
            ),
        ] {
            assert_eq!(hidden(text, false), shown, "{text}");
        }
    }

    #[test]
    fn words_end_where_a_shell_ends_them() {
        for (text, shown) in [
            ("TOKEN=\"a\\\"b\" x", "TOKEN=*** x"),
            ("TOKEN=a\\ b x", "TOKEN=*** x"),
            ("TOKEN=ab'c d'e x", "TOKEN=*** x"),
            ("sh -c \"TOKEN=abc make\" x", "sh -c \"TOKEN=*** make\" x"),
            ("sh -c \"TOKEN=abc\" x", "sh -c \"TOKEN=***\" x"),
            ("echo don't; TOKEN='abc' x", "echo don't; TOKEN=*** x"),
            ("TOKEN='a\nb' x\ny", "TOKEN=***\n x\ny"),
            ("TOKEN='abc\nmake", "TOKEN=***\nmake"),
            ("TOKEN=\u{e4}\u{f6} x", "TOKEN=*** x"),
        ] {
            assert_eq!(hidden(text, false), shown, "{text}");
        }
    }

    #[test]
    fn all_values_of_assignments_and_options() {
        for (text, shown) in [
            (
                "RUN PLAIN=p2 mysql -p pw2 --host h -v",
                "RUN PLAIN=*** mysql -p *** --host *** -v",
            ),
            (
                "RUN [\"/tool\", \"-p\", \"pw2\", \"PLAIN=p2\", \"-v\", \"-w\"]",
                "RUN [\"/tool\", \"-p\", ***, \"PLAIN=***\", \"-v\", \"-w\"]",
            ),
            ("ENV A b c", "ENV A ***"),
            ("COPY a b", "COPY a b"),
            ("FROM alpine:3", "FROM alpine:3"),
            ("curl https://h/x", "curl https://h/x"),
            ("{\"user\": \"me\"}", "{\"user\": ***}"),
        ] {
            assert_eq!(hidden(text, true), shown, "{text}");
        }
    }
}
