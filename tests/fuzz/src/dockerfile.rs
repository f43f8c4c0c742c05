//! Any text as a Dockerfile: a build or a refusal. Every instruction that is announced
//! stands on a line of the text, and every config reads as what was written.

use layerwise::docker;
use layerwise::dockerfile::{Event, Options, Outcome, Session};
use layerwise::error::Error;
use layerwise::host::{
    Change, Content, Entry, Facts, Failure, FailureCode, Filesystem, FsFacts, Hashing, Image,
    ImageStore,
};
use layerwise::semantics::Semantics;

/// A base with triggers, for every name.
const BASE: &str = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"},"config":{
    "Env":["A=1"],"Healthcheck":{"Test":["CMD","x"],"Retries":3},
    "OnBuild":["ENV B=$A","COPY . /x","RUN <<E\nx\nE"]}}"#;

/// Goes through a Dockerfile; each step misses or hits as its number says.
pub fn dockerfile(text: &str, semantics: &Semantics) {
    let options = Options {
        semantics: semantics.clone(),
        arguments: vec![
            ("A".to_owned(), Some("a*b".to_owned())),
            ("B".to_owned(), None),
        ],
        ..Options::default()
    };
    let lines = text.split('\n').count();
    let Ok(mut session) = Session::open(text, options, Bare, Bare) else {
        return;
    };
    loop {
        match session.advance() {
            Ok(Event::Argument(announced)) => check(announced.line, lines),
            Ok(Event::Stage(stage)) => check(stage.instruction.line, lines),
            Ok(Event::Wanted(_)) => {
                let lent = session.lend(None, None);
                assert_eq!(lent, Ok(()), "nothing can be lent");
            }
            Ok(Event::Step(step)) => {
                check(step.instruction.line, lines);
                if let Some(config) = &step.config {
                    let again = docker::testing::encode_config(config, semantics);
                    assert_eq!(again.as_ref(), Ok(config), "a config, written and read");
                }
                let outcome = Outcome {
                    hit: step.instruction.number % 2 == 0,
                    image: Some("sha256:0".to_owned()),
                };
                assert_eq!(session.report(outcome), Ok(()), "an outcome");
            }
            Ok(Event::Refused(_) | Event::Done)
            | Err(Error::LimitExceeded(_) | Error::NotFound(_)) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

fn check(line: u32, lines: usize) {
    let line = usize::try_from(line).unwrap_or(usize::MAX);
    assert!((1..=lines).contains(&line), "line {line} of {lines}");
}

/// One image for every name, and no files.
struct Bare;

fn nothing() -> Failure {
    Failure::new(FailureCode::NotFound, "nothing is here")
}

fn base() -> Image {
    Image {
        id: "sha256:1".to_owned(),
        document: Some(BASE.to_owned()),
        ..Image::default()
    }
}

impl ImageStore for Bare {
    fn get(&self, ids: &[String], _: Facts, _: u64) -> Vec<Result<Image, Failure>> {
        ids.iter().map(|_| Ok(base())).collect()
    }

    fn resolve(&self, references: &[String], _: u64) -> Vec<Result<Image, Failure>> {
        references.iter().map(|_| Ok(base())).collect()
    }

    fn children(&self, _: Option<&str>) -> Result<Vec<String>, Failure> {
        Err(nothing())
    }

    fn set_parent(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(nothing())
    }

    fn create(&self, _: Option<&str>, _: &str, _: Option<&str>) -> Result<String, Failure> {
        Err(nothing())
    }
}

impl Filesystem for Bare {
    fn stat(&self, paths: &[String], _: bool, _: FsFacts) -> Vec<Result<Entry, Failure>> {
        paths.iter().map(|_| Err(nothing())).collect()
    }

    fn list_names(&self, _: &str) -> Result<Vec<String>, Failure> {
        Err(nothing())
    }

    fn read(&self, paths: &[String], _: u64) -> Vec<Result<Content, Failure>> {
        paths.iter().map(|_| Err(nothing())).collect()
    }

    fn walk(&self, _: &str, _: FsFacts, _: u64) -> Result<Vec<Entry>, Failure> {
        Err(nothing())
    }

    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        files.iter().map(|_| Err(nothing())).collect()
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        changes.iter().map(|_| Err(nothing())).collect()
    }

    fn rename(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(nothing())
    }

    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        paths.iter().map(|_| Err(nothing())).collect()
    }
}
