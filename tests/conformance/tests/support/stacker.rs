//! A small project in memory, and a host that can be interrupted.

use std::cell::RefCell;

use layerwise::host::{
    Change, Content, Entry, Failure, FailureCode, Filesystem, FsFacts, Hashing, Silent,
};
use layerwise::stacker::{
    Epoch, HostFacts, LayerDefinition, Options, Outcome, Places, Reading, Semantics, Session,
};
use layerwise_conformance::memory_fs::{Body, MemoryFs, Object};

pub const CACHE: &[u8] = b"/w/state/build.cache";
pub const GUARD: &[u8] = b"/w/state/build.cache.guard";

/// `count` layers `l0`, `l1`, ..., each built on the one before and importing
/// one directory.
pub fn project(count: usize) -> MemoryFs {
    let fs = MemoryFs::default();
    fs.put(b"/w/state", Object::new(Body::Directory, 0o755))
        .unwrap();
    for n in 0..count {
        fs.put_file(&format!("/w/state/imports/l{n}/d/f"), &format!("{n}"))
            .unwrap();
    }
    fs
}

/// How to open it.
pub fn options(count: usize, reading: Reading) -> Options {
    let layer = |n: usize| {
        let from = match n {
            0 => r#"{"type":"scratch"}"#.to_owned(),
            _ => format!(r#"{{"type":"built","tag":"l{}"}}"#, n - 1),
        };
        definition(
            &format!("l{n}"),
            &format!(r#"{{"from":{from},"imports":[{{"path":"/src/d"}}],"run":["x"]}}"#),
        )
    };
    Options {
        semantics: Semantics {
            reading,
            version: Some("16".into()),
        },
        places: Places {
            stacker: "/w/state".into(),
            rootfs: "/w/roots".into(),
            oci: "/w/oci".into(),
        },
        epoch: Epoch::Unset,
        definitions: (0..count).map(layer).collect(),
        ..Options::default()
    }
}

pub fn options_like(options: &Options, reading: Reading) -> Options {
    let mut options = options.clone();
    options.semantics.reading = reading;
    options
}

pub fn definition(name: &str, document: &str) -> LayerDefinition {
    LayerDefinition {
        name: name.into(),
        document: document.into(),
    }
}

pub fn host() -> HostFacts {
    HostFacts {
        user: Some("builder".into()),
        machine: Some("ci-7".into()),
        now: "2024-03-05T09:07:03".into(),
        directory: "/".into(),
    }
}

/// Runs a test on a stack of 128 KiB.
pub fn small_stack(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(128 << 10);
        thread.spawn_scoped(scope, test).unwrap().join().unwrap();
    });
}

/// What is about to happen.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Stat,
    Read,
    Walk,
    Hash,
    /// One change: a file written, moved or removed.
    Write,
}

type Hook<'a> = Box<dyn FnMut(&MemoryFs, Act, u32) -> Option<FailureCode> + 'a>;

/// A host that asks before each call, and before each change of a batch,
/// whether it should fail. The hook may change the file system itself.
pub struct Hooked<'a> {
    fs: &'a MemoryFs,
    state: RefCell<(u32, Hook<'a>)>,
}

impl<'a> Hooked<'a> {
    pub fn new(
        fs: &'a MemoryFs,
        hook: impl FnMut(&MemoryFs, Act, u32) -> Option<FailureCode> + 'a,
    ) -> Self {
        Self {
            fs,
            state: RefCell::new((0, Box::new(hook))),
        }
    }

    fn ask(&self, act: Act) -> Result<(), Failure> {
        let mut state = self.state.borrow_mut();
        let number = state.0;
        state.0 += 1;
        match (state.1)(self.fs, act, number) {
            Some(code) => Err(Failure::new(code, "injected")),
            None => Ok(()),
        }
    }

    fn all<T>(
        &self,
        act: Act,
        count: usize,
        answer: impl FnOnce() -> Vec<Result<T, Failure>>,
    ) -> Vec<Result<T, Failure>> {
        match self.ask(act) {
            Ok(()) => answer(),
            Err(failure) => (0..count).map(|_| Err(failure.clone())).collect(),
        }
    }
}

impl Filesystem for Hooked<'_> {
    fn stat(&self, paths: &[String], follow: bool, want: FsFacts) -> Vec<Result<Entry, Failure>> {
        self.all(Act::Stat, paths.len(), || self.fs.stat(paths, follow, want))
    }

    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
        self.ask(Act::Read)?;
        self.fs.list_names(directory)
    }

    fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
        self.all(Act::Read, paths.len(), || self.fs.read(paths, limit))
    }

    fn walk(&self, root: &str, want: FsFacts, limit: u64) -> Result<Vec<Entry>, Failure> {
        self.ask(Act::Walk)?;
        self.fs.walk(root, want, limit)
    }

    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        self.all(Act::Hash, files.len(), || self.fs.hash(files))
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        let mut answers = Vec::new();
        for change in changes {
            let answer = self.ask(Act::Write);
            answers
                .push(answer.and_then(|()| self.fs.write(std::slice::from_ref(change)).remove(0)));
            if answers.last().is_some_and(Result::is_err) {
                break;
            }
        }
        answers
    }

    fn rename(&self, old: &str, new: &str) -> Result<(), Failure> {
        self.ask(Act::Write)?;
        self.fs.rename(old, new)
    }

    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        self.all(Act::Write, paths.len(), || self.fs.remove(paths))
    }
}

/// A session without an observer.
pub fn open<'a>(fs: &'a MemoryFs, options: &Options) -> Session<&'a MemoryFs, &'static Silent> {
    Session::open(fs, &Silent, options.clone()).unwrap()
}

/// `hit`, or the code of the miss or error without the name of the system.
pub fn verdict<F: Filesystem>(session: &mut Session<F, &Silent>, name: &str) -> String {
    match session.lookup(name) {
        Ok(answer) if answer.outcome == Outcome::Hit => "hit".to_owned(),
        Ok(answer) => answer.reason.unwrap().code.replace("stacker/", ""),
        Err(error) => error.problem().unwrap().code.replace("stacker/", ""),
    }
}

pub fn put_all(session: &mut Session<&MemoryFs, &Silent>, names: &[&str]) {
    for name in names {
        session.put(name, "null", &host()).unwrap();
    }
}

pub fn put<F: Filesystem>(fs: &F, options: &Options, names: &[&str]) {
    let mut session = Session::open(fs, &Silent, options.clone()).unwrap();
    for name in names {
        session.put(name, "null", &host()).unwrap();
    }
}

/// The code and the subject of what opening fails with.
pub fn refused<F: Filesystem>(fs: &F, options: &Options) -> (String, String) {
    let error = Session::open(fs, &Silent, options.clone()).err().unwrap();
    let problem = error.problem().unwrap();
    (problem.code.clone(), problem.subject.clone())
}

/// `hit`, or the reason in one line.
pub fn looked_up<F: Filesystem>(fs: &F, options: &Options, name: &str) -> String {
    let mut session = Session::open(fs, &Silent, options.clone()).unwrap();
    match session.lookup(name) {
        Ok(answer) if answer.outcome == Outcome::Hit => "hit".to_owned(),
        Ok(answer) => {
            let reason = answer.reason.unwrap();
            let side = |text: &Option<String>| text.clone().unwrap_or_default();
            let list: String = reason
                .differences
                .iter()
                .map(|d| format!(" {}={}|{}", d.path, side(&d.have), side(&d.want)))
                .collect();
            format!("{}{list}", reason.code.replace("stacker/", ""))
        }
        Err(error) => error.problem().unwrap().code.clone(),
    }
}
