//! Every section of the specification that is cited, in code, contract,
//! documents and catalogue, exists. A citation has one form: the name of the
//! page, `section` or `sections`, and the numbers, for example
//! "(Docker spec, sections 4.1 and 5.3)".

#![expect(clippy::expect_used, reason = "the helpers of tests may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use layerwise::spec::{Citation, PAGES, Page, citations};

/// What may cite a section.
const KINDS: [&str; 9] = ["rs", "md", "wit", "py", "ts", "js", "mjs", "go", "toml"];

/// Directories that hold no sources of this project.
const ELSEWHERE: [&str; 6] = [
    ".git",
    "target",
    "node_modules",
    "vectors",
    "corpus",
    "dist",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file below a directory that may cite a section.
fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("an entry");
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let kind = entry.file_type().expect("its kind");
        if kind.is_dir() && !ELSEWHERE.contains(&&*name) && !name.starts_with(".venv") {
            files(&path, found);
        } else if kind.is_file() && KINDS.iter().any(|end| name.ends_with(&format!(".{end}"))) {
            found.push(path);
        }
    }
}

/// A text in one line, without what begins the lines of a comment.
fn flowing(text: &str) -> String {
    let line = |line: &str| {
        let line = line.trim();
        let marks = ["//!", "///", "//", "#:", "#", "*"];
        let inside = marks.iter().find_map(|mark| line.strip_prefix(mark));
        inside.unwrap_or(line).trim().to_owned()
    };
    text.lines().map(line).collect::<Vec<_>>().join(" ")
}

/// The numbers that a text begins with: "4.1, 5.2 and 5.3)" has three.
fn numbers(text: &str) -> Vec<String> {
    let mut numbers = Vec::new();
    for word in text.split(' ') {
        let number: String = word
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        let number = number.trim_end_matches('.');
        if !number.is_empty() {
            numbers.push(number.to_owned());
        } else if !["and", "to"].contains(&word) {
            break;
        }
        let after = word.get(number.len()..).unwrap_or_default();
        if !number.is_empty() && !["", ","].contains(&after) {
            break;
        }
    }
    numbers
}

/// What is wrong with the citations of a text outside of the specification, and
/// how many citations it has.
fn wrong(text: &str) -> (Vec<String>, usize) {
    let (mut wrong, mut count) = (Vec::new(), 0);
    let text = flowing(text);
    for word in ["section ", "sections ", "Section ", "Sections "] {
        for (at, _) in text.match_indices(word) {
            let (before, after) = text.split_at(at);
            let cited = numbers(after.get(word.len()..).unwrap_or_default());
            let name = before.trim_end_matches([',', ' ']);
            let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
            // A standard's sections are not ours.
            if cited.is_empty() || name.ends_with("RFC ") {
                continue;
            }
            count += 1;
            let page = PAGES
                .iter()
                .find(|page| before.ends_with(&format!("{}, ", page.name)));
            let Some(page) = page else {
                let start = before.char_indices().rev().nth(40).map_or(0, |(at, _)| at);
                wrong.push(format!(
                    "\"{}{word}{}\" names no page",
                    &before.get(start..).unwrap_or_default(),
                    cited.join(" ")
                ));
                continue;
            };
            let missing = cited.iter().filter(|number| page.section(number).is_none());
            wrong.extend(missing.map(|number| format!("no section {number} in {}", page.path)));
        }
    }
    (wrong, count)
}

/// Numbers of sections in comments that stand alone, such as "(4.1)".
fn bare(text: &str) -> Vec<String> {
    let comments = text.lines().filter(|line| line.trim().starts_with("//"));
    let inside = comments.flat_map(|line| line.split('(').skip(1));
    let inside = inside.filter_map(|part| part.split_once(')'));
    inside
        .filter(|(part, _)| part.contains('.') && part.split('.').all(is_number))
        .map(|(part, _)| format!("\"({part})\" names no page"))
        .collect()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The sections that a page itself refers to.
fn own(page: &Page) -> Vec<String> {
    let text = flowing(page.text);
    let mut wrong = Vec::new();
    for word in ["section ", "sections "] {
        for (at, _) in text.match_indices(word) {
            let (before, after) = text.split_at(at);
            let other = PAGES
                .iter()
                .find(|page| before.ends_with(&format!("{}, ", page.name)));
            let target = other.unwrap_or(page);
            let cited = numbers(after.get(word.len()..).unwrap_or_default());
            let missing = cited
                .iter()
                .filter(|number| target.section(number).is_none());
            wrong.extend(missing.map(|number| format!("no section {number} in {}", target.path)));
        }
    }
    wrong
}

#[test]
fn every_citation_leads_somewhere() {
    let root = root();
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let (mut count, mut failures) = (0, Vec::new());
    for path in paths {
        if path.ends_with("SPEC.md") || path.ends_with(file!().rsplit('/').next().unwrap_or("")) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("text");
        let (mut wrong, more) = wrong(&text);
        count += more;
        if path.starts_with(root.join("src")) {
            wrong.extend(bare(&text));
        }
        failures.extend(wrong.iter().map(|w| format!("{}: {w}", path.display())));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(count > 150, "{count} citations");
}

#[test]
fn the_pages_refer_to_sections_that_exist() {
    for page in &PAGES {
        assert_eq!(own(page), [""; 0], "{}", page.path);
        let mut numbers: Vec<&str> = page.sections().map(|section| section.number).collect();
        assert!(numbers.len() > 20, "{}", page.path);
        numbers.sort_unstable();
        let all = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), all, "{}: a number twice", page.path);
    }
}

/// Every rule names sections of its own page, rows that stand in them, and
/// threats that are described.
#[test]
fn every_rule_names_what_exists() {
    let threats = fs::read_to_string(root().join("tests/THREATS.md")).expect("threats");
    for rule in layerwise::rules() {
        let page = Page::of(rule.code).expect("a page");
        for citation in citations(rule.section) {
            let found = match citation {
                Citation::Section(number, None) => page.section(number).is_some(),
                Citation::Section(number, Some(row)) => {
                    let section = page.section(number);
                    section.is_some_and(|section| section.text.contains(&format!("| {row} |")))
                }
                Citation::Threat(name) => threats.contains(&format!("| {name} |")),
            };
            assert!(found, "{}: {citation:?}", rule.code);
        }
    }
}

#[test]
fn what_is_wrong_is_noticed() {
    assert_eq!(
        wrong("(Docker spec, sections 4.1, 5.2 and\n/// 5.3)").0,
        [""; 0]
    );
    assert_eq!(wrong("(Docker spec, section 4.1, step 3)").0, [""; 0]);
    assert_eq!(
        wrong("(Docker spec, sections 4 to\n// 99)").0,
        ["no section 99 in src/docker/SPEC.md"]
    );
    assert_eq!(
        wrong("as section 4 tells it").0,
        ["\"as section 4\" names no page"]
    );
    assert_eq!(wrong("(RFC 9110, section 11.6.1)"), (Vec::new(), 0));
    assert_eq!(bare("/// A rule (4.1)."), ["\"(4.1)\" names no page"]);
    assert_eq!(bare("call(4.1); // (of 4.1)"), [""; 0]);
}
