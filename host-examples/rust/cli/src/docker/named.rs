//! Images by the names that a user can type: the component knows ids only.

use layerwise::docker::Reason;
use layerwise::explain::{Difference, Explanation, Finding};

use super::opened::Opened;

/// Puts names in place of the ids of images that the user is told to name.
pub fn put(opened: &Opened<'_>, explanation: &mut Explanation) {
    let usable = |finding: &&Finding| finding.code == Reason::UsableAsSource;
    let ids: Vec<String> = explanation
        .findings
        .iter()
        .filter(usable)
        .map(|finding| finding.subject.clone())
        .collect();
    if ids.is_empty() {
        return;
    }
    let answers = opened.store.resolve(&opened.names, crate::io::LONGEST);
    let named: Vec<(&String, String)> = opened
        .names
        .iter()
        .zip(answers)
        .filter_map(|(name, answer)| Some((name, answer.ok()?.id)))
        .filter(|(name, id)| ids.contains(id) && is_plain(name))
        .collect();
    let name_of = |id: &str| named.iter().find(|(_, named)| named == id);
    for finding in &mut explanation.findings {
        if let Some((name, id)) = name_of(&finding.subject).filter(|_| usable(&&*finding)) {
            finding.hint = finding.hint.as_deref().map(|hint| typed(hint, id, name));
            finding.differences.push(Difference::fact("name", name));
        }
    }
    for (name, id) in &named {
        let hint = explanation.summary.hint.as_deref();
        explanation.summary.hint = hint.map(|hint| typed(hint, id, name));
    }
}

/// A name that can be typed as it is. Others may do something else in a shell.
fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/:@+".contains(&b);
    !name.is_empty() && !name.starts_with('-') && name.bytes().all(plain)
}

/// What to type with a name in it.
fn typed(hint: &str, id: &str, name: &str) -> String {
    hint.replace(&format!("--trust {id}"), &format!("--trust {name}"))
}
