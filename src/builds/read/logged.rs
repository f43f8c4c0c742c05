//! The steps of a build of which only the log is there: one that failed before it had a
//! definition, or one that was read from `--progress=rawjson` alone (Builds spec, section
//! 2.1).

use crate::builds::model::{Definition, Input, Op, Step, Vertex};
use crate::prelude::*;

/// What the names of vertices begin with that daemons and frontends have for themselves.
const OWN: [&str; 8] = [
    "[auth] ",
    "[internal] ",
    "exporting ",
    "importing cache ",
    "inferred cache ",
    "preparing ",
    "resolve image config ",
    "resolving provenance ",
];

/// The vertices of a log as steps of which nothing but the names are known, inputs before
/// those that use them.
pub fn definition(vertices: &[Vertex]) -> Definition {
    let places: BTreeMap<&str, usize> = vertices
        .iter()
        .enumerate()
        .map(|(place, vertex)| (vertex.digest.as_str(), place))
        .collect();
    let mut sorted = Sorted {
        at: vec![None; vertices.len()],
        steps: Vec::new(),
    };
    for (place, vertex) in vertices.iter().enumerate() {
        let is_own = OWN.iter().any(|own| vertex.name.starts_with(own));
        if !is_own || vertex.error.is_some() {
            sorted.add(place, vertices, &places);
        }
    }
    Definition {
        steps: sorted.steps,
        ..Definition::default()
    }
}

/// The steps so far, and which vertex each is.
struct Sorted {
    at: Vec<Option<usize>>,
    steps: Vec<Step>,
}

impl Sorted {
    /// Adds a vertex behind its inputs. One that is its own input, which no log has, does
    /// not have this one.
    fn add(&mut self, place: usize, vertices: &[Vertex], places: &BTreeMap<&str, usize>) {
        // What is on the way, each with the number of its inputs that were looked at.
        let mut way = vec![(place, 0)];
        let mut begun = BTreeSet::from([place]);
        while let Some((place, seen)) = way.pop() {
            let Some(vertex) = vertices.get(place) else {
                continue;
            };
            if self.at.get(place).is_none_or(Option::is_some) {
                continue;
            }
            if let Some(input) = vertex.inputs.get(seen) {
                way.push((place, seen + 1));
                let input = places.get(input.as_str()).copied();
                way.extend(input.filter(|input| begun.insert(*input)).map(|at| (at, 0)));
                continue;
            }
            let inputs = vertex.inputs.iter();
            let inputs = inputs.filter_map(|input| {
                let place = places.get(input.as_str())?;
                let step = self.at.get(*place).copied().flatten()?;
                Some(Input { step, output: 0 })
            });
            let step = Step {
                vertex: Some(vertex.digest.clone()),
                op: Op::logged(),
                inputs: inputs.collect(),
                lines: Vec::new(),
                ignore_cache: false,
            };
            if let Some(at) = self.at.get_mut(place) {
                *at = Some(self.steps.len());
            }
            self.steps.push(step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vertex(digest: &str, name: &str, inputs: &[&str]) -> Vertex {
        Vertex {
            digest: digest.to_owned(),
            name: name.to_owned(),
            inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
            ..Vertex::default()
        }
    }

    #[test]
    fn inputs_come_first_and_what_daemons_do_for_themselves_not_at_all() {
        let mut failed = vertex("m", "[internal] load metadata for a:1", &[]);
        failed.error = Some("no such image".to_owned());
        let log = [
            vertex("d", "[internal] load build definition from Dockerfile", &[]),
            vertex("3", "[3/3] RUN b", &["2"]),
            vertex("2", "[2/3] COPY . .", &["1", "c", "gone"]),
            vertex("c", "[internal] load build context", &[]),
            vertex("1", "[1/3] FROM a", &[]),
            vertex("e", "exporting to image", &[]),
            failed,
        ];
        let made = definition(&log);
        let steps = made.steps.iter().map(|step| {
            let inputs = step.inputs.iter().map(|input| input.step);
            (step.vertex.as_deref().unwrap(), inputs.collect())
        });
        let steps: Vec<(&str, Vec<usize>)> = steps.collect();
        let want = [
            ("1", vec![]),
            ("c", vec![]),
            ("2", vec![0, 1]),
            ("3", vec![2]),
            ("m", vec![]),
        ];
        assert_eq!(steps, want);
    }

    #[test]
    fn a_circle_ends() {
        let made = definition(&[vertex("a", "a", &["b", "a"]), vertex("b", "b", &["a"])]);
        assert_eq!(made.steps.len(), 2);
    }
}
