//! A Debian package of the program.

use std::fs;

use super::program::{self, Machine};
use crate::failure::Failure;
use crate::place::{Place, write};

pub fn make(place: &Place) -> Result<(), Failure> {
    for machine in program::machines(place) {
        let root = place.empty("debian")?;
        let mut copy = place.tool("cp");
        place.output(
            copy.arg("-r")
                .arg(program::tree(place, machine))
                .arg(root.join("usr")),
        )?;
        let pages = root.join("usr/share/man/man1");
        for page in fs::read_dir(&pages)
            .map_err(|e| Failure::file("read", &pages, &e))?
            .flatten()
        {
            place.output(place.tool("gzip").args(["-9", "-n"]).arg(page.path()))?;
        }
        write(&root.join("DEBIAN/control"), control(place, machine))?;
        let mut deb = place.tool("dpkg-deb");
        deb.args(["--root-owner-group", "--build"])
            .arg(&root)
            .arg(place.out.join(name(place, machine)));
        place.output(deb.env("SOURCE_DATE_EPOCH", "0"))?;
    }
    Ok(())
}

/// Installed by dpkg into an empty root.
pub fn prove(place: &Place) -> Result<String, Failure> {
    let mut names = Vec::new();
    for machine in program::machines(place) {
        let package = place.out.join(name(place, machine));
        let about = place.output(place.tool("dpkg-deb").arg("--field").arg(&package))?;
        if !about.contains(&format!("Version: {}", place.version)) {
            return Err(Failure::new(format!("the package says {about:?}")));
        }
        names.push(name(place, machine));
    }
    let root = place.empty("root")?;
    write(&root.join("var/lib/dpkg/status"), "")?;
    for directory in [
        "var/lib/dpkg/info",
        "var/lib/dpkg/updates",
        "var/lib/dpkg/triggers",
    ] {
        let path = root.join(directory);
        fs::create_dir_all(&path).map_err(|error| Failure::file("make", &path, &error))?;
    }
    let mut dpkg = place.tool("dpkg");
    dpkg.arg(format!("--root={}", root.display()))
        .arg("--install");
    place.output(
        dpkg.arg(
            place
                .out
                .join(format!("layerwise_{}_amd64.deb", place.version)),
        ),
    )?;
    let installed = root.join("usr/bin/layerwise");
    place.output(
        place
            .tool(&installed.to_string_lossy())
            .arg("demo")
            .env_clear(),
    )?;
    Ok(format!(
        "{}; installed by dpkg into an empty root, demo runs",
        names.join(", ")
    ))
}

fn name(place: &Place, machine: &Machine) -> String {
    format!("layerwise_{}_{}.deb", place.version, machine.name)
}

fn control(place: &Place, machine: &Machine) -> String {
    format!(
        "Package: layerwise\nVersion: {}\nArchitecture: {}\nMaintainer: The Layerwise authors <maintainers@layerwise.dev>\n\
         Section: devel\nPriority: optional\nHomepage: {}\n\
         Description: decides what a container build may reuse, and says why\n \
         The caches of Docker, BuildKit, Buildpacks and stacker: what a build would hit, why\n \
         a step ran again, and whether a cache is whole.\n",
        place.version,
        machine.name,
        env!("CARGO_PKG_HOMEPAGE"),
    )
}
