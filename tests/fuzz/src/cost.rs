//! What things cost: twice the input takes at most 2.3 times the fuel. One file
//! per system, with the shapes that a host or a document could have.

mod buildkit;
mod buildpacks;
mod docker;
mod meter;
mod stacker;

use crate::draw::Draw;

use meter::Shape;

/// Items of the smaller input. Below some hundred, what every call costs hides
/// how it grows.
const ITEMS: usize = 400;

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
