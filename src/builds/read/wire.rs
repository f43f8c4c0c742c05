//! Protobuf messages, field by field, as a reader that knows only some fields.
//!
//! Nothing is copied and nothing is nested here: the bytes of an inner message are a
//! value, and who knows what it is reads them.

use core::fmt;
use core::str;

use crate::prelude::*;

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A number of variable length.
    Number(u64),
    /// Bytes, a text or a message.
    Bytes(&'a [u8]),
    /// A number of four or eight bytes, which no message here has.
    Fixed,
}

/// Bytes that are not a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Which byte of the message.
    pub at: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// The fields of a message in their order. After an error there are no more.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// Reads a message.
    pub const fn of(message: &'a [u8]) -> Self {
        Self { message, at: 0 }
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), Malformed> {
        let start = self.at;
        let bad = |what| Malformed { at: start, what };
        let tag = self.number()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| bad("no field has this number"))?;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.number()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(bad("a field has a type that is not in use")),
        };
        Ok((number, value))
    }

    /// Seven bits a byte, the lowest first; ten bytes at most.
    fn number(&mut self) -> Result<u64, Malformed> {
        let start = self.at;
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = *self.take(1)? else {
                return Err(self.ends());
            };
            let bits = u64::from(byte & 0x7f);
            let placed = bits << shift;
            if placed >> shift != bits {
                break;
            }
            value |= placed;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed {
            at: start,
            what: "a number is larger than 64 bits",
        })
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| self.at.checked_add(length));
        let taken = end.and_then(|end| Some((self.message.get(self.at..end)?, end)));
        let (taken, end) = taken.ok_or_else(|| self.ends())?;
        self.at = end;
        Ok(taken)
    }

    fn ends(&self) -> Malformed {
        Malformed {
            at: self.message.len(),
            what: "the message ends inside a field",
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.message.len() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.at = self.message.len();
        }
        Some(field)
    }
}

/// The numbers of a list that is one value.
pub fn numbers(packed: &[u8]) -> impl Iterator<Item = Result<u64, Malformed>> + '_ {
    let mut fields = Fields::of(packed);
    core::iter::from_fn(move || {
        if fields.at >= packed.len() {
            return None;
        }
        let number = fields.number();
        if number.is_err() {
            fields.at = packed.len();
        }
        Some(number)
    })
}

impl<'a> Value<'a> {
    /// The number; an error for another type.
    pub fn number(self) -> Result<u64, Malformed> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Bytes(_) | Self::Fixed => Err(wrong_type()),
        }
    }

    /// The bytes; an error for another type.
    pub fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) | Self::Fixed => Err(wrong_type()),
        }
    }

    /// The fields of an inner message.
    pub fn message(self) -> Result<Fields<'a>, Malformed> {
        Ok(Fields::of(self.bytes()?))
    }

    /// The text.
    pub fn text(self) -> Result<String, Malformed> {
        let text = str::from_utf8(self.bytes()?).map_err(|error| Malformed {
            at: error.valid_up_to(),
            what: "a text is not utf-8",
        })?;
        Ok(text.to_owned())
    }
}

fn wrong_type() -> Malformed {
    Malformed {
        at: 0,
        what: "a field has another type than it should",
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (byte {})", self.what, self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
        Fields::of(bytes).collect()
    }

    #[test]
    fn fields_of_every_type() {
        let bytes = [
            0x08, 0xac, 0x02, // 1: 300
            0x12, 2, b'h', b'i', // 2: "hi"
            0x19, 1, 2, 3, 4, 5, 6, 7, 8, // 3: eight bytes
            0x25, 1, 2, 3, 4, // 4: four bytes
            0x2a, 0, // 5: empty
        ];
        let read = all(&bytes).unwrap();
        assert_eq!(
            read,
            [
                (1, Value::Number(300)),
                (2, Value::Bytes(b"hi")),
                (3, Value::Fixed),
                (4, Value::Fixed),
                (5, Value::Bytes(b"")),
            ]
        );
        assert_eq!(all(b"").unwrap(), []);
    }

    #[test]
    fn numbers_have_64_bits() {
        let most = [0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        assert_eq!(all(&most).unwrap(), [(1, Value::Number(u64::MAX))]);
        let over = [0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2];
        assert_eq!(
            all(&over).unwrap_err().what,
            "a number is larger than 64 bits"
        );
        let long = [0x08, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 1];
        assert!(all(&long).is_err());
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bytes in [
            &[0x08][..],                                             // no value
            &[0x12, 3, 1, 2],                                        // cut off
            &[0x12, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], // no such length
            &[0x0b],                                                 // a group
            &[0x00, 0x00],                                           // field 0
            &[0x19, 1],                                              // cut off
        ] {
            let mut fields = Fields::of(bytes);
            assert!(fields.next().unwrap().is_err(), "{bytes:?}");
            assert!(fields.next().is_none(), "{bytes:?}");
        }
    }
}
