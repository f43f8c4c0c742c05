//! Values out of bytes. When the bytes are used up everything is the first of
//! its kind, so that every input means something.

use layerwise::host::{Failure, FailureCode};

/// Bytes that are read from the front.
#[derive(Clone, Debug)]
pub struct Draw {
    bytes: Vec<u8>,
    at: usize,
}

impl Draw {
    /// Over these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            at: 0,
        }
    }

    /// Two of them: every other byte goes to each.
    pub fn two(bytes: &[u8]) -> (Self, Self) {
        let half = |from| {
            let bytes = bytes.iter().skip(from).step_by(2).copied().collect();
            Self { bytes, at: 0 }
        };
        (half(0), half(1))
    }

    /// Whether all bytes are used up.
    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    /// A number below `bound`, which is at most 65,536; zero of nothing.
    pub fn below(&mut self, bound: usize) -> usize {
        let wide = if bound > 256 {
            usize::from(self.byte()) << 8
        } else {
            0
        };
        (wide | usize::from(self.byte()))
            .checked_rem(bound)
            .unwrap_or(0)
    }

    /// True for one value of `of`, which is not the first.
    pub fn rarely(&mut self, of: usize) -> bool {
        self.below(of) + 1 == of
    }

    /// One of these.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.below(of.len());
        of.get(at).expect("one of them")
    }

    /// Up to `most` values.
    pub fn several<T>(&mut self, most: usize, mut value: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.below(most + 1);
        (0..count).map(|_| value(self)).collect()
    }

    /// A value or none.
    pub fn perhaps<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(3) > 0).then(|| value(self))
    }

    /// One of these texts, at times spoiled, at times any text.
    pub fn text(&mut self, of: &[&str]) -> String {
        match self.below(16) {
            14 => {
                let text = (*self.one(of)).to_owned();
                self.spoil(text)
            }
            15 => self.anything(),
            _ => (*self.one(of)).to_owned(),
        }
    }

    /// Any text, up to 40 bytes of input.
    pub fn anything(&mut self) -> String {
        let bytes = self.several(40, Self::byte);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A text with one byte changed, or cut off.
    pub fn spoil(&mut self, text: String) -> String {
        let mut bytes = text.into_bytes();
        let at = self.below(bytes.len().min(65_536));
        let byte = self.byte();
        match self.below(3) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, byte),
            _ => {
                if let Some(old) = bytes.get_mut(at) {
                    *old = byte;
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A text, at times spoiled.
    pub fn perhaps_spoiled(&mut self, text: String) -> String {
        if self.rarely(16) {
            self.spoil(text)
        } else {
            text
        }
    }

    /// What a host returns: mostly the value, at times a failure of any kind.
    pub fn answer<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Result<T, Failure> {
        if self.rarely(24) {
            return Err(self.failure());
        }
        Ok(value(self))
    }

    /// A failure of any kind.
    pub fn failure(&mut self) -> Failure {
        use FailureCode as F;
        const CODES: [FailureCode; 14] = [
            F::NotFound,
            F::Unauthorized,
            F::Denied,
            F::Unavailable,
            F::Corrupt,
            F::Truncated,
            F::TooLarge,
            F::Conflict,
            F::Unsupported,
            F::Invalid,
            F::Full,
            F::Cancelled,
            F::Deadline,
            F::Other,
        ];
        Failure::new(*self.one(&CODES), "the fuzzer says so")
    }

    /// A list for each item that was asked about; at times too short or too
    /// long.
    pub fn batch<T>(
        &mut self,
        items: usize,
        mut answer: impl FnMut(&mut Self, usize) -> T,
    ) -> Vec<T> {
        let count = match self.below(64) {
            62 => items.saturating_sub(1),
            63 => items + 1,
            _ => items,
        };
        (0..count).map(|at| answer(self, at)).collect()
    }
}
