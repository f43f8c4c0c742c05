//! The image that an earlier build of the same steps made, told by its history (Docker
//! spec, section 9.1).

use super::image::ImageDocument;
use super::instruction::Parts;
use super::read::read_image;
use super::version::Rules;
use crate::error::Error;
use crate::prelude::*;
use crate::semantics::Semantics;

/// The place of the document whose history has most of these commands; of several the
/// newest. Checksums of COPY and ADD do not count. A document that cannot be read is
/// passed over.
///
/// # Errors
/// `unsupported` for an unknown version.
pub fn closest_history(
    documents: &[String],
    commands: &[String],
    semantics: &Semantics,
) -> Result<Option<usize>, Error> {
    let rules = Rules::of(semantics)?;
    let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
    for command in commands.iter().filter(|command| !command.is_empty()) {
        *wanted.entry(key(command)).or_default() += 1;
    }
    let mut best = None;
    for (place, text) in documents.iter().enumerate() {
        let Ok(image) = read_image(text, &rules) else {
            continue;
        };
        let common = common(&image, wanted.clone());
        let fit = (common, image.created.map(|time| time.instant()));
        if common > 0 && best.as_ref().is_none_or(|(least, _)| *least < fit) {
            best = Some((fit, place));
        }
    }
    Ok(best.map(|(_, place)| place))
}

/// How many history entries have one of the commands, each used once.
fn common(image: &ImageDocument, mut wanted: BTreeMap<String, usize>) -> usize {
    let history = image.history.as_deref().unwrap_or_default().iter();
    let found = history.filter(|entry| match wanted.get_mut(&key(&entry.created_by)) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    });
    found.count()
}

/// A command without what changes with the files that it copies.
fn key(command: &str) -> String {
    let Parts {
        name,
        source,
        target,
    } = Parts::of(command);
    match name {
        "COPY" | "ADD" => format!("{name} {source} in {target}"),
        _ => command.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(created: &str, commands: &[&str]) -> String {
        let history: Vec<String> = commands
            .iter()
            .map(|command| format!(r#"{{"created_by":"{command}"}}"#))
            .collect();
        format!(
            r#"{{"created":"{created}","history":[{}],"rootfs":{{}}}}"#,
            history.join(",")
        )
    }

    #[test]
    fn most_steps_in_common_then_the_newest() {
        let copy = |sum: &str| format!("/bin/sh -c #(nop) COPY file:{sum} in /a ");
        let (old, new) = (copy("11"), copy("22"));
        let asked = [new, "/bin/sh -c x".to_owned(), String::new()];
        let closest = |images: &[String]| {
            closest_history(images, &asked, &Semantics::compatible(None)).unwrap()
        };
        let a = image("2026-01-01T00:00:00Z", &[&old, "/bin/sh -c x"]);
        let b = image("2026-01-02T00:00:00Z", &[&old, "/bin/sh -c y"]);
        let c = image("2026-01-03T00:00:00Z", &[&old, "/bin/sh -c x"]);
        let twice = image("2026-01-04T00:00:00Z", &["/bin/sh -c x", "/bin/sh -c x"]);
        let other = image("2026-01-05T00:00:00Z", &["/bin/sh -c z"]);
        let all = [a.clone(), b.clone(), "no json".to_owned(), c, twice.clone()];
        assert_eq!(closest(&all), Some(3));
        assert_eq!(closest(&[b.clone(), a]), Some(1));
        assert_eq!(closest(&[b, twice]), Some(1), "the newer of equal ones");
        assert_eq!(closest(&[other]), None);
        assert_eq!(closest(&[]), None);
    }
}
