//! One Dockerfile: every event against what the engine did.

use layerwise::docker::StoreKind;
use layerwise::dockerfile::{
    Announced, Event, Options, Outcome, Packer, Phase, Refusal, Step, Wanted,
};
use layerwise::semantics::Semantics;
use std::sync::Arc;

use super::format::{self, Case, File, Probe};
use super::world::{BASE, CONTEXT, Images, files};
use super::{Session, Subject};
use crate::report;

/// Runs a case, as the engine with each of its stores.
///
/// # Errors
/// When the session fails, or the case cannot be set up.
pub fn run(
    file: &File,
    case: &Case,
    subject: &dyn Subject,
    check: &mut report::Case<'_>,
) -> Result<(), String> {
    for store in [StoreKind::GraphDriver, StoreKind::Containerd] {
        let run = Run { file, case, store };
        run.build(subject, check)
            .map_err(|error| format!("{store:?}: {error}"))?;
    }
    Ok(())
}

/// A case with one of the stores.
struct Run<'a> {
    file: &'a File,
    case: &'a Case,
    store: StoreKind,
}

/// What containerd's store says of an image that it would have to pull and cannot.
const UNRESOLVED: &str = "failed to resolve reference";

/// How a build ends.
enum End<'a> {
    /// It goes through.
    Done,
    /// With this error, as the case describes it.
    Refused(&'a str),
    /// At an image that is not there, as only containerd's store finds.
    NotFound,
    /// While it executes a step, which no session sees.
    Elsewhere,
}

impl Run<'_> {
    /// Whether this is containerd's store.
    fn packed(&self) -> bool {
        self.store == StoreKind::Containerd
    }

    /// How the build ends with this store.
    fn end(&self) -> End<'_> {
        let case = self.case;
        match (&case.error, &case.error_containerd) {
            (_, Some(error)) if self.packed() => match error.contains(UNRESOLVED) {
                true => End::NotFound,
                false => End::Elsewhere,
            },
            _ if self.packed() && case.ok_containerd == Some(true) => End::Done,
            (Some(error), _) => End::Refused(error),
            (None, _) => End::Done,
        }
    }

    fn build(&self, subject: &dyn Subject, check: &mut report::Case<'_>) -> Result<(), String> {
        let text = |error: layerwise::error::Error| error.to_string();
        let (file, case) = (self.file, self.case);
        let images = Arc::new(Images::of(file, case, self.store));
        let lent = Arc::<Images>::clone(&images);
        let mut session = subject
            .open(
                &case.dockerfile,
                options(file, case),
                lent,
                files(file, case)?,
            )
            .map_err(text)?;
        if not_ours(case) {
            // The Dockerfile itself is accepted.
            if let Event::Refused(refusal) = session.advance().map_err(text)? {
                check.fail("event", "a step", format!("{refusal:?}"));
            }
            return Ok(());
        }
        if self.packed() && case.ok_containerd == Some(true) {
            return goes_through(case, &mut *session, check).map_err(text);
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
                        let image = from.image.as_ref().map(|image| images.id(image));
                        same(check, "FROM image", &image, &stage.image);
                    }
                }
                Event::Wanted(wanted) => lend(case, &wanted, next, &mut *session).map_err(text)?,
                Event::Step(step) => {
                    let Some(format::Step::Probe(probe)) = expected.next() else {
                        check.fail("event", "no step", step.instruction.text);
                        return Ok(());
                    };
                    self.compare(probe, &step, check);
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
                    match self.end() {
                        End::NotFound => {
                            // The steps are those of a build that went on.
                            let class = &*refusal.reason.code;
                            same(check, "refusal", &"dockerfile/base-not-found", &class);
                            same(check, "refused", &true, &next.is_some());
                        }
                        End::Refused(error) => {
                            same(check, "steps left", &0, &expected.count());
                            refused(case, error, &refusal, check);
                        }
                        End::Elsewhere => {}
                        End::Done => check.fail("end", "done", format!("{refusal:?}")),
                    }
                    return Ok(());
                }
                Event::Done => {
                    same(check, "steps left", &0, &expected.count());
                    match self.end() {
                        End::Done | End::Elsewhere => {}
                        End::NotFound => {
                            check.fail("end", format!("{:?}", case.error_containerd), "done");
                        }
                        End::Refused(error) => check.fail("end", error, "done"),
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Holds a step against what the engine asked.
    fn compare(&self, probe: &Probe, step: &Step, check: &mut report::Case<'_>) {
        let mut asked = (&*probe.config, &probe.platform);
        if self.packed() {
            asked.0 = probe.config_containerd.as_deref().unwrap_or(asked.0);
            asked.1 = probe.platform_containerd.as_ref().unwrap_or(asked.1);
        }
        let (config, platform) = asked;
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
        let want: layerwise::oci::Platform = platform.into();
        same(check, &format!("{at}: platform"), &want, &step.platform);
        let Some(have) = &step.config else {
            let known: Vec<&str> = step.notes.iter().map(|note| &*note.code).collect();
            let expected = match (probe.random, probe.copy_from) {
                (true, _) => vec!["dockerfile/random-name"],
                (_, true) => vec!["dockerfile/unlent-files"],
                _ => vec![],
            };
            if expected.is_empty() {
                check.fail(&format!("{at}: config"), config.get(), format!("{known:?}"));
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
        let have = have.replacen(&image, "", 1);
        let want = compact(config.get());
        same(check, &format!("{at}: config"), &want, &have);
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
}

/// Goes through a build of which only its end is recorded.
fn goes_through(
    case: &Case,
    session: &mut dyn Session,
    check: &mut report::Case<'_>,
) -> Result<(), layerwise::error::Error> {
    loop {
        match session.advance()? {
            Event::Argument(_) | Event::Stage(_) => {}
            Event::Wanted(wanted) => lend(case, &wanted, None, session)?,
            Event::Step(step) => session.report(Outcome {
                hit: false,
                image: Some(format!("sha256:{:064x}", step.instruction.number)),
            })?,
            Event::Refused(refusal) => {
                check.fail("end", "done", format!("{refusal:?}"));
                return Ok(());
            }
            Event::Done => return Ok(()),
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

fn refused(case: &Case, error: &str, refusal: &Refusal, check: &mut report::Case<'_>) {
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
            format!("{want:?}: {error}"),
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
