//! `buildkit builds`: the builds that a daemon remembers or a file holds; and what the
//! commands about builds have in common.

pub mod changed;
mod content;
mod envelope;
mod opened;
mod place;
mod shown;

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use layerwise::builds::read::describe::Description;
use serde::Serialize;

use crate::args::{Global, LimitArgs};
use crate::failed::Failed;
use crate::lend::RegistryArgs;
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};
use crate::report::ReportArgs;

use place::Kind;

use opened::no_build;

pub use opened::{BEFORE, CONTEXT, Found, Opened};
pub use place::Place;
pub use shown::{Shown, ValueArgs, seconds};

/// What `--help` says after the options.
pub const HELP: &str = r#"PLACE is root:DIR, the root of a buildkitd or a data root of Docker, which is read beside the
daemon; or a file that `docker buildx history export` wrote, or --metadata-file (of bake: each
target is a build). Without one, /var/lib/buildkit or
/var/lib/docker is read. Where a container or another machine runs the daemon, export the record
there: docker buildx history export RECORD --output build.dockerbuild

Exit codes: 0 done, 2 usage, 3 error.

--json prints one document, absent members as null:
  schema  "layerwise/buildkit-builds/1"
  builds  the newest first: [{"name": its record, else its target or image, "status": "completed",
          "failed", "cancelled", "running" or "unknown" where there is no record, "created",
          "completed": RFC 3339, "seconds", "total", "cached": numbers of steps, "target",
          "platforms", "images", "error"}]"#;

#[derive(Args)]
pub struct BuildsArgs {
    /// Where the builds are, see below.
    #[arg(value_name = "PLACE")]
    pub place: Option<String>,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// Options of the commands that read a build and report on it.
#[derive(Args)]
pub struct BuildArgs {
    #[command(flatten)]
    pub values: ValueArgs,
    /// The version of buildkitd that made the build, such as 0.12.5, if it is an old one: keys of RUN
    /// are others before 0.16.
    #[arg(long, value_name = "VERSION")]
    pub engine: Option<String>,
    #[command(flatten)]
    pub report: ReportArgs,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
}

impl BuildArgs {
    /// Where builds are read, and the contexts that are lent: of the build, and of the
    /// earlier one.
    pub fn open(
        &self,
        global: &Global,
        (context, before): (Option<&Path>, Option<&Path>),
    ) -> Result<Opened, Failed> {
        let lent = [(CONTEXT, context), (BEFORE, before)];
        let opened = Opened::lending(global, &self.registry, &self.limits, lent)?;
        Ok(opened.by(self.engine.as_deref()))
    }
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    builds: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    status: &'static str,
    created: Option<String>,
    completed: Option<String>,
    seconds: Option<f64>,
    total: u32,
    cached: u32,
    target: Option<String>,
    platforms: Option<String>,
    images: Vec<String>,
    error: Option<String>,
}

/// Lists builds.
pub fn run(global: &Global, args: &BuildsArgs, style: Style) -> Result<Reply, Failed> {
    let place = args.place.clone().unwrap_or_else(|| {
        let roots = ["/var/lib/buildkit", "/var/lib/docker"];
        let found = roots.into_iter().find(|root| Path::new(root).exists());
        format!("root:{}", found.unwrap_or(roots[0]))
    });
    let opened = Opened::new(global, &args.registry, &args.limits, None)?;
    let all = opened.all(&place, &Place::of(&place)?)?;
    let document = Document {
        schema: "layerwise/buildkit-builds/1",
        builds: all.iter().map(row).collect(),
    };
    Reply::of(style, Exit::Done, &document, show)
}

/// The build that was typed; of a root the newest one, if none is named.
pub fn chosen<'a>(text: &str, place: &Place, all: &'a [Found]) -> Result<&'a Found, Failed> {
    let names = || {
        let names = all.iter().map(Found::name).filter(|name| !name.is_empty());
        names.collect::<Vec<_>>().join(", ")
    };
    let not_found = |why: String| Failed::new("not-found", why).about(text);
    let Some(record) = place.record.as_deref() else {
        return match all {
            [] => Err(not_found(format!("{text:?} holds no build"))),
            [first, ..] if all.len() == 1 || matches!(place.kind, Kind::Root(_)) => Ok(first),
            _ => Err(Failed::usage(format!(
                "{text:?} holds {} builds; name one as {text}#RECORD: {}",
                all.len(),
                names()
            ))),
        };
    };
    // A target may be the beginning of another one.
    let whole = all.iter().find(|found| found.name() == record);
    let mut alike = all.iter().filter(|found| found.name().starts_with(record));
    match (whole.or_else(|| alike.next()), alike.next()) {
        (Some(found), _) if whole.is_some() => Ok(found),
        (Some(found), None) => Ok(found),
        (None, _) => Err(no_build(text, record, &names())),
        (Some(_), Some(_)) => Err(Failed::usage(format!(
            "{record:?} is the beginning of several names: {}",
            names()
        ))),
    }
}

/// The builds of a place, with logs added to the one that is meant.
pub fn logged(
    opened: &Opened,
    mut all: Vec<Found>,
    (text, place): (&str, &Place),
    logs: &[PathBuf],
) -> Result<Vec<Found>, Failed> {
    if logs.is_empty() {
        return Ok(all);
    }
    let meant: *const Found = chosen(text, place, &all)?;
    if let Some(at) = all.iter().position(|one| std::ptr::eq(one, meant)) {
        let with_logs = opened.with_logs(all.remove(at), logs, text)?;
        all.insert(at, with_logs);
    }
    Ok(all)
}

/// What became of a build. Without a record nothing tells whether it ended.
fn status(build: &Description) -> &'static str {
    match (build.error.is_empty(), build.completed) {
        (false, _) if build.canceled => "cancelled",
        (false, _) => "failed",
        (true, _) if build.name.is_empty() => "unknown",
        (true, None) => "running",
        (true, Some(_)) => "completed",
    }
}

fn row(found: &Found) -> Row {
    let build = &found.description;
    let time = |time: Option<i64>| {
        let time = Timestamp::from_nanosecond(time?.into()).ok()?;
        Some(format!("{time:.0}"))
    };
    let asked = |name: &str| {
        let mut attributes = build.attributes.iter();
        let found = attributes.find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let took = build.completed.zip(build.created);
    let platforms = build.platforms.join(",");
    Row {
        name: found.name().to_owned(),
        status: status(build),
        created: time(build.created),
        completed: time(build.completed),
        seconds: took.map(|(end, begin)| seconds(end.saturating_sub(begin))),
        total: build.total,
        cached: build.cached,
        target: asked("target"),
        platforms: Some(platforms)
            .filter(|text| !text.is_empty())
            .or_else(|| asked("platform")),
        images: build.images.clone(),
        error: Some(build.error.clone()).filter(|error| !error.is_empty()),
    }
}

fn show(page: &mut Page, document: &Document) {
    let mut rows =
        vec![["BUILD", "STATUS", "CREATED", "SECONDS", "STEPS", "OF"].map(str::to_owned)];
    for build in &document.builds {
        let steps = match build.total {
            0 => String::new(),
            total => format!(
                "{total} ({}% cached)",
                u64::from(build.cached) * 100 / u64::from(total)
            ),
        };
        let of = [
            build.images.join(","),
            build.target.clone().unwrap_or_default(),
        ];
        rows.push([
            build.name.clone(),
            build.status.to_owned(),
            build.created.clone().unwrap_or_default(),
            build
                .seconds
                .map(|seconds| format!("{seconds:.1}"))
                .unwrap_or_default(),
            steps,
            of.join(" ").trim().to_owned(),
        ]);
    }
    page.rows(0, &rows);
}
