//! Where two JSON values differ.

use serde_json::Value;

/// The first difference between two values: its path, and both sides there.
pub fn first(then: Option<&Value>, now: Option<&Value>) -> Option<(String, String, String)> {
    match (then, now) {
        (Some(Value::Array(then)), Some(Value::Array(now))) => {
            let longest = then.len().max(now.len());
            (0..longest).find_map(|index| {
                let (path, then, now) = first(then.get(index), now.get(index))?;
                Some((format!("[{index}]{path}"), then, now))
            })
        }
        (Some(Value::Object(then)), Some(Value::Object(now))) => {
            let names = then
                .keys()
                .chain(now.keys().filter(|name| !then.contains_key(*name)));
            names.into_iter().find_map(|name| {
                let (path, then, now) = first(then.get(name), now.get(name))?;
                Some((format!(".{name}{path}"), then, now))
            })
        }
        _ if then == now => None,
        _ => {
            let shown = |side: Option<&Value>| side.map_or("nothing".to_owned(), Value::to_string);
            Some((String::new(), shown(then), shown(now)))
        }
    }
}
