//! Where the files come from that COPY and ADD look at: the context, packed once, and
//! what the caller lends (Dockerfile spec, sections 7 and 8).

use super::build::{Build, Waiting, out_of_turn};
use super::copy::Download;
use super::options::Packer;
use super::pack::{Form, Selection, pack};
use super::refusal::Stop;
use super::sources::{self, Files};
use crate::error::Error;
use crate::host::{Entry, FailureCode, Filesystem, FsFacts, ImageStore, only};
use crate::prelude::*;

impl<S: ImageStore, F: Filesystem> Build<S, F> {
    /// Has the context walked, once.
    pub fn pack_context(&mut self) -> Result<(), Stop> {
        if self.context.is_none() {
            self.context = self.packed(self.options.packer)?;
        }
        Ok(())
    }

    /// The context as `packer` packs it, if there is one.
    pub fn packed(&self, packer: Packer) -> Result<Option<Files>, Stop> {
        let Some(root) = self.options.context.clone() else {
            return Ok(None);
        };
        let entries = self.walk(&root)?;
        let removes = |path: &&str| {
            let ignore = self.ignore.as_ref();
            ignore.is_some_and(|ignore| ignore.removes(path) == Ok(true))
        };
        let files = [Some(".dockerignore"), self.options.file.as_deref()];
        let removed = files.into_iter().flatten().filter(removes);
        let removed: Vec<String> = removed.map(str::to_owned).collect();
        let selection = Selection {
            ignore: self.ignore.as_ref().filter(|_| packer != Packer::Api),
            one_parent: packer == Packer::Client20Dot10,
            removed: &removed,
        };
        let tree = pack(&root, &entries, Form::of(packer), &selection);
        Ok(Some(Files::new(tree, false)))
    }

    /// Lends what was wanted, as a path, with the name that a server gave.
    ///
    /// # Errors
    /// `invalid` if nothing was wanted, and what the host answers.
    pub fn lend(&mut self, path: Option<&str>, name: Option<&str>) -> Result<(), Error> {
        let Waiting::Lent { key, download } = &self.waiting else {
            return Err(out_of_turn("lend", "nothing is wanted"));
        };
        let (key, download) = (key.clone(), *download);
        // The engine's own walk tells more there.
        let old = !self.rules.late_options;
        let failed = |stop: Stop| match stop {
            Stop::Failed(error) => error,
            Stop::Refused(refused) => Error::Other(refused.message),
        };
        if download {
            let lent = path.map(|path| {
                let found = only(
                    self.files
                        .stat(&[path.to_owned()], true, FsFacts::default()),
                );
                let entry =
                    found.map_err(|failure| failed(sources::failed("stat", path, &failure)))?;
                Ok::<_, Error>(Download {
                    path: path.to_owned(),
                    size: entry.size,
                    mode: 0o600 | if old { 0o100_000 } else { 0 },
                    owner_names: old,
                    name: name.map(str::to_owned),
                })
            });
            self.downloads.insert(key, lent.transpose()?);
        } else {
            let lent = path.map(|root| {
                let entries = self.walk(root)?;
                let form = Form {
                    owners: true,
                    type_bits: old,
                    owner_names: old,
                    hard_links: false,
                };
                let everything = Selection {
                    ignore: None,
                    one_parent: false,
                    removed: &[],
                };
                let tree = pack(root, &entries, form, &everything);
                Ok(Files::new(tree, true))
            });
            self.images.insert(key, lent.transpose().map_err(failed)?);
        }
        self.waiting = Waiting::Nothing;
        Ok(())
    }

    fn walk(&self, root: &str) -> Result<Vec<Entry>, Stop> {
        let want = FsFacts {
            target: true,
            attributes: true,
            identity: true,
            content: false,
        };
        let walked = self.files.walk(root, want, self.limits.entries());
        walked.map_err(|failure| match failure.code {
            FailureCode::TooLarge => Stop::Failed(self.limits.too_many(root)),
            _ => sources::failed("walk", root, &failure),
        })
    }
}
