//! `layerwise rule`: what a code means.

use clap::Args;
use layerwise::spec::{self, Citation, Page as Specification};
use layerwise_host::Rule;
use serde::Serialize;

use crate::args::Global;
use crate::catalogue::Catalogue;
use crate::failed::Failed;
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};

/// What `--help` says about the JSON.
pub const HELP: &str = r#"With CODE the section of the specification that the rule comes from is printed, too.

--json prints one document: {"schema": "layerwise/rules/1", "rules": [{"code", "section", "meaning", "example",
"advice", "sources": [{"title", "path", "url", "text"}]}]}; `section` has the numbers of sections of the specification,
and `sources` what they say and where they can be read: `path` is that of a file in the repository."#;

/// Which rule is shown.
#[derive(Args)]
pub struct RuleArgs {
    /// A code such as docker/config-mismatch, with or without the part before the slash; or a
    /// system such as docker, whose codes are listed.
    pub code: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    rules: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    rule: &'a Rule,
    sources: Vec<Source>,
}

/// What a rule comes from: a section of the specification, or a threat.
#[derive(Serialize)]
struct Source {
    title: String,
    path: String,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'static str>,
}

/// One entry of the catalogue, or all.
pub fn run(global: &Global, args: &RuleArgs, style: Style) -> Result<Reply, Failed> {
    let catalogue = Catalogue::new(global);
    let all = catalogue.all()?;
    let rules = match &args.code {
        None => all.iter().collect(),
        Some(code) if is_system(all, code) => of_system(all, code).collect(),
        Some(code) => find(all, code)?,
    };
    let entry = |rule| Entry {
        sources: sources(rule),
        rule,
    };
    let document = Document {
        schema: "layerwise/rules/1",
        rules: rules.into_iter().map(entry).collect(),
    };
    let lists = args.code.as_ref().is_none_or(|code| is_system(all, code));
    let show = if lists { list } else { whole };
    Reply::of(style, Exit::Done, &document, show)
}

/// The rules of a system, named by the part before the slash.
fn of_system<'a>(all: &'a [Rule], system: &'a str) -> impl Iterator<Item = &'a Rule> {
    let of = move |rule: &&Rule| rule.code.split_once('/').is_some_and(|(s, _)| s == system);
    all.iter().filter(of)
}

fn is_system(all: &[Rule], name: &str) -> bool {
    of_system(all, name).next().is_some()
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

/// What a rule comes from, in the order that it names them.
fn sources(rule: &Rule) -> Vec<Source> {
    let page = Specification::of(&rule.code);
    let source = |citation| match citation {
        Citation::Section(number, row) => section(page?, number, row),
        Citation::Threat(name) => Some(Source {
            title: format!("threat {name}"),
            path: "tests/THREATS.md".to_owned(),
            url: format!(
                "{}/blob/main/tests/THREATS.md",
                env!("CARGO_PKG_REPOSITORY")
            ),
            text: None,
        }),
    };
    spec::citations(&rule.section).filter_map(source).collect()
}

/// A section, of which a rule may mean one row of a table.
fn section(page: &'static Specification, number: &str, row: Option<&str>) -> Option<Source> {
    let section = page.section(number)?;
    let row = row.map(|row| format!(", {row}")).unwrap_or_default();
    let anchor = section.anchor();
    Some(Source {
        title: format!("{}, section {number}{row}: {}", page.name, section.title),
        path: format!("{}#{anchor}", page.path),
        url: format!(
            "https://docs.rs/layerwise/{}/layerwise/{}/spec/index.html#{anchor}",
            env!("CARGO_PKG_VERSION"),
            page.system
        ),
        text: Some(section.text),
    })
}

fn whole(page: &mut Page, document: &Document<'_>) {
    for Entry { rule, sources } in &document.rules {
        page.line(&rule.code);
        page.rows(
            2,
            &[
                ["meaning", &rule.meaning],
                ["example", &rule.example],
                ["advice", &rule.advice],
            ],
        );
        for source in sources {
            page.gap();
            page.line(&source.title);
            page.whole(&format!("  {}", source.path));
            page.whole(&format!("  {}", source.url));
            page.gap();
            for line in source.text.unwrap_or_default().lines() {
                let space = if line.is_empty() { "" } else { "  " };
                page.whole(&format!("{space}{line}"));
            }
        }
    }
}

fn list(page: &mut Page, document: &Document<'_>) {
    let rules = document.rules.iter().map(|entry| entry.rule);
    let rows: Vec<[&str; 2]> = rules
        .map(|rule| [rule.code.as_str(), &rule.meaning])
        .collect();
    page.rows(0, &rows);
}
