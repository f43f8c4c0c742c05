//! What a request asks of steps by their names in a log (Builds spec, section 6.3).

use super::graph::Node;
use crate::prelude::*;

/// Whether the request asked that a step runs. It does not touch `WORKDIR`.
pub(super) fn asked(node: &Node<'_>) -> bool {
    if node.step.ignore_cache {
        return true;
    }
    let Some(stages) = node.definition.args.get("no-cache") else {
        return false;
    };
    let name = StepName::of(node.name());
    if name.text.starts_with("WORKDIR ") {
        return false;
    }
    let mut stages = stages.split(',').map(str::trim);
    let all = stages.clone().all(str::is_empty);
    let Some(stage) = name.stage else {
        // Without a log no name has a stage.
        return all && node.vertex.is_none() && !node.inputs.is_empty();
    };
    all || stages.any(|asked| asked.eq_ignore_ascii_case(stage))
}

/// The name of a step, such as `[linux/arm64 build 2/3] RUN make`.
struct StepName<'a> {
    /// The stage; `stage-0` if it is the only one and has no name, `None` if the step
    /// is of none.
    stage: Option<&'a str>,
    /// The text after the brackets.
    text: &'a str,
}

impl<'a> StepName<'a> {
    fn of(name: &'a str) -> Self {
        let none = Self {
            stage: None,
            text: name,
        };
        let Some((inside, text)) = name.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        else {
            return none;
        };
        let words: Vec<&str> = inside.split(' ').collect();
        let is_count = |word: &str| {
            word.split_once('/').is_some_and(|(at, of)| {
                let mut digits = at.bytes().chain(of.bytes());
                digits.all(|digit| digit.is_ascii_digit())
            })
        };
        let stage = match words.as_slice() {
            [.., stage, count] if is_count(count) && !stage.contains('/') => Some(*stage),
            [.., count] if is_count(count) => Some("stage-0"),
            _ => return none,
        };
        Self {
            stage,
            text: text.trim_start(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_read_from_names() {
        for (name, stage, text) in [
            ("[2/6] WORKDIR /app", Some("stage-0"), "WORKDIR /app"),
            ("[build 2/3] RUN make", Some("build"), "RUN make"),
            (
                "[linux/arm64 build 2/3] RUN make",
                Some("build"),
                "RUN make",
            ),
            ("[linux/arm64 2/3] RUN make", Some("stage-0"), "RUN make"),
            (
                "[linux/amd64->arm64 stage-1 1/1] COPY a b",
                Some("stage-1"),
                "COPY a b",
            ),
            (
                "[internal] load build context",
                None,
                "[internal] load build context",
            ),
            ("RUN make", None, "RUN make"),
        ] {
            let read = StepName::of(name);
            assert_eq!((read.stage, read.text), (stage, text), "{name}");
        }
    }
}
