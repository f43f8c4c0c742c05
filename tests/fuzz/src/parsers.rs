//! Every parser on any text: an answer or a refusal, and what is printed reads
//! as what was printed.

use layerwise::docker::{self, Order};
use layerwise::oci::Digest;
use layerwise::semantics::Semantics;
use layerwise::{buildkit, mtree, paths, stacker};

use crate::builds;
use crate::dockerfile::dockerfile;

/// The first byte chooses the parser, the rest is the text.
pub fn parsers(bytes: &[u8]) {
    let Some((which, rest)) = bytes.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(rest);
    let semantics = match which & 0x80 {
        0 => Semantics::guarded(),
        _ => Semantics::compatible(None),
    };
    match which % 16 {
        0 => image(&text, &semantics),
        1 => config(&text, &semantics),
        2 => time(&text),
        3 => commands(&text, &semantics),
        4 => cache(&text, &semantics),
        5 => {
            let _ = buildkit::detect(&text);
        }
        6 => layers(&text, &semantics),
        7 => {
            let _ = stacker::testing::hash_value("layer", &text, &semantics);
            let _ = stacker::testing::parse_layer_type(&text);
            let _ = stacker::testing::parse_tag(&text, &semantics);
        }
        8 => names(rest, &text),
        9 => {
            let _ = mtree::Spec::parse(rest);
            let _ = layerwise::base64::decode(&text);
        }
        10 => digest(&text),
        11 => dockerfile(&text, &semantics),
        12 => builds::messages(rest),
        13 => builds::texts(&text),
        _ => pair(&text, &semantics),
    }
}

fn image(text: &str, semantics: &Semantics) {
    for order in [Order::Declared, Order::Sorted] {
        if let Ok(printed) = docker::encode_image(text, order, semantics) {
            let again = docker::encode_image(&printed, order, semantics);
            assert_eq!(again.as_ref(), Ok(&printed), "an image, printed and read");
        }
    }
    for index in [0, 1, u32::MAX] {
        let _ = docker::testing::layer_of(text, index, semantics);
    }
    let _ = docker::compare_parent(text, Some(text), semantics);
}

fn config(text: &str, semantics: &Semantics) {
    let Ok(printed) = docker::testing::encode_config(text, semantics) else {
        return;
    };
    let again = docker::testing::encode_config(&printed, semantics);
    assert_eq!(again.as_ref(), Ok(&printed), "a config, printed and read");
    // No config, which `null` is, equals nothing.
    let null = text.trim_matches([' ', '\t', '\r', '\n']) == "null";
    if null || !semantics.is_guarded() {
        return;
    }
    let compared = docker::testing::compare_configs(Some(text), Some(text), semantics);
    assert!(
        compared.is_ok_and(|compared| compared.equal && compared.differences.is_empty()),
        "a config is equal to itself"
    );
}

fn time(text: &str) {
    let Ok(time) = docker::testing::parse_time(text) else {
        return;
    };
    if let Some(printed) = time.to_text() {
        let again = docker::testing::parse_time(&printed).expect("what is printed is read");
        let instant = |time: &layerwise::go_json::Timestamp| (time.seconds, time.nanoseconds);
        assert_eq!(instant(&again), instant(&time), "a time, printed and read");
    }
}

fn commands(text: &str, semantics: &Semantics) {
    let (entry, config) = halves(text);
    let _ = docker::testing::compare_command(entry, config, semantics);
    let _ = docker::testing::compare_history(entry, config);
}

fn cache(text: &str, semantics: &Semantics) {
    let (config, descriptors) = halves(text);
    let descriptors = Some(descriptors).filter(|text| !text.is_empty());
    let input = |text| buildkit::Input::Config { text, descriptors };
    let options = buildkit::ReadOptions {
        semantics: semantics.clone(),
        ..buildkit::ReadOptions::default()
    };
    let _ = buildkit::inspect(input(config), false, &[]);
    let Ok(cache) = buildkit::read(input(config), &options) else {
        return;
    };
    let Ok(printed) = cache.encode() else { return };
    if let Ok(again) = buildkit::read(input(&printed), &options) {
        assert_eq!(again.encode(), Ok(printed), "a cache, printed and read");
    }
}

fn layers(text: &str, semantics: &Semantics) {
    let (have, want) = halves(text);
    let _ = stacker::testing::compare_layers(have, want, semantics);
    if let Ok(printed) = stacker::testing::encode_layer(text, semantics)
        && printed.stable
    {
        let again = stacker::testing::encode_layer(&printed.text, semantics);
        let again = again.map(|again| again.text);
        assert_eq!(again, Ok(printed.text), "a definition, printed and read");
    }
}

fn names(bytes: &[u8], text: &str) {
    let path = paths::encode(bytes);
    assert_eq!(paths::decode(&path), bytes, "a name, encoded and decoded");
    let printed = stacker::testing::vis(&path);
    assert_eq!(
        stacker::testing::unvis(&printed),
        Ok(path),
        "a name in a tree's text"
    );
    let _ = stacker::testing::unvis(text);
    let _ = paths::clean(text);
}

fn digest(text: &str) {
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text, "a digest, read and printed");
    }
}

fn pair(text: &str, semantics: &Semantics) {
    let (have, want) = halves(text);
    let one = docker::testing::compare_configs(Some(have), Some(want), semantics);
    let other = docker::testing::compare_configs(Some(want), Some(have), semantics);
    if let (Ok(one), Ok(other)) = (one, other) {
        assert_eq!(one.equal, other.equal, "comparing is symmetric");
    }
}

/// The text before and after its first line break.
fn halves(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}
