//! What was found, as a report.

use layerwise::dockerfile::Announced;
use layerwise::explain::{Explanation, Finding};

use super::args::WhyArgs;
use super::changed::Compared;
use super::context::Context;
use super::earlier::Found;
use super::walk::{Row, State};
use crate::docker::opened::Opened;
use crate::report::{Level, Report, Step};
use crate::why;

/// The report of a build, which ends where the builder does.
pub fn report(
    args: &WhyArgs,
    context: &Context,
    opened: &Opened<'_>,
    mut rows: Vec<Row>,
) -> Report {
    until_it_fails(&mut rows);
    let mut facts = vec![
        ["store".to_owned(), args.session.store.clone()],
        ["reading".to_owned(), why::semantics(&opened.semantics)],
    ];
    if let Some(target) = &args.target {
        facts.push(["target".to_owned(), target.clone()]);
    }
    let verdict = verdict(&rows);
    Report {
        schema: "layerwise/docker-why/1",
        title: format!("docker why {}", args.context),
        verdict,
        facts,
        file: context.shown(),
        sides: ["have", "want"],
        steps: rows.into_iter().map(step).collect(),
        findings: Vec::new(),
        causes: Vec::new(),
    }
}

/// Leaves out what comes after a step that ends the build.
fn until_it_fails(rows: &mut Vec<Row>) {
    let failed = |row: &Row| matches!(row.state, State::Fails(_));
    if let Some(end) = rows.iter().position(failed) {
        rows.truncate(end.saturating_add(1));
    }
}

/// The result in one line.
fn verdict(rows: &[Row]) -> String {
    let steps = rows
        .iter()
        .filter(|row| !matches!(row.state, State::Begins(_)));
    let (mut all, mut hits) = (0_usize, 0_usize);
    for row in steps {
        all = all.saturating_add(1);
        hits = hits.saturating_add(usize::from(matches!(row.state, State::Hit(_))));
    }
    let first = rows.iter().find(|row| {
        !matches!(
            row.state,
            State::Begins(_) | State::Hit(_) | State::After(..)
        )
    });
    let first = first.map(|row| match &row.state {
        State::Fails(_) => format!("the build fails at line {}", row.instruction.line),
        State::Unknown => format!("line {} is not known", row.instruction.line),
        _ => format!("the first miss is at line {}", row.instruction.line),
    });
    match first {
        None if hits == all => format!("all {all} steps hit"),
        None => format!("{hits} of {all} steps hit"),
        Some(first) => format!("{hits} of {all} steps hit, {first}"),
    }
}

fn step(row: Row) -> Step {
    let Row {
        stage,
        instruction,
        trigger,
        state,
        notes,
    } = row;
    let Announced { number, line, text } = instruction;
    let (word, level, result) = word(&state);
    let nothing = Compared::default;
    let (mut causes, compared) = match state {
        State::Begins(_) | State::Hit(_) | State::Unknown => (Vec::new(), nothing()),
        State::Miss(why, compared) => (causes(*why), compared),
        State::After(Found::Changed(_, finding), compared) => (vec![finding], compared),
        State::After(..) => (Vec::new(), nothing()),
        State::Fails(finding) => (vec![finding], nothing()),
    };
    causes.extend(notes);
    Step {
        name: format!("{stage} {number}"),
        lines: Some([line, line]).filter(|_| line > 0),
        more_lines: Vec::new(),
        text: match &trigger {
            Some(trigger) => format!("{trigger} (ONBUILD of {text})"),
            None => text,
        },
        state: word.to_owned(),
        level,
        result,
        facts: compared
            .note
            .map(|note| ["files".to_owned(), note])
            .into_iter()
            .collect(),
        causes,
        files: compared.files,
    }
}

fn word(state: &State) -> (&'static str, Level, Option<String>) {
    match state {
        State::Begins(image) => ("base", Level::Fine, image.clone()),
        State::Hit(image) => ("hit", Level::Fine, Some(image.clone())),
        State::Miss(..) => ("miss", Level::Warning, None),
        State::After(Found::Changed(..), _) => ("changed", Level::Warning, None),
        State::After(..) => ("runs", Level::Note, None),
        State::Unknown => ("unknown", Level::Warning, None),
        State::Fails(_) => ("fails", Level::Error, None),
    }
}

/// The outcome, and the candidate that came nearest.
fn causes(why: Explanation) -> Vec<Finding> {
    let mut summary = why.summary;
    let mut causes = Vec::new();
    if let Some(nearest) = why.nearest {
        // One of them says what to do.
        if nearest.hint.is_some() {
            summary.hint = summary
                .hint
                .filter(|hint| nearest.hint.as_ref() != Some(hint));
        }
        causes.push(nearest);
    }
    causes.insert(0, summary);
    causes
}

#[cfg(test)]
mod tests {
    use layerwise::docker::Reason;

    use super::*;

    fn row(number: u32, state: State) -> Row {
        Row {
            stage: String::new(),
            instruction: Announced {
                number,
                ..Announced::default()
            },
            trigger: None,
            state,
            notes: Vec::new(),
        }
    }

    /// A restore that fails is no refusal of the session, which goes on.
    #[test]
    fn nothing_comes_after_the_end() {
        let finding = Finding::new(Reason::RestoreNameTaken, "");
        let after = || State::After(Found::Nothing, Compared::default());
        let mut rows = vec![
            row(1, State::Begins(None)),
            row(2, State::Fails(finding)),
            row(3, after()),
            row(4, State::Unknown),
        ];
        until_it_fails(&mut rows);
        assert_eq!(rows.len(), 2);
        let mut rows = vec![row(1, State::Begins(None)), row(2, after())];
        until_it_fails(&mut rows);
        assert_eq!(rows.len(), 2);
    }
}
