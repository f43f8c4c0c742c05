//! The lifecycle's own files: group.toml and analyzed.toml.

use std::path::Path;

use layerwise::buildpacks::GroupElement;
use serde::Deserialize;
use serde_json::Value as Json;
use toml::Value as Toml;
use toml::value::{Datetime, Offset, Time};

use crate::failed::Failed;

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    group: Vec<Element>,
}

#[derive(Deserialize)]
struct Element {
    id: String,
    #[serde(default)]
    version: String,
    api: Option<String>,
}

#[derive(Deserialize)]
struct Analyzed {
    metadata: Option<Toml>,
}

/// The buildpacks of a group.toml. Other members do not matter here.
pub fn group(path: &Path, api: Option<&str>) -> Result<Vec<GroupElement>, Failed> {
    let group: Group = read("the group", path)?;
    let element = |element: Element| match element.api.as_deref().or(api) {
        Some(api) => Ok(GroupElement {
            api: api.to_owned(),
            id: element.id,
            version: element.version,
        }),
        None => {
            let why = format!(
                "the buildpack {:?} has no api; --buildpack-api gives it one",
                element.id
            );
            Err(Failed::unreadable("the group", path, &why))
        }
    };
    group.group.into_iter().map(element).collect()
}

/// The application's layer metadata in an analyzed.toml, as the label has it;
/// none without an image.
pub fn analyzed(path: &Path) -> Result<Option<String>, Failed> {
    let analyzed: Analyzed = read("the analysis", path)?;
    let label = |mut metadata| {
        name_as_label(&mut metadata);
        json(metadata)
            .map(|value| value.to_string())
            .map_err(|why| Failed::unreadable("the analysis", path, &why))
    };
    analyzed.metadata.map(label).transpose()
}

/// What buildpacks recorded about a layer is `metadata` in TOML, and `data` in
/// the label. The other members that matter have the same name.
fn name_as_label(metadata: &mut Toml) {
    let buildpacks = metadata.get_mut("buildpacks").and_then(Toml::as_array_mut);
    let layers = buildpacks
        .into_iter()
        .flatten()
        .filter_map(|buildpack| buildpack.get_mut("layers")?.as_table_mut())
        .flat_map(|layers| layers.iter_mut());
    for layer in layers.filter_map(|(_, layer)| layer.as_table_mut()) {
        layer.remove("data");
        if let Some(data) = layer.remove("metadata") {
            layer.insert("data".to_owned(), data);
        }
    }
}

/// A TOML value as JSON; dates and times become text.
pub fn json(value: Toml) -> Result<Json, String> {
    Ok(match value {
        Toml::String(text) => Json::String(text),
        Toml::Integer(number) => Json::from(number),
        Toml::Float(number) => serde_json::Number::from_f64(number)
            .map(Json::Number)
            .ok_or_else(|| format!("{number} is not a number that a label can hold"))?,
        Toml::Boolean(on) => Json::Bool(on),
        Toml::Datetime(time) => Json::String(date_time(time)),
        Toml::Array(items) => Json::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        Toml::Table(members) => Json::Object(
            members
                .into_iter()
                .map(|(name, member)| Ok((name, json(member)?)))
                .collect::<Result<_, String>>()?,
        ),
    })
}

/// A date or time as Go writes it into JSON: in UTC where it has no zone, at
/// midnight without a time, in the year 0 without a date.
fn date_time(value: Datetime) -> String {
    let (year, month, day) = value.date.map_or((0, 1, 1), |d| (d.year, d.month, d.day));
    let time = |t: Time| {
        (
            t.hour,
            t.minute,
            t.second.unwrap_or(0),
            t.nanosecond.unwrap_or(0),
        )
    };
    let (hour, minute, second, nanosecond) = value.time.map_or((0, 0, 0, 0), time);
    let nanosecond = format!(".{nanosecond:09}");
    let fraction = nanosecond.trim_end_matches('0').trim_end_matches('.');
    let zone = match value.offset {
        Some(Offset::Custom { minutes }) if minutes != 0 => {
            let sign = if minutes < 0 { '-' } else { '+' };
            let minutes = minutes.unsigned_abs();
            format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
        _ => "Z".to_owned(),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}")
}

fn read<T: for<'de> Deserialize<'de>>(what: &str, path: &Path) -> Result<T, Failed> {
    let text = crate::io::text(what, path)?;
    crate::io::toml(&text).map_err(|why| Failed::unreadable(what, path, &why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_the_label_in_another_form() {
        let text = r#"
            [image]
            reference = "app@sha256:1"
            [metadata]
            at = 1979-05-27T07:32:00Z
            [[metadata.buildpacks]]
            key = "a/b"
            [metadata.buildpacks.layers.node]
            sha = "1"
            launch = true
            [metadata.buildpacks.layers.node.metadata]
            n = 1.0
            big = 9007199254740993
            [metadata.buildpacks.store.metadata]
            k = "v"
        "#;
        let analyzed: Analyzed = crate::io::toml(text).unwrap();
        let mut metadata = analyzed.metadata.unwrap();
        name_as_label(&mut metadata);
        assert_eq!(
            json(metadata).unwrap(),
            serde_json::json!({
                "at": "1979-05-27T07:32:00Z",
                "buildpacks": [{"key": "a/b", "layers": {"node": {
                    "sha": "1", "launch": true, "data": {"n": 1.0, "big": 9_007_199_254_740_993_i64},
                }}, "store": {"metadata": {"k": "v"}}}],
            })
        );
        assert!(json(Toml::Float(f64::INFINITY)).is_err());
    }

    #[test]
    fn times_are_written_as_go_does() {
        for (text, want) in [
            ("1979-05-27T07:32:00Z", "1979-05-27T07:32:00Z"),
            ("1979-05-27 07:32:00.500000z", "1979-05-27T07:32:00.5Z"),
            ("1979-05-27T07:32:00-00:00", "1979-05-27T07:32:00Z"),
            (
                "1979-05-27T07:32:00.25-07:30",
                "1979-05-27T07:32:00.25-07:30",
            ),
            ("1979-05-27T07:32", "1979-05-27T07:32:00Z"),
            ("1979-05-27", "1979-05-27T00:00:00Z"),
            ("07:32:00.10", "0000-01-01T07:32:00.1Z"),
        ] {
            assert_eq!(date_time(text.parse().unwrap()), want, "{text}");
        }
    }

    #[test]
    fn errors_name_the_line() {
        let error = crate::io::toml::<Group>("[[group]]\nid = \"a\"\n[[group]]\nid = 1\n").err();
        assert_eq!(
            error.unwrap(),
            "line 4: invalid type: integer `1`, expected a string"
        );
    }
}
