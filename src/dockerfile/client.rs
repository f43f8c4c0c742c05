//! Whether an earlier build had the context packed by another client: then its COPY and
//! ADD steps have other checksums of the same files (Dockerfile spec, section 7.4). A step
//! that copies other files is not told by this.

use super::build::Build;
use super::copy::{self, Told};
use super::options::Packer;
use super::reason::{Finding, Reason};
use super::refusal::Stop;
use super::sources::{self, Copied};
use crate::docker::config::list;
use crate::docker::history::joined;
use crate::docker::image::ImageDocument;
use crate::error::Error;
use crate::explain::Difference;
use crate::host::{Facts, Filesystem, ImageStore};
use crate::prelude::*;

/// So many children of an image are looked at, and so many are read at once.
const MOST: usize = 10_000;
const BATCH: usize = 64;

impl Packer {
    const ALL: [Self; 3] = [Self::Client, Self::Client20Dot10, Self::Api];

    /// How it is told to people.
    const fn name(self) -> &'static str {
        match self {
            Self::Client => "29",
            Self::Client20Dot10 => "20.10",
            Self::Api => "api",
        }
    }
}

impl<S: ImageStore, F: Filesystem> Build<S, F> {
    /// The image on `parent` that is the last step as another client packs the context.
    ///
    /// # Errors
    /// What the host answers.
    pub fn other_client(&mut self, parent: Option<&str>) -> Result<Option<Finding>, Error> {
        let Some(told) = self.told.clone() else {
            return Ok(None);
        };
        let children = match self.alike(&told, parent) {
            Ok(children) if children.is_empty() => return Ok(None),
            Ok(children) => children,
            Err(stop) => return failed(stop),
        };
        let own = self.options.packer;
        let sent: Vec<String> = paths(&self.copied).map(str::to_owned).collect();
        for packer in Packer::ALL.into_iter().filter(|packer| *packer != own) {
            let (sum, copied) = match self.copied_by(&told, packer) {
                Ok(Some(found)) => found,
                Ok(None) | Err(Stop::Refused(_)) => continue,
                Err(stop) => return failed(stop),
            };
            // With other files it is .dockerignore that decides (Dockerfile spec, section 8.1), and whether
            // that changed nobody knows.
            if !paths(&copied).eq(sent.iter().map(String::as_str)) {
                continue;
            }
            let command = told.command.replacen(&told.sum, &sum, 1);
            let Some((_, id)) = children.get(&command) else {
                continue;
            };
            let evidence = [
                Difference::new("client", packer.name().to_owned(), own.name().to_owned()),
                Difference::new("checksum", sum, told.sum),
            ];
            let hint = format!(
                "the files are the same: build with client {} again, or once more with client {}, \
                 after which it hits",
                packer.name(),
                own.name()
            );
            let finding = Finding::new(Reason::OtherClient, id).with(evidence);
            return Ok(Some(finding.hint(hint)));
        }
        Ok(None)
    }

    /// What a step copies as another client packs it, and the checksum of all of it.
    fn copied_by(
        &mut self,
        told: &Told,
        packer: Packer,
    ) -> Result<Option<(String, Vec<Copied>)>, Stop> {
        let mut others = match self.others.remove(&packer) {
            Some(others) => others,
            None => self.packed(packer)?,
        };
        let Told {
            request,
            working_dir,
            ..
        } = told;
        let (own, lent) = (others.as_mut(), &self.downloads);
        let found = copy::resolve(request, working_dir, own, lent, &self.files);
        self.others.insert(packer, others);
        Ok(found?.map(|(copying, copied)| (copying.sum, copied)))
    }

    /// The newest child of each command that differs from the step's in its checksum
    /// only. A child that cannot be read is passed over.
    fn alike(&self, told: &Told, parent: Option<&str>) -> Result<Children, Stop> {
        let mut found = Children::new();
        let Some((before, after)) = told.command.split_once(&told.sum) else {
            return Ok(found);
        };
        let subject = parent.unwrap_or("scratch");
        let mut ids = self
            .store
            .children(parent)
            .map_err(|failure| sources::failed("list children", subject, &failure))?;
        ids.truncate(MOST);
        let want = Facts {
            document: true,
            ..Facts::default()
        };
        let mut ids = ids.as_slice();
        while !ids.is_empty() {
            let (batch, _) = ids.split_at(ids.len().min(BATCH));
            let answers = self.store.get(batch, want, self.limits.document_bytes());
            // A store may answer less than all.
            let answered = answers.len().clamp(1, batch.len());
            for (id, answer) in batch.iter().zip(answers) {
                let text = answer.ok().and_then(|image| image.document);
                let text = text.unwrap_or_default();
                let Ok(image) = ImageDocument::read(&text, &self.rules.config, self.limits.depth())
                else {
                    continue;
                };
                let command = joined(list(&image.container_config.cmd));
                let sum = command.strip_prefix(before);
                let sum = sum.and_then(|rest| rest.strip_suffix(after));
                if sum.is_none_or(|sum| sum == told.sum || sum.contains(' ')) {
                    continue;
                }
                let created = image.created.map(|time| time.instant());
                let newest = found.entry(command).or_insert((created, id.clone()));
                if newest.0 < created {
                    *newest = (created, id.clone());
                }
            }
            ids = ids.split_at(answered).1;
        }
        Ok(found)
    }
}

/// Children by their commands, with the time they were made.
type Children = BTreeMap<String, (Option<(i64, u32)>, String)>;

fn paths(copied: &[Copied]) -> impl Iterator<Item = &str> {
    copied.iter().map(|copied| copied.path.as_str())
}

fn failed(stop: Stop) -> Result<Option<Finding>, Error> {
    match stop {
        Stop::Failed(error) => Err(error),
        Stop::Refused(_) => Ok(None),
    }
}
