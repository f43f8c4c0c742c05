//! The key of an operation on files (Builds spec, sections 3.3 and 3.4).

use serde_json::Value;

use super::exec::without_nested;
use super::key::{InputKey, Selection, digest, flag, items, number, refused, text, texts};
use super::message::{self, Message};
use super::unknown::Unknown;
use super::version::Rules;
use crate::base64;
use crate::go_json::{Escapes, Writer};
use crate::paths;
use crate::patterns::has_wildcards;
use crate::prelude::*;

/// No input, no output.
const NONE: i64 = -1;

/// An action, with its message.
struct Action<'a> {
    kind: &'static str,
    schema: &'static Message,
    message: &'a Value,
    input: i64,
    secondary: i64,
    output: i64,
}

fn actions(message: &Value) -> Result<Vec<Action<'_>>, Unknown> {
    static KINDS: [(&str, &Message); 5] = [
        ("copy", &message::COPY),
        ("mkfile", &message::MKFILE),
        ("mkdir", &message::MKDIR),
        ("rm", &message::RM),
        ("symlink", &message::SYMLINK),
    ];
    let list = items(message, "actions");
    if list.is_empty() {
        return Err(refused("invalid file op with no actions"));
    }
    let read = |action| {
        let Some(Value::Object(body)) = Value::get(action, "Action") else {
            return Err(Unknown::Form);
        };
        let found = KINDS
            .iter()
            .find_map(|(kind, schema)| body.get(*kind).map(|message| (*kind, *schema, message)));
        let (kind, schema, message) = match (found, body.keys().next()) {
            (Some(found), _) => found,
            (None, Some(other)) => return Err(Unknown::Field(other.clone())),
            (None, None) => return Err(Unknown::Symlink),
        };
        Ok(Action {
            kind,
            schema,
            message,
            input: number(action, "input"),
            secondary: number(action, "secondaryInput"),
            output: number(action, "output"),
        })
    };
    list.iter().map(read).collect()
}

impl Action<'_> {
    /// The input that this copies from, if it is an input of the operation.
    fn copied_input(&self, inputs: usize) -> Option<i64> {
        let count = i64::try_from(inputs).unwrap_or(i64::MAX);
        let from_input = self.secondary != NONE && self.secondary < count;
        (self.kind == "copy" && from_input).then_some(self.secondary)
    }
}

/// The JSON that the digest is made from.
pub(super) fn json(message: &Value, inputs: usize) -> Result<String, Unknown> {
    let actions = actions(message)?;
    let documents = actions.iter().map(|action| {
        let covered = covered(action.message, action.copied_input(inputs).is_some());
        let mut writer = Writer::new(Escapes::Short);
        message::write(&mut writer, action.schema, &covered)?;
        Ok(base64::encode(writer.finish().as_bytes()))
    });
    let documents: Vec<String> = documents.collect::<Result<_, Unknown>>()?;
    let mut writer = Writer::new(Escapes::Short);
    writer.object(|w| {
        w.member("Type").string("buildkit.file.v0");
        w.member("Actions")
            .list(&documents, |w, document| w.string(document));
        if !are_a_chain(&actions) {
            w.member("indexes").list(&actions, |w, action| {
                let indexes = [action.input, action.secondary, action.output];
                w.list(indexes, Writer::integer);
            });
        }
    });
    Ok(writer.finish())
}

/// The action without the folder of a path that stands in the selector.
fn covered(message: &Value, copied: bool) -> Value {
    let mut covered = message.clone();
    if copied && let Value::Object(members) = &mut covered {
        let name = paths::last_element(text(message, "src")).to_owned();
        members.insert("src".to_owned(), Value::String(name));
    }
    covered
}

/// Whether each action builds on the one before, which then is not written.
fn are_a_chain(actions: &[Action<'_>]) -> bool {
    let count = i64::try_from(actions.len()).unwrap_or(i64::MAX);
    (0..count).zip(actions).all(|(at, action)| {
        let input = if at == 0 { 0 } else { count + at - 1 };
        let output = if at == count - 1 { 0 } else { NONE };
        action.input == input && matches!(action.secondary, NONE | 1) && action.output == output
    })
}

/// How each input stands in the key.
pub(super) fn inputs(
    message: &Value,
    inputs: usize,
    rules: Rules,
) -> Result<Vec<InputKey>, Unknown> {
    let mut selected: BTreeMap<i64, Vec<Selection>> = BTreeMap::new();
    let mut built_on = BTreeSet::new();
    for action in actions(message)? {
        built_on.insert(action.input);
        if action.kind != "symlink" || rules.symlink_owner {
            for (input, path) in owner_files(action.message)? {
                let selection = Selection {
                    path: path.to_owned(),
                    follow: true,
                    ..Selection::default()
                };
                selected.entry(input).or_default().push(selection);
            }
        }
        if let Some(input) = action.copied_input(inputs) {
            let source = text(action.message, "src");
            let selection = Selection {
                path: source.to_owned(),
                wildcard: flag(action.message, "allowWildcard") && has_wildcards(source),
                follow: flag(action.message, "followSymlink"),
                include: texts(action.message, "include_patterns"),
                exclude: texts(action.message, "exclude_patterns"),
                required: texts(action.message, "required_paths"),
            };
            selected.entry(input).or_default().push(selection);
        }
    }
    let mut keys = vec![InputKey::default(); inputs];
    for (input, selections) in selected {
        let index = usize::try_from(input).unwrap_or(usize::MAX);
        let Some(key) = keys.get_mut(index) else {
            let message = format!("invalid input index {input} in file op with {inputs} inputs");
            return Err(Unknown::Refused(message));
        };
        if built_on.contains(&input) {
            continue;
        }
        let mut paths: Vec<&str> = selections.iter().map(|one| one.path.as_str()).collect();
        paths.sort_unstable_by(|a, b| b.cmp(a));
        *key = InputKey {
            selector: digest(paths.join("\0").as_bytes()),
            content: Some(merged(selections)),
        };
    }
    Ok(keys)
}

/// The inputs and files in which names of owners are looked up.
fn owner_files(message: &Value) -> Result<Vec<(i64, &'static str)>, Unknown> {
    let mut files = Vec::new();
    let Some(owner) = message.get("owner") else {
        return Ok(files);
    };
    for (who, file) in [("user", "/etc/passwd"), ("group", "/etc/group")] {
        let named = owner.get(who).and_then(|who| who.get("User"));
        if let Some(named) = named.and_then(|user| user.get("byName")) {
            let input = number(named, "input");
            if input < 0 {
                return Err(Unknown::Refused(format!("invalid user index {input}")));
            }
            files.push((input, file));
        }
    }
    Ok(files)
}

/// The selections with plain paths merged, sorted by path.
fn merged(selections: Vec<Selection>) -> Vec<Selection> {
    let is_plain =
        |one: &Selection| !one.wildcard && one.include.is_empty() && one.exclude.is_empty();
    let plain = |follow: bool| {
        let paths = selections
            .iter()
            .filter(|one| is_plain(one) && one.follow == follow);
        let paths = without_nested(paths.map(|one| one.path.clone()).collect());
        paths.into_iter().map(move |path| Selection {
            path,
            follow,
            ..Selection::default()
        })
    };
    let mut merged: Vec<Selection> = plain(false).chain(plain(true)).collect();
    merged.extend(selections.iter().filter(|one| !is_plain(one)).cloned());
    merged.sort_by(|a, b| a.path.cmp(&b.path));
    merged
}
