//! `layerwise rule`: what a code means.

use layerwise::explain::Rule;
use serde::Serialize;

use super::args::RuleArgs;
use super::failed::Failed;
use super::page::Page;
use super::reply::{Exit, Reply, Style};

/// What `--help` says about the JSON.
pub const HELP: &str = r#"--json prints one document: {"schema": "layerwise/rules/1", "rules": [{"code", "section",
"meaning", "example", "advice"}]}; `section` is that of the specification."#;

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    rules: Vec<Rule>,
}

/// One entry of the catalogue, or all.
pub fn run(args: &RuleArgs, style: Style) -> Result<Reply, Failed> {
    let all = catalogue();
    let rules = match &args.code {
        None => all,
        Some(code) => find(&all, code)?,
    };
    let document = Document {
        schema: "layerwise/rules/1",
        rules,
    };
    let show = if args.code.is_some() { whole } else { list };
    Reply::of(style, Exit::Done, &document, show)
}

/// What a code means.
pub fn of(code: &str) -> Option<Rule> {
    catalogue().into_iter().find(|rule| rule.code == code)
}

/// The codes of every system.
fn catalogue() -> Vec<Rule> {
    layerwise::rules().copied().collect()
}

/// The rule with a code; for a name without the part before the slash, those
/// of every system that has it.
fn find(all: &[Rule], code: &str) -> Result<Vec<Rule>, Failed> {
    let name = |rule: &Rule| {
        rule.code
            .split_once('/')
            .map_or(rule.code, |(_, name)| name)
    };
    let called = |rule: &&Rule| rule.code == code || name(rule) == code;
    let found: Vec<Rule> = all.iter().filter(called).copied().collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let distance = |rule: &&Rule| {
        let whole = strsim::damerau_levenshtein(rule.code, code);
        whole.min(strsim::damerau_levenshtein(name(rule), code))
    };
    // Words that share little with every code are no mistyped ones.
    let mistyped = |rule: &&Rule| distance(rule) <= code.chars().count() / 3;
    let nearest = all.iter().filter(mistyped).min_by_key(distance);
    let message = match nearest {
        Some(rule) => format!(
            "no rule has the code {code:?}; the nearest is {}",
            rule.code
        ),
        None => format!("no rule has the code {code:?}; `layerwise rule` lists them all"),
    };
    Err(Failed::new("not-found", message).about(code))
}

fn whole(page: &mut Page, document: &Document) {
    for rule in &document.rules {
        page.line(rule.code);
        page.rows(
            2,
            &[
                ["meaning", rule.meaning],
                ["example", rule.example],
                ["advice", rule.advice],
                ["section", rule.section],
            ],
        );
    }
}

fn list(page: &mut Page, document: &Document) {
    let rows: Vec<[&str; 2]> = document.rules.iter().map(|r| [r.code, r.meaning]).collect();
    page.rows(0, &rows);
}
