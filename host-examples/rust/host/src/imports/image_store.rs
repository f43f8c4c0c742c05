//! The import `image-store`.

use layerwise::host::{Facts, Failure, Image, Provenance};

use super::{State, wit};

impl wit::image_store::Host for State {
    fn get(
        &mut self,
        ids: Vec<String>,
        want: wit::image_store::Facts,
        limit: u64,
    ) -> Vec<Result<wit::image_store::Image, wit::types::Failure>> {
        let want = Facts {
            document: want.contains(wit::image_store::Facts::DOCUMENT),
            parent: want.contains(wit::image_store::Facts::PARENT),
            built: want.contains(wit::image_store::Facts::BUILT),
        };
        images(self.lent().images.get(&ids, want, limit))
    }

    fn resolve(
        &mut self,
        references: Vec<String>,
        limit: u64,
    ) -> Vec<Result<wit::image_store::Image, wit::types::Failure>> {
        images(self.lent().images.resolve(&references, limit))
    }

    fn children(&mut self, parent: Option<String>) -> Result<Vec<String>, wit::types::Failure> {
        Ok(self.lent().images.children(parent.as_deref())?)
    }

    fn set_parent(&mut self, target: String, parent: String) -> Result<(), wit::types::Failure> {
        Ok(self.lent().images.set_parent(&target, &parent)?)
    }

    fn create(
        &mut self,
        parent: Option<String>,
        document: String,
        layer: Option<String>,
    ) -> Result<String, wit::types::Failure> {
        let lent = self.lent();
        Ok(lent
            .images
            .create(parent.as_deref(), &document, layer.as_deref())?)
    }
}

fn images(
    answers: Vec<Result<Image, Failure>>,
) -> Vec<Result<wit::image_store::Image, wit::types::Failure>> {
    let image = |image: Image| wit::image_store::Image {
        id: image.id,
        document: image.document,
        parent: image.parent,
        built: match image.built {
            Provenance::Unknown => wit::image_store::Provenance::Unknown,
            Provenance::BuiltHere => wit::image_store::Provenance::BuiltHere,
            Provenance::Elsewhere => wit::image_store::Provenance::Elsewhere,
        },
    };
    answers
        .into_iter()
        .map(|answer| Ok(image(answer?)))
        .collect()
}
