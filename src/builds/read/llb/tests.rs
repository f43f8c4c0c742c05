use super::*;
use crate::builds::read::assemble::LIMITS;
use crate::builds::{Rules, cache_map};

/// A field with bytes, a text or a message.
fn field(number: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    let mut field = varint(u64::from(number) << 3 | 2);
    field.extend(varint(value.len() as u64));
    field.extend(value);
    field
}

/// A field with a number.
fn number(number: u8, value: i64) -> Vec<u8> {
    let mut field = varint(u64::from(number) << 3);
    field.extend(varint(value.cast_unsigned()));
    field
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f | 0x80) as u8);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn linux() -> Vec<u8> {
    field(10, [field(1, "amd64"), field(2, "linux")].concat())
}

/// `FROM alpine`, `RUN make`, with the line of the latter.
fn definition() -> Vec<u8> {
    let image = [
        field(3, field(1, "docker-image://docker.io/library/alpine:3")),
        linux(),
    ]
    .concat();
    let meta = [field(1, "make"), field(2, "A=1"), field(3, "/")].concat();
    let root = [number(1, 0), field(3, "/"), number(4, 0)].concat();
    let exec = [field(1, meta), field(2, root)].concat();
    let input = field(1, field(1, digest(&image)));
    let run = [input, field(2, exec), linux()].concat();
    let last = field(1, field(1, digest(&run)));
    let named = field(
        2,
        [field(1, "llb.customname"), field(2, "[2/2] RUN make")].concat(),
    );
    let known = [field(1, digest(&run)), field(2, named)].concat();
    let range = field(1, number(1, 2));
    let lines = field(1, field(2, range));
    let place = [field(1, digest(&run)), field(2, lines)].concat();
    let file = [
        field(1, "Dockerfile"),
        field(2, "FROM alpine:3\nRUN make\n"),
    ]
    .concat();
    let source = [field(1, place), field(2, file)].concat();
    let operations = [field(1, image), field(1, run), field(1, last)].concat();
    [operations, field(2, known), field(3, source)].concat()
}

#[test]
fn steps_with_names_lines_and_keys() {
    let build = of_message(&definition(), &LIMITS).unwrap();
    let [definition] = build.definitions.as_slice() else {
        panic!("{build:?}");
    };
    let [image, run, last] = definition.steps.as_slice() else {
        panic!("{definition:?}");
    };
    assert_eq!(
        (image.op.kind, last.op.kind),
        (OpKind::Source, OpKind::Result)
    );
    assert_eq!(run.lines, [Lines { first: 2, last: 2 }]);
    assert_eq!(build.vertices[1].name, "[2/2] RUN make");
    assert_eq!(definition.dockerfile.as_ref().unwrap().name, "Dockerfile");
    // The key is the one of the same operation in provenance.
    let written = serde_json::json!({
        "meta": {"args": ["make"], "env": ["A=1"], "cwd": "/"},
        "mounts": [{"dest": "/"}],
    });
    let same = Op {
        message: written,
        ..run.op.clone()
    };
    let key = |op: &Op| {
        cache_map(op, 1, &Platform::default(), Rules::NEWEST)
            .unwrap()
            .digest
    };
    assert_eq!(key(&run.op), key(&same));
}

#[test]
fn a_field_that_is_not_known_makes_the_key_unknown() {
    let meta = [field(1, "make"), number(99, 1)].concat();
    let run = field(2, [field(1, meta), field(2, field(3, "/"))].concat());
    let build = of_message(&field(1, run), &LIMITS).unwrap();
    let op = &build.definitions[0].steps[0].op;
    assert!(cache_map(op, 0, &Platform::default(), Rules::NEWEST).is_err());
}

#[test]
fn what_is_no_definition_is_refused() {
    let nowhere = field(1, field(1, field(1, "sha256:aa")));
    for bytes in [&b""[..], b"{}", b"\x0a\xff", &nowhere] {
        assert!(of_message(bytes, &LIMITS).is_err(), "{bytes:?}");
    }
    // A source map with a definition with a source map, and so on.
    let mut deep = Vec::new();
    for _ in 0..200 {
        deep = field(2, field(3, field(3, deep)));
    }
    let deep = [field(1, linux()), field(3, deep)].concat();
    assert!(of_message(&deep, &LIMITS).is_err());
}
