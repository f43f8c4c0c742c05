//! A project on disk: its directories, what is lent of them, and sessions over
//! its cache.

use std::collections::BTreeMap;
use std::env::consts;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use layerwise::semantics::Semantics;
use layerwise::stacker::{Build, Epoch, LayerType, Options, Places, Reason};
use layerwise_files::{Access, Files, Root, encode};
use layerwise_host::stacker::Session;
use layerwise_host::{Engine, Imports};

use super::args::{FileArgs, ProjectArgs};
use super::file::{Around, Layer, Project, Substitution};
use crate::args::Global;
use crate::failed::Failed;
use crate::lend::{self, Bars};

/// The directories, absolute.
#[derive(Clone, Debug)]
pub struct Directories {
    /// As it was named, which is what stacker substitutes.
    named: PathBuf,
    /// Where relative paths start.
    work: PathBuf,
    pub stacker: PathBuf,
    pub roots: PathBuf,
    pub oci: PathBuf,
}

/// A project, and how sessions over it are opened.
pub struct Opened<'a> {
    pub semantics: Semantics,
    pub directories: Directories,
    pub project: Project,
    args: &'a ProjectArgs,
    engine: Engine,
    files: Arc<Files>,
    bars: Bars,
}

impl<'a> Opened<'a> {
    /// Reads the stackerfiles, if any are asked about, and opens what they and
    /// the arguments name.
    pub fn new(
        global: &Global,
        args: &'a ProjectArgs,
        file: Option<&FileArgs>,
        writes: bool,
    ) -> Result<Self, Failed> {
        let semantics = args.semantics()?;
        let directories = Directories::new(args)?;
        if writes {
            directories.check_stacker()?;
            directories.check_results()?;
        }
        let project = match file {
            Some(file) => Project::read(&file.files, &around(file, &semantics, &directories)?)?,
            None => Project::default(),
        };
        let bars = Bars::default();
        let files = lend::walked(
            roots(&directories, &project, writes)?,
            &args.host_limits,
            &bars,
        )?;
        Ok(Self {
            semantics,
            directories,
            project,
            args,
            engine: crate::io::engine(global)?,
            files,
            bars,
        })
    }

    /// Opens the cache to decide as a build would that starts now and is asked
    /// for these layer types. Writes nothing.
    pub fn build(&self, types: &[String]) -> Result<Session, Failed> {
        for text in types {
            LayerType::wanted(text)
                .map_err(|_| Failed::usage(format!("{text:?} is no layer type, such as tar")))?;
        }
        let directory = encode(self.directories.work.as_os_str().as_bytes());
        let types = types.to_vec();
        self.open(true, Some(Build { directory, types }))
    }

    /// Opens the cache.
    pub fn session(&self, dry_run: bool) -> Result<Session, Failed> {
        self.open(dry_run, None)
    }

    fn open(&self, dry_run: bool, build: Option<Build>) -> Result<Session, Failed> {
        let name = |path: &Path| encode(path.as_os_str().as_bytes());
        let options = Options {
            semantics: self.semantics.clone(),
            places: Places {
                stacker: name(&self.directories.stacker),
                rootfs: name(&self.directories.roots),
                oci: name(&self.directories.oci),
            },
            epoch: self.args.source_date_epoch.unwrap_or(Epoch::Unstated),
            definitions: self.project.definitions(),
            dry_run,
            build,
            limits: self.args.limits.named.clone(),
        };
        let lent = Imports {
            files: Arc::<Files>::clone(&self.files),
            observer: Arc::new(self.bars.clone()),
            ..Imports::default()
        };
        let limits = self.args.limits.of_session();
        self.engine
            .stacker(lent, options, limits)
            .map_err(|error| self.failed(error.into()))
    }

    /// The layers that are asked about, in the order of the build.
    pub fn layers(&self, wanted: &[String]) -> Result<Vec<&Layer>, Failed> {
        let all = &self.project.layers;
        for name in wanted {
            if !all.iter().any(|layer| layer.name == *name) {
                return Err(unknown(name, all));
            }
        }
        let asked = |layer: &&Layer| wanted.is_empty() || wanted.contains(&layer.name);
        Ok(all.iter().filter(asked).collect())
    }

    /// What the component cannot know: which option states an input, and in which
    /// file a definition is.
    pub fn failed(&self, mut failed: Failed) -> Failed {
        let about = failed.subject.clone().unwrap_or_default();
        match failed.code.as_deref().map(str::parse) {
            Some(Ok(Reason::InputMissing)) if about == "SOURCE_DATE_EPOCH" => {
                failed
                    .message
                    .push_str("; give --source-date-epoch SECONDS, or --source-date-epoch unset");
            }
            Some(Ok(Reason::BadDefinition | Reason::UnsafeName)) => {
                let layer = self.project.layers.iter().find(|layer| layer.name == about);
                if let Some(layer) = layer {
                    let place = format!(" ({:?}, line {})", layer.file, layer.line);
                    failed.message.push_str(&place);
                }
            }
            _ => {}
        }
        failed
    }
}

impl ProjectArgs {
    fn semantics(&self) -> Result<Semantics, Failed> {
        let given = self.reading.semantics();
        match (&self.cache_version, &given.version) {
            (Some(one), Some(other)) if one != other => Err(Failed::usage(format!(
                "--cache-version {one} and --compatible={other} name two versions"
            ))),
            (version, other) => Ok(Semantics {
                version: version.clone().or(other.clone()),
                ..given
            }),
        }
    }
}

impl Directories {
    /// The directories of a project; those that were named have to be there.
    pub fn new(args: &ProjectArgs) -> Result<Self, Failed> {
        let work = match &args.work_dir {
            Some(work) => absolute(work)?,
            None => absolute(Path::new("."))?,
        };
        let place = |given: &Option<PathBuf>, name: &str| match given {
            Some(given) => absolute(given),
            None => Ok(work.join(name)),
        };
        let directories = Self {
            stacker: place(&args.stacker_dir, ".stacker")?,
            roots: place(&args.roots_dir, "roots")?,
            oci: place(&args.oci_dir, "oci")?,
            named: args.work_dir.clone().unwrap_or_default(),
            work,
        };
        // A name that was typed is no first build.
        if args.stacker_dir.is_some() {
            directories.check_stacker()?;
        }
        if args.oci_dir.is_some() {
            directories.check_results()?;
        }
        Ok(directories)
    }

    fn check_stacker(&self) -> Result<(), Failed> {
        is_directory("stacker directory", "--stacker-dir", &self.stacker)
    }

    /// A layout that is not there would be a cache without results: all of it
    /// would be dropped for a mistyped name.
    fn check_results(&self) -> Result<(), Failed> {
        is_directory("layout of results", "--oci-dir", &self.oci)
    }

    /// The values that stacker has for its own names.
    fn substitutions(&self, version: u32) -> Result<Vec<Substitution>, Failed> {
        let mut places = vec![
            ("STACKER_ROOTFS_DIR", &self.roots),
            ("STACKER_STACKER_DIR", &self.stacker),
            ("STACKER_OCI_DIR", &self.oci),
        ];
        if version >= 16 {
            places.push(("STACKER_WORK_DIR", &self.named));
        }
        let value = |(name, path): (&str, &PathBuf)| match path.to_str() {
            Some(path) => Ok(Substitution::new(name, path)),
            None => Err(Failed::unreadable(
                "the directory",
                path,
                "its name is not utf-8",
            )),
        };
        places.into_iter().map(value).collect()
    }
}

fn is_directory(what: &str, option: &str, path: &Path) -> Result<(), Failed> {
    let found = std::fs::metadata(path);
    let found = found.map_err(|error| Failed::file(&format!("the {what}"), path, &error));
    if found?.is_dir() {
        return Ok(());
    }
    let why = format!("it is no directory; name it with {option}");
    Err(Failed::unreadable(&format!("the {what}"), path, &why))
}

fn around(
    file: &FileArgs,
    semantics: &Semantics,
    directories: &Directories,
) -> Result<Around, Failed> {
    let version = if semantics.version.as_deref() == Some("12") {
        12
    } else {
        16
    };
    let mut substitutions = file.substitute.clone();
    substitutions.extend(directories.substitutions(version)?);
    let (os, arch) = match &file.system {
        Some((os, arch)) => (os.clone(), arch.clone()),
        None => (go_name(consts::OS), go_name(consts::ARCH)),
    };
    Ok(Around {
        version,
        substitutions,
        os,
        arch,
    })
}

/// What Go calls a system or processor.
fn go_name(name: &str) -> String {
    match name {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        "loongarch64" => "loong64",
        "macos" => "darwin",
        other => other,
    }
    .to_owned()
}

/// What is lent: the directories of the project, and what its layers are made
/// from. Each is opened at the nearest directory above it, so that whether it is
/// there, and whether it is a link, is seen.
fn roots(directories: &Directories, project: &Project, writes: bool) -> Result<Vec<Root>, Failed> {
    let sources = project.layers.iter().flat_map(|layer| &layer.sources);
    let sources = sources
        .map(|source| clean(directories.work.join(source).as_os_str()))
        .filter(|source| source.is_absolute());
    let places = [&directories.roots, &directories.oci, &directories.stacker];
    let mut lent: BTreeMap<PathBuf, Access> = BTreeMap::new();
    for place in places.into_iter().cloned().chain(sources) {
        let above = place.parent().unwrap_or(&place);
        let there = above.ancestors().find(|directory| directory.is_dir());
        let there = there.unwrap_or(Path::new("/"));
        lent.insert(there.to_owned(), Access::ReadOnly);
    }
    if writes {
        lent.insert(directories.stacker.clone(), Access::Writable);
    }
    Ok(lent
        .into_iter()
        .map(|(path, access)| Root::new(path, access))
        .collect())
}

/// An absolute path without `.`, `..` and repeated slashes, as stacker makes it:
/// without a look at links.
fn absolute(path: &Path) -> Result<PathBuf, Failed> {
    let whole = std::path::absolute(path);
    let whole = whole.map_err(|error| Failed::file("the directory", path, &error))?;
    Ok(clean(whole.as_os_str()))
}

fn clean(path: &OsStr) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::ParentDir => {
                cleaned.pop();
            }
            Component::CurDir => {}
            other => cleaned.push(other),
        }
    }
    cleaned
}

fn unknown(name: &str, all: &[Layer]) -> Failed {
    let nearest = all
        .iter()
        .min_by_key(|layer| strsim::damerau_levenshtein(&layer.name, name));
    let hint = nearest.map_or(String::new(), |layer| {
        format!("; the nearest is {:?}", layer.name)
    });
    Failed::new("not-found", format!("no layer has the name {name:?}{hint}")).about(name)
}
