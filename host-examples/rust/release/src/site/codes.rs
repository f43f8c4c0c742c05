//! The page of every code, from the catalogue that is compiled into the component.

use layerwise::spec::{self, Citation, Page};

/// In Markdown.
pub fn text() -> String {
    let mut text = String::from(
        "# Every code\n\nEach finding of an explanation has a code. Programs compare codes, which never change \
         their meaning; people read here what they say and what to do. `layerwise rule CODE` prints the same \
         with the section of the specification.\n\n",
    );
    let mut system = "";
    for rule in layerwise::rules() {
        let (of, _) = rule.code.split_once('/').unwrap_or((rule.code, ""));
        if of != system {
            system = of;
            text.push_str(&format!("## {system}\n\n"));
        }
        text.push_str(&format!(
            "### {}\n\n{}\n\n",
            rule.code,
            escape(rule.meaning)
        ));
        text.push_str(&format!(
            "Example: `{}`\n\n",
            rule.example.replace('`', "'")
        ));
        text.push_str(&format!("What to do: {}\n\n", escape(rule.advice)));
        let sections = sections(rule.code, rule.section);
        if !sections.is_empty() {
            text.push_str(&format!("Rule: {sections}\n\n"));
        }
    }
    text
}

/// The sections that a rule comes from, as links.
fn sections(code: &str, section: &str) -> String {
    let page = Page::of(code);
    let link = |citation| match citation {
        Citation::Section(number, _) => {
            let page = page?;
            let section = page.section(number)?;
            Some(format!(
                "[{}, section {number}]({}#{})",
                page.name,
                page.path,
                section.anchor()
            ))
        }
        Citation::Threat(name) => Some(format!("[threat {name}](tests/THREATS.md)")),
    };
    let links: Vec<String> = spec::citations(section).filter_map(link).collect();
    links.join(", ")
}

/// What Markdown would take for markup.
fn escape(text: &str) -> String {
    let mut safe = String::new();
    for letter in text.chars() {
        if matches!(letter, '*' | '_' | '[' | ']' | '<' | '>' | '\\' | '`' | '|') {
            safe.push('\\');
        }
        safe.push(letter);
    }
    safe
}
