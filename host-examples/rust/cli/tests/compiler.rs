//! Hosts with a compiler: they run other components than the one inside, and may keep
//! the code of those, which nobody else can make them run.
#![cfg(unix)]

#[cfg(test)]
#[path = "cli/support.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod support;

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
    use std::path::{Path, PathBuf};

    use layerwise_host::{COMPONENT, Engine, EngineOptions, Error, Wasm};

    use crate::support::*;

    /// A user that is not this one.
    const NOBODY: u32 = 65_534;

    /// The smallest component. It has none of our functions, so that an engine whose
    /// code was exchanged for its code has no rules.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    /// An engine whose component has our functions.
    fn engine(bytes: &[u8], directory: &Path) -> Result<Engine, Error> {
        let wasm = Wasm {
            bytes: bytes.to_vec(),
            code_cache: Some(directory.to_path_buf()),
        };
        let engine = Engine::new(&EngineOptions {
            component: Some(wasm),
            ..EngineOptions::default()
        })?;
        engine.rules()?;
        Ok(engine)
    }

    fn kept(directory: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().mode() & 0o7777
    }

    /// A directory with the kept code of our component, and code to plant in its place.
    struct Kept {
        dir: Dir,
        /// Where the code is kept.
        cache: PathBuf,
        /// The file with the code.
        file: PathBuf,
        /// What belongs into it.
        good: Vec<u8>,
        /// What a stranger would put there: whole, and made by this wasmtime.
        planted: Vec<u8>,
    }

    impl Kept {
        fn new() -> Self {
            let dir = Dir::new();
            let other = dir.path().join("other");
            assert!(engine(EMPTY, &other).is_err(), "it has no functions");
            let planted = fs::read(&kept(&other)[0]).unwrap();
            let cache = dir.path().join("cache");
            engine(COMPONENT, &cache).unwrap();
            let [file] = &*kept(&cache) else {
                panic!("one file: {:?}", kept(&cache));
            };
            let (file, good) = (file.clone(), fs::read(file).unwrap());
            Self {
                dir,
                cache,
                file,
                good,
                planted,
            }
        }

        /// Puts other bytes into the file.
        fn write(&self, bytes: &[u8]) {
            let _ = fs::remove_file(&self.file);
            fs::write(&self.file, bytes).unwrap();
            fs::set_permissions(&self.file, Permissions::from_mode(0o600)).unwrap();
        }

        /// The engine starts with the right code, and the file is as it was.
        #[track_caller]
        fn heals(&self, why: &str) {
            engine(COMPONENT, &self.cache).unwrap_or_else(|error| panic!("{why}: {error}"));
            let found = self.file.symlink_metadata().unwrap();
            assert!(found.is_file(), "{why}");
            assert!(fs::read(&self.file).unwrap() == self.good, "{why}");
            assert_eq!((mode(&self.file), found.nlink()), (0o600, 1), "{why}");
            assert_eq!(kept(&self.cache).len(), 1, "{why}: no other file is left");
        }

        /// The engine starts with the right code, and the directory stays as it is.
        #[track_caller]
        fn is_not_used(&self, why: &str) {
            let before = self.dir.snapshot();
            engine(COMPONENT, &self.cache).unwrap_or_else(|error| panic!("{why}: {error}"));
            assert!(self.dir.snapshot() == before, "{why}");
        }
    }

    /// Only root can give files away.
    fn root() {
        let root = rustix::process::geteuid().is_root();
        assert!(
            root,
            "this test makes files of another user: run it as root"
        );
    }

    #[test]
    fn code_is_kept_for_its_user_and_loaded() {
        let kept = Kept::new();
        assert_eq!((mode(&kept.cache), mode(&kept.file)), (0o700, 0o600));
        let before = kept.file.metadata().unwrap();
        engine(COMPONENT, &kept.cache).unwrap();
        let after = kept.file.metadata().unwrap();
        assert_eq!(before.ino(), after.ino(), "it was not written again");
        // Whatever is kept there in the right way is run: what is below would be seen.
        kept.write(&kept.planted);
        assert!(engine(COMPONENT, &kept.cache).is_err());
    }

    #[test]
    fn a_file_of_another_user_is_replaced() {
        root();
        let kept = Kept::new();
        kept.write(&kept.planted);
        chown(&kept.file, Some(NOBODY), Some(NOBODY)).unwrap();
        kept.heals("another owner");
    }

    #[test]
    fn a_file_that_others_can_write_to_is_replaced() {
        let kept = Kept::new();
        for bits in [0o620, 0o602] {
            kept.write(&kept.planted);
            fs::set_permissions(&kept.file, Permissions::from_mode(bits)).unwrap();
            kept.heals(&format!("{bits:o}"));
        }
    }

    #[test]
    fn a_damaged_file_is_replaced() {
        let kept = Kept::new();
        let all = kept.good.len();
        for at in [0, 64, all / 2, all - 1] {
            let mut bytes = kept.good.clone();
            bytes[at] ^= 0x40;
            kept.write(&bytes);
            kept.heals(&format!("byte {at} of {all}"));
        }
        for long in [0, 64, all - 1] {
            kept.write(&kept.good[..long]);
            kept.heals(&format!("{long} of {all} bytes"));
        }
        kept.write(&[&*kept.good, b"x"].concat());
        kept.heals("a byte too many");
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let kept = Kept::new();
        let elsewhere = kept.dir.file("elsewhere", &kept.planted);
        fs::remove_file(&kept.file).unwrap();
        symlink(&elsewhere, &kept.file).unwrap();
        kept.heals("a link");
        assert!(fs::read(&elsewhere).unwrap() == kept.planted);
        // Nor is a pipe waited for that nobody writes to.
        fs::remove_file(&kept.file).unwrap();
        let pipe = rustix::fs::FileType::Fifo;
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &kept.file, pipe, mode, 0).unwrap();
        kept.heals("a pipe");
    }

    /// Temporary names were once made of the process id and opened as they were.
    #[test]
    fn a_link_with_the_name_of_a_temporary_file_is_not_followed() {
        let kept = Kept::new();
        let victim = kept.dir.file("victim", "precious");
        fs::remove_file(&kept.file).unwrap();
        let partial = format!("{}.partial", std::process::id());
        for name in [&*partial, "partial", "tmp"] {
            symlink(&victim, kept.file.with_extension(name)).unwrap();
        }
        engine(COMPONENT, &kept.cache).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert!(fs::read(&kept.file).unwrap() == kept.good);
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_not_used() {
        let kept = Kept::new();
        kept.write(&kept.planted);
        for bits in [0o770, 0o707, 0o1777] {
            fs::set_permissions(&kept.cache, Permissions::from_mode(bits)).unwrap();
            kept.is_not_used(&format!("{bits:o}"));
        }
        // Nor one inside of such a directory, which could be exchanged.
        fs::set_permissions(&kept.cache, Permissions::from_mode(0o700)).unwrap();
        fs::set_permissions(kept.dir.path(), Permissions::from_mode(0o777)).unwrap();
        kept.is_not_used("above");
        fs::set_permissions(kept.dir.path(), Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_directory_of_another_user_is_not_used() {
        root();
        let kept = Kept::new();
        kept.write(&kept.planted);
        chown(&kept.cache, Some(NOBODY), Some(NOBODY)).unwrap();
        kept.is_not_used("the directory");
        chown(&kept.cache, Some(0), Some(0)).unwrap();
        chown(kept.dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        kept.is_not_used("the one above");
    }

    /// As with `HOME=/tmp`, where somebody was first.
    #[test]
    fn nothing_is_made_through_a_link_of_another_user() {
        root();
        let dir = Dir::new();
        let target = dir.path().join("target");
        fs::create_dir(&target).unwrap();
        let link = dir.path().join("link");
        symlink(&target, &link).unwrap();
        // The user's own links are as good as directories.
        engine(COMPONENT, &link.join("mine")).unwrap();
        assert_eq!(kept(&target.join("mine")).len(), 1);
        std::os::unix::fs::lchown(&link, Some(NOBODY), Some(NOBODY)).unwrap();
        engine(COMPONENT, &link.join("theirs")).unwrap();
        assert_eq!(kept(&target), [target.join("mine")]);
        // A link to nothing is nothing to make a directory at.
        let nothing = dir.path().join("nothing");
        symlink(dir.path().join("missing"), &nothing).unwrap();
        engine(COMPONENT, &nothing.join("theirs")).unwrap();
        assert!(!dir.path().join("missing").exists());
    }

    #[test]
    fn the_program_runs_another_component() {
        let dir = Dir::new();
        let demo = layerwise(&["demo"]);
        // Here the same bytes from a file.
        let wasm = dir.file("copy.wasm", COMPONENT);
        let before = dir.snapshot();
        let output = program()
            .env("XDG_CACHE_HOME", dir.path())
            .env("HOME", dir.path())
            .args(["--component", &wasm, "demo"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), demo.stdout);
        assert_eq!(dir.snapshot(), before, "the program keeps no code");
    }

    #[test]
    fn what_is_no_component_is_refused_in_one_line() {
        let dir = Dir::new();
        fails(
            &layerwise(&["--component", "/nowhere/x.wasm", "demo"]),
            "cannot read the component \"/nowhere/x.wasm\": it does not exist",
        );
        let (elf, module, broken) = (b"\x7fELF", b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0\xff");
        let compile = "the component cannot be compiled: failed to parse WebAssembly module: ";
        for (bytes, why) in [
            (&b""[..], "it is not a WebAssembly component"),
            (elf, "it is not a WebAssembly component"),
            (module, "it is a WebAssembly module, not a component"),
            (broken, compile),
        ] {
            let file = dir.file("x.wasm", bytes);
            let run = layerwise(&["--component", &file, "demo"]);
            let start = format!("error: cannot run \"{file}\": {why}");
            assert!(run.stderr.starts_with(&start), "{run:?}");
            assert!(bytes == broken || run.stderr == start + "\n", "{run:?}");
            assert!(!run.stderr.contains('\\'), "{run:?}");
            assert_eq!((run.exit, run.stderr.lines().count()), (3, 1), "{run:?}");
        }
    }
}
