//! Which manifest of an index an engine takes: the best for its own platform, else any.

use std::env::consts;

use layerwise::oci::Platform;

/// The rank of what does not fit the host.
const OTHER: u32 = u32::MAX;

/// How well an image fits the host; less is better. The same architecture with the host's
/// own variant is best, then the lower variants, then the 32-bit architecture before it.
pub fn rank(image: &Platform, host: &Platform) -> u32 {
    if image.os != host.os {
        return OTHER;
    }
    let architecture = match (host.architecture.as_str(), image.architecture.as_str()) {
        (host, image) if host == image => 0,
        ("amd64", "386") | ("arm64", "arm") => 100,
        _ => return OTHER,
    };
    let level = |platform: &Platform| {
        let default = match platform.architecture.as_str() {
            "arm64" => 8,
            "arm" => 7,
            _ => 1,
        };
        let variant = platform.variant.strip_prefix('v');
        variant.map_or(Some(default), |level| level.parse::<u32>().ok())
    };
    let (Some(wanted), Some(level)) = (level(host), level(image)) else {
        return OTHER;
    };
    match (architecture, image.architecture.as_str()) {
        (0, _) => wanted.checked_sub(level).unwrap_or(OTHER),
        (before, "arm") => before + 8_u32.saturating_sub(level),
        (before, _) => before,
    }
}

/// The platform of this machine, as Go calls it.
pub fn host() -> Platform {
    let architecture = match consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    };
    Platform {
        os: consts::OS.to_owned(),
        architecture: architecture.to_owned(),
        variant: variant().to_owned(),
        ..Platform::default()
    }
}

/// The level of the instruction set, as containerd tells it: nothing for the first one.
#[cfg(target_arch = "x86_64")]
fn variant() -> &'static str {
    use std::arch::is_x86_feature_detected as has;
    let second = has!("sse4.2") && has!("ssse3") && has!("popcnt") && has!("cmpxchg16b");
    let third = has!("avx2") && has!("bmi1") && has!("bmi2") && has!("fma");
    let third = third && has!("f16c") && has!("lzcnt") && has!("movbe");
    let fourth = has!("avx512f") && has!("avx512bw") && has!("avx512cd");
    let fourth = fourth && has!("avx512dq") && has!("avx512vl");
    match (second, third, fourth) {
        (true, true, true) => "v4",
        (true, true, false) => "v3",
        (true, false, _) => "v2",
        (false, ..) => "",
    }
}

/// The level of the instruction set, where containerd knows only one.
#[cfg(not(target_arch = "x86_64"))]
fn variant() -> &'static str {
    if consts::ARCH == "aarch64" { "v8" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        let mut parts = text.split('/').map(str::to_owned);
        Platform {
            os: parts.next().unwrap(),
            architecture: parts.next().unwrap(),
            variant: parts.next().unwrap_or_default(),
            ..Platform::default()
        }
    }

    /// As a real engine on `linux/amd64/v4` chose.
    #[test]
    fn the_nearest_level_is_best() {
        let order = |host: &str, images: &[&str]| {
            let ranks = images
                .iter()
                .map(|image| rank(&platform(image), &platform(host)));
            let ranks: Vec<u32> = ranks.collect();
            assert!(ranks.is_sorted(), "{host}: {ranks:?}");
            ranks
        };
        let amd64 = [
            "linux/amd64/v4",
            "linux/amd64/v3",
            "linux/amd64/v2",
            "linux/amd64",
            "linux/386",
            "linux/arm64/v8",
        ];
        let ranks = order("linux/amd64/v4", &amd64);
        assert_eq!(ranks.last(), Some(&OTHER));
        let ranks = order(
            "linux/amd64",
            &["linux/amd64", "linux/386", "linux/amd64/v2"],
        );
        assert_eq!(ranks.last(), Some(&OTHER));
        order(
            "linux/arm64/v8",
            &["linux/arm64", "linux/arm/v7", "linux/arm/v6", "linux/amd64"],
        );
        assert_eq!(order("linux/amd64", &["windows/amd64"]), [OTHER]);
    }
}
