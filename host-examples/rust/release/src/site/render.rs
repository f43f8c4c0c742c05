//! A page of Markdown as HTML, with its links as they lead in the site.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

use crate::failure::Failure;

/// A page of the site.
pub struct Page<'a> {
    /// The part of the site it stands in.
    pub part: &'a str,
    /// What it is called there.
    pub title: &'a str,
    /// Its file, from the top of the repository.
    pub file: &'a str,
    text: &'a str,
}

impl<'a> Page<'a> {
    /// A page and its text.
    pub fn read(part: &'a str, title: &'a str, file: &'a str, text: &'a str) -> Self {
        Self {
            part,
            title,
            file,
            text,
        }
    }

    /// The name of its file in the site.
    pub fn name(&self) -> String {
        let stem = match self.file {
            "README.md" => "index".to_owned(),
            file => {
                let file = file.trim_end_matches(".md");
                let (directory, name) = file.rsplit_once('/').unwrap_or(("", file));
                let directory = directory.rsplit('/').next().unwrap_or_default();
                match name {
                    "README" => format!("{directory}-package"),
                    "SPEC" => format!("{directory}-rules"),
                    name => name.to_lowercase(),
                }
            }
        };
        format!("{stem}.html")
    }

    /// Its text as HTML. `known` are the pages by their files.
    pub fn html(&self, known: &BTreeMap<&str, &Page<'_>>, root: &Path) -> Result<String, Failure> {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let mut events: Vec<Event<'_>> = Parser::new_ext(self.text, options).collect();
        let mut heading: Option<(usize, String)> = None;
        for at in 0..events.len() {
            let Some(event) = events.get_mut(at) else {
                break;
            };
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some((at, String::new())),
                Event::Text(text) | Event::Code(text) => {
                    if let Some((_, title)) = &mut heading {
                        title.push_str(text);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    if let Some((start, title)) = heading.take()
                        && let Some(Event::Start(Tag::Heading { id, .. })) = events.get_mut(start)
                    {
                        *id = Some(anchor(&title).into());
                    }
                }
                Event::Start(Tag::Link { dest_url, .. }) => {
                    *dest_url = self.link(dest_url, known, root)?;
                }
                // What looks like markup is text here.
                Event::Html(raw) | Event::InlineHtml(raw) => *event = Event::Text(raw.clone()),
                _ => {}
            }
        }
        let mut out = String::new();
        html::push_html(&mut out, events.into_iter());
        // Tables that are wider than a small screen move by themselves.
        Ok(out
            .replace("<table>", "<div class=\"wide\"><table>")
            .replace("</table>", "</table></div>"))
    }

    /// Where a link leads: to a page of the site, or to a file of the repository.
    fn link(
        &self,
        to: &str,
        known: &BTreeMap<&str, &Page<'_>>,
        root: &Path,
    ) -> Result<CowStr<'static>, Failure> {
        if to.starts_with('#') || to.starts_with("https:") || to.starts_with("mailto:") {
            return Ok(to.to_owned().into());
        }
        // A name of the library, as documentation of Rust has it.
        if let Some(name) = to.strip_prefix("crate::") {
            let path = name.replace("::", "/");
            return Ok(format!("https://docs.rs/layerwise/latest/layerwise/{path}/").into());
        }
        let (path, place) = to.split_once('#').unwrap_or((to, ""));
        let place = if place.is_empty() {
            String::new()
        } else {
            format!("#{place}")
        };
        let from = Path::new(self.file).parent().unwrap_or(Path::new(""));
        let file = plain(&from.join(path));
        let file = file.to_string_lossy();
        if let Some(page) = known.get(&*file) {
            return Ok(format!("{}{place}", page.name()).into());
        }
        if !root.join(&*file).exists() {
            return Err(Failure::new(format!(
                "{} leads to {to}, which is not there",
                self.file
            )));
        }
        Ok(format!("{}/blob/main/{file}{place}", env!("CARGO_PKG_REPOSITORY")).into())
    }
}

/// The fragment that leads to a heading, as GitHub makes it.
pub fn anchor(title: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ');
    let text = title.trim().to_lowercase();
    text.chars()
        .filter(|c| kept(*c))
        .collect::<String>()
        .replace(' ', "-")
}

/// Text in HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}
