//! One document out of two: a config, and the container config it was made with.

use crate::docker::config::ContainerConfig;
use crate::docker::read::read_config;
use crate::docker::version::{Rules, marks};
use crate::go_json::{Error, Reader, Writer, same_name};
use crate::prelude::*;

/// The member that holds the container config.
const MEMBER: &str = "container_config";
/// The members of an OCI image config; an engine with this store reads no others.
const READ: &[&str] = &[
    "created",
    "author",
    "architecture",
    "variant",
    "os",
    "os.version",
    "os.features",
    CONFIG,
    ROOTFS,
    "history",
];
const CONFIG: &str = "config";
const ROOTFS: &str = "rootfs";

/// The image document out of a config document and a container config: with that one in
/// place of the document's own, and `rootfs`, which an OCI image may lack.
///
/// # Errors
/// For a config that is not a JSON object.
pub fn join(
    config: &str,
    container_config: Option<&str>,
    rules: &Rules,
    depth: u32,
) -> Result<String, Error> {
    let mut reader = Reader::new(config, depth);
    let mut text = String::with_capacity(config.len());
    let mut has_layers = false;
    reader.object::<Error>(|reader, name| {
        reader.peek()?;
        let start = reader.offset();
        reader.skip()?;
        let value = reader.slice(start, reader.offset());
        let Some(name) = READ.iter().find(|read| same_name(&name, read)) else {
            return Ok(());
        };
        match *name {
            ROOTFS if value == "null" => {}
            CONFIG => member(&mut text, name, &without_ranges(value, rules, depth)),
            _ => member(&mut text, name, value),
        }
        has_layers |= *name == ROOTFS && value != "null";
        Ok(())
    })?;
    reader.end()?;
    if !has_layers {
        member(&mut text, ROOTFS, "{}");
    }
    // One that cannot be read counts as none, which is all zero.
    let readable = |text: &&str| read_config(text, rules, depth).is_ok();
    if let Some(value) = container_config.filter(readable) {
        member(&mut text, MEMBER, value);
    }
    text.push('}');
    Ok(text)
}

/// A config without what only OCI images may have as a port, such as a range: the
/// engine reads past it.
fn without_ranges<'a>(text: &'a str, rules: &Rules, depth: u32) -> Cow<'a, str> {
    if read_config(text, rules, depth).is_ok() {
        return Cow::Borrowed(text);
    }
    let any = Rules {
        reading: rules.reading & !marks::CANONICAL_PORTS,
        ..rules.clone()
    };
    let Ok(Some(mut config)) = read_config(text, &any, depth) else {
        return Cow::Borrowed(text);
    };
    config.exposed_ports = None;
    let mut w = Writer::new(rules.escapes);
    config.encode(&mut w, rules);
    Cow::Owned(w.finish())
}

fn member(text: &mut String, name: &str, value: &str) {
    let mut w = Writer::new(crate::go_json::Escapes::Short);
    w.string(name);
    text.push(if text.is_empty() { '{' } else { ',' });
    text.push_str(w.as_str());
    text.push(':');
    text.push_str(value);
}

/// The container config of a restored image: all zero.
pub fn nothing(rules: &Rules) -> String {
    let mut w = Writer::new(rules.escapes);
    ContainerConfig::default().encode(&mut w, rules);
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_config_takes_the_place_of_the_documents_own() {
        let rules = Rules::newest();
        let join = |config, other| join(config, other, &rules, 9);
        let config =
            r#" {"os":"linux", "Container_Config" : {"Cmd":["x"]},"HISTORY":[1, 2],"Size":"x"}"#;
        assert_eq!(
            join(config, Some(r#"{"Cmd": ["y"]}"#)).unwrap(),
            r#"{"os":"linux","history":[1, 2],"rootfs":{},"container_config":{"Cmd": ["y"]}}"#
        );
        for none in [None, Some("no json"), Some("{} {}"), Some("[]")] {
            assert_eq!(
                join(config, none).unwrap(),
                r#"{"os":"linux","history":[1, 2],"rootfs":{}}"#
            );
        }
        let ranged = r#"{"rootfs":{"type":"layers"},"config":{"ExposedPorts":{"80-90/tcp":{}}}}"#;
        let joined = join(ranged, None).unwrap();
        assert!(!joined.contains("80-90"), "{joined}");
        assert!(crate::docker::read::read_image(&joined, &rules).is_ok());
        for empty in ["{}", r#"{"rootfs":null}"#] {
            assert_eq!(join(empty, None).unwrap(), r#"{"rootfs":{}}"#);
        }
        assert!(join("[]", None).is_err());
        assert!(join("{", None).is_err());
        assert!(join("{} {}", None).is_err());
    }
}
