//! `docker lookup`, `plan` and `explain`: one step.

use std::path::{Path, PathBuf};

use clap::Args;
use layerwise::docker::{Answer, Outcome, Reason, Step};
use layerwise::explain::{Explanation, Finding};
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use layerwise_host::Error;
use serde::Serialize;

use super::args::SessionArgs;
use super::opened::Opened;
use super::{named, platform, show};
use crate::args::{Global, platform};
use crate::failed::Failed;
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};
use crate::why;

/// What `--help` says about the JSON document; [`Document`] is its type.
pub const HELP: &str = r#"Exit codes: 0 hit, 1 miss or a restore that fails, 2 usage, 3 error; `explain` of a step whose lookup would fail is 3.

--json prints one document, absent members as null:
  schema       "layerwise/docker-step/1"
  command      "lookup", "plan" or "explain"
  store        as given
  semantics    {"reading": "guarded" or "compatible", "version"}
  parent       id of the image the step starts from; null is scratch
  platform     {"os", "architecture", "variant", "os_version", "os_features"}
  sources      ids of the sources in use afterwards, in order
  skipped      findings: the names that were passed over
  answer       null for `explain`; else {"outcome": "hit-local", "hit-source", "hit-restored",
               "miss" or "restore-failed", "image": id, "source": id, "effects": [{"set-parent": {"target", "parent"}}
               or {"create": {"id", "parent", "document", "manifest", "layer"}}], "notes": [finding]}
  explanation  null unless asked for; else {"summary": finding, "findings": [finding],
               "nearest": finding, "considered": number}
A finding is {"code", "subject", "differences": [{"path", "have", "want"}], "hint", "cascade"};
`layerwise rule CODE` says what its code means. An error is {"schema": "layerwise/error/1",
"error": {"kind", "message", "code", "operation", "subject", "limit", "value"}}."#;

#[derive(Args)]
pub struct LookupArgs {
    #[command(flatten)]
    pub step: StepArgs,
    /// Change nothing, as `docker plan`.
    #[arg(long, visible_aliases = ["dry-run", "read-only"])]
    pub plan: bool,
    /// Also print the explanation (of the state before any change).
    #[arg(long)]
    pub explain: bool,
    /// With --explain: print every verdict, not only the nearest candidate.
    #[arg(long, requires = "explain")]
    pub all: bool,
}

#[derive(Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub step: StepArgs,
    /// Also print the explanation.
    #[arg(long)]
    pub explain: bool,
    /// With --explain: print every verdict, not only the nearest candidate.
    #[arg(long, requires = "explain")]
    pub all: bool,
}

#[derive(Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    pub step: StepArgs,
    /// Print every verdict, not only the nearest candidate.
    #[arg(long)]
    pub all: bool,
}

/// One step that is about to run.
#[derive(Args)]
pub struct StepArgs {
    /// The image the step starts from, as an id or a name in the store, or `scratch`.
    #[arg(long, value_name = "ID|REF|scratch")]
    pub parent: String,
    /// The container config the step would commit, a JSON object; `-` is standard input. Of an
    /// image document, its `container_config` is taken.
    #[arg(long, value_name = "FILE|-")]
    pub config: PathBuf,
    /// What the builder builds for; default: what the parent is for, else this machine.
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", value_parser = platform)]
    pub platform: Option<Platform>,
    /// No step of its stage follows. The guarded reading restores no such image from a source:
    /// its command would be that of the build step.
    #[arg(long)]
    pub last: bool,
    #[command(flatten)]
    pub session: SessionArgs,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verb {
    Lookup,
    Plan,
    Explain,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    command: Verb,
    store: &'a str,
    semantics: &'a Semantics,
    parent: Option<&'a str>,
    platform: &'a Platform,
    sources: Vec<String>,
    skipped: Vec<Finding>,
    answer: Option<Answer>,
    explanation: Option<Explanation>,
    #[serde(skip)]
    all: bool,
}

/// How much of an explanation is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing of it.
    No,
    /// The nearest candidate.
    Nearest,
    /// Every verdict.
    All,
}

impl Why {
    /// As `--explain` and `--all` say.
    pub const fn of(explain: bool, all: bool) -> Self {
        match (explain, all) {
            (false, _) => Self::No,
            (true, false) => Self::Nearest,
            (true, true) => Self::All,
        }
    }
}

/// `docker lookup`
pub fn lookup(global: &Global, args: &LookupArgs, style: Style) -> Result<Reply, Failed> {
    let verb = if args.plan { Verb::Plan } else { Verb::Lookup };
    run(
        global,
        &args.step,
        verb,
        Why::of(args.explain, args.all),
        style,
    )
}

/// `docker plan`
pub fn plan(global: &Global, args: &PlanArgs, style: Style) -> Result<Reply, Failed> {
    let why = Why::of(args.explain, args.all);
    run(global, &args.step, Verb::Plan, why, style)
}

/// `docker explain`
pub fn explain(global: &Global, args: &ExplainArgs, style: Style) -> Result<Reply, Failed> {
    run(
        global,
        &args.step,
        Verb::Explain,
        Why::of(true, args.all),
        style,
    )
}

/// Asks about the step that the arguments describe.
fn run(
    global: &Global,
    args: &StepArgs,
    verb: Verb,
    why: Why,
    style: Style,
) -> Result<Reply, Failed> {
    let config = crate::io::text("the config", &args.config)?;
    let opened = Opened::new(global, &args.session)?;
    let parent = opened.image("the parent", &args.parent)?;
    let platform = match &args.platform {
        Some(platform) => platform.clone(),
        None => platform::default(&opened, parent.as_ref())?,
    };
    let step = Step {
        parent: parent.map(|image| image.id),
        config: Some(config),
        platform,
        last: args.last,
    };
    let mut session = opened.session(verb != Verb::Lookup)?;
    let skipped = session.skipped()?;
    // First, because a lookup may change what there is to explain.
    let explanation = (why != Why::No).then(|| session.explain(&step)).transpose();
    let mut explanation = explanation.map_err(|error| failed(error, &args.config))?;
    if let Some(explanation) = &mut explanation {
        named::put(&opened, explanation);
    }
    let answer = match verb {
        Verb::Lookup => Some(session.lookup(&step)),
        Verb::Plan => Some(session.plan(&step)),
        Verb::Explain => None,
    };
    let answer = answer
        .transpose()
        .map_err(|error| not_written(failed(error, &args.config)))?;
    let document = Document {
        schema: "layerwise/docker-step/1",
        command: verb,
        store: &args.session.store,
        semantics: &opened.semantics,
        parent: step.parent.as_deref(),
        platform: &step.platform,
        sources: session.sources()?,
        skipped,
        answer,
        explanation,
        all: why == Why::All,
    };
    let exit = match (&document.answer, &document.explanation) {
        (Some(answer), _) if answer.image.is_none() => Exit::Miss,
        (None, Some(explanation)) => exit(&explanation.summary),
        _ => Exit::Done,
    };
    Reply::of(style, exit, &document, show)
}

/// The component knows the config by what it is; the user knows its file.
fn failed(error: Error, config: &Path) -> Failed {
    let mut failed = Failed::from(error);
    if failed.operation.as_deref() == Some("read config") {
        let name = format!("{config:?}");
        failed.message = failed.message.replacen("\"config\"", &name, 1);
        failed.subject = Some(config.display().to_string());
    }
    failed
}

/// A store that does not take the changes of an answer may still be asked.
fn not_written(mut failed: Failed) -> Failed {
    let write = matches!(
        failed
            .code
            .as_deref()
            .and_then(|code| code.parse::<Reason>().ok()),
        Some(Reason::SetParentFailed | Reason::RestoreFailed)
    );
    if write && matches!(&*failed.kind, "unsupported" | "denied") {
        failed
            .message
            .push_str("; --plan shows the answer without making its changes");
    }
    failed
}

fn exit(summary: &Finding) -> Exit {
    match summary.code.parse() {
        Ok(Reason::Failed) => Exit::Error,
        Ok(Reason::HitLocal | Reason::HitSourceExact | Reason::HitSourceRestored) => Exit::Done,
        _ => Exit::Miss,
    }
}

fn show(page: &mut Page, document: &Document<'_>) {
    let Document {
        command,
        parent,
        platform,
        semantics,
        answer,
        explanation,
        skipped,
        ..
    } = document;
    let about = [
        ["parent", parent.unwrap_or("scratch")],
        ["platform", &show::platform(platform)],
        ["reading", &why::semantics(semantics)],
    ];
    if let Some(answer) = answer {
        show::answer(page, answer, &about, *command == Verb::Lookup);
        why::findings(page, skipped);
        if explanation.is_none() && answer.outcome == Outcome::Miss {
            page.line("advice: `layerwise docker explain` with the same arguments says why");
        }
    }
    if let Some(explanation) = explanation {
        let about = if answer.is_none() { &about[..] } else { &[] };
        page.gap();
        if document.all {
            why::explanation(page, explanation, about);
            return;
        }
        why::in_short(page, explanation, about);
        if why::has_more(explanation) {
            let verdicts = explanation.findings.len();
            page.gap();
            page.line(&format!("--all shows every verdict ({verdicts})"));
        }
        if answer.is_none() {
            why::findings(page, skipped);
        }
    }
}
