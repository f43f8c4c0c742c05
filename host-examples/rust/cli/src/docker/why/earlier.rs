//! What an earlier build made of the steps after a miss: the children of the image that
//! came nearest, and theirs. The component ranks them, as it ranks those of a miss.

use std::sync::Arc;

use layerwise::docker::{Reason, Step as Asked};
use layerwise::dockerfile::Step;
use layerwise::explain::{Difference, Finding};
use layerwise::host::ImageStore;
use layerwise_host::{Error, docker};

use crate::docker::opened::{Opened, Sources};
use crate::failed::Failed;

/// The images of an earlier build.
pub struct Earlier {
    session: docker::Session,
    /// The image of the step before; `None` if no earlier build is known.
    at: Option<String>,
    /// What was told of steps before: a config has what earlier steps set.
    told: Vec<Difference>,
}

/// What an earlier build made of a step.
pub enum Found {
    /// The same, but for what steps before it set: it would not miss by itself.
    Same,
    /// Something else: the image and what differs.
    Changed(String, Finding),
    /// No earlier build is known.
    Nothing,
}

impl Earlier {
    /// With the image of the build that steps are to be compared with.
    pub fn new(
        opened: &Opened<'_>,
        images: Arc<dyn ImageStore + Send + Sync>,
        last: Option<&str>,
    ) -> Result<Self, Failed> {
        Ok(Self {
            session: opened.session_over(images, true, Sources::None, last)?,
            at: None,
            told: Vec::new(),
        })
    }

    /// A stage begins.
    pub fn begin(&mut self, image: Option<String>) {
        self.at = image;
        self.told.clear();
    }

    /// The image of the last step, if it is known.
    pub fn image(&self) -> Option<String> {
        self.at.clone()
    }

    /// A step is this image.
    pub fn becomes(&mut self, image: &str) {
        self.at = Some(image.to_owned());
    }

    /// A step missed, and this is the image that came nearest, with what differs.
    pub fn missed(&mut self, nearest: Option<&Finding>) {
        self.at = nearest.map(|nearest| nearest.subject.clone());
        let differences = nearest.map(|nearest| nearest.differences.iter().cloned());
        self.told.extend(differences.into_iter().flatten());
    }

    /// From here on nobody knows what an earlier build did.
    pub fn lose(&mut self) {
        self.at = None;
    }

    /// What it made of the next step.
    pub fn next(&mut self, step: &Step) -> Result<Found, Failed> {
        let Some(at) = self.at.take() else {
            return Ok(Found::Nothing);
        };
        let asked = Asked {
            parent: Some(at),
            config: step.config.clone(),
            platform: step.platform.clone(),
            last: step.last,
        };
        let why = match self.session.explain(&asked) {
            Ok(why) => why,
            Err(Error::Refused(_)) => return Ok(Found::Nothing),
            Err(stopped) => return Err(stopped.into()),
        };
        if why.summary.code == Reason::HitLocal {
            self.at = Some(why.summary.subject);
            return Ok(Found::Same);
        }
        let Some(mut nearest) = why.nearest else {
            return Ok(Found::Nothing);
        };
        self.at = Some(nearest.subject.clone());
        let told = std::mem::take(&mut self.told);
        nearest
            .differences
            .retain(|difference| !told.contains(difference));
        self.told = told;
        if nearest.differences.is_empty() && nearest.code == Reason::ConfigMismatch {
            return Ok(Found::Same);
        }
        self.told.extend(nearest.differences.iter().cloned());
        Ok(Found::Changed(nearest.subject.clone(), nearest))
    }
}
