//! ARG and `--build-arg`: which names stand for what, and where (Dockerfile spec,
//! section 3.3).

use super::expand::Variables;
use crate::prelude::*;

/// Names that need no ARG.
const PREDEFINED: [&str; 10] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// The arguments in scope.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    /// `--build-arg`, the last of a name.
    given: Rc<BTreeMap<String, Option<String>>>,
    /// ARG before the first FROM.
    global: BTreeMap<String, Option<String>>,
    /// ARG of this stage.
    stage: BTreeMap<String, Option<String>>,
}

impl Arguments {
    /// Before the first FROM, with those of the command line; a name without value
    /// counts as not given.
    pub fn new(given: impl IntoIterator<Item = (String, Option<String>)>) -> Self {
        Self {
            given: Rc::new(given.into_iter().collect()),
            ..Self::default()
        }
    }

    /// An ARG before the first FROM.
    pub fn add_global(&mut self, name: &str, value: Option<&str>) {
        self.add(name, value);
        self.global
            .insert(name.to_owned(), value.map(str::to_owned));
    }

    /// The arguments at the begin of a stage: those of the stage before are gone.
    #[must_use]
    pub fn for_stage(&self) -> Self {
        Self {
            stage: BTreeMap::new(),
            ..self.clone()
        }
    }

    /// An ARG of the stage.
    pub fn add(&mut self, name: &str, value: Option<&str>) {
        self.stage.insert(name.to_owned(), value.map(str::to_owned));
    }

    /// What FROM can use.
    pub fn globals(&self) -> Variables {
        self.of(&self.global)
    }

    /// What the stage's instructions can use, and RUN has in its environment.
    pub fn in_stage(&self) -> Variables {
        self.of(&self.stage)
    }

    /// Whether a name stands in front of the command of a RUN.
    pub fn is_told(&self, name: &str) -> bool {
        self.stage.contains_key(name) || !PREDEFINED.contains(&name)
    }

    fn of(&self, scope: &BTreeMap<String, Option<String>>) -> Variables {
        let names = scope.keys().map(String::as_str).chain(PREDEFINED);
        let pairs = names.filter_map(|name| {
            let given = self.given.get(name).and_then(Option::as_ref);
            let value = given.or_else(|| {
                let default = scope.get(name).and_then(Option::as_ref);
                default.or_else(|| self.global.get(name).and_then(Option::as_ref))
            });
            Some((name.to_owned(), value?.clone()))
        });
        pairs.collect()
    }
}
