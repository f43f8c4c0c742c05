//! BuildKit's builds.

use layerwise::builds::testing::Question;
use layerwise::error::Error;
use layerwise_conformance::builds::Subject;

use super::Component;

impl Subject for Component {
    fn answer(&self, question: Question, document: &str) -> Result<String, Error> {
        self.function(|f| f.ask_build(question, document))
    }
}
