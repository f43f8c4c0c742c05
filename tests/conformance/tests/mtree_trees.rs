//! Laws of tree texts on random trees.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test is meant to panic, in its helpers too"
)]

mod support;

use layerwise::base64;
use layerwise::host::{Filesystem as _, FsFacts, Kind};
use layerwise::mtree::{ChangeKind, Header, Spec, SpecError, Tree, compare};
use layerwise::{paths, stacker};
use layerwise_conformance::memory_fs::{Body, MemoryFs, Object};
use support::stacker::{host, small_stack};

/// A generator of numbers that is the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn name(&mut self) -> Vec<u8> {
        let length = 1 + self.next(4);
        let byte = |random: &mut Self| match random.next(3) {
            0 => *b" \\#*?[]%=.$\n\t".get(random.next(13) as usize).unwrap(),
            1 => b'a' + random.next(5) as u8,
            _ => random.next(256) as u8,
        };
        let name: Vec<u8> = (0..length)
            .map(|_| byte(self))
            .filter(|b| !matches!(b, 0 | b'/'))
            .collect();
        if matches!(name.as_slice(), b"" | b"." | b"..") {
            b"x".to_vec()
        } else {
            name
        }
    }

    /// A directory's comment holds its name as it is, so that line breaks in
    /// it spoil the text.
    fn directory_name(&mut self) -> Vec<u8> {
        self.name()
            .into_iter()
            .map(|b| if b == b'\n' { b'n' } else { b })
            .collect()
    }

    fn object(&mut self) -> Object {
        let body = match self.next(6) {
            0 => Body::Link(self.name()),
            1 => Body::Special(Kind::Fifo),
            2 => Body::Special(Kind::BlockDevice),
            _ => Body::File(self.name()),
        };
        let mut object = Object::new(body, [0, 0o644, 0o664, 0o4755][self.next(4) as usize]);
        object.uid = self.next(3) as u32;
        object.gid = self.next(3) as u32;
        for _ in 0..self.next(3) {
            let name = [b"user.".to_vec(), self.name()].concat();
            if !object.attributes.iter().any(|(known, _)| *known == name) {
                object.attributes.push((name, self.name()));
            }
        }
        object
    }
}

fn tree(random: &mut Random) -> MemoryFs {
    let fs = MemoryFs::default();
    let mut directories: Vec<Vec<u8>> = vec![b"/t".to_vec()];
    fs.put(b"/t", Object::new(Body::Directory, 0o755)).unwrap();
    for _ in 0..random.next(30) {
        let at = random.next(directories.len() as u64) as usize;
        let parent = directories[at].clone();
        if random.next(3) == 0 {
            let path = [parent, b"/".to_vec(), random.directory_name()].concat();
            let mut object = Object::new(Body::Directory, 0o755);
            object.uid = random.next(2) as u32;
            if fs.object(&path).is_none() && fs.put(&path, object).is_ok() {
                directories.push(path);
            }
        } else {
            let path = [parent, b"/".to_vec(), random.name()].concat();
            if !directories.contains(&path) {
                let _ = fs.put(&path, random.object());
            }
        }
    }
    fs
}

/// Names with `=` make attribute keys that split at the wrong place, upstream
/// too; both sides do so alike.
#[test]
fn a_text_has_no_difference_from_its_own_tree() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..300 {
        let fs = tree(&mut random);
        let stored = stacker::testing::tree_text(&fs, "/t", &host()).unwrap();
        assert_eq!(
            stacker::testing::compare_tree(&fs, &stored, "/t").unwrap(),
            [],
            "round {round}"
        );
    }
}

#[test]
fn every_single_change_is_found_and_nothing_else() {
    let mut random = Random(42);
    let mut seen = [0; 3];
    for round in 0..300 {
        let fs = tree(&mut random);
        let stored = stacker::testing::tree_text(&fs, "/t", &host()).unwrap();
        let files: Vec<_> = fs
            .paths()
            .into_iter()
            .filter(|path| {
                path.starts_with(b"/t/")
                    && !matches!(
                        fs.object(path),
                        Some(Object {
                            body: Body::Directory,
                            ..
                        })
                    )
            })
            .collect();
        let fresh = b"/t/entirely new".to_vec();
        let (path, want) = match random.next(3) {
            0 if !files.is_empty() => {
                let path = files[random.next(files.len() as u64) as usize].clone();
                fs.remove_all(&path);
                (path, ChangeKind::Missing)
            }
            1 if !files.is_empty() => {
                let path = files[random.next(files.len() as u64) as usize].clone();
                let mut object = Object::new(Body::File(b"entirely new".to_vec()), 0o700);
                object.uid = 77;
                fs.put(&path, object).unwrap();
                (path, ChangeKind::Modified)
            }
            _ => {
                fs.put(&fresh, random.object()).unwrap();
                (fresh, ChangeKind::Extra)
            }
        };
        seen[want as usize] += 1;
        let changes = stacker::testing::compare_tree(&fs, &stored, "/t").unwrap();
        let found: Vec<_> = changes.iter().map(|c| (c.path.as_str(), c.kind)).collect();
        assert_eq!(
            found,
            [(paths::encode(&path[3..]).as_str(), want)],
            "round {round}"
        );
    }
    assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
}

#[test]
fn deep_trees_need_no_stack() {
    const DEPTH: usize = 400;
    let fs = MemoryFs::default();
    let path = format!("/t{}", "/d".repeat(DEPTH));
    fs.put_file(&format!("{path}/f"), "x").unwrap();
    small_stack(|| {
        let stored = stacker::testing::tree_text(&fs, "/t", &host()).unwrap();
        assert_eq!(
            stacker::testing::compare_tree(&fs, &stored, "/t").unwrap(),
            []
        );
        fs.put_file(&format!("{path}/f"), "y").unwrap();
        assert_eq!(
            stacker::testing::compare_tree(&fs, &stored, "/t")
                .unwrap()
                .len(),
            1
        );
    });
}

/// A text of nested directories is linear in memory: their paths would be
/// 20 GB.
#[test]
fn hostile_texts_are_bounded() {
    let fs = MemoryFs::default();
    fs.put(b"/t", Object::new(Body::Directory, 0o755)).unwrap();
    let facts = FsFacts {
        target: true,
        attributes: true,
        content: true,
        identity: false,
    };
    let tree = Tree::new(&fs.walk("/t", facts, 10).unwrap()).unwrap();
    let deep = "d type=dir\n".repeat(100_000);
    small_stack(|| {
        let spec = Spec::parse(deep.as_bytes()).unwrap();
        assert_eq!(
            compare(&spec, &tree, 1_000_000).unwrap_err(),
            SpecError::TooLarge
        );
    });
    let words: String = (0..5_000).map(|n| format!(" xattr.{n}=")).collect();
    let wide = format!("/set{words}\n{}", ". type=dir\n".repeat(10));
    let spec = Spec::parse(wide.as_bytes()).unwrap();
    assert_eq!(
        compare(&spec, &tree, 1_000).unwrap_err(),
        SpecError::TooLarge
    );
    assert_eq!(compare(&spec, &tree, 100_000).unwrap()[0].keys.len(), 5_000);
}

/// Paths that only texts written by hand have.
#[test]
fn odd_paths_of_texts() {
    let fs = MemoryFs::default();
    fs.put_file("/t/a/b", "").unwrap();
    let changes = |text: &str| -> Vec<String> {
        let stored = base64::encode(text.as_bytes());
        let changes = stacker::testing::compare_tree(&fs, &stored, "/t").unwrap();
        changes
            .into_iter()
            .map(|change| format!("{:?} {}", change.kind, change.path))
            .collect()
    };
    assert_eq!(
        changes(". type=dir\na type=dir\nb type=file\n..\n.."),
        [] as [&str; 0]
    );
    assert_eq!(
        changes(".\na/./b x\n./a type=dir\n../../a"),
        [] as [&str; 0]
    );
    assert_eq!(changes(".\na/b\na\n  /a x\n\\056\\056 x\n"), ["Missing /a"]);
    assert_eq!(
        changes(". type=dir\na type=dir\n\\057b x\n..\nc\\057d x"),
        ["Missing c/d"]
    );
    assert_eq!(changes(".\na/b\na\n\\$ x"), ["Missing "]);
    assert_eq!(
        changes(". type=dir mode=07\na type=dir type.x=1 mode.y=2 other=3\nb sha256digest=00"),
        ["Modified .", "Modified a", "Modified a/b"]
    );
}

#[test]
fn headers_leave_out_what_is_not_known() {
    let fs = MemoryFs::default();
    let tree = Tree::new(&fs.walk("/", FsFacts::default(), 10).unwrap()).unwrap();
    let text = |user, root: &str, directory: &str| {
        let date = "2024-03-05T09:07:03".parse().unwrap();
        let header = Header {
            user,
            machine: None,
            root,
            directory,
            date,
        };
        let text = String::from_utf8(tree.text(&header)).unwrap();
        text.lines()
            .take_while(|line| !line.contains("date"))
            .collect::<Vec<_>>()
            .join("|")
    };
    assert_eq!(text(None, "/a//b/../c/", ""), "#          tree: /a/c");
    assert_eq!(
        text(Some(""), ".", "/w/x"),
        "#          user: |#          tree: /w/x"
    );
    assert_eq!(
        text(Some("u"), "..", "/w/x"),
        "#          user: u|#          tree: /w"
    );
    assert_eq!(text(None, "100%25", ""), "#          tree: 100%");
}
