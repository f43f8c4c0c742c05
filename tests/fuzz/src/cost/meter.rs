//! How shapes are measured, and what their items are made of.

use layerwise::semantics::Semantics;

use crate::draw::Draw;

/// The fuel that so many items take; `None` where the call was refused.
pub type Shape = fn(&mut Draw, usize) -> Option<u64>;

/// The sum of what several calls took, as long as all of them answered.
#[derive(Debug, Default)]
pub struct Meter(pub Option<u64>);

impl Meter {
    pub const fn new() -> Self {
        Self(Some(0))
    }

    /// Adds a call: whether it answered, and its fuel.
    pub fn add<T>(
        &mut self,
        answer: Result<T, layerwise_host::Error>,
        spent: Option<u64>,
    ) -> Option<T> {
        if let Err(stopped @ layerwise_host::Error::Stopped { .. }) = &answer {
            panic!("{stopped}");
        }
        self.0 = self.0.zip(spent).map(|(sum, spent)| sum + spent);
        if answer.is_err() {
            self.0 = None;
        }
        answer.ok()
    }
}

/// The reading of a call.
pub fn semantics(draw: &mut Draw) -> Semantics {
    if draw.below(2) == 0 {
        Semantics::guarded()
    } else {
        Semantics::compatible(None)
    }
}

/// Texts that items take turns with.
pub fn texts(draw: &mut Draw) -> impl Fn(usize) -> String + use<> {
    let texts: Vec<String> = draw.several(8, Draw::anything);
    move |index| {
        let text = index.checked_rem(texts.len()).and_then(|at| texts.get(at));
        text.cloned().unwrap_or_default()
    }
}

/// A digest of its own for each number.
pub fn digest(index: usize) -> String {
    format!("sha256:{index:064x}")
}

/// An object whose members may have one name, which values of `serde_json` cannot.
pub fn members(members: impl Iterator<Item = (String, String)>) -> String {
    let text =
        |(name, value): (String, String)| format!("{}:{value}", serde_json::Value::String(name));
    format!("{{{}}}", members.map(text).collect::<Vec<_>>().join(","))
}
