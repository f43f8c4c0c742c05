//! Compact JSON as Go writes it.

use core::fmt::Write as _;

use crate::prelude::*;

/// How U+0008 and U+000C are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escapes {
    /// `\b` and `\f`, since Go 1.22.
    #[default]
    Short,
    /// `\u0008` and `\u000c`, before.
    Long,
}

/// Builds the text of one document.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    text: String,
    escapes: Escapes,
}

impl Writer {
    /// An empty document.
    pub const fn new(escapes: Escapes) -> Self {
        Self {
            text: String::new(),
            escapes,
        }
    }

    /// An empty document with room for some bytes.
    pub fn with_capacity(escapes: Escapes, bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            escapes,
        }
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.text
    }

    /// What was written so far.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Appends text that is JSON already.
    pub fn raw(&mut self, json: &str) {
        self.text.push_str(json);
    }

    /// `null`
    pub fn null(&mut self) {
        self.text.push_str("null");
    }

    /// A bool.
    pub fn bool(&mut self, value: bool) {
        self.text.push_str(if value { "true" } else { "false" });
    }

    /// An integer.
    pub fn integer(&mut self, value: i64) {
        let _ = write!(self.text, "{value}");
    }

    /// A string with Go's escapes, HTML ones included.
    pub fn string(&mut self, value: &str) {
        self.text.push('"');
        if is_plain(value) {
            self.text.push_str(value);
            self.text.push('"');
            return;
        }
        let mut plain = 0;
        for (at, c) in value.char_indices() {
            let short = match c {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\u{8}' if self.escapes == Escapes::Short => "\\b",
                '\u{c}' if self.escapes == Escapes::Short => "\\f",
                '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => "",
                _ => continue,
            };
            self.text.push_str(value.get(plain..at).unwrap_or_default());
            plain = at + c.len_utf8();
            if short.is_empty() {
                let _ = write!(self.text, "\\u{:04x}", u32::from(c));
            } else {
                self.text.push_str(short);
            }
        }
        self.text.push_str(value.get(plain..).unwrap_or_default());
        self.text.push('"');
    }

    /// A list, one call of `item` for each of `items`.
    pub fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut item: impl FnMut(&mut Self, T),
    ) {
        self.text.push('[');
        for (index, value) in items.into_iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            item(self, value);
        }
        self.text.push(']');
    }

    /// An object whose members `members` writes, each with [`Writer::member`].
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.text.push('{');
        members(self);
        self.text.push('}');
    }

    /// The name of the next member of an object, with comma and colon.
    pub fn member(&mut self, name: &str) -> &mut Self {
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        self.string(name);
        self.text.push(':');
        self
    }
}

/// Whether a string is written as it is. Almost all are plain ASCII, which is
/// told without a branch for each byte.
pub fn is_plain(text: &str) -> bool {
    !text.bytes().fold(false, |odd, b| {
        let quoted = (b == b'"') | (b == b'\\') | (b == b'<') | (b == b'>') | (b == b'&');
        odd | quoted | !(b' '..=b'~').contains(&b)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_go_does() {
        let mut writer = Writer::new(Escapes::Short);
        writer.string("a\"\\\n\r\t\u{8}\u{c}\u{1}<>&\u{2028}\u{2029}\u{7f}/é😀");
        assert_eq!(
            writer.finish(),
            "\"a\\\"\\\\\\n\\r\\t\\b\\f\\u0001\\u003c\\u003e\\u0026\\u2028\\u2029\u{7f}/é😀\""
        );
        let mut writer = Writer::new(Escapes::Long);
        writer.string("\u{8}\u{c}");
        assert_eq!(writer.finish(), "\"\\u0008\\u000c\"");
    }

    #[test]
    fn members_and_items_are_separated() {
        let mut writer = Writer::default();
        writer.object(|w| {
            w.member("a").integer(-1);
            w.member("b").list([true, false], Writer::bool);
            w.member("c").object(|_| {});
            w.member("d").null();
        });
        assert_eq!(
            writer.finish(),
            r#"{"a":-1,"b":[true,false],"c":{},"d":null}"#
        );
    }
}
