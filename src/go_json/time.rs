//! Time stamps as Go reads and writes them (Docker spec, section 1.4).

use super::reader::{Error, ErrorKind, Reader};
use super::{Decode, Writer};
use crate::prelude::*;

const DAY: i64 = 86_400;

/// Where a time stamp was written. Go keeps UTC and an offset of zero apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// The text ended in `Z`.
    Zulu,
    /// Seconds east of UTC.
    Offset(i32),
}

/// An instant and the zone it was written in.
///
/// `==` is Go's deep equality: the same instant *and* the same zone. The order
/// of instants is [`Timestamp::instant`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanoseconds: u32,
    /// The zone.
    pub zone: Zone,
}

impl Default for Timestamp {
    /// Go's zero time, 0001-01-01T00:00:00Z.
    fn default() -> Self {
        Self {
            seconds: -62_135_596_800,
            nanoseconds: 0,
            zone: Zone::Zulu,
        }
    }
}

impl Timestamp {
    /// What the order of times goes by.
    pub const fn instant(&self) -> (i64, u32) {
        (self.seconds, self.nanoseconds)
    }

    /// Offset from UTC in seconds.
    pub const fn offset(&self) -> i32 {
        match self.zone {
            Zone::Zulu => 0,
            Zone::Offset(seconds) => seconds,
        }
    }

    /// Reads `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`; `None` for anything
    /// that Go refuses.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = Scanner(text.as_bytes());
        let year = rest.digits(4)?;
        rest.literal(b'-')?;
        let month = rest.digits(2)?;
        rest.literal(b'-')?;
        let day = rest.digits(2)?;
        rest.literal(b'T')?;
        let hour = rest.digits(2).or_else(|| rest.digits(1))?;
        rest.literal(b':')?;
        let minute = rest.digits(2)?;
        rest.literal(b':')?;
        let second = rest.digits(2)?;
        let nanoseconds = rest.fraction()?;
        let zone = rest.zone()?;
        let valid = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60
            && rest.0.is_empty();
        if !valid {
            return None;
        }
        let mut stamp = Self {
            seconds: days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second,
            nanoseconds,
            zone,
        };
        stamp.seconds -= i64::from(stamp.offset());
        Some(stamp)
    }

    /// The text Go writes; `None` for an offset of 24 hours or more, or a year
    /// outside 0 to 9999, which it refuses.
    pub fn to_text(self) -> Option<String> {
        let offset = self.offset();
        if offset.abs() >= 24 * 3600 {
            return None;
        }
        let wall = self.seconds.checked_add(i64::from(offset))?;
        let (year, month, day) = civil_from_days(wall.div_euclid(DAY));
        if !(0..=9999).contains(&year) {
            return None;
        }
        let time = wall.rem_euclid(DAY);
        let mut text = String::with_capacity("2006-01-02T15:04:05.000000000+00:00".len());
        digits(&mut text, year / 100);
        digits(&mut text, year % 100);
        let rest = [month, day, time / 3600, time / 60 % 60, time % 60];
        for (before, number) in ['-', '-', 'T', ':', ':'].into_iter().zip(rest) {
            text.push(before);
            digits(&mut text, number);
        }
        if self.nanoseconds > 0 {
            let digits = format!("{:09}", self.nanoseconds);
            text.push('.');
            text.push_str(digits.trim_end_matches('0'));
        }
        if offset == 0 {
            text.push('Z');
        } else {
            let minutes = i64::from(offset.abs() / 60);
            text.push(if offset < 0 { '-' } else { '+' });
            digits(&mut text, minutes / 60);
            text.push(':');
            digits(&mut text, minutes % 60);
        }
        Some(text)
    }

    /// Writes the time as a JSON string; returns false, and writes nothing,
    /// when Go refuses to.
    pub fn encode(self, writer: &mut Writer) -> bool {
        match self.to_text() {
            Some(text) => {
                writer.string(&text);
                true
            }
            None => false,
        }
    }
}

impl Decode for Timestamp {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if reader.null()? {
            return Ok(());
        }
        let refused = reader.error(ErrorKind::Text("a time stamp"));
        let text = reader.text()?;
        *self = (!text.escaped)
            .then(|| Self::parse(&text.value))
            .flatten()
            .ok_or(refused)?;
        Ok(())
    }
}

struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    fn literal(&mut self, byte: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[byte])?;
        Some(())
    }

    /// Exactly `count` digits; nothing is consumed otherwise.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let (head, tail) = self.0.split_at_checked(count)?;
        let mut value = 0;
        for byte in head {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value * 10 + i64::from(byte - b'0');
        }
        self.0 = tail;
        Some(value)
    }

    /// `.` or `,` and digits, of which nine count; 0 if there is none.
    fn fraction(&mut self) -> Option<u32> {
        if self.literal(b'.').or_else(|| self.literal(b',')).is_none() {
            return Some(0);
        }
        let count = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        let mut value = 0;
        for place in 0..9 {
            let digit = digits.get(place).map_or(0, |b| u32::from(b - b'0'));
            value = value * 10 + digit;
        }
        (count > 0).then_some(value)
    }

    fn zone(&mut self) -> Option<Zone> {
        if self.literal(b'Z').is_some() {
            return Some(Zone::Zulu);
        }
        let sign = if self.literal(b'-').is_some() {
            -1
        } else {
            self.literal(b'+')?;
            1
        };
        let hours = self.digits(2)?;
        self.literal(b':')?;
        let minutes = self.digits(2)?;
        let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
        (hours <= 24 && minutes <= 60).then_some(Zone::Offset(sign * seconds))
    }
}

/// Two digits of a number below 100.
fn digits(text: &mut String, number: i64) {
    for digit in [number / 10, number % 10] {
        let digit = u32::try_from(digit).unwrap_or_default();
        text.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
}

const fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years start in March, so that the leap day is the last day of a year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(input: &str) -> Option<String> {
        Timestamp::parse(input)?.to_text()
    }

    #[test]
    fn writes_what_go_writes() {
        for (input, want) in [
            ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
            ("2024-01-02T3:04:05,120Z", "2024-01-02T03:04:05.12Z"),
            ("2024-01-02T03:04:05+00:00", "2024-01-02T03:04:05Z"),
            (
                "2024-02-29T23:59:59.9999999999-01:30",
                "2024-02-29T23:59:59.999999999-01:30",
            ),
            ("0000-01-01T00:00:00+01:60", "0000-01-01T00:00:00+02:00"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
            ("1600-03-01T00:00:00Z", "1600-03-01T00:00:00Z"),
        ] {
            assert_eq!(text(input).as_deref(), Some(want), "{input}");
        }
        assert_eq!(text("2024-01-02T03:04:05+24:00"), None);
        assert_eq!(
            Timestamp::default().to_text().as_deref(),
            Some("0001-01-01T00:00:00Z")
        );
    }

    #[test]
    fn refuses_what_go_refuses() {
        for input in [
            "",
            "2024-01-02",
            "2024-01-02T03:04:05",
            "2024-01-02t03:04:05Z",
            "2024-02-30T03:04:05Z",
            "2023-02-29T03:04:05Z",
            "2024-00-01T03:04:05Z",
            "2024-01-02T24:00:00Z",
            "2024-01-02T03:04:60Z",
            "2024-01-02T03:04:05.Z",
            "2024-01-02T03:04:05+25:00",
            "2024-01-02T03:04:05+00:61",
            "2024-01-02T03:04:05Z ",
            "2024-01-02T03:4:05Z",
            "\u{662}024-01-02T03:04:05Z",
        ] {
            assert_eq!(Timestamp::parse(input), None, "{input}");
        }
    }

    #[test]
    fn equality_keeps_zones_apart_and_order_does_not() {
        let stamp = |text| Timestamp::parse(text).unwrap();
        let zulu = stamp("2024-01-02T03:04:05Z");
        let zero = stamp("2024-01-02T03:04:05+00:00");
        assert_ne!(zulu, zero);
        assert_eq!(zulu.instant(), zero.instant());
        assert_eq!(zero, stamp("2024-01-02T03:04:05-00:00"));
        assert_eq!(
            stamp("2024-01-02T03:04:05.1Z"),
            stamp("2024-01-02T03:04:05.100Z")
        );
        assert!(stamp("2024-01-02T09:00:00+10:00").instant() < zulu.instant());
    }

    #[test]
    fn calendar_round_trips() {
        for days in (-719_528..2_932_896).step_by(97) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
    }
}
