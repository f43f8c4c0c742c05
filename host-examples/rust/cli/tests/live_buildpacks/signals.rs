//! The real program, killed at any time while it restores and while it commits.
//! When it is killed makes no difference to what must hold afterwards.

use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use super::host::*;
use crate::support::live::Server;
use crate::support::tree;

const TIMES: u64 = 12;

#[test]
fn killed_at_any_time() {
    let Some(server) = Server::start() else {
        return;
    };
    let name = format!("{}/cache:1", server.host);
    let host = Host::new();
    let all = layers_directory(host.path(), &["one", "two", "three"]);
    let noise: Vec<u8> = (0..4_000_000_u32)
        .map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    fs::write(all.join("ex_bp/two/noise"), noise).unwrap();
    let commit = [
        "buildpacks",
        "cache",
        "commit",
        &name,
        "--scope",
        "app",
        "--layers",
        "layers",
        "--group",
        "group.toml",
        "--root",
        ".",
    ];
    let show = ["buildpacks", "cache", "verify", &name, "--scope", "app"];
    let restore = [
        "buildpacks",
        "restore",
        "--layers",
        "layers",
        "--group",
        "../group.toml",
        "--platform-api",
        "0.14",
        "--cache-image",
        &name,
        "--scope",
        "app",
        "--data",
        "--root",
        ".",
    ];
    let killed = |at: &std::path::Path, arguments: &[&str], after: u64| {
        let mut child = layerwise(at)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        sleep(Duration::from_millis(after * 25));
        let _ = child.kill();
        child.wait().unwrap()
    };
    let done = |at: &std::path::Path, arguments: &[&str]| {
        let output = layerwise(at).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    for after in 0..TIMES {
        killed(host.path(), &commit, after);
        // There is no image, or a whole one.
        let (code, said) = done(host.path(), &show);
        assert!(matches!(code, Some(0 | 1)), "{said}");
        assert_eq!(done(host.path(), &commit).0, Some(0));
        assert_eq!(done(host.path(), &show).0, Some(0));
        // Each time another layer is there to be stored.
        fs::write(all.join("ex_bp/one/data.txt"), after.to_string()).unwrap();
    }
    assert_eq!(done(host.path(), &commit).0, Some(0));
    let content = tree(&all)
        .into_iter()
        .filter(|entry| !entry.contains(".toml"))
        .collect::<Vec<_>>();
    for after in 0..TIMES {
        let fresh = host.path().join(format!("fresh-{after}"));
        fs::create_dir_all(fresh.join("layers")).unwrap();
        killed(&fresh, &restore, after);
        let (code, said) = done(&fresh, &restore);
        assert_eq!(code, Some(0), "{said}");
        let found = tree(&fresh.join("layers"));
        let left: Vec<&String> = found.iter().filter(|e| !e.contains(".toml")).collect();
        assert_eq!(left, content.iter().collect::<Vec<_>>(), "after {after}");
        let toml = found.iter().filter(|entry| entry.contains(".toml")).count();
        assert_eq!(toml, 3);
    }
}
