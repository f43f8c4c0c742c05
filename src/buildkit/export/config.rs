//! The cache config, written byte for byte as upstream writes it (BuildKit spec,
//! section 5.5).

use core::fmt::Write as _;

use super::layout::Layout;
use crate::buildkit::documents::json::quote;
use crate::buildkit::records::entry::CacheResult;
use crate::buildkit::records::index_vec::{NONE, place};
use crate::buildkit::records::interner::{EMPTY, Interner, Text};
use crate::prelude::*;

/// What Go returns for a time that has no RFC 3339 text.
pub(crate) const UNWRITABLE: &str = "json: error calling MarshalJSON for type time.Time: \
     Time.MarshalJSON: timezone hour outside of range [0,23]";

/// The text of a config, or the first record whose result has a time that
/// cannot be written.
pub(crate) fn write(
    layout: &Layout,
    texts: &Interner,
    picks: &[Option<CacheResult>],
) -> Result<String, u32> {
    let quoted = Quoted::new(texts);
    let mut text = String::from("{");
    if !layout.layers.is_empty() {
        text.push_str("\"layers\":[");
        for (at, layer) in layout.layers.iter().enumerate() {
            text.push_str(if at == 0 { "{" } else { ",{" });
            if layer.digest != EMPTY {
                text.push_str("\"blob\":");
                quoted.push(&mut text, layer.digest);
            }
            if layer.parent != 0 {
                comma(&mut text);
                let _ = write!(text, "\"parent\":{}", layer.parent);
            }
            text.push('}');
        }
        text.push(']');
    }
    if !layout.records.is_empty() {
        comma(&mut text);
        text.push_str("\"records\":[");
        for (at, record) in layout.records.iter().enumerate() {
            text.push_str(if at == 0 { "{" } else { ",{" });
            let pick = picks.get(place(*record)).copied().flatten();
            let top = layout.top.at(*record);
            if let (Some(result), true) = (pick, top != NONE) {
                let time = result.time.to_text().ok_or(*record)?;
                let _ = write!(
                    text,
                    "\"layers\":[{{\"layer\":{top},\"createdAt\":\"{time}\"}}]"
                );
            }
            let digest = layout.web.digest.at(*record);
            if digest != EMPTY {
                comma(&mut text);
                text.push_str("\"digest\":");
                quoted.push(&mut text, digest);
            }
            write_inputs(&mut text, layout, &quoted, *record);
            text.push('}');
        }
        text.push(']');
    }
    text.push('}');
    Ok(text)
}

fn write_inputs(text: &mut String, layout: &Layout, quoted: &Quoted<'_>, record: u32) {
    let arity = layout.web.arity.at(record);
    if arity == 0 {
        return;
    }
    let mut links: Vec<_> = layout
        .web
        .links(record)
        .iter()
        .map(|link| (link.input, layout.index.at(link.source), link.selector))
        .collect();
    // Links come sorted by selector, so a stable sort keeps that order.
    sort_by_key(&mut links, |(input, index, _)| (*input, *index));
    let mut links = links.iter().peekable();
    comma(text);
    text.push_str("\"inputs\":[");
    for input in 0..arity {
        if input > 0 {
            text.push(',');
        }
        let mut first = true;
        while let Some((_, index, selector)) = links.next_if(|(at, ..)| *at == input) {
            text.push_str(if first { "[{" } else { ",{" });
            first = false;
            if *selector != EMPTY {
                text.push_str("\"selector\":");
                quoted.push(text, *selector);
                text.push(',');
            }
            let _ = write!(text, "\"link\":{index}}}");
        }
        text.push_str(if first { "null" } else { "]" });
    }
    text.push(']');
}

fn comma(text: &mut String) {
    if !text.ends_with('{') {
        text.push(',');
    }
}

/// Interner as JSON strings.
struct Quoted<'a>(&'a Interner);

impl<'a> Quoted<'a> {
    const fn new(texts: &'a Interner) -> Self {
        Self(texts)
    }

    fn push(&self, out: &mut String, text: Text) {
        quote(out, self.0.get(text));
    }
}
