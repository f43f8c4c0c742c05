//! Names in an archive, taken apart and held against the prefix.

/// No file system has longer names or paths.
const LONGEST_PART: usize = 255;
const LONGEST_PATH: usize = 4096;

/// Where a name leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Where<'a> {
    /// To the prefix or below it; the parts below.
    Inside(Vec<&'a [u8]>),
    /// To a directory that the prefix is in, which is so deep.
    Above(usize),
    /// Elsewhere.
    Outside,
}

/// Where the parts of a name lead.
pub fn place<'a>(parts: &[&'a [u8]], prefix: &[Vec<u8>]) -> Where<'a> {
    let same = parts.iter().zip(prefix).all(|(part, own)| part == own);
    match parts.get(prefix.len()..) {
        Some(below) if same => Where::Inside(below.to_vec()),
        None if same => Where::Above(parts.len()),
        _ => Where::Outside,
    }
}

/// The parts of a path, without empty ones and `.`.
///
/// # Errors
/// Why it is no path: `..` is refused wherever it is.
pub fn parts(name: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    if name.len() > LONGEST_PATH {
        return Err("its name is too long");
    }
    if name.contains(&0) {
        return Err("its name has a zero byte in it");
    }
    let mut parts = Vec::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err("its name has \"..\" in it"),
            part if part.len() > LONGEST_PART => return Err("its name is too long"),
            part if !is_name(part) => return Err("its name is not allowed on this system"),
            part => parts.push(part),
        }
    }
    Ok(parts)
}

/// Whether the system can have a file of this name.
#[cfg(unix)]
const fn is_name(_part: &[u8]) -> bool {
    true
}

/// Whether the system can have a file of this name.
#[cfg(not(unix))]
fn is_name(part: &[u8]) -> bool {
    crate::paths::from_bytes(part.to_vec()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(name: &str) -> String {
        let prefix: Vec<Vec<u8>> = parts(b"layers/b/one")
            .unwrap()
            .iter()
            .map(|part| part.to_vec())
            .collect();
        match parts(name.as_bytes()) {
            Err(why) => why.to_owned(),
            Ok(parts) => match place(&parts, &prefix) {
                Where::Inside(below) => String::from_utf8(below.join(&b'/')).unwrap(),
                Where::Above(depth) => format!("{depth} above"),
                Where::Outside => "outside".to_owned(),
            },
        }
    }

    #[test]
    fn names_are_held_against_the_prefix() {
        for (name, wanted) in [
            ("layers/b/one", ""),
            ("/layers//b/./one/bin/x", "bin/x"),
            ("./layers/b/one/", ""),
            ("", "0 above"),
            (".", "0 above"),
            ("/", "0 above"),
            ("layers", "1 above"),
            ("/layers/b/", "2 above"),
            ("etc/x", "outside"),
            ("/etc/x", "outside"),
            ("layers/b/one2", "outside"),
            ("layers/b/two/one", "outside"),
            ("layers/c/one", "outside"),
            ("../x", "its name has \"..\" in it"),
            ("layers/b/one/../../x", "its name has \"..\" in it"),
            ("..", "its name has \"..\" in it"),
            ("layers/b/one/a\0b", "its name has a zero byte in it"),
        ] {
            assert_eq!(placed(name), wanted, "{name}");
        }
        assert!(parts(&[b'a'; 256]).is_err() && parts(&[b'a'; 255]).is_ok());
        assert!(parts("a/".repeat(2049).as_bytes()).is_err());
        assert_eq!(
            place(&[b"etc", b"x"], &[]),
            Where::Inside(vec![b"etc", b"x"])
        );
    }
}
