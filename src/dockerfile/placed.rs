//! What of a COPY or ADD goes where (Dockerfile spec, section 7.5).

use super::{Copied, Copying};
use crate::paths;
use crate::prelude::*;

/// Something that is copied.
#[derive(Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its path in the context or image, as [`paths`] writes it.
    pub path: String,
    /// Where it goes below the destination; the name of a source that is a file.
    pub end: String,
    /// The number of its source.
    pub source: usize,
    /// It is a source itself, and a file: without a slash behind it, the destination may
    /// be its name.
    pub named: bool,
    /// It was packed: otherwise the builder made it as it makes any directory.
    pub packed: bool,
}

/// All that is copied, in the order in which the builder does, and the directory that
/// each source is, or is in. `None` if the sources do not tell it.
pub fn all(copy: &Copying, copied: &[Copied]) -> Option<(Vec<Placed>, Vec<String>)> {
    let mut placed = Vec::new();
    let mut roots = Vec::new();
    let mut left = copied;
    for (source, one) in copy.sources.iter().enumerate() {
        let mut put = |copied: &Copied, end: &str, named| {
            placed.push(Placed {
                path: paths::from_text(path(copied)),
                end: paths::from_text(end),
                source,
                named,
                packed: copied.sum.len() == 64,
            });
        };
        if one.sum.starts_with("file:") {
            let (file, rest) = left.split_first()?;
            left = rest;
            put(file, paths::last_element(&one.path), true);
            let above = path(file).rsplit_once('/');
            roots.push(paths::from_text(above.map_or("", |(above, _)| above)));
        } else if one.sum.starts_with("dir:") {
            let whole = matches!(&*paths::clean(&format!("/{}", one.path)), "/");
            let root = match whole {
                true => "",
                false => path(left.first()?),
            };
            let count = count(left, root);
            let (own, rest) = left.split_at_checked(count)?;
            left = rest;
            for copied in own {
                let below = match root {
                    "" => Some(path(copied)),
                    root => path(copied).strip_prefix(root)?.strip_prefix('/'),
                };
                // The builder makes the destination by itself.
                if let Some(below) = below {
                    put(copied, below, false);
                }
            }
            roots.push(paths::from_text(root));
        } else {
            return None;
        }
    }
    left.is_empty().then_some((placed, roots))
}

/// How many of them are what is in a directory. The next source begins where they leave
/// it or, behind the root, where they go back.
fn count(copied: &[Copied], root: &str) -> usize {
    if root.is_empty() {
        let steps = copied.iter().zip(copied.iter().skip(1));
        let on = |(one, next): &(&Copied, &Copied)| order(path(one)) < order(path(next));
        let count = steps.take_while(on).count();
        return count.saturating_add(usize::from(!copied.is_empty()));
    }
    let rest = copied.iter().skip(1);
    let inside = |one: &&Copied| paths::is_below(path(one), root);
    rest.take_while(inside).count().saturating_add(1)
}

fn path(copied: &Copied) -> &str {
    copied.path.trim_start_matches('/')
}

/// A directory before what is in it.
fn order(path: &str) -> Vec<u8> {
    path.replace('/', "\0").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::all;
    use crate::dockerfile::{Copied, Copying, Source};

    fn told(sources: &[(&str, &str)], copied: &[&str]) -> Option<Vec<(String, String)>> {
        let copying = Copying {
            sources: sources
                .iter()
                .map(|(path, sum)| Source {
                    path: (*path).to_owned(),
                    sum: format!("{sum}:1"),
                })
                .collect(),
            sum: String::new(),
            from: None,
            to: "/r/".to_owned(),
        };
        let copied = copied.iter().map(|path| Copied {
            path: (*path).to_owned(),
            sum: String::new(),
        });
        let (placed, _) = all(&copying, &copied.collect::<Vec<_>>())?;
        let pairs = placed.into_iter().map(|one| (one.path, one.end));
        Some(pairs.collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        let one = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
        Some(pairs.iter().map(one).collect())
    }

    #[test]
    fn each_source_has_its_own() {
        assert_eq!(
            told(
                &[("d", "dir"), ("e", "dir"), ("l", "file")],
                &["d", "d/a", "e", "e/a", "f"]
            ),
            pairs(&[("d/a", "a"), ("e/a", "a"), ("f", "l")])
        );
        assert_eq!(
            told(
                &[(".", "dir"), ("z", "dir")],
                &["a", "z", "z/a", "z", "z/a"]
            ),
            pairs(&[("a", "a"), ("z", "z"), ("z/a", "z/a"), ("z/a", "a")])
        );
        assert_eq!(told(&[("l", "dir")], &["d", "d/a"]), pairs(&[("d/a", "a")]));
        assert_eq!(told(&[("d", "dir")], &["d", "d/a", "e"]), None);
        assert_eq!(told(&[("http://a/b", "")], &[]), None);
    }
}
