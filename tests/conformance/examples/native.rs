//! Runs vector files through the native library, without a component in
//! between, and prints what does not hold: `native FILE...`.

use std::path::Path;
use std::process::ExitCode;

use layerwise_conformance::docker::Native as Docker;
use layerwise_conformance::{FileError, Report, docker, load, stacker};

fn main() -> ExitCode {
    let mut failed = 0;
    for file in std::env::args().skip(1) {
        match run(Path::new(&file)) {
            Ok(report) => {
                for mismatch in &report.mismatches {
                    println!(
                        "{}\n  expected {}\n  actual   {}",
                        mismatch.name, mismatch.expected, mismatch.actual
                    );
                }
                println!("{file}: {} passed, {} failed", report.passed, report.failed);
                failed += report.failed;
            }
            Err(error) => {
                println!("{file}: {error}");
                failed += 1;
            }
        }
    }
    ExitCode::from(u8::from(failed > 0))
}

fn run(file: &Path) -> Result<Report, FileError> {
    let text = load(file).map_err(FileError::Read)?;
    let report = if text.contains("\"stacker-conformance/1\"") {
        stacker::run(&text, &stacker::Native)
    } else if text.contains("\"docker-real/1\"") {
        docker::run_real(&text, &Docker)
    } else {
        docker::run_moby(&text, &Docker)
    };
    report.map_err(FileError::Form)
}
