//! The manual as a site of static files: no script, no font and no picture from elsewhere.
//!
//! Its pages are those of the repository, by the table below; two are written from what the
//! component is compiled of: every code, and the contract. A link that leads nowhere is an
//! error.

mod codes;
mod contract;
mod render;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::failure::Failure;
use crate::place::{Place, read, read_text, write};
use render::Page;

/// A page: the part of the site it stands in, its title there, and its file.
type Row = (&'static str, &'static str, &'static str);

/// The pages that are files of the repository, in the order of the site.
const PAGES: &[Row] = &[
    ("Start", "What it is", "README.md"),
    (
        "Start",
        "Concepts: guarded, plans, explanations",
        "src/manual/concepts.md",
    ),
    ("Start", "Command line", "src/manual/command_line.md"),
    ("In your own tool", "Rust", "src/manual/rust.md"),
    ("In your own tool", "Python", "src/manual/python.md"),
    ("In your own tool", "JavaScript", "src/manual/javascript.md"),
    ("In your own tool", "Go", "src/manual/go.md"),
    (
        "In your own tool",
        "Python, everything",
        "host-examples/python/README.md",
    ),
    (
        "In your own tool",
        "JavaScript, everything",
        "host-examples/javascript/README.md",
    ),
    (
        "In your own tool",
        "Go, everything",
        "host-examples/go/README.md",
    ),
    (
        "In your own tool",
        "GitHub Action",
        "host-examples/action/README.md",
    ),
    ("Rules", "Docker", "src/docker/SPEC.md"),
    ("Rules", "Dockerfile", "src/dockerfile/SPEC.md"),
    ("Rules", "BuildKit cache", "src/buildkit/SPEC.md"),
    ("Rules", "BuildKit builds", "src/builds/SPEC.md"),
    ("Rules", "Buildpacks", "src/buildpacks/SPEC.md"),
    ("Rules", "stacker", "src/stacker/SPEC.md"),
    ("Trust", "Security", "SECURITY.md"),
    ("Trust", "Threats", "tests/THREATS.md"),
    ("Trust", "Limits", "tests/LIMITS.md"),
    ("Change it", "Contributing", ".github/CONTRIBUTING.md"),
    ("Change it", "Adding a rule", "src/manual/adding_a_rule.md"),
    (
        "Change it",
        "Adding a system",
        "src/manual/adding_a_system.md",
    ),
    ("Change it", "Vectors", "src/manual/vectors.md"),
    (
        "Change it",
        "Releases and versions",
        "src/manual/releasing.md",
    ),
    ("Change it", "Changelog", "CHANGELOG.md"),
];

/// The pages that are written here, after the file that they are called like.
const WRITTEN: [Row; 2] = [
    ("Rules", "Every code", "codes.md"),
    ("In your own tool", "The contract (WIT)", "contract.md"),
];

/// The page that analyses files in the browser; a part of the npm package.
const PLAYGROUND: &str = "host-examples/javascript/web/dist/index.html";

const STYLE: &str = include_str!("site/style.css");

/// Writes all pages.
pub fn make(place: &Place) -> Result<(), Failure> {
    let out = place.out.join("site");
    let _ = fs::remove_dir_all(&out);
    write_pages(&place.source, &out)?;
    let playground = place.source.join(PLAYGROUND);
    write(&out.join("playground.html"), read(&playground)?)
}

/// Every page is reached in at most two clicks from the first, and what a newcomer asks for
/// in one.
pub fn prove(place: &Place) -> Result<String, Failure> {
    let out = place.out.join("site");
    let (pages, links) = check(&out)?;
    Ok(format!(
        "{pages} pages, {links} links between them, all lead somewhere"
    ))
}

fn write_pages(root: &Path, out: &Path) -> Result<(), Failure> {
    let mut texts: Vec<(Row, String)> = Vec::new();
    for row in PAGES {
        texts.push((*row, read_text(&root.join(row.2))?));
    }
    for (row, text) in WRITTEN
        .into_iter()
        .zip([codes::text(), contract::text(root)?])
    {
        texts.push((row, text));
    }
    let pages: Vec<Page> = texts
        .iter()
        .map(|((part, title, file), text)| Page::read(part, title, file, text))
        .collect();
    let known: BTreeMap<&str, &Page> = pages.iter().map(|page| (page.file, page)).collect();
    for page in &pages {
        let html = page.html(&known, root)?;
        write(&out.join(page.name()), framed(page, &pages, &html))?;
    }
    write(&out.join("style.css"), STYLE)
}

/// A page with the way to all others.
fn framed(page: &Page, pages: &[Page], html: &str) -> String {
    let mut ways = String::new();
    let mut parts: Vec<&str> = Vec::new();
    for part in pages.iter().map(|page| page.part) {
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    for part in parts {
        ways.push_str(&format!("<h2>{part}</h2>\n<ul>\n"));
        for other in pages.iter().filter(|other| other.part == part) {
            let here = if other.file == page.file {
                " aria-current=\"page\""
            } else {
                ""
            };
            let (name, title) = (other.name(), render::escape(other.title));
            ways.push_str(&format!("<li><a href=\"{name}\"{here}>{title}</a></li>\n"));
        }
        if part == "Start" {
            ways.push_str("<li><a href=\"playground.html\">Playground</a></li>\n");
        }
        ways.push_str("</ul>\n");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'self'; img-src 'self'\">\n\
         <title>{} - Layerwise</title>\n<link rel=\"stylesheet\" href=\"style.css\">\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#text\">To the text</a>\n\
         <nav aria-label=\"Pages\">\n<p><a href=\"index.html\">Layerwise {}</a></p>\n{ways}</nav>\n\
         <main id=\"text\">\n{html}</main>\n</body>\n</html>\n",
        render::escape(page.title),
        env!("CARGO_PKG_VERSION"),
    )
}

/// Counts pages and links; a link to a page or a place that is not there is an error.
fn check(out: &Path) -> Result<(usize, usize), Failure> {
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(out)
        .map_err(|e| Failure::file("read", out, &e))?
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".html") {
            pages.insert(name, read_text(&entry.path())?);
        }
    }
    let places: BTreeMap<&String, BTreeSet<&str>> = pages
        .iter()
        .map(|(name, html)| (name, values(html, "id")))
        .collect();
    let mut count = 0;
    for (name, html) in pages.iter().filter(|(name, _)| *name != "playground.html") {
        for link in values(html, "href") {
            if link.starts_with("http") || link.starts_with("mailto:") || link == "style.css" {
                continue;
            }
            let (page, place) = link.split_once('#').unwrap_or((link, ""));
            let page = if page.is_empty() { name } else { page };
            // The playground is made with the npm package.
            let known = places.get(&page.to_owned());
            let leads = known.is_some_and(|ids| place.is_empty() || ids.contains(place));
            if !leads && page != "playground.html" {
                return Err(Failure::new(format!(
                    "{name} leads to {link}, which is not there"
                )));
            }
            count += 1;
        }
    }
    Ok((pages.len(), count))
}

/// The values of an attribute.
fn values<'a>(html: &'a str, name: &str) -> BTreeSet<&'a str> {
    let start = format!(" {name}=\"");
    html.split(&*start)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> (tempfile::TempDir, usize, usize) {
        let out = tempfile::TempDir::new().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        write_pages(&root, out.path()).unwrap();
        let (pages, links) = check(out.path()).unwrap();
        (out, pages, links)
    }

    #[test]
    fn every_page_is_written_and_every_link_leads_somewhere() {
        let (_out, pages, links) = site();
        assert_eq!(pages, PAGES.len() + WRITTEN.len());
        assert!(links > 700, "{links}");
    }

    #[test]
    fn every_code_has_a_place_with_its_advice() {
        let (out, ..) = site();
        let codes = read_text(&out.path().join("codes.html")).unwrap();
        for rule in layerwise::rules() {
            let id = render::anchor(rule.code);
            assert!(codes.contains(&format!(" id=\"{id}\"")), "{}", rule.code);
            assert!(
                codes.contains(&*render::escape(rule.meaning)),
                "{}",
                rule.code
            );
        }
    }

    #[test]
    fn a_link_to_nothing_is_an_error() {
        let (out, ..) = site();
        write(
            &out.path().join("more.html"),
            "<a href=\"codes.html#nowhere\">x</a>",
        )
        .unwrap();
        let said = check(out.path()).unwrap_err().to_string();
        assert_eq!(
            said,
            "more.html leads to codes.html#nowhere, which is not there"
        );
    }

    #[test]
    fn the_first_page_leads_to_what_a_newcomer_asks_for() {
        let (out, ..) = site();
        let first = read_text(&out.path().join("index.html")).unwrap();
        for page in [
            "rust",
            "python",
            "javascript",
            "go",
            "concepts",
            "codes",
            "playground",
        ] {
            assert!(first.contains(&format!("href=\"{page}.html\"")), "{page}");
        }
        let concepts = read_text(&out.path().join("concepts.html")).unwrap();
        assert!(concepts.contains(" id=\"guarded-and-compatible\""));
    }
}
