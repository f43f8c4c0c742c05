//! What depends on who reads: colours, pages, completions, the manual, variables.

use std::process::{Command, Stdio};

use super::support::*;

const GREEN_HIT: &str = "\u{1b}[32mhit-local\u{1b}[0m";

/// Runs the demonstration on a terminal of some lines, with these variables, and returns what
/// is seen. `script`, which every Debian has, makes the terminal.
fn seen(rows: u16, variables: &[(&str, &str)]) -> String {
    let demo = format!(
        "stty rows {rows} cols 100; exec {} demo",
        env!("CARGO_BIN_EXE_layerwise")
    );
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &demo, "/dev/null"])
        .env_remove("NO_COLOR")
        .env_remove("LAYERWISE_PAGER")
        .env("PAGER", "")
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn words_are_coloured_when_somebody_sees_them() {
    let demo = |more: &[&str]| layerwise(&[&["demo"], more].concat()).stdout;
    assert!(!demo(&[]).contains('\u{1b}'), "no terminal");
    assert!(demo(&["--color", "always"]).contains(GREEN_HIT));
    assert!(!demo(&["--json", "--color=always"]).contains('\u{1b}'));
    let plain = demo(&[]);
    let styles = [
        "\u{1b}[1m",
        "\u{1b}[2m",
        "\u{1b}[31m",
        "\u{1b}[32m",
        "\u{1b}[33m",
        "\u{1b}[0m",
    ];
    let stripped = styles
        .iter()
        .fold(demo(&["--color=always"]), |text, style| {
            text.replace(style, "")
        });
    assert_eq!(stripped, plain, "colours change nothing else");
    assert!(seen(24, &[]).contains(GREEN_HIT));
    assert!(!seen(24, &[("NO_COLOR", "1")]).contains('\u{1b}'));
    assert!(!seen(24, &[("TERM", "dumb")]).contains('\u{1b}'));
    let wrong = layerwise(&["dmo", "--color=always"]);
    assert!(wrong.stderr.contains("\u{1b}["), "{wrong:?}");
}

/// Long text goes through the pager on a terminal only, short text never.
#[test]
fn long_text_is_shown_page_by_page() {
    let mark = "sed s/^/page:/";
    let first = "1. a step that was built here";
    let pages = |rows: u16, pager: &str| seen(rows, &[("PAGER", pager)]);
    assert!(pages(24, mark).contains(&format!("page:{first}")));
    assert!(!pages(2000, mark).contains("page:"), "it fits");
    assert!(pages(24, "no-such-pager").contains(first));
    assert!(pages(24, "").contains(first));
    let ours = [("PAGER", "no-such-pager"), ("LAYERWISE_PAGER", mark)];
    assert!(seen(24, &ours).contains("page:"));
    let piped = program().arg("demo").env("PAGER", mark).output().unwrap();
    assert!(!String::from_utf8(piped.stdout).unwrap().contains("page:"));
}

/// Bash, which every machine of CI has, reads its script and completes by it.
#[test]
fn bash_completes_commands_and_options() {
    let script = layerwise(&["completions", "bash"]);
    assert_eq!(script.exit, 0, "{script:?}");
    let dir = Dir::new();
    let file = dir.file("layerwise.bash", &script.stdout);
    let complete = |words: &[&str]| {
        let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
        let asked = format!(
            "source '{file}'; COMP_WORDS=({}); COMP_CWORD={}; \
             _layerwise layerwise '{last}' '{before}'; echo \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            words.len() - 1,
        );
        let output = Command::new("bash").args(["-c", &asked]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(complete(&["layerwise", "docker", "wh"]).trim(), "why");
    let stores = complete(&["layerwise", "docker", "why", "--sto"]);
    assert_eq!(stores.trim(), "--store");
    let shells = complete(&["layerwise", "completions", "f"]);
    assert_eq!(shells.trim(), "fish");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let script = layerwise(&["completions", shell]);
        assert!(
            script.exit == 0 && script.stdout.contains("buildkit"),
            "{shell}"
        );
    }
}

/// One page a command; each says its name, its use and its examples.
#[test]
fn the_manual_has_a_page_for_every_command() {
    let dir = Dir::new();
    let run = layerwise(&["man", "--output", dir.text()]);
    assert_eq!(run.exit, 0, "{run:?}");
    let pages = run.stdout.lines().count();
    assert!(pages > 30, "{pages}");
    for (path, bytes) in dir.snapshot() {
        let page = String::from_utf8(bytes).unwrap();
        for part in [".SH NAME", ".SH SYNOPSIS", "Examples:"] {
            assert!(page.contains(part), "{path:?}: {part}");
        }
    }
    let one = layerwise(&["man", "docker", "why"]).stdout;
    let file = dir.path().join("layerwise-docker-why.1");
    assert_eq!(one, std::fs::read_to_string(file).unwrap());
    assert!(one.contains("layerwise docker why"), "{one}");
}

/// A variable stands for an option, and the option counts more.
#[test]
fn variables_stand_for_options() {
    let layout = layout();
    let history = |variable: &str, more: &[&str]| {
        let output = program()
            .args(["docker", "history", "app:1"])
            .args(more)
            .env("LAYERWISE_STORE", variable)
            .output()
            .unwrap();
        output.status.code()
    };
    let spec = layout.spec();
    assert_eq!(history(&spec, &[]), Some(1));
    assert_eq!(history("memory:", &["--store", &spec]), Some(1));
    assert_eq!(history("memory:", &[]), Some(3));
    let help = layerwise(&["docker", "history", "--help"]).stdout;
    assert!(help.contains("[env: LAYERWISE_STORE]"), "{help}");
}
