//! The component's contract with every host: exactly these imports and exports,
//! its size, its memory and its stack.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use layerwise_host::{COMPONENT, Engine, EngineOptions};
use wasmparser::{Operator, Parser, Payload};

const VERSION: &str = "0.1.0";

/// What it has now, and a little, so that growth is noticed. Design asks for
/// 600,000.
const MOST_BYTES: usize = 1_800_000;

#[test]
fn imports_and_exports_are_exactly_these() {
    let engine = Engine::new(&EngineOptions::default()).expect("engine");
    let (imports, exports) = engine.interfaces();
    let names = |list: &[&str]| -> Vec<String> {
        list.iter()
            .map(|name| format!("layerwise:cache/{name}@{VERSION}"))
            .collect()
    };
    let imported = ["types", "image-store", "registry", "filesystem", "observer"];
    assert_eq!(imports, names(&imported));
    assert_eq!(
        exports,
        names(&["docker", "buildpacks", "buildkit", "stacker"])
    );
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
