//! What is odd about the text of a config, though readers accept it (BuildKit
//! spec, section 7.2).

use super::json::DEPTH;
use crate::buildkit::findings::Findings;
use crate::buildkit::reason::{Finding, Reason};
use crate::explain::Difference;
use crate::go_json::{Error, Reader, Shape, field_index};
use crate::prelude::*;

/// The members of an object and what is in them.
struct Schema(&'static [(&'static str, Content)]);

/// What a member holds, looked into through any number of lists.
#[derive(Clone, Copy)]
enum Content {
    Plain,
    Object(&'static Schema),
}

const CONFIG: Schema = Schema(&[
    ("layers", Content::Object(&LAYER)),
    ("records", Content::Object(&RECORD)),
]);
const LAYER: Schema = Schema(&[
    ("blob", Content::Plain),
    ("parent", Content::Plain),
    ("annotations", Content::Object(&ANNOTATIONS)),
]);
const ANNOTATIONS: Schema = Schema(&[
    ("mediaType", Content::Plain),
    ("diffID", Content::Plain),
    ("size", Content::Plain),
    ("createdAt", Content::Plain),
]);
const RECORD: Schema = Schema(&[
    ("layers", Content::Object(&RESULT)),
    ("chains", Content::Object(&CHAIN)),
    ("digest", Content::Plain),
    ("inputs", Content::Object(&LINK)),
]);
const RESULT: Schema = Schema(&[("layer", Content::Plain), ("createdAt", Content::Plain)]);
const CHAIN: Schema = Schema(&[("layers", Content::Plain), ("createdAt", Content::Plain)]);
const LINK: Schema = Schema(&[("selector", Content::Plain), ("link", Content::Plain)]);

/// Finds members that are unknown, repeated or in other letter case. A text that
/// is not JSON is looked at up to there.
pub(crate) fn lint(text: &str, findings: &mut Findings) {
    let mut reader = Reader::new(text, DEPTH);
    // What does not parse is reported by whoever reads it.
    let _ = value(&mut reader, &CONFIG, findings);
}

/// Looks into an object, or into a list of them. Objects nest as deep as the
/// schema, lists inside lists only where an input has them.
fn value(reader: &mut Reader<'_>, schema: &Schema, findings: &mut Findings) -> Result<(), Error> {
    match reader.peek()? {
        Shape::Object => object(reader, schema, findings),
        Shape::List => reader.list(|reader| match reader.peek()? {
            Shape::Object => object(reader, schema, findings),
            Shape::List => reader.list(|reader| match reader.peek()? {
                Shape::Object => object(reader, schema, findings),
                _ => reader.skip(),
            }),
            _ => reader.skip(),
        }),
        _ => reader.skip(),
    }
}

fn object(reader: &mut Reader<'_>, schema: &Schema, findings: &mut Findings) -> Result<(), Error> {
    let names: Vec<&str> = schema.0.iter().map(|(name, _)| *name).collect();
    let mut seen = vec![false; names.len()];
    reader.object(|reader, name| {
        let at = Difference::fact("byte", reader.offset());
        let Some(index) = field_index(&names, &name) else {
            findings.push(Finding::new(Reason::UnknownField, name).with([at]));
            return reader.skip();
        };
        if names.get(index) != Some(&name.as_ref()) {
            let finding = Finding::new(Reason::CaseFoldedKey, name.as_ref());
            findings.push(finding.with([at.clone()]));
        }
        if let Some(seen) = seen.get_mut(index) {
            if *seen {
                findings.push(Finding::new(Reason::DuplicateKey, name.as_ref()).with([at]));
            }
            *seen = true;
        }
        match schema.0.get(index) {
            Some((_, Content::Object(inner))) => value(reader, inner, findings),
            _ => reader.skip(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<(Cow<'static, str>, String)> {
        let mut findings = Findings::new();
        lint(text, &mut findings);
        let findings = findings.finish().into_iter();
        findings
            .map(|finding| (finding.code.into(), finding.subject))
            .collect()
    }

    #[test]
    fn odd_members() {
        let text = r#"{"records":[{"Digest":"a","digest":"b","foo":{"foo":1},
            "inputs":[[{"LINK":0,"more":1}],null]}],"layers":[{"annotations":{"diffid":""}}],"bar":[[[]]]}"#;
        assert_eq!(
            codes(text),
            [
                ("buildkit/case-folded-key".into(), "Digest".into()),
                ("buildkit/duplicate-key".into(), "digest".into()),
                ("buildkit/unknown-field".into(), "foo".into()),
                ("buildkit/case-folded-key".into(), "LINK".into()),
                ("buildkit/unknown-field".into(), "more".into()),
                ("buildkit/case-folded-key".into(), "diffid".into()),
                ("buildkit/unknown-field".into(), "bar".into()),
            ]
        );
        assert_eq!(codes(&"[".repeat(100_000)), []);
        assert_eq!(codes(r#"{"records":5}"#), []);
    }

    #[test]
    fn findings_of_one_kind_are_capped() {
        let members: Vec<_> = (0..1_000).map(|n| format!("\"x{n}\":0")).collect();
        let found = codes(&format!("{{{}}}", members.join(",")));
        assert_eq!(found.len(), 101);
        assert_eq!(found[100].1, "and more");
    }
}
