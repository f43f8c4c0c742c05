//! `docker diff`: where two images part, and in which files.

use clap::Args;
use layerwise::docker::{ImageComparison, StepComparison};
use layerwise::explain::Difference;
use layerwise::host::Image;
use layerwise::semantics::Semantics;
use layerwise_host::SessionLimits;
use layerwise_registry::{Changed, Files, Placed};
use layerwise_stores::{Images, Layer};
use serde::Serialize;

use super::{files, place};
use crate::args::Global;
use crate::failed::Failed;
use crate::io;
use crate::limits::HostLimitArgs;
use crate::page::{Page, quoted};
use crate::reply::{Exit, Reply, Style};
use crate::report::{self, Change, FileChange};

/// What `--help` says about the output; [`Document`] is the type of the JSON.
pub const HELP: &str = r#"Steps are paired by their place in the history. Files are compared as a container sees them: all
layers of an image laid on top of each other. In a Docker data root the contents of layers are
compared by the checksums that the engine keeps, elsewhere by SHA-256. Files of which only the time
differs are counted; --verbose lists them, too.

A layer that cannot be read is reported and passed over. Nothing is changed.
Exit codes: 0 the same image, 1 different images, 2 usage, 3 error.

--json prints one document, absent members as null:
  schema       "layerwise/docker-diff/1"
  store        as given
  old, new     {"name": as given, "image": its id}
  same         true: one image
  first        place in the history of the first step that differs
  steps        [{"index": place in the history, "old", "new": {"command", "layer": place among the
               layers}, "differences": members of the history entry, and "layer"}], all of them
  differences  what differs in the documents beside the history
  files        [{"path", "change": "added", "removed" or "changed", "differences": "kind", "content",
               "size", "target", "mode", "owner", "time", "attribute NAME", "old-step", "new-step":
               the step that put the file there}]
  unread       [{"image": "old" or "new", "layer": diff id, "why"}]
A difference is {"path", "have": of old, "want": of new}."#;

/// Which images.
#[derive(Args)]
pub struct DiffArgs {
    /// The old image, as an id or a name in the store.
    pub old: String,
    /// The new image.
    pub new: String,
    /// The image store: `docker:DIRECTORY` a Docker data root (without a directory
    /// /var/lib/docker), `containerd:DIRECTORY` or `containerd:DIRECTORY#NAMESPACE` the images of
    /// containerd, `oci:DIRECTORY` an OCI image layout, `archive:FILE` a tar of `docker save`.
    #[arg(long, value_name = "KIND:PATH", default_value = "docker:")]
    pub store: String,
    #[command(flatten)]
    pub limits: HostLimitArgs,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    store: &'a str,
    old: Side<'a>,
    new: Side<'a>,
    same: bool,
    first: Option<usize>,
    steps: Vec<Step<'a>>,
    differences: &'a [Difference],
    files: Vec<File>,
    unread: Vec<Unread>,
}

#[derive(Serialize)]
struct Side<'a> {
    name: &'a str,
    image: &'a str,
}

#[derive(Serialize)]
struct Step<'a> {
    index: usize,
    old: Option<Made<'a>>,
    new: Option<Made<'a>>,
    differences: &'a [Difference],
}

#[derive(Serialize)]
struct Made<'a> {
    command: &'a str,
    layer: Option<u32>,
}

#[derive(Serialize)]
struct File {
    #[serde(flatten)]
    change: FileChange,
    #[serde(rename = "old-step")]
    old: Option<usize>,
    #[serde(rename = "new-step")]
    new: Option<usize>,
}

#[derive(Serialize)]
struct Unread {
    image: &'static str,
    layer: String,
    why: String,
}

/// Compares.
pub fn run(global: &Global, args: &DiffArgs, style: Style) -> Result<Reply, Failed> {
    let store = place::open(&args.store)?.images;
    let old = io::resolve(&*store, "the old image", &args.old)?;
    let new = io::resolve(&*store, "the new image", &args.new)?;
    let same = old.id == new.id;
    let found = if same {
        ImageComparison::default()
    } else {
        let mut predicates = io::engine(global)?.docker_predicates(SessionLimits::default())?;
        let text = |image: &Image| image.document.clone().unwrap_or_default();
        predicates.compare_images(&text(&old), &text(&new), &Semantics::guarded())?
    };
    let mut trees = Trees::default();
    if !same {
        trees.read(&*store, &args.limits, &old.id, &new.id)?;
    }
    let changes = trees.old.changes(&trees.new);
    let steps: Vec<Step<'_>> = found.steps.iter().enumerate().map(Step::of).collect();
    let document = Document {
        schema: "layerwise/docker-diff/1",
        store: &args.store,
        old: Side {
            name: &args.old,
            image: &old.id,
        },
        new: Side {
            name: &args.new,
            image: &new.id,
        },
        same,
        first: steps
            .iter()
            .find(|step| step.parts())
            .map(|step| step.index),
        differences: &found.differences,
        files: changes
            .iter()
            .map(|changed| File::of(changed, &steps))
            .collect(),
        steps,
        unread: trees.unread,
    };
    let exit = if same { Exit::Done } else { Exit::Miss };
    Reply::of(style, exit, &document, show)
}

/// The files of both images.
#[derive(Default)]
struct Trees {
    old: Files,
    new: Files,
    unread: Vec<Unread>,
}

impl Trees {
    /// The layers that both images begin with are read once.
    fn read(
        &mut self,
        store: &dyn Images,
        limits: &HostLimitArgs,
        old: &str,
        new: &str,
    ) -> Result<(), Failed> {
        let layers = |what: &str, id: &str| {
            let layers = store.layers(id);
            layers.map_err(|failure| Failed::store(what, id, &failure))
        };
        let mut old = layers("the layers of the old image", old)?;
        let mut new = layers("the layers of the new image", new)?;
        let pairs = old.iter().zip(&new);
        let common = pairs
            .take_while(|(old, new)| old.diff_id == new.diff_id)
            .count();
        let (above_old, above_new) = (old.split_off(common), new.split_off(common));
        self.put("old", 0, old, limits, |trees| &mut trees.old);
        self.new = self.old.clone();
        self.put("old", common, above_old, limits, |trees| &mut trees.old);
        self.put("new", common, above_new, limits, |trees| &mut trees.new);
        Ok(())
    }

    fn put(
        &mut self,
        image: &'static str,
        first: usize,
        layers: Vec<Layer>,
        limits: &HostLimitArgs,
        files: impl Fn(&mut Self) -> &mut Files,
    ) {
        let limits = limits.of_registries();
        for (place, layer) in layers.into_iter().enumerate() {
            let place = first.saturating_add(place);
            let put = |stored| files(self).put(place, stored, &limits);
            if let Err(failure) = layer.stored.and_then(put) {
                self.unread.push(Unread {
                    image,
                    layer: layer.diff_id.to_string(),
                    why: failure.to_string(),
                });
            }
        }
    }
}

impl<'a> Step<'a> {
    fn of((index, step): (usize, &'a StepComparison)) -> Self {
        let made = |made: &'a layerwise::docker::Made| Made {
            command: &made.command,
            layer: made.layer,
        };
        Self {
            index,
            old: step.old.as_ref().map(made),
            new: step.new.as_ref().map(made),
            differences: &step.differences,
        }
    }

    fn parts(&self) -> bool {
        self.old.is_none() || self.new.is_none() || !self.differences.is_empty()
    }

    fn command(&self) -> &'a str {
        let made = self.new.as_ref().or(self.old.as_ref());
        made.map_or("", |made| made.command)
    }
}

impl File {
    fn of(changed: &Changed<'_>, steps: &[Step<'_>]) -> Self {
        let step = |placed: Option<&Placed>, made: fn(&Step<'_>) -> Option<u32>| {
            let layer = u32::try_from(placed?.layer).ok()?;
            let step = steps.iter().find(|step| made(step) == Some(layer))?;
            Some(step.index)
        };
        Self {
            change: files::change(changed),
            old: step(changed.old, |step| step.old.as_ref()?.layer),
            new: step(changed.new, |step| step.new.as_ref()?.layer),
        }
    }

    /// Whether only the time differs: a step that ran again gives its files new ones.
    fn is_touched(&self) -> bool {
        let mut all = self.change.differences.iter();
        self.change.change == Change::Changed && all.all(|difference| difference.path == "time")
    }
}

fn show(page: &mut Page, document: &Document<'_>) {
    let Document {
        old,
        new,
        same,
        first,
        steps,
        differences,
        files,
        unread,
        ..
    } = document;
    page.line(if *same { "same" } else { "different" });
    page.rows(
        2,
        &[["old", old.name, old.image], ["new", new.name, new.image]],
    );
    for layer in unread {
        page.rows(2, &[["not read", layer.image, &layer.layer, &layer.why]]);
    }
    if let Some(first) = first.and_then(|first| steps.get(first)) {
        page.gap();
        page.line(&format!(
            "the images part at step {}: {}",
            first.index,
            first.command()
        ));
        for step in steps.iter().filter(|step| step.parts()) {
            show_step(page, step);
        }
    }
    if !differences.is_empty() {
        page.gap();
        page.line("beside the steps:");
        show_differences(page, 2, differences);
    }
    show_files(page, files);
}

fn show_step(page: &mut Page, step: &Step<'_>) {
    let state = match (&step.old, &step.new) {
        (Some(_), None) => "only in the old image",
        (None, Some(_)) => "only in the new image",
        _ => "",
    };
    page.rows(2, &[[&*step.index.to_string(), step.command(), state]]);
    show_differences(page, 6, step.differences);
}

fn show_differences(page: &mut Page, indent: usize, differences: &[Difference]) {
    let rows: Vec<[String; 3]> = differences
        .iter()
        .map(|difference| {
            [
                difference.path.clone(),
                format!("old {}", quoted(difference.have.as_deref())),
                format!("new {}", quoted(difference.want.as_deref())),
            ]
        })
        .collect();
    page.rows(indent, &rows);
}

fn show_files(page: &mut Page, files: &[File]) {
    let all = page.style().verbose;
    let (touched, shown): (Vec<&File>, Vec<&File>) =
        files.iter().partition(|file| !all && file.is_touched());
    if files.is_empty() {
        return;
    }
    page.gap();
    page.line("files:");
    report::files(page, 2, shown.iter().map(|file| &file.change));
    if !touched.is_empty() {
        let count = match touched.len() {
            1 => "1 file has".to_owned(),
            count => format!("{count} files have"),
        };
        page.line(&format!(
            "  {count} another time and nothing else; --verbose lists them"
        ));
    }
}
