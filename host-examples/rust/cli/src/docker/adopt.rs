//! `docker adopt`: marks images as built here, on the word of the user.

use std::path::{Path, PathBuf};

use clap::Args;
use layerwise::host::{Facts, ImageStore as _, Provenance};
use layerwise_stores::{Marks, OciLayout};
use serde::Serialize;

use crate::failed::Failed;
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};

/// What `--help` says.
pub const HELP: &str = r#"An image layout can be copied, so what it says of where an image was built counts only with the key
of this host: $LAYERWISE_MARKS_KEY, else $XDG_STATE_HOME/layerwise/marks.key, else
~/.local/state/layerwise/marks.key. The first mark makes the key, readable for you only. Marks of
another host, of a lost key and of earlier versions do not count until they are adopted. Adopt only
what you know was built here: the guarded reading uses such an image instead of running a step.

To change the key, put a new line before the one in the file (`openssl rand -hex 32`), run
`layerwise docker adopt --renew` for each layout, and remove the old line.

Exit codes: 0 done, 1 an image could not be marked, 2 usage, 3 error.

--json prints one document: {"schema": "layerwise/docker-adopt/1", "store", "key": path of the key,
"adopted": [id], "failed": [{"image": id, "cause": text}]}."#;

/// Which images are marked.
#[derive(Args)]
pub struct AdoptArgs {
    /// The images, as ids or names in the store.
    #[arg(
        value_name = "IMAGE",
        required_unless_present_any = ["marked", "renew"],
        conflicts_with_all = ["marked", "renew"]
    )]
    pub images: Vec<String>,
    /// All images with a mark that does not count here.
    #[arg(long, conflicts_with = "renew")]
    pub marked: bool,
    /// All images with a mark that counts: write it anew with the first key.
    #[arg(long)]
    pub renew: bool,
    /// The image store, `oci:DIRECTORY`.
    #[arg(long, value_name = "oci:DIRECTORY")]
    pub store: String,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    store: &'a str,
    key: Option<PathBuf>,
    adopted: Vec<String>,
    failed: Vec<NotAdopted>,
}

#[derive(Serialize)]
struct NotAdopted {
    image: String,
    cause: String,
}

/// Marks the images that the arguments name.
pub fn run(args: &AdoptArgs, style: Style) -> Result<Reply, Failed> {
    let path = args.store.strip_prefix("oci:").ok_or_else(|| {
        Failed::usage("only an image layout, `oci:PATH`, has marks that can be made")
    })?;
    let store = |failure: layerwise::host::Failure| Failed::new("store", failure.message);
    let marks = Marks::of_user().map_err(store)?;
    let key = marks.path().map(Path::to_owned);
    let layout = OciLayout::open(Path::new(path)).map_err(store)?;
    let layout = layout.with_marks(marks);
    let images = if args.marked {
        layout.unproved().map_err(store)?
    } else if args.renew {
        built_here(&layout).map_err(store)?
    } else {
        let named = args.images.iter();
        let ids = named.map(|name| Ok(crate::io::resolve(&layout, "the image", name)?.id));
        ids.collect::<Result<_, Failed>>()?
    };
    let mut document = Document {
        schema: "layerwise/docker-adopt/1",
        store: &args.store,
        key,
        adopted: Vec::new(),
        failed: Vec::new(),
    };
    for image in images {
        match layout.set_built_here(&image, true) {
            Ok(()) => document.adopted.push(image),
            Err(failure) => document.failed.push(NotAdopted {
                image,
                cause: failure.message,
            }),
        }
    }
    let exit = match &*document.failed {
        [] => Exit::Done,
        [failed] if document.adopted.is_empty() => {
            return Err(Failed::new("store", &*failed.cause).about(&failed.image));
        }
        _ => Exit::Miss,
    };
    Reply::of(style, exit, &document, show)
}

/// The images whose marks hold.
fn built_here(layout: &OciLayout) -> Result<Vec<String>, layerwise::host::Failure> {
    let want = Facts {
        built: true,
        ..Facts::default()
    };
    let ids = layout.ids()?;
    let built = layout.get(&ids, want, u64::MAX).into_iter();
    let built = built.filter_map(|image| image.ok());
    let built = built.filter(|image| image.built == Provenance::BuiltHere);
    Ok(built.map(|image| image.id).collect())
}

fn show(page: &mut Page, document: &Document<'_>) {
    for image in &document.adopted {
        page.line(&format!("built here  {image}"));
    }
    for NotAdopted { image, cause } in &document.failed {
        page.line(&format!("not marked  {image}: {cause}"));
    }
    if document.adopted.is_empty() && document.failed.is_empty() {
        page.line("nothing to mark");
    }
}
