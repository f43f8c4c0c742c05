//! Upstream's own package, run as the program in `tests/oracle/buildkit`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program, built.
pub struct Oracle(PathBuf);

impl Oracle {
    /// Builds it.
    ///
    /// # Errors
    /// That Go is not there, or what it says.
    pub fn build(directory: &Path) -> Result<Self, String> {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oracle/buildkit");
        let program = directory.join("oracle-buildkit");
        let output = Command::new("go")
            .args(["build", "-buildvcs=false", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(module)
            .output()
            .map_err(|error| format!("go cannot be run: {error}"))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("the oracle cannot be built: {errors}"));
        }
        Ok(Self(program))
    }

    /// One answer a document.
    ///
    /// # Errors
    /// What the program says.
    pub fn ask(&self, arguments: &[&str], documents: &[String]) -> Result<Vec<String>, String> {
        let mut child = Command::new(&self.0)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| error.to_string())?;
        let text = documents.join("\n");
        let input = child.stdin.take();
        // It answers while it reads.
        let writer =
            std::thread::spawn(move || input.map(|mut pipe| pipe.write_all(text.as_bytes())));
        let output = child
            .wait_with_output()
            .map_err(|error| error.to_string())?;
        let _ = writer.join();
        if !output.status.success() {
            return Err(format!("the oracle ended with {}", output.status));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().map(str::to_owned).collect())
    }
}
