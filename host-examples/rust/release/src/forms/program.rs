//! The program: one static file for each machine, with its manual and completions, as an
//! archive that is unpacked below a prefix.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::place::{Place, write};

/// A machine that programs are made for.
pub struct Machine {
    /// Rust's name of it.
    pub target: &'static str,
    /// As Debian and images call it.
    pub name: &'static str,
    /// The compiler of its C code, which also links.
    pub compiler: &'static str,
}

/// Those of which the compiler is there.
const MACHINES: [Machine; 2] = [
    Machine {
        target: "x86_64-unknown-linux-musl",
        name: "amd64",
        compiler: "musl-gcc",
    },
    Machine {
        target: "aarch64-unknown-linux-musl",
        name: "arm64",
        compiler: "aarch64-linux-gnu-gcc",
    },
];

const SHELLS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/layerwise"),
    ("zsh", "share/zsh/site-functions/_layerwise"),
    ("fish", "share/fish/vendor_completions.d/layerwise.fish"),
];

const DOCUMENTS: [(&str, &str); 3] = [
    ("LICENSE", "share/doc/layerwise/copyright"),
    ("README.md", "share/doc/layerwise/README.md"),
    ("CHANGELOG.md", "share/doc/layerwise/CHANGELOG.md"),
];

/// The machines that this one can make programs for.
pub fn machines(place: &Place) -> Vec<&'static Machine> {
    let can = |machine: &&Machine| place.needs(machine.compiler).is_ok();
    MACHINES.iter().filter(can).collect()
}

/// What is installed of a machine, as below /usr.
pub fn tree(place: &Place, machine: &Machine) -> PathBuf {
    place.out.join("program").join(machine.name)
}

pub fn make(place: &Place) -> Result<(), Failure> {
    for machine in machines(place) {
        place.output(place.tool("rustup").args(["target", "add", machine.target]))?;
        let variable = machine.target.replace('-', "_");
        let mut cargo = place.tool("cargo");
        cargo.args([
            "build",
            "--quiet",
            "--locked",
            "--package",
            "layerwise-cli",
            "--bin",
            "layerwise",
        ]);
        cargo.args(["--profile", &place.profile, "--target", machine.target]);
        cargo.env(format!("CC_{variable}"), machine.compiler);
        cargo.env(
            format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase()),
            machine.compiler,
        );
        place.output(&mut cargo)?;
        let directory = if place.profile == "dev" {
            "debug"
        } else {
            &*place.profile
        };
        let built = place
            .target
            .join(machine.target)
            .join(directory)
            .join("layerwise");
        install(place, machine, &built)?;
        let name = format!("layerwise-{}-linux-{}.tar.gz", place.version, machine.name);
        archive(place, &tree(place, machine), &place.out.join(name))?;
    }
    Ok(())
}

fn install(place: &Place, machine: &Machine, built: &Path) -> Result<(), Failure> {
    let tree = tree(place, machine);
    let _ = fs::remove_dir_all(&tree);
    let program = tree.join("bin/layerwise");
    write(&program, crate::place::read(built)?)?;
    place
        .output(place.tool("strip").arg(&program))
        .or_else(|_| {
            // The one of this machine does not know the others.
            place.output(place.tool("aarch64-linux-gnu-strip").arg(&program))
        })?;
    place.output(place.tool("chmod").arg("755").arg(&program))?;
    // The texts are the same for each machine, and this one runs the first.
    let speaks = self::tree(place, &MACHINES[0]).join("bin/layerwise");
    let says =
        |arguments: &[&str]| place.output(place.tool(&speaks.to_string_lossy()).args(arguments));
    for (shell, path) in SHELLS {
        write(&tree.join(path), says(&["completions", shell])?)?;
    }
    says(&[
        "man",
        "--output",
        &tree.join("share/man/man1").to_string_lossy(),
    ])?;
    for (file, path) in DOCUMENTS {
        write(&tree.join(path), place.text(file)?)?;
    }
    Ok(())
}

/// The same bytes for the same files.
pub fn archive(place: &Place, tree: &Path, file: &Path) -> Result<(), Failure> {
    let mut tar = place.tool("tar");
    tar.args([
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mtime=@0",
    ]);
    tar.args(["--use-compress-program=gzip -n", "-cf"])
        .arg(file)
        .arg("-C")
        .arg(tree)
        .arg(".");
    place.output(&mut tar)?;
    Ok(())
}

/// Unpacked into an empty directory the program of this machine runs without anything else,
/// and `man` reads its pages.
pub fn prove(place: &Place) -> Result<String, Failure> {
    let empty = place.empty("program")?;
    let packed = place
        .out
        .join(format!("layerwise-{}-linux-amd64.tar.gz", place.version));
    place.output(
        place
            .tool("tar")
            .arg("-xzf")
            .arg(&packed)
            .arg("-C")
            .arg(&empty),
    )?;
    let program = empty.join("bin/layerwise");
    let run = |arguments: &[&str]| {
        let mut run = place.tool(&program.to_string_lossy());
        place.output(run.args(arguments).env_clear().current_dir(&empty))
    };
    let version = run(&["--version"])?;
    if version.trim() != format!("layerwise {}", place.version) {
        return Err(Failure::new(format!(
            "the program says that it is {version:?}"
        )));
    }
    run(&["demo"])?;
    let mut sizes = Vec::new();
    for machine in machines(place) {
        let path = tree(place, machine).join("bin/layerwise");
        let headers = place.output(
            place
                .tool("readelf")
                .args(["--program-headers", "--wide"])
                .arg(&path),
        )?;
        if headers.contains("INTERP") {
            return Err(Failure::new(format!(
                "the program for {} is not static",
                machine.name
            )));
        }
        let bytes = crate::place::read(&path)?.len();
        sizes.push(format!("{} {bytes} bytes", machine.name));
    }
    let pages = fs::read_dir(empty.join("share/man/man1")).map_or(0, Iterator::count);
    Ok(format!(
        "{}; {pages} pages of the manual, {} completions; demo runs with no environment",
        sizes.join(", "),
        SHELLS.len()
    ))
}
