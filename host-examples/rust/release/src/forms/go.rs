//! The Go module, as the directory of a module proxy.

use std::process::Command;

use crate::failure::Failure;
use crate::place::{Place, write};

const MODULE: &str = "layerwise.dev/layerwise";
const DIRECTORY: &str = "host-examples/go";
/// What somebody else's program may look like.
const NEWCOMER: &str = include_str!("newcomer.go");
/// Where programs run that are not compiled there.
const OTHERS: [(&str, &str); 4] = [
    ("linux", "arm64"),
    ("darwin", "arm64"),
    ("darwin", "amd64"),
    ("windows", "amd64"),
];

/// The files of the commit, and the component, which it has not.
pub fn make(place: &Place) -> Result<(), Failure> {
    let version = format!("v{}", place.version);
    let versions = place.out.join("goproxy").join(MODULE).join("@v");
    let within = format!("{MODULE}@{version}");
    write(&versions.join("list"), format!("{version}\n"))?;
    write(
        &versions.join(format!("{version}.info")),
        format!("{{\"Version\":\"{version}\"}}\n"),
    )?;
    let manifest = place.text(&format!("{DIRECTORY}/go.mod"))?;
    write(&versions.join(format!("{version}.mod")), manifest)?;
    let mut git = place.tool("git");
    git.args(["archive", "--format=zip"]);
    git.arg(format!("--prefix={within}/component/"));
    git.arg(format!(
        "--add-file={}",
        place.out.join(super::component::FILE).display()
    ));
    git.arg(format!("--prefix={within}/"));
    git.arg("--output")
        .arg(versions.join(format!("{version}.zip")));
    place.output(git.arg(format!("{}:{DIRECTORY}", place.commit)))?;
    Ok(())
}

/// A fresh module gets it from that directory, compiles without cgo and runs; then it is
/// compiled for other systems.
pub fn prove(place: &Place) -> Result<String, Failure> {
    let empty = place.empty("go")?;
    let cache = place.empty("go-modules")?;
    let usual = place.output(place.tool("go").args(["env", "GOPROXY"]))?;
    let proxy = format!(
        "file://{},{}",
        place.out.join("goproxy").display(),
        usual.trim()
    );
    let go = |arguments: &[&str]| -> Command {
        let mut go = place.tool("go");
        go.args(arguments)
            .current_dir(&empty)
            .env("CGO_ENABLED", "0")
            .env("GOPROXY", &proxy);
        go.env("GONOSUMDB", MODULE)
            .env("GOMODCACHE", &cache)
            .env("GOFLAGS", "-modcacherw");
        go
    };
    write(&empty.join("main.go"), NEWCOMER)?;
    place.output(&mut go(&["mod", "init", "example.com/newcomer"]))?;
    place.output(&mut go(&["get", &format!("{MODULE}@v{}", place.version)]))?;
    place.output(&mut go(&["mod", "tidy"]))?;
    place.output(&mut go(&["build", "-o", "newcomer", "."]))?;
    let program = empty.join("newcomer");
    let mut run = place.tool(&program.to_string_lossy());
    let printed = place.output(run.arg(empty.join("images")))?;
    if !printed.starts_with("miss docker/") {
        return Err(Failure::new(format!("the program printed {printed:?}")));
    }
    for (system, machine) in OTHERS {
        let mut build = go(&["build", "-o", "other", "."]);
        place.output(build.env("GOOS", system).env("GOARCH", machine))?;
    }
    Ok(format!(
        "go get, a program without cgo says {:?}; built for {} others",
        printed.trim(),
        OTHERS.len()
    ))
}
