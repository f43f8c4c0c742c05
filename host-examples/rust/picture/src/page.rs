//! The picture in a page: what it shows, numbers, and findings that lead to their
//! boxes.

use std::fmt::Write as _;

use layerwise::buildkit::{Severity, Standing, severity};
use layerwise::explain::Finding;

use crate::Subject;
use crate::label::{id, short, xml};
use crate::model::{Fate, Model};
use crate::order::record_of;
use crate::place::place;
use crate::svg::{self, Use};
use crate::text;

/// Findings that are listed.
const LISTED: usize = 200;

/// Nothing is fetched and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--edge:#d0d7de;--ground:#fff;--panel:#f6f8fa;--link:#0969da;--warn:#9a6700;--bad:#cf222e}\
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--edge:#30363d;--ground:#0d1117;--panel:#161b22;--link:#4493f8;--warn:#d29922;--bad:#f85149}}\
body{margin:0;font:14px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground)}\
header,section{padding:16px 24px}h1{font-size:19px;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:15px;margin:0 0 8px}\
.soft{color:var(--soft)}code{font:12px ui-monospace,monospace;overflow-wrap:anywhere}\
dl{display:flex;flex-wrap:wrap;gap:8px 28px;margin:12px 0 0}dt{color:var(--soft);font-size:12px}dd{margin:0;font-weight:600}\
.legend{display:flex;flex-wrap:wrap;gap:6px 24px;margin:14px 0 0;padding:0;list-style:none}\
.legend i{display:inline-block;width:22px;height:13px;border:1.5px solid;border-radius:3px;vertical-align:-2px;margin-right:7px}\
.picture{overflow:auto;border-block:1px solid var(--edge);max-height:80vh;padding:0}\
.picture svg{display:block;margin:auto}.fit{padding:0 6px}#fit{margin:0 0 14px 24px;vertical-align:-1px}#fit:checked~.picture svg{width:100%;height:auto}\
details{margin:12px 0 0}details ol{columns:22em;margin:8px 0 0;padding-left:2.5em}details li{break-inside:avoid;overflow-wrap:anywhere}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:5px 12px 5px 0;border-bottom:1px solid var(--edge)}\
th{color:var(--soft);font-weight:500;font-size:12px}a{color:var(--link)}td.warning{color:var(--warn);font-weight:600}td.error{color:var(--bad);font-weight:600}\
.note{background:var(--panel);border-left:4px solid var(--warn);padding:8px 12px;margin:12px 0 0}.bad{border-color:var(--bad)}";

/// The page of a cache.
pub fn write(subject: &Subject<'_>, model: &Model) -> String {
    let Subject {
        cache,
        manifest,
        report,
        ..
    } = subject;
    let mut html =
        String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    let _ = writeln!(
        html,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>{}: cache chains</title>\n<style>{STYLE}</style>\n</head>\n<body>",
        xml(cache)
    );
    let _ = writeln!(
        html,
        "<header>\n<h1>{}</h1>\n<div class=\"soft\">manifest <code>{}</code></div>",
        xml(cache),
        xml(manifest.unwrap_or("none"))
    );
    let count = |standing| {
        let verdicts = report.verdicts.iter();
        verdicts
            .filter(|verdict| verdict.standing == standing)
            .count()
    };
    let [hit, broken, key, dead] = [
        Standing::Hit,
        Standing::Broken,
        Standing::Key,
        Standing::Dead,
    ]
    .map(count);
    let numbers = &report.statistics;
    let facts = [
        ("records", report.verdicts.len().to_string()),
        (
            "hit / broken / key / dead",
            format!("{hit} / {broken} / {key} / {dead}"),
        ),
        (
            "roots / leaves",
            format!("{} / {}", numbers.roots, numbers.leaves),
        ),
        ("deepest chain", numbers.depth.to_string()),
        ("results", numbers.results.to_string()),
        (
            "layers",
            format!("{}, {}", numbers.blobs, text::bytes(numbers.bytes)),
        ),
        ("findings", report.findings.len().to_string()),
    ];
    html.push_str("<dl>");
    for (name, value) in facts {
        let _ = write!(html, "<div><dt>{name}</dt><dd>{}</dd></div>", xml(&value));
    }
    html.push_str("</dl>\n<ul class=\"legend\">");
    for (fill, edge, words) in [
        (
            "#dafbe1",
            "#1a7f37",
            "hit: it can be reached and a complete result is there",
        ),
        (
            "#ffebe9",
            "#cf222e",
            "broken: a result has a layer that is not there",
        ),
        (
            "#ddf4ff",
            "#0969da",
            "key: it can be reached and has no result",
        ),
        ("#f0e4e4", "#82605f", "dead: no lookup reaches it"),
    ] {
        let _ = write!(
            html,
            "<li><i style=\"background:{fill};border-color:{edge}\"></i>{words}</li>"
        );
    }
    if model.boxes.iter().any(|one| one.fate.is_some()) {
        for (fill, edge, words) in [
            ("#fff8c5", "#9a6700", "ran: the build ran the step"),
            (
                "#ffd8b5",
                "#bc4c00",
                "cause: it ran for a cause of its own, and others only follow",
            ),
        ] {
            let _ = write!(
                html,
                "<li><i style=\"background:{fill};border-color:{edge}\"></i>{words}</li>"
            );
        }
    }
    html.push_str("</ul>\n");
    let refused = |finding: &Finding| severity(&finding.code) == Some(Severity::Error);
    if report.findings.iter().any(refused) {
        html.push_str("<p class=\"note bad\">Importers refuse this cache or lose part of it; the findings below say why.</p>\n");
    }
    if model.left_out > 0 {
        let _ = writeln!(
            html,
            "<p class=\"note\">{} of {} records are not drawn: the first rows and what has findings are. <code>--boxes</code> draws more.</p>",
            model.left_out, model.records
        );
    }
    html.push_str("<p class=\"soft\">Lines lead down from what a record stands on; sizes are of the whole chain. Hover over a box, or tab to it, for everything about it.</p>\n");
    steps(&mut html, model);
    html.push_str("</header>\n<input type=\"checkbox\" id=\"fit\"><label for=\"fit\" class=\"fit\">fit the picture into the window</label>\n<div class=\"picture\" tabindex=\"0\" role=\"region\" aria-label=\"chains\">\n");
    html.push_str(&svg::write(model, &place(model), Use::InPage));
    html.push_str("</div>\n");
    findings(&mut html, subject, model);
    html.push_str("</body>\n</html>\n");
    html
}

/// The boxes by name, each leading to its place in the picture, for who looks for one.
fn steps(html: &mut String, model: &Model) {
    let mut named: Vec<(&str, String, &str)> = model
        .boxes
        .iter()
        .flat_map(|one| {
            let fate = one.fate.map_or("", Fate::as_str);
            let names = one.names.iter();
            names.map(move |name| (name.as_str(), id(one), fate))
        })
        .collect();
    if named.is_empty() {
        return;
    }
    named.sort_by(|a, b| order(a.0).cmp(&order(b.0)));
    let _ = writeln!(
        html,
        "<details><summary>{} records by step</summary>\n<ol>",
        named.len()
    );
    for (name, id, fate) in named {
        let name = xml(name);
        let _ = writeln!(
            html,
            "<li><a href=\"#{id}\">{name}</a> <span class=\"soft\">{fate}</span></li>"
        );
    }
    html.push_str("</ol>\n</details>\n");
}

/// The order of the lines in a Dockerfile: `Dockerfile:7 RUN make` before `Dockerfile:12`.
fn order(name: &str) -> (&str, u32, &str) {
    let place = name.split(' ').next().unwrap_or_default();
    let (file, line) = place.rsplit_once(':').unwrap_or((place, ""));
    (file, line.parse().unwrap_or_default(), name)
}

fn findings(html: &mut String, subject: &Subject<'_>, model: &Model) {
    let graded = graded(&subject.report.findings);
    let _ = writeln!(html, "<section>\n<h2>Findings</h2>");
    if graded.is_empty() {
        html.push_str("<p>None.</p>\n</section>\n");
        return;
    }
    html.push_str("<table><thead><tr><th>severity</th><th>code</th><th>where</th><th>what it means</th></tr></thead><tbody>\n");
    for (severity, finding) in graded.iter().take(LISTED) {
        let name = severity.as_str();
        let meaning = (subject.meaning)(&finding.code).map_or(String::new(), |words| {
            let (meaning, advice) = (xml(&words.meaning), xml(&words.advice));
            format!("{meaning}<br><span class=\"soft\">{advice}</span>")
        });
        let about = xml(&short(&finding.subject));
        let place = match anchor(model, &finding.subject) {
            Some(id) => format!("<a href=\"#{id}\">{about}</a>"),
            None => about,
        };
        let _ = writeln!(
            html,
            "<tr><td class=\"{name}\">{name}</td><td><code>{}</code></td><td><code>{place}</code></td><td>{meaning}</td></tr>",
            xml(&finding.code)
        );
    }
    html.push_str("</tbody></table>\n");
    if let Some(more) = graded.len().checked_sub(LISTED).filter(|more| *more > 0) {
        let _ = writeln!(
            html,
            "<p class=\"soft\">and {more} more; <code>layerwise buildkit inspect</code> lists them.</p>"
        );
    }
    html.push_str("</section>\n");
}

/// Findings, the worst first.
fn graded(findings: &[Finding]) -> Vec<(Severity, &Finding)> {
    let grade = |finding: &Finding| severity(&finding.code).unwrap_or(Severity::Warning);
    let mut graded: Vec<_> = findings.iter().map(|one| (grade(one), one)).collect();
    graded.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
    graded
}

/// The box of the record that a finding is about.
fn anchor(model: &Model, subject: &str) -> Option<String> {
    let record = record_of(subject)?;
    let one = model
        .boxes
        .iter()
        .find(|one| one.records.contains(&record))?;
    Some(id(one))
}
