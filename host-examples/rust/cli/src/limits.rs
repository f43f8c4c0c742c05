//! `--host-limit`: how much is read, unpacked, walked and waited for outside of
//! the component.

use clap::Args;
use layerwise_files::WalkLimits;
use layerwise_registry::{Limit, Limits};

/// What the host holds commands to.
#[derive(Args, Clone, Debug, Default)]
pub struct HostLimitArgs {
    /// Set a limit of what is read, unpacked, walked and waited for, such as
    /// layer-entries=2000000; an unknown name lists them.
    #[arg(long = "host-limit", value_name = "NAME=VALUE", value_parser = host_limit)]
    set: Vec<(HostLimit, u64)>,
}

/// A limit by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostLimit {
    Registry(Limit),
    WalkDepth,
    WalkEntries,
    WalkPathBytes,
}

const WALKS: [(HostLimit, &str); 3] = [
    (HostLimit::WalkDepth, "walk-depth"),
    (HostLimit::WalkEntries, "walk-entries"),
    (HostLimit::WalkPathBytes, "walk-path-bytes"),
];

impl HostLimitArgs {
    /// Those of registries, layouts and layers.
    pub fn of_registries(&self) -> Limits {
        let start = Limits::default();
        self.set
            .iter()
            .fold(start, |limits, (limit, value)| match limit {
                HostLimit::Registry(limit) => limits.with(*limit, *value),
                _ => limits,
            })
    }

    /// Those of directories.
    pub fn of_walks(&self) -> WalkLimits {
        let mut limits = WalkLimits::default();
        for (limit, value) in &self.set {
            match limit {
                HostLimit::WalkDepth => limits.depth = *value,
                HostLimit::WalkEntries => limits.entries = *value,
                HostLimit::WalkPathBytes => limits.path_bytes = *value,
                HostLimit::Registry(_) => {}
            }
        }
        limits
    }
}

/// Every limit and its name.
fn all() -> impl Iterator<Item = (HostLimit, &'static str)> {
    let registries = Limit::all().map(|limit| (HostLimit::Registry(limit), limit.name()));
    registries.chain(WALKS)
}

fn host_limit(text: &str) -> Result<(HostLimit, u64), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let Some((limit, _)) = all().find(|(_, known)| *known == name) else {
        let names: Vec<&str> = all().map(|(_, name)| name).collect();
        return Err(format!(
            "there is no limit {name:?}, only {}",
            names.join(", ")
        ));
    };
    let value = value
        .parse()
        .map_err(|_| "expected NAME=VALUE with a whole number".to_owned())?;
    Ok((limit, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_can_be_set() {
        for (limit, name) in all() {
            assert_eq!(host_limit(&format!("{name}=7")), Ok((limit, 7)));
            let args = HostLimitArgs {
                set: vec![(limit, 7)],
            };
            let default = HostLimitArgs::default();
            assert!(
                args.of_registries() != default.of_registries()
                    || args.of_walks() != default.of_walks(),
                "{name}"
            );
        }
        let refused = host_limit("entries=7").unwrap_err();
        assert!(refused.contains("layer-entries") && refused.contains("walk-depth"));
        assert!(host_limit("layer-entries").is_err() && host_limit("layer-entries=x").is_err());
    }
}
