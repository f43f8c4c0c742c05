//! What the component with the stores over WASI inside needs of a runtime, and how large it is.

#![allow(clippy::expect_used, reason = "a test")]

mod interfaces;

use interfaces::interfaces;
use layerwise_component::{COMPONENT, STORES, composed};

/// What the stores may add, in bytes.
const LARGEST: usize = 1_400_000;

#[test]
fn it_has_the_same_exports_and_only_wasi_imports() {
    let composed = composed().expect("composed");
    let (imports, exports) = interfaces(&composed);
    let (lent, decisions) = interfaces(COMPONENT);
    // The shared types come from nowhere else.
    let mut expected = decisions;
    expected.push("layerwise:cache/types@0.1.0".to_owned());
    expected.sort();
    assert_eq!(exports, expected);
    assert!(lent.iter().all(|name| name.starts_with("layerwise:cache/")));
    let packages = [
        "wasi:cli/",
        "wasi:clocks/",
        "wasi:filesystem/",
        "wasi:http/",
        "wasi:io/",
        "wasi:random/",
    ];
    for name in &imports {
        let known = packages.iter().any(|package| name.starts_with(package));
        assert!(known, "{name}");
    }
    for needed in ["wasi:filesystem/types@", "wasi:http/outgoing-handler@"] {
        assert!(imports.iter().any(|name| name.starts_with(needed)));
    }
    let more = composed.len().saturating_sub(COMPONENT.len());
    assert!(more <= LARGEST, "{more} bytes");
}

#[test]
fn the_stores_export_what_the_component_imports() {
    let (lent, _) = interfaces(COMPONENT);
    let (_, exports) = interfaces(STORES);
    for name in lent {
        assert!(exports.contains(&name), "{name}");
    }
}
