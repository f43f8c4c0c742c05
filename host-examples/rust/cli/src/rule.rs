//! `layerwise rule`: what a code means.

use layerwise::explain::Rule;
use layerwise::spec::{self, Citation, Page as Specification};
use layerwise::{buildkit, buildpacks, docker, stacker};
use serde::Serialize;

use super::args::RuleArgs;
use super::failed::Failed;
use super::page::Page;
use super::reply::{Exit, Reply, Style};

/// What `--help` says about the JSON.
pub const HELP: &str = r#"With CODE the section of the specification that the rule comes from is printed, too.

--json prints one document: {"schema": "layerwise/rules/1", "rules": [{"code", "section", "meaning", "example",
"advice", "sources": [{"title", "path", "url", "text"}]}]}; `section` has the numbers of sections of the specification,
and `sources` what they say and where they can be read: `path` is that of a file in the repository."#;

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    rules: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    rule: Rule,
    sources: Vec<Source>,
}

/// What a rule comes from: a section of the specification, or a threat.
#[derive(Serialize)]
struct Source {
    title: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'static str>,
}

/// One entry of the catalogue, or all.
pub fn run(args: &RuleArgs, style: Style) -> Result<Reply, Failed> {
    let all = catalogue();
    let rules = match &args.code {
        None => all,
        Some(code) => find(&all, code)?,
    };
    let entry = |rule: Rule| Entry {
        sources: sources(&rule),
        rule,
    };
    let document = Document {
        schema: "layerwise/rules/1",
        rules: rules.into_iter().map(entry).collect(),
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
    let mut rules = docker::rules();
    rules.extend(buildpacks::rules());
    rules.extend(buildkit::rules());
    rules.extend(stacker::rules());
    rules
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

/// What a rule comes from, in the order that it names them.
fn sources(rule: &Rule) -> Vec<Source> {
    let page = Specification::of(rule.code);
    let source = |citation| match citation {
        Citation::Section(number, row) => section(page?, number, row),
        Citation::Threat(name) => Some(Source {
            title: format!("threat {name}"),
            path: "tests/THREATS.md".to_owned(),
            url: None,
            text: None,
        }),
    };
    spec::citations(rule.section).filter_map(source).collect()
}

/// A section, of which a rule may mean one row of a table.
fn section(page: &'static Specification, number: &str, row: Option<&str>) -> Option<Source> {
    let section = page.section(number)?;
    let row = row.map(|row| format!(", {row}")).unwrap_or_default();
    let anchor = section.anchor();
    Some(Source {
        title: format!("{}, section {number}{row}: {}", page.name, section.title),
        path: format!("{}#{anchor}", page.path),
        url: Some(format!(
            "https://docs.rs/layerwise/{}/layerwise/{}/spec/index.html#{anchor}",
            env!("CARGO_PKG_VERSION"),
            page.system
        )),
        text: Some(section.text),
    })
}

fn whole(page: &mut Page, document: &Document) {
    for Entry { rule, sources } in &document.rules {
        page.line(rule.code);
        page.rows(
            2,
            &[
                ["meaning", rule.meaning],
                ["example", rule.example],
                ["advice", rule.advice],
            ],
        );
        for source in sources {
            page.gap();
            page.line(&source.title);
            page.whole(&format!("  {}", source.path));
            if let Some(url) = &source.url {
                page.whole(&format!("  {url}"));
            }
            page.gap();
            for line in source.text.unwrap_or_default().lines() {
                let space = if line.is_empty() { "" } else { "  " };
                page.whole(&format!("{space}{line}"));
            }
        }
    }
}

fn list(page: &mut Page, document: &Document) {
    let rules = document.rules.iter().map(|entry| &entry.rule);
    let rows: Vec<[&str; 2]> = rules.map(|rule| [rule.code, rule.meaning]).collect();
    page.rows(0, &rows);
}
