//! Where boxes and lines go.
//!
//! Rows that are too long to look at are folded. A line to a row further down goes
//! through a lane beside the boxes; lines from one box share it, so that a box with
//! many users draws a trunk with branches. Each sweep orders a row by what it is
//! connected to and puts everything as near to that as the room allows.

use crate::model::{Model, Source};

/// Width of a box.
pub const WIDTH: f64 = 196.0;
/// Height of a box.
pub const HEIGHT: f64 = 66.0;
/// Space around everything.
pub const MARGIN: f64 = 24.0;
/// Space between rows, for lines.
const BETWEEN: f64 = 52.0;
/// Space between neighbours.
const BESIDE: f64 = 22.0;
/// Width of a lane.
const LANE: f64 = 10.0;
/// Boxes side by side.
const FOLD: usize = 8;
/// A line across more rows goes straight, behind everything.
const FAR: usize = 40;

/// A picture's geometry.
pub struct Placed {
    pub width: f64,
    pub height: f64,
    /// The upper left corner of each box.
    pub corners: Vec<(f64, f64)>,
    pub lines: Vec<Line>,
}

/// One part of a line.
pub struct Line {
    pub from: (f64, f64),
    pub to: (f64, f64),
    pub kind: Kind,
}

/// What a line is.
pub enum Kind {
    /// A part of a trunk.
    Trunk,
    /// The end of a link: at which box, and which of its sources.
    End(usize, Source),
    /// The same where there is no room for a lane, or where links form a loop.
    Far(usize, Source),
}

/// A box or a part of a lane.
struct Item {
    row: usize,
    width: f64,
    x: f64,
    above: Vec<usize>,
    below: Vec<usize>,
}

/// Places everything.
pub fn place(model: &Model) -> Placed {
    let folded = fold(model);
    let mut sheet = Sheet::new(model, &folded);
    for down in [true, false, true, false, true] {
        sheet.sweep(down);
    }
    sheet.finish(model)
}

/// The row of each box after long rows were folded. Neighbours in a row are those
/// with neighbouring sources.
fn fold(model: &Model) -> Vec<usize> {
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); model.rows];
    for (at, one) in model.boxes.iter().enumerate() {
        if let Some(row) = rows.get_mut(one.row) {
            row.push(at);
        }
    }
    let mut folded = vec![0; model.boxes.len()];
    let mut rank = vec![0; model.boxes.len()];
    let mut next = 0;
    for row in &mut rows {
        row.sort_by_key(|at| {
            let sources = model.boxes.get(*at).map(|one| one.sources.as_slice());
            let known = sources.unwrap_or_default().iter();
            known.filter_map(|s| rank.get(s.at).copied()).max()
        });
        for (position, at) in row.iter().enumerate() {
            set(&mut rank, *at, position);
        }
        // Even rows look better than a full and a short one.
        let parts = row.len().div_ceil(FOLD).max(1);
        let length = row.len().div_ceil(parts).max(1);
        for part in row.chunks(length) {
            for at in part {
                set(&mut folded, *at, next);
            }
            next += 1;
        }
    }
    folded
}

struct Sheet {
    items: Vec<Item>,
    rows: Vec<Vec<usize>>,
    /// Ends of links: upper item (none when the line is far), box, source.
    ends: Vec<(Option<usize>, usize, Source)>,
}

impl Sheet {
    fn new(model: &Model, folded: &[usize]) -> Self {
        let row_of = |at: usize| folded.get(at).copied().unwrap_or_default();
        let rows = folded.iter().max().map_or(0, |row| row + 1);
        let mut sheet = Self {
            items: Vec::new(),
            rows: vec![Vec::new(); rows],
            ends: Vec::new(),
        };
        for at in 0..model.boxes.len() {
            sheet.add(row_of(at), WIDTH);
        }
        // The last part of each box's lane.
        let mut lanes: Vec<Option<usize>> = vec![None; model.boxes.len()];
        let mut links: Vec<(usize, usize, &Source)> = Vec::new();
        for (at, one) in model.boxes.iter().enumerate() {
            links.extend(one.sources.iter().map(|source| (row_of(at), at, source)));
        }
        links.sort_by_key(|(row, at, _)| (*row, *at));
        for (row, at, source) in links {
            let start = row_of(source.at);
            if row <= start || row - start > FAR {
                sheet.ends.push((None, at, source.clone()));
                continue;
            }
            let mut upper = lanes.get(source.at).copied().flatten().unwrap_or(source.at);
            let mut upper_row = sheet.items.get(upper).map_or(start, |item| item.row);
            while upper_row + 1 < row {
                upper_row += 1;
                let part = sheet.add(upper_row, LANE);
                sheet.join(upper, part);
                set(&mut lanes, source.at, Some(part));
                upper = part;
            }
            sheet.join(upper, at);
            sheet.ends.push((Some(upper), at, source.clone()));
        }
        sheet
    }

    fn add(&mut self, row: usize, width: f64) -> usize {
        let at = self.items.len();
        self.items.push(Item {
            row,
            width,
            x: 0.0,
            above: Vec::new(),
            below: Vec::new(),
        });
        if let Some(row) = self.rows.get_mut(row) {
            row.push(at);
        }
        at
    }

    fn join(&mut self, upper: usize, lower: usize) {
        if let Some(item) = self.items.get_mut(upper) {
            item.below.push(lower);
        }
        if let Some(item) = self.items.get_mut(lower) {
            item.above.push(upper);
        }
    }

    /// Orders and places every row by its neighbours above, or below.
    fn sweep(&mut self, down: bool) {
        let count = self.rows.len();
        for step in 0..count {
            let row = if down { step } else { count - 1 - step };
            let Some(members) = self.rows.get_mut(row) else {
                continue;
            };
            let items = &self.items;
            let mut wished: Vec<(f64, f64, usize)> = members
                .iter()
                .filter_map(|at| {
                    let item = items.get(*at)?;
                    let near = if down { &item.above } else { &item.below };
                    let known = near.iter().filter_map(|other| items.get(*other));
                    let sum: f64 = known.map(|other| other.x).sum();
                    Some(match near.len() {
                        0 => (item.x, 0.02, *at),
                        n => (
                            sum / f64::from(u32::try_from(n).unwrap_or(u32::MAX)),
                            1.0,
                            *at,
                        ),
                    })
                })
                .collect();
            wished.sort_by(|a, b| a.0.total_cmp(&b.0));
            for same in wished.chunk_by_mut(|a, b| b.0 - a.0 < 1.0) {
                lanes_between(same, |at| {
                    items.get(at).is_some_and(|item| item.width < WIDTH)
                });
            }
            *members = wished.iter().map(|(_, _, at)| *at).collect();
            let widths: Vec<f64> = members
                .iter()
                .map(|at| items.get(*at).map_or(0.0, |item| item.width))
                .collect();
            let wishes: Vec<(f64, f64)> = wished.iter().map(|(x, w, _)| (*x, *w)).collect();
            for ((_, _, at), x) in wished.iter().zip(apart(&wishes, &widths)) {
                if let Some(item) = self.items.get_mut(*at) {
                    item.x = x;
                }
            }
        }
    }

    fn finish(self, model: &Model) -> Placed {
        let left = |item: &Item| item.x - item.width / 2.0;
        let least = self.items.iter().map(left).fold(f64::INFINITY, f64::min);
        let shift = if least.is_finite() {
            MARGIN - least
        } else {
            MARGIN
        };
        let most = self.items.iter().map(|item| item.x + item.width / 2.0);
        let width = most.fold(0.0, f64::max) + shift + MARGIN;
        let rows = f64::from(u32::try_from(self.rows.len()).unwrap_or(u32::MAX));
        let top = |row: usize| {
            MARGIN + f64::from(u32::try_from(row).unwrap_or(u32::MAX)) * (HEIGHT + BETWEEN)
        };
        let x = |at: usize| self.items.get(at).map_or(0.0, |item| item.x + shift);
        let y = |at: usize| self.items.get(at).map_or(0.0, |item| top(item.row));
        let corners: Vec<(f64, f64)> = (0..model.boxes.len())
            .map(|at| (x(at) - WIDTH / 2.0, y(at)))
            .collect();
        let mut lines = Vec::new();
        for (at, item) in self.items.iter().enumerate().skip(model.boxes.len()) {
            for upper in &item.above {
                lines.push(Line {
                    from: (x(*upper), y(*upper) + HEIGHT),
                    to: (x(at), y(at)),
                    kind: Kind::Trunk,
                });
            }
            lines.push(Line {
                from: (x(at), y(at)),
                to: (x(at), y(at) + HEIGHT),
                kind: Kind::Trunk,
            });
        }
        for (upper, at, source) in self.ends {
            let inputs = model.boxes.get(at).map_or(1, |one| one.inputs.max(1));
            let step = WIDTH / f64::from(inputs.saturating_add(1));
            let port = f64::from(source.input.saturating_add(1)) * step;
            let to = (x(at) - WIDTH / 2.0 + port.min(WIDTH), y(at));
            let from = upper.unwrap_or(source.at);
            let from = (x(from), y(from) + HEIGHT);
            let kind = match upper {
                Some(_) => Kind::End(at, source),
                None => Kind::Far(at, source),
            };
            lines.push(Line { from, to, kind });
        }
        Placed {
            width: width.max(2.0 * MARGIN + WIDTH),
            height: 2.0 * MARGIN + rows * HEIGHT + (rows - 1.0).max(0.0) * BETWEEN,
            corners,
            lines,
        }
    }
}

/// Of items that wish for one place, puts the lanes into the middle, so that a
/// trunk stays where it is and its branches go to both sides.
fn lanes_between(same: &mut [(f64, f64, usize)], is_lane: impl Fn(usize) -> bool) {
    let (lanes, boxes): (Vec<_>, Vec<_>) = same.iter().partition(|(_, _, at)| is_lane(*at));
    if lanes.is_empty() {
        return;
    }
    let (left, right) = boxes.split_at(boxes.len() / 2);
    let order = left.iter().chain(&lanes).chain(right);
    let order: Vec<_> = order.copied().collect();
    same.copy_from_slice(&order);
}

/// Puts neighbours apart with the least sum of squared distances from their wishes
/// (isotonic regression, pooling what would overlap).
fn apart(wishes: &[(f64, f64)], widths: &[f64]) -> Vec<f64> {
    let mut offsets = Vec::with_capacity(widths.len());
    let mut offset = 0.0;
    let mut before: Option<f64> = None;
    for width in widths {
        if let Some(before) = before {
            offset += (before + width) / 2.0 + BESIDE;
        }
        offsets.push(offset);
        before = Some(*width);
    }
    // Of each pool the sum of weights, of weighted wishes, and its length.
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for ((wish, weight), offset) in wishes.iter().zip(&offsets) {
        let mut pool = (*weight, weight * (wish - offset), 1);
        while let Some(last) = pools.last().copied()
            && last.1 / last.0 > pool.1 / pool.0
        {
            pools.pop();
            pool = (pool.0 + last.0, pool.1 + last.1, pool.2 + last.2);
        }
        pools.push(pool);
    }
    let places = pools
        .into_iter()
        .flat_map(|(weight, sum, length)| std::iter::repeat_n(sum / weight, length));
    places
        .zip(offsets)
        .map(|(place, offset)| place + offset)
        .collect()
}

fn set<T>(list: &mut [T], at: usize, value: T) {
    if let Some(slot) = list.get_mut(at) {
        *slot = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_keep_their_distance_and_their_order() {
        let wishes = [(0.0, 1.0), (0.0, 1.0), (1_000.0, 1.0), (990.0, 0.02)];
        let widths = [WIDTH, LANE, WIDTH, WIDTH];
        let places = apart(&wishes, &widths);
        for (pair, width) in places.windows(2).zip(widths.windows(2)) {
            let room = (width[0] + width[1]) / 2.0 + BESIDE;
            assert!(pair[1] - pair[0] >= room - 1e-9, "{places:?}");
        }
        assert!((places[0] + places[1]).abs() < 1e-9, "both wish for 0");
        assert!((places[2] - 1_000.0).abs() < 10.0, "{places:?}");
    }
}
