//! What happened to each vertex of a build: the log that BuildKit keeps with a record
//! (`application/vnd.buildkit.status.v0`), and `--progress=rawjson`.
//!
//! Both are a sequence of responses; a vertex comes again each time something happened
//! to it, and all that was said about it counts (Builds spec, section 2).

use serde::Deserialize;

use super::bad::Bad;
use super::wire::{Fields, Value};
use crate::builds::model::Vertex;
use crate::go_json::Timestamp;
use crate::limits::{Limit, Limits};
use crate::prelude::*;

/// A time, in nanoseconds since 1970.
pub type Nanoseconds = i64;

/// Reads the log of a record: each response with its length before it, four bytes, the
/// lowest first. The vertices come in the order in which they were first told of.
///
/// # Errors
/// If it is not one, or above a limit.
pub fn of_log<const N: usize>(log: &[u8], limits: &Limits<N>) -> Result<Vec<Vertex>, Bad> {
    let mut seen = Seen::new(limits);
    let mut rest = log;
    while !rest.is_empty() {
        let cut = || Bad::Form("the log ends inside a response");
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| cut())?;
        let (response, after) = after.split_at_checked(length).ok_or_else(cut)?;
        for field in Fields::of(response) {
            if let (1, value) = field? {
                seen.add(event(value)?)?;
            }
        }
        rest = after;
    }
    Ok(seen.vertices)
}

/// Reads `--progress=rawjson`: one response a line. The client writes warnings, the
/// error, and the lines of the Dockerfile around it to the same stream: what begins no
/// object is passed over (Builds spec, section 2).
///
/// # Errors
/// If a line that begins an object is not a response, or above a limit.
pub fn of_progress<const N: usize>(text: &str, limits: &Limits<N>) -> Result<Vec<Vertex>, Bad> {
    let mut seen = Seen::new(limits);
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let line: Line = serde_json::from_str(line).map_err(|error| Bad::json(&error))?;
        for event in line.vertexes.into_iter().flatten() {
            seen.add(event.vertex()?)?;
        }
    }
    Ok(seen.vertices)
}

/// The vertices of a log so far.
struct Seen {
    vertices: Vec<Vertex>,
    places: BTreeMap<String, usize>,
    /// How many more events may come.
    left: u64,
}

/// A line of `--progress=rawjson`; what else it has is not about vertices.
#[derive(Deserialize)]
struct Line {
    vertexes: Option<Vec<Event>>,
}

/// What a line says about a vertex.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    digest: String,
    inputs: Option<Vec<String>>,
    name: String,
    cached: bool,
    started: Option<String>,
    completed: Option<String>,
    error: String,
}

impl Seen {
    fn new<const N: usize>(limits: &Limits<N>) -> Self {
        Self {
            vertices: Vec::new(),
            places: BTreeMap::new(),
            left: limits.get(Limit::Entries),
        }
    }

    fn add(&mut self, event: Vertex) -> Result<(), Bad> {
        self.left = self.left.checked_sub(1).ok_or(Bad::Above(Limit::Entries))?;
        let known = self.places.get(&event.digest);
        match known.and_then(|place| self.vertices.get_mut(*place)) {
            Some(vertex) => vertex.merge(event),
            None => {
                self.places
                    .insert(event.digest.clone(), self.vertices.len());
                self.vertices.push(event);
            }
        }
        Ok(())
    }
}

impl Event {
    fn vertex(self) -> Result<Vertex, Bad> {
        Ok(Vertex {
            digest: self.digest,
            inputs: self.inputs.unwrap_or_default(),
            name: self.name,
            cached: self.cached,
            started: time(self.started.as_deref())?,
            completed: time(self.completed.as_deref())?,
            error: Some(self.error).filter(|error| !error.is_empty()),
        })
    }
}

fn event(value: Value<'_>) -> Result<Vertex, Bad> {
    let mut vertex = Vertex::default();
    for field in value.message()? {
        match field? {
            (1, value) => vertex.digest = value.text()?,
            (2, value) => vertex.inputs.push(value.text()?),
            (3, value) => vertex.name = value.text()?,
            (4, value) => vertex.cached = value.number()? != 0,
            (5, value) => vertex.started = Some(timestamp(value)?),
            (6, value) => vertex.completed = Some(timestamp(value)?),
            (7, value) => vertex.error = Some(value.text()?).filter(|error| !error.is_empty()),
            _ => {}
        }
    }
    Ok(vertex)
}

/// A protobuf timestamp.
pub(super) fn timestamp(value: Value<'_>) -> Result<Nanoseconds, Bad> {
    let mut seconds = 0;
    let mut nanoseconds = 0;
    for field in value.message()? {
        match field? {
            // Two's complement, as protobuf keeps signed numbers.
            (1, value) => seconds = value.number()?.cast_signed(),
            (2, value) => nanoseconds = value.number()?.cast_signed(),
            _ => {}
        }
    }
    Ok(instant(seconds, nanoseconds))
}

/// A time before 1677 or after 2262 is the nearest one that is not.
pub(super) const fn instant(seconds: i64, nanoseconds: i64) -> Nanoseconds {
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}

fn time(text: Option<&str>) -> Result<Option<Nanoseconds>, Bad> {
    let Some(text) = text else { return Ok(None) };
    let time = Timestamp::parse(text).ok_or(Bad::Form("a time is not one of RFC 3339"))?;
    Ok(Some(instant(time.seconds, time.nanoseconds.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits<1> = Limits::new([(Limit::Entries, 3)]);

    /// A field of bytes, shorter than 128.
    fn bytes(number: u8, value: &[u8]) -> Vec<u8> {
        [
            &[number << 3 | 2, u8::try_from(value.len()).unwrap()],
            value,
        ]
        .concat()
    }

    fn frame(response: &[u8]) -> Vec<u8> {
        let length = u32::try_from(response.len()).unwrap().to_le_bytes();
        [&length, response].concat()
    }

    fn log() -> Vec<u8> {
        let begun = [
            bytes(1, b"a"),
            bytes(2, b"b"),
            bytes(3, b"name"),
            bytes(5, &[8, 2]),
        ]
        .concat();
        let ended = [bytes(1, b"a"), vec![4 << 3, 1], bytes(6, &[8, 3, 16, 7])].concat();
        let failed = [bytes(1, b"c"), bytes(7, b"no")].concat();
        let first = [bytes(1, &begun), bytes(3, b"a line that a step wrote")].concat();
        let second = [bytes(1, &failed), bytes(1, &ended)].concat();
        [frame(&first), frame(&[]), frame(&second)].concat()
    }

    #[test]
    fn a_vertex_is_all_that_is_said_about_it() {
        let vertices = of_log(&log(), &LIMITS).unwrap();
        let a = Vertex {
            digest: "a".to_owned(),
            inputs: vec!["b".to_owned()],
            name: "name".to_owned(),
            cached: true,
            started: Some(2_000_000_000),
            completed: Some(3_000_000_007),
            error: None,
        };
        let c = Vertex {
            digest: "c".to_owned(),
            error: Some("no".to_owned()),
            ..Vertex::default()
        };
        assert_eq!(vertices, [a.clone(), c.clone()]);
        let progress = r#"time="2026-11-30T00:32:00Z" level=warning msg="no fsverity"
{"vertexes":[{"digest":"a","inputs":["b"],"name":"name","started":"1970-01-01T01:00:02+01:00"}],"logs":[]}
{"statuses":[{"id":"x"}]}

{"vertexes":[{"digest":"c","error":"no"},{"digest":"a","cached":true,"completed":"1970-01-01T00:00:03.000000007Z"}]}
Dockerfile:6
   6 | >>> RUN make {
error: failed to solve: no
"#;
        assert_eq!(of_progress(progress, &LIMITS).unwrap(), [a, c]);
    }

    #[test]
    fn a_log_cut_anywhere_is_refused_or_shorter() {
        let log = log();
        let whole = of_log(&log, &LIMITS).unwrap();
        for end in 1..log.len() {
            let read = of_log(&log[..end], &LIMITS);
            assert!(read.is_err() || read.is_ok_and(|some| some.len() < whole.len()));
        }
    }

    #[test]
    fn more_events_than_the_limit() {
        let twice = [log(), log()].concat();
        assert_eq!(of_log(&twice, &LIMITS), Err(Bad::Above(Limit::Entries)));
        let line = r#"{"vertexes":[{},{},{},{}]}"#;
        assert_eq!(of_progress(line, &LIMITS), Err(Bad::Above(Limit::Entries)));
    }

    #[test]
    fn what_is_not_progress_is_refused() {
        for text in ["{", r#"{"vertexes":[{"started":"yesterday"}]}"#] {
            assert!(of_progress(text, &LIMITS).is_err(), "{text}");
        }
    }
}
