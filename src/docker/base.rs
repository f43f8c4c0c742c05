//! What is kept of an image that a step stands on.

use core::cell::{Ref, RefCell};

use super::frames::Frames;
use super::history::Entry;
use super::image::ImageDocument;
use super::version::Rules;
use crate::go_json::{Escapes, Writer, Zone};
use crate::prelude::*;

/// A running SHA-256 over a prefix of a history or of layers, zeros for none:
/// two prefixes of one length are equal exactly when their digests are.
pub type Running = [u8; 32];

/// The digest of a history with one entry more.
pub fn with_entry(before: &Running, entry: &Entry) -> Running {
    let Entry {
        created,
        created_by,
        author,
        comment,
        empty_layer,
    } = entry;
    let mut frames = Frames::new("entry");
    frames.bytes(before);
    // First, because they say whether a time follows.
    frames.flags(&[
        created.is_some(),
        created.is_some_and(|time| time.zone == Zone::Zulu),
        *empty_layer,
    ]);
    if let Some(time) = created {
        frames.number(time.seconds);
        frames.number(i64::from(time.nanoseconds));
        frames.number(i64::from(time.offset()));
    }
    frames.text(created_by);
    frames.text(author);
    frames.text(comment);
    frames.finish()
}

/// The digest of layers with one more on top.
pub fn with_layer(before: &Running, diff_id: &str) -> Running {
    let mut frames = Frames::new("layer");
    frames.bytes(before);
    frames.text(diff_id);
    frames.finish()
}

/// The facts of a parent: enough to recognise a source that continues it and to
/// write the document of a restored child. Growing a base by one step costs one
/// entry, not the whole history.
#[derive(Clone, Debug)]
pub struct Base {
    /// Number of history entries.
    pub entries: usize,
    /// Digest of the whole history.
    pub history: Running,
    /// The same of the history as it reads back after it was written in a
    /// restored child (hazard H12).
    rewritten: Running,
    /// It was restored here: `history_json` is exactly its history.
    pub restored: bool,
    /// The history as JSON entries joined with commas; `None` if a time in it
    /// cannot be written.
    pub history_json: Option<Prefix>,
    /// Number of layers.
    pub layers: usize,
    /// Digest of all layers.
    pub chain: Running,
    /// The diff ids as JSON strings joined with commas.
    pub layers_json: Prefix,
    /// `rootfs.type`
    pub kind: String,
}

impl Base {
    /// What the first step of `FROM scratch` stands on.
    pub fn scratch() -> Self {
        Self {
            entries: 0,
            history: Running::default(),
            rewritten: Running::default(),
            restored: false,
            history_json: Some(Prefix::default()),
            layers: 0,
            chain: Running::default(),
            layers_json: Prefix::default(),
            kind: "layers".to_owned(),
        }
    }

    /// The facts in a document.
    pub fn of(image: &ImageDocument, rules: &Rules) -> Self {
        let mut base = Self::scratch();
        let mut json = Some(String::new());
        for entry in image.history.as_deref().unwrap_or_default() {
            base.entries += 1;
            let same = base.history == base.rewritten;
            let rewritten = entry.rewritten();
            base.history = with_entry(&base.history, entry);
            base.rewritten = if same && rewritten == *entry {
                base.history
            } else {
                with_entry(&base.rewritten, &rewritten)
            };
            json = json.and_then(|mut text| entry.append_to(&mut text, rules).map(|()| text));
        }
        base.history_json = json.map(Prefix::new);
        if let Some(rootfs) = &image.rootfs {
            base.kind.clone_from(&rootfs.kind);
            let mut json = String::new();
            for id in rootfs.diff_ids.iter() {
                base.layers += 1;
                base.chain = with_layer(&base.chain, id);
                append_string(&mut json, id, rules.escapes);
            }
            base.layers_json = Prefix::new(json);
        }
        base
    }

    /// This base with one entry, and its layer, on top; `None` if the time of
    /// the entry, or one below it, cannot be written. The entry counts as it
    /// will read back.
    pub fn grown(&self, entry: &Entry, layer: Option<&str>, rules: &Rules) -> Option<Self> {
        let mut piece = String::new();
        entry.append_to(&mut piece, rules)?;
        let mut base = self.clone();
        base.entries += 1;
        base.history = with_entry(&self.rewritten, &entry.rewritten());
        base.rewritten = base.history;
        base.restored = true;
        base.history_json = Some(self.history_json.as_ref()?.with(&piece));
        if let Some(id) = layer {
            let mut piece = String::new();
            append_string(&mut piece, id, rules.escapes);
            base.layers += 1;
            base.chain = with_layer(&self.chain, id);
            base.layers_json = self.layers_json.with(&piece);
        }
        Some(base)
    }
}

fn append_string(json: &mut String, text: &str, escapes: Escapes) {
    if !json.is_empty() {
        json.push(',');
    }
    let mut writer = Writer::new(escapes);
    writer.string(text);
    json.push_str(writer.as_str());
}

/// Text that is a prefix of a buffer which a chain of images shares: adding to
/// the newest image of a chain appends in place.
#[derive(Clone, Debug, Default)]
pub struct Prefix {
    buffer: Rc<RefCell<String>>,
    length: usize,
}

impl Prefix {
    fn new(text: String) -> Self {
        Self {
            length: text.len(),
            buffer: Rc::new(RefCell::new(text)),
        }
    }

    /// The text.
    pub fn text(&self) -> Ref<'_, str> {
        Ref::map(self.buffer.borrow(), |buffer| {
            buffer.get(..self.length).unwrap_or_default()
        })
    }

    /// This text with a comma and one piece more.
    fn with(&self, piece: &str) -> Self {
        let shared = self.buffer.borrow().len() == self.length;
        let buffer = if shared {
            Rc::clone(&self.buffer)
        } else {
            Rc::new(RefCell::new(self.text().to_owned()))
        };
        let length = {
            let mut text = buffer.borrow_mut();
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(piece);
            text.len()
        };
        Self { buffer, length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go_json::Timestamp;

    /// A text that holds the bytes of a time does not stand for one.
    #[test]
    fn a_time_and_a_text_have_different_digests() {
        let timed = Entry {
            created: Some(Timestamp {
                seconds: 24 << 24,
                nanoseconds: 0,
                zone: Zone::Zulu,
            }),
            ..Entry::default()
        };
        let nul = |count| "\0".repeat(count);
        let texted = Entry {
            created_by: format!("{}\u{1}\u{1}{}", nul(13), nul(9)),
            ..Entry::default()
        };
        let digest = |entry| with_entry(&Running::default(), entry);
        assert_ne!(digest(&timed), digest(&texted));
    }

    #[test]
    fn prefixes_grow_in_place_and_never_change_each_other() {
        let root = Prefix::new("1".to_owned());
        let two = root.with("2");
        let three = two.with("3");
        let other = two.with("4");
        let text = |prefix: &Prefix| prefix.text().to_owned();
        assert_eq!(text(&root), "1");
        assert_eq!(text(&two), "1,2");
        assert_eq!(text(&three), "1,2,3");
        assert_eq!(text(&other), "1,2,4");
        assert!(Rc::ptr_eq(&root.buffer, &three.buffer));
        assert!(!Rc::ptr_eq(&three.buffer, &other.buffer));
    }
}
