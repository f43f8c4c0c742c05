//! Builds from wherever they are: the documents are fetched here, and read by the
//! component.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use layerwise::base64;
use layerwise::builds::read::assemble::{Form, Options};
use layerwise::builds::read::describe::Description;
use layerwise::builds::read::metadata::Metadata;
use layerwise::builds::read::parts::{Part, Role};
use layerwise::builds::{Files, State};
use layerwise::host::{Failure, FailureCode, Registry};
use layerwise_files::{Access, Root};
use layerwise_host::Imports;
use layerwise_host::builds::{Build, Document, Session};
use layerwise_stores::BuildkitRoot;

use super::content::{Content, Stored, bytes, document, text_of};
use super::envelope::Envelope;
use super::place::{Kind, Place};
use crate::args::{Global, LimitArgs};
use crate::buildkit::archive::Archives;
use crate::buildkit::layers::{Later, Lending};
use crate::failed::Failed;
use crate::lend::{self, Bars, RegistryArgs};

/// Manifests and indexes that lead to each other.
const MOST_MANIFESTS: usize = 1_000;
/// The name by which the component knows the context.
pub const CONTEXT: &str = "/context";
/// The same of the context that the earlier build had.
pub const BEFORE: &str = "/context-before";

/// Where builds are read.
pub struct Opened {
    session: Session,
    /// Where images and caches are.
    pub registry: Arc<dyn Registry + Send + Sync>,
    pub archives: Arc<Archives>,
    /// The directories that are lent.
    pub files: Arc<layerwise_files::Files>,
    limits: Vec<(String, u64)>,
    engine: Option<String>,
}

/// One of the builds that are in a place.
pub struct Found {
    /// What is known of it.
    pub description: Description,
    origin: Origin,
    /// The target of a metadata file of several.
    target: Option<String>,
    /// What it is called where no record has a name for it.
    label: String,
    opened: OnceCell<Rc<Build>>,
}

impl Found {
    /// Its name in the history, else its target or image; empty if it has none of them.
    pub fn name(&self) -> &str {
        match self.description.name.as_str() {
            "" => &self.label,
            name => name,
        }
    }

    /// The target of a metadata file of several.
    pub fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }
}

/// Where its documents are.
enum Origin {
    Documents(Vec<Document>),
    /// The record of a daemon, and logs that are no part of it.
    Root(Rc<BuildkitRoot>, Document, Vec<Document>),
}

impl Opened {
    /// With what commands lend: registries, and the directory of a context.
    pub fn new(
        global: &Global,
        registry: &RegistryArgs,
        limits: &LimitArgs,
        context: Option<&Path>,
    ) -> Result<Self, Failed> {
        Self::lending(global, registry, limits, [(CONTEXT, context)])
    }

    /// With several directories, each under a name.
    pub fn lending<'a>(
        global: &Global,
        registry: &RegistryArgs,
        limits: &LimitArgs,
        directories: impl IntoIterator<Item = (&'static str, Option<&'a Path>)>,
    ) -> Result<Self, Failed> {
        let bars = Bars::default();
        let directories = directories.into_iter();
        let roots = directories.filter_map(|(name, path)| {
            let root = Root::new(path?, Access::ReadOnly);
            Some(root.named(name))
        });
        let archives = Arc::<Archives>::default();
        let repositories: Arc<dyn Registry + Send + Sync> = Arc::new(Lending {
            repositories: lend::registry(registry, None, &bars)?,
            places: Later::default(),
            archives: Arc::clone(&archives),
            bars: bars.clone(),
        });
        let files = lend::walked(roots, &registry.limits, &bars)?;
        let lent = Imports {
            registry: Arc::clone(&repositories),
            files: Arc::<layerwise_files::Files>::clone(&files),
            observer: Arc::new(bars),
            ..Imports::default()
        };
        Ok(Self {
            session: crate::io::engine(global)?.builds(lent, limits.of_session())?,
            registry: repositories,
            archives,
            files,
            limits: limits.named.clone(),
            engine: None,
        })
    }

    /// With the version of the daemon that made the builds, which no record has.
    pub fn by(mut self, engine: Option<&str>) -> Self {
        self.engine = engine.map(ToOwned::to_owned);
        self
    }

    /// A definition that was not built yet.
    pub fn definition(&self, text: &str) -> Result<Found, Failed> {
        let kind = match text {
            "-" => Kind::Input,
            path => Kind::File(path.into()),
        };
        let bytes = bytes(&kind).map_err(|error| {
            let message = format!("cannot read the definition {text:?}: {error}");
            Failed::new("build", message).about(text)
        })?;
        let document = Document {
            form: Form::Definition,
            content: base64::encode(&bytes),
        };
        self.found(vec![document], (None, String::new()), text)
    }

    /// What a daemon keeps of its own builds, if they are in its root, and it can be read:
    /// without it less is proven, and nothing said that is wrong.
    pub fn daemons(&self, found: &Found) -> Option<String> {
        match &found.origin {
            Origin::Root(root, ..) => root.keys().ok().flatten(),
            Origin::Documents(_) => None,
        }
    }

    /// All builds of a place, the newest first.
    pub fn all(&self, text: &str, place: &Place) -> Result<Vec<Found>, Failed> {
        let failed = |why: String| {
            let message = format!("cannot read the build {text:?}: {why}");
            Failed::new("build", message).about(text)
        };
        let mut found = match &place.kind {
            Kind::Root(path) => self.of_root(text, path, place.record.as_deref())?,
            Kind::Image(reference) => {
                let content = self.image(reference).map_err(failed)?;
                let mut found = self.of_parts(&content.1, &content.0, text)?.remove(0);
                found.label.clone_from(reference);
                vec![found]
            }
            Kind::File(_) | Kind::Input => {
                let bytes = bytes(&place.kind).map_err(|error| failed(error.to_string()))?;
                match Envelope::open(bytes).map_err(|error| failed(error.to_string()))? {
                    Envelope::Layout(layout) => {
                        let index = text_of(layout.index.clone()).map_err(failed)?;
                        self.of_parts(&index, &layout, text)?
                    }
                    Envelope::Plain(bytes) => {
                        let document = text_of(bytes).map_err(failed)?;
                        self.of_text(document, place.record.as_deref(), text)?
                    }
                }
            }
        };
        found.sort_by_key(|build| std::cmp::Reverse(build.description.created));
        Ok(found)
    }

    /// Which build comes before another one, as its place among `all`.
    pub fn before(&self, of: &Found, all: &[Found]) -> Result<Option<usize>, Failed> {
        let all: Vec<_> = all.iter().map(|build| build.description.clone()).collect();
        Ok(self.session.before(&of.description, &all)?)
    }

    /// The build, with all of its documents.
    pub fn open(&self, found: &Found) -> Result<Rc<Build>, Failed> {
        if let Some(build) = found.opened.get() {
            return Ok(Rc::clone(build));
        }
        let build = self.read(&self.documents(found)?, found.target())?;
        Ok(Rc::clone(found.opened.get_or_init(|| Rc::new(build))))
    }

    /// All documents of a build.
    pub fn documents(&self, found: &Found) -> Result<Vec<Document>, Failed> {
        match &found.origin {
            Origin::Documents(documents) => Ok(documents.clone()),
            Origin::Root(root, record, logs) => {
                let parts = self.session.parts(record, &self.limits)?;
                let mut documents = vec![record.clone()];
                for part in parts {
                    let bytes = root.read(&part.descriptor);
                    let name = &found.description.name;
                    let bytes = bytes.map_err(|why| {
                        let message = format!("cannot read the build {name:?}: {why}");
                        Failed::new("build", message).about(name)
                    })?;
                    documents.push(document(part.role, bytes)?);
                }
                documents.extend(logs.iter().cloned());
                Ok(documents)
            }
        }
    }

    /// What a daemon knows of the folders of a build: it keeps what the last one had.
    pub fn contexts(&self, found: &Found, all: &[Found]) -> Result<Vec<(String, Files)>, Failed> {
        let Origin::Root(root, ..) = &found.origin else {
            return Ok(Vec::new());
        };
        let is_newest = |newest: &Found| newest.description.name == found.description.name;
        if !all.first().is_some_and(is_newest) {
            return Ok(Vec::new());
        }
        let contexts = root.contexts().map_err(lend::failed)?.into_iter();
        Ok(contexts
            .map(|(name, digests)| (name, Files::Digests(base64::encode(&digests))))
            .collect())
    }

    /// Reads documents as one build.
    pub fn read(&self, documents: &[Document], target: Option<&str>) -> Result<Build, Failed> {
        let options = Options {
            target: target.map(ToOwned::to_owned),
            engine: self.engine.clone(),
            limits: self.limits.clone(),
        };
        Ok(self.session.read(documents, &options)?)
    }

    fn found(
        &self,
        documents: Vec<Document>,
        (target, label): (Option<&str>, String),
        text: &str,
    ) -> Result<Found, Failed> {
        let build = self.read(&documents, target).map_err(|mut failed| {
            failed.message = format!("cannot read the build {text:?}: {}", failed.message);
            failed
        })?;
        let description = build.describe()?;
        let mut asked = description.attributes.iter();
        let asked = asked.find(|(name, _)| name == "target");
        let label = match (label.as_str(), asked) {
            ("", Some((_, target))) => target.clone(),
            _ => label,
        };
        Ok(Found {
            description,
            origin: Origin::Documents(documents),
            target: target.map(ToOwned::to_owned),
            label,
            opened: OnceCell::from(Rc::new(build)),
        })
    }

    /// The builds that a manifest or an index leads to.
    fn of_parts(
        &self,
        first: &Document,
        content: &dyn Content,
        text: &str,
    ) -> Result<Vec<Found>, Failed> {
        let failed = |why: String| {
            let message = format!("cannot read the build {text:?}: {why}");
            Failed::new("build", message).about(text)
        };
        let mut builds: Vec<Vec<Document>> = Vec::new();
        let mut rest = vec![(None, first.clone())];
        let mut seen = 0;
        while let Some((build, manifest)) = rest.pop() {
            seen += 1;
            if seen > MOST_MANIFESTS {
                return Err(failed(format!("more than {MOST_MANIFESTS} manifests")));
            }
            for part in self.session.parts(&manifest, &self.limits)? {
                let Part {
                    role,
                    descriptor,
                    build: place,
                } = part;
                // Only the first index tells builds apart.
                let build = build.unwrap_or(place);
                let bytes = content.read(&descriptor).map_err(failed)?;
                let document = document(role, bytes)?;
                if role == Role::Manifest {
                    rest.push((Some(build), document));
                    continue;
                }
                let build = usize::try_from(build).unwrap_or(usize::MAX);
                if build > MOST_MANIFESTS {
                    return Err(failed(format!("more than {MOST_MANIFESTS} builds")));
                }
                if builds.len() <= build {
                    builds.resize(build + 1, Vec::new());
                }
                if let Some(documents) = builds.get_mut(build) {
                    documents.push(document);
                }
            }
        }
        if builds.is_empty() {
            return Err(failed("nothing in it is the record of a build".to_owned()));
        }
        let builds = builds.into_iter();
        builds
            .map(|documents| self.found(documents, (None, String::new()), text))
            .collect()
    }

    /// The build of a document, or of a metadata file of several those of all its targets.
    fn of_text(
        &self,
        document: Document,
        wanted: Option<&str>,
        text: &str,
    ) -> Result<Vec<Found>, Failed> {
        let Metadata { targets, image } = Metadata::of(&document.content);
        if targets.is_empty() {
            let label = image.unwrap_or_default();
            return Ok(vec![self.found(vec![document], (None, label), text)?]);
        }
        let of = |target: &String| {
            let documents = vec![document.clone()];
            self.found(documents, (Some(target), target.clone()), text)
        };
        match wanted {
            None => targets.iter().map(of).collect(),
            Some(wanted) if targets.iter().any(|target| target == wanted) => {
                Ok(vec![of(&wanted.to_owned())?])
            }
            Some(wanted) => Err(no_build(text, wanted, &targets.join(", "))),
        }
    }

    /// A build with logs of `--progress=rawjson` added to it.
    pub fn with_logs(&self, found: Found, logs: &[PathBuf], text: &str) -> Result<Found, Failed> {
        let mut added = Vec::with_capacity(logs.len());
        for path in logs {
            let what = "the log";
            let content = crate::io::text(what, path)?;
            let form = Form::Text;
            let document = Document { form, content };
            let alone = self
                .read(std::slice::from_ref(&document), None)?
                .describe()?;
            if !alone.platforms.is_empty() || !alone.name.is_empty() {
                let message = format!("{path:?} is no log of --progress=rawjson");
                return Err(Failed::usage(message).about(path.display()));
            }
            added.push(document);
        }
        let Found {
            description,
            origin,
            target,
            label,
            ..
        } = found;
        let found = match origin {
            Origin::Root(root, record, _) => Found {
                description,
                origin: Origin::Root(root, record, added),
                target,
                label,
                opened: OnceCell::new(),
            },
            Origin::Documents(mut documents) => {
                documents.extend(added);
                self.found(documents, (target.as_deref(), label), text)?
            }
        };
        let steps = self.open(&found)?.steps()?;
        let told = |state| !matches!(state, State::Unneeded | State::Unknown);
        if !steps.is_empty() && !steps.iter().any(|step| told(step.state)) {
            let message =
                format!("the log of {text:?} has none of its steps: it is of another build");
            return Err(Failed::usage(message).about(text));
        }
        Ok(found)
    }

    fn of_root(&self, text: &str, path: &Path, record: Option<&str>) -> Result<Vec<Found>, Failed> {
        let root = BuildkitRoot::open(path).and_then(|root| Ok((root.records()?, root)));
        let (records, root) = root.map_err(|failure| unreached(text, record, &failure))?;
        let root = Rc::new(root);
        let found = records.into_iter().map(|record| {
            let document = Document {
                form: Form::Record,
                content: base64::encode(&record.message),
            };
            let build = self.read(std::slice::from_ref(&document), None)?;
            Ok(Found {
                description: build.describe()?,
                origin: Origin::Root(Rc::clone(&root), document, Vec::new()),
                target: None,
                label: String::new(),
                opened: OnceCell::new(),
            })
        });
        found.collect()
    }

    /// The manifest of an image, and where it is.
    fn image(&self, reference: &str) -> Result<(Stored<'_>, Document), String> {
        let words = |failure: Failure| failure.message;
        let registry = &*self.registry;
        let repository = registry.locate(reference).map_err(words)?;
        let mut resolved = registry.resolve(&[reference.to_owned()]);
        let mut found = resolved.pop().unwrap_or(Ok(Vec::new())).map_err(words)?;
        let manifest = found.pop().ok_or("it names nothing")?;
        let stored = Stored {
            registry,
            repository,
        };
        let document = text_of(stored.read(&manifest)?)?;
        Ok((stored, document))
    }
}

/// A name that no build of a place has.
pub fn no_build(text: &str, wanted: &str, names: &str) -> Failed {
    let message = match names {
        "" => format!("no build {wanted:?} is there: the one of {text:?} has no name"),
        names => format!("no build {wanted:?} is there, only {names}"),
    };
    Failed::new("not-found", message).about(text)
}

/// Why a daemon's root cannot be read, and how its builds are had all the same.
fn unreached(text: &str, record: Option<&str>, failure: &Failure) -> Failed {
    let mut message = format!("cannot read the builds of {text:?}: {}", failure.message);
    if failure.code != FailureCode::Unsupported {
        let record = record
            .map(|record| format!("{record} "))
            .unwrap_or_default();
        message.push_str(&format!(
            "; where a container or another machine runs the daemon, run \
             `docker buildx history export {record}--output build.dockerbuild` and name the file"
        ));
    }
    Failed::new("store", message).about(text)
}
