//! Each smaller world by itself: what its component imports and exports, and its size.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

mod interfaces;

use interfaces::interfaces;
use layerwise_component::WORLDS;

/// The imports, the exports, and the bytes that there are at most: what it has now, and
/// a little, so that growth is noticed.
type Contract = (&'static [&'static str], &'static [&'static str], usize);

fn contract(world: &str) -> Contract {
    match world {
        "docker" => (
            &["types", "image-store", "observer"],
            &["docker", "rules"],
            545_000,
        ),
        "dockerfile" => (
            &["types", "image-store", "filesystem", "observer"],
            &["docker", "dockerfile", "rules"],
            880_000,
        ),
        "buildkit" => (
            &["types", "registry", "observer"],
            &["buildkit", "rules"],
            610_000,
        ),
        "builds" => (
            &["types", "registry", "filesystem", "observer"],
            &["buildkit", "builds", "rules"],
            1_250_000,
        ),
        "buildpacks" => (
            &["types", "registry", "filesystem", "observer"],
            &["buildpacks", "rules"],
            488_000,
        ),
        // It can import a registry, and asks for nothing there.
        "stacker" => (
            &["types", "filesystem", "observer"],
            &["stacker", "rules"],
            396_000,
        ),
        other => panic!("nothing is known of the world {other}"),
    }
}

#[test]
fn each_world_has_exactly_its_imports_exports_and_size() {
    let mut wrong = Vec::new();
    for &(world, component) in WORLDS {
        let (imports, exports, most) = contract(world);
        let (found_imports, found_exports) = interfaces(component);
        let same = found_imports == names(imports) && found_exports == names(exports);
        if !same || component.len() > most {
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
    let mut full: Vec<String> = list.iter().map(full).collect();
    full.sort();
    full
}
