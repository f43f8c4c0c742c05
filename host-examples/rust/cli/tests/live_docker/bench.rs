//! Builds, decided twice: by the component over the engine's data root, then by
//! the engine.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use layerwise::docker::{Answer, CacheFrom, Effect, Options, Outcome, Policy, Step};
use layerwise::explain::Explanation;
use layerwise::host::ImageStore;
use layerwise::semantics::Semantics;
use layerwise_host::docker::Session;
use layerwise_host::{EngineOptions, Imports, SessionLimits};
use layerwise_stores::DockerRoot;
use serde_json::Value;

use super::context::{File, archive};
use super::engine::Engine;
use super::model::{Instruction, Stage};

/// A build of one stage.
#[derive(Clone, Debug, Default)]
pub struct Build {
    /// `scratch` or a name.
    pub from: String,
    pub steps: Vec<Instruction>,
    /// The build context.
    pub files: Vec<File>,
    /// Names given with `--cache-from`.
    pub sources: Vec<String>,
    /// Build arguments that are given.
    pub arguments: BTreeMap<&'static str, &'static str>,
    /// What the result is called.
    pub tag: String,
}

impl Build {
    /// The same build with one step replaced.
    pub fn with(&self, index: usize, instruction: Instruction) -> Self {
        let mut other = self.clone();
        other.steps[index] = instruction;
        other
    }

    /// The same build with sources.
    pub fn with_sources(&self, sources: &[&str]) -> Self {
        let mut other = self.clone();
        other.sources = sources.iter().map(|&name| name.to_owned()).collect();
        other
    }

    fn dockerfile(&self) -> String {
        let mut text = format!("FROM {}\n", self.from);
        for step in &self.steps {
            text.push_str(&step.line());
            text.push('\n');
        }
        text
    }

    /// The document and id of the image it stands on.
    fn base(&self, engine: &Engine) -> Option<(String, String)> {
        (self.from != "scratch").then(|| {
            let image = engine.image(&self.from);
            (image.id, image.document.unwrap())
        })
    }
}

/// What the engine did in a step.
#[derive(Debug)]
pub struct Done {
    /// It said "Using cache".
    pub cached: bool,
    /// The image.
    pub id: String,
}

/// A session over what an engine has now; nothing is changed.
pub fn session(engine: &Engine, build: &Build, semantics: Semantics) -> Session {
    session_over(engine.images(), engine, build, semantics)
}

/// A session over images that an engine could have.
pub fn session_over(
    images: DockerRoot,
    engine: &Engine,
    build: &Build,
    semantics: Semantics,
) -> Session {
    open(Arc::new(images), engine, build, semantics, true)
}

fn open(
    images: Arc<dyn ImageStore + Send + Sync>,
    engine: &Engine,
    build: &Build,
    semantics: Semantics,
    dry_run: bool,
) -> Session {
    static COMPONENT: OnceLock<layerwise_host::Engine> = OnceLock::new();
    let component =
        COMPONENT.get_or_init(|| layerwise_host::Engine::new(&EngineOptions::default()).unwrap());
    let source = |reference: &String| CacheFrom {
        reference: reference.clone(),
        trusted: false,
    };
    let options = Options {
        semantics,
        cache_from: build.sources.iter().map(source).collect(),
        policy: Policy {
            dry_run,
            ..Policy::default()
        },
        docker_version: engine.version.clone(),
        ..Options::default()
    };
    let imports = Imports {
        images,
        ..Imports::default()
    };
    component
        .docker(imports, options, SessionLimits::default())
        .unwrap()
}

/// What the component says of a build before it runs: one answer for each step
/// up to the first miss.
pub fn foretell(engine: &Engine, build: &Build) -> Vec<Answer> {
    let session = session(engine, build, Semantics::compatible(Some("20.10")));
    ask(session, engine, build)
}

/// Does the same in another store, which is changed as an engine would change its own.
pub fn restore(
    images: Arc<dyn ImageStore + Send + Sync>,
    engine: &Engine,
    build: &Build,
) -> Vec<Answer> {
    let semantics = Semantics::compatible(Some("20.10"));
    ask(open(images, engine, build, semantics, false), engine, build)
}

fn ask(mut session: Session, engine: &Engine, build: &Build) -> Vec<Answer> {
    let base = build.base(engine);
    let mut stage = Stage::new(
        base.as_ref().map(|b| b.1.as_str()),
        &build.files,
        &build.arguments,
    );
    let mut parent = base.map(|b| b.0);
    let mut answers = Vec::new();
    for instruction in &build.steps {
        let step = Step {
            config: Some(stage.ask(instruction, parent.as_deref()).to_string()),
            parent,
            platform: engine.platform.clone(),
            last: false,
        };
        let why = session.explain(&step).unwrap();
        let answer = session.lookup(&step).unwrap();
        agree(&answer, &why);
        parent = answer.image.clone();
        answers.push(answer);
        if parent.is_none() {
            break;
        }
    }
    answers
}

/// The explanation tells the same outcome.
fn agree(answer: &Answer, why: &Explanation) {
    let summary = match answer.outcome {
        Outcome::HitLocal => "docker/hit-local",
        Outcome::HitSource => "docker/hit-source-exact",
        Outcome::HitRestored => "docker/hit-source-restored",
        Outcome::Miss => "docker/miss-",
        Outcome::RestoreFailed => "docker/restore-",
    };
    assert!(why.summary.code.starts_with(summary), "{answer:?}: {why:?}");
}

/// Lets the engine build, and gives what it did step by step.
pub fn run(engine: &Engine, build: &Build) -> Vec<Done> {
    let mut arguments = vec!["build", "--network=none", "--tag", &build.tag];
    for source in &build.sources {
        arguments.extend(["--cache-from", source]);
    }
    let given: Vec<_> = build
        .arguments
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    for argument in &given {
        arguments.extend(["--build-arg", argument]);
    }
    arguments.push("-");
    let mut files = vec![File::text("Dockerfile", &build.dockerfile())];
    files.extend_from_slice(&build.files);
    let output = engine.docker_with(&arguments, &archive(&files));
    let done = read(engine, &output);
    assert_eq!(done.len(), build.steps.len(), "{output}");
    done
}

/// Reads what the client prints: `Step 2/3 : …`, perhaps ` ---> Using cache`,
/// and the beginning of the image's id.
fn read(engine: &Engine, output: &str) -> Vec<Done> {
    let mut done = Vec::new();
    let steps = output.split("\nStep ").skip(1);
    for step in steps.skip(usize::from(!output.starts_with("Step "))) {
        let told: Vec<_> = step
            .lines()
            .filter_map(|line| line.strip_prefix(" ---> "))
            .collect();
        let short = told
            .iter()
            .rfind(|text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_hexdigit()));
        done.push(Done {
            cached: told.contains(&"Using cache"),
            id: engine.image(short.expect(output)).id,
        });
    }
    done
}

/// Has a build decided by both and compares them. Gives a letter for each step:
/// `l` a local hit, `s` a source itself, `r` restored, `m` a miss, `-` not asked.
pub fn build(engine: &Engine, build: &Build) -> String {
    let told = foretell(engine, build);
    let done = run(engine, build);
    let mut verdicts = String::new();
    for (index, done) in done.iter().enumerate() {
        let answer = told.get(index);
        let image = answer.and_then(|answer| answer.image.as_deref());
        let place = format!("step {index} of\n{}", build.dockerfile());
        assert_eq!(
            image,
            done.cached.then_some(done.id.as_str()),
            "{place}{answer:?}"
        );
        for effect in answer.iter().flat_map(|answer| &answer.effects) {
            happened(engine, effect, &place);
        }
        verdicts.push(match answer.map(|answer| answer.outcome) {
            Some(Outcome::HitLocal) => 'l',
            Some(Outcome::HitSource) => 's',
            Some(Outcome::HitRestored) => 'r',
            Some(Outcome::Miss) => 'm',
            Some(Outcome::RestoreFailed) => 'f',
            None => '-',
        });
    }
    hold(engine, build, &done);
    verdicts
}

/// What was foretold of the store is there, byte for byte.
fn happened(engine: &Engine, effect: &Effect, place: &str) {
    match effect {
        Effect::SetParent(link) => {
            let target = engine.image(&link.target);
            assert_eq!(target.parent.as_ref(), Some(&link.parent), "{place}");
        }
        Effect::Create(creation) => {
            let image = engine.image(&creation.id);
            assert_eq!(image.parent, creation.parent, "{place}");
            assert_eq!(image.document, creation.document, "{place}");
        }
    }
}

/// Holds the model to the images of the steps that ran: the configs it asks with
/// are those that the engine stored.
fn hold(engine: &Engine, build: &Build, done: &[Done]) {
    let base = build.base(engine);
    let mut stage = Stage::new(
        base.as_ref().map(|b| b.1.as_str()),
        &build.files,
        &build.arguments,
    );
    let mut parent = base.map(|b| b.0);
    for (instruction, done) in build.steps.iter().zip(done) {
        let asked = stage.ask(instruction, parent.as_deref());
        if !done.cached {
            let document = engine.image(&done.id).document.unwrap();
            let mut document: Value = serde_json::from_str(&document).unwrap();
            let stored = document["container_config"].take();
            let want = instruction.stored(asked, &stored);
            assert_eq!(stored, want, "container_config of {instruction:?}");
            assert_eq!(
                document["config"],
                stage.config(),
                "config of {instruction:?}"
            );
        }
        parent = Some(done.id.clone());
    }
}
