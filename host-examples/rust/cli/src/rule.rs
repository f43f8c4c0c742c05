//! `layerwise rule`: what a code means.

use clap::Args;
use layerwise_host::Rule;
use serde::Serialize;

use crate::args::Global;
use crate::catalogue::Catalogue;
use crate::failed::Failed;
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};

/// What `--help` says about the JSON.
pub const HELP: &str = r#"--json prints one document: {"schema": "layerwise/rules/1", "rules": [{"code", "section",
"meaning", "example", "advice"}]}; `section` is that of the specification."#;

/// Which rule is shown.
#[derive(Args)]
pub struct RuleArgs {
    /// A code such as docker/config-mismatch, with or without the part before the slash.
    pub code: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    rules: Vec<&'a Rule>,
}

/// One entry of the catalogue, or all.
pub fn run(global: &Global, args: &RuleArgs, style: Style) -> Result<Reply, Failed> {
    let catalogue = Catalogue::new(global);
    let all = catalogue.all()?;
    let rules = match &args.code {
        None => all.iter().collect(),
        Some(code) => find(all, code)?,
    };
    let document = Document {
        schema: "layerwise/rules/1",
        rules,
    };
    let show = if args.code.is_some() { whole } else { list };
    Reply::of(style, Exit::Done, &document, show)
}

/// The rule with a code; for a name without the part before the slash, those
/// of every system that has it.
fn find<'a>(all: &'a [Rule], code: &str) -> Result<Vec<&'a Rule>, Failed> {
    let called = |rule: &&Rule| rule.code == code || name(rule) == code;
    let found: Vec<&Rule> = all.iter().filter(called).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let distance = |rule: &&Rule| {
        let whole = strsim::damerau_levenshtein(&rule.code, code);
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

/// The code without its system.
fn name(rule: &Rule) -> &str {
    let name = rule.code.split_once('/').map(|(_, name)| name);
    name.unwrap_or(&rule.code)
}

fn whole(page: &mut Page, document: &Document<'_>) {
    for rule in &document.rules {
        page.line(&rule.code);
        page.rows(
            2,
            &[
                ["meaning", &rule.meaning],
                ["example", &rule.example],
                ["advice", &rule.advice],
                ["section", &rule.section],
            ],
        );
    }
}

fn list(page: &mut Page, document: &Document<'_>) {
    let rows: Vec<[&str; 2]> = document
        .rules
        .iter()
        .map(|rule| [rule.code.as_str(), &rule.meaning])
        .collect();
    page.rows(0, &rows);
}
