//! Which build another one is compared with, unless it is named (Builds spec,
//! section 1.5).

use super::describe::Description;

/// The newest build that began before `of` and was asked for the same, as its place
/// among `all`; `None` if there is none, or it is not known when `of` began.
pub fn before(of: &Description, all: &[Description]) -> Option<usize> {
    let began = of.created?;
    let all = all.iter().enumerate();
    let earlier = all.filter(|(_, one)| {
        one.created.is_some_and(|created| created < began) && one.error.is_empty() && same(one, of)
    });
    let newest = earlier.max_by_key(|(_, one)| one.created);
    newest.map(|(place, _)| place)
}

/// Whether two builds were asked for the same.
fn same(one: &Description, other: &Description) -> bool {
    /// What a build is asked for, beside the frontend and the names of images.
    const ASKED: [&str; 6] = [
        "context",
        "filename",
        "platform",
        "source",
        "target",
        "vcs:source",
    ];
    let asked = |build: &Description, name| {
        let mut attributes = build.attributes.iter();
        let found = attributes.find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    one.frontend == other.frontend
        && one.images == other.images
        && one.context == other.context
        && ASKED
            .into_iter()
            .all(|name| asked(one, name) == asked(other, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    fn build(name: &str, created: i64, attributes: &[(&str, &str)]) -> Description {
        Description {
            name: name.to_owned(),
            created: Some(created),
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Description::default()
        }
    }

    #[test]
    fn the_newest_that_was_asked_for_the_same() {
        let of = build("now", 9, &[("target", "app"), ("build-arg:A", "2")]);
        let image = Description {
            images: vec!["other".to_owned()],
            ..build("image", 8, &[("target", "app")])
        };
        let failed = Description {
            error: "no".to_owned(),
            ..build("failed", 8, &[("target", "app")])
        };
        let all = [
            build("old", 1, &[("target", "app")]),
            build("wanted", 5, &[("target", "app"), ("build-arg:A", "1")]),
            build("target", 6, &[("target", "test")]),
            build(
                "platform",
                7,
                &[("target", "app"), ("platform", "linux/arm64")],
            ),
            image,
            failed,
            build("later", 10, &[("target", "app")]),
            of.clone(),
        ];
        assert_eq!(before(&of, &all), Some(1));
        assert_eq!(before(&of, &all[2..]), None);
        assert_eq!(before(&Description::default(), &all), None);
    }
}
