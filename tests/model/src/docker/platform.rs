//! Which image platforms a builder accepts (Docker spec, section 6).

use std::collections::BTreeSet;

use layerwise::oci::Platform;

/// The normal form (Docker spec, section 6.1).
pub fn normalize(platform: &Platform, host_os: &str) -> Platform {
    let os = match lower(&platform.os).as_str() {
        "" => host_os.to_owned(),
        "macos" => "darwin".to_owned(),
        other => other.to_owned(),
    };
    let (architecture, variant) =
        normal_architecture(&lower(&platform.architecture), &lower(&platform.variant));
    let features: BTreeSet<String> = platform.os_features.iter().cloned().collect();
    Platform {
        os,
        architecture,
        variant,
        os_version: platform.os_version.clone(),
        os_features: features.into_iter().collect(),
    }
}

fn normal_architecture(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = match (architecture, variant) {
        ("i386", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64" | "amd64", other) => ("amd64", other),
        ("aarch64" | "arm64", "8" | "v8" | "v8.0") => ("arm64", ""),
        ("aarch64" | "arm64", "9" | "9.0" | "v9.0") => ("arm64", "v9"),
        ("aarch64" | "arm64", other) => ("arm64", other),
        ("armhf", _) => ("arm", "v7"),
        ("armel", _) => ("arm", "v6"),
        ("arm", "" | "7") => ("arm", "v7"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "6") => ("arm", "v6"),
        ("arm", "8") => ("arm", "v8"),
        others => others,
    };
    (architecture.to_owned(), variant.to_owned())
}

/// Go's lower case: one character for one.
pub fn lower(text: &str) -> String {
    let lower = |character: char| match character {
        '\u{130}' => 'i',
        other => other.to_lowercase().next().unwrap_or(other),
    };
    text.chars().map(lower).collect()
}

/// Whether a builder accepts an image (Docker spec, section 6.2).
pub fn platform_match(builder: &Platform, image: &Platform, host_os: &str) -> bool {
    let image = with_the_builders_build(builder, image);
    candidates(&normalize(builder, host_os))
        .iter()
        .map(|candidate| normalize(candidate, host_os))
        .any(|candidate| accepts(&candidate, &image, host_os))
}

/// The step before 6.2 for Windows on both sides.
fn with_the_builders_build(builder: &Platform, image: &Platform) -> Platform {
    let mut image = image.clone();
    if builder.os != "windows" || image.os != "windows" {
        return image;
    }
    let builders: Vec<&str> = builder.os_version.split('.').collect();
    let images: Vec<&str> = image.os_version.split('.').collect();
    if let ([_, _, rest @ ..], [major, minor, _, ..]) = (builders.as_slice(), images.as_slice())
        && !rest.is_empty()
    {
        let parts: Vec<&str> = [*major, *minor]
            .into_iter()
            .chain(rest.iter().copied())
            .collect();
        image.os_version = parts.join(".");
    }
    image
}

/// The candidates of a normalised builder platform (Docker spec, section 6.3).
fn candidates(builder: &Platform) -> Vec<Platform> {
    let with = |architecture: &str, variant: &str| Platform {
        architecture: architecture.to_owned(),
        variant: variant.to_owned(),
        ..builder.clone()
    };
    let mut list = Vec::new();
    match builder.architecture.as_str() {
        "amd64" => {
            list.push(builder.clone());
            let number = number(&builder.variant).unwrap_or(0);
            list.extend((1..number).rev().map(|n| with("amd64", &format!("v{n}"))));
            list.push(with("386", ""));
        }
        "arm" => {
            list.push(builder.clone());
            let number = number(&builder.variant).unwrap_or(0);
            list.extend((5..number).rev().map(|n| with("arm", &format!("v{n}"))));
        }
        "arm64" => {
            let ladder = ladder(&builder.variant);
            list.extend(ladder.iter().map(|variant| with("arm64", variant)));
            if !ladder.is_empty() {
                list.extend(["v8", "v7", "v6", "v5"].map(|variant| with("arm", variant)));
            }
        }
        _ => list.push(builder.clone()),
    }
    list
}

fn number(variant: &str) -> Option<i64> {
    let digits = variant.strip_prefix('v').unwrap_or(variant);
    digits.parse().ok()
}

/// The versions of arm64 that a variant includes; `None` if it is unknown.
fn ladder(variant: &str) -> Vec<String> {
    let eight = |minor: u32| -> Vec<String> {
        let minors = (1..=minor).rev().map(|k| format!("v8.{k}"));
        minors.chain(["v8".to_owned()]).collect()
    };
    let nine = |minor: u32| -> Vec<String> {
        let minors = (1..=minor).rev().map(|k| format!("v9.{k}"));
        let below = eight((minor + 5).min(9));
        minors.chain(["v9".to_owned()]).chain(below).collect()
    };
    if variant.is_empty() || variant == "v8" {
        return eight(0);
    }
    if variant == "v9" {
        return nine(0);
    }
    for minor in 1..=9 {
        if variant == format!("v8.{minor}") {
            return eight(minor);
        }
    }
    for minor in 1..=7 {
        if variant == format!("v9.{minor}") {
            return nine(minor);
        }
    }
    Vec::new()
}

/// Whether one candidate accepts an image (Docker spec, section 6.4).
fn accepts(candidate: &Platform, image: &Platform, host_os: &str) -> bool {
    let windows = candidate.os == "windows";
    let mut offered = image.clone();
    if windows && let Some(place) = offered.os_features.iter().position(|f| f == "win32k") {
        offered.os_features.remove(place);
    }
    let normal = normalize(&offered, host_os);
    candidate.os == normal.os
        && candidate.architecture == normal.architecture
        && candidate.variant == normal.variant
        && (!windows || windows_version(&candidate.os_version, &image.os_version))
        && normal
            .os_features
            .iter()
            .all(|feature| candidate.os_features.contains(feature))
}

/// The Windows version rule (Docker spec, section 6.5).
fn windows_version(host: &str, container: &str) -> bool {
    let h = version(host);
    if h == (0, 0, 0) || container.is_empty() {
        return true;
    }
    let v = version(container);
    if (h.0, h.1) != (v.0, v.1) {
        return false;
    }
    if h.2 < 20348 {
        h.2 == v.2
    } else {
        (20348..=h.2).contains(&v.2)
    }
}

fn version(text: &str) -> (u8, u8, u16) {
    let parts: Vec<&str> = text.split('.').collect();
    let [major, minor, build, ..] = parts.as_slice() else {
        return (0, 0, 0);
    };
    if [major, minor, build]
        .iter()
        .any(|part| !part.bytes().all(|b| b.is_ascii_digit()))
    {
        return (0, 0, 0);
    }
    match (major.parse(), minor.parse(), build.parse()) {
        (Ok(major), Ok(minor), Ok(build)) => (major, minor, build),
        _ => (0, 0, 0),
    }
}
