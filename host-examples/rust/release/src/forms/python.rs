//! The wheel and the source distribution of Python.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::place::{Place, snippet, write};

/// What tells the type checker and the licence of an installed package, in its directory.
const WITHIN: &str = r#"
import importlib.metadata as m, pathlib, layerwise
about = m.metadata("layerwise")
assert about.get_all("License-File"), "no licence file"
assert about.get_all("Project-URL"), "no addresses"
assert (pathlib.Path(layerwise.__file__).parent / "py.typed").is_file(), "no py.typed"
print(m.version("layerwise"), [s.name for s in m.entry_points(group="console_scripts") if s.value.startswith("layerwise.")][0])
"#;

pub fn make(place: &Place) -> Result<(), Failure> {
    let tools = environment(place, "python-tools", &["hatchling>=1.27"])?;
    let mut build = place.tool(&tools);
    build
        .args([
            "-m",
            "hatchling",
            "build",
            "-t",
            "sdist",
            "-t",
            "wheel",
            "-d",
        ])
        .arg(&place.out);
    build.env(
        "LAYERWISE_COMPONENT",
        place.out.join(super::component::FILE),
    );
    place.output(build.current_dir(place.source.join("host-examples/python")))?;
    Ok(())
}

/// Both are installed into environments of their own, where the manual's example is checked
/// by mypy and run, and `pipx run` gives the command.
pub fn prove(place: &Place) -> Result<String, Failure> {
    let wheel = place.made(".whl")?;
    let sdist = place.made(&format!("layerwise-{}.tar.gz", place.version))?;
    let python = environment(place, "wheel", &[&text(&wheel), "mypy"])?;
    let place_of_example = place.empty("python-example")?;
    let example = place_of_example.join("example.py");
    write(
        &example,
        snippet(&place.text("src/manual/python.md")?, "python")?,
    )?;
    let here = |arguments: &[&str]| {
        place.output(
            place
                .tool(&python)
                .args(arguments)
                .current_dir(&place_of_example),
        )
    };
    let said = here(&["-c", WITHIN])?;
    let (version, command) = said.trim().split_once(' ').unwrap_or_default();
    if version != place.version {
        return Err(Failure::new(format!(
            "the wheel says that its version is {version}"
        )));
    }
    here(&["-m", "mypy", "--strict", "example.py"])?;
    let printed = here(&["example.py"])?;
    let shown = snippet(&place.text("src/manual/python.md")?, "text")?;
    if printed != shown {
        return Err(Failure::new(format!(
            "the manual's example printed {printed:?}"
        )));
    }
    let other = environment(place, "sdist", &[&text(&sdist), "pipx"])?;
    place.output(place.tool(&other).args(["-m", "layerwise", "demo"]))?;
    let mut pipx = place.tool(&other);
    pipx.args([
        "-m",
        "pipx",
        "run",
        "--spec",
        &text(&wheel),
        command,
        "demo",
    ]);
    pipx.env("PIPX_HOME", place.empty("pipx")?);
    place.output(&mut pipx)?;
    Ok(format!(
        "wheel and sdist installed; the example passes mypy --strict and runs; pipx run {command}"
    ))
}

/// The interpreter of a fresh environment with some packages.
pub fn environment(place: &Place, name: &str, packages: &[&str]) -> Result<String, Failure> {
    let directory = place.empty(name)?;
    place.output(place.tool("python3").args(["-m", "venv"]).arg(&directory))?;
    let python = text(&directory.join("bin/python"));
    let mut pip = place.tool(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    place.output(pip.args(packages))?;
    Ok(python)
}

fn text(path: &Path) -> String {
    PathBuf::from(path).to_string_lossy().into_owned()
}
