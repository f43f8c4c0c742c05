//! A registry that lies, stalls, breaks off, or refuses.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use layerwise::host::{FailureCode, Presence, Registry as _, Shelf, Source};
    use layerwise::oci::{Descriptor, sha256};
    use layerwise_registry::{Limit, Limits, Repositories, Timeouts};

    use super::support::faulty::{Asked, Faulty, Reply, ok, reply};
    use super::support::*;

    const TEXT: &[u8] = b"{\"some\":\"document\"}";

    fn quick() -> Repositories {
        let limits = Limits::default()
            .with(Limit::ManifestBytes, 1 << 16)
            .with(Limit::TransferRateSeconds, 1);
        let timeouts = Timeouts {
            connect: Duration::from_secs(2),
            idle: Duration::from_millis(300),
            ..Timeouts::default()
        };
        Repositories::new(options().limits(limits).timeouts(timeouts)).unwrap()
    }

    fn blob(bytes: &[u8]) -> Descriptor {
        descriptor(CONFIG, bytes)
    }

    /// Reads the text as a blob from a server with these answers.
    fn reading(
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> (Result<String, layerwise::host::Failure>, Faulty) {
        let server = Faulty::start(answer);
        let at = format!("{}/app", server.host);
        (read(&quick(), &at, &blob(TEXT)), server)
    }

    #[test]
    fn other_bytes_are_corrupt() {
        let (answer, server) = reading(|_| ok(b"{\"some\":\"DOCUMENT\"}"));
        fails(answer, FailureCode::Corrupt, &[&sha256(TEXT).to_string()]);
        assert_eq!(server.count(), 1, "wrong bytes are not asked for again");
        let (answer, _) = reading(|_| ok(&[TEXT, b" "].concat()));
        fails(answer, FailureCode::Corrupt, &["more than"]);
        let mut bytes = b"\"\xff\"".to_vec();
        let server = Faulty::start(move |_| ok(b"\"\xff\""));
        let at = format!("{}/app", server.host);
        fails(
            read(&quick(), &at, &blob(&bytes)),
            FailureCode::Unsupported,
            &["utf-8 at byte 1"],
        );
        bytes.clear();
        assert_eq!(
            read(&quick(), &at, &blob(&bytes)).unwrap_err().code,
            FailureCode::Corrupt
        );
    }

    #[test]
    fn headers_tell_no_digests() {
        let lie = sha256(b"lie").to_string();
        let told = lie.clone();
        let server = Faulty::start(move |_| {
            let headers = [
                ("Docker-Content-Digest", told.as_str()),
                ("Content-Type", INDEX),
            ];
            reply(
                200,
                &headers,
                br#"{"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#,
            )
        });
        let name = format!("{}/app:tag", server.host);
        let found = resolve(&quick(), &name).unwrap().remove(0);
        assert_ne!(found.digest, lie);
        assert_eq!(
            found.media_type, MANIFEST,
            "what the document says of itself"
        );
        let by_digest = format!("{}/app@{lie}", server.host);
        fails(resolve(&quick(), &by_digest), FailureCode::Corrupt, &[&lie]);
        let tagged = quick().tag(&name, &lie);
        fails(tagged, FailureCode::Corrupt, &[&lie]);
    }

    #[test]
    fn a_tag_that_moves_does_not_change_what_was_resolved() {
        let server = Faulty::start(|asked| {
            if asked.before == 0 {
                ok(TEXT)
            } else {
                ok(b"{\"evil\":\"document\"}")
            }
        });
        let all = quick();
        let at = format!("{}/app", server.host);
        let first = resolve(&all, &format!("{at}:tag")).unwrap().remove(0);
        assert_eq!(first.digest, sha256(TEXT).to_string());
        let second = resolve(&all, &format!("{at}:tag")).unwrap().remove(0);
        assert_ne!(first.digest, second.digest);
        fails(
            read(&all, &at, &first),
            FailureCode::Corrupt,
            &[&first.digest],
        );
        let paths: Vec<_> = server
            .asked()
            .iter()
            .map(|asked| asked.path.clone())
            .collect();
        assert!(paths[2].ends_with(&first.digest), "{paths:?}");
    }

    #[test]
    fn what_ends_early_is_truncated() {
        let length = TEXT.len().to_string();
        let (answer, server) =
            reading(move |_| reply(200, &[("Content-Length", &length)], &TEXT[..7]));
        fails(answer, FailureCode::Truncated, &[]);
        assert_eq!(server.count(), 3, "as often as the settings say");
        assert_eq!(server.asked()[1].header("range"), Some("bytes=7-"));
        let (answer, server) = reading(|_| ok(&TEXT[..7]));
        fails(answer, FailureCode::Truncated, &["7 of 19"]);
        assert_eq!(server.count(), 1, "there is no more");
        let chunked = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"so";
        let (answer, _) = reading(|_| Reply::Raw(chunked.to_vec()));
        fails(answer, FailureCode::Truncated, &[]);
        let server = Faulty::start(|_| reply(200, &[("Content-Length", "50")], TEXT));
        let resolved = resolve(&quick(), &format!("{}/app:t", server.host));
        fails(resolved, FailureCode::Truncated, &[]);
    }

    #[test]
    fn an_interrupted_blob_goes_on() {
        let length = TEXT.len().to_string();
        for honours_ranges in [true, false] {
            let length = length.clone();
            let (answer, server) = reading(move |asked| match asked.header("range") {
                None => reply(200, &[("Content-Length", &length)], &TEXT[..7]),
                Some(range) => {
                    assert_eq!(range, "bytes=7-");
                    if honours_ranges {
                        reply(206, &[("Content-Range", "bytes 7-18/19")], &TEXT[7..])
                    } else {
                        ok(TEXT)
                    }
                }
            });
            assert_eq!(answer.unwrap().as_bytes(), TEXT);
            assert_eq!(server.count(), 2);
        }
        // Another part than the one asked for is no part of this.
        let (answer, _) = reading(move |asked| match asked.header("range") {
            None => reply(200, &[("Content-Length", &length)], &TEXT[..7]),
            Some(_) => reply(206, &[("Content-Range", "bytes 0-18/19")], TEXT),
        });
        fails(answer, FailureCode::Other, &["206"]);
    }

    #[test]
    fn endless_answers_end() {
        let head = b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n";
        let (answer, server) = reading(|_| Reply::Endless(head.to_vec()));
        fails(answer, FailureCode::Corrupt, &["more than"]);
        assert!(server.sent() < 16 << 20, "{} bytes", server.sent());
        let server = Faulty::start(|_| Reply::Endless(head.to_vec()));
        let resolved = resolve(&quick(), &format!("{}/app:t", server.host));
        fails(resolved, FailureCode::TooLarge, &["65536"]);
        let server = Faulty::start(|_| reply(200, &[("Content-Length", "99999999")], b""));
        let resolved = resolve(&quick(), &format!("{}/app:t", server.host));
        fails(resolved, FailureCode::TooLarge, &["manifest-bytes"]);
        // Endless headers, and endless words of a refusal.
        let (answer, server) = reading(|_| Reply::Endless(b"HTTP/1.1 200 X\r\nA: ".to_vec()));
        assert!(answer.is_err());
        assert!(server.sent() < 32 << 20, "{} bytes", server.sent());
        let refusal = b"HTTP/1.1 403 X\r\nConnection: close\r\n\r\n";
        let (answer, _) = reading(|_| Reply::Endless(refusal.to_vec()));
        fails(answer, FailureCode::Denied, &["403"]);
    }

    #[test]
    fn what_comes_too_slowly_is_given_up() {
        let head = b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n";
        let drip = |_: &Asked| Reply::Drip(head.to_vec(), Duration::from_millis(50));
        let start = Instant::now();
        let server = Faulty::start(drip);
        let at = format!("{}/app", server.host);
        let large = blob(&[b'x'; 1 << 16]);
        let slow = ["transfer-rate", "1024"];
        fails(read(&quick(), &at, &large), FailureCode::Unavailable, &slow);
        assert_eq!(server.count(), 1, "it would not be faster");
        fails(
            resolve(&quick(), &format!("{at}:t")),
            FailureCode::Unavailable,
            &slow,
        );
        // Fast enough, and still no end.
        let limits = Limits::default()
            .with(Limit::TransferRate, 1)
            .with(Limit::TransferSeconds, 1);
        let all = Repositories::new(options().limits(limits)).unwrap();
        fails(
            read(&all, &at, &large),
            FailureCode::Unavailable,
            &["transfer-seconds of 1"],
        );
        assert!(resolve(&all, &format!("{at}:t")).is_err());
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn an_impossible_length_is_refused_at_once() {
        let head = b"HTTP/1.1 200 X\r\nContent-Length: 99000000000000\r\n\r\n";
        let server = Faulty::start(|_| Reply::Drip(head.to_vec(), Duration::from_millis(100)));
        let at = format!("{}/app", server.host);
        let start = Instant::now();
        let says = ["announces 99000000000000 bytes", "more than the 19 that"];
        fails(
            read(&quick(), &at, &blob(TEXT)),
            FailureCode::Corrupt,
            &says,
        );
        assert_eq!(server.count(), 1);
        let manifest = resolve(&quick(), &format!("{at}:t"));
        fails(manifest, FailureCode::TooLarge, &["manifest-bytes"]);
        // What a manifest says of a layer is not asked for.
        let layer = Descriptor {
            size: 99_000_000_000_000,
            ..descriptor(TAR, TEXT)
        };
        let retrieved = retrieve(&quick(), &at, &layer, None, None);
        fails(retrieved, FailureCode::TooLarge, &["layer-bytes"]);
        assert_eq!(server.count(), 2);
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_lost_connection_leaves_what_was_there() {
        let layer = tar(&[file("p/small", "x"), file("p/big", &"0".repeat(1 << 20))]);
        let wanted = descriptor(TAR, &layer);
        let length = layer.len().to_string();
        let cut = layer[..layer.len() / 2].to_vec();
        let server = Faulty::start(move |_| reply(200, &[("Content-Length", &length)], &cut));
        let dir = Dir::new();
        write(&dir.path().join("p/old"), "old");
        let before = tree(dir.path());
        let at = format!("{}/app", server.host);
        let into = Some((".", "p"));
        let failed = retrieve(&repositories(&dir), &at, &wanted, None, into);
        fails(failed, FailureCode::Truncated, &[]);
        assert_eq!(tree(dir.path()), before);
    }

    #[test]
    fn what_is_too_large_is_not_asked_for() {
        let server = Faulty::start(|_| ok(TEXT));
        let all = quick();
        let at = format!("{}/app", server.host);
        let answers = all.read(&at, &[blob(TEXT)], TEXT.len() as u64 - 1);
        fails(answers[0].clone(), FailureCode::TooLarge, &["18"]);
        let bad = Descriptor {
            digest: "sha256:../..".to_owned(),
            ..blob(TEXT)
        };
        fails(
            read(&all, &at, &bad),
            FailureCode::Invalid,
            &["sha256:../.."],
        );
        fails(all.delete(&at, "latest"), FailureCode::Invalid, &["latest"]);
        fails(
            read(&all, "not a place", &blob(TEXT)),
            FailureCode::Invalid,
            &["not a place"],
        );
        assert_eq!(server.count(), 0);
    }

    #[test]
    fn who_does_not_answer_in_time_is_unavailable() {
        let start = Instant::now();
        let half = b"HTTP/1.1 200 X\r\nContent-Length: 19\r\n\r\n{\"some\"";
        let (answer, server) = reading(|_| Reply::Hang(half.to_vec()));
        fails(answer, FailureCode::Unavailable, &["time"]);
        assert_eq!(server.count(), 3);
        let (answer, _) = reading(|_| Reply::Hang(Vec::new()));
        fails(answer, FailureCode::Unavailable, &["time"]);
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{:?}",
            start.elapsed()
        );
    }

    #[test]
    fn broken_connections_are_tried_again() {
        let (answer, server) = reading(|_| Reply::Reset);
        fails(answer, FailureCode::Unavailable, &[]);
        assert_eq!(server.count(), 3);
        let (answer, server) = reading(|asked| {
            if asked.before < 2 {
                Reply::Reset
            } else {
                ok(TEXT)
            }
        });
        assert_eq!(answer.unwrap().as_bytes(), TEXT);
        assert_eq!(server.count(), 3);
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let nobody = format!("127.0.0.1:{port}/app");
        fails(
            read(&quick(), &nobody, &blob(TEXT)),
            FailureCode::Unavailable,
            &[&nobody[..14]],
        );
        let has = quick().has(&nobody, &[sha256(TEXT).to_string()]);
        fails(has, FailureCode::Unavailable, &[]);
    }

    #[test]
    fn statuses_have_their_meanings() {
        for (status, code, requests) in [
            (404, FailureCode::NotFound, 2),
            (403, FailureCode::Denied, 1),
            (401, FailureCode::Unauthorized, 1),
            (400, FailureCode::Invalid, 1),
            (418, FailureCode::Other, 1),
            (500, FailureCode::Unavailable, 3),
            (503, FailureCode::Unavailable, 3),
            (429, FailureCode::Unavailable, 3),
            (507, FailureCode::Full, 3),
            (501, FailureCode::Unsupported, 1),
        ] {
            let (answer, server) = reading(move |_| {
                let words = br#"{"errors":[{"code":"SOME","message":"red \u001b[31m"}]}"#;
                reply(status, &[], words)
            });
            let failure = answer.unwrap_err();
            assert_eq!(failure.code, code, "{status}: {failure}");
            assert_eq!(server.count(), requests, "{status}");
            if status != 401 {
                assert!(
                    failure.message.contains(&format!("{status}, \"SOME\"")),
                    "{failure}"
                );
            }
            assert!(!failure.message.contains('\u{1b}'), "{failure:?}");
        }
        let (answer, server) = reading(|asked| {
            if asked.before < 2 {
                reply(500, &[], b"")
            } else {
                ok(TEXT)
            }
        });
        assert_eq!(answer.unwrap().as_bytes(), TEXT);
        assert_eq!(server.count(), 3);
    }

    #[test]
    fn a_registry_may_ask_for_a_pause_but_not_a_long_one() {
        let start = Instant::now();
        let (answer, _) = reading(|asked| match asked.before {
            0 => reply(429, &[("Retry-After", "3600")], b""),
            1 => reply(
                503,
                &[("Retry-After", "Wed, 21 Oct 2065 07:28:00 GMT")],
                b"",
            ),
            _ => ok(TEXT),
        });
        assert_eq!(answer.unwrap().as_bytes(), TEXT);
        assert!(start.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn documents_are_found_on_both_shelves() {
        let (answer, server) = reading(|asked| {
            if asked.path.contains("/manifests/") {
                ok(TEXT)
            } else {
                reply(404, &[], b"")
            }
        });
        assert_eq!(answer.unwrap().as_bytes(), TEXT);
        assert_eq!(server.count(), 2);
        let server = Faulty::start(|asked| {
            if asked.path.contains("/blobs/") {
                ok(TEXT)
            } else {
                reply(404, &[], b"")
            }
        });
        let at = format!("{}/app", server.host);
        assert!(read(&quick(), &at, &descriptor(INDEX, TEXT)).is_ok());
        let missing = Faulty::start(|_| reply(404, &[], b""));
        let at = format!("{}/app", missing.host);
        let digest = sha256(TEXT).to_string();
        assert_eq!(
            quick().has(&at, std::slice::from_ref(&digest)).unwrap(),
            [Presence::Absent]
        );
        let strange = Faulty::start(|_| reply(405, &[], b""));
        let at = format!("{}/app", strange.host);
        assert_eq!(
            quick().has(&at, std::slice::from_ref(&digest)).unwrap(),
            [Presence::Unknown]
        );
        fails(
            quick().delete(&at, &digest),
            FailureCode::Unsupported,
            &["405"],
        );
    }

    #[test]
    fn redirects_of_blobs_are_followed_but_not_everywhere() {
        let store = Faulty::start(|_| ok(TEXT));
        let to = format!("http://{}/bucket?signed=1", store.host);
        let (answer, _) = reading(move |_| reply(307, &[("Location", &to)], b""));
        assert_eq!(answer.unwrap().as_bytes(), TEXT);
        assert_eq!(store.asked()[0].path, "/bucket?signed=1");
        let (answer, server) = reading(|_| reply(302, &[("Location", "/again")], b""));
        fails(answer, FailureCode::Other, &["redirects"]);
        assert!(server.count() < 10);
        for location in ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://["] {
            let (answer, _) = reading(move |_| reply(302, &[("Location", location)], b""));
            fails(answer, FailureCode::Other, &[]);
        }
        let lying = Faulty::start(|_| ok(b"{\"some\":\"DOCUMENT\"}"));
        let to = format!("http://{}/", lying.host);
        let (answer, _) = reading(move |_| reply(307, &[("Location", &to)], b""));
        fails(answer, FailureCode::Corrupt, &[]);
    }

    #[test]
    fn what_a_server_repeats_of_a_signed_address_is_not_told() {
        let store = Faulty::start(|asked| {
            let body = format!(
                r#"{{"errors":[{{"code":"DENIED","message":"{}"}}]}}"#,
                asked.path
            );
            reply(403, &[], body.as_bytes())
        });
        let to = format!("http://{}/bucket?signature=abcdef0123456789", store.host);
        let (answer, _) = reading(move |_| reply(307, &[("Location", &to)], b""));
        let failure = answer.unwrap_err();
        assert_eq!(failure.code, FailureCode::Denied, "{failure:?}");
        assert!(!failure.message.contains("signature"), "{failure:?}");
        assert!(!failure.message.contains("abcdef"), "{failure:?}");
    }

    #[test]
    fn uploads_start_again() {
        let puts = Arc::new(AtomicUsize::new(0));
        let count = puts.clone();
        let server = Faulty::start(move |asked| match asked.method.as_str() {
            "HEAD" => reply(404, &[], b""),
            "POST" => reply(202, &[("Location", "/upload/session?state=a")], b""),
            "PUT" => match count.fetch_add(1, Ordering::SeqCst) {
                0 => reply(500, &[], b""),
                1 => reply(404, &[], b""),
                _ => reply(201, &[], b""),
            },
            _ => reply(204, &[], b""),
        });
        let at = format!("{}/app", server.host);
        let text = String::from_utf8(TEXT.to_vec()).unwrap();
        let stored = quick().write(&at, Shelf::Blob, CONFIG, &text).unwrap();
        assert_eq!(stored, blob(TEXT));
        let asked = server.asked();
        let sent: Vec<_> = asked.iter().filter(|asked| asked.method == "PUT").collect();
        assert_eq!(sent.len(), 3);
        for put in sent {
            assert_eq!(put.body, TEXT);
            let digest = sha256(TEXT).to_string().replace(':', "%3A");
            assert_eq!(put.path, format!("/upload/session?state=a&digest={digest}"));
        }
        assert_eq!(
            asked
                .iter()
                .filter(|asked| asked.method == "DELETE")
                .count(),
            2
        );
    }

    #[test]
    fn a_source_that_lies_is_not_stored() {
        let source = Faulty::start(|_| ok(b"{\"some\":\"DOCUMENT\"}"));
        let target = Faulty::start(|asked| match asked.method.as_str() {
            "HEAD" => reply(404, &[], b""),
            "POST" => reply(202, &[("Location", "/upload")], b""),
            "PUT" => reply(201, &[], b""),
            _ => reply(204, &[], b""),
        });
        let from = Source::Repository(format!("{}/app", source.host));
        let stored = store(&quick(), &format!("{}/app", target.host), blob(TEXT), from);
        fails(stored, FailureCode::Corrupt, &[&sha256(TEXT).to_string()]);
        let whole = target.asked().iter().any(|asked| asked.method == "PUT");
        assert!(!whole, "the last bytes were kept back");
    }

    #[test]
    fn not_too_much_at_once() {
        let server = Faulty::start(|_| {
            sleep(Duration::from_millis(60));
            ok(TEXT)
        });
        let at = format!("{}/app", server.host);
        let answers = quick().read(&at, &vec![blob(TEXT); 16], 100);
        assert!(answers.iter().all(Result::is_ok));
        assert!(
            (2..=4).contains(&server.most()),
            "{} at once",
            server.most()
        );
        let alone = Repositories::new(options().at_once(0)).unwrap();
        let server = Faulty::start(|_| ok(TEXT));
        let at = format!("{}/app", server.host);
        assert!(
            alone
                .read(&at, &vec![blob(TEXT); 4], 100)
                .iter()
                .all(Result::is_ok)
        );
        assert_eq!(server.most(), 1);
    }
}
