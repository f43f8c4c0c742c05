//! Time stamps (Docker spec, section 1.4).

/// A time stamp. Two are equal when the instant and the kind of zone are; the
/// wall clock follows from these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanoseconds: u32,
    /// Seconds east of Greenwich; `None` if the text ended in `Z`.
    pub offset: Option<i64>,
    /// `YYYY-MM-DDThh:mm:ss` in its own offset.
    pub wall: String,
}

/// Reads a time stamp.
pub fn parse(text: &str) -> Option<Time> {
    let mut rest = text;
    let year = number(&mut rest, 4)?;
    literal(&mut rest, "-")?;
    let month = number(&mut rest, 2)?;
    literal(&mut rest, "-")?;
    let day = number(&mut rest, 2)?;
    literal(&mut rest, "T")?;
    let hour = number(&mut rest, 2).or_else(|| number(&mut rest, 1))?;
    literal(&mut rest, ":")?;
    let minute = number(&mut rest, 2)?;
    literal(&mut rest, ":")?;
    let second = number(&mut rest, 2)?;
    let nanoseconds = fraction(&mut rest)?;
    let offset = offset(rest)?;
    let valid = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let clock = hour * 3600 + minute * 60 + second;
    valid.then(|| Time {
        seconds: days_since_1970(year, month, day) * 86_400 + clock - offset.unwrap_or(0),
        nanoseconds,
        offset,
        wall: format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"),
    })
}

impl Time {
    /// The order of the local tie-break: by instant only.
    pub fn instant(&self) -> (i64, u32) {
        (self.seconds, self.nanoseconds)
    }

    /// The text Go writes; `None` for an offset of a day or more.
    pub fn encode(&self) -> Option<String> {
        let fraction = match self.nanoseconds {
            0 => String::new(),
            n => format!(".{n:09}").trim_end_matches('0').to_owned(),
        };
        let offset = self.offset.unwrap_or(0);
        let (sign, size) = (if offset < 0 { '-' } else { '+' }, offset.abs());
        let zone = match size {
            0 => "Z".to_owned(),
            86_400.. => return None,
            _ => format!("{sign}{:02}:{:02}", size / 3600, size % 3600 / 60),
        };
        Some(format!("{}{fraction}{zone}", self.wall))
    }
}

fn number(rest: &mut &str, width: usize) -> Option<i64> {
    let digits = rest.get(..width)?;
    let value = digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok())??;
    *rest = rest.get(width..)?;
    Some(value)
}

fn literal(rest: &mut &str, wanted: &str) -> Option<()> {
    *rest = rest.strip_prefix(wanted)?;
    Some(())
}

/// `.` or `,` and digits, of which nine count.
fn fraction(rest: &mut &str) -> Option<u32> {
    let Some(after) = rest.strip_prefix(['.', ',']) else {
        return Some(0);
    };
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    *rest = after.get(digits.len()..)?;
    let nine: String = digits.chars().chain("000000000".chars()).take(9).collect();
    (!digits.is_empty()).then(|| nine.parse().ok())?
}

/// `Z` (answered as none) or `±HH:MM`, and nothing after it.
fn offset(text: &str) -> Option<Option<i64>> {
    if text == "Z" {
        return Some(None);
    }
    let (sign, mut rest) = match text.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, text.strip_prefix('-')?),
    };
    let hour = number(&mut rest, 2)?;
    literal(&mut rest, ":")?;
    let minute = number(&mut rest, 2)?;
    let valid = rest.is_empty() && hour <= 24 && minute <= 60;
    valid.then_some(Some(sign * (hour * 3600 + minute * 60)))
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Counted one year and one month at a time.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let length = |year| if is_leap(year) { 366 } else { 365 };
    let years: i64 = if year < 1970 {
        -(year..1970).map(length).sum::<i64>()
    } else {
        (1970..year).map(length).sum()
    };
    let months: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
    years + months + day - 1
}
