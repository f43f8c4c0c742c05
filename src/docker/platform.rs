//! Platform matching (Docker spec, section 6).

use super::text::go_lower;
use super::version::Rules;
use crate::explain::Difference;
use crate::oci::Platform;
use crate::prelude::*;

/// The part of a platform that keeps an image from being accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The operating systems differ.
    Os,
    /// The architecture, or its variant, is not one the builder accepts.
    Architecture,
    /// The Windows versions do not go together.
    OsVersion,
    /// The image needs a feature the builder does not offer.
    OsFeatures,
}

/// Decides which images a builder's platform accepts. The builder's side is
/// normalised once; a decision costs a few comparisons, whatever the variant
/// (hazard H14).
#[derive(Clone, Debug)]
pub struct Matcher {
    raw: Platform,
    normal: Platform,
    host_os: String,
    arm64_ladder: bool,
    os_features: bool,
    windows_versions: bool,
}

impl Matcher {
    /// For a builder's platform; an empty `host_os` means `linux`.
    pub fn new(builder: &Platform, host_os: &str, rules: &Rules) -> Self {
        let host_os = if host_os.is_empty() { "linux" } else { host_os };
        Self {
            raw: builder.clone(),
            normal: normalize(builder, host_os),
            host_os: host_os.to_owned(),
            arm64_ladder: rules.arm64_ladder,
            os_features: rules.os_features,
            windows_versions: rules.windows_everywhere || host_os == "windows",
        }
    }

    /// The builder's platform as it was given.
    pub const fn builder(&self) -> &Platform {
        &self.raw
    }

    /// What keeps `image` from being accepted, if anything (Docker spec, sections
    /// 6.2 and 6.4).
    pub fn mismatch(&self, image: &Platform) -> Option<Part> {
        let version = self.comparable_version(image);
        let normal = normalize(image, &self.host_os);
        if normal.os != self.normal.os {
            return Some(Part::Os);
        }
        if !self.accepts_architecture(&normal.architecture, &normal.variant) {
            return Some(Part::Architecture);
        }
        let windows = self.normal.os == "windows";
        if windows && self.windows_versions && !version_fits(&self.normal.os_version, &version) {
            return Some(Part::OsVersion);
        }
        if self.os_features && !self.offers(&image.os_features, windows) {
            return Some(Part::OsFeatures);
        }
        None
    }

    /// How far an image is from what the builder would like best; `u64::MAX` for one
    /// that it does not accept.
    pub fn distance(&self, image: &Platform) -> u64 {
        /// All variants of one architecture are nearer than any of the next.
        const ARCHITECTURE: u64 = 1 << 32;
        if self.mismatch(image).is_some() {
            return u64::MAX;
        }
        let normal = normalize(image, &self.host_os);
        let level = |architecture: &str, variant: &str| -> u64 {
            let level = match (architecture, variant) {
                ("amd64", "") => Some(1),
                ("arm64", _) => {
                    rung(variant).map(|(major, minor)| i64::from(major) * 100 + i64::from(minor))
                }
                _ => number(variant),
            };
            u64::try_from(level.unwrap_or_default()).unwrap_or_default()
        };
        let own = level(&normal.architecture, &normal.variant).min(ARCHITECTURE - 1);
        if normal.architecture == self.normal.architecture {
            let top = level(&self.normal.architecture, &self.normal.variant);
            top.saturating_sub(own).min(ARCHITECTURE - 1)
        } else {
            (2 * ARCHITECTURE).saturating_sub(own)
        }
    }

    /// The evidence for a mismatch: both sides, raw and normalised.
    pub fn evidence(&self, image: &Platform) -> Vec<Difference> {
        let normal = normalize(image, &self.host_os);
        let part = match self.mismatch(image) {
            Some(Part::Os) => "os",
            Some(Part::Architecture) => "architecture",
            Some(Part::OsVersion) => "os.version",
            Some(Part::OsFeatures) => "os.features",
            None => return Vec::new(),
        };
        vec![
            Difference::new("platform", show(image), show(&self.raw)),
            Difference::new("platform.normalized", show(&normal), show(&self.normal)),
            Difference::fact("part", part),
            Difference::fact("accepted", self.accepted()),
        ]
    }

    /// The architectures and variants the builder accepts, best first, for
    /// people; long ladders are cut.
    fn accepted(&self) -> String {
        const MOST: i64 = 12;
        let own = self.normal.variant.as_str();
        let architecture = self.normal.architecture.as_str();
        let steps = |architecture: &str, low: i64, top: i64| -> Vec<String> {
            let low = low.max(top.saturating_sub(MOST));
            (low..top)
                .rev()
                .map(|k| format!("{architecture}/v{k}"))
                .collect()
        };
        let mut list = Vec::new();
        if self.arm64_ladder && architecture == "arm64" {
            for (major, minors) in [(9, 0..=7), (8, 0..=9)] {
                for minor in minors.rev() {
                    if rung(own).is_some_and(|top| below((major, minor), top)) {
                        list.push(match minor {
                            0 => format!("arm64/v{major}"),
                            _ => format!("arm64/v{major}.{minor}"),
                        });
                    }
                }
            }
        } else {
            list.push(show(&Platform {
                os: String::new(),
                os_version: String::new(),
                os_features: Vec::new(),
                ..self.normal.clone()
            }));
        }
        match architecture {
            "amd64" => {
                list.extend(steps("amd64", 1, number(own).unwrap_or(1)));
                list.push("386".to_owned());
            }
            "arm" => list.extend(steps("arm", 5, number(own).unwrap_or(5))),
            "arm64" if !list.is_empty() => list.extend(steps("arm", 5, 9)),
            _ => {}
        }
        let list: Vec<&str> = list
            .iter()
            .map(|name| name.trim_start_matches('/'))
            .collect();
        list.join(", ")
    }

    /// Whether the builder is arm64 with a variant that accepts nothing (H18).
    pub fn accepts_nothing(&self) -> bool {
        self.arm64_ladder
            && self.normal.architecture == "arm64"
            && rung(&self.normal.variant).is_none()
    }

    /// The image's os.version; between Windows platforms only its first two
    /// parts are its own (6.2, step 1).
    fn comparable_version(&self, image: &Platform) -> String {
        if self.raw.os == "windows" && image.os == "windows" {
            let builder: Vec<&str> = self.raw.os_version.split('.').collect();
            let mut own = image.os_version.split('.');
            if let (Some(major), Some(minor), Some(_), Some(rest)) =
                (own.next(), own.next(), own.next(), builder.get(2..))
                && !rest.is_empty()
            {
                return format!("{major}.{minor}.{}", rest.join("."));
            }
        }
        image.os_version.clone()
    }

    /// The candidates of the Docker spec, section 6.3, decided without listing
    /// them.
    fn accepts_architecture(&self, architecture: &str, variant: &str) -> bool {
        let own = self.normal.variant.as_str();
        let same = architecture == self.normal.architecture;
        match self.normal.architecture.as_str() {
            "amd64" if same => {
                variant == own
                    || number(own).is_some_and(|top| {
                        // v1 is written as no variant.
                        (top > 1 && variant.is_empty()) || is_step(variant, 2, top)
                    })
            }
            "amd64" => architecture == "386" && variant.is_empty(),
            "arm" => same && accepts_arm(own, variant),
            "arm64" if self.arm64_ladder => match rung(own) {
                None => false,
                Some(top) if same => rung(variant).is_some_and(|step| below(step, top)),
                Some(_) => architecture == "arm" && accepts_arm("v8", variant),
            },
            "arm64" if same => variant == own,
            "arm64" => {
                let own = if own.is_empty() { "v8" } else { own };
                architecture == "arm" && accepts_arm(own, variant)
            }
            _ => same && variant == own,
        }
    }

    /// Whether every feature of an image is offered.
    fn offers(&self, features: &[String], windows: bool) -> bool {
        let mut spared = !windows;
        features.iter().all(|feature| {
            if !spared && feature == "win32k" {
                spared = true;
                return true;
            }
            // Sorted in a normal platform.
            self.normal.os_features.binary_search(feature).is_ok()
        })
    }
}

fn accepts_arm(own: &str, variant: &str) -> bool {
    variant == own || number(own).is_some_and(|top| is_step(variant, 5, top))
}

/// Whether `variant` is exactly `v<k>` with `low <= k < top`.
fn is_step(variant: &str, low: i64, top: i64) -> bool {
    number(variant).is_some_and(|k| k >= low && k < top && variant == format!("v{k}"))
}

/// The number of a variant: one leading `v` removed, then an integer.
fn number(variant: &str) -> Option<i64> {
    variant.strip_prefix('v').unwrap_or(variant).parse().ok()
}

/// A place on the arm64 ladder, such as (8, 2) for v8.2.
fn rung(variant: &str) -> Option<(u8, u8)> {
    match variant.as_bytes() {
        b"" | b"v8" => Some((8, 0)),
        b"v9" => Some((9, 0)),
        [b'v', b'8', b'.', minor @ b'1'..=b'9'] => Some((8, minor - b'0')),
        [b'v', b'9', b'.', minor @ b'1'..=b'7'] => Some((9, minor - b'0')),
        _ => None,
    }
}

/// v9.k includes v8.(k+5), up to v8.9.
fn below(step: (u8, u8), top: (u8, u8)) -> bool {
    match (step.0, top.0) {
        (8, 9) => step.1 <= (top.1 + 5).min(9),
        (a, b) => a == b && step.1 <= top.1,
    }
}

/// The normal form of a platform (Docker spec, section 6.1).
pub fn normalize(platform: &Platform, host_os: &str) -> Platform {
    let os = match go_lower(&platform.os).as_str() {
        "" => host_os.to_owned(),
        "macos" => "darwin".to_owned(),
        os => os.to_owned(),
    };
    let architecture = go_lower(&platform.architecture);
    let variant = go_lower(&platform.variant);
    let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
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
        (architecture, variant) => (architecture, variant),
    };
    let mut os_features = platform.os_features.clone();
    sort(&mut os_features);
    os_features.dedup();
    Platform {
        os,
        architecture: architecture.to_owned(),
        variant: variant.to_owned(),
        os_version: platform.os_version.clone(),
        os_features,
    }
}

/// Whether an image is for this very platform, and not one that the platform accepts,
/// too: the containerd image store finds bases by that (Dockerfile spec, section 5.1).
pub fn is_exactly(asked: &Platform, image: &Platform, host_os: &str) -> bool {
    let (asked, image) = (normalize(asked, host_os), normalize(image, host_os));
    let mut features = image.os_features.iter();
    asked.os == image.os
        && asked.architecture == image.architecture
        && asked.variant == image.variant
        && features.all(|feature| asked.os_features.contains(feature))
}

/// A platform in one line: `os/architecture[/variant]`, and what Windows adds.
pub fn show(platform: &Platform) -> String {
    let mut text = format!("{}/{}", platform.os, platform.architecture);
    if !platform.variant.is_empty() {
        text.push('/');
        text.push_str(&platform.variant);
    }
    if !platform.os_version.is_empty() {
        text.push_str(" version ");
        text.push_str(&platform.os_version);
    }
    if !platform.os_features.is_empty() {
        text.push_str(" features ");
        text.push_str(&platform.os_features.join(","));
    }
    text
}

/// Whether a Windows host accepts a container of a version (Docker spec,
/// section 6.5).
fn version_fits(host: &str, container: &str) -> bool {
    const STABLE_SINCE: u16 = 20_348;
    let Some(host) = windows_version(host) else {
        return true;
    };
    if container.is_empty() {
        return true;
    }
    let container = windows_version(container).unwrap_or_default();
    if (host.0, host.1) != (container.0, container.1) {
        return false;
    }
    if host.2 < STABLE_SINCE {
        host.2 == container.2
    } else {
        (STABLE_SINCE..=host.2).contains(&container.2)
    }
}

/// Major, minor and build; `None` for the zero version, which anything that
/// does not parse counts as.
fn windows_version(text: &str) -> Option<(u8, u8, u16)> {
    let digits = |part: Option<&str>| {
        part.filter(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
            .map(ToOwned::to_owned)
    };
    let mut parts = text.split('.');
    let major = digits(parts.next())?.parse().ok()?;
    let minor = digits(parts.next())?.parse().ok()?;
    let build = digits(parts.next())?.parse().ok()?;
    Some((major, minor, build)).filter(|version| *version != (0, 0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(name: &str) -> Platform {
        let mut parts = name.split('/');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        Platform {
            os: "linux".to_owned(),
            architecture: next(),
            variant: next(),
            ..Platform::default()
        }
    }

    #[test]
    fn what_is_said_to_be_accepted_is_accepted() {
        let rules = Rules::of(&crate::semantics::Semantics::guarded()).unwrap();
        for (builder, want) in [
            ("amd64", "amd64, 386"),
            ("amd64/v3", "amd64/v3, amd64/v2, amd64/v1, 386"),
            ("386", "386"),
            ("armhf", "arm/v7, arm/v6, arm/v5"),
            ("arm/v5", "arm/v5"),
            ("arm64", "arm64/v8, arm/v8, arm/v7, arm/v6, arm/v5"),
            (
                "arm64/v8.1",
                "arm64/v8.1, arm64/v8, arm/v8, arm/v7, arm/v6, arm/v5",
            ),
            ("arm64/v10", ""),
            ("riscv64", "riscv64"),
        ] {
            let matcher = Matcher::new(&platform(builder), "linux", &rules);
            assert_eq!(matcher.accepted(), want, "{builder}");
            for name in want.split(", ").filter(|name| !name.is_empty()) {
                assert_eq!(matcher.mismatch(&platform(name)), None, "{builder} {name}");
            }
        }
        let huge = Matcher::new(&platform("amd64/v9223372036854775807"), "", &rules);
        assert_eq!(huge.mismatch(&platform("amd64/v4611686018427387904")), None);
        assert_eq!(
            huge.mismatch(&platform("amd64/v04")),
            Some(Part::Architecture)
        );
        assert!(huge.accepted().len() < 500);
    }

    #[test]
    fn exactly_a_platform_is_none_that_it_accepts() {
        let same = |asked, image| is_exactly(&platform(asked), &platform(image), "linux");
        assert!(same("amd64", "amd64"));
        assert!(same("x86_64", "amd64/v1"));
        assert!(same("arm64", "arm64/v8"));
        assert!(same("arm", "arm/v7"));
        assert!(!same("amd64", "386"));
        assert!(!same("amd64/v2", "amd64"));
        assert!(!same("arm/v7", "arm/v6"));
    }

    /// As a real engine on `linux/amd64/v4` chose.
    #[test]
    fn the_nearest_level_is_best() {
        let rules = Rules::newest();
        for (machine, nearer) in [
            (
                "amd64/v4",
                &[
                    "amd64/v4", "amd64/v3", "amd64/v2", "amd64", "386", "arm64/v8",
                ][..],
            ),
            ("amd64", &["amd64", "386", "amd64/v2"]),
            (
                "arm64/v8",
                &["arm64", "arm/v8", "arm/v7", "arm/v6", "amd64"],
            ),
            (
                "arm64/v9",
                &["arm64/v9", "arm64/v8.5", "arm64", "arm/v7", "arm64/v9.1"],
            ),
        ] {
            let matcher = Matcher::new(&platform(machine), "linux", &rules);
            let distances = nearer
                .iter()
                .map(|image| matcher.distance(&platform(image)));
            let distances: Vec<u64> = distances.collect();
            assert!(
                distances.is_sorted_by(|a, b| a < b),
                "{machine}: {distances:?}"
            );
            assert_eq!(distances.last(), Some(&u64::MAX), "{machine}");
        }
    }
}
