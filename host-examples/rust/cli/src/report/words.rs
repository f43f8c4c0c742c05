//! What all formats say alike.

use layerwise::explain::{Difference, Finding};

use super::model::FileChange;
use crate::page::Page;
use crate::reply::Style;

/// What a cause says in one line: what its code means, and what it is about.
pub fn sentence(style: Style, finding: &Finding) -> String {
    let meaning = style.catalogue.and_then(|all| all.find(&finding.code));
    let meaning = meaning.map_or(&*finding.code, |rule| &rule.meaning);
    match finding.subject.as_str() {
        "" => meaning.to_owned(),
        subject => format!("{meaning} ({subject})"),
    }
}

/// What to do about a cause: what is known of this one, else of its code.
pub fn advice<'a>(style: Style<'a>, finding: &'a Finding) -> Option<&'a str> {
    let known = || {
        let rule = style.catalogue?.find(&finding.code)?;
        Some(rule.advice.as_str()).filter(|advice| !advice.starts_with("nothing to do"))
    };
    finding
        .hint
        .as_deref()
        .or_else(known)
        .filter(|advice| !advice.is_empty())
}

/// The places in which a file differs, in words: `content, mode 0644 -> 0755`.
pub fn properties(file: &FileChange) -> String {
    let word = |difference: &Difference| {
        let (have, want) = (difference.have.as_deref(), difference.want.as_deref());
        match (&*difference.path, have, want) {
            // Nobody compares checksums by eye.
            ("content", ..) => "content".to_owned(),
            (path, have, want) => format!(
                "{path} {} -> {}",
                have.unwrap_or("absent"),
                want.unwrap_or("absent")
            ),
        }
    };
    let words: Vec<String> = file.differences.iter().map(word).collect();
    words.join(", ")
}

/// Puts changed files on a page, one a line.
pub fn files<'a>(page: &mut Page, indent: usize, files: impl IntoIterator<Item = &'a FileChange>) {
    let rows: Vec<[String; 3]> = files
        .into_iter()
        .map(|file| {
            [
                file.change.word().to_owned(),
                file.path.clone(),
                properties(file),
            ]
        })
        .collect();
    page.rows(indent, &rows);
}
