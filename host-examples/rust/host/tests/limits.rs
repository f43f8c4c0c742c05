//! What stops a session, and what is left of it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use layerwise::docker::{CacheFrom, Options, Outcome, Step};
use layerwise::error::Error as Refusal;
use layerwise::host::{Facts, Failure, Image, ImageStore, Provenance};
use layerwise_host::docker::Session;
use layerwise_host::{Engine, EngineOptions, Error, Imports, Interrupt, SessionLimits, Stop};
use layerwise_stores::{Memory, Order};

fn document(padding: usize) -> String {
    format!(
        r#"{{"author":"{}","created":"2024-01-01T00:00:00Z","os":"linux","architecture":"amd64","container_config":{{"Cmd":["a"]}},"rootfs":{{"type":"layers"}}}}"#,
        "x".repeat(padding)
    )
}

fn store(images: usize, padding: usize) -> Arc<Memory> {
    let store = Memory::new(Order::Sorted);
    for index in 0..images {
        let text = document(padding + index);
        store.add(&text, None, Provenance::BuiltHere);
    }
    Arc::new(store)
}

fn step() -> Step {
    let mut step = Step {
        config: Some(r#"{"Cmd":["a"]}"#.to_owned()),
        ..Step::default()
    };
    step.platform.os = "linux".to_owned();
    step.platform.architecture = "amd64".to_owned();
    step
}

fn lookup(
    interrupt: Interrupt,
    limits: SessionLimits,
    images: Arc<dyn ImageStore + Send + Sync>,
) -> Error {
    let options = EngineOptions {
        interrupt,
        ..EngineOptions::default()
    };
    let engine = Engine::new(&options).expect("engine");
    let lent = Imports {
        images,
        ..Imports::default()
    };
    let mut session = opened(&engine, lent, limits);
    let error = session.lookup(&step()).expect_err("a stop");
    assert!(
        matches!(session.lookup(&step()), Err(Error::Dead)),
        "the session is dead"
    );
    assert!(
        matches!(session.sources(), Err(Error::Dead)),
        "for every call"
    );
    error
}

/// A session; with twice the time until there is enough to open it, on a busy
/// machine.
fn opened(engine: &Engine, lent: Imports, mut limits: SessionLimits) -> Session {
    loop {
        match engine.docker(lent.clone(), Options::default(), limits) {
            Err(error) if stop(&error) == Some(Stop::Deadline) => limits.deadline *= 2,
            other => return other.expect("session"),
        }
    }
}

fn stop(error: &Error) -> Option<Stop> {
    match error {
        Error::Stopped { stop, .. } => Some(*stop),
        _ => None,
    }
}

#[test]
fn fuel() {
    let limits = SessionLimits {
        fuel: 200_000,
        ..SessionLimits::default()
    };
    let error = lookup(Interrupt::Fuel, limits, store(50, 10_000));
    assert_eq!(stop(&error), Some(Stop::Fuel), "{error}");
}

#[test]
fn limits_hold_while_an_instance_starts() {
    let options = EngineOptions {
        interrupt: Interrupt::Fuel,
        ..EngineOptions::default()
    };
    let engine = Engine::new(&options).expect("engine");
    let limits = SessionLimits {
        fuel: 1,
        ..SessionLimits::default()
    };
    let error = engine
        .docker(Imports::default(), Options::default(), limits)
        .err();
    assert_eq!(error.as_ref().and_then(stop), Some(Stop::Fuel), "{error:?}");
}

#[test]
fn deadline() {
    let limits = SessionLimits {
        deadline: Duration::from_millis(10),
        ..SessionLimits::default()
    };
    let error = lookup(Interrupt::Deadline, limits, store(100, 500_000));
    assert_eq!(stop(&error), Some(Stop::Deadline), "{error}");
}

#[test]
fn waiting_for_what_is_lent_is_not_the_components_time() {
    /// A store that takes longer than the component may.
    struct Slow(Memory);
    const PAUSE: Duration = Duration::from_millis(300);
    impl ImageStore for Slow {
        fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
            std::thread::sleep(PAUSE);
            self.0.get(ids, want, limit)
        }
        fn resolve(&self, names: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
            self.0.resolve(names, limit)
        }
        fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
            std::thread::sleep(PAUSE);
            self.0.children(parent)
        }
        fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
            self.0.set_parent(target, parent)
        }
        fn create(
            &self,
            parent: Option<&str>,
            document: &str,
            layer: Option<&str>,
        ) -> Result<String, Failure> {
            self.0.create(parent, document, layer)
        }
    }
    let engine = Engine::new(&EngineOptions::default()).expect("engine");
    let lent = Imports {
        images: Arc::new(Slow(Memory::new(Order::Sorted))),
        ..Imports::default()
    };
    let limits = SessionLimits {
        deadline: PAUSE / 2,
        ..SessionLimits::default()
    };
    let mut session = engine
        .docker(lent, Options::default(), limits)
        .expect("session");
    let answer = session.lookup(&step()).expect("an answer");
    assert_eq!(answer.outcome, Outcome::Miss);
}

#[test]
fn memory() {
    let limits = SessionLimits {
        memory: 4 << 20,
        ..SessionLimits::default()
    };
    let error = lookup(Interrupt::Deadline, limits, store(40, 500_000));
    assert_eq!(stop(&error), Some(Stop::Memory), "{error}");
}

#[test]
fn caps_are_refusals_and_the_session_goes_on() {
    let engine = Engine::new(&EngineOptions::default()).expect("engine");
    let lent = Imports {
        images: store(3, 10),
        ..Imports::default()
    };
    let options = Options {
        limits: vec![("children".to_owned(), 2)],
        ..Options::default()
    };
    let limits = SessionLimits::default();
    let mut session = engine
        .docker(lent.clone(), options, limits)
        .expect("session");
    for _ in 0..2 {
        match session.lookup(&step()) {
            Err(Error::Refused(Refusal::LimitExceeded(excess))) => {
                assert_eq!((excess.limit.as_str(), excess.value), ("children", 2));
            }
            other => panic!("{other:?}"),
        }
    }
    let unknown = Options {
        limits: vec![("chidren".to_owned(), 2)],
        ..Options::default()
    };
    let refused = engine
        .docker(lent, unknown, limits)
        .err()
        .map(|error| error.to_string());
    let want = "open \"chidren\": no such limit; known are document-bytes, answer-bytes, \
                session-bytes, children, sources, entries, ancestors, depth";
    assert_eq!(refused.as_deref(), Some(want));
}

#[test]
fn what_is_not_lent_is_refused() {
    let engine = Engine::new(&EngineOptions::default()).expect("engine");
    let options = Options {
        cache_from: vec![CacheFrom {
            reference: "x".to_owned(),
            trusted: true,
        }],
        ..Options::default()
    };
    let opened = engine.docker(Imports::default(), options, SessionLimits::default());
    let mut session = opened.expect("session");
    let skipped = session.skipped().expect("skipped");
    assert_eq!(skipped.len(), 1);
    match session.lookup(&step()) {
        Err(Error::Refused(Refusal::Unsupported(problem))) => {
            assert_eq!(problem.code, "docker/children-unreadable");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn sessions_do_not_see_each_other() {
    let engine = Engine::new(&EngineOptions {
        pool: Some(64),
        ..EngineOptions::default()
    })
    .expect("engine");
    let answers = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for tenant in 0..4_usize {
            let (engine, answers) = (&engine, &answers);
            scope.spawn(move || {
                let images = store(1, tenant);
                let own = images.images().first().map(|image| image.id.clone());
                for _ in 0..20 {
                    let lent = Imports {
                        images: images.clone(),
                        ..Imports::default()
                    };
                    let opened = engine.docker(lent, Options::default(), SessionLimits::default());
                    let answer = opened.expect("session").lookup(&step()).expect("answer");
                    assert_eq!(answer.outcome, Outcome::HitLocal);
                    assert_eq!(answer.image, own, "its own image");
                }
                answers.lock().expect("lock").push(own);
            });
        }
    });
    let mut answers = answers.into_inner().expect("lock");
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), 4, "every tenant has another image");
}

/// Bytes of this process that are in memory.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("the process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words = line.and_then(|line| line.split_whitespace().nth(1));
    let kib: usize = words.and_then(|text| text.parse().ok()).expect("a number");
    kib << 10
}

/// The sessions of one engine with a pool are as many as the pool has places;
/// one more is an error, and a place that becomes free can be taken.
#[cfg(target_os = "linux")]
#[test]
fn thousands_of_sessions_live_at_once_under_a_cap() {
    const SESSIONS: u32 = 2_000;
    const CAP: usize = 1 << 30;
    let engine = Engine::new(&EngineOptions {
        pool: Some(SESSIONS),
        ..EngineOptions::default()
    })
    .expect("engine");
    let images = store(1, 10);
    let open = || {
        let lent = Imports {
            images: images.clone(),
            ..Imports::default()
        };
        engine.docker(lent, Options::default(), SessionLimits::default())
    };
    let before = resident();
    let mut live = Vec::new();
    for _ in 0..SESSIONS {
        let mut session = open().expect("a session");
        let answer = session.lookup(&step()).expect("an answer");
        assert_eq!(answer.outcome, Outcome::HitLocal);
        live.push(session);
    }
    let grown = resident().saturating_sub(before);
    eprintln!("{} KiB a session", (grown >> 10) / live.len());
    assert!(grown < CAP, "{grown} bytes for {SESSIONS} sessions");
    match open().err() {
        Some(Error::Engine(words)) => assert!(words.contains("cannot be started"), "{words}"),
        other => panic!("one more than the pool has: {other:?}"),
    }
    for session in live.iter_mut().step_by(100) {
        let answer = session.lookup(&step()).expect("an answer");
        assert_eq!(answer.outcome, Outcome::HitLocal, "it still lives");
    }
    live.pop();
    open().expect("a place that became free");
}
