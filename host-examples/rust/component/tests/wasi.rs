//! What the component with the stores over WASI inside needs of a runtime, and how large it is.

#![allow(clippy::expect_used, reason = "a test")]

use layerwise_component::{COMPONENT, STORES, composed};
use wasmparser::{Parser, Payload};

/// What the stores may add, in bytes.
const LARGEST: usize = 1_400_000;

/// The names that a component imports and exports.
fn names(component: &[u8]) -> (Vec<String>, Vec<String>) {
    let (mut imports, mut exports, mut depth) = (Vec::new(), Vec::new(), 0);
    for payload in Parser::new(0).parse_all(component) {
        match payload.expect("a component") {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) if depth > 0 => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                let found = section.into_iter().map(|import| import.expect("an import"));
                imports.extend(found.map(|import| import.name.name.to_owned()));
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                let found = section.into_iter().map(|export| export.expect("an export"));
                exports.extend(found.map(|export| export.name.name.to_owned()));
            }
            _ => {}
        }
    }
    imports.sort();
    exports.sort();
    (imports, exports)
}

#[test]
fn it_has_the_same_exports_and_only_wasi_imports() {
    let composed = composed().expect("composed");
    let (imports, exports) = names(&composed);
    let (lent, decisions) = names(COMPONENT);
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
    let (lent, _) = names(COMPONENT);
    let (_, exports) = names(STORES);
    for name in lent {
        assert!(exports.contains(&name), "{name}");
    }
}
