//! The machine that an engine here runs on, as Go and containerd call it.

#[cfg(not(target_family = "wasm"))]
use std::env::consts;

use layerwise::oci::Platform;

/// The platform of the engine, which WASI does not tell: what `LAYERWISE_PLATFORM` says,
/// such as `linux/arm64/v8`. Empty without it; then nothing is chosen from an index.
#[cfg(target_family = "wasm")]
#[must_use]
pub fn machine() -> Platform {
    let told = std::env::var("LAYERWISE_PLATFORM").unwrap_or_default();
    let mut parts = told.splitn(3, '/').map(str::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    Platform {
        os: part(),
        architecture: part(),
        variant: part(),
        ..Platform::default()
    }
}

/// The platform of this machine, with its variant.
#[cfg(not(target_family = "wasm"))]
#[must_use]
pub fn machine() -> Platform {
    let architecture = match consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        "loongarch64" => "loong64",
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
#[cfg(not(any(target_arch = "x86_64", target_family = "wasm")))]
fn variant() -> &'static str {
    if consts::ARCH == "aarch64" { "v8" } else { "" }
}
