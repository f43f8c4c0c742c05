//! The lifecycle's own files: group.toml and analyzed.toml.

use std::path::Path;

use layerwise::buildpacks::GroupElement;
use serde::Deserialize;
use serde_json::Value as Json;
use toml::Value as Toml;

use crate::cli::edges;
use crate::cli::failed::Failed;

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
    let label = |metadata| {
        json(metadata)
            .map(|value| value.to_string())
            .map_err(|why| Failed::unreadable("the analysis", path, &why))
    };
    analyzed.metadata.map(label).transpose()
}

/// A TOML value as JSON; date-times become text.
pub fn json(value: Toml) -> Result<Json, String> {
    Ok(match value {
        Toml::String(text) => Json::String(text),
        Toml::Integer(number) => Json::from(number),
        Toml::Float(number) => serde_json::Number::from_f64(number)
            .map(Json::Number)
            .ok_or_else(|| format!("{number} is not a number that a label can hold"))?,
        Toml::Boolean(on) => Json::Bool(on),
        Toml::Datetime(time) => Json::String(time.to_string()),
        Toml::Array(items) => Json::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        Toml::Table(members) => Json::Object(
            members
                .into_iter()
                .map(|(name, member)| Ok((name, json(member)?)))
                .collect::<Result<_, String>>()?,
        ),
    })
}

fn read<T: for<'de> Deserialize<'de>>(what: &str, path: &Path) -> Result<T, Failed> {
    let text = edges::text(what, path)?;
    parse(&text).map_err(|why| Failed::unreadable(what, path, &why))
}

/// Reads a document; the words of an error are one line.
pub fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| {
            1 + text
                .bytes()
                .take(span.start)
                .filter(|b| *b == b'\n')
                .count()
        });
        let words = error.message().replace('\n', ", ");
        format!("line {line}: {words}")
    })
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
            data = { n = 1.0, big = 9007199254740993 }
        "#;
        let analyzed: Analyzed = parse(text).unwrap();
        assert_eq!(
            json(analyzed.metadata.unwrap()).unwrap(),
            serde_json::json!({
                "at": "1979-05-27T07:32:00Z",
                "buildpacks": [{"key": "a/b", "layers": {"node": {
                    "sha": "1", "launch": true, "data": {"n": 1.0, "big": 9_007_199_254_740_993_i64},
                }}}],
            })
        );
        assert!(json(Toml::Float(f64::INFINITY)).is_err());
    }

    #[test]
    fn errors_name_the_line() {
        let error = parse::<Group>("[[group]]\nid = \"a\"\n[[group]]\nid = 1\n").err();
        assert_eq!(
            error.unwrap(),
            "line 4: invalid type: integer `1`, expected a string"
        );
    }
}
