//! Databases that no program writes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use layerwise_bolt::{Damage, Error, Limits, Snapshot};

const SIZE: usize = 1024;
const LEAF: u16 = 2;
const BRANCH: u16 = 1;
const FREELIST: u16 = 16;
const NO_FREELIST: u64 = u64::MAX;

/// A file of pages; the first two are made here.
struct File {
    pages: Vec<Vec<u8>>,
    root: u64,
    freelist: u64,
}

impl File {
    /// Pages from number 2 on; page 2 is the root.
    fn of(pages: Vec<Vec<u8>>) -> Self {
        Self {
            pages,
            root: 2,
            freelist: NO_FREELIST,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for transaction in [0, 1] {
            let length: usize = self.pages.iter().map(Vec::len).sum();
            let count = (length / SIZE) as u64 + 2;
            let mut meta = Vec::new();
            for word in [0xed0c_daed_u32, 2, 1024, 0] {
                meta.extend(word.to_le_bytes());
            }
            for word in [self.root, 0, self.freelist, count, transaction] {
                meta.extend(word.to_le_bytes());
            }
            let sum = meta.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
            meta.extend(sum.to_le_bytes());
            bytes.extend(page(transaction, 4, 0, 0, &meta));
        }
        bytes.extend(self.pages.concat());
        bytes
    }

    fn error(&self) -> (u64, Damage) {
        match Snapshot::of(&self.bytes(), &Limits::default()) {
            Err(Error::Damaged { page, damage }) => (page, damage),
            Err(other) => panic!("{other}"),
            Ok(snapshot) => panic!("{:?}", snapshot.root()),
        }
    }
}

fn page(id: u64, kind: u16, count: usize, overflow: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = id.to_le_bytes().to_vec();
    bytes.extend(kind.to_le_bytes());
    bytes.extend(u16::try_from(count).unwrap().to_le_bytes());
    bytes.extend(overflow.to_le_bytes());
    bytes.extend(body);
    let pages = usize::try_from(overflow).unwrap() + 1;
    bytes.resize((pages * SIZE).max(bytes.len().next_multiple_of(SIZE)), 0);
    bytes
}

/// The elements of a leaf: mark, key, value.
fn items(items: &[(u32, &[u8], &[u8])]) -> Vec<u8> {
    let (mut table, mut data) = (Vec::new(), Vec::new());
    for (place, (mark, key, value)) in items.iter().enumerate() {
        let position = (items.len() - place) * 16 + data.len();
        for word in [*mark as usize, position, key.len(), value.len()] {
            table.extend(u32::try_from(word).unwrap().to_le_bytes());
        }
        data.extend([*key, *value].concat());
    }
    [table, data].concat()
}

fn leaf(id: u64, list: &[(u32, &[u8], &[u8])]) -> Vec<u8> {
    page(id, LEAF, list.len(), 0, &items(list))
}

fn branch(id: u64, children: &[(&[u8], u64)]) -> Vec<u8> {
    let (mut table, mut data) = (Vec::new(), Vec::new());
    for (place, (key, child)) in children.iter().enumerate() {
        let position = (children.len() - place) * 16 + data.len();
        for word in [position, key.len()] {
            table.extend(u32::try_from(word).unwrap().to_le_bytes());
        }
        table.extend(child.to_le_bytes());
        data.extend(*key);
    }
    page(id, BRANCH, children.len(), 0, &[table, data].concat())
}

fn free(id: u64, list: &[u64]) -> Vec<u8> {
    let ids: Vec<u8> = list.iter().flat_map(|id| id.to_le_bytes()).collect();
    page(id, FREELIST, list.len(), 0, &ids)
}

/// The value of a bucket.
fn bucket(root: u64, inline: &[u8]) -> Vec<u8> {
    [&root.to_le_bytes(), [0; 8].as_slice(), inline].concat()
}

#[test]
fn what_is_made_here_is_read() {
    let mut inline = page(0, LEAF, 1, 0, &items(&[(0, b"k", b"v")]));
    inline.truncate(16 + 16 + 2);
    let mut file = File::of(vec![
        branch(2, &[(b"a", 3), (b"m", 4)]),
        leaf(3, &[(0, b"a", b"1"), (1, b"b", &bucket(0, &inline))]),
        leaf(4, &[(1, b"m", &bucket(5, b"")), (0, b"z", b"")]),
        leaf(5, &[]),
        free(6, &[7]),
        vec![0; SIZE],
    ]);
    file.freelist = 6;
    let bytes = file.bytes();
    let snapshot = Snapshot::of(&bytes, &Limits::default()).unwrap();
    assert_eq!(snapshot.root().get(b"a"), Some(&b"1"[..]));
    assert_eq!(snapshot.bucket(&[b"b"]).unwrap().get(b"k"), Some(&b"v"[..]));
    assert!(snapshot.bucket(&[b"m"]).unwrap().is_empty());
    assert_eq!(format!("{:?}", snapshot.root()), r#"["a", "b", "m", "z"]"#);
}

#[test]
fn circles() {
    let circle = vec![branch(2, &[(b"a", 3)]), branch(3, &[(b"a", 2)])];
    assert_eq!(File::of(circle).error(), (2, Damage::Twice));
    let itself = vec![branch(2, &[(b"a", 2)])];
    assert_eq!(File::of(itself).error(), (2, Damage::Twice));
    let bucket = vec![leaf(2, &[(1, b"a", &bucket(2, b""))])];
    assert_eq!(File::of(bucket).error(), (2, Damage::Twice));
}

#[test]
fn pages_that_are_used_twice() {
    let twice = vec![
        branch(2, &[(b"a", 3), (b"b", 3)]),
        leaf(3, &[(0, b"a", b"")]),
    ];
    assert_eq!(File::of(twice).error(), (3, Damage::Twice));
    // The second page of an overflow.
    let overflow = vec![
        branch(2, &[(b"a", 3), (b"b", 4)]),
        page(3, LEAF, 1, 1, &items(&[(0, b"a", &[0; SIZE])])),
    ];
    assert_eq!(File::of(overflow).error(), (4, Damage::Id));
    let mut free_and_used = File::of(vec![leaf(2, &[(0, b"a", b"")]), free(3, &[2])]);
    free_and_used.freelist = 3;
    assert_eq!(free_and_used.error(), (2, Damage::Twice));
    let mut list = File::of(vec![leaf(2, &[(0, b"a", b"")])]);
    list.freelist = 2;
    assert_eq!(list.error(), (2, Damage::Twice));
}

#[test]
fn pages_outside() {
    for root in [3, 4, 1 << 40, u64::MAX] {
        let mut file = File::of(vec![leaf(2, &[])]);
        file.root = root;
        assert_eq!(file.error(), (root, Damage::Outside), "{root}");
    }
    for root in [0, 1] {
        let mut file = File::of(vec![leaf(2, &[])]);
        file.root = root;
        assert_eq!(file.error(), (root, Damage::Twice), "{root}");
    }
    let long = page(2, LEAF, 0, 9, b"")[..SIZE].to_vec();
    assert_eq!(File::of(vec![long]).error(), (2, Damage::Outside));
}

#[test]
fn pages_of_another_kind() {
    assert_eq!(File::of(vec![vec![0; SIZE]]).error(), (2, Damage::Id));
    assert_eq!(
        File::of(vec![page(2, 0, 0, 0, b"")]).error(),
        (2, Damage::Kind)
    );
    assert_eq!(File::of(vec![free(2, &[])]).error(), (2, Damage::Kind));
    assert_eq!(File::of(vec![branch(2, &[])]).error(), (2, Damage::Empty));
    let mut file = File::of(vec![leaf(2, &[]), leaf(3, &[])]);
    file.freelist = 3;
    assert_eq!(file.error(), (3, Damage::Kind));
    let mut file = File::of(vec![leaf(2, &[]), page(3, FREELIST, 600, 0, b"")]);
    file.freelist = 3;
    assert_eq!(file.error(), (3, Damage::Bounds));
}

#[test]
fn elements() {
    let error = |list: &[(u32, &[u8], &[u8])]| File::of(vec![leaf(2, list)]).error();
    assert_eq!(error(&[(0, b"b", b""), (0, b"a", b"")]), (2, Damage::Order));
    assert_eq!(error(&[(0, b"a", b""), (0, b"a", b"")]), (2, Damage::Order));
    assert_eq!(error(&[(0, b"", b"v")]), (2, Damage::Key));
    assert_eq!(error(&[(2, b"a", b"v")]), (2, Damage::Mark));
    assert_eq!(error(&[(1, b"a", &[1; 15])]), (2, Damage::Bucket));
    assert_eq!(
        error(&[(1, b"a", &bucket(0, b"short"))]),
        (2, Damage::Outside)
    );
    // More elements than the page has room for, and the same bytes for two of them.
    assert_eq!(
        File::of(vec![page(2, LEAF, 64, 0, b"")]).error(),
        (2, Damage::Bounds)
    );
    let mut shared = items(&[(0, b"a", b""), (0, b"b", b"")]);
    shared.splice(20..24, 16_u32.to_le_bytes());
    assert_eq!(
        File::of(vec![page(2, LEAF, 2, 0, &shared)]).error(),
        (2, Damage::Bounds)
    );
    // Something behind a table of no elements.
    assert_eq!(
        File::of(vec![page(2, LEAF, 0, 0, b"x")]).error(),
        (2, Damage::Bounds)
    );
}

#[test]
fn keys_of_another_page() {
    for key in [&b"a"[..], b"n", b"z"] {
        let file = File::of(vec![
            branch(2, &[(b"b", 3), (b"n", 4)]),
            leaf(3, &[(0, key, b"")]),
            leaf(4, &[(0, b"o", b"")]),
        ]);
        assert_eq!(file.error(), (3, Damage::Order), "{key:?}");
    }
    let file = File::of(vec![
        branch(2, &[(b"b", 3), (b"n", 4)]),
        leaf(3, &[]),
        branch(4, &[(b"n", 5), (b"m", 6)]),
    ]);
    assert_eq!(file.error(), (4, Damage::Order));
}

/// Buckets in the values of buckets, each a little shorter than the one around it.
#[test]
fn deep_buckets() {
    let mut value = bucket(0, &page(0, LEAF, 0, 0, b"")[..16]);
    for _ in 0..100 {
        let mut inline = page(0, LEAF, 1, 0, &items(&[(1, b"k", &value)]));
        inline.truncate(16 + 16 + 1 + value.len());
        value = bucket(0, &inline);
    }
    let body = items(&[(1, b"k", &value)]);
    let overflow = u32::try_from(body.len() / SIZE + 1).unwrap();
    let mut root = page(2, LEAF, 1, overflow, &body);
    root.truncate((1 + usize::try_from(overflow).unwrap()) * SIZE);
    let bytes = {
        let pages = root.chunks(SIZE).map(<[u8]>::to_vec).collect();
        File::of(pages).bytes()
    };
    let error = Snapshot::of(&bytes, &Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the database is above the limit of 64 levels"
    );
    let mut limits = Limits::default();
    limits.depth = 200;
    Snapshot::of(&bytes, &limits).unwrap();
}

#[test]
fn errors_tell_what_to_do() {
    let circle = File::of(vec![branch(2, &[(b"a", 2)])]).bytes();
    let error = Snapshot::of(&circle, &Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the database is not stable or damaged: page 2 is used twice; a copy must be made \
         while nothing writes to the database"
    );
    for bytes in [&b""[..], b"SQLite format 3", &[0; 4096]] {
        let error = Snapshot::of(bytes, &Limits::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "not a bolt database: neither meta page is valid"
        );
    }
}
