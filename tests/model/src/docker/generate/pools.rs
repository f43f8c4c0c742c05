//! What random cases are made of: few values each, so that near misses and hits
//! are frequent.

use layerwise::oci::Platform;

/// Members of a container config with the texts they may have.
pub const CONFIG: &[(&str, &[&str])] = &[
    ("User", &[r#""u""#, r#""U""#, r#""""#, "null"]),
    ("AttachStdin", &["true", "false"]),
    ("AttachStdout", &["true", "false"]),
    ("AttachStderr", &["true", "false"]),
    ("ExposedPorts", PORTS),
    ("Tty", &["true", "false"]),
    ("OpenStdin", &["true", "null"]),
    ("StdinOnce", &["true", "false"]),
    ("Env", STRINGS),
    ("Healthcheck", HEALTHCHECKS),
    ("ArgsEscaped", &["true", "false"]),
    (
        "Volumes",
        &[
            "null",
            "{}",
            r#"{"/a":{}}"#,
            r#"{"/a":null}"#,
            r#"{"/b":{"x":1}}"#,
            r#"{"/a":{},"/b":{}}"#,
        ],
    ),
    ("WorkingDir", &[r#""/w""#, r#""/""#, r#""""#]),
    ("Entrypoint", STRINGS),
    ("NetworkDisabled", &["true", "false"]),
    ("OnBuild", STRINGS),
    ("Labels", LABELS),
    ("StopSignal", &[r#""9""#, r#""KILL""#]),
    ("StopTimeout", &["null", "0", "1", "-9223372036854775808"]),
    ("Shell", STRINGS),
    ("Hostname", &[r#""h""#]),
    ("Domainname", &[r#""d""#]),
    ("Image", &[r#""i""#, r#""j""#]),
    ("MacAddress", &[r#""m""#, "1"]),
    ("user", &[r#""u""#]),
    ("\u{17f}hell", STRINGS),
];

/// How many of [`CONFIG`] take part in the comparison.
pub const COMPARED: usize = 20;

const STRINGS: &[&str] = &[
    "null",
    "[]",
    r#"["a"]"#,
    r#"["a","b"]"#,
    r#"["b","a"]"#,
    r#"[""]"#,
    "[null]",
    r#"["<\u2028\ud800\u007f>"]"#,
];

const PORTS: &[&str] = &[
    "null",
    "{}",
    r#"{"80":{}}"#,
    r#"{"80/tcp":{}}"#,
    r#"{"080/TCP":null}"#,
    r#"{"80/":{},"80/tcp":{}}"#,
    r#"{"80/udp":{}}"#,
    r#"{"":{}}"#,
    r#"{"100/tcp":{},"80/tcp":{}}"#,
];

const LABELS: &[&str] = &[
    "null",
    "{}",
    r#"{"k":""}"#,
    r#"{"j":""}"#,
    r#"{"k":null}"#,
    r#"{"k":"v"}"#,
    r#"{"j":"v"}"#,
    r#"{"k":"v","j":""}"#,
    r#"{"k":"v","i":"v"}"#,
    r#"{"k":"w","k":"v"}"#,
];

const HEALTHCHECKS: &[&str] = &[
    "null",
    "{}",
    r#"{"Test":[]}"#,
    r#"{"Test":["a"]}"#,
    r#"{"Interval":1}"#,
    r#"{"Timeout":1}"#,
    r#"{"StartPeriod":1}"#,
    r#"{"StartInterval":1}"#,
    r#"{"Retries":1}"#,
    r#"{"retries":1,"Test":null}"#,
];

/// `Cmd` lists with the text of the history entry they make.
pub const COMMANDS: &[(&str, &str)] = &[
    (r#"["a b","c"]"#, "a b c"),
    (r#"["a","b c"]"#, "a b c"),
    (r#"["x"]"#, "x"),
    (
        r##"["/bin/sh","-c","#(nop) ","CMD <é>&\u0001"]"##,
        "/bin/sh -c #(nop)  CMD <é>&\u{1}",
    ),
    (r#"["x",""]"#, "x "),
    ("null", ""),
    ("[]", ""),
    (r#"[""]"#, ""),
];

/// Times that can be read, as JSON; the last cannot be written.
pub const TIMES: &[&str] = &[
    r#""2024-01-01T00:00:00Z""#,
    r#""2024-01-02T00:00:00Z""#,
    "null",
    r#""2024-01-01T00:00:00+00:00""#,
    r#""2024-01-01T00:00:00-00:00""#,
    r#""2024-01-01T01:00:00+01:00""#,
    r#""2024-01-01T02:00:00+02:00""#,
    r#""2024-01-01T02:00:00+01:60""#,
    r#""2024-01-01T0:00:00.100Z""#,
    r#""2024-01-01T00:00:00,1Z""#,
    r#""2024-01-01T00:00:00.1000000009Z""#,
    r#""1969-12-31T23:59:59.999999999-07:30""#,
    r#""2024-01-01T00:00:00+24:00""#,
];

/// Layers; the first is written down as an entry without one.
pub const LAYERS: &[&str] = &["", "sha256:a", "sha256:b", "sha256:c", "not a digest"];

/// Whole members that make a document invalid.
pub const BROKEN: &[&str] = &[
    r#""rootfs":null"#,
    r#""rootfs":[]"#,
    r#""created":"2024-02-30T00:00:00Z""#,
    r#""created":1"#,
    r#""Size":1.5"#,
    r#""Size":9223372036854775808"#,
    r#""history":{}"#,
    r#""history":["a"]"#,
    r#""os":1"#,
    r#""os.features":"x""#,
    r#""container_config":{"ExposedPorts":{"80-81/tcp":{}}}"#,
    r#""container_config":{"ExposedPorts":{"65536":{}}}"#,
    r#""container_config":{"Cmd":"a"}"#,
    r#""config":{"Volumes":{"/a":1}}"#,
    r#""config":{"Labels":[]}"#,
    r#""x":"#,
];

/// Members that may be added to a document and leave it valid.
pub const ADDED: &[&str] = &[
    r#""x":{"os":[1e9,{"deep":null}]}"#,
    r#""os":null"#,
    r#""OS":null,"author":null"#,
    r#""author":"me""#,
    r#""Author":"you""#,
    r#""config":{"Env":["a"]},"config":null"#,
    r#""config":{"Env":["a"]}"#,
    r#""rootfs":{}"#,
    r#""rootfs":{"Type":"other"}"#,
    r#""Rootfs":{"diff_ids":null}"#,
    r#""container_config":null"#,
    r#""container_config":{"Labels":{"z":""}}"#,
    r#""Container_Config":{"labels":null,"env":null}"#,
    r#""comment":"c","docker_version":"1","container":"x","id":"y","parent":"z","Size":7"#,
    r#""history":null"#,
];

/// Platforms; the first is the usual one.
pub const PLATFORMS: &[(&str, &str, &str)] = &[
    ("linux", "amd64", ""),
    ("linux", "x86_64", "v1"),
    ("Linux", "AMD64", "V2"),
    ("linux", "amd64", "v3"),
    ("linux", "amd64", "2"),
    ("linux", "amd64", "v03"),
    ("linux", "i386", "x"),
    ("linux", "386", ""),
    ("", "amd64", ""),
    ("", "", ""),
    ("", "", "v7"),
    ("linux", "", ""),
    ("linux", "arm", ""),
    ("linux", "arm", "6"),
    ("linux", "armel", "v7"),
    ("linux", "armhf", "v5"),
    ("linux", "arm", "v8"),
    ("linux", "arm64", ""),
    ("linux", "aarch64", "v8"),
    ("linux", "arm64", "8.0"),
    ("linux", "arm64", "v8.2"),
    ("linux", "arm64", "v9"),
    ("linux", "arm64", "v9.2"),
    ("linux", "arm64", "v10"),
    ("linux", "s390x", ""),
    ("macOS", "arm64", ""),
    ("darwin", "arm64", ""),
    ("w\u{130}ndows", "amd64", ""),
    ("windows", "amd64", ""),
    ("Windows", "amd64", ""),
];

/// Versions of Windows.
pub const VERSIONS: &[&str] = &[
    "",
    "10.0.17763.1",
    "10.0.17763",
    "10.0.20348",
    "10.0.26100.5",
    "10.0.20347",
    "10.0",
    "10.0.+1",
    "010.000.20348",
    "6.1.7601",
    "256.0.1",
];

/// Lists of features.
pub const FEATURES: &[&[&str]] = &[
    &[],
    &["win32k"],
    &["win32k", "win32k"],
    &["b", "a"],
    &["a"],
    &["win32k", "a"],
];

/// The platform of three places in the pools.
pub fn platform(name: usize, version: usize, features: usize) -> Platform {
    let (os, architecture, variant) = pick(PLATFORMS, name);
    Platform {
        os: os.to_owned(),
        architecture: architecture.to_owned(),
        variant: variant.to_owned(),
        os_version: pick(VERSIONS, version).to_owned(),
        os_features: pick(FEATURES, features)
            .iter()
            .map(|f| (*f).to_owned())
            .collect(),
    }
}

/// An element of a pool, counted round and round.
pub fn pick<T: Copy + Default>(pool: &[T], index: usize) -> T {
    index
        .checked_rem(pool.len())
        .and_then(|index| pool.get(index).copied())
        .unwrap_or_default()
}
