//! The forms of a release, as data.

mod component;
mod container;
mod crates;
mod debian;
mod go;
mod npm;
mod oci;
mod program;
mod python;
mod sign;
mod sums;

use crate::failure::Failure;
use crate::place::Place;
use crate::site;

/// Something that people install.
pub struct Form {
    /// What it is called here.
    pub name: &'static str,
    /// The forms it is made of.
    pub of: &'static [&'static str],
    /// The programs it is made and proved with, besides cargo and git.
    pub tools: &'static [&'static str],
    /// Makes it.
    pub make: fn(&Place) -> Result<(), Failure>,
    /// Installs it in an empty place and uses it; says what was seen.
    pub prove: fn(&Place) -> Result<String, Failure>,
}

/// Every form, after those that it is made of.
pub const FORMS: &[Form] = &[
    Form {
        name: "component",
        of: &[],
        tools: &[],
        make: component::make,
        prove: component::prove,
    },
    Form {
        name: "crates",
        of: &[],
        tools: &["tar"],
        make: crates::make,
        prove: crates::prove,
    },
    Form {
        name: "python",
        of: &["component"],
        tools: &["python3"],
        make: python::make,
        prove: python::prove,
    },
    Form {
        name: "npm",
        of: &["component"],
        tools: &["node", "npm"],
        make: npm::make,
        prove: npm::prove,
    },
    Form {
        name: "go",
        of: &["component"],
        tools: &["go"],
        make: go::make,
        prove: go::prove,
    },
    Form {
        name: "oci",
        of: &["component", "python"],
        tools: &["openssl", "skopeo"],
        make: oci::make,
        prove: oci::prove,
    },
    Form {
        name: "program",
        of: &[],
        tools: &["musl-gcc", "readelf", "rustup", "strip", "tar"],
        make: program::make,
        prove: program::prove,
    },
    Form {
        name: "debian",
        of: &["program"],
        tools: &["dpkg-deb", "dpkg"],
        make: debian::make,
        prove: debian::prove,
    },
    Form {
        name: "container",
        of: &["program"],
        tools: &["skopeo", "tar", "umoci"],
        make: container::make,
        prove: container::prove,
    },
    Form {
        name: "site",
        of: &["component", "npm"],
        tools: &[],
        make: site::make,
        prove: site::prove,
    },
    Form {
        name: "sums",
        of: &[],
        tools: &["npm", "go", "openssl", "sha256sum"],
        make: sums::make,
        prove: sums::prove,
    },
];
