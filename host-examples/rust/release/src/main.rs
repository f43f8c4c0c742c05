//! Makes every form of a release and proves each by installing it in an empty place:
//! `cargo run --package layerwise-release -- --dry-run`.
//!
//! A form is a row of [`forms::FORMS`]: its name, the programs it needs, a function that
//! makes it and one that proves it. Nothing is published; the manual's page on releases
//! says which commands do that with what is made here.

mod failure;
mod forms;
mod place;
mod site;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use failure::Failure;
use forms::{FORMS, Form};
use place::Place;

/// Makes every form of a release and proves each in an empty place. Publishes nothing.
#[derive(Parser)]
#[command(name = "layerwise-release", max_term_width = 100)]
struct Args {
    /// Say that nothing is published. There is no other way yet.
    #[arg(long, required = true)]
    dry_run: bool,
    /// Make only this form, and what it is made of. Default: all.
    #[arg(long, value_name = "FORM", value_parser = form)]
    only: Vec<&'static Form>,
    /// Where the forms are put; what is there already is used.
    #[arg(long, value_name = "DIR", default_value = "target/forms")]
    out: PathBuf,
    /// Take the tree as it is, changes included, and not a clean clone of its commit.
    #[arg(long)]
    here: bool,
    /// The cargo profile of the programs.
    #[arg(long, value_name = "NAME", default_value = "release")]
    profile: String,
    /// The key that signs: a PKCS #8 file in DER with an ECDSA key on P-256. Default: a new one.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

fn form(name: &str) -> Result<&'static Form, String> {
    let found = FORMS.iter().find(|form| form.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = FORMS.iter().map(|form| form.name).collect();
        format!("the forms are {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let place = Place::open(&args.out, args.here, &args.profile, args.key.as_deref())?;
    let mut wanted: Vec<&str> = args.only.iter().map(|form| form.name).collect();
    if wanted.is_empty() {
        wanted.extend(FORMS.iter().map(|form| form.name));
    }
    // A form is made after those it is made of, which stand before it.
    for form in FORMS.iter().rev() {
        if wanted.contains(&form.name) {
            wanted.extend(form.of);
        }
    }
    for form in FORMS.iter().filter(|form| wanted.contains(&form.name)) {
        let start = Instant::now();
        for tool in form.tools {
            place.needs(tool)?;
        }
        let step =
            |what: &str, failure: Failure| failure.while_doing(&format!("{what} {}", form.name));
        (form.make)(&place).map_err(|failure| step("make", failure))?;
        let proof = (form.prove)(&place).map_err(|failure| step("prove", failure))?;
        println!(
            "{:10} {:4} s  {proof}",
            form.name,
            start.elapsed().as_secs()
        );
    }
    println!(
        "everything is in {}; nothing was published",
        place.out.display()
    );
    Ok(())
}
