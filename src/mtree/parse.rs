//! Reading a text (stacker spec, section 9.4).

use core::fmt;

use crate::prelude::*;

/// Why a recorded text cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// A line of 65,536 bytes or more.
    LineTooLong,
    /// A name that is not a valid encoding.
    BadName(String),
    /// Comparing it would take more steps than allowed.
    TooLarge,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineTooLong => f.write_str("a line of the recorded text is too long"),
            Self::BadName(name) => write!(f, "{name:?} is not an encoded name"),
            Self::TooLarge => f.write_str("the recorded text is too large to compare"),
        }
    }
}

impl core::error::Error for SpecError {}

/// Lines of this many bytes or more are refused.
const LINE_BYTES: usize = 65_536;

/// A text that was read. Names and keywords are looked at when it is compared.
#[derive(Clone, Debug)]
pub struct Spec<'a> {
    pub(super) entries: Vec<SpecEntry<'a>>,
    /// The words of each `/set` line; the first is no line at all.
    pub(super) sets: Vec<Cow<'a, [u8]>>,
}

/// An entry of a text.
#[derive(Clone, Debug)]
pub(super) struct SpecEntry<'a> {
    /// The whole line: the name and its keywords.
    pub line: Cow<'a, [u8]>,
    /// Index of the entry that is its directory; none at the top, and for a
    /// name that is a path of its own.
    pub parent: Option<usize>,
    /// Index into the sets.
    pub set: usize,
}

impl<'a> Spec<'a> {
    /// Reads a text.
    ///
    /// # Errors
    /// For a line that is too long, or one that holds nothing but a
    /// continuation (upstream crashes on it).
    pub fn parse(text: &'a [u8]) -> Result<Self, SpecError> {
        let mut lines = Lines(text);
        let mut spec = Self {
            entries: Vec::new(),
            sets: vec![Cow::Borrowed(&[])],
        };
        let mut set = 0;
        let mut directory: Option<usize> = None;
        while let Some(line) = lines.next()? {
            let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t'));
            if line.is_empty() || start.and_then(|at| line.get(at)) == Some(&b'#') {
                continue;
            }
            if line.first() == Some(&b'/') {
                let line = lines.whole(line)?;
                let command = fields(&line).next();
                if command == Some(b"/unset") {
                    set = 0;
                } else if command == Some(b"/set") {
                    set = spec.sets.len();
                    spec.sets.push(line);
                }
                continue;
            }
            match fields(line).next() {
                None => continue,
                Some(b"..") => {
                    directory = directory.and_then(|at| spec.entries.get(at)?.parent);
                    continue;
                }
                Some(_) => {}
            }
            let line = lines.whole(line)?;
            let mut words = fields(&line);
            let name = words
                .next()
                .ok_or_else(|| SpecError::BadName("\\".to_owned()))?;
            let full = name.contains(&b'/');
            let kind = words.filter_map(|word| word.strip_prefix(b"type=")).last();
            let is_directory = kind == Some(b"dir") && !full;
            let index = spec.entries.len();
            spec.entries.push(SpecEntry {
                line,
                parent: if full { None } else { directory },
                set,
            });
            if is_directory {
                directory = Some(index);
            }
        }
        Ok(spec)
    }
}

/// The words of a line, separated by Unicode white space.
pub(super) fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = line;
    core::iter::from_fn(move || {
        let start = rest.len() - trim_start(rest).len();
        rest = rest.get(start..)?;
        let end = word_end(rest);
        let (word, tail) = rest.split_at_checked(end)?;
        rest = tail;
        (!word.is_empty()).then_some(word)
    })
}

fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let Some(length) = space(bytes) {
        bytes = bytes.get(length..).unwrap_or_default();
    }
    bytes
}

fn word_end(bytes: &[u8]) -> usize {
    let mut at = 0;
    while at < bytes.len() && space(bytes.get(at..).unwrap_or_default()).is_none() {
        at += 1;
    }
    at
}

/// How many bytes the white space at the start takes, if there is any.
fn space(bytes: &[u8]) -> Option<usize> {
    match *bytes {
        [b'\t'..=b'\r' | b' ', ..] => Some(1),
        [0xc2, 0x85 | 0xa0, ..] => Some(2),
        [0xe1, 0x9a, 0x80, ..]
        | [0xe2, 0x80, 0x80..=0x8a | 0xa8 | 0xa9 | 0xaf, ..]
        | [0xe2, 0x81, 0x9f, ..]
        | [0xe3, 0x80, 0x80, ..] => Some(3),
        _ => None,
    }
}

/// The lines that are left.
struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<Option<&'a [u8]>, SpecError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let window = self.0.get(..LINE_BYTES).unwrap_or(self.0);
        let (line, rest) = match window.iter().position(|byte| *byte == b'\n') {
            Some(at) => (self.0.get(..at), self.0.get(at + 1..)),
            None if self.0.len() < LINE_BYTES => (Some(self.0), None),
            None => return Err(SpecError::LineTooLong),
        };
        self.0 = rest.unwrap_or_default();
        let line = line.unwrap_or_default();
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    /// A line with the lines that continue it.
    fn whole(&mut self, line: &'a [u8]) -> Result<Cow<'a, [u8]>, SpecError> {
        let Some(start) = line.strip_suffix(b"\\") else {
            return Ok(Cow::Borrowed(line));
        };
        let mut whole = start.to_vec();
        loop {
            whole.extend_from_slice(self.next()?.unwrap_or_default());
            if whole.last() != Some(&b'\\') {
                return Ok(Cow::Owned(whole));
            }
            whole.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<String> {
        let spec = Spec::parse(text).unwrap();
        let show = |e: &SpecEntry<'_>| {
            let set = String::from_utf8_lossy(&spec.sets[e.set]).into_owned();
            format!("{}|{:?}|{set}", String::from_utf8_lossy(&e.line), e.parent)
        };
        spec.entries.iter().map(show).collect()
    }

    #[test]
    fn commands_directories_and_continuations() {
        let text = b"# c\n \t# c\n\n   \n/set a=1\n. type=dir\r\nf b=2 \\\n c=3\n/unset all\nd type=file type=dir\n\
            ./x type=dir\ny\n ..\n..\n..\nz\\";
        assert_eq!(
            lines(text),
            [
                ". type=dir|None|/set a=1",
                "f b=2  c=3|Some(0)|/set a=1",
                "d type=file type=dir|Some(0)|",
                "./x type=dir|None|",
                "y|Some(2)|",
                "z|None|",
            ]
        );
    }

    #[test]
    fn white_space_is_unicodes() {
        let line =
            "a\u{85}b\u{a0}c\u{1680}d\u{2003}e\u{2028}f\u{202f}g\u{205f}h\u{3000}i\u{b}j\u{200b}k";
        let words: Vec<_> = fields(line.as_bytes())
            .map(String::from_utf8_lossy)
            .collect();
        assert_eq!(
            words,
            ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j\u{200b}k"]
        );
        for c in (0..0x11_0000).filter_map(char::from_u32) {
            assert_eq!(
                space(c.to_string().as_bytes()).is_some(),
                c.is_whitespace(),
                "{c:?}"
            );
        }
    }

    #[test]
    fn long_lines_are_refused() {
        let line = |n: usize, end: &str| format!("{}{end}", "x".repeat(n));
        assert!(Spec::parse(line(65_535, "\n").as_bytes()).is_ok());
        assert!(Spec::parse(line(65_535, "").as_bytes()).is_ok());
        for text in [line(65_536, "\n"), line(65_536, ""), line(65_535, "\r\n")] {
            assert_eq!(
                Spec::parse(text.as_bytes()).unwrap_err(),
                SpecError::LineTooLong
            );
        }
        assert!(matches!(Spec::parse(b"\\\n\n"), Err(SpecError::BadName(_))));
    }
}
