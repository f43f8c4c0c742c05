//! No room: files that cannot grow, as on a full disk, and what is left then.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::env;
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::path::PathBuf;
    use std::process::Command;
    use std::sync::Arc;

    use layerwise::host::{FailureCode, Registry as _, Shelf, Source};
    use layerwise::oci::Descriptor;
    use layerwise_registry::{Owners, Repositories, Rooted, SetId};

    use super::support::*;

    /// What is stored; larger than any file may become.
    fn big() -> String {
        (0..40_000_u32)
            .map(|number| format!("{number:x}"))
            .collect()
    }

    /// Run by the test below in a process whose files cannot grow.
    #[test]
    #[ignore = "needs the limits that the next test sets"]
    fn in_a_process_with_small_files() {
        let path = PathBuf::from(env::var_os("LAYERWISE_TEST_DIR").unwrap());
        let paths = Arc::new(Rooted::open(&path).unwrap());
        let all = Repositories::new(options().paths(paths).scratch(&path)).unwrap();
        let at = format!("oci:{}", path.join("l").display());
        let layer = descriptor(TAR, &fs::read(path.join("layer.tar")).unwrap());
        fails(
            all.write(&at, Shelf::Blob, "", &big()),
            FailureCode::Full,
            &[],
        );
        for media_type in [TAR, TAR_GZIP] {
            let wanted = Descriptor {
                media_type: media_type.into(),
                ..Descriptor::default()
            };
            let file = Source::File("layer.tar".to_owned());
            fails(store(&all, &at, wanted, file), FailureCode::Full, &[]);
        }
        let into = Some((".", "p"));
        let from = format!("oci:{}", path.join("source").display());
        fails(
            retrieve(&all, &from, &layer, None, into),
            FailureCode::Full,
            &["p/big"],
        );
        // What is small still goes.
        all.write(&at, Shelf::Blob, "", "small").unwrap();
    }

    #[test]
    fn no_room_leaves_nothing_half_written() {
        let dir = Dir::new();
        let all = repositories(&dir);
        let text = big();
        let layer = tar(&[file("p/small", "x"), file("p/big", &text)]);
        write(&dir.path().join("layer.tar"), &layer);
        store_file(&all, &dir.layout("source"), TAR, "layer.tar");
        write(&dir.path().join("p/old"), "old");
        all.write(&dir.layout("l"), Shelf::Blob, "", "before")
            .unwrap();
        let output = Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 32; exec \"$@\"", "sh"])
            .arg(env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "tests::in_a_process_with_small_files",
            ])
            .env("LAYERWISE_TEST_DIR", dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}"
        );
        let mut names: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["l", "layer.tar", "p", "source"]);
        assert_eq!(tree(&dir.path().join("p")), ["old = old"]);
        let blobs = tree(&dir.path().join("l/blobs/sha256"));
        assert_eq!(blobs.len(), 2, "before and small: {blobs:?}");
        let others = tree(&dir.path().join("l"));
        assert!(
            !others
                .iter()
                .any(|name| name.starts_with(".layerwise.blob")),
            "{others:?}"
        );
    }

    #[test]
    fn files_belong_to_the_process_where_that_is_wanted() {
        for owners in [Owners::Own, Owners::Kept] {
            let dir = Dir::new();
            let all = with(&dir, options().owners(owners).set_id(SetId::Kept));
            let layer = tar(&[Item {
                mode: 0o6755,
                ..file("p/program", "x")
            }]);
            write(&dir.path().join("layer.tar"), &layer);
            let at = dir.layout("l");
            let stored = store_file(&all, &at, TAR, "layer.tar").descriptor;
            retrieve(&all, &at, &stored, None, Some((".", "p"))).unwrap();
            let found = fs::metadata(dir.path().join("p/program")).unwrap();
            let own = fs::metadata(dir.path()).unwrap();
            let kept = owners == Owners::Kept && own.uid() == 0;
            assert_eq!(found.uid(), if kept { 0 } else { own.uid() });
            assert_eq!(found.permissions().mode() & 0o7777, 0o6755, "{owners:?}");
        }
    }
}
