//! Each smaller world by itself: what its component imports and exports, and its size.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use layerwise_component::WORLDS;
use wasmparser::{Parser, Payload};

/// The imports, the exports, and the bytes that there are at most: what it has now, and
/// a little, so that growth is noticed.
type Contract = (&'static [&'static str], &'static [&'static str], usize);

fn contract(world: &str) -> Contract {
    match world {
        "docker" => (
            &["types", "image-store", "observer"],
            &["docker", "rules"],
            0,
        ),
        "dockerfile" => (
            &["types", "image-store", "filesystem", "observer"],
            &["docker", "dockerfile", "rules"],
            0,
        ),
        "buildkit" => (
            &["types", "registry", "observer"],
            &["buildkit", "rules"],
            0,
        ),
        "builds" => (
            &["types", "registry", "filesystem", "observer"],
            &["buildkit", "builds", "rules"],
            0,
        ),
        "buildpacks" => (
            &["types", "registry", "filesystem", "observer"],
            &["buildpacks", "rules"],
            0,
        ),
        "stacker" => (
            &["types", "registry", "filesystem", "observer"],
            &["stacker", "rules"],
            0,
        ),
        other => panic!("nothing is known of the world {other}"),
    }
}

#[test]
fn each_world_has_exactly_its_imports_exports_and_size() {
    let mut wrong = Vec::new();
    for (world, component) in WORLDS {
        let (imports, exports, most) = contract(world);
        let (mut found_imports, mut found_exports) = interfaces(component);
        let (mut imports, mut exports) = (names(imports), names(exports));
        for list in [
            &mut found_imports,
            &mut found_exports,
            &mut imports,
            &mut exports,
        ] {
            list.sort();
        }
        if found_imports != imports || found_exports != exports || component.len() > most {
            wrong.push(format!(
                "{world}: imports {found_imports:?}, exports {found_exports:?}, {} bytes",
                component.len()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn names(list: &[&str]) -> Vec<String> {
    let full = |name| format!("layerwise:cache/{name}@{}", env!("CARGO_PKG_VERSION"));
    list.iter().map(full).collect()
}

/// What a component imports and exports.
fn interfaces(component: &[u8]) -> (Vec<String>, Vec<String>) {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.expect("a valid component") {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                let names = section.into_iter().map(|one| one.expect("an import").name);
                imports.extend(names.map(|name| name.name.to_owned()));
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                let names = section.into_iter().map(|one| one.expect("an export").name);
                exports.extend(names.map(|name| name.name.to_owned()));
            }
            _ => {}
        }
    }
    (imports, exports)
}
