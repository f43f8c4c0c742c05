//! Changing `index.json`: under the lock, on fresh state, all or nothing.

use layerwise::host::{Failure, FailureCode, Provenance};

use super::OciLayout;
use super::blobs::TEMPORARY;
use super::catalog::{Catalog, Known};
use super::index::{self, Index};
use super::lock::Lock;
use super::notes::ELSEWHERE;
use super::schema::{BUILT_HERE, PARENT, REF_NAME};

/// How often a change is made anew when another program keeps writing.
const ATTEMPTS: u32 = 10;
const LONGEST_NAME: usize = 255;

impl OciLayout {
    /// Gives an image a name, taking it from another one; `org.opencontainers.
    /// image.ref.name` of an entry.
    ///
    /// # Errors
    /// `invalid` for a text that the image layout does not allow as a name,
    /// `not-found` for an unknown image; else as `create`.
    pub fn tag(&self, id: &str, name: &str) -> Result<(), Failure> {
        if !is_name(name) {
            let message = format!("{name:?} is not a name an image layout can hold");
            return Err(Failure::new(FailureCode::Invalid, message));
        }
        self.update(|catalog, index| {
            let known = self.known(catalog, id)?;
            let names: Vec<Option<String>> = index.names().collect();
            let has =
                |position: usize| names.get(position).and_then(Option::as_deref) == Some(name);
            for position in 0..names.len() {
                if has(position) && !known.entries.contains(&position) {
                    index.annotate(position, REF_NAME, None);
                }
            }
            if known.entries.iter().any(|position| has(*position)) {
                return Ok(());
            }
            let is_free = |position: &usize| names.get(*position).is_some_and(Option::is_none);
            let position = match known.entries.iter().copied().find(is_free) {
                Some(position) => position,
                None => catalog.enter(index, known)?,
            };
            index.annotate(position, REF_NAME, Some(name));
            Ok(())
        })
    }

    /// Notes whether an image was built here, which only the program that
    /// builds can know. The first image that was makes the key, where the marks
    /// of this store have a place for one.
    ///
    /// # Errors
    /// `not-found` for an unknown image; `unsupported` without a key and a place
    /// for one; else as `create`.
    pub fn set_built_here(&self, id: &str, built_here: bool) -> Result<(), Failure> {
        self.update(|catalog, index| {
            let known = self.known(catalog, id)?;
            if built_here {
                self.mark(catalog, index, known, known.notes.parent.as_deref())
            } else {
                catalog.note(index, known, BUILT_HERE, ELSEWHERE)
            }
        })
    }

    /// Notes the parent of an image, and for one that was built here that it was,
    /// because its mark is about its parent too.
    pub(super) fn link(
        &self,
        catalog: &Catalog,
        index: &mut Index,
        known: &Known,
        parent: &str,
    ) -> Result<(), Failure> {
        catalog.note(index, known, PARENT, parent)?;
        if known.notes.built == Provenance::BuiltHere {
            self.mark(catalog, index, known, Some(parent))?;
        }
        Ok(())
    }

    fn mark(
        &self,
        catalog: &Catalog,
        index: &mut Index,
        known: &Known,
        parent: Option<&str>,
    ) -> Result<(), Failure> {
        let mark = self.marks.make(known.config.digest.as_str(), parent)?;
        catalog.note(index, known, BUILT_HERE, &mark)
    }

    /// Makes a change and writes it, unless it changes nothing. `change` runs
    /// again when another program wrote the file in between.
    pub(super) fn update<T>(
        &self,
        change: impl Fn(&Catalog, &mut Index) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _lock = Lock::take(&self.root, self.lock_wait)?;
        for _ in 0..ATTEMPTS {
            let catalog = self.catalog()?;
            let mut index = catalog.index().clone();
            let answer = change(&catalog, &mut index)?;
            if index == *catalog.index() {
                return Ok(answer);
            }
            let unchanged = || Ok(self.root.read(index::NAME, u64::MAX)? == catalog.text());
            let text = index.to_text()?;
            let root = &self.root;
            if root.replace(root, index::NAME, TEMPORARY, &text, unchanged)? {
                return Ok(answer);
            }
        }
        let path = index::path(&self.root);
        Err(Failure::new(
            FailureCode::Conflict,
            format!("another program keeps changing {path:?}"),
        ))
    }
}

/// Whether a layout can hold this text as a name: runs of letters and digits,
/// joined by one of `-._:@+` or by `--`, in
/// components joined by `/`.
pub fn is_name(name: &str) -> bool {
    let component = |component: &str| {
        let word = |c: char| c.is_ascii_alphanumeric();
        component.starts_with(word)
            && component.ends_with(word)
            && component
                .split(word)
                .all(|s| matches!(s, "" | "-" | "." | "_" | ":" | "@" | "+" | "--"))
    };
    name.len() <= LONGEST_NAME && name.split('/').all(component)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::{env, fs, process};

    use layerwise::host::ImageStore as _;

    use super::*;

    /// Another program that writes `index.json` while a change is made: nothing
    /// of either is lost, and one that never stops is told of.
    #[test]
    fn changes_in_between_are_built_upon() {
        let root = env::temp_dir().join(format!("layerwise-update-{}", process::id()));
        let store = OciLayout::init(&root).unwrap();
        let document = r#"{"rootfs":{"type":"layers"}}"#;
        let id = store.create(None, document, None).unwrap();
        let path = index::path(&store.root);
        let interfere = |text: &str| {
            let now = fs::read_to_string(&path).unwrap();
            fs::write(&path, now.replacen('{', &format!("{{\"{text}\":1,"), 1)).unwrap();
        };
        let runs = Cell::new(0);
        let note = |catalog: &Catalog, index: &mut Index| {
            runs.set(runs.get() + 1);
            catalog.note(index, store.known(catalog, &id)?, BUILT_HERE, "noted")
        };

        let mut answer = store.update(|catalog, index| {
            if runs.get() == 0 {
                interfere("theirs");
            }
            note(catalog, index)
        });
        assert_eq!((answer, runs.get()), (Ok(()), 2));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("theirs") && text.contains(r#""dev.layerwise.built-here":"noted""#));

        store.set_built_here(&id, false).unwrap();
        answer = store.update(|catalog, index| {
            interfere(&format!("run {}", runs.get()));
            note(catalog, index)
        });
        assert_eq!(answer.unwrap_err().code, FailureCode::Conflict);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("theirs") && text.contains(r#""dev.layerwise.built-here":"false""#));
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn names_of_the_layout_specification() {
        for name in [
            "latest",
            "1.0",
            "a/b:c@sha256+d",
            "a--b",
            "x86_64",
            "localhost:5000/a:1",
        ] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "", "/", "a/", "-a", "a.", "a..b", "a---b", "a b", "a\n", "\u{e4}", "../a",
        ] {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(is_name(&"a".repeat(255)));
        assert!(!is_name(&"a".repeat(256)));
    }
}
