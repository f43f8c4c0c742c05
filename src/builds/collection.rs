//! Whether a daemon's garbage collection can have taken a result, by what the daemon is
//! configured with (Builds spec, section 6.8).

use serde_json::{Map, Value};

use super::read::status::Nanoseconds;
use super::reason::{Finding, Reason};
use crate::explain::Difference;
use crate::prelude::*;

/// What a configuration says of garbage collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collection {
    /// Where it is switched off.
    off: Vec<String>,
    policies: Vec<Policy>,
}

/// A policy by which it takes results of steps.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Policy {
    /// Where it stands, such as `worker.oci.gcpolicy[1]`.
    path: String,
    /// What it says, in the words of the configuration.
    text: String,
    /// It takes only what was not used for so long.
    unused: Option<Nanoseconds>,
}

impl Collection {
    /// Reads a configuration: `buildkitd.toml` as JSON, or the `daemon.json` of Docker. What
    /// says nothing of garbage collection lets it do anything.
    pub fn of(configuration: &Value) -> Self {
        let mut collection = Self::default();
        for worker in ["oci", "containerd"] {
            let path = format!("worker.{worker}");
            if let Some(table) = table(configuration, &["worker", worker])
                && flag(table, "enabled") != Some(false)
            {
                collection.add(&path, table, flag(table, "gc"), ("gcpolicy", "filters"));
            }
        }
        if let Some(table) = table(configuration, &["builder", "gc"]) {
            let on = flag(table, "enabled");
            collection.add("builder.gc", table, on, ("policy", "filter"));
        }
        collection
    }

    fn add(
        &mut self,
        path: &str,
        table: &Map<String, Value>,
        on: Option<bool>,
        (policies, filters): (&str, &str),
    ) {
        if on == Some(false) {
            self.off.push(path.to_owned());
            return;
        }
        match member(table, policies).and_then(Value::as_array) {
            Some(all) if !all.is_empty() => {
                let all = all.iter().filter_map(Value::as_object);
                for (number, policy) in all.enumerate() {
                    let path = format!("{path}.{policies}[{number}]");
                    self.policies.extend(Policy::of(path, policy, filters));
                }
            }
            // The last of the policies that there are then takes anything.
            _ => self.policies.push(Policy {
                path: path.to_owned(),
                text: match said(table) {
                    text if text.is_empty() => "the default policies".to_owned(),
                    text => format!("the default policies, with {text}"),
                },
                unused: None,
            }),
        }
    }

    /// Says of a result that is gone whether it can have been taken. `age` is how long
    /// before this build the result was there for sure.
    pub(super) fn judge(&self, finding: Finding, age: Option<Nanoseconds>) -> Finding {
        let told = !self.off.is_empty() || !self.policies.is_empty();
        if finding.code != Reason::ResultLost || !told {
            return finding;
        }
        let young = |policy: &&Policy| match (policy.unused, age) {
            (Some(unused), Some(age)) => unused > age,
            _ => false,
        };
        let off = self.off.iter().map(|path| Difference::fact(path, "off"));
        let fact = |policy: &Policy| Difference::fact(&policy.path, &policy.text);
        let (late, able): (Vec<&Policy>, Vec<&Policy>) = self.policies.iter().partition(young);
        if able.is_empty() {
            let late = late.into_iter().map(fact);
            return Finding {
                code: Reason::ResultPruned,
                ..finding.with(off.chain(late))
            };
        }
        finding.with(able.into_iter().map(fact)).hint(
            "prune less, or raise what these policies of the garbage collection keep, or export \
             the cache",
        )
    }
}

impl Policy {
    /// A policy, unless it only takes what is no result of a step.
    fn of(path: String, policy: &Map<String, Value>, filters: &str) -> Option<Self> {
        let filters = member(policy, filters).and_then(Value::as_array);
        let filters: Vec<&str> = filters
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .flat_map(|text| text.split(','))
            .collect();
        let other = |filter: &&&str| of_type(filter).is_some_and(|kind| kind != "regular");
        let others = filters.iter().filter(other).count();
        let ages = filters
            .iter()
            .filter(|filter| filter.starts_with(UNUSED))
            .count();
        if others > 0 && others.saturating_add(ages) == filters.len() {
            return None;
        }
        let age = filters
            .iter()
            .find_map(|filter| filter.strip_prefix(UNUSED))
            .and_then(duration);
        let kept = member(policy, "keepduration").and_then(|value| match value {
            Value::String(text) => duration(text),
            value => value.as_i64().and_then(seconds),
        });
        Some(Self {
            path,
            text: said(policy),
            unused: kept.or(age).filter(|age| *age > 0),
        })
    }
}

/// The type that a filter asks for, `type==KIND`.
fn of_type(filter: &str) -> Option<&str> {
    let kind = filter.trim().strip_prefix("type")?;
    Some(
        kind.strip_prefix("==")
            .or_else(|| kind.strip_prefix('='))?
            .trim_matches('"'),
    )
}

/// What a table says of garbage collection, as `NAME=VALUE`.
fn said(table: &Map<String, Value>) -> String {
    let members = table.iter();
    let members = members.filter(|(name, value)| {
        GC.iter().any(|one| name.eq_ignore_ascii_case(one)) && !value.is_object()
    });
    let texts: Vec<String> = members
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            value => format!("{name}={value}"),
        })
        .collect();
    texts.join(" ")
}

/// A filter that Docker has in place of `keepDuration`.
const UNUSED: &str = "unused-for=";

/// The members that are about garbage collection.
const GC: [&str; 14] = [
    "all",
    "defaultKeepStorage",
    "defaultMaxUsedSpace",
    "defaultMinFreeSpace",
    "defaultReservedSpace",
    "filter",
    "filters",
    "gckeepstorage",
    "keepBytes",
    "keepDuration",
    "keepStorage",
    "maxUsedSpace",
    "minFreeSpace",
    "reservedSpace",
];

/// A table inside another, by the names on the way.
fn table<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Map<String, Value>> {
    let mut table = value.as_object()?;
    for name in path {
        table = member(table, name)?.as_object()?;
    }
    Some(table)
}

/// A member, whose name Go's readers take in any case.
fn member<'a>(table: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let mut members = table.iter();
    let found = members.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

fn flag(table: &Map<String, Value>, name: &str) -> Option<bool> {
    member(table, name)?.as_bool()
}

fn seconds(count: i64) -> Option<Nanoseconds> {
    count.checked_mul(1_000_000_000)
}

/// A span of time as Go writes it, such as `1h30m`, or a number of seconds.
fn duration(text: &str) -> Option<Nanoseconds> {
    let mut rest = text.trim();
    if let Ok(count) = rest.parse() {
        return seconds(count);
    }
    let mut sum: Nanoseconds = 0;
    while !rest.is_empty() {
        let digits = rest.find(|one: char| !one.is_ascii_digit())?;
        let (count, after) = rest.split_at_checked(digits)?;
        let count: Nanoseconds = count.parse().ok()?;
        let units = [
            ("ns", 1),
            ("us", 1_000),
            ("ms", 1_000_000),
            ("s", 1_000_000_000),
            ("m", 60_000_000_000),
            ("h", 3_600_000_000_000),
        ];
        let (unit, length) = units.iter().find(|(unit, _)| after.starts_with(unit))?;
        sum = sum.checked_add(count.checked_mul(*length)?)?;
        rest = after.strip_prefix(unit)?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOUR: Nanoseconds = 3_600_000_000_000;

    fn judged(configuration: &Value, age: Option<Nanoseconds>) -> Finding {
        let lost = Finding::new(Reason::ResultLost, "RUN make");
        Collection::of(configuration).judge(lost, age)
    }

    fn facts(finding: &Finding) -> Vec<(&str, &str)> {
        let facts = finding.differences.iter();
        facts
            .map(|fact| (fact.path.as_str(), fact.have.as_deref().unwrap()))
            .collect()
    }

    #[test]
    fn what_is_off_took_nothing() {
        let both = json!({"worker": {"oci": {"gc": false}, "containerd": {"enabled": false}}});
        let finding = judged(&both, None);
        assert_eq!(finding.code, Reason::ResultPruned);
        assert_eq!(facts(&finding), [("worker.oci", "off")]);
        let docker = judged(&json!({"builder": {"GC": {"Enabled": false}}}), None);
        assert_eq!(docker.code, Reason::ResultPruned);
        // Another worker may have had it.
        let one = json!({"worker": {"oci": {"gc": false}, "containerd": {}}});
        let finding = judged(&one, None);
        assert_eq!(finding.code, Reason::ResultLost);
        assert_eq!(
            facts(&finding),
            [("worker.containerd", "the default policies")]
        );
    }

    #[test]
    fn policies_take_what_is_old_enough_and_of_their_type() {
        let configuration = json!({"worker": {"oci": {"gcpolicy": [
            {"keepDuration": "48h", "filters": ["type==source.local", "type==exec.cachemount"]},
            {"keepDuration": 172_800, "reservedSpace": "1GB"},
            {"keepDuration": "100h", "all": true},
        ]}}});
        let young = judged(&configuration, Some(47 * HOUR));
        assert_eq!(young.code, Reason::ResultPruned);
        assert_eq!(
            facts(&young),
            [
                (
                    "worker.oci.gcpolicy[1]",
                    "keepDuration=172800 reservedSpace=1GB"
                ),
                ("worker.oci.gcpolicy[2]", "all=true keepDuration=100h"),
            ]
        );
        let older = judged(&configuration, Some(48 * HOUR));
        assert_eq!(older.code, Reason::ResultLost);
        assert_eq!(facts(&older).len(), 1);
        assert!(older.hint.is_some());
        assert_eq!(facts(&judged(&configuration, None)).len(), 2);
        let docker = json!({"builder": {"gc": {"enabled": true, "policy": [
            {"keepStorage": "10GB", "filter": ["unused-for=2200h"]},
        ]}}});
        assert_eq!(
            judged(&docker, Some(2199 * HOUR)).code,
            Reason::ResultPruned
        );
        assert_eq!(judged(&docker, Some(2200 * HOUR)).code, Reason::ResultLost);
    }

    #[test]
    fn what_says_nothing_changes_nothing() {
        let lost = Finding::new(Reason::ResultLost, "RUN make");
        for configuration in [json!(null), json!({}), json!({"builder": 1}), json!([])] {
            assert_eq!(judged(&configuration, None), lost);
        }
        let off = Collection::of(&json!({"builder": {"gc": {"enabled": false}}}));
        let other = Finding::new(Reason::NoCache, "RUN make");
        assert_eq!(off.judge(other.clone(), None), other);
    }

    #[test]
    fn spans_of_time() {
        assert_eq!(duration("1h30m"), Some(HOUR + HOUR / 2));
        assert_eq!(duration("1h0m0.5s"), None);
        assert_eq!(duration(" 60 "), Some(HOUR / 60));
        assert_eq!(duration("2ms3us4ns"), Some(2_003_004));
        for text in ["h", "1", "1d", "99999999999h", "1h-1m", "é", "1é"] {
            assert!(duration(text).is_none_or(|_| text == "1"), "{text}");
        }
    }
}
