use super::*;

const LOG: &str = "sha256:0c963ab7a667ce4f05bb5d7b4ddc41d499290072243c306656cb067447adca38";
const PROVENANCE: &str = "sha256:5f524f763e80819c73181c7aa776eba92faa4fbe4375d2f0dd0d2cafa8f248c5";

/// A field of bytes.
fn bytes(number: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    let mut length = value.len();
    let mut field = vec![number << 3 | 2];
    while length > 127 {
        field.push(u8::try_from(length & 127).unwrap() | 128);
        length >>= 7;
    }
    field.push(u8::try_from(length).unwrap());
    [field, value.to_vec()].concat()
}

fn number(number: u8, value: u8) -> Vec<u8> {
    // Numbers above 15 take two bytes.
    match number {
        0..=15 => vec![number << 3, value],
        _ => vec![number << 3 | 128, 1, value],
    }
}

fn blob(media_type: &str, digest: &str, annotations: &[(&str, &str)]) -> Vec<u8> {
    let mut blob = [bytes(1, media_type), bytes(2, digest), number(3, 9)].concat();
    for (name, value) in annotations {
        blob.extend(bytes(5, [bytes(1, name), bytes(2, value)].concat()));
    }
    blob
}

fn message() -> Vec<u8> {
    let kind = [(
        "in-toto.io/predicate-type",
        "https://slsa.dev/provenance/v1",
    )];
    let provenance = bytes(2, blob("application/vnd.in-toto+json", PROVENANCE, &kind));
    [
        bytes(1, "skrjgc7uczppjtw731h996c1t"),
        bytes(2, "dockerfile.v0"),
        bytes(3, [bytes(1, "target"), bytes(2, "app")].concat()),
        bytes(
            4,
            [
                bytes(1, "image"),
                bytes(2, [bytes(1, "name"), bytes(2, "r:5/a:1,b")].concat()),
            ]
            .concat(),
        ),
        bytes(5, [number(1, 2), bytes(2, "no such file")].concat()),
        bytes(6, [number(1, 5), number(2, 7)].concat()),
        bytes(7, number(1, 6)),
        bytes(8, blob("application/vnd.buildkit.status.v0", LOG, &[])),
        bytes(10, &provenance),
        bytes(
            11,
            [bytes(1, "linux/arm64"), bytes(2, &provenance)].concat(),
        ),
        number(15, 3),
        number(16, 11),
        number(17, 10),
    ]
    .concat()
}

const JSON: &str = r#"{
  "Ref": "skrjgc7uczppjtw731h996c1t",
  "Frontend": "dockerfile.v0",
  "FrontendAttrs": {"target": "app"},
  "Exporters": [{"Type": "image", "Attrs": {"name": "r:5/a:1,b", "push": "true"}}],
  "error": {"code": 2, "message": "no such file"},
  "CreatedAt": {"seconds": 5, "nanos": 7},
  "CompletedAt": {"seconds": 6},
  "logs": {
    "media_type": "application/vnd.buildkit.status.v0",
    "digest": "sha256:0c963ab7a667ce4f05bb5d7b4ddc41d499290072243c306656cb067447adca38",
    "size": 9
  },
  "Result": {"Attestations": [{
    "media_type": "application/vnd.in-toto+json",
    "digest": "sha256:5f524f763e80819c73181c7aa776eba92faa4fbe4375d2f0dd0d2cafa8f248c5",
    "size": 9,
    "annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}
  }]},
  "Results": {"linux/arm64": {"Attestations": [{
    "media_type": "application/vnd.in-toto+json",
    "digest": "sha256:5f524f763e80819c73181c7aa776eba92faa4fbe4375d2f0dd0d2cafa8f248c5",
    "size": 9,
    "annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}
  }]}},
  "numCachedSteps": 3, "numTotalSteps": 11, "numCompletedSteps": 10
}"#;

#[test]
fn both_forms_say_the_same() {
    let of_json = Record::of_json(JSON).unwrap();
    assert_eq!(Record::of_message(&message()).unwrap(), of_json);
    assert_eq!(of_json.name, "skrjgc7uczppjtw731h996c1t");
    assert_eq!(of_json.attributes["target"], "app");
    assert_eq!(of_json.images, ["b", "r:5/a"]);
    assert_eq!(of_json.error, "no such file");
    assert_eq!(of_json.created, Some(5_000_000_007));
    assert_eq!(of_json.completed, Some(6_000_000_000));
    assert_eq!(of_json.log.unwrap().digest, LOG);
    let [first, second] = of_json.attestations.try_into().unwrap();
    assert_eq!((first.0.as_str(), second.0.as_str()), ("", "linux/arm64"));
    assert_eq!(second.1.digest, PROVENANCE);
    let steps = of_json.steps;
    assert_eq!((steps.cached, steps.completed, steps.total), (3, 10, 11));
}

#[test]
fn what_is_no_record_is_refused() {
    assert!(Record::of_json("1").is_err());
    assert!(Record::of_json(r#"{"CreatedAt": "today"}"#).is_err());
    let whole = message();
    for end in 0..whole.len() {
        // A part that ends with a field is a record that knows less.
        let part = Record::of_message(&whole[..end]);
        assert!(part.is_err() || part.is_ok_and(|part| part.steps.completed == 0));
    }
    // The name is a number.
    assert!(Record::of_message(&number(1, 1)).is_err());
    assert!(Record::of_message(&bytes(1, [0xff])).is_err());
}

#[test]
fn a_build_that_was_cancelled_has_a_code_of_its_own() {
    for (code, canceled) in [(1, true), (2, false)] {
        let json = format!(r#"{{"Ref": "a", "error": {{"code": {code}, "message": "no"}}}}"#);
        let message = bytes(5, [number(1, code), bytes(2, "no")].concat());
        for record in [Record::of_json(&json), Record::of_message(&message)] {
            let record = record.unwrap();
            assert_eq!((record.canceled, record.error.as_str()), (canceled, "no"));
        }
    }
}
