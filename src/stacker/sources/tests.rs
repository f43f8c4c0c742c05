//! Which sources are looked at, and how.

use super::*;

fn entry(path: &str, kind: Kind, mode: u32, content: &str) -> Entry {
    Entry {
        path: path.into(),
        kind,
        mode,
        uid: 7,
        gid: 7,
        size: 0,
        target: (kind == Kind::Link).then(|| content.into()),
        attributes: Vec::new(),
        identity: None,
        content: (kind == Kind::File).then(|| content.into()),
    }
}

fn import(mode: Option<u32>) -> Import {
    Import {
        path: "/p/d".into(),
        unchecked: false,
        hash: String::new(),
        mode,
        owner: [None, Some(3)],
    }
}

#[test]
fn a_copy_takes_over_what_differs_and_nothing_else() {
    let root = entry(".", Kind::Directory, 0o700, "");
    let source = vec![
        root.clone(),
        entry("same", Kind::File, 0o600, "1"),
        entry("edited", Kind::File, 0o4755, "2"),
        entry("new", Kind::Directory, 0o711, ""),
        entry("new/l", Kind::Link, 0o777, "x"),
    ];
    let mut copied_root = entry(".", Kind::Directory, 0o755, "");
    (copied_root.uid, copied_root.gid) = (1, 2);
    let copy = vec![
        copied_root,
        entry("same", Kind::File, 0o600, "1"),
        entry("edited", Kind::File, 0o755, "1"),
        entry("gone", Kind::File, 0o644, "1"),
    ];
    let merged = merge(source, copy, &import(None), [1, 2]);
    let facts: Vec<_> = merged
        .iter()
        .map(|e| (e.path.as_str(), e.mode, e.uid, e.gid))
        .collect();
    assert_eq!(
        facts,
        [
            (".", 0o755, 1, 2),
            ("same", 0o600, 7, 7),
            ("edited", 0o755, 1, 3),
            ("new", 0o755, 1, 2),
            ("new/l", 0o777, 1, 3),
        ]
    );
}

#[test]
fn modes_are_those_of_the_import_or_the_source() {
    let file = entry("f", Kind::File, 0o6755, "1");
    assert_eq!(copied_mode(&file, &import(None)), 0o755);
    assert_eq!(copied_mode(&file, &import(Some(0o640))), 0o640);
}

#[test]
fn addresses_are_no_paths() {
    for (url, want) in [
        ("./a", true),
        ("/a", true),
        ("", false),
        ("http://h/a", false),
        ("stacker://l/a", false),
    ] {
        assert_eq!(is_path(url), want, "{url}");
    }
}
