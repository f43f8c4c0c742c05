//! Volume caches of the Buildpacks lifecycle: what is there, what is written, and
//! what two writers do to each other.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, symlink};
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use layerwise::host::{
        Destination, FailureCode, Presence, Registry as _, Retrieval, Shelf, Source, Transfer,
    };
    use layerwise::oci::{Descriptor, sha256};
    use layerwise_registry::{Options, Repositories, Rooted, Timeouts};

    use crate::support::Dir;

    const METADATA: &str = "application/vnd.buildpacks.lifecycle.cache.metadata.v1+json";
    const LABEL: &str = "io.buildpacks.lifecycle.cache.metadata";
    const TAR: &str = "application/vnd.oci.image.layer.v1.tar";

    fn repositories(root: &Path) -> Repositories {
        let timeouts = Timeouts {
            lock: Duration::from_millis(200),
            ..Timeouts::default()
        };
        let paths = Arc::new(Rooted::open(root).unwrap());
        Repositories::new(Options::default().timeouts(timeouts).paths(paths)).unwrap()
    }

    fn name(dir: &Dir) -> String {
        format!("volume:{}", dir.path().join("cache").display())
    }

    /// A cache directory with one committed layer; returns its diff id.
    fn cache(dir: &Dir, bytes: &[u8]) -> String {
        let committed = dir.path().join("cache/committed");
        fs::create_dir_all(&committed).unwrap();
        let id = sha256(bytes).to_string();
        fs::write(committed.join(format!("{id}.tar")), bytes).unwrap();
        fs::write(committed.join(LABEL), "{}\n").unwrap();
        id
    }

    /// A tar file with one file in it.
    fn tar(path: &str, text: &str) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        builder
            .append_data(&mut header, path, text.as_bytes())
            .unwrap();
        builder.into_inner().unwrap()
    }

    fn layer(id: &str) -> Descriptor {
        Descriptor {
            media_type: TAR.to_owned(),
            digest: id.to_owned(),
            ..Descriptor::default()
        }
    }

    fn transfer(source: Source) -> Transfer {
        let digest = match &source {
            Source::Repository(_) => panic!("a layer that is taken over has a digest"),
            _ => String::new(),
        };
        Transfer {
            descriptor: layer(&digest),
            diff_id: None,
            source,
        }
    }

    fn commit(all: &Repositories, name: &str, text: &str) {
        let written = all.write(name, Shelf::Manifest, METADATA, text).unwrap();
        assert_eq!(written.digest, sha256(text.as_bytes()).to_string());
        all.tag(name, &written.digest).unwrap();
    }

    #[test]
    fn what_is_there_is_told() {
        let dir = Dir::new();
        let id = cache(&dir, &tar("layers/a/b", "text"));
        let all = repositories(dir.path());
        let name = name(&dir);
        assert_eq!(all.locate(&name).unwrap(), name);
        let found = all.resolve(std::slice::from_ref(&name)).remove(0).unwrap();
        let [metadata] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(metadata.media_type, METADATA);
        let text = all.read(&name, &found, 100).remove(0).unwrap();
        assert_eq!(text, "{}\n");
        let other = sha256(b"other").to_string();
        let presence = all.has(&name, &[id.clone(), other.clone()]).unwrap();
        assert_eq!(presence, [Presence::Present, Presence::Absent]);
        let wanted = |id: &str, prefix: &str| Retrieval {
            descriptor: layer(id),
            into: Some(Destination {
                root: ".".to_owned(),
                prefix: prefix.to_owned(),
            }),
            diff_id: Some(id.to_owned()),
        };
        let read = all.retrieve(
            &name,
            &[wanted(&id, "layers/a"), wanted(&other, "layers/c")],
        );
        assert_eq!(read[0].as_ref().unwrap().diff_id, id);
        assert_eq!(read[1].as_ref().unwrap_err().code, FailureCode::NotFound);
        let file = dir.path().join("layers/a/b");
        assert_eq!(fs::read_to_string(file).unwrap(), "text");
    }

    #[test]
    fn a_cache_without_metadata_is_one() {
        let dir = Dir::new();
        fs::create_dir(dir.path().join("cache")).unwrap();
        let all = repositories(dir.path());
        let name = name(&dir);
        let found = all.resolve(std::slice::from_ref(&name)).remove(0).unwrap();
        assert_eq!((found.len(), found[0].size), (1, 0));
        let nowhere = format!("volume:{}", dir.path().join("nowhere").display());
        let failure = all.resolve(&[nowhere]).remove(0).unwrap_err();
        assert_eq!(failure.code, FailureCode::Invalid, "{failure}");
    }

    #[test]
    fn what_is_wrong_is_not_unpacked() {
        let dir = Dir::new();
        let good = tar("layers/a/b", "text");
        let id = cache(&dir, &good);
        let all = repositories(dir.path());
        let name = name(&dir);
        let path = dir.path().join(format!("cache/committed/{id}.tar"));
        let read = || {
            let wanted = Retrieval {
                descriptor: layer(&id),
                into: Some(Destination {
                    root: ".".to_owned(),
                    prefix: "layers/a".to_owned(),
                }),
                diff_id: Some(id.clone()),
            };
            all.retrieve(&name, &[wanted]).remove(0).unwrap_err().code
        };
        // Cut, of another layer, a directory, a link: nothing of it is unpacked.
        fs::write(&path, &good[..good.len() / 2]).unwrap();
        assert_eq!(read(), FailureCode::Corrupt);
        fs::write(&path, tar("layers/c/d", "text")).unwrap();
        assert_eq!(read(), FailureCode::Corrupt);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(read(), FailureCode::Other);
        fs::remove_dir(&path).unwrap();
        fs::write(dir.path().join("elsewhere"), &good).unwrap();
        symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert_eq!(read(), FailureCode::Other);
        assert!(!dir.path().join("layers").exists());
    }

    /// Also where the link stays inside of the cache: whoever made the directory chose
    /// what it says.
    #[test]
    fn no_link_in_a_cache_is_followed() {
        let dir = Dir::new();
        let bytes = tar("layers/a/b", "text");
        let id = cache(&dir, &bytes);
        let all = repositories(dir.path());
        let name = name(&dir);
        let root = dir.path().join("cache");
        let read = || {
            let wanted = Retrieval {
                descriptor: layer(&id),
                into: Some(Destination {
                    root: ".".to_owned(),
                    prefix: "layers/a".to_owned(),
                }),
                diff_id: Some(id.clone()),
            };
            all.retrieve(&name, &[wanted]).remove(0).unwrap_err().code
        };
        let found = || all.resolve(std::slice::from_ref(&name)).remove(0);
        let reused = Transfer {
            descriptor: layer(&id),
            diff_id: None,
            source: Source::Repository(name.clone()),
        };
        // The metadata, and then the whole cache.
        fs::rename(root.join("committed").join(LABEL), root.join("label")).unwrap();
        symlink("../label", root.join("committed").join(LABEL)).unwrap();
        assert_eq!(found().unwrap_err().code, FailureCode::Other);
        fs::rename(root.join("committed"), root.join("real")).unwrap();
        symlink("real", root.join("committed")).unwrap();
        assert_eq!(found().unwrap_err().code, FailureCode::Other);
        assert_eq!(
            all.has(&name, std::slice::from_ref(&id)).unwrap_err().code,
            FailureCode::Other
        );
        assert_eq!(read(), FailureCode::Other);
        let failure = all.store(&name, &[reused]).remove(0).unwrap_err();
        assert_eq!(failure.code, FailureCode::Other, "{failure}");
        assert!(!dir.path().join("layers").exists());
        // A new cache takes the place of the link, and what it points to stays.
        commit(&all, &name, "{}\n");
        drop(all);
        let committed = root.join("committed");
        assert!(fs::symlink_metadata(&committed).unwrap().is_dir());
        assert!(root.join(format!("real/{id}.tar")).exists());
        assert!(!root.join("staging").exists());
    }

    #[test]
    fn a_new_cache_takes_the_place_of_the_old_one() {
        let dir = Dir::new();
        let old = tar("layers/a/b", "old");
        let old_id = cache(&dir, &old);
        let dropped = dir.path().join("cache/committed/dropped.tar");
        fs::write(&dropped, "x").unwrap();
        // What another writer left.
        fs::create_dir_all(dir.path().join("cache/staging/left")).unwrap();
        let new = tar("layers/a/b", "new");
        fs::write(dir.path().join("new.tar"), &new).unwrap();
        let all = repositories(dir.path());
        let name = name(&dir);
        let reused = Transfer {
            descriptor: layer(&old_id),
            ..transfer(Source::File("new.tar".to_owned()))
        };
        let reused = Transfer {
            source: Source::Repository(name.clone()),
            ..reused
        };
        let added = transfer(Source::File("new.tar".to_owned()));
        let stored = all.store(&name, &[reused, added.clone()]);
        let ids: Vec<_> = stored
            .into_iter()
            .map(|stored| stored.unwrap().descriptor.digest)
            .collect();
        let new_id = sha256(&new).to_string();
        assert_eq!(ids, [old_id.clone(), new_id.clone()]);
        let again = all.store(&name, &[added]).remove(0).unwrap();
        assert!(!again.written);
        let committed = dir.path().join("cache/committed");
        let file = |id: &str| committed.join(format!("{id}.tar"));
        let before = fs::metadata(file(&old_id)).unwrap().ino();
        assert!(!file(&new_id).exists(), "nothing changes before the commit");
        commit(&all, &name, "{\"new\":1}\n");
        assert_eq!(fs::metadata(file(&old_id)).unwrap().ino(), before);
        assert_eq!(fs::read(file(&new_id)).unwrap(), new);
        let text = fs::read_to_string(committed.join(LABEL)).unwrap();
        assert_eq!(text, "{\"new\":1}\n");
        let mut names: Vec<_> = fs::read_dir(dir.path().join("cache"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["committed"]);
        assert_eq!(fs::read_dir(&committed).unwrap().count(), 3);
    }

    #[test]
    fn one_writer_at_a_time_and_what_is_not_committed_is_nothing() {
        let dir = Dir::new();
        let id = cache(&dir, &tar("layers/a/b", "old"));
        let name = name(&dir);
        let first = repositories(dir.path());
        let text = "{}\n";
        first.write(&name, Shelf::Manifest, METADATA, text).unwrap();
        let second = repositories(dir.path());
        let failure = second
            .write(&name, Shelf::Manifest, METADATA, text)
            .unwrap_err();
        assert_eq!(failure.code, FailureCode::Conflict, "{failure}");
        // Metadata that was not written is not committed.
        let other = sha256(b"other").to_string();
        let failure = first.tag(&name, &other).unwrap_err();
        assert_eq!(failure.code, FailureCode::Conflict, "{failure}");
        drop(first);
        assert!(!dir.path().join("cache/staging").exists());
        let kept = dir.path().join(format!("cache/committed/{id}.tar"));
        assert!(kept.exists());
        // A writer that was stopped between two renames left the old cache aside.
        let cache = dir.path().join("cache");
        fs::rename(cache.join("committed"), cache.join("committed-backup")).unwrap();
        let stored = Transfer {
            descriptor: layer(&id),
            diff_id: None,
            source: Source::Repository(name.clone()),
        };
        second.store(&name, &[stored]).remove(0).unwrap();
        commit(&second, &name, text);
        assert!(kept.exists());
    }

    #[test]
    fn volumes_are_opened_only_where_repositories_may_be() {
        let dir = Dir::new();
        cache(&dir, b"");
        let elsewhere = Dir::new();
        let options = Options::default().layouts_below([elsewhere.path().to_owned()]);
        let all = Repositories::new(options).unwrap();
        let name = name(&dir);
        let failure = all
            .resolve(std::slice::from_ref(&name))
            .remove(0)
            .unwrap_err();
        assert_eq!(failure.code, FailureCode::Denied, "{failure}");
        let failure = all
            .write(&name, Shelf::Manifest, METADATA, "{}\n")
            .unwrap_err();
        assert_eq!(failure.code, FailureCode::Denied, "{failure}");
    }
}
