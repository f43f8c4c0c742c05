//! Writing a tree as text (stacker spec, section 9.2).

use core::fmt;
use core::str::FromStr;

use super::tree::Tree;
use super::vis::vis;
use crate::go_json::Timestamp;
use crate::paths;
use crate::prelude::*;

/// The keywords that are written and compared, in the order of the words of an
/// entry.
pub const KEYWORDS: [&str; 7] = [
    "type",
    "link",
    "uid",
    "gid",
    "xattr",
    "mode",
    "sha256digest",
];

/// The two words that every `/set` line starts with.
const DEFAULTS: [&str; 2] = ["type=file", "mode=0664"];

/// What the first lines of a text say about where it was written. They take no
/// part in comparisons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Name of the user; without one its line is left out.
    pub user: Option<&'a str>,
    /// Name of the machine; without one its line is left out.
    pub machine: Option<&'a str>,
    /// The path that was walked, in the encoding of the filesystem interface.
    pub root: &'a str,
    /// What `.` and `..` are relative to.
    pub directory: &'a str,
    /// When.
    pub date: WallTime,
}

/// A local wall-clock time, `YYYY-MM-DDThh:mm:ss`, as a text's date line writes
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WallTime(String);

/// Text that is not a wall-clock time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTime;

impl fmt::Display for InvalidTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a time as YYYY-MM-DDThh:mm:ss")
    }
}

impl core::error::Error for InvalidTime {}

impl FromStr for WallTime {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        if text.len() != 19 {
            return Err(InvalidTime);
        }
        let stamp = Timestamp::parse(&format!("{text}Z")).ok_or(InvalidTime)?;
        let weekday = usize::try_from(stamp.seconds.div_euclid(86_400).rem_euclid(7)).ok();
        let part = |range: core::ops::Range<usize>| text.get(range).ok_or(InvalidTime);
        let month: usize = part(5..7)?.parse().map_err(|_| InvalidTime)?;
        let day: u8 = part(8..10)?.parse().map_err(|_| InvalidTime)?;
        let weekday = weekday.and_then(|day| DAYS.get(day)).ok_or(InvalidTime)?;
        let month = MONTHS.get(month.wrapping_sub(1)).ok_or(InvalidTime)?;
        let (year, time) = (part(0..4)?, part(11..19)?);
        Ok(Self(format!("{weekday} {month} {day} {time} {year}")))
    }
}

impl Tree {
    /// The text of this tree. It need not be UTF-8: the comment above a
    /// directory holds its path as it is.
    pub fn text(&self, header: &Header<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        write_header(&mut out, header);
        let Some(root) = self.nodes.first() else {
            return out;
        };
        let mut set: Option<[String; 2]> = None;
        let mut path: Vec<u8> = Vec::new();
        // Open directories: the number of the next child, and how long the path
        // of the directory above is.
        let mut open: Vec<(usize, usize, usize)> = Vec::new();
        let mut enter = Some((0, root));
        loop {
            if let Some((index, node)) = enter.take() {
                let above = path.len();
                if index > 0 {
                    if above > 0 {
                        path.push(b'/');
                    }
                    path.extend_from_slice(&node.name);
                }
                out.extend_from_slice(b"\n# ");
                out.extend_from_slice(if index == 0 { b"." } else { &path });
                out.push(b'\n');
                let [uid, gid] = &node.owner;
                if set.as_ref() != Some(&node.owner) {
                    let words = format!("/set {} {} {uid} {gid}\n", DEFAULTS[0], DEFAULTS[1]);
                    out.extend_from_slice(words.as_bytes());
                    set = Some(node.owner.clone());
                }
                let name = if index == 0 {
                    ".".to_owned()
                } else {
                    vis(&node.name)
                };
                write_entry(&mut out, "", &name, &node.words, set.as_ref());
                open.push((index, 0, above));
            }
            let Some((index, next, above)) = open.last_mut() else {
                return out;
            };
            let child = self
                .nodes
                .get(*index)
                .and_then(|node| node.children.get(*next));
            *next += 1;
            match child.and_then(|child| Some((*child, self.nodes.get(*child)?))) {
                Some((child, node)) if node.directory => enter = Some((child, node)),
                Some((_, node)) => {
                    write_entry(
                        &mut out,
                        "    ",
                        &vis(&node.name),
                        &node.words,
                        set.as_ref(),
                    );
                }
                None => {
                    out.extend_from_slice(b"..\n");
                    path.truncate(*above);
                    open.pop();
                }
            }
        }
    }
}

fn write_header(out: &mut Vec<u8>, header: &Header<'_>) {
    let root = match paths::clean(header.root).as_str() {
        "." => paths::join(&["/", header.directory]),
        ".." => paths::join(&["/", header.directory, ".."]),
        cleaned => cleaned.to_owned(),
    };
    let keywords = KEYWORDS.join(",");
    let lines: [(&str, Option<&[u8]>); 5] = [
        ("user: ", header.user.map(str::as_bytes)),
        ("machine: ", header.machine.map(str::as_bytes)),
        ("tree: ", Some(&paths::decode(&root))),
        ("date: ", Some(header.date.0.as_bytes())),
        ("keywords: ", Some(keywords.as_bytes())),
    ];
    for (label, value) in lines {
        if let Some(value) = value {
            out.extend_from_slice(format!("#{label:>16}").as_bytes());
            out.extend_from_slice(value);
            out.push(b'\n');
        }
    }
}

fn write_entry(
    out: &mut Vec<u8>,
    indent: &str,
    name: &str,
    words: &[String],
    set: Option<&[String; 2]>,
) {
    let in_set = |word: &String| {
        DEFAULTS.contains(&word.as_str()) || set.is_some_and(|set| set.contains(word))
    };
    out.extend_from_slice(indent.as_bytes());
    out.extend_from_slice(name.as_bytes());
    let mut any = false;
    for word in words.iter().filter(|word| !in_set(word)) {
        out.push(b' ');
        out.extend_from_slice(word.as_bytes());
        any = true;
    }
    if !any {
        out.push(b' ');
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_go_does() {
        for (time, want) in [
            ("2024-03-05T09:07:03", "Tue Mar 5 09:07:03 2024"),
            ("1970-01-01T00:00:00", "Thu Jan 1 00:00:00 1970"),
            ("1969-12-31T23:59:59", "Wed Dec 31 23:59:59 1969"),
            ("2000-02-29T12:00:00", "Tue Feb 29 12:00:00 2000"),
            ("0999-10-10T01:02:03", "Thu Oct 10 01:02:03 0999"),
        ] {
            assert_eq!(time.parse::<WallTime>().unwrap().0, want);
        }
        for time in [
            "",
            "2024-03-05",
            "2024-02-30T00:00:00",
            "2024-03-05T24:00:00",
            "2024-03-05T09:07:03Z",
            "2024-03-05T9:07:033",
        ] {
            assert_eq!(time.parse::<WallTime>(), Err(InvalidTime), "{time}");
        }
    }
}
