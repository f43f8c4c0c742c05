//! One Dockerfile: every event against what the engine did.

use layerwise::dockerfile::{
    Announced, Event, Options, Outcome, Packer, Phase, Refusal, Step, Wanted,
};
use layerwise::semantics::Semantics;
use std::sync::Arc;

use super::format::{self, Case, File, Probe};
use super::world::{BASE, CONTEXT, Images, files};
use super::{Session, Subject};
use crate::report;

/// Runs a case.
///
/// # Errors
/// When the session fails, or the case cannot be set up.
pub fn run(
    file: &File,
    case: &Case,
    subject: &dyn Subject,
    check: &mut report::Case<'_>,
) -> Result<(), String> {
    let text = |error: layerwise::error::Error| error.to_string();
    let images = Arc::new(Images::of(file, case));
    let files = files(file, case)?;
    let options = options(file, case);
    let mut session = subject
        .open(&case.dockerfile, options, images, files)
        .map_err(text)?;
    if not_ours(case) {
        // The Dockerfile itself is accepted.
        if let Event::Refused(refusal) = session.advance().map_err(text)? {
            check.fail("event", "a step", format!("{refusal:?}"));
        }
        return Ok(());
    }
    let mut expected = case.steps.iter().peekable();
    loop {
        let next = expected.peek().copied();
        match session.advance().map_err(text)? {
            Event::Argument(announced) => {
                let Some(format::Step::Argument(arg)) = expected.next() else {
                    check.fail("event", "no ARG", announced.text);
                    return Ok(());
                };
                same(
                    check,
                    "ARG",
                    &(arg.n, &arg.text),
                    &(announced.number, &announced.text),
                );
            }
            Event::Stage(stage) => {
                let Some(format::Step::Stage(from)) = expected.next() else {
                    check.fail("event", "no FROM", stage.instruction.text);
                    return Ok(());
                };
                let announced = &stage.instruction;
                same(
                    check,
                    "FROM",
                    &(
                        from.n,
                        from.line,
                        &from.text,
                        from.stage,
                        &from.name,
                        from.from_stage,
                    ),
                    &(
                        announced.number,
                        announced.line,
                        &announced.text,
                        stage.index,
                        &stage.name,
                        stage.from_stage,
                    ),
                );
                let platform = from.platform.as_ref().map(layerwise::oci::Platform::from);
                same(check, "FROM platform", &platform, &stage.platform);
                if from.from_stage.is_none() {
                    same(check, "FROM image", &from.image, &stage.image);
                }
            }
            Event::Wanted(wanted) => lend(case, &wanted, next, &mut *session).map_err(text)?,
            Event::Step(step) => {
                let Some(format::Step::Probe(probe)) = expected.next() else {
                    check.fail("event", "no step", step.instruction.text);
                    return Ok(());
                };
                compare(file, probe, &step, check);
                let announced = &step.instruction;
                let failed = case.error_step.as_ref().is_some_and(|failed| {
                    (failed.n, &failed.text) == (announced.number, &announced.text)
                });
                if failed && expected.peek().is_none() {
                    // The engine had asked when it failed: nothing more can be told.
                    return Ok(());
                }
                let image = Some(format!("sha256:{:064x}", step.instruction.number));
                let outcome = Outcome {
                    hit: probe.seen == "hit",
                    image,
                };
                session.report(outcome).map_err(text)?;
            }
            Event::Refused(refusal) => {
                same(check, "steps left", &0, &expected.count());
                refused(case, &refusal, check);
                return Ok(());
            }
            Event::Done => {
                same(check, "steps left", &0, &expected.count());
                if case.error.is_some() {
                    check.fail("end", format!("{:?}", case.error), "done");
                }
                return Ok(());
            }
        }
    }
}

/// The client refuses an option that has nothing to do with the steps.
fn not_ours(case: &Case) -> bool {
    !case.other_flags.is_empty() && case.error_phase.as_deref() == Some("before-steps")
}

fn options(file: &File, case: &Case) -> Options {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    let argument = |text: &String| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text.clone(), case.env.get(text).cloned()),
    };
    let here = |path: &str| case.context.iter().any(|entry| entry.path == path);
    let name = match &case.file {
        Some(file) => file.clone(),
        None if here("Dockerfile") || !here("dockerfile") => "Dockerfile".to_owned(),
        None => "dockerfile".to_owned(),
    };
    let inside = !case.stdin || case.context_made_by_client;
    Options {
        semantics: Semantics::compatible(None),
        arguments: case.build_args.iter().map(argument).collect(),
        labels: case.labels.iter().map(pair).collect(),
        target: case.target.clone(),
        platform: case.platform.clone(),
        host: (&file.engine.host).into(),
        context: Some(CONTEXT.to_owned()),
        file: inside.then_some(name),
        packer: match case.cli.as_deref() {
            _ if case.api => Packer::Api,
            Some("20.10") => Packer::Client20Dot10,
            _ => Packer::Client,
        },
        limits: Vec::new(),
    }
}

/// Lends the files of the bases, if all that is copied is in there, and what an
/// address served.
fn lend(
    case: &Case,
    wanted: &Wanted,
    next: Option<&format::Step>,
    session: &mut dyn Session,
) -> Result<(), layerwise::error::Error> {
    if let Some(url) = &wanted.url {
        let number = case.urls.keys().position(|known| known == url);
        let name = case.urls.get(url).and_then(|served| served.get("filename"));
        let name = name.and_then(serde_json::Value::as_str);
        let path = number.map(|number| format!("/url{number}"));
        return session.lend(path.as_deref(), name);
    }
    let of_steps = match next {
        Some(format::Step::Probe(probe)) => probe.copy.as_ref().is_some_and(|copy| {
            let mut sources = copy.sources.iter();
            sources.any(|(path, _)| !path.starts_with("etc/"))
        }),
        _ => false,
    };
    session.lend((!of_steps).then_some(BASE), None)
}

fn compare(file: &File, probe: &Probe, step: &Step, check: &mut report::Case<'_>) {
    let _ = file;
    let Announced { number, line, text } = &step.instruction;
    same(
        check,
        "step",
        &(
            probe.n,
            probe.line,
            &probe.text,
            probe.stage,
            &probe.trigger,
        ),
        &(*number, *line, text, step.stage, &step.trigger),
    );
    let at = format!("step {number} {:?}", probe.trigger.as_ref().unwrap_or(text));
    let platform: layerwise::oci::Platform = (&probe.platform).into();
    same(check, &format!("{at}: platform"), &platform, &step.platform);
    let Some(config) = &step.config else {
        let known: Vec<&str> = step.notes.iter().map(|note| &*note.code).collect();
        let expected = match (probe.random, probe.copy_from) {
            (true, _) => vec!["dockerfile/random-name"],
            (_, true) => vec!["dockerfile/unlent-files"],
            _ => vec![],
        };
        if expected.is_empty() {
            check.fail(
                &format!("{at}: config"),
                probe.config.get(),
                format!("{known:?}"),
            );
        } else {
            same(check, &format!("{at}: notes"), &expected, &known);
        }
        return;
    };
    // The vectors leave out the image.
    let image = format!(
        "\"Image\":\"{}\",",
        step.parent.as_deref().unwrap_or_default()
    );
    let config = config.replacen(&image, "", 1);
    let want = compact(probe.config.get());
    same(check, &format!("{at}: config"), &want, &config);
    same(
        check,
        &format!("{at}: created_by"),
        &probe.created_by,
        &step.created_by,
    );
    let copy = step.copy.as_ref().map(|copy| {
        let sources = copy.sources.iter();
        let sources = sources.map(|source| (source.path.clone(), source.sum.clone()));
        (sources.collect::<Vec<_>>(), copy.sum.clone())
    });
    let want = probe
        .copy
        .as_ref()
        .map(|copy| (copy.sources.clone(), copy.sum.clone()));
    same(check, &format!("{at}: copy"), &want, &copy);
}

/// The text of a JSON value as Go writes it: without blanks outside of its strings,
/// and with `<`, `>` and `&` escaped.
fn compact(json: &str) -> String {
    let mut compact = String::new();
    let (mut inside, mut escaped) = (false, false);
    for c in json.chars() {
        if !inside && c.is_ascii_whitespace() {
            continue;
        }
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => inside = !inside,
            _ => {}
        }
        match c {
            '<' | '>' | '&' => compact.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => compact.push(c),
        }
    }
    compact
}

fn refused(case: &Case, refusal: &Refusal, check: &mut report::Case<'_>) {
    let class = match refusal.reason.code.strip_prefix("dockerfile/") {
        Some("no-image") => "other",
        Some("ignore-file") => "value",
        Some(code) => code,
        None => "",
    };
    let phase = match refusal.phase {
        Phase::BeforeSteps => "before-steps",
        Phase::AtStep => "engine-steps",
    };
    let words = refusal.reason.hint.clone().unwrap_or_default();
    let have = (Some(class), Some(phase));
    let want = (case.error_class.as_deref(), case.error_phase.as_deref());
    if want != have {
        check.fail(
            "refusal",
            format!("{want:?}: {:?}", case.error),
            format!("{have:?}: {words}"),
        );
    }
    let have = refusal
        .instruction
        .as_ref()
        .map(|announced| (announced.number, announced.line, announced.text.as_str()));
    let want = case
        .error_step
        .as_ref()
        .map(|step| (step.n, step.line, step.text.as_str()));
    same(check, "error step", &want, &have);
}

fn same<T: PartialEq + std::fmt::Debug>(
    check: &mut report::Case<'_>,
    what: &str,
    expected: &T,
    actual: &T,
) {
    if expected != actual {
        check.fail(what, format!("{expected:?}"), format!("{actual:?}"));
    }
}
