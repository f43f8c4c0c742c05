//! Directory trees of every kind: what is recorded of them is what go-mtree's own
//! program says, and it accepts what we record.

use std::ffi::{CString, OsStr};
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use layerwise::base64;
use layerwise::stacker::ChangeKind;
use layerwise_files::{Access, Files, Root, encode};
use layerwise_host::testing::Functions;
use layerwise_host::{Engine, EngineOptions, Imports, SessionLimits};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat, setxattr};
use serde_json::Value;

use super::needs;
use super::project::{Project, done};

const STACKERFILE: &str = "\
layer:
  from: {type: scratch}
  imports: [http://127.0.0.1/tree]
  overlay_dirs: [{source: over, dest: /}]
";

const KEYWORDS: &str = "type,link,uid,gid,xattr,mode,sha256digest";

/// On a server, so that its copy decides and can be made as it is needed here.
const IMPORT: &str = "http://127.0.0.1/tree";
const TREE: &str = ".stacker/imports/layer/tree";

/// Names that need an encoding, and some that only look as if they did.
const NAMES: [&[u8]; 20] = [
    b"plain",
    b"a b",
    b" lead",
    b"trail ",
    b"new\nline",
    b"cr\rtab\t",
    b"\xff\xfe",
    b"\xe2\x82",
    b"*?[x]",
    b"#hash",
    b"back\\slash",
    b"\\040",
    b"=",
    b"-dash",
    b"%41",
    b"..x",
    b"...",
    "grün \u{202e}日本".as_bytes(),
    b"\x7f\x01",
    b"type=dir",
];

fn name(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

fn mode(path: &Path, bits: u32) {
    fs::set_permissions(path, Permissions::from_mode(bits)).unwrap();
}

/// Everything that a tree can hold. Owners are changed only by root.
fn build(root: &Path) {
    fs::create_dir_all(root).unwrap();
    for (n, bytes) in NAMES.iter().enumerate() {
        fs::write(root.join(name(bytes)), format!("content {n}")).unwrap();
        symlink(name(bytes), root.join(format!("link-{n}"))).unwrap();
        // A line break in the name of a directory poisons a recorded tree.
        if !bytes.contains(&b'\n') {
            let below = root.join("dirs").join(name(bytes));
            fs::create_dir_all(below.join("deeper")).unwrap();
            fs::write(below.join(name(bytes)), "").unwrap();
        }
    }
    symlink("/nowhere/at all", root.join("dangling")).unwrap();
    symlink("../..", root.join("dirs/up")).unwrap();
    fs::write(root.join("linked"), "l").unwrap();
    fs::hard_link(root.join("linked"), root.join("hard")).unwrap();
    for bits in [
        0, 0o400, 0o644, 0o664, 0o755, 0o4755, 0o2711, 0o6777, 0o1644, 0o7777,
    ] {
        let file = root.join(format!("mode-{bits:o}"));
        fs::write(&file, "m").unwrap();
        mode(&file, bits);
    }
    for bits in [0o700, 0o1777, 0o2750, 0o4755] {
        let directory = root.join(format!("dirmode-{bits:o}"));
        fs::create_dir(&directory).unwrap();
        mode(&directory, bits);
    }
    mknodat(CWD, root.join("fifo"), FileType::Fifo, Mode::from(0o644), 0).unwrap();
    drop(UnixListener::bind(root.join("sock")).unwrap());
    for (key, value) in [
        ("user.a", &b"b"[..]),
        ("user.empty", b""),
        ("user.bin", b"\0\xff\n"),
    ] {
        let key = CString::new(key).unwrap();
        setxattr(
            root.join("plain"),
            key.as_c_str(),
            value,
            XattrFlags::empty(),
        )
        .unwrap();
        setxattr(
            root.join("dirs"),
            key.as_c_str(),
            value,
            XattrFlags::empty(),
        )
        .unwrap();
    }
    fs::write(root.join("large"), vec![7; 3 << 20]).unwrap();
    if rustix::process::geteuid().is_root() {
        chown(root.join("a b"), Some(1234), Some(5678)).unwrap();
        chown(root.join("dirs/plain"), Some(1234), Some(5678)).unwrap();
        fs::write(root.join("dirs/plain/owned"), "x").unwrap();
        chown(root.join("dirs/plain/owned"), Some(1234), Some(5678)).unwrap();
        std::os::unix::fs::lchown(root.join("dangling"), Some(9), Some(9)).unwrap();
    }
}

fn project() -> Project {
    let project = Project::new(STACKERFILE);
    build(&project.path(TREE));
    build(&project.path("over"));
    fs::create_dir_all(project.path("roots/layer/overlay_dirs/over")).unwrap();
    project
}

/// The functions of the component over a directory.
fn functions(project: &Project) -> Functions {
    let engine = Engine::new(&EngineOptions::default()).unwrap();
    let root = Root::new(project.path(""), Access::ReadOnly);
    let lent = Imports {
        files: Arc::new(Files::open([root]).unwrap()),
        ..Imports::default()
    };
    let limits = SessionLimits::default();
    engine.testing(lent, limits).unwrap()
}

/// A recorded tree as text.
fn recorded(project: &Project, member: &str, key: &str) -> Vec<u8> {
    let path = project.path(key);
    let key = if key.contains("://") {
        key
    } else {
        path.to_str().unwrap()
    };
    let entry = &project.cache()["cache"]["layer"][member][key];
    let text = entry["Hash"].as_str().unwrap_or_else(|| panic!("{entry}"));
    base64::decode(text).unwrap()
}

/// What gomtree says of a tree compared with a text; nothing is no difference.
fn validate(gomtree: &Path, spec: &[u8], tree: &Path) -> (bool, String) {
    let file = tree.with_extension("mtree");
    fs::write(&file, spec).unwrap();
    let mut command = Command::new(gomtree);
    let output = command
        .args(["-k", KEYWORDS, "-f"])
        .arg(&file)
        .arg("-p")
        .arg(tree);
    let output = output.output().unwrap();
    let words = [output.stdout, output.stderr].concat();
    let same = output.status.success() && words.is_empty();
    (same, String::from_utf8_lossy(&words).into_owned())
}

#[test]
fn trees_are_recorded_and_found_again() {
    let project = project();
    done(&mut project.put("layer"));
    assert_eq!(project.lookup("layer")["outcome"], "hit");
    // One object after the other: each change is the only one that is named.
    let tree = project.path(TREE);
    let named = |path: &[u8], kind: &str, keys: Value| {
        let changes = project.lookup("layer")["changes"].clone();
        let changes = changes.as_array().unwrap();
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!(changes[0]["path"], encode(path), "{changes:?}");
        assert_eq!(
            (&changes[0]["kind"], &changes[0]["keys"]),
            (&kind.into(), &keys)
        );
    };
    for bytes in NAMES {
        let file = tree.join(name(bytes));
        let before = fs::read(&file).unwrap();
        fs::write(&file, "other").unwrap();
        named(bytes, "modified", serde_json::json!(["sha256digest"]));
        fs::write(&file, before).unwrap();
    }
    mode(&tree.join("mode-4755"), 0o755);
    named(b"mode-4755", "modified", serde_json::json!(["mode"]));
    mode(&tree.join("mode-4755"), 0o4755);
    fs::remove_file(tree.join("dangling")).unwrap();
    named(b"dangling", "missing", serde_json::json!([]));
    symlink("/nowhere/at all", tree.join("dangling")).unwrap();
    if rustix::process::geteuid().is_root() {
        named(b"dangling", "modified", serde_json::json!(["gid", "uid"]));
        std::os::unix::fs::lchown(tree.join("dangling"), Some(9), Some(9)).unwrap();
    }
    let plain = tree.join("plain");
    setxattr(&plain, c"user.a", b"c", XattrFlags::empty()).unwrap();
    named(b"plain", "modified", serde_json::json!(["xattr.user.a"]));
    setxattr(&plain, c"user.a", b"b", XattrFlags::empty()).unwrap();
    fs::write(tree.join("linked"), "other").unwrap();
    let changes = project.lookup("layer")["changes"].clone();
    let changes = changes.as_array().unwrap();
    let paths: Vec<_> = changes.iter().map(|change| &change["path"]).collect();
    assert_eq!(paths, ["hard", "linked"], "one file of two names");
    fs::write(tree.join("linked"), "l").unwrap();
    fs::remove_file(tree.join("fifo")).unwrap();
    fs::write(tree.join("fifo"), "").unwrap();
    let changes = project.lookup("layer")["changes"].clone();
    let keys = changes[0]["keys"].as_array().unwrap();
    assert!(keys.contains(&"type".into()), "{changes}");
}

#[test]
fn gomtree_accepts_what_we_record_and_we_accept_its() {
    let Some(gomtree) = needs::gomtree() else {
        return;
    };
    let project = project();
    done(&mut project.put("layer"));
    let mut functions = functions(&project);
    for (member, key, tree) in [("Imports", IMPORT, TREE), ("OverlayDirs", "over", "over")] {
        let tree = project.path(tree);
        let ours = recorded(&project, member, key);
        let (same, words) = validate(gomtree, &ours, &tree);
        assert!(same, "{words}");
        // What is accepted is not accepted of another tree.
        fs::write(tree.join("plain"), "changed").unwrap();
        let (same, words) = validate(gomtree, &ours, &tree);
        assert!(!same && words.contains("plain"), "{words}");
        fs::write(tree.join("plain"), "content 0").unwrap();

        let mut command = Command::new(gomtree);
        let theirs = done(command.args(["-c", "-k", KEYWORDS, "-p"]).arg(&tree));
        // The comments name the moment; all else is the same text.
        assert_eq!(without_comments(&ours), without_comments(&theirs));
        let root = encode(tree.as_os_str().as_bytes());
        let changes = functions
            .compare_tree(&base64::encode(&theirs), &root)
            .unwrap();
        assert!(changes.is_empty(), "{changes:?}");
        fs::write(tree.join("more"), "").unwrap();
        let changes = functions
            .compare_tree(&base64::encode(&theirs), &root)
            .unwrap();
        assert_eq!((changes.len(), &*changes[0].path), (1, "more"));
        assert_eq!(changes[0].kind, ChangeKind::Extra);
        fs::remove_file(tree.join("more")).unwrap();
    }
}

/// The hazard of a line break in the name of a directory is go-mtree's too.
#[test]
fn a_poisoned_tree_is_poisoned_for_gomtree_too() {
    let Some(gomtree) = needs::gomtree() else {
        return;
    };
    let project = Project::new(STACKERFILE);
    fs::create_dir_all(project.path(TREE).join("new\nline")).unwrap();
    fs::create_dir_all(project.path("over")).unwrap();
    fs::create_dir_all(project.path("roots/layer/overlay_dirs/over")).unwrap();
    done(&mut project.put("layer"));
    let miss = project.lookup("layer");
    assert_eq!(
        miss["reason"]["code"], "stacker/import-dir-changed",
        "{miss}"
    );
    let ours = recorded(&project, "Imports", IMPORT);
    let (same, words) = validate(gomtree, &ours, &project.path(TREE));
    assert!(!same, "{words}");
}

fn without_comments(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("# ") || !line.contains(": "));
    lines.map(|line| format!("{line}\n")).collect()
}
