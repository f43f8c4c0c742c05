//! Runs vector files of the Buildpacks lifecycle through the native library:
//! `native guarded|compatible FILE...`.

use layerwise_conformance::buildpacks::{Native, run, run_compatible};
use layerwise_conformance::load;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let compatible = args.next().as_deref() == Some("compatible");
    for file in args {
        let text = load(Path::new(&file))?;
        let report = if compatible {
            run_compatible(&text, &Native)
        } else {
            run(&text, &Native)
        }?;
        for m in &report.mismatches {
            println!(
                "{}\n  expected {}\n  actual   {}",
                m.name, m.expected, m.actual
            );
        }
        println!("{file}: {} passed, {} failed", report.passed, report.failed);
    }
    Ok(())
}
