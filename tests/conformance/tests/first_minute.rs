//! The first command on a machine whose compiler lacks the component's target: the
//! target is installed, or one line says what to run and nothing is compiled.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "the helpers of tests may panic")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const SAID: &str = "error: the component is compiled for wasm32-wasip2, which this compiler \
                    lacks; run: rustup target add wasm32-wasip2";

/// A package with our `.cargo`, a compiler that lacks the target until there is a file
/// `installed`, and a rustup.
struct Machine(PathBuf);

impl Machine {
    fn new(name: &str, rustup: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("first-minute-{name}"));
        let _ = fs::remove_dir_all(&dir);
        for made in ["package/src", "package/.cargo", "bin"] {
            fs::create_dir_all(dir.join(made)).expect("a directory");
        }
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cargo");
        for file in ["config.toml", "rustc"] {
            let to = dir.join("package/.cargo").join(file);
            fs::copy(ours.join(file), to).expect("a copy");
        }
        let write = |name: &str, text: &str| fs::write(dir.join(name), text).expect("a file");
        write(
            "package/Cargo.toml",
            "[package]\nname = \"a\"\nedition = \"2024\"\n[workspace]\n",
        );
        write("package/src/lib.rs", "");
        let real = Command::new("rustc").args(["--print", "sysroot"]).output();
        let real = String::from_utf8(real.expect("a compiler").stdout).expect("text");
        let (real, dir_text) = (real.trim(), dir.display());
        for (name, text) in [
            (
                "bin/rustc",
                format!(
                    "case \"$*\" in *target-libdir*)\n  [ -e '{dir_text}/installed' ] && echo / || \
                     echo /nowhere\n  exit ;;\nesac\nexec '{real}/bin/rustc' \"$@\"\n"
                ),
            ),
            ("bin/rustup", rustup.replace("DIR", &dir_text.to_string())),
        ] {
            write(name, &format!("#!/bin/sh\n{text}"));
            let executable = Permissions::from_mode(0o755);
            fs::set_permissions(dir.join(name), executable).expect("a program");
        }
        Self(dir)
    }

    /// Runs cargo; what it said, and whether it succeeded.
    fn build(&self) -> (bool, String) {
        let path = std::env::var("PATH").expect("a path");
        let begin = Instant::now();
        let run = Command::new(env!("CARGO"))
            .arg("build")
            .current_dir(self.0.join("package"))
            .env("PATH", format!("{}:{path}", self.0.join("bin").display()))
            .env("RUSTC", self.0.join("bin/rustc"))
            .env("RUSTUP_HOME", self.0.join("rustup"))
            .env("CARGO_TARGET_DIR", self.0.join("target"))
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            .env_remove("RUSTFLAGS")
            .output()
            .expect("cargo runs");
        let said = String::from_utf8(run.stderr).expect("text");
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(20), "{took:?}: {said}");
        (run.status.success(), said)
    }

    #[track_caller]
    fn is_told(&self) {
        let (built, said) = self.build();
        assert!(!built, "{said}");
        assert_eq!(said.lines().last().map(str::trim), Some(SAID), "{said}");
        assert!(!said.contains("Compiling"), "{said}");
    }
}

#[test]
fn the_target_is_installed_without_a_word() {
    let machine = Machine::new(
        "installs",
        "echo \"$*\" >> 'DIR/asked'\ntouch 'DIR/installed'\necho chatter >&2\n",
    );
    let (built, said) = machine.build();
    assert!(built && !said.contains("chatter"), "{said}");
    let asked = fs::read_to_string(machine.0.join("asked")).expect("rustup was asked");
    assert_eq!(asked.lines().count(), 1, "{asked}");
    assert!(asked.starts_with("target add --toolchain "), "{asked}");
    assert!(asked.ends_with(" wasm32-wasip2\n"), "{asked}");
}

#[test]
fn without_a_network_one_line_says_what_to_run() {
    let machine = Machine::new("offline", "echo 'no network' >&2\nexit 1\n");
    machine.is_told();
    machine.is_told();
    // Cargo remembers what it was told, but not this.
    fs::write(machine.0.join("installed"), "").expect("a file");
    let (built, said) = machine.build();
    assert!(built, "{said}");
}

#[test]
fn a_network_that_hangs_is_not_waited_for() {
    let machine = Machine::new("hangs", "sleep 60\n");
    let begin = Instant::now();
    machine.is_told();
    // Four seconds of waiting, and what a busy machine adds.
    assert!(begin.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_download_that_takes_its_time_is_waited_for() {
    let machine = Machine::new(
        "slow",
        "mkdir -p 'DIR/rustup/downloads'\necho x > 'DIR/rustup/downloads/a.partial'\nsleep 6\n\
         touch 'DIR/installed'\n",
    );
    let (built, said) = machine.build();
    assert!(built, "{said}");
}
