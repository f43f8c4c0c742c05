//! Times for people.

use crate::go_json::{Timestamp, Zone};
use crate::prelude::*;

/// A time as RFC 3339, also where Go refuses to write it.
pub(crate) fn time_text(time: Timestamp) -> String {
    if let Some(text) = time.to_text() {
        return text;
    }
    let offset = time.offset();
    let wall = Timestamp {
        seconds: time.seconds.saturating_add(i64::from(offset)),
        zone: Zone::Zulu,
        ..time
    };
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.unsigned_abs() / 60;
    let zone = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
    match wall.to_text() {
        Some(text) => text.replace('Z', &zone),
        None => format!("{} seconds since 1970", time.seconds),
    }
}
