//! A pull parser over the text of one document.

use core::fmt;

use crate::prelude::*;

/// What kind of value comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// `[`
    List,
    /// `{`
    Object,
}

impl Shape {
    const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a bool",
            Self::Number => "a number",
            Self::String => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

/// Why a document was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is not JSON here.
    Syntax,
    /// The text ends too early.
    End,
    /// Something follows the document.
    Trailing,
    /// Nested deeper than the limit.
    Depth(u32),
    /// Another kind of value is due.
    Type {
        /// What is due.
        want: &'static str,
        /// What is there.
        have: Shape,
    },
    /// A number that is not one of the wanted kind or range.
    Number,
    /// Text that is not acceptable for the member.
    Text(&'static str),
    /// A member that must be there is not.
    Missing(&'static str),
}

/// Why and where a document was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Byte offset into the text.
    pub offset: usize,
    /// What is wrong there.
    pub kind: ErrorKind,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::Syntax => f.write_str("invalid json")?,
            ErrorKind::End => f.write_str("unexpected end of json")?,
            ErrorKind::Trailing => f.write_str("text after the json document")?,
            ErrorKind::Depth(limit) => write!(f, "json nested deeper than {limit}")?,
            ErrorKind::Type { want, have } => write!(f, "expected {want}, found {}", have.name())?,
            ErrorKind::Number => f.write_str("number out of range or not an integer")?,
            ErrorKind::Text(what) => write!(f, "not {what}")?,
            ErrorKind::Missing(name) => return write!(f, "member {name:?} is missing"),
        }
        write!(f, " at byte {}", self.offset)
    }
}

impl core::error::Error for Error {}

/// A string value, and whether its text held an escape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// The decoded text.
    pub value: Cow<'a, str>,
    /// True when it held at least one escape.
    pub escaped: bool,
}

/// What reads a member of an object, given its name.
type Member<'f, 'a, E> = dyn FnMut(&mut Reader<'a>, Cow<'a, str>) -> Result<(), E> + 'f;

/// Reads one document from front to back; nothing is built that the caller
/// does not ask for. Cost is linear in the text.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
    limit: u32,
    marks: u8,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `text` that refuses nesting deeper than `limit`.
    pub const fn new(text: &'a str, limit: u32) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            limit,
            marks: 0,
        }
    }

    /// The reader with marks, bits that types ask for which are read in more
    /// than one way.
    #[must_use]
    pub const fn marked(mut self, marks: u8) -> Self {
        self.marks = marks;
        self
    }

    /// Whether it has a mark.
    pub const fn has_mark(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    /// Where the reader is, in bytes.
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// The text between two offsets this reader was at.
    pub fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// An error at the current place.
    pub const fn error(&self, kind: ErrorKind) -> Error {
        Error {
            offset: self.at,
            kind,
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// What comes next; white space before it is passed over.
    ///
    /// # Errors
    /// When no value starts here.
    pub fn peek(&mut self) -> Result<Shape, Error> {
        self.space();
        match self.byte() {
            Some(b'n') => Ok(Shape::Null),
            Some(b't' | b'f') => Ok(Shape::Bool),
            Some(b'-' | b'0'..=b'9') => Ok(Shape::Number),
            Some(b'"') => Ok(Shape::String),
            Some(b'[') => Ok(Shape::List),
            Some(b'{') => Ok(Shape::Object),
            Some(_) => Err(self.error(ErrorKind::Syntax)),
            None => Err(self.error(ErrorKind::End)),
        }
    }

    /// An error saying that `want` was due here.
    pub fn mismatch(&mut self, want: &'static str) -> Error {
        match self.peek() {
            Ok(have) => self.error(ErrorKind::Type { want, have }),
            Err(error) => error,
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Error> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(())
        } else if word.as_bytes().starts_with(rest) {
            Err(Error {
                offset: self.text.len(),
                kind: ErrorKind::End,
            })
        } else {
            Err(self.error(ErrorKind::Syntax))
        }
    }

    /// Passes over `null` if it comes next.
    ///
    /// # Errors
    /// On invalid text.
    pub fn null(&mut self) -> Result<bool, Error> {
        if self.peek()? == Shape::Null {
            self.word("null")?;
            Ok(true)
        } else {
            Ok(false)
        }
    }

    /// Reads a bool.
    ///
    /// # Errors
    /// When something else comes next.
    pub fn bool(&mut self) -> Result<bool, Error> {
        if self.peek()? != Shape::Bool {
            return Err(self.mismatch("a bool"));
        }
        if self.byte() == Some(b't') {
            self.word("true").map(|()| true)
        } else {
            self.word("false").map(|()| false)
        }
    }

    /// Reads the text of a number.
    ///
    /// # Errors
    /// When something else comes next, or the number is malformed.
    pub fn number(&mut self) -> Result<&'a str, Error> {
        if self.peek()? != Shape::Number {
            return Err(self.mismatch("a number"));
        }
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            Some(_) => return Err(self.error(ErrorKind::Syntax)),
            None => return Err(self.error(ErrorKind::End)),
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(self.slice(start, self.at))
    }

    /// One or more digits.
    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start {
            Ok(())
        } else if self.byte().is_none() {
            Err(self.error(ErrorKind::End))
        } else {
            Err(self.error(ErrorKind::Syntax))
        }
    }

    /// Reads a string; lone surrogates become U+FFFD.
    ///
    /// # Errors
    /// When something else comes next, or the string is malformed.
    pub fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        self.text().map(|text| text.value)
    }

    /// Reads a string and tells whether it held an escape.
    ///
    /// # Errors
    /// As [`Reader::string`].
    pub fn text(&mut self) -> Result<Text<'a>, Error> {
        if self.peek()? != Shape::String {
            return Err(self.mismatch("a string"));
        }
        self.at += 1;
        let mut value = Cow::Borrowed(self.plain());
        let mut escaped = false;
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Text { value, escaped });
                }
                Some(b'\\') => {
                    self.at += 1;
                    escaped = true;
                    let value = value.to_mut();
                    value.push(self.escape()?);
                    value.push_str(self.plain());
                }
                Some(_) => return Err(self.error(ErrorKind::Syntax)),
                None => return Err(self.error(ErrorKind::End)),
            }
        }
    }

    /// Passes over the characters of a string that stand for themselves.
    fn plain(&mut self) -> &'a str {
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        self.at = rest
            .iter()
            .position(ends)
            .map_or(self.text.len(), |length| start.saturating_add(length));
        self.slice(start, self.at)
    }

    /// What stands after a backslash.
    fn escape(&mut self) -> Result<char, Error> {
        let Some(letter) = self.byte() else {
            return Err(self.error(ErrorKind::End));
        };
        let plain = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.error(ErrorKind::Syntax)),
        };
        self.at += 1;
        Ok(plain)
    }

    /// The digits of `\u`, and of a second one where two make one character.
    fn unicode(&mut self) -> Result<char, Error> {
        let first = self.hex()?;
        if !(0xd800..0xe000).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let after = self.text.as_bytes().get(self.at..self.at + 2);
        if first < 0xdc00 && after == Some(b"\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let joined = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let mut value = 0;
        for _ in 0..4 {
            let Some(digit) = self.byte() else {
                return Err(self.error(ErrorKind::End));
            };
            let Some(digit) = char::from(digit).to_digit(16) else {
                return Err(self.error(ErrorKind::Syntax));
            };
            value = value << 4 | digit;
            self.at += 1;
        }
        Ok(value)
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > self.limit {
            return Err(self.error(ErrorKind::Depth(self.limit)));
        }
        self.at += 1;
        Ok(())
    }

    /// After a member: true when another follows, false after `close`.
    fn another(&mut self, close: u8) -> Result<bool, Error> {
        self.space();
        match self.byte() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            Some(_) => Err(self.error(ErrorKind::Syntax)),
            None => Err(self.error(ErrorKind::End)),
        }
    }

    /// Whether a list or an object ends right after it was entered.
    fn empty(&mut self, close: u8) -> bool {
        self.space();
        let empty = self.byte() == Some(close);
        if empty {
            self.at += 1;
            self.depth -= 1;
        }
        empty
    }

    /// Reads a list; `item` must consume exactly one value at each call.
    ///
    /// # Errors
    /// When something else comes next, on invalid text, or what `item` returns.
    pub fn list<E: From<Error>>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_item(&mut item)
    }

    /// Compiled once, whatever the items are.
    fn each_item<E: From<Error>>(
        &mut self,
        item: &mut dyn FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.peek()? != Shape::List {
            return Err(self.mismatch("a list").into());
        }
        self.enter()?;
        if self.empty(b']') {
            return Ok(());
        }
        loop {
            item(self)?;
            if !self.another(b']')? {
                return Ok(());
            }
        }
    }

    /// Reads an object; `member` must consume exactly one value at each call.
    ///
    /// # Errors
    /// When something else comes next, on invalid text, or what `member` returns.
    pub fn object<E: From<Error>>(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_member(&mut member)
    }

    /// Compiled once, whatever the members are.
    fn each_member<E: From<Error>>(&mut self, member: &mut Member<'_, 'a, E>) -> Result<(), E> {
        if self.peek()? != Shape::Object {
            return Err(self.mismatch("an object").into());
        }
        self.enter()?;
        if self.empty(b'}') {
            return Ok(());
        }
        loop {
            let name = self.name()?;
            member(self, name)?;
            if !self.another(b'}')? {
                return Ok(());
            }
        }
    }

    /// A member's name and the colon after it.
    fn name(&mut self) -> Result<Cow<'a, str>, Error> {
        if self.peek()? != Shape::String {
            return Err(self.error(ErrorKind::Syntax));
        }
        let name = self.string()?;
        self.space();
        match self.byte() {
            Some(b':') => {
                self.at += 1;
                Ok(name)
            }
            Some(_) => Err(self.error(ErrorKind::Syntax)),
            None => Err(self.error(ErrorKind::End)),
        }
    }

    /// Passes over one value of any kind, without recursion.
    ///
    /// # Errors
    /// On invalid text or nesting deeper than the limit.
    pub fn skip(&mut self) -> Result<(), Error> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.peek()? {
                Shape::Null => self.word("null")?,
                Shape::Bool => {
                    self.bool()?;
                }
                Shape::Number => {
                    self.number()?;
                }
                Shape::String => {
                    self.string()?;
                }
                Shape::List => {
                    self.enter()?;
                    if !self.empty(b']') {
                        open.push(b']');
                        continue;
                    }
                }
                Shape::Object => {
                    self.enter()?;
                    if !self.empty(b'}') {
                        open.push(b'}');
                        self.name()?;
                        continue;
                    }
                }
            }
            loop {
                let Some(&close) = open.last() else {
                    return Ok(());
                };
                if self.another(close)? {
                    if close == b'}' {
                        self.name()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// Only white space may be left.
    ///
    /// # Errors
    /// When something else is.
    pub fn end(&mut self) -> Result<(), Error> {
        self.space();
        if self.byte().is_none() {
            Ok(())
        } else {
            Err(self.error(ErrorKind::Trailing))
        }
    }
}
