//! JSON text to a tree that keeps repeated members (Docker spec, section 1.3).

/// A JSON value; members of an object in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it was spelled.
    Number(String),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

/// Reads one value with nothing but space around it; `None` if the text is not
/// JSON.
pub fn parse(text: &str) -> Option<Json> {
    let mut parser = Parser {
        rest: text.chars().collect(),
    };
    parser.rest.reverse();
    let value = parser.value()?;
    parser.space();
    parser.rest.is_empty().then_some(value)
}

/// What is left of the text, the next character last.
struct Parser {
    rest: Vec<char>,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.rest.last().copied()
    }

    fn next(&mut self) -> Option<char> {
        self.rest.pop()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\r' | '\n')) {
            self.next();
        }
    }

    fn expect(&mut self, wanted: &str) -> Option<()> {
        for wanted in wanted.chars() {
            if self.next()? != wanted {
                return None;
            }
        }
        Some(())
    }

    fn value(&mut self) -> Option<Json> {
        self.space();
        match self.peek()? {
            'n' => self.expect("null").map(|()| Json::Null),
            't' => self.expect("true").map(|()| Json::Bool(true)),
            'f' => self.expect("false").map(|()| Json::Bool(false)),
            '"' => self.text().map(Json::Text),
            '[' => self.list(),
            '{' => self.object(),
            _ => self.number(),
        }
    }

    fn list(&mut self) -> Option<Json> {
        self.expect("[")?;
        let mut items = Vec::new();
        self.space();
        if self.peek()? == ']' {
            self.next();
            return Some(Json::List(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            match self.next()? {
                ',' => {}
                ']' => return Some(Json::List(items)),
                _ => return None,
            }
        }
    }

    fn object(&mut self) -> Option<Json> {
        self.expect("{")?;
        let mut members = Vec::new();
        self.space();
        if self.peek()? == '}' {
            self.next();
            return Some(Json::Object(members));
        }
        loop {
            self.space();
            let key = self.text()?;
            self.space();
            self.expect(":")?;
            members.push((key, self.value()?));
            self.space();
            match self.next()? {
                ',' => {}
                '}' => return Some(Json::Object(members)),
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<Json> {
        let mut spelled = String::new();
        if self.peek()? == '-' {
            spelled.push(self.next()?);
        }
        if self.peek()? == '0' {
            spelled.push(self.next()?);
        } else {
            spelled.push_str(&self.digits()?);
        }
        if self.peek() == Some('.') {
            spelled.push(self.next()?);
            spelled.push_str(&self.digits()?);
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            spelled.push(self.next()?);
            if matches!(self.peek(), Some('+' | '-')) {
                spelled.push(self.next()?);
            }
            spelled.push_str(&self.digits()?);
        }
        Some(Json::Number(spelled))
    }

    /// At least one digit.
    fn digits(&mut self) -> Option<String> {
        let mut digits = String::new();
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            digits.push(digit);
            self.next();
        }
        (!digits.is_empty()).then_some(digits)
    }

    fn text(&mut self) -> Option<String> {
        self.expect("\"")?;
        let mut text = String::new();
        loop {
            match self.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escape()?),
                control if control < ' ' => return None,
                plain => text.push(plain),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            '"' => '"',
            '\\' => '\\',
            '/' => '/',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => self.unicode()?,
            _ => return None,
        })
    }

    /// After `\u`: one character, a pair of surrogates, or U+FFFD for half of
    /// a pair.
    fn unicode(&mut self) -> Option<char> {
        let first = self.hex()?;
        if let Some(character) = char::from_u32(first) {
            return Some(character);
        }
        let before = self.rest.clone();
        if first < 0xdc00
            && self.expect("\\u").is_some()
            && let Some(second) = self.hex()
            && (0xdc00..0xe000).contains(&second)
        {
            return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00));
        }
        self.rest = before;
        Some('\u{fffd}')
    }

    fn hex(&mut self) -> Option<u32> {
        let mut value = 0;
        for _ in 0..4 {
            value = value * 16 + self.next()?.to_digit(16)?;
        }
        Some(value)
    }
}

/// A string as Go writes it (Docker spec, section 1.5).
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
