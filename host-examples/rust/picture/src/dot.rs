//! The same in Graphviz's language.

use std::fmt::Write as _;

use layerwise::buildkit::{Severity, Standing};

use crate::label;
use crate::model::{Fate, Model};
use crate::text;

/// A directed graph, sources above.
pub fn write(model: &Model) -> String {
    let mut dot = format!(
        "// {}\ndigraph cache {{\n  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fontname=\"monospace\", fontsize=10];\n  edge [color=\"#8c959f\", fontsize=9];\n",
        label::summary(model)
    );
    for one in &model.boxes {
        let (fill, edge) = match one.standing {
            Standing::Hit => ("#dafbe1", "#1a7f37"),
            Standing::Broken => ("#ffebe9", "#cf222e"),
            Standing::Key => ("#ddf4ff", "#0969da"),
            Standing::Dead => ("#f0e4e4", "#82605f"),
        };
        let (fill, edge) = match one.fate {
            Some(Fate::Ran) => ("#fff8c5", "#9a6700"),
            Some(Fate::Cause) => ("#ffd8b5", "#bc4c00"),
            Some(Fate::Cached) | None => (fill, edge),
        };
        let (edge, width) = match one.worst {
            Some(Severity::Error) => ("#cf222e", 3),
            Some(Severity::Warning) => ("#9a6700", 3),
            _ => (edge, 1),
        };
        let mut lines = vec![
            format!("{} {}", label::short(&one.digest), label::position(one)),
            label::result(one),
            match one.fate {
                Some(fate) => format!("{}, {}", one.standing.as_str(), fate.as_str()),
                None => one.standing.as_str().to_owned(),
            },
        ];
        lines.splice(0..0, one.name.clone());
        lines.extend(one.findings.iter().take(3).cloned());
        let _ = writeln!(
            dot,
            "  {} [label=\"{}\", tooltip=\"{}\", fillcolor=\"{fill}\", color=\"{edge}\", penwidth={width}];",
            label::id(one),
            quote(&lines.join("\n")),
            quote(&label::title(model, one))
        );
    }
    for one in &model.boxes {
        for source in &one.sources {
            let Some(from) = model.boxes.get(source.at) else {
                continue;
            };
            let mut label = String::new();
            if one.inputs > 1 {
                let _ = write!(label, "{}", source.input);
            }
            if !source.selector.is_empty() {
                let _ = write!(label, " {}", source.selector);
            }
            let _ = writeln!(
                dot,
                "  {} -> {} [label=\"{}\"];",
                label::id(from),
                label::id(one),
                quote(label.trim())
            );
        }
    }
    dot.push_str("}\n");
    dot
}

/// Text between quotes of the language, in which a backslash begins an escape.
fn quote(raw: &str) -> String {
    let lines = raw.split('\n').map(|line| {
        let safe = text::escape(line);
        safe.replace('\\', "\\\\").replace('"', "\\\"")
    });
    lines.collect::<Vec<_>>().join("\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_between_its_quotes() {
        assert_eq!(quote("a\"];\\N\u{1b}\nb"), "a\\\"];\\\\N\\\\u{1b}\\nb");
    }
}
