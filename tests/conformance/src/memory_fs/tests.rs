//! Tests of the file system in memory.

use super::*;

fn fs() -> MemoryFs {
    let fs = MemoryFs::default();
    fs.put_file("/d/f", "x").unwrap();
    let link = |target: &str| Object::new(Body::Link(target.into()), 0);
    for (path, target) in [
        ("/l", "d"),
        ("/d/up", "../d/f"),
        ("/loop", "loop"),
        ("/gone", "/none"),
        ("/abs", "/d"),
    ] {
        fs.put(path.as_bytes(), link(target)).unwrap();
    }
    fs.put(b"/d/\xff%", Object::new(Body::Special(Kind::Fifo), 0o600))
        .unwrap();
    fs
}

fn kind(fs: &MemoryFs, path: &str, follow: bool) -> Result<Kind, FailureCode> {
    let answer = fs
        .stat(&[path.to_owned()], follow, FsFacts::default())
        .pop()
        .unwrap();
    answer
        .map(|entry| entry.kind)
        .map_err(|failure| failure.code)
}

#[test]
fn links_and_failures_are_unixs() {
    let fs = fs();
    for (path, follow, want) in [
        ("/l", false, Ok(Kind::Link)),
        ("/l", true, Ok(Kind::Directory)),
        ("/l/", false, Ok(Kind::Directory)),
        ("/l/f", false, Ok(Kind::File)),
        ("/abs/up", true, Ok(Kind::File)),
        ("/abs/up", false, Ok(Kind::Link)),
        ("/loop", false, Ok(Kind::Link)),
        ("/loop", true, Err(FailureCode::Other)),
        ("/gone", true, Err(FailureCode::NotFound)),
        ("/d/f/x", true, Err(FailureCode::Other)),
        ("/d/f/", true, Err(FailureCode::Other)),
        ("/none/x", true, Err(FailureCode::NotFound)),
        ("/d/%FF%25", false, Ok(Kind::Fifo)),
        ("", true, Err(FailureCode::NotFound)),
        ("/..", true, Ok(Kind::Directory)),
    ] {
        assert_eq!(kind(&fs, path, follow), want, "{path} {follow}");
    }
    assert_eq!(fs.list_names("/d").unwrap(), ["f", "up", "%FF%25"]);
    assert!(fs.list_names("/d/f").is_err());
}

#[test]
fn walks_list_a_directory_before_what_is_in_it() {
    let fs = fs();
    fs.put_file("/d/a/z", "").unwrap();
    fs.put_file("/d/a-b", "").unwrap();
    let paths = |limit| -> Result<Vec<_>, _> {
        fs.walk("/d", FsFacts::default(), limit)
            .map(|all| all.into_iter().map(|e| e.path).collect())
    };
    assert_eq!(
        paths(9).unwrap(),
        [".", "a", "a/z", "a-b", "f", "up", "%FF%25"]
    );
    assert_eq!(paths(6).unwrap_err().code, FailureCode::TooLarge);
    assert!(fs.walk("/l", FsFacts::default(), 9).is_err());
}

#[test]
fn writes_check_their_precondition() {
    let fs = fs();
    let write = |path: &str, precondition| {
        let change = Change {
            path: path.into(),
            text: "new".into(),
            mode: 0o600,
            parents: false,
            precondition,
        };
        fs.write(&[change])
            .pop()
            .unwrap()
            .map_err(|failure| failure.code)
    };
    let digest = |text: &str| sha256(text.as_bytes()).to_string();
    assert_eq!(
        write("/d/f", Precondition::Absent),
        Err(FailureCode::Conflict)
    );
    assert_eq!(
        write("/d/f", Precondition::Unchanged(digest("y"))),
        Err(FailureCode::Conflict)
    );
    assert_eq!(write("/d/f", Precondition::Unchanged(digest("x"))), Ok(()));
    assert_eq!(fs.object(b"/d/f").unwrap().mode, 0o644);
    assert_eq!(
        write("/d/g", Precondition::Unchanged(digest("x"))),
        Err(FailureCode::Conflict)
    );
    assert_eq!(write("/d/g", Precondition::Absent), Ok(()));
    assert_eq!(fs.object(b"/d/g").unwrap().mode, 0o600);
    assert_eq!(
        write("/none/g", Precondition::Any),
        Err(FailureCode::NotFound)
    );
    assert_eq!(
        fs.rename("/d/g", "/d/f").unwrap_err().code,
        FailureCode::Conflict
    );
    assert!(fs.rename("/d/g", "/d/h").is_ok() && fs.text(b"/d/h").as_deref() == Some("new"));
    assert!(fs.remove(&["/d".into()])[0].is_err() && fs.remove(&["/d/h".into()])[0].is_ok());
}
