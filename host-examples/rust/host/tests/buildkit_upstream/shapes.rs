//! Records as documents of `add-all`: shapes to measure, and graphs drawn at
//! random to compare.

use std::fmt::Write as _;

use layerwise::oci::sha256;

/// Records of which each has one fresh layer: `chain`, `wide`, `dag` (three inputs
/// from the last 64 records) or `lattice` (rows of two, each on both above).
pub fn shape(kind: &str, count: u32) -> String {
    let mut text = String::from("[");
    for at in 0..count {
        let sources = match (kind, at) {
            (_, 0) | ("lattice", 1) => vec![],
            ("chain", _) => vec![at - 1],
            ("wide", _) => vec![0],
            ("lattice", _) => vec![(at / 2 - 1) * 2, (at / 2 - 1) * 2 + 1],
            _ => {
                let spread = at.wrapping_mul(2_654_435_761);
                let near = at.min(64);
                (0..3)
                    .map(|input| at - 1 - (spread >> (input * 5)) % near)
                    .collect()
            }
        };
        let links: Vec<_> = sources
            .iter()
            .map(|at| format!(r#"[{{"item":{at}}}]"#))
            .collect();
        record(&mut text, at, &links.join(","), &[(at, vec![at])]);
    }
    text.push(']');
    text
}

/// A chain in which record k has k layers, as a build of k steps exports it.
pub fn growing(count: u32) -> String {
    let mut text = String::from("[");
    for at in 0..count {
        let links = match at.checked_sub(1) {
            None => String::new(),
            Some(below) => format!(r#"[{{"item":{below}}}]"#),
        };
        record(&mut text, at, &links, &[(at, (0..=at).collect())]);
    }
    text.push(']');
    text
}

/// A small graph of which upstream makes one config only: no two matches, no
/// source twice in an input, no blob on two others. Some records are added twice,
/// the second time with one more source or result.
pub fn random(seed: u64) -> String {
    let mut dice = Dice(seed);
    let mut text = String::from("[");
    let mut given: Vec<(u32, Vec<Vec<u32>>)> = Vec::new();
    let count = 1 + dice.roll(14);
    for at in 0..count {
        let again = at > 0 && dice.roll(5) == 0;
        let (name, mut inputs) = if again {
            let earlier = dice.roll(at);
            given.get(earlier as usize).cloned().unwrap_or_default()
        } else {
            let inputs = (0..dice.roll(4).min(at))
                .map(|_| {
                    let mut links: Vec<u32> = (0..=dice.roll(2)).map(|_| dice.roll(at)).collect();
                    links.sort_unstable();
                    links.dedup_by_key(|link| given.get(*link as usize).map(|(name, _)| *name));
                    links
                })
                .collect();
            (at, inputs)
        };
        if let Some(links) = inputs.first_mut().filter(|_| again) {
            let extra = dice.roll(at);
            let names = |link: &u32| given.get(*link as usize).map(|(name, _)| *name);
            if !links.iter().any(|link| names(link) == names(&extra)) {
                links.push(extra);
            }
        }
        let linked: Vec<String> = inputs
            .iter()
            .map(|links| {
                let list: Vec<String> = links
                    .iter()
                    .map(|link| {
                        // The selector belongs to the source, so that adding again matches.
                        let selector = ["", "/a", "<b>&\u{e9}"][*link as usize % 3];
                        format!(r#"{{"item":{link},"selector":"{selector}"}}"#)
                    })
                    .collect();
                format!("[{}]", list.join(","))
            })
            .collect();
        let results: Vec<(u32, Vec<u32>)> = (0..dice.roll(3))
            .map(|_| {
                // What is on a layer depends on all below, as with real layers.
                let mut layers: Vec<u32> = Vec::new();
                for _ in 0..dice.roll(4) {
                    let below = layers.last().copied().unwrap_or_default();
                    layers.push(below * 3 + 1 + dice.roll(2));
                }
                (dice.roll(20), layers)
            })
            .collect();
        record(&mut text, name, &linked.join(","), &results);
        given.push((name, inputs));
    }
    text.push(']');
    text
}

fn record(text: &mut String, name: u32, inputs: &str, results: &[(u32, Vec<u32>)]) {
    if text.len() > 1 {
        text.push(',');
    }
    let digest = sha256(format!("record {name}").as_bytes());
    let _ = write!(
        text,
        r#"{{"digest":"{digest}","inputs":[{inputs}],"results":["#
    );
    for (number, (second, layers)) in results.iter().enumerate() {
        let comma = if number > 0 { "," } else { "" };
        let (hour, minute, second) = (second / 3600 % 24, second / 60 % 60, second % 60);
        let _ = write!(
            text,
            r#"{comma}{{"created":"2026-01-02T{hour:02}:{minute:02}:{second:02}Z","layers":["#
        );
        for (number, layer) in layers.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            let digest = sha256(format!("layer {layer}").as_bytes());
            let _ = write!(
                text,
                r#"{comma}{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{digest}","size":7,"annotations":{{"containerd.io/uncompressed":"{digest}"}}}}"#
            );
        }
        text.push_str("]}");
    }
    text.push_str("]}");
}

/// A small generator: the same graphs on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let high = u32::try_from(self.0 >> 33).unwrap_or_default();
        high.checked_rem(sides).unwrap_or_default()
    }
}
