use super::*;

fn reference(text: &str) -> Wanted {
    Wanted::Reference(text.to_owned())
}

fn archive(file: &str, name: Option<&str>) -> Wanted {
    Wanted::Archive {
        file: file.into(),
        name: name.map(ToOwned::to_owned),
    }
}

#[test]
fn what_people_have_is_understood() {
    for (text, want) in [
        ("host/name:tag", reference("host/name:tag")),
        ("docker://host/name", reference("docker://host/name")),
        ("oci:dir:tag", reference("oci:dir:tag")),
        ("type=registry,ref=host/a:b", reference("host/a:b")),
        ("ref=host/a:b,type=registry", reference("host/a:b")),
        ("type=local,src=dir", reference("oci:dir:latest")),
        ("type=local,src=dir,tag=v1", reference("oci:dir:v1")),
        ("type=local,dest=dir", reference("oci:dir:latest")),
        (r#""type=local","src=a,b""#, reference("oci:a,b:latest")),
        (
            "type=local,src=dir,digest=sha256:12",
            Wanted::Digest {
                directory: "dir".into(),
                digest: "sha256:12".into(),
            },
        ),
        ("none/there.tar", archive("none/there.tar", None)),
        ("none/there.tgz", archive("none/there.tgz", None)),
        ("archive:x:v1", archive("x", Some("v1"))),
        ("oci-archive:x", archive("x", None)),
        ("docker-archive:x@sha256:1", archive("x", Some("sha256:1"))),
        ("config:x.json", Wanted::Config("x.json".into())),
    ] {
        assert_eq!(cache(text).unwrap(), want, "{text}");
    }
}

#[test]
fn what_is_not_understood_is_answered_with_what_to_type() {
    for (text, want) in [
        ("type=gha,scope=x", "config:FILE"),
        ("type=s3,bucket=x", "manifests/NAME"),
        ("type=azblob,name=x", "config:FILE"),
        ("type=inline", "type=registry,ref=IMAGE"),
        ("type=registry", "has no ref="),
        ("type=registry,ref=", "has no ref="),
        ("type=registry,ref=oci:x", "type=local,src=DIR"),
        ("type=registry,ref=x,mode=max", "leave it out"),
        ("type=local,src=a:b", "no colon"),
        ("type=local,src=a,src=b", "twice"),
        ("type=nowhere", "not known"),
        ("type=registry,x", "NAME=VALUE"),
        ("ref=x", "type=registry"),
        ("config.json", "config:config.json"),
        ("config:", "config:FILE"),
        ("./none", "no such"),
        ("Cargo.toml", "archive:FILE"),
    ] {
        let failed = cache(text).unwrap_err();
        assert_eq!(failed.kind, "usage", "{text}");
        assert!(failed.message.contains(want), "{text}: {}", failed.message);
    }
}

#[test]
fn targets_are_what_exporters_take() {
    let form = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    for (text, reference, pairs) in [
        ("host/a:b", "host/a:b", &[][..]),
        ("oci:dir:x", "oci:dir:x", &[]),
        ("/a/dir", "oci:/a/dir", &[]),
        ("type=local,dest=d", "oci:d:latest", &[]),
        (
            "type=registry,ref=h/a:b,image-manifest=false",
            "h/a:b",
            &[("image-manifest", "false")],
        ),
    ] {
        let want = Target {
            reference: reference.to_owned(),
            form: form(pairs),
        };
        assert_eq!(target(text).unwrap(), want, "{text}");
    }
    for text in [
        "type=registry,ref=x,mode=max",
        "type=registry,ref=x,compression=zstd",
        "type=local,src=d",
        "type=gha",
        "config:x",
        "archive:x.tar",
    ] {
        assert_eq!(target(text).unwrap_err().kind, "usage", "{text}");
    }
}
