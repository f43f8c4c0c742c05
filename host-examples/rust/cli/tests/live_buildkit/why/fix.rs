//! What a person does about the causes that are named. Nothing else is put back.

use serde_json::Value;

use super::project::Project;

/// The changed project with every cause put back that is named.
pub fn fix(before: &Project, changed: &Project, told: &Value) -> Project {
    let mut fixed = changed.clone();
    // From the last line, so that lines that go do not move those before.
    let mut steps: Vec<&Value> = told["steps"].as_array().unwrap().iter().collect();
    steps.sort_by_key(|step| std::cmp::Reverse(step["lines"][0].as_u64()));
    for step in steps {
        let line = step["lines"][0].as_u64().unwrap_or_default();
        let line = usize::try_from(line).unwrap();
        for cause in step["causes"].as_array().unwrap() {
            match cause["code"].as_str().unwrap() {
                "builds/content-changed" => {
                    for file in step["files"].as_array().unwrap() {
                        put_back(before, &mut fixed, file["path"].as_str().unwrap());
                    }
                }
                "builds/definition-changed" => definition(&mut fixed, line, cause),
                "builds/new-step" => {
                    fixed.dockerfile.remove(line - 1);
                }
                "builds/no-cache" => fixed.no_cache = false,
                _ => {}
            }
        }
    }
    fixed
}

fn put_back(before: &Project, fixed: &mut Project, path: &str) {
    if path == "Dockerfile" {
        fixed.dockerfile.clone_from(&before.dockerfile);
        return;
    }
    match before.files.get(path) {
        Some(file) => fixed.files.insert(path.to_owned(), file.clone()),
        None => fixed.files.remove(path),
    };
}

/// Puts back what differs in a definition: a variable, or words of the command.
fn definition(fixed: &mut Project, line: usize, cause: &Value) {
    for difference in cause["differences"].as_array().unwrap() {
        let text = |side: &str| difference[side].as_str();
        let path = text("path").unwrap();
        if let Some(name) = path.strip_prefix("variable ") {
            let is_argument = fixed.arguments.remove(name).is_some();
            let old = text("have").unwrap_or_default();
            let begin = format!("ENV {name}=");
            for known in &mut fixed.dockerfile {
                if !is_argument && known.starts_with(&begin) {
                    *known = format!("{begin}{old}");
                }
            }
        } else if let (Some(old), Some(new), Some(known)) = (
            text("have"),
            text("want"),
            fixed.dockerfile.get_mut(line - 1),
        ) {
            *known = known.replace(&format!("{new:?}"), &format!("{old:?}"));
        }
    }
}
