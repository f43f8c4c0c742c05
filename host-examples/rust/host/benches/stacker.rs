//! The stacker rows of the budget, natively and through the component in one run:
//! `cargo bench -p layerwise-host --bench stacker`.
//!
//! Prints how long each takes, the component's ratio to native, how the cost
//! grows, and upstream's cost on its machine (stacker spec, section 15). That
//! every layer is verified once is asserted by the number of tree walks.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark")]
#![allow(missing_docs, reason = "a benchmark")]

mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use layerwise::host::{Change, Content, Entry, Failure, Filesystem, FsFacts, Hashing, Silent};
use layerwise::stacker::{Epoch, HostFacts, LayerDefinition, Options, Outcome, Places};
use layerwise_files::{Access, Files, Root};
use layerwise_host::{Engine, EngineOptions, Imports, SessionLimits};

fn main() {
    report::begin();
    let engine = Engine::new(&EngineOptions::default()).expect("engine");
    println!(
        "{:<40} {:>10} {:>10} {:>6} {:>7} {:>7}   ",
        "", "native", "component", "ratio", "growth", "growth"
    );
    // As upstream was measured: each layer imports a directory of 200 files of
    // 1 KiB.
    for (layers, upstream) in [(10, "0.78 s, 55 walks"), (80, "68.9 s, 3,240 walks")] {
        let project = Project::chain(layers, 200);
        let taken = project.measure(&engine, layers);
        let name = format!("all {layers} lookups, 200 files each");
        row(&name, taken, None, upstream);
    }
    let mut before = None;
    for layers in [10, 100, 1_000] {
        let project = Project::chain(layers, 20);
        let taken = project.measure(&engine, layers);
        row(
            &format!("all {layers} lookups, 20 files each"),
            taken,
            before,
            "",
        );
        before = Some(taken);
    }
    for (files, size, upstream) in [
        (1_000, 1 << 10, ""),
        (10_000, 1 << 10, "0.70 s"),
        (10_000, 16 << 10, "1.36 s"),
        (16, 64 << 20, "1.22 s"),
    ] {
        let project = Project::tree(files, size);
        let taken = project.measure(&engine, 1);
        let name = format!("tree, {files} files of {} KiB", size >> 10);
        row(&name, taken, None, upstream);
        let bytes = (files * size) as f64 / f64::from(1 << 20);
        let (native, component) = taken;
        println!(
            "{:<40} {:>8.0}/s {:>8.0}/s   MiB; {:.0} files/s through the component",
            "",
            bytes / native.as_secs_f64(),
            bytes / component.as_secs_f64(),
            files as f64 / component.as_secs_f64(),
        );
    }
}

fn row(
    name: &str,
    (native, component): (Duration, Duration),
    before: Option<(Duration, Duration)>,
    upstream: &str,
) {
    let ratio = component.as_secs_f64() / native.as_secs_f64();
    let growth = |now: Duration, before: Duration| {
        format!("{:.1} x", now.as_secs_f64() / before.as_secs_f64())
    };
    let (by, by_component) = match before {
        Some((old, old_component)) => (growth(native, old), growth(component, old_component)),
        None => (String::new(), String::new()),
    };
    println!(
        "{name:<40} {native:>10.1?} {component:>10.1?} {ratio:>6.2} {by:>7} {by_component:>7}   {upstream}"
    );
    // Upstream's time is a published one, of another machine.
    report::keep(name, native, Some(component), None);
}

/// A project on disk, put once.
struct Project {
    directory: PathBuf,
    layers: Vec<LayerDefinition>,
}

impl Project {
    /// Layers on each other, each with a directory.
    fn chain(layers: usize, files: usize) -> Self {
        let definition = |n: usize| {
            let from = match n.checked_sub(1) {
                None => r#"{"type":"scratch"}"#.to_owned(),
                Some(below) => format!(r#"{{"type":"built","tag":"l{below}"}}"#),
            };
            LayerDefinition {
                name: format!("l{n}"),
                document: format!(r#"{{"from":{from},"imports":[{{"path":"/src/d"}}]}}"#),
            }
        };
        let project = Self::new((0..layers).map(definition).collect());
        for n in 0..layers {
            project.fill(&format!("l{n}"), files, 1 << 10, files);
        }
        project.put();
        project
    }

    /// One layer with a large directory.
    fn tree(files: usize, size: usize) -> Self {
        let project = Self::new(vec![LayerDefinition {
            name: "l0".to_owned(),
            document: r#"{"from":{"type":"scratch"},"imports":[{"path":"/src/d"}]}"#.to_owned(),
        }]);
        project.fill("l0", files, size, 100);
        project.put();
        project
    }

    fn new(layers: Vec<LayerDefinition>) -> Self {
        let name = format!("layerwise-bench-stacker-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&directory);
        for place in ["state", "roots", "oci"] {
            fs::create_dir_all(directory.join(place)).expect("a directory");
        }
        Self { directory, layers }
    }

    fn fill(&self, layer: &str, files: usize, size: usize, a_directory: usize) {
        let root = self.directory.join("state/imports").join(layer).join("d");
        let mut content = vec![b'x'; size];
        for n in 0..files {
            let directory = root.join((n / a_directory).to_string());
            fs::create_dir_all(&directory).expect("a directory");
            for (byte, new) in content.iter_mut().zip(n.to_le_bytes()) {
                *byte = new;
            }
            fs::write(directory.join(n.to_string()), &content).expect("a file");
        }
    }

    fn options(&self) -> Options {
        let place = |name: &str| text(&self.directory.join(name));
        Options {
            places: Places {
                stacker: place("state"),
                rootfs: place("roots"),
                oci: place("oci"),
            },
            epoch: Epoch::Unset,
            definitions: self.layers.clone(),
            limits: vec![("cache-bytes".to_owned(), 1 << 30)],
            ..Options::default()
        }
    }

    fn files(&self) -> Files {
        let root = Root::new(self.directory.clone(), Access::Writable);
        Files::open([root]).expect("a directory")
    }

    fn put(&self) {
        let files = self.files();
        let options = self.options();
        let mut session =
            layerwise::stacker::Session::open(&files, &Silent, options).expect("a session");
        let host = HostFacts {
            now: "2024-03-05T09:07:03".to_owned(),
            ..HostFacts::default()
        };
        for layer in &self.layers {
            session.put(&layer.name, "null", &host).expect("a put");
        }
    }

    /// Opening, and a lookup of every layer, the top first: all of them hit, and
    /// each tree is walked once.
    fn measure(&self, engine: &Engine, walks: usize) -> (Duration, Duration) {
        let files = Arc::new(Counted {
            files: self.files(),
            walks: AtomicUsize::new(0),
        });
        let once = || assert_eq!(files.walks.swap(0, Ordering::Relaxed), walks, "walks");
        let times = if self.layers.len() > 100 { 2 } else { 3 };
        let native = median(times, || {
            let options = self.options();
            let session = layerwise::stacker::Session::open(&*files, &Silent, options);
            let mut session = session.expect("a session");
            for layer in self.layers.iter().rev() {
                let answer = session.lookup(&layer.name).expect("an answer");
                assert_eq!(answer.outcome, Outcome::Hit);
            }
            once();
        });
        let lent = Imports {
            files: Arc::<Counted>::clone(&files),
            ..Imports::default()
        };
        let limits = SessionLimits {
            memory: 3 << 30,
            deadline: Duration::from_secs(600),
            ..SessionLimits::default()
        };
        let component = median(times, || {
            let session = engine.stacker(lent.clone(), self.options(), limits);
            let mut session = session.expect("a session");
            for layer in self.layers.iter().rev() {
                let answer = session.lookup(&layer.name).expect("an answer");
                assert_eq!(answer.outcome, Outcome::Hit);
            }
            once();
        });
        (native, component)
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in utf-8").to_owned()
}

fn median(times: usize, mut run: impl FnMut()) -> Duration {
    run();
    let mut taken: Vec<Duration> = (0..times)
        .map(|_| {
            let begin = Instant::now();
            run();
            begin.elapsed()
        })
        .collect();
    taken.sort_unstable();
    taken.get(times / 2).copied().unwrap_or_default()
}

/// Files, with the walks counted.
struct Counted {
    files: Files,
    walks: AtomicUsize,
}

impl Filesystem for Counted {
    fn stat(&self, paths: &[String], follow: bool, want: FsFacts) -> Vec<Result<Entry, Failure>> {
        self.files.stat(paths, follow, want)
    }

    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
        self.files.list_names(directory)
    }

    fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
        self.files.read(paths, limit)
    }

    fn walk(&self, root: &str, want: FsFacts, limit: u64) -> Result<Vec<Entry>, Failure> {
        self.walks.fetch_add(1, Ordering::Relaxed);
        self.files.walk(root, want, limit)
    }

    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        self.files.hash(files)
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        self.files.write(changes)
    }

    fn rename(&self, old: &str, new: &str) -> Result<(), Failure> {
        self.files.rename(old, new)
    }

    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        self.files.remove(paths)
    }
}
