//! Upstream's own packages, asked by the Go programs in `tests/oracle`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

/// One of the programs, built.
#[derive(Clone, Debug)]
pub struct Program(PathBuf);

impl Program {
    /// Builds the Go module in `tests/oracle/` and `module`, into `directory`. Needs
    /// Go and its module proxy, or the modules in its cache.
    ///
    /// # Errors
    /// That Go is not there, or what it says.
    pub fn build(module: &str, directory: &Path) -> Result<Self, String> {
        let program = directory.join(format!("oracle-{}", module.replace('/', "-")));
        let output = Command::new("go")
            .args(["build", "-buildvcs=false", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(
                Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("../oracle")
                    .join(module),
            )
            .output()
            .map_err(|error| format!("go cannot be run: {error}"))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("tests/oracle/{module} cannot be built: {errors}"));
        }
        Ok(Self(program))
    }

    /// Builds the program for a test; `None` where that cannot be done, which
    /// is printed.
    ///
    /// # Panics
    /// When it cannot be built and `LAYERWISE_REQUIRE_LIVE` is 1.
    pub fn build_or_skip(module: &str, directory: &Path) -> Option<Self> {
        match Self::build(module, directory) {
            Ok(program) => Some(program),
            Err(why) => {
                let required = std::env::var_os("LAYERWISE_REQUIRE_LIVE");
                assert!(required.is_none_or(|value| value != "1"), "{why}");
                println!("skipped: {why}");
                None
            }
        }
    }

    /// What it prints for this input.
    ///
    /// # Errors
    /// That it cannot be run, or what it says when it fails.
    pub fn ask(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        self.start(arguments)?.end(input)
    }

    /// Starts it; it runs until it has all of its input.
    ///
    /// # Errors
    /// That it cannot be run.
    pub fn start(&self, arguments: &[&str]) -> Result<Running, String> {
        let Self(program) = self;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Ok(Running {
            child: child.map_err(|error| error.to_string())?,
            program: program.clone(),
        })
    }
}

/// One of the programs, running.
#[derive(Debug)]
pub struct Running {
    child: Child,
    program: PathBuf,
}

impl Running {
    /// Ends its input after `input`, and returns what it printed.
    ///
    /// # Errors
    /// What it says when it fails.
    pub fn end(mut self, input: &str) -> Result<String, String> {
        let pipe = self.child.stdin.take();
        let output = thread::scope(|scope| {
            // It may answer while it reads, and need not read to the end.
            scope.spawn(move || pipe.map(|mut pipe| pipe.write_all(input.as_bytes())));
            self.child.wait_with_output()
        });
        let output = output.map_err(|error| error.to_string())?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!(
                "{}: {}: {errors}",
                self.program.display(),
                output.status
            ));
        }
        String::from_utf8(output.stdout).map_err(|error| error.to_string())
    }
}
