//! The words of a picture: names, numbers and titles of boxes, escaped for XML.

use layerwise::buildkit::Standing;

use crate::model::{Box, Model, Source};
use crate::text;

/// The whole picture in a sentence.
pub fn summary(model: &Model) -> String {
    let left = match model.left_out {
        0 => String::new(),
        n => format!("; {n} records are left out"),
    };
    let (boxes, records) = (model.boxes.len(), model.records);
    format!("{records} records in {boxes} boxes{left}")
}

/// The name of a box in the document.
pub fn id(one: &Box) -> String {
    format!("r{}", one.records.first().copied().unwrap_or_default())
}

/// Where a box's records are in the config.
pub fn position(one: &Box) -> String {
    match one.records.as_slice() {
        [only] => format!("#{only}"),
        many => format!("{} records", many.len()),
    }
}

/// What a box offers.
pub fn result(one: &Box) -> String {
    match (one.layers, one.bytes) {
        (0, _) => "no result".to_owned(),
        (1, 0) => "1 layer".to_owned(),
        (n, 0) => format!("{n} layers"),
        (1, bytes) => format!("1 layer, {}", text::bytes(bytes)),
        (n, bytes) => format!("{n} layers, {}", text::bytes(bytes)),
    }
}

/// What a box is good for, and since when.
pub fn state(one: &Box) -> String {
    let standing = match one.standing {
        Standing::Hit => "hit",
        Standing::Broken => "broken",
        Standing::Key => "key only",
        Standing::Dead => "dead",
    };
    if let Some(fate) = one.fate {
        return format!("{standing}, {}", fate.as_str());
    }
    match &one.created {
        // Findings need the room.
        Some(created) if one.findings.is_empty() => {
            // To the minute; hovering tells the rest.
            let minute: String = created.chars().take(16).collect();
            format!("{standing}, {}", minute.replace('T', " "))
        }
        _ => standing.to_owned(),
    }
}

/// Everything about a box, for hovering over it and for screen readers.
pub fn title(model: &Model, one: &Box) -> String {
    let mut lines: Vec<String> = one.names.iter().take(20).cloned().collect();
    lines.push(one.digest.clone());
    lines.push(match one.records.as_slice() {
        [only] => format!("records[{only}]"),
        many => {
            let list: Vec<String> = many.iter().take(20).map(ToString::to_string).collect();
            format!("a run of {} records: {}", many.len(), list.join(", "))
        }
    });
    let fate = one
        .fate
        .map(|fate| format!("; {} in the build", fate.as_str()));
    lines.push(format!(
        "{}; {}{}",
        one.standing.as_str(),
        result(one),
        fate.unwrap_or_default()
    ));
    if let Some(created) = &one.created {
        lines.push(format!("made {created}"));
    }
    if let Some(top) = &one.top {
        lines.push(format!("topmost layer {top}"));
    }
    for source in one.sources.iter().take(12) {
        lines.push(stands_on(model, source));
    }
    for code in one.findings.iter().take(12) {
        lines.push(code.clone());
    }
    if one.more > 0 {
        lines.push(format!("{} users are not drawn", one.more));
    }
    lines.join("\n")
}

/// What a box stands on.
pub fn stands_on(model: &Model, source: &Source) -> String {
    let from = model.boxes.get(source.at);
    let from = from.map_or(String::new(), |one| match &one.name {
        Some(name) => name.clone(),
        None => short(&one.digest),
    });
    let part = match source.selector.as_str() {
        "" => String::new(),
        selector => format!(", of it {selector}"),
    };
    format!("input {}: {from}{part}", source.input)
}

/// A digest as it is shown.
pub fn short(digest: &str) -> String {
    text::short_ids(digest)
}

/// Text in an XML document.
pub fn xml(raw: &str) -> String {
    let mut safe = String::with_capacity(raw.len());
    for (at, line) in raw.split('\n').enumerate() {
        if at > 0 {
            safe.push('\n');
        }
        for c in text::escape(line).chars() {
            match c {
                '&' => safe.push_str("&amp;"),
                '<' => safe.push_str("&lt;"),
                '>' => safe.push_str("&gt;"),
                '"' => safe.push_str("&quot;"),
                '\'' => safe.push_str("&#39;"),
                // No character of XML.
                '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
                c => safe.push(c),
            }
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(
            xml("</title><script>\"'&\u{1b}\u{202e}\u{ffff}\na"),
            "&lt;/title&gt;&lt;script&gt;&quot;&#39;&amp;\\u{1b}\\u{202e}\u{fffd}\na"
        );
    }
}
