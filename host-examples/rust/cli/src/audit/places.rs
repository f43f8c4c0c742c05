//! What is audited: registries, repositories, references, layout directories, and
//! lists of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use layerwise::host::{Failure, Registry as _};
use layerwise_registry::{Place, Repositories, Target};

use super::look::Named;
use crate::failed::Failed;

/// The beginning of a list in a file.
const LIST: &str = "list:";
const LAYOUT: &str = "oci:";

/// Repositories that share their blobs: those of a registry, or one directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// A registry by `host` or `host:port`: all of its repositories, or these.
    Registry {
        host: String,
        repositories: Option<Vec<Wanted>>,
    },
    /// A layout directory.
    Layout(String),
}

/// References by their repositories; all of a repository if there are none.
type Asked = BTreeMap<String, Option<Vec<String>>>;

/// A repository, or some references into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `host/name`.
    pub repository: String,
    /// Only these; all of it if there are none.
    pub references: Vec<String>,
}

/// Reads the arguments; what is named twice is audited once.
pub fn parse(arguments: &[String]) -> Result<Vec<Store>, Failed> {
    let mut words = Vec::new();
    for argument in arguments {
        match argument.strip_prefix(LIST) {
            Some(file) => words.extend(listed(file)?),
            None => words.push(argument.clone()),
        }
    }
    let mut layouts: BTreeSet<String> = BTreeSet::new();
    let mut registries: BTreeMap<String, Option<Asked>> = BTreeMap::new();
    for word in &words {
        if is_host(word) {
            registries.insert(word.clone(), None);
            continue;
        }
        let (place, target) = parse_one(word)?;
        match &place {
            Place::Layout(_) => {
                layouts.insert(place.to_string());
            }
            Place::Volume(_) => {
                return Err(Failed::usage(format!(
                    "{word:?} is a volume cache: `layerwise buildpacks cache verify` reads those"
                )));
            }
            Place::Remote { host, .. } => {
                let wanted = registries.entry(host.clone());
                let Some(wanted) = wanted.or_insert_with(|| Some(BTreeMap::new())) else {
                    continue;
                };
                let some = wanted.entry(place.to_string());
                let some = some.or_insert_with(|| Some(Vec::new()));
                if target == Target::Default {
                    *some = None;
                } else if let Some(some) = some
                    && !some.contains(word)
                {
                    some.push(word.clone());
                }
            }
        }
    }
    let layouts = layouts.into_iter().map(Store::Layout);
    let registries = registries.into_iter().map(|(host, wanted)| {
        let wanted = wanted.map(|wanted| wanted.into_iter());
        let repositories = wanted.map(|wanted| {
            let wanted = wanted.map(|(repository, references)| Wanted {
                repository,
                references: references.unwrap_or_default(),
            });
            wanted.collect()
        });
        Store::Registry { host, repositories }
    });
    Ok(layouts.chain(registries).collect())
}

fn parse_one(word: &str) -> Result<(Place, Target), Failed> {
    let failed = |failure: Failure| Failed::usage(failure.message);
    if let Some(path) = word.strip_prefix(LAYOUT) {
        // A layout is audited as a whole: what a blob is needed for, all entries tell.
        let target = layerwise_registry::parse(word).map_err(failed)?.1;
        if target != Target::Default {
            return Err(Failed::usage(format!(
                "{word:?} names one entry: a layout directory is audited as a whole, oci:DIR; \
                 `layerwise buildkit verify` checks one cache"
            )));
        }
        return Ok((Place::Layout(Path::new(path).to_owned()), target));
    }
    layerwise_registry::parse(word).map_err(failed)
}

/// The lines of a list; what follows `#` is for people.
fn listed(file: &str) -> Result<Vec<String>, Failed> {
    let text = crate::io::text("the list", Path::new(file))?;
    let lines = text.lines().map(|line| {
        let line = line.split_once('#').map_or(line, |(before, _)| before);
        line.trim().to_owned()
    });
    let lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    match lines.iter().find(|line| line.starts_with(LIST)) {
        Some(line) => Err(Failed::usage(format!(
            "a list names no other list: {line:?}"
        ))),
        None => Ok(lines),
    }
}

/// Whether a word is a registry and no repository: `HOST:PORT`, `HOST.DOMAIN` or
/// `localhost`, as references tell hosts and names apart.
fn is_host(word: &str) -> bool {
    let port = word.rsplit_once(':').map(|(_, port)| port);
    let numbered = port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let host = word.split(':').next().unwrap_or_default();
    !word.contains(['/', '@'])
        && !word.starts_with(LAYOUT)
        && match port {
            None => word == "localhost" || word.contains('.'),
            Some(_) => {
                numbered && (host == "localhost" || host.contains('.') || word.starts_with('['))
            }
        }
}

/// What a layout directory has: each manifest once, with its names.
pub fn of_layout(repositories: &Repositories, layout: &str) -> Result<Vec<Named>, Failure> {
    let entries = repositories.entries(layout)?;
    let entries = entries
        .into_iter()
        .map(|entry| (entry.descriptor, entry.name));
    Ok(grouped(entries))
}

/// What names of a repository stand for now: each manifest once. What could not be
/// resolved comes with the reason.
pub fn resolved(
    repositories: &Repositories,
    references: &[(String, String)],
) -> (Vec<Named>, Vec<(String, Failure)>) {
    let asked: Vec<String> = references.iter().map(|(_, full)| full.clone()).collect();
    let mut found = Vec::new();
    let mut failed = Vec::new();
    for ((name, full), answer) in references.iter().zip(repositories.resolve(&asked)) {
        match answer.map(|mut all| all.pop()) {
            Ok(Some(manifest)) => found.push((manifest, Some(name.clone()))),
            Ok(None) => {}
            Err(failure) => failed.push((full.clone(), failure)),
        }
    }
    (grouped(found.into_iter()), failed)
}

/// Each manifest once, with its names, in the order of the first ones.
fn grouped(all: impl Iterator<Item = (layerwise::oci::Descriptor, Option<String>)>) -> Vec<Named> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut grouped: Vec<Named> = Vec::new();
    for (manifest, name) in all {
        let at = *places.entry(manifest.digest.clone()).or_insert_with(|| {
            grouped.push(Named {
                manifest,
                names: Vec::new(),
            });
            grouped.len().saturating_sub(1)
        });
        if let Some(named) = grouped.get_mut(at) {
            named.names.extend(name);
        }
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_registries_repositories_references_or_directories() {
        let words = [
            "registry.example",
            "localhost:5000",
            "localhost:6000/a:1",
            "localhost:6000/a:2",
            "localhost:6000/b",
            "localhost:6000/b:1",
            "oci:dir",
            "oci:dir",
        ];
        let some = |repository: &str, references: &[&str]| Wanted {
            repository: repository.to_owned(),
            references: references.iter().map(|one| (*one).to_owned()).collect(),
        };
        let registry = |host: &str, repositories| Store::Registry {
            host: host.to_owned(),
            repositories,
        };
        assert_eq!(
            parse(&words.map(str::to_owned)).unwrap(),
            [
                Store::Layout("oci:dir".to_owned()),
                registry("localhost:5000", None),
                registry(
                    "localhost:6000",
                    Some(vec![
                        some(
                            "localhost:6000/a",
                            &["localhost:6000/a:1", "localhost:6000/a:2"]
                        ),
                        some("localhost:6000/b", &[]),
                    ])
                ),
                registry("registry.example", None),
            ]
        );
        for refused in ["oci:dir:tag", "volume:x", "a b", "oci:"] {
            assert!(parse(&[refused.to_owned()]).is_err(), "{refused}");
        }
        assert!(!is_host("busybox") && !is_host("busybox:1.36") && is_host("[::1]:5000"));
    }
}
