//! Runs the tests of a file once more as on a kernel, or in a sandbox, that has no
//! `openat2`: what is confined must not depend on it.

use std::process::Command;
use std::{env, thread};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

/// The number of `openat2` on every architecture.
const OPENAT2: i64 = 437;

/// Runs all tests of this file but `own`, which is the one that calls this. Old
/// kernels answer `ENOSYS`, some sandboxes `EPERM`.
pub fn all_but(own: &str) {
    for errno in [Errno::NOSYS, Errno::PERM] {
        // The filter stays with this thread, and with what it starts.
        let run = thread::scope(|scope| scope.spawn(|| without_openat2(errno, own)).join());
        let (success, said) = run.unwrap();
        assert!(success, "{errno}: {said}");
        assert!(said.contains("test result: ok.") && !said.contains("ok. 0 passed"));
    }
}

fn without_openat2(errno: Errno, own: &str) -> (bool, String) {
    let architecture = TargetArch::try_from(env::consts::ARCH).unwrap();
    let number = u32::try_from(errno.raw_os_error()).unwrap();
    let filter = SeccompFilter::new(
        [(OPENAT2, Vec::new())].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(number),
        architecture,
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
    let tried = rustix::fs::openat2(
        CWD,
        "/",
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::empty(),
    );
    assert_eq!(tried.map(drop), Err(errno), "the filter is there");
    let ran = Command::new(env::current_exe().unwrap())
        .args(["--skip", own])
        .output()
        .unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (
        ran.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}
