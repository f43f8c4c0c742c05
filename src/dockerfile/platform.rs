//! Platforms as they are typed: `linux`, `arm64`, `linux/arm/v7`,
//! `windows(10.0.1+win32k)/amd64` (Dockerfile spec, section 5.2).

use super::reason::Reason;
use super::refusal::{Stop, refused};
use crate::oci::Platform;
use crate::prelude::*;

const SYSTEMS: &str = "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd \
     openbsd plan9 solaris windows zos";
const ARCHITECTURES: &str = "386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 \
     mips mipsle mips64 mips64le mips64p32 mips64p32le ppc riscv riscv64 s390 s390x sparc sparc64 \
     wasm";

/// Reads a platform; what it leaves out is that of the host.
///
/// # Errors
/// `dockerfile/platform`.
pub fn parse(text: &str, host: &Platform) -> Result<Platform, Stop> {
    let refuse = |why: String| refused(Reason::Platform, why);
    if text.contains('*') {
        return Err(refuse(format!("\"{text}\": wildcards not yet supported")));
    }
    let parts: Vec<&str> = text.split('/').collect();
    let (first, rest) = parts.split_first().unwrap_or((&"", &[]));
    let invalid = |part: &str| refuse(format!("\"{part}\" is an invalid component of \"{text}\""));
    let (system, version, features) = system(first).ok_or_else(|| invalid(first))?;
    if let Some(part) = rest.iter().take(3).find(|part| !is_component(part)) {
        return Err(invalid(part));
    }
    let lower = system.to_ascii_lowercase();
    let platform = Platform {
        os: if lower == "macos" {
            "darwin".to_owned()
        } else {
            lower
        },
        os_version: version,
        os_features: features,
        ..Platform::default()
    };
    match *rest {
        [] if SYSTEMS.split(' ').any(|known| known == platform.os) => Ok(Platform {
            architecture: host.architecture.clone(),
            variant: match (host.architecture.as_str(), host.variant.as_str()) {
                ("arm", variant) if variant != "v7" => variant.to_owned(),
                _ => String::new(),
            },
            ..platform
        }),
        [] => {
            let (architecture, variant) = architecture(first, "");
            if !ARCHITECTURES.split(' ').any(|known| known == architecture) {
                return Err(refuse(format!(
                    "\"{text}\": unknown operating system or architecture"
                )));
            }
            let variant = without_v7(&architecture, variant);
            Ok(Platform {
                os: host.os.clone(),
                architecture,
                variant,
                ..platform
            })
        }
        [name] => {
            let (architecture, variant) = architecture(name, "");
            let variant = without_v7(&architecture, variant);
            Ok(Platform {
                architecture,
                variant,
                ..platform
            })
        }
        [name, variant] => {
            let (architecture, mut variant) = architecture(name, variant);
            if architecture == "arm64" && variant.is_empty() {
                variant = "v8".to_owned();
            }
            Ok(Platform {
                architecture,
                variant,
                ..platform
            })
        }
        _ => Err(refuse(format!(
            "\"{text}\": cannot parse platform specifier"
        ))),
    }
}

fn without_v7(architecture: &str, variant: String) -> String {
    if architecture == "arm" && variant == "v7" {
        String::new()
    } else {
        variant
    }
}

/// The parts of `os(version+feature+feature)`.
fn system(text: &str) -> Option<(&str, String, Vec<String>)> {
    let (name, options) = match text.split_once('(') {
        Some((name, options)) => (name, options.strip_suffix(')')?),
        None => (text, ""),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '%' | '-');
    let mut options = options.split('+');
    let version = options.next().unwrap_or_default();
    let features: Vec<&str> = options.collect();
    let known = version.chars().all(plain) && features.iter().all(|f| f.chars().all(plain));
    let decode = |text: &str| {
        let bytes = crate::paths::decode(text);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let words = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name_fits = !name.is_empty() && name.chars().all(words);
    let empty_feature = features.iter().any(|feature| feature.is_empty());
    (known && name_fits && !empty_feature).then(|| {
        let features = features.iter().map(|feature| decode(feature)).collect();
        (name, decode(version), features)
    })
}

fn is_component(text: &str) -> bool {
    let words = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    !text.is_empty() && text.chars().all(words)
}

/// An architecture and a variant by their usual names.
fn architecture(name: &str, variant: &str) -> (String, String) {
    let (name, variant) = (name.to_ascii_lowercase(), variant.to_ascii_lowercase());
    let (name, variant) = match (name.as_str(), variant.as_str()) {
        ("i386", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64", variant) => ("amd64", variant),
        ("aarch64" | "arm64", "8" | "v8" | "v8.0") => ("arm64", ""),
        ("aarch64" | "arm64", "9" | "9.0" | "v9.0") => ("arm64", "v9"),
        ("aarch64", variant) => ("arm64", variant),
        ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
        ("armel", _) | ("arm", "6") => ("arm", "v6"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "8") => ("arm", "v8"),
        (name, variant) => (name, variant),
    };
    (name.to_owned(), variant.to_owned())
}
