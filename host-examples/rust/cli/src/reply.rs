//! What a command returns: an exit code, and a document shown as text or JSON.

use serde::Serialize;

use crate::failed::Failed;
use crate::page::Page;
use crate::text;

pub use crate::exit::Exit;
pub use crate::page::Style;

/// Everything a command has to say.
#[derive(Clone, Debug)]
pub struct Reply {
    /// How it ended.
    pub exit: Exit,
    /// For standard output.
    pub stdout: String,
    /// For standard error.
    pub stderr: String,
}

impl Reply {
    /// Text as it is.
    pub fn new(exit: Exit, stdout: String) -> Self {
        Self {
            exit,
            stdout,
            stderr: String::new(),
        }
    }

    /// A document, as JSON or as `show` puts it.
    pub fn of<T: Serialize>(
        style: Style,
        exit: Exit,
        document: &T,
        show: impl FnOnce(&mut Page, &T),
    ) -> Result<Self, Failed> {
        if style.json {
            return Ok(Self::new(exit, json(document)?));
        }
        let mut page = Page::new(style);
        show(&mut page, document);
        Ok(Self::new(exit, page.finish()))
    }

    /// An error: one line, and a document when JSON is wanted.
    pub fn failed(failed: &Failed, wants_json: bool) -> Self {
        #[derive(Serialize)]
        struct Document<'a> {
            schema: &'static str,
            error: &'a Failed,
        }
        let document = Document {
            schema: "layerwise/error/1",
            error: failed,
        };
        let stdout = wants_json.then(|| json(&document).ok()).flatten();
        let mut reply = Self::new(failed.exit(), stdout.unwrap_or_default());
        reply.complain(failed);
        reply
    }

    /// Adds the line of an error.
    pub fn complain(&mut self, failed: &Failed) {
        let line = format!("error: {}\n", text::escape(&failed.message));
        self.stderr.push_str(&line);
    }
}

fn json<T: Serialize>(document: &T) -> Result<String, Failed> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| Failed::new("other", format!("cannot write json: {error}")))?;
    Ok(text::escape_json(&text) + "\n")
}
