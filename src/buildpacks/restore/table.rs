//! The decision about one layer, rule by rule (Buildpacks spec, section 5.3).
//! The first rule that applies decides.

use crate::buildpacks::metadata::Flags;
use crate::buildpacks::reason::Reason;

/// What is decided about a layer of the application image; `cached` are the
/// flags of the cache's layer of that name.
pub fn decide_app(layer: Flags, cached: Option<Flags>) -> Reason {
    if !layer.launch {
        return Reason::LaunchFalse;
    }
    if layer.build && !layer.cache {
        return Reason::BuildWithoutCache;
    }
    match cached {
        _ if !layer.cache => Reason::RestoredFromApp,
        None => Reason::NotInCache,
        Some(cached) if !cached.cache => Reason::NotCachedInCache,
        Some(_) => Reason::RestoredFromApp,
    }
}

/// What the application image has of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppSide {
    /// No layer of that name.
    Absent,
    /// One that was not restored.
    Present,
    /// One that was restored.
    Restored,
}

/// What is decided about a layer of the cache; `fallback` is true where the
/// cache may stand in for an application image.
pub fn decide_cache(layer: Flags, app: AppSide, fallback: bool) -> Reason {
    if !layer.cache {
        return Reason::CacheFalse;
    }
    match (layer.launch, app) {
        (true, AppSide::Present | AppSide::Restored) => Reason::LaunchInApp,
        (true, AppSide::Absent) if !fallback => Reason::LaunchNotInApp,
        (true, AppSide::Absent) => Reason::RestoredFromCacheLaunchFallback,
        (false, AppSide::Restored) => Reason::RestoredFromCacheOverApp,
        (false, _) => Reason::RestoredFromCache,
    }
}

/// Whether a reason means that metadata is written.
pub const fn restores(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::RestoredFromApp
            | Reason::RestoredFromCache
            | Reason::RestoredFromCacheOverApp
            | Reason::RestoredFromCacheLaunchFallback
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    /// The table of the Buildpacks spec, section 5.3: flags in the application
    /// image and in the cache (`-` = no such layer, `0` = no flag set), what the
    /// two passes decide below Platform API 0.14, and from there on where it
    /// differs. The build flag of the cache's layer makes no difference and is
    /// left out.
    const TABLE: &str = "
        -   0   -   CF
        -   L   -   CF
        -   C   -   RC
        -   LC  -   LNA RCF
        0   -   LF  -
        0   0   LF  CF
        0   L   LF  CF
        0   C   LF  RC
        0   LC  LF  LIA
        L   -   RA  -
        L   0   RA  CF
        L   L   RA  CF
        L   C   RA  RCO
        L   LC  RA  LIA
        B   -   LF  -
        B   0   LF  CF
        B   L   LF  CF
        B   C   LF  RC
        B   LC  LF  LIA
        C   -   LF  -
        C   0   LF  CF
        C   L   LF  CF
        C   C   LF  RC
        C   LC  LF  LIA
        LB  -   BWC -
        LB  0   BWC CF
        LB  L   BWC CF
        LB  C   BWC RC
        LB  LC  BWC LIA
        LC  -   NIC -
        LC  0   NCC CF
        LC  L   NCC CF
        LC  C   RA  RCO
        LC  LC  RA  LIA
        BC  -   LF  -
        BC  0   LF  CF
        BC  L   LF  CF
        BC  C   LF  RC
        BC  LC  LF  LIA
        LBC -   NIC -
        LBC 0   NCC CF
        LBC L   NCC CF
        LBC C   RA  RCO
        LBC LC  RA  LIA
    ";

    fn short(reason: Reason) -> &'static str {
        match reason {
            Reason::LaunchFalse => "LF",
            Reason::BuildWithoutCache => "BWC",
            Reason::NotInCache => "NIC",
            Reason::NotCachedInCache => "NCC",
            Reason::RestoredFromApp => "RA",
            Reason::CacheFalse => "CF",
            Reason::LaunchInApp => "LIA",
            Reason::LaunchNotInApp => "LNA",
            Reason::RestoredFromCacheLaunchFallback => "RCF",
            Reason::RestoredFromCacheOverApp => "RCO",
            Reason::RestoredFromCache => "RC",
            other => panic!("{other:?} is not in the table"),
        }
    }

    fn every_side() -> Vec<Option<Flags>> {
        let flags = (0..8).map(|bits| Flags {
            launch: bits & 1 != 0,
            build: bits & 2 != 0,
            cache: bits & 4 != 0,
        });
        [None].into_iter().chain(flags.map(Some)).collect()
    }

    fn name(side: Option<Flags>, with_build: bool) -> String {
        let Some(flags) = side else {
            return "-".to_owned();
        };
        let letters = [
            (flags.launch, "L"),
            (flags.build && with_build, "B"),
            (flags.cache, "C"),
        ];
        let text: String = letters
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, l)| *l)
            .collect();
        if text.is_empty() {
            "0".to_owned()
        } else {
            text
        }
    }

    #[test]
    fn every_combination_of_flags_is_in_the_table() {
        let mut rows = BTreeMap::new();
        for line in TABLE.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<_> = line.split_whitespace().collect();
            rows.insert((words[0], words[1]), words[2..].to_vec());
        }
        assert_eq!(rows.len(), 44);
        let mut combinations = 0;
        for app in every_side() {
            for cache in every_side() {
                if app.is_none() && cache.is_none() {
                    continue;
                }
                combinations += 1;
                let key = (name(app, true), name(cache, false));
                let row = &rows[&(key.0.as_str(), key.1.as_str())];
                let app_reason = app.map(|flags| decide_app(flags, cache));
                assert_eq!(app_reason.map_or("-", short), row[0], "{key:?}");
                let side = match app_reason {
                    None => AppSide::Absent,
                    Some(reason) if restores(reason) => AppSide::Restored,
                    Some(_) => AppSide::Present,
                };
                for (fallback, want) in [(false, row[1]), (true, row[row.len() - 1])] {
                    let reason = cache.map(|flags| decide_cache(flags, side, fallback));
                    assert_eq!(reason.map_or("-", short), want, "{key:?} {fallback}");
                }
            }
        }
        assert_eq!(combinations, 80);
    }
}
