//! The hostile archives of `tests/vectors/hostile-archives`, whose `FORMAT.md`
//! says what a case is: each has its verdict, and none is expensive.

#[cfg(test)]
mod support;

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::env;
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use layerwise::base64;
    use layerwise::host::{Failure, Retrieved};
    use layerwise::oci::sha256;
    use layerwise_registry::{Limit, Limits, Options, SetId};
    use serde::Deserialize;

    use super::support::*;

    /// Which case the process that is measured runs.
    const CASE: &str = "LAYERWISE_TEST_CASE";
    /// What no case may cost.
    const MOST_CPU: u64 = 2_000;
    const MOST_MEMORY: u64 = 256 << 10;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Set {
        format: String,
        prefix: String,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        #[serde(rename = "what")]
        _what: String,
        file: String,
        #[serde(default)]
        limits: BTreeMap<String, u64>,
        #[serde(default)]
        set_id: Bits,
        refused: Option<Refusal>,
        unpacked: Option<Vec<Node>>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Refusal {
        codes: Vec<String>,
        limit: Option<String>,
    }

    #[derive(Clone, Copy, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "kebab-case")]
    enum Bits {
        #[default]
        Dropped,
        AsWritten,
        Kept,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Node {
        path: Option<String>,
        path_b64: Option<String>,
        #[serde(rename = "type")]
        kind: String,
        mode: Option<String>,
        size: Option<u64>,
        sha256: Option<String>,
        hard_link_to: Option<String>,
        target: Option<String>,
    }

    impl Node {
        fn path(&self) -> PathBuf {
            match (&self.path, &self.path_b64) {
                (Some(path), _) => PathBuf::from(path),
                (None, Some(bytes)) => {
                    let bytes = base64::decode(bytes).unwrap();
                    std::ffi::OsString::from_vec(bytes).into()
                }
                (None, None) => panic!("an entry without a path"),
            }
        }
    }

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors/hostile-archives")
    }

    fn set() -> Set {
        let packed = fs::read(folder().join("cases.json.gz")).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed.as_slice())
            .read_to_string(&mut text)
            .unwrap();
        let set: Set = serde_json::from_str(&text).unwrap();
        assert_eq!(set.format, "hostile-archives/1");
        set
    }

    impl Case {
        fn options(&self) -> Options {
            let limits = self
                .limits
                .iter()
                .fold(Limits::default(), |limits, (name, value)| {
                    let limit: Limit = name.parse().unwrap();
                    limits.with(limit, *value)
                });
            options().limits(limits).set_id(match self.set_id {
                Bits::Dropped => SetId::Dropped,
                Bits::AsWritten => SetId::AsWritten,
                Bits::Kept => SetId::Kept,
            })
        }

        /// Unpacks into a fresh root.
        fn unpack(&self, dir: &Dir, prefix: &str) -> Result<Retrieved, Failure> {
            let layer = fs::read(folder().join(&self.file)).unwrap();
            let ending = self.file.rsplit('.').next().unwrap();
            let wanted = descriptor(
                match ending {
                    "gz" => TAR_GZIP,
                    "zst" => "application/vnd.oci.image.layer.v1.tar+zstd",
                    _ => TAR,
                },
                &layer,
            );
            let blobs = dir.path().join("layout/blobs/sha256");
            write(&blobs.join(&wanted.digest[7..]), &layer);
            write(
                &dir.path().join("layout/oci-layout"),
                r#"{"imageLayoutVersion":"1.0.0"}"#,
            );
            let all = with(dir, self.options());
            let into = Some(("root", prefix));
            retrieve(&all, &dir.layout("layout"), &wanted, None, into)
        }
    }

    fn fresh(dir: Dir) -> Dir {
        fs::create_dir(dir.path().join("root")).unwrap();
        write(&dir.path().join("outside/secret"), "secret");
        dir
    }

    #[test]
    fn every_archive_has_its_verdict() {
        let set = set();
        assert!(set.cases.len() > 100, "{}", set.cases.len());
        for case in &set.cases {
            let dir = fresh(Dir::in_memory());
            let answer = case.unpack(&dir, &set.prefix);
            let name = &case.name;
            let root = dir.path().join("root");
            assert_eq!(
                tree(&dir.path().join("outside")),
                ["secret = secret"],
                "{name}"
            );
            match (&case.refused, &case.unpacked) {
                (Some(refusal), None) => {
                    let failure = answer.expect_err(name);
                    let code = format!("{:?}", failure.code);
                    let codes: Vec<_> = refusal.codes.iter().map(|code| camel(code)).collect();
                    assert!(codes.contains(&code), "{name}: {code}: {failure}");
                    if let Some(limit) = &refusal.limit {
                        assert!(failure.message.contains(limit), "{name}: {failure}");
                    }
                    assert_eq!(tree(&root), [""; 0], "{name}");
                }
                (None, Some(nodes)) => {
                    answer.unwrap_or_else(|failure| panic!("{name}: {failure}"));
                    compare(name, &root, &root.join(&set.prefix), nodes);
                }
                _ => panic!("{name} needs one verdict"),
            }
        }
    }

    fn camel(code: &str) -> String {
        let words = code.split('-');
        words
            .map(|word| word[..1].to_uppercase() + &word[1..])
            .collect()
    }

    fn compare(name: &str, root: &Path, prefix: &Path, nodes: &[Node]) {
        for node in nodes {
            let path = prefix.join(node.path());
            let found = fs::symlink_metadata(&path)
                .unwrap_or_else(|error| panic!("{name}: {path:?}: {error}"));
            let kind = if found.is_dir() {
                "dir"
            } else if found.is_symlink() {
                "link"
            } else {
                "file"
            };
            assert_eq!(kind, node.kind, "{name}: {path:?}");
            if let Some(mode) = &node.mode {
                let mode = u32::from_str_radix(mode, 8).unwrap();
                assert_eq!(
                    found.permissions().mode() & 0o7777,
                    mode,
                    "{name}: {path:?}"
                );
            }
            if let Some(target) = &node.target {
                assert_eq!(fs::read_link(&path).unwrap(), Path::new(target), "{name}");
            }
            if let Some(other) = &node.hard_link_to {
                let other = fs::metadata(prefix.join(other)).unwrap();
                assert_eq!(found.ino(), other.ino(), "{name}: {path:?}");
            }
            if let Some(digest) = &node.sha256 {
                let bytes = fs::read(&path).unwrap();
                assert_eq!(Some(bytes.len() as u64), node.size, "{name}: {path:?}");
                assert_eq!(sha256(&bytes).hex(), digest, "{name}: {path:?}");
            }
            let mut names = vec![0; 4096];
            let length = rustix::fs::llistxattr(&path, &mut names[..]).unwrap_or(0);
            let names = String::from_utf8_lossy(&names[..length]).into_owned();
            assert!(
                !names.contains("trusted.") && !names.contains("security."),
                "{name}: {names}"
            );
        }
        let all = count(root);
        let above = prefix.strip_prefix(root).unwrap().as_os_str().as_bytes();
        let above = above.iter().filter(|byte| **byte == b'/').count();
        let wanted = if nodes.is_empty() {
            0
        } else {
            nodes.len() + above
        };
        assert_eq!(all, wanted, "{name}: something else is there");
    }

    fn count(path: &Path) -> usize {
        let entries = fs::read_dir(path).unwrap().map(Result::unwrap);
        entries
            .map(|entry| match entry.file_type().unwrap().is_dir() {
                true => 1 + count(&entry.path()),
                false => 1,
            })
            .sum()
    }

    /// Run by the next test in a process of its own.
    #[test]
    #[ignore = "needs the case that the next test names"]
    fn one_case() {
        let set = set();
        let name = env::var(CASE).unwrap();
        let before = used();
        let dir = fresh(Dir::in_memory());
        let case = set.cases.iter().find(|case| case.name == name).unwrap();
        let _ = case.unpack(&dir, &set.prefix);
        let (cpu, memory) = used();
        println!("cost {} {memory}", cpu - before.0);
    }

    /// Milliseconds of CPU, and the most KiB of memory so far.
    fn used() -> (u64, u64) {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split(' ').collect();
        let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak
            .unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap();
        // A tick is a hundredth of a second on every Linux.
        ((ticks(12) + ticks(13)) * 10, peak)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn no_archive_is_expensive() {
        for case in set().cases {
            let output = Command::new(env::current_exe().unwrap())
                .args(["--ignored", "--exact", "tests::one_case", "--nocapture"])
                .env(CASE, &case.name)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let cost = said.lines().find_map(|line| line.split_once("cost "));
            let (_, cost) = cost.unwrap_or_else(|| panic!("{}: {said}", case.name));
            let (cpu, memory) = cost.split_once(' ').unwrap();
            let (cpu, memory): (u64, u64) = (cpu.parse().unwrap(), memory.parse().unwrap());
            eprintln!("{}: {cpu} ms, {memory} KiB", case.name);
            assert!(cpu < MOST_CPU, "{}: {cpu} ms", case.name);
            assert!(memory < MOST_MEMORY, "{}: {memory} KiB", case.name);
        }
    }
}
