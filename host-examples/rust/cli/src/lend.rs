//! What commands lend the component: directories, registries, and somebody who
//! shows how far work has come.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use layerwise::host::{Failure, Level, Observer};
use layerwise_files::{Files, Root};
use layerwise_registry::{Options, Repositories};

use super::failed::Failed;
use super::limits::HostLimitArgs;
use super::text;

/// Characters of what a bar is for.
const LONGEST: usize = 48;

/// How registries are spoken to.
#[derive(Args)]
#[command(next_help_heading = "Registries")]
pub struct RegistryArgs {
    /// Speak plain HTTP to this registry. Those on loopback need not be named.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub plain_http: Vec<String>,
    /// Speak HTTPS to this registry although it is on loopback.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub https: Vec<String>,
    /// Trust the certificates in this PEM file instead of the system's.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Vec<PathBuf>,
    #[command(flatten)]
    pub limits: HostLimitArgs,
}

/// The directories a command works in.
pub fn files(roots: impl IntoIterator<Item = Root>, bars: &Bars) -> Result<Arc<Files>, Failed> {
    walked(roots, &HostLimitArgs::default(), bars)
}

/// The same, for commands that walk through them.
pub fn walked(
    roots: impl IntoIterator<Item = Root>,
    limits: &HostLimitArgs,
    bars: &Bars,
) -> Result<Arc<Files>, Failed> {
    let bars = bars.clone();
    let files = Files::open(roots)
        .map_err(failed)?
        .with_walk_limits(limits.of_walks());
    let heard = move |done, total| bars.show("hashing", Unit::Bytes, done, total);
    Ok(Arc::new(files.with_progress(heard)))
}

/// Registries and layout directories; files that layers are read from and
/// unpacked into are those of `files`.
pub fn registry(
    args: &RegistryArgs,
    files: Option<&Arc<Files>>,
    bars: &Bars,
) -> Result<Arc<Repositories>, Failed> {
    let mut options = options(args, bars)?;
    if let Some(files) = files {
        options = options.paths(Arc::<Files>::clone(files));
    }
    repositories(options)
}

/// How registries are spoken to, for commands that read and unpack layers
/// elsewhere.
pub fn options(args: &RegistryArgs, bars: &Bars) -> Result<Options, Failed> {
    let bars = bars.clone();
    let mut options = Options::default()
        .limits(args.limits.of_registries())
        .progress(move |item, done, total| bars.show(item, Unit::Bytes, done, total));
    for host in &args.plain_http {
        options = options.plain_http(host);
    }
    for host in &args.https {
        options = options.https(host);
    }
    for path in &args.ca_file {
        let pem = fs::read(path).map_err(|error| Failed::file("certificates", path, &error))?;
        options = options.trust(&pem);
    }
    Ok(options)
}

/// Registries with these settings.
pub fn repositories(options: Options) -> Result<Arc<Repositories>, Failed> {
    Ok(Arc::new(Repositories::new(options).map_err(failed)?))
}

/// What a host's part of the work says.
pub fn failed(failure: Failure) -> Failed {
    Failed::new("host", failure.message)
}

/// One bar for each thing that takes time, on standard error when that is a
/// terminal.
#[derive(Clone, Default)]
pub struct Bars(Arc<Shown>);

#[derive(Default)]
struct Shown {
    all: MultiProgress,
    each: Mutex<HashMap<String, ProgressBar>>,
}

/// What is counted.
#[derive(Clone, Copy)]
enum Unit {
    Bytes,
    Steps,
}

impl Bars {
    /// Shows how much of something was read.
    pub fn bytes(&self, item: &str, done: u64, total: u64) {
        self.show(item, Unit::Bytes, done, total);
    }

    /// Shows how far something is. A total of zero is not known.
    fn show(&self, item: &str, unit: Unit, done: u64, total: u64) {
        let mut each = self.0.each.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = each
            .entry(item.to_owned())
            .or_insert_with(|| self.0.all.add(bar(item, unit)));
        bar.set_length(total.max(done));
        bar.set_position(done);
        if total > 0 && done >= total {
            bar.finish_and_clear();
            each.remove(item);
        }
    }
}

impl Observer for Bars {
    fn log(&self, level: Level, message: &str, _fields: &[(&str, &str)]) {
        if matches!(level, Level::Warn | Level::Error) {
            // A line that cannot be shown changes nothing.
            let _ = self.0.all.println(text::escape(message));
        }
    }

    fn progress(&self, operation: &str, item: &str, done: u64, total: u64) {
        let what = format!("{operation} {item}");
        self.show(&what, Unit::Steps, done, total);
    }
}

fn bar(item: &str, unit: Unit) -> ProgressBar {
    let template = match unit {
        Unit::Bytes => "{prefix} {bar:24} {binary_bytes}/{binary_total_bytes}",
        Unit::Steps => "{prefix} {bar:24} {pos}/{len}",
    };
    let style = ProgressStyle::with_template(template);
    let name = text::short_ids(item);
    let name = text::escape(&name);
    ProgressBar::no_length()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_prefix(text::cut(&name, LONGEST).into_owned())
}
