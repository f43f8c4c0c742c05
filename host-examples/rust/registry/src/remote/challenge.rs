//! What a registry asks for in `WWW-Authenticate` (RFC 9110, section 11.6.1).

use std::collections::BTreeMap;

/// One way to authenticate, with its parameters.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// In lower case.
    pub scheme: String,
    pub parameters: BTreeMap<String, String>,
}

/// All challenges of some headers; what cannot be read is passed over.
pub fn parse(headers: &[String]) -> Vec<Challenge> {
    headers.iter().flat_map(|header| one(header)).collect()
}

fn one(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() || !word.bytes().all(is_token) {
            return challenges;
        }
        let after = after.trim_start_matches([' ', '\t']);
        match (after.strip_prefix('='), challenges.last_mut()) {
            (Some(value), Some(challenge)) => {
                let (value, left) = take_value(value.trim_start_matches([' ', '\t']));
                challenge
                    .parameters
                    .insert(word.to_ascii_lowercase(), value);
                rest = left;
            }
            (Some(_), None) => return challenges,
            (None, _) => {
                challenges.push(Challenge {
                    scheme: word.to_ascii_lowercase(),
                    parameters: BTreeMap::new(),
                });
                rest = after;
            }
        }
    }
}

/// What tokens consist of (RFC 9110, section 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// A token or a quoted string, and what follows.
fn take_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut escaped = false;
    for (position, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, quoted.get(position + 1..).unwrap_or_default()),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Vec<(String, Vec<(String, String)>)> {
        let list = parse(&[header.to_owned()]).into_iter();
        list.map(|c| (c.scheme, c.parameters.into_iter().collect()))
            .collect()
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn challenges_are_read() {
        assert_eq!(
            read(r#"Bearer realm="https://a/token",service="s",scope="repository:a/b:pull,push""#),
            [(
                "bearer".to_owned(),
                pairs(&[
                    ("realm", "https://a/token"),
                    ("scope", "repository:a/b:pull,push"),
                    ("service", "s")
                ])
            )]
        );
        assert_eq!(
            read(r#"Basic realm = "a \"b\"", charset=UTF-8 , Bearer realm=x"#),
            [
                (
                    "basic".to_owned(),
                    pairs(&[("charset", "UTF-8"), ("realm", "a \"b\"")])
                ),
                ("bearer".to_owned(), pairs(&[("realm", "x")])),
            ]
        );
        assert_eq!(read("Bearer"), [("bearer".to_owned(), Vec::new())]);
        for strange in ["", ",,", "=x", "\"", " = "] {
            assert_eq!(read(strange), [], "{strange:?}");
        }
        assert_eq!(
            read("Bearer realm=\"open"),
            [("bearer".to_owned(), pairs(&[("realm", "open")]))]
        );
    }
}
