//! Config equality: what decides whether a child is the result of a step
//! (Docker spec, section 5.1).

use core::fmt::Write as _;

use sha2::Digest as _;

use super::config::{ContainerConfig, Healthcheck, list};
use super::version::Compared;
use crate::explain::Difference;
use crate::go_json::Ignored;
use crate::prelude::*;

/// How labels are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// A label that is missing on the requested side counts as an empty one
    /// (hazard H10).
    MissingIsEmpty,
    /// Exactly.
    Exact,
}

/// What stands for a config in comparisons, so that it need not be kept: equal
/// configs have equal keys, and different ones do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// SHA-256 over every compared field but the labels, each framed.
    rest: [u8; 32],
    /// SHA-256 over the labels, framed; none without labels.
    labels: Option<[u8; 32]>,
    /// The labels themselves, where one is empty: only then can a different
    /// set be equal.
    empty: Option<BTreeMap<String, String>>,
    /// Early rules never call a config with `OpenStdin` equal to anything.
    never: bool,
}

/// Two configs compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Whether the rules call them equal.
    pub equal: bool,
    /// Every compared field that differs, in the order of the spec's table.
    pub differences: Vec<Difference>,
    /// Labels that differ although the rules call them equal.
    pub overlooked: Vec<Difference>,
}

impl Key {
    /// The key of a config.
    pub fn of(config: &ContainerConfig, compared: Compared) -> Self {
        let labels = config.labels.as_ref().filter(|labels| !labels.is_empty());
        let digest = |labels: &BTreeMap<String, String>| {
            let mut framed = Frames::new("layerwise/docker/config-labels/1");
            for (key, value) in labels {
                framed.text(key);
                framed.text(value);
            }
            framed.finish()
        };
        Self {
            rest: digest_rest(config, compared),
            labels: labels.map(digest),
            empty: labels.filter(has_empty).cloned(),
            never: compared == Compared::Early && config.open_stdin,
        }
    }

    /// What equal configs share: everything but their labels, digested.
    pub const fn rest(&self) -> &[u8; 32] {
        &self.rest
    }

    /// How many bytes of labels the key of a config keeps, about.
    pub fn held(config: &ContainerConfig) -> usize {
        /// What a label costs beside its texts.
        const LABEL: usize = 64;
        let labels = config.labels.iter().filter(has_empty).flatten();
        labels
            .map(|(key, value)| LABEL + key.len() + value.len())
            .sum()
    }

    /// Whether an image with this key is the result of a request.
    pub fn answers(
        &self,
        request: &Self,
        wanted: Option<&BTreeMap<String, String>>,
        labels: Labels,
    ) -> bool {
        if self.never || request.never || self.rest != request.rest {
            return false;
        }
        match (&self.empty, labels) {
            (Some(have), Labels::MissingIsEmpty) => {
                labels_equal(have, wanted.unwrap_or(&BTreeMap::new()))
            }
            _ => self.labels == request.labels,
        }
    }

    /// Whether it answers only because missing labels count as empty.
    pub fn overlooks(&self, request: &Self) -> bool {
        self.labels != request.labels
    }
}

fn has_empty(labels: &&BTreeMap<String, String>) -> bool {
    labels.values().any(String::is_empty)
}

/// The quirk: same size, and each of `have` is in `want`, where a missing one
/// is empty. Not symmetric.
fn labels_equal(have: &BTreeMap<String, String>, want: &BTreeMap<String, String>) -> bool {
    have.len() == want.len()
        && have
            .iter()
            .all(|(key, value)| want.get(key).map_or("", String::as_str) == value)
}

/// Compares an image's container config with a requested one and lists every
/// difference. Costs more than keys do; explanations use it.
pub fn compare(
    have: Option<&ContainerConfig>,
    want: Option<&ContainerConfig>,
    compared: Compared,
    labels: Labels,
) -> Comparison {
    let (Some(have), Some(want)) = (have, want) else {
        let presence = |config: Option<&ContainerConfig>| {
            Some(
                if config.is_some() {
                    "present"
                } else {
                    "absent"
                }
                .to_owned(),
            )
        };
        return Comparison {
            equal: false,
            differences: vec![Difference::new("config", presence(have), presence(want))],
            overlooked: Vec::new(),
        };
    };
    let mut found = Comparison::default();
    let all = compared == Compared::All;
    // Every field is named, so that a new one does not compile until it is
    // decided whether it is compared.
    let ContainerConfig {
        hostname: _,
        domainname: _,
        user,
        attach_stdin,
        attach_stdout,
        attach_stderr,
        exposed_ports,
        tty,
        open_stdin,
        stdin_once,
        env,
        cmd,
        healthcheck,
        args_escaped,
        image: _,
        volumes,
        working_dir,
        entrypoint,
        network_disabled,
        mac_address: _,
        on_build,
        labels: have_labels,
        stop_signal,
        stop_timeout,
        shell,
    } = have;
    let list_of = &mut found.differences;
    text(list_of, "User", user, &want.user);
    if all {
        flag(list_of, "AttachStdin", *attach_stdin, want.attach_stdin);
    }
    flag(list_of, "AttachStdout", *attach_stdout, want.attach_stdout);
    flag(list_of, "AttachStderr", *attach_stderr, want.attach_stderr);
    keys(
        list_of,
        "ExposedPorts",
        exposed_ports.as_ref().map(|ports| &ports.0),
        want.exposed_ports.as_ref().map(|ports| &ports.0),
    );
    flag(list_of, "Tty", *tty, want.tty);
    if all {
        flag(list_of, "OpenStdin", *open_stdin, want.open_stdin);
        flag(list_of, "StdinOnce", *stdin_once, want.stdin_once);
    } else if *open_stdin || want.open_stdin {
        list_of.push(Difference::new(
            "OpenStdin",
            open_stdin.to_string(),
            want.open_stdin.to_string(),
        ));
    }
    words(list_of, "Env", env.as_deref(), want.env.as_deref());
    words(list_of, "Cmd", list(cmd), list(&want.cmd));
    if all {
        health(list_of, healthcheck.as_ref(), want.healthcheck.as_ref());
        flag(list_of, "ArgsEscaped", *args_escaped, want.args_escaped);
    }
    keys(list_of, "Volumes", volumes.as_ref(), want.volumes.as_ref());
    if all {
        text(list_of, "WorkingDir", working_dir, &want.working_dir);
    }
    words(
        list_of,
        "Entrypoint",
        list(entrypoint),
        list(&want.entrypoint),
    );
    if all {
        flag(
            list_of,
            "NetworkDisabled",
            *network_disabled,
            want.network_disabled,
        );
        words(
            list_of,
            "OnBuild",
            on_build.as_deref(),
            want.on_build.as_deref(),
        );
    }
    let none = BTreeMap::new();
    let have_labels = have_labels.as_ref().unwrap_or(&none);
    let want_labels = want.labels.as_ref().unwrap_or(&none);
    let differing = label_differences(have_labels, want_labels);
    if labels == Labels::MissingIsEmpty && labels_equal(have_labels, want_labels) {
        found.overlooked = differing;
    } else {
        list_of.extend(differing);
    }
    if all {
        text(list_of, "StopSignal", stop_signal, &want.stop_signal);
        if *stop_timeout != want.stop_timeout {
            let show = |seconds: Option<i64>| seconds.map(|s| s.to_string());
            list_of.push(Difference::new(
                "StopTimeout",
                show(*stop_timeout),
                show(want.stop_timeout),
            ));
        }
        words(list_of, "Shell", list(shell), list(&want.shell));
    }
    found.equal = found.differences.is_empty();
    found
}

fn text(out: &mut Vec<Difference>, path: &str, have: &str, want: &str) {
    if have != want {
        out.push(Difference::new(path, have.to_owned(), want.to_owned()));
    }
}

fn flag(out: &mut Vec<Difference>, path: &str, have: bool, want: bool) {
    if have != want {
        out.push(Difference::new(path, have.to_string(), want.to_string()));
    }
}

/// Lists: the first element that differs, or the lengths.
fn words(out: &mut Vec<Difference>, path: &str, have: Option<&[String]>, want: Option<&[String]>) {
    let (have, want) = (have.unwrap_or_default(), want.unwrap_or_default());
    if have == want {
        return;
    }
    let index = have.iter().zip(want).take_while(|(a, b)| a == b).count();
    out.push(Difference::new(
        format!("{path}[{index}]"),
        have.get(index).cloned(),
        want.get(index).cloned(),
    ));
}

/// Sets: every key that only one side has.
fn keys(
    out: &mut Vec<Difference>,
    path: &str,
    have: Option<&BTreeMap<String, Ignored>>,
    want: Option<&BTreeMap<String, Ignored>>,
) {
    let none = BTreeMap::new();
    let (have, want) = (have.unwrap_or(&none), want.unwrap_or(&none));
    for key in have.keys().filter(|key| !want.contains_key(*key)) {
        out.push(Difference::new(member(path, key), key.clone(), None));
    }
    for key in want.keys().filter(|key| !have.contains_key(*key)) {
        out.push(Difference::new(member(path, key), None, key.clone()));
    }
}

fn label_differences(
    have: &BTreeMap<String, String>,
    want: &BTreeMap<String, String>,
) -> Vec<Difference> {
    let mut out = Vec::new();
    for (key, value) in have {
        if want.get(key) != Some(value) {
            out.push(Difference::new(
                member("Labels", key),
                value.clone(),
                want.get(key).cloned(),
            ));
        }
    }
    for (key, value) in want.iter().filter(|(key, _)| !have.contains_key(*key)) {
        out.push(Difference::new(member("Labels", key), None, value.clone()));
    }
    out
}

fn member(path: &str, key: &str) -> String {
    let mut text = path.to_owned();
    let _ = write!(text, "[{key:?}]");
    text
}

fn health(out: &mut Vec<Difference>, have: Option<&Healthcheck>, want: Option<&Healthcheck>) {
    let (have, want) = match (have, want) {
        (None, None) => return,
        (Some(have), Some(want)) => (have, want),
        (have, want) => {
            let presence = |side: Option<&Healthcheck>| side.map(|_| "present".to_owned());
            out.push(Difference::new(
                "Healthcheck",
                presence(have),
                presence(want),
            ));
            return;
        }
    };
    let Healthcheck {
        test,
        interval,
        timeout,
        start_period,
        start_interval,
        retries,
    } = have;
    words(
        out,
        "Healthcheck.Test",
        test.as_deref(),
        want.test.as_deref(),
    );
    for (path, have, want) in [
        ("Healthcheck.Interval", interval, want.interval),
        ("Healthcheck.Timeout", timeout, want.timeout),
        ("Healthcheck.StartPeriod", start_period, want.start_period),
        (
            "Healthcheck.StartInterval",
            start_interval,
            want.start_interval,
        ),
        ("Healthcheck.Retries", retries, want.retries),
    ] {
        if *have != want {
            out.push(Difference::new(path, have.to_string(), want.to_string()));
        }
    }
}

fn digest_rest(config: &ContainerConfig, compared: Compared) -> [u8; 32] {
    let ContainerConfig {
        hostname: _,
        domainname: _,
        user,
        attach_stdin,
        attach_stdout,
        attach_stderr,
        exposed_ports,
        tty,
        open_stdin,
        stdin_once,
        env,
        cmd,
        healthcheck,
        args_escaped,
        image: _,
        volumes,
        working_dir,
        entrypoint,
        network_disabled,
        mac_address: _,
        on_build,
        labels: _,
        stop_signal,
        stop_timeout,
        shell,
    } = config;
    let mut f = Frames::new("layerwise/docker/config/1");
    f.text(user);
    f.flags(&[*attach_stdout, *attach_stderr, *tty]);
    f.keys(exposed_ports.as_ref().map(|ports| &ports.0));
    f.words(env.as_deref());
    f.words(list(cmd));
    f.keys(volumes.as_ref());
    f.words(list(entrypoint));
    if compared == Compared::Early {
        return f.finish();
    }
    f.flags(&[
        *attach_stdin,
        *open_stdin,
        *stdin_once,
        *args_escaped,
        *network_disabled,
        healthcheck.is_some(),
        stop_timeout.is_some(),
    ]);
    if let Some(Healthcheck {
        test,
        interval,
        timeout,
        start_period,
        start_interval,
        retries,
    }) = healthcheck
    {
        f.words(test.as_deref());
        for number in [interval, timeout, start_period, start_interval, retries] {
            f.number(*number);
        }
    }
    f.text(working_dir);
    f.words(on_build.as_deref());
    f.text(stop_signal);
    f.number(stop_timeout.unwrap_or_default());
    f.words(list(shell));
    f.finish()
}

/// SHA-256 over parts that are each preceded by their length, so that
/// different parts never give the same bytes (threat T4).
pub struct Frames(Vec<u8>);

impl Frames {
    /// Starts with a domain, which names what is hashed and its version.
    pub fn new(domain: &str) -> Self {
        let mut frames = Self(Vec::with_capacity(256));
        frames.text(domain);
        frames
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        self.number(i64::try_from(text.len()).unwrap_or(i64::MAX));
        self.0.extend_from_slice(text.as_bytes());
    }

    /// An integer.
    pub fn number(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// Some flags, always the same number of them.
    pub fn flags(&mut self, flags: &[bool]) {
        self.0.extend(flags.iter().map(|flag| u8::from(*flag)));
    }

    /// A fixed number of bytes.
    pub fn bytes(&mut self, bytes: &[u8; 32]) {
        self.0.extend_from_slice(bytes);
    }

    fn words(&mut self, words: Option<&[String]>) {
        let words = words.unwrap_or_default();
        self.number(i64::try_from(words.len()).unwrap_or(i64::MAX));
        words.iter().for_each(|word| self.text(word));
    }

    fn keys(&mut self, keys: Option<&BTreeMap<String, Ignored>>) {
        let count = keys.map_or(0, BTreeMap::len);
        self.number(i64::try_from(count).unwrap_or(i64::MAX));
        keys.into_iter()
            .flatten()
            .for_each(|(key, _)| self.text(key));
    }

    /// The digest.
    pub fn finish(self) -> [u8; 32] {
        sha2::Sha256::digest(&self.0).into()
    }
}
