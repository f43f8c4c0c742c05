//! Words, Dockerfiles and ignore files drawn at random: ours does with them what the
//! packages do that the builder is made of. Needs Go and its modules; elsewhere the
//! test says so and proves nothing, unless `LAYERWISE_REQUIRE_LIVE=1` is set.

#![allow(clippy::expect_used, reason = "a test")]

use std::path::Path;

use layerwise::dockerfile::testing;
use layerwise_conformance::upstream::Program;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    kind: String,
    text: String,
    with: String,
    ok: bool,
    result: Option<Vec<String>>,
}

/// What the drawn words know.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("A", "a"),
    ("EMPTY", ""),
    ("P", "/usr/lib/x.tar.gz"),
    ("S", "one two"),
    ("N", "a\nb"),
    ("STAR", "a*b?c"),
];

fn ours(answer: &Answer) -> Option<Vec<String>> {
    let pairs = ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let escape = answer.with.chars().next().unwrap_or('\\');
    match answer.kind.as_str() {
        "expand" => Some(vec![testing::expand(&answer.text, escape, &pairs)?]),
        "words" => testing::words(&answer.text, escape, &pairs),
        "parse" => {
            let lines = testing::parse(&answer.text)?.into_iter();
            Some(lines.map(|(line, text)| format!("{line}:{text}")).collect())
        }
        _ if answer.with.is_empty() => None,
        _ => Some(vec![
            testing::leaves_out(&answer.text, &answer.with)?.to_string(),
        ]),
    }
}

#[test]
fn upstreams_packages_agree() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let Some(program) = Program::build_or_skip("dockerfile", directory) else {
        return;
    };
    let answers = program.ask(&["7", "20000"], "").expect("answers");
    let mut accepted = 0;
    let mut wrong = Vec::new();
    for line in answers.lines() {
        let answer: Answer = serde_json::from_str(line).expect("an answer");
        let want = answer.ok.then(|| answer.result.clone().unwrap_or_default());
        accepted += usize::from(answer.ok);
        let have = ours(&answer);
        if have != want {
            wrong.push(format!("{answer:?}: ours {have:?}"));
        }
    }
    for line in wrong.iter().take(40) {
        eprintln!("{line}");
    }
    assert!(wrong.is_empty(), "{} differ", wrong.len());
    assert!(accepted > 20_000, "only {accepted} accepted");
}
