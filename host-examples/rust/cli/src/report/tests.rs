use layerwise::explain::{Difference, Finding};
use serde_json::{Value, json};

use super::*;
use crate::page::Page;

fn report() -> Report {
    let cause = Finding::new("docker/miss-local", "sha256:1")
        .with([Difference::new(
            "Cmd[2]",
            "a|b `c`".to_owned(),
            "<b>\u{1b}[2J".to_owned(),
        )])
        .hint("build once more");
    let step = Step {
        name: "1/2".to_owned(),
        lines: Some([2, 3]),
        more_lines: Vec::new(),
        text: "COPY a|b /x,y: %\nz".to_owned(),
        state: "miss".to_owned(),
        level: Level::Warning,
        result: None,
        facts: vec![["seconds".to_owned(), "7".to_owned()]],
        causes: vec![cause],
        files: vec![FileChange {
            path: "src/`a`.rs".to_owned(),
            change: Change::Changed,
            differences: vec![
                Difference::new("content", "sha256:1".to_owned(), "sha256:2".to_owned()),
                Difference::new("mode", "0644".to_owned(), "0755".to_owned()),
            ],
        }],
    };
    let follows = Step {
        name: "2/2".to_owned(),
        lines: Some([4, 4]),
        more_lines: Vec::new(),
        text: "RUN make".to_owned(),
        level: Level::Fine,
        state: "hit".to_owned(),
        result: Some(format!("sha256:{}", "a".repeat(64))),
        facts: Vec::new(),
        causes: Vec::new(),
        files: Vec::new(),
    };
    Report {
        schema: "layerwise/test/1",
        title: "docker why .".to_owned(),
        verdict: "1 of 2 steps misses".to_owned(),
        facts: vec![["store".to_owned(), "docker:".to_owned()]],
        file: Some("a b/Dockerfile".to_owned()),
        sides: ["have", "want"],
        steps: vec![step, follows],
        findings: Vec::new(),
        causes: Vec::new(),
    }
}

#[test]
fn text_has_the_table_and_then_what_missed() {
    let mut page = Page::new(Style::default());
    text::show(&mut page, &report());
    assert_eq!(
        page.finish(),
        "docker why .: 1 of 2 steps misses\n\
         \x20 store  docker:\n\
         \n\
         line  step  state  result        instruction\n\
         2     1/2   miss   -             COPY a|b /x,y: %\\nz\n\
         4     2/2   hit    aaaaaaaaaaaa  RUN make\n\
         \n\
         lines 2 to 3: COPY a|b /x,y: %\\nz\n\
         \x20 seconds  7\n\
         \x20 docker/miss-local  docker/miss-local (sha256:1)\n\
         \x20   Cmd[2]  have \"a|b `c`\"  want \"<b>\\u{1b}[2J\"\n\
         \x20   advice     build once more\n\
         \x20   changed  src/`a`.rs  content, mode 0644 -> 0755\n"
    );
}

/// One side of a comparison may lack what the other has; elsewhere one side is a fact.
#[test]
fn what_is_gone_is_no_fact() {
    let of = |code: &'static str| {
        let one = Difference {
            path: "A".to_owned(),
            have: Some("1".to_owned()),
            want: None,
        };
        let mut report = report();
        report.steps[0].causes = vec![Finding::new(code, "").with([one])];
        let mut page = Page::new(Style::default());
        text::show(&mut page, &report);
        let log = sarif::log(vec![sarif::run(&report, Style::default())]).to_string();
        [
            page.finish(),
            markdown::page(&report, Style::default()),
            log,
        ]
    };
    for text in of("builds/definition-changed") {
        assert!(text.contains("absent"), "{text}");
    }
    for text in of("builds/content-changed") {
        assert!(!text.contains("absent"), "{text}");
    }
}

#[test]
fn text_is_short_about_what_only_follows() {
    let mut report = report();
    let mut follows = report.steps[0].clone();
    follows.level = Level::Note;
    follows.text = "RUN after".to_owned();
    follows.files.clear();
    follows.causes[0].cascade = true;
    report.steps.push(follows);
    let shown = |verbose| {
        let style = Style {
            verbose,
            ..Style::default()
        };
        let mut page = Page::new(style);
        text::show(&mut page, &report);
        page.finish()
    };
    let short = shown(false);
    assert!(
        short.ends_with("\n1 step only follows; --verbose says from what\n"),
        "{short}"
    );
    assert_eq!(short.matches("RUN after").count(), 1);
    assert_eq!(shown(true).matches("RUN after").count(), 2);
}

#[test]
fn markdown_shows_text_from_elsewhere_as_it_is() {
    let page = markdown::page(&report(), Style::default());
    assert_eq!(
        page,
        "### `docker why .`\n\n**1 of 2 steps misses**\n\n- store: `docker:`\n\n\
         | line | step | state | instruction |\n|---:|---|---|---|\n\
         | 2 | `1/2` | `miss` | `COPY a\\|b /x,y: %\\nz` |\n\
         | 4 | `2/2` | `hit` | `RUN make` |\n\
         \n**lines 2 to 3:** `COPY a|b /x,y: %\\nz`\n\n\
         - seconds: `7`\n\
         - `docker/miss-local` docker/miss-local \\(sha256:1\\)\n\
         \x20 - `Cmd[2]`: have `` a|b `c` ``, want `<b>\\u{1b}[2J`\n\
         \x20 - what to do: build once more\n\
         - changed `` src/`a`.rs ``: `content, mode 0644 -> 0755`\n"
    );
}

#[test]
fn sarif_has_a_result_for_each_cause_at_its_line() {
    let log = sarif::log(vec![sarif::run(&report(), Style::default())]);
    let run = &log["runs"][0];
    assert_eq!(
        run["tool"]["driver"]["rules"],
        json!([{"id": "docker/miss-local"}])
    );
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 1, "a hit is no result");
    assert_eq!(results[0]["level"], "warning");
    assert_eq!(
        results[0]["locations"][0]["physicalLocation"],
        json!({
            "artifactLocation": {"uri": "a%20b/Dockerfile"},
            "region": {"startLine": 2, "endLine": 3},
        })
    );
    let text = results[0]["message"]["text"].as_str().unwrap();
    assert!(text.contains("Cmd[2]: have a|b `c`, want <b>"), "{text}");
    assert!(
        text.contains("changed src/`a`.rs: content, mode 0644 -> 0755"),
        "{text}"
    );
}

#[test]
fn what_only_follows_is_a_note() {
    let mut report = report();
    report.steps[0].causes[0].cascade = true;
    let log = sarif::log(vec![sarif::run(&report, Style::default())]);
    assert_eq!(log["runs"][0]["results"][0]["level"], "note");
    assert!(github::lines(&report, Style::default()).starts_with("::notice "));
    report.steps[0].level = Level::Error;
    let log = sarif::log(vec![sarif::run(&report, Style::default())]);
    assert_eq!(log["runs"][0]["results"][0]["level"], "error");
}

#[test]
fn annotations_are_one_line_each() {
    let lines = github::lines(&report(), Style::default());
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(
        lines.starts_with("::warning file=a b/Dockerfile,line=2,endLine=3,title=docker/miss-local (sha256%3A1)::miss: COPY a|b /x,y: %25%0Az%0A"),
        "{lines}"
    );
    assert!(!lines.contains('\u{1b}'), "{lines}");
}

#[test]
fn json_is_the_report() {
    let document: Value = serde_json::to_value(report()).unwrap();
    assert_eq!(document["schema"], "layerwise/test/1");
    assert_eq!(document["steps"][0]["level"], "warning");
    assert_eq!(document["steps"][0]["lines"], json!([2, 3]));
    assert_eq!(document["steps"][0]["files"][0]["change"], "changed");
}

/// An image that several stages begin with stands at the line of each.
#[test]
fn a_step_at_several_lines_has_no_lines_between() {
    let mut report = report();
    report.steps[0].lines = Some([1, 1]);
    report.steps[0].more_lines = vec![[9, 10]];
    let mut page = Page::new(Style::default());
    text::show(&mut page, &report);
    let text = page.finish();
    assert!(text.contains("\n1, 9  1/2"), "{text}");
    assert!(text.contains("\nlines 1, 9 to 10: COPY"), "{text}");
    let page = markdown::page(&report, Style::default());
    assert!(page.contains("| 1, 9 | `1/2` |"), "{page}");
    assert!(page.contains("**lines 1, 9 to 10:**"), "{page}");
    let log = sarif::run(&report, Style::default());
    let place = &log["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["region"], json!({"startLine": 1, "endLine": 1}));
    let lines = github::lines(&report, Style::default());
    assert!(lines.contains(",line=1,endLine=1,"), "{lines}");
}

#[test]
fn each_cause_has_its_own_seconds() {
    let mut report = report();
    let cost = |code: &str, steps: Vec<usize>, seconds| Cost {
        code: code.to_owned(),
        steps,
        follow: Vec::new(),
        seconds,
    };
    report.causes = vec![
        Cost {
            follow: vec![1],
            ..cost("docker/miss-local", vec![0], 2.34)
        },
        cost("other", vec![1], 0.5),
    ];
    let mut page = Page::new(Style::default());
    text::show(&mut page, &report);
    let text = page.finish();
    let rows = "\n    2.3 s  docker/miss-local at lines 2 to 3, with 1 more step\
                \n    0.5 s  other at line 4\n";
    assert!(text.contains(rows), "{text}");
    let page = markdown::page(&report, Style::default());
    assert!(page.contains("\n  - 0.5 s: `other at line 4`\n"), "{page}");
    let log = sarif::run(&report, Style::default());
    assert_eq!(log["results"][0]["properties"], json!({"seconds": 2.34}));
    let lines = github::lines(&report, Style::default());
    assert!(lines.contains("%0Alost: 2.3 s%0A"), "{lines}");
    let document: Value = serde_json::to_value(&report).unwrap();
    assert_eq!(document["causes"][1]["seconds"], 0.5);
    // Without line and name there is the text.
    report.steps[1].lines = None;
    report.steps[1].name.clear();
    let mut page = Page::new(Style::default());
    text::show(&mut page, &report);
    assert!(page.finish().contains("other at RUN make\n"));
    // One cause costs what is lost.
    report.causes.truncate(1);
    let mut page = Page::new(Style::default());
    text::show(&mut page, &report);
    assert!(!page.finish().contains("2.3 s"));
}
