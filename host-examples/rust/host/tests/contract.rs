//! The component's contract with every host: exactly these imports and exports,
//! its size, its memory and its stack.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use layerwise_component::COMPONENT;
use wasmparser::{Operator, Parser, Payload};

const VERSION: &str = "0.1.0";

/// What it has now, and a little, so that growth is noticed. Design asks for
/// 600,000.
const MOST_BYTES: usize = 2_730_000;

#[test]
fn imports_and_exports_are_exactly_these() {
    let names = |list: &[&str]| -> Vec<String> {
        list.iter()
            .map(|name| format!("layerwise:cache/{name}@{VERSION}"))
            .collect()
    };
    let (imports, exports) = interfaces(COMPONENT);
    let imported = ["types", "image-store", "registry", "filesystem", "observer"];
    assert_eq!(imports, names(&imported));
    assert_eq!(
        exports,
        names(&[
            "docker",
            "dockerfile",
            "buildpacks",
            "buildkit",
            "builds",
            "stacker",
            "rules"
        ])
    );
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
                let names = section
                    .into_iter()
                    .map(|one| one.expect("an import").name.name);
                imports.extend(names.map(str::to_owned));
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                let names = section
                    .into_iter()
                    .map(|one| one.expect("an export").name.name);
                exports.extend(names.map(str::to_owned));
            }
            _ => {}
        }
    }
    (imports, exports)
}

#[test]
fn size_does_not_grow() {
    assert!(COMPONENT.len() <= MOST_BYTES, "{} bytes", COMPONENT.len());
}

/// The core module that holds the code: the one with a memory.
fn memory_and_stack() -> (u64, Option<u64>, i32) {
    let mut found = None;
    let mut stack = None;
    for payload in Parser::new(0).parse_all(COMPONENT) {
        match payload.expect("a valid component") {
            Payload::MemorySection(memories) => {
                for memory in memories {
                    let memory = memory.expect("a memory");
                    found = Some((memory.initial, memory.maximum));
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    let global = global.expect("a global");
                    let mut operators = global.init_expr.get_operators_reader();
                    if let Ok(Operator::I32Const { value }) = operators.read() {
                        // The first one is the stack pointer, at the stack's end.
                        stack.get_or_insert(value);
                    }
                }
            }
            _ => {}
        }
    }
    let (initial, maximum) = found.expect("a memory");
    (initial, maximum, stack.expect("a stack pointer"))
}

#[test]
fn memory_and_stack_are_baked_in() {
    const PAGE: u64 = 64 << 10;
    let (initial, maximum, stack) = memory_and_stack();
    assert_eq!(maximum, Some((512 << 20) / PAGE), "pages at most");
    assert_eq!(stack, 256 << 10, "bytes of stack");
    assert!(initial * PAGE <= 512 << 10, "{initial} pages to start with");
}
