//! What things cost: twice the input takes at most 2.3 times the fuel. One file
//! per system, with the shapes that a host or a document could have.

mod buildkit;
mod buildpacks;
mod docker;
mod stacker;

use layerwise::semantics::Semantics;

use crate::draw::Draw;

/// Items of the smaller input. Below some hundred, what every call costs hides
/// how it grows.
const ITEMS: usize = 400;

/// The fuel that so many items take; `None` where the call was refused.
type Shape = fn(&mut Draw, usize) -> Option<u64>;

/// The first byte chooses the shape, the others what its items look like.
pub fn cost(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let shapes = shapes();
    let (what, shape) = *draw.one(&shapes);
    grows(what, shape, &draw, ITEMS);
}

/// Demands that twice the items take at most 2.3 times the fuel. Returns the fuel
/// of both.
fn grows(what: &str, shape: Shape, draw: &Draw, items: usize) -> Option<(u64, u64)> {
    let once = shape(&mut draw.clone(), items)?;
    let twice = shape(&mut draw.clone(), 2 * items)?;
    assert!(
        twice.saturating_mul(10) <= once.saturating_mul(23),
        "{what}: {items} take {once}, twice as many {twice}"
    );
    Some((once, twice))
}

fn shapes() -> Vec<(&'static str, Shape)> {
    [
        docker::SHAPES,
        buildpacks::SHAPES,
        buildkit::SHAPES,
        stacker::SHAPES,
    ]
    .concat()
}

/// The sum of what several calls took, as long as all of them answered.
#[derive(Debug, Default)]
struct Meter(Option<u64>);

impl Meter {
    const fn new() -> Self {
        Self(Some(0))
    }

    /// Adds a call: whether it answered, and its fuel.
    fn add<T>(
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
fn semantics(draw: &mut Draw) -> Semantics {
    if draw.below(2) == 0 {
        Semantics::guarded()
    } else {
        Semantics::compatible(None)
    }
}

/// Texts that items take turns with.
fn texts(draw: &mut Draw) -> impl Fn(usize) -> String + use<> {
    let texts: Vec<String> = draw.several(8, Draw::anything);
    move |index| {
        let text = index.checked_rem(texts.len()).and_then(|at| texts.get(at));
        text.cloned().unwrap_or_default()
    }
}

/// A digest of its own for each number.
fn digest(index: usize) -> String {
    format!("sha256:{index:064x}")
}

/// An object whose members may have one name, which values of `serde_json` cannot.
fn members(members: impl Iterator<Item = (String, String)>) -> String {
    let text =
        |(name, value): (String, String)| format!("{}:{value}", serde_json::Value::String(name));
    format!("{{{}}}", members.map(text).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every shape is measured at all: with the first of everything it is not
    /// refused.
    #[test]
    fn no_shape_is_refused() {
        for (what, shape) in shapes() {
            assert!(shape(&mut Draw::new(&[]), 2).is_some(), "{what}");
        }
    }
}
