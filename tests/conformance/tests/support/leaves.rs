//! Vector files with one leaf changed, byte for byte the same elsewhere.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use layerwise_conformance::load;
use serde_json::value::RawValue;

/// The text of a vector file.
pub fn vectors(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors");
    load(&path.join(name)).unwrap()
}

/// The members of an object, as they are written.
pub fn members(text: &str) -> BTreeMap<String, &RawValue> {
    serde_json::from_str(text).unwrap()
}

/// The values in a list, as they are written.
pub fn list(text: &str) -> Vec<&RawValue> {
    serde_json::from_str(text).unwrap()
}

/// A value without members, or an empty list or object.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The names and places that lead to it.
    pub path: Vec<String>,
    /// Where its text is.
    place: Range<usize>,
}

impl Leaf {
    /// The innermost name.
    pub fn name(&self) -> &str {
        let named = |part: &&String| !part.bytes().all(|byte| byte.is_ascii_digit());
        self.path.iter().rfind(named).map_or("", String::as_str)
    }

    /// Whether a name is on the way to it.
    pub fn is_in(&self, name: &str) -> bool {
        self.path.iter().any(|part| part == name)
    }

    /// Its text in a file.
    pub fn text<'a>(&self, file: &'a str) -> &'a str {
        &file[self.place.clone()]
    }

    /// The file with another text in its place.
    pub fn replaced(&self, file: &str, with: &str) -> String {
        let Range { start, end } = self.place;
        format!("{}{with}{}", &file[..start], &file[end..])
    }

    /// The file with another value of the same kind in its place; where nothing
    /// was, a text.
    pub fn changed(&self, file: &str) -> String {
        let text = self.text(file);
        let other = match text {
            "true" => "false".to_owned(),
            "false" => "true".to_owned(),
            "null" => r#""x""#.to_owned(),
            "[]" => r#"["x"]"#.to_owned(),
            "{}" => r#"{"x":"x"}"#.to_owned(),
            _ => match text.strip_suffix('"') {
                Some(text) => format!(r#"{text}x""#),
                // Another digit makes another number, with a fraction or without.
                None => format!("1{text}").replace("1-", "-1"),
            },
        };
        self.replaced(file, &other)
    }
}

/// Every leaf of a file.
pub fn leaves(file: &str) -> Vec<Leaf> {
    let mut found = Vec::new();
    let root: &RawValue = serde_json::from_str(file).unwrap();
    walk(file, root, &mut Vec::new(), &mut found);
    found
}

fn walk(file: &str, value: &RawValue, path: &mut Vec<String>, found: &mut Vec<Leaf>) {
    let text = value.get();
    let inner: Vec<(String, &RawValue)> = match text.as_bytes()[0] {
        b'{' => members(text).into_iter().collect(),
        b'[' => {
            let places = (0..).map(|place: usize| place.to_string());
            places.zip(list(text)).collect()
        }
        _ => Vec::new(),
    };
    if inner.is_empty() {
        // A raw value is a part of the text it was read from.
        let start = text.as_ptr() as usize - file.as_ptr() as usize;
        found.push(Leaf {
            path: path.clone(),
            place: start..start + text.len(),
        });
    }
    for (name, member) in inner {
        path.push(name);
        walk(file, member, path, found);
        path.pop();
    }
}

/// Some of a list, the same ones in every run.
pub fn some<T>(mut all: Vec<T>, most: usize) -> Vec<T> {
    // An ordinary linear congruential generator; no more is needed.
    let mut state = 20_240_615_u64;
    while all.len() > most {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let place = (state >> 33) as usize % all.len();
        all.swap_remove(place);
    }
    all
}
