//! The names of steps without a log (Builds spec, section 5).

use serde_json::Value;

use super::key::{items, text, texts};
use super::model::{Op, OpKind, Step};
use crate::prelude::*;

/// A step as its line of the Dockerfile has it: the first one, with those that continue
/// it. Of sources only images that stages begin with have lines of their own.
pub(super) fn of_line(step: &Step, dockerfile: &[&str]) -> Option<String> {
    let first = usize::try_from(step.lines.first()?.first).ok()?;
    let mut lines = dockerfile.iter().skip(first.checked_sub(1)?);
    let mut name = String::new();
    for line in &mut lines {
        let line = line.trim();
        let continued = line.strip_suffix('\\');
        let part = continued.unwrap_or(line).trim_end();
        if !part.is_empty() && (!part.starts_with('#') || name.is_empty()) {
            if !name.is_empty() {
                name.push(' ');
            }
            name.push_str(part);
        }
        let is_comment = part.starts_with('#') && !name.is_empty();
        if continued.is_none() && !is_comment {
            break;
        }
    }
    let is_stage = || {
        name.get(..5)
            .is_some_and(|word| word.eq_ignore_ascii_case("FROM "))
    };
    let is_own = step.op.kind != OpKind::Source || is_stage();
    Some(name).filter(|name| is_own && !name.is_empty())
}

/// A step as its operation has it, in the words that daemons use for one without a name.
pub(super) fn of_operation(op: &Op) -> String {
    match op.kind {
        OpKind::Exec => {
            let meta = op.message.get("meta").unwrap_or(&Value::Null);
            texts(meta, "args").join(" ")
        }
        OpKind::Source => text(&op.message, "identifier").to_owned(),
        OpKind::File => {
            let actions = items(&op.message, "actions").iter();
            let actions = actions.filter_map(|action| {
                let (kind, body) = action.get("Action")?.as_object()?.iter().next()?;
                Some(match kind.as_str() {
                    "copy" => format!("copy {} {}", text(body, "src"), text(body, "dest")),
                    kind => format!("{kind} {}", text(body, "path")),
                })
            });
            actions.collect::<Vec<_>>().join(", ")
        }
        kind => kind.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::builds::model::Lines;

    #[test]
    fn steps_without_a_log_have_the_name_of_their_line_or_operation() {
        let step = |kind, message, line: u32| Step {
            vertex: None,
            op: Op {
                kind,
                message,
                platform: None,
            },
            inputs: Vec::new(),
            lines: vec![Lines {
                first: line,
                last: line,
            }],
            ignore_cache: false,
        };
        let dockerfile = [
            "from a AS b",
            "  RUN make \\",
            "# why",
            "    all",
            "COPY <<X /x",
        ];
        let run = json!({"meta": {"args": ["/bin/sh", "-c", "make all"]}});
        let of = |kind, message, line| {
            let step = step(kind, message, line);
            of_line(&step, &dockerfile).unwrap_or_else(|| of_operation(&step.op))
        };
        let image = json!({"identifier": "docker-image://a"});
        assert_eq!(of(OpKind::Exec, run.clone(), 2), "RUN make all");
        assert_eq!(of(OpKind::Exec, run, 9), "/bin/sh -c make all");
        assert_eq!(of(OpKind::Source, image.clone(), 1), "from a AS b");
        assert_eq!(of(OpKind::Source, image, 2), "docker-image://a");
        assert_eq!(of(OpKind::File, json!({}), 5), "COPY <<X /x");
        let file = json!({"actions": [
            {"Action": {"mkdir": {"path": "/w"}}},
            {"Action": {"copy": {"src": "/a", "dest": "/b"}}},
        ]});
        assert_eq!(of(OpKind::File, file, 0), "mkdir /w, copy /a /b");
    }
}
