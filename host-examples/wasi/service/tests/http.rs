//! Requests and their answers, with a registry that is a table.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::io::Read as _;
    use std::sync::Mutex;

    use flate2::read::GzDecoder;
    use layerwise::base64::encode;
    use layerwise::host::{Failure, FailureCode};
    use layerwise::oci::sha256;
    use layerwise_service::{Answer, Fetch, Question, Request, Response, Settings, answer};
    use serde_json::{Value, json};

    const HOST: &str = "registry.example";
    const SECRET: &str = "c2VjcmV0OnNlY3JldA==";
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

    /// A registry by the paths that it has, which lets in whoever has a token.
    #[derive(Default)]
    struct Table {
        bodies: BTreeMap<String, (String, Vec<u8>)>,
        guarded: bool,
        asked: Mutex<Vec<Question>>,
    }

    impl Fetch for Table {
        fn fetch(&self, question: &Question) -> Result<Answer, Failure> {
            self.asked.lock().unwrap().push(question.clone());
            let sent = question.headers.iter();
            let sent: BTreeMap<&str, &str> =
                sent.map(|(name, value)| (*name, value.as_str())).collect();
            let status = |status| {
                Ok(Answer {
                    status,
                    ..Answer::default()
                })
            };
            if question.path.starts_with("/token?") {
                let known = sent.get("authorization") == Some(&&*format!("Basic {SECRET}"));
                return Ok(Answer {
                    status: if known { 200 } else { 401 },
                    body: br#"{"token":"tok-en-123"}"#.to_vec(),
                    ..Answer::default()
                });
            }
            if self.guarded && sent.get("authorization") != Some(&"Bearer tok-en-123") {
                let realm = format!("Bearer realm=\"https://{HOST}/token\",service=\"s\"");
                return Ok(Answer {
                    status: 401,
                    headers: vec![("www-authenticate".to_owned(), realm)],
                    body: Vec::new(),
                });
            }
            match self.bodies.get(&question.path) {
                Some((media_type, body)) => Ok(Answer {
                    status: 200,
                    headers: vec![("content-type".to_owned(), media_type.clone())],
                    body: body.clone(),
                }),
                None if question.path.contains("down") => {
                    Err(Failure::new(FailureCode::Unavailable, "no connection"))
                }
                None => status(404),
            }
        }
    }

    impl Table {
        fn put(&mut self, path: &str, media_type: &str, body: &str) {
            let body = (media_type.to_owned(), body.as_bytes().to_vec());
            self.bodies.insert(path.to_owned(), body);
        }

        /// A cache of one step, whose layer is there or not.
        fn cache(&mut self, there: bool) {
            let layer = sha256(b"layer").to_string();
            let config = json!({
                "layers": [{"blob": layer, "parent": -1}],
                "records": [{"digest": sha256(b"step").to_string(),
                    "layers": [{"layer": 0, "createdAt": "2026-01-01T00:00:00Z"}]}],
            })
            .to_string();
            let digest = sha256(config.as_bytes());
            let manifest = json!({
                "schemaVersion": 2, "mediaType": MANIFEST,
                "config": {"mediaType": "application/vnd.buildkit.cacheconfig.v0",
                    "digest": digest.to_string(), "size": config.len()},
                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    "digest": layer, "size": 5,
                    "annotations": {"containerd.io/uncompressed": sha256(b"plain").to_string()}}],
            })
            .to_string();
            let of = sha256(manifest.as_bytes());
            self.put("/v2/app/manifests/cache", MANIFEST, &manifest);
            self.put(&format!("/v2/app/manifests/{of}"), MANIFEST, &manifest);
            self.put(&format!("/v2/app/blobs/{digest}"), "", &config);
            if there {
                self.put(&format!("/v2/app/blobs/{layer}"), "", "layer");
            }
        }
    }

    fn settings() -> Settings {
        let auths = json!({"auths": {HOST: {"auth": SECRET}}}).to_string();
        Settings::read(|name| match name {
            "LAYERWISE_REGISTRIES" => Some(HOST.to_owned()),
            "LAYERWISE_AUTHS" => Some(auths.clone()),
            "LAYERWISE_BODY_BYTES" => Some("200000".to_owned()),
            _ => None,
        })
        .unwrap()
    }

    fn asked(table: &Table, method: &str, path: &str, body: &str) -> Response {
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            body: body.as_bytes().to_vec(),
        };
        let response = answer(&settings(), table, &request);
        assert!(!response.body.contains(SECRET) && !response.body.contains("tok-en-123"));
        response
    }

    fn post(path: &str, body: &Value) -> (u16, Value) {
        on(&Table::default(), path, body)
    }

    fn on(table: &Table, path: &str, body: &Value) -> (u16, Value) {
        let response = asked(table, "POST", path, &body.to_string());
        let body = serde_json::from_str(&response.body).unwrap();
        (response.status, body)
    }

    /// Everything that the document of the command line has is there.
    fn complete(document: &Value, name: &str) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rust/cli/schemas");
        let schema = std::fs::read_to_string(format!("{path}/{name}-1.json")).unwrap();
        let schema: Value = serde_json::from_str(&schema).unwrap();
        assert_eq!(document["schema"], schema["properties"]["schema"]["const"]);
        for member in schema["required"].as_array().unwrap() {
            assert!(document.get(member.as_str().unwrap()).is_some(), "{member}");
        }
    }

    fn refused(answer: &(u16, Value), status: u16, kind: &str, says: &str) {
        let (have, body) = answer;
        assert_eq!(*have, status, "{body}");
        assert_eq!(body["schema"], "layerwise/error/1");
        assert_eq!(body["error"]["kind"], kind, "{body}");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains(says), "{message}");
    }

    /// The first scene of `layerwise demo`.
    fn step(mode: &str) -> Value {
        let base = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers"},
            "config": {"Env": ["PATH=/bin"]}})
        .to_string();
        let made =
            json!({"architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z",
            "container_config": {"Cmd": ["make"], "Env": ["MODE=fast"]},
            "rootfs": {"type": "layers"}})
            .to_string();
        json!({
            "images": [
                {"document": base, "names": ["base:1"]},
                {"document": made, "parent": sha256(base.as_bytes()).to_string(), "built_here": true},
            ],
            "parent": "base:1",
            "config": {"Cmd": ["make"], "Env": [format!("MODE={mode}")]},
            "platform": "linux/amd64",
            "explain": true,
        })
    }

    #[test]
    fn a_step_hits_or_misses() {
        let (status, hit) = post("/v1/docker/plan", &step("fast"));
        assert_eq!(status, 200, "{hit}");
        complete(&hit, "docker-step");
        assert_eq!(hit["answer"]["outcome"], "hit-local");
        let (_, miss) = post("/v1/docker/plan", &step("safe"));
        assert_eq!(miss["answer"]["outcome"], "miss");
        assert_eq!(
            miss["explanation"]["nearest"]["code"],
            "docker/config-mismatch"
        );
        let mut unknown = step("fast");
        unknown["parent"] = json!("other");
        refused(
            &post("/v1/docker/plan", &unknown),
            404,
            "store",
            "\"other\"",
        );
        unknown["surprise"] = json!(1);
        refused(&post("/v1/docker/plan", &unknown), 400, "usage", "surprise");
        let mut bad = step("fast");
        bad["platform"] = json!("linux");
        refused(&post("/v1/docker/plan", &bad), 400, "usage", "no platform");
        bad = step("fast");
        bad["semantics"] = json!({"reading": "compatible", "version": "1"});
        let answer = post("/v1/docker/plan", &bad);
        refused(&answer, 422, "unsupported", "1");
        assert_eq!(answer.1["error"]["code"], "docker/unknown-version");
    }

    #[test]
    fn a_cache_is_verified_as_a_config_and_in_a_registry() {
        for there in [true, false] {
            let mut table = Table {
                guarded: there,
                ..Table::default()
            };
            table.cache(there);
            let request = json!({"cache": format!("{HOST}/app:cache"), "records": true});
            let (status, body) = on(&table, "/v1/buildkit/verify", &request);
            assert_eq!(status, 200, "{body}");
            complete(&body, "buildkit-cache");
            let standing = if there { "hit" } else { "broken" };
            assert_eq!(body["records"][0]["standing"], standing, "{body}");
            assert_eq!(body["severities"]["error"], u64::from(!there));
        }
        let config = json!({"layers": [], "records": []});
        let (status, body) = post("/v1/buildkit/verify", &json!({"config": config}));
        assert_eq!((status, &body["layers"]), (200, &json!("none")), "{body}");
        let both = json!({"config": {}, "cache": "a/b:c"});
        refused(&post("/v1/buildkit/verify", &both), 400, "usage", "either");
    }

    #[test]
    fn only_registries_of_the_list_are_asked() {
        let table = Table::default();
        for cache in [
            "other.example/app:cache",
            "registry.example:81/app:cache",
            "127.0.0.1:5000/app:cache",
        ] {
            let answer = on(&table, "/v1/buildkit/verify", &json!({"cache": cache}));
            refused(&answer, 403, "denied", "not on the list");
        }
        for cache in [
            "app",
            "registry.example/../x:1",
            "registry.example/a b:1",
            "registry.example/A:1",
        ] {
            let answer = on(&table, "/v1/buildkit/verify", &json!({"cache": cache}));
            refused(&answer, 400, "usage", "expected HOST/NAME");
        }
        assert_eq!(table.asked.lock().unwrap().len(), 0);
        let lost = json!({"cache": format!("{HOST}/down:1")});
        refused(
            &on(&table, "/v1/buildkit/verify", &lost),
            502,
            "host",
            "no connection",
        );
        let none = json!({"cache": format!("{HOST}/none:1")});
        refused(
            &on(&table, "/v1/buildkit/verify", &none),
            404,
            "not-found",
            "404",
        );
    }

    #[test]
    fn bytes_with_another_digest_are_refused() {
        let mut table = Table::default();
        table.cache(true);
        for (media_type, body) in table.bodies.values_mut() {
            if media_type.is_empty() {
                body.extend_from_slice(b" ");
            }
        }
        let request = json!({"cache": format!("{HOST}/app:cache")});
        let (status, body) = on(&table, "/v1/buildkit/verify", &request);
        assert_eq!(status, 200);
        let code = &body["findings"][0]["code"];
        assert_eq!(code, "buildkit/digest-mismatch", "{body}");
    }

    #[test]
    fn metadata_is_restored_from_labels() {
        let layer = json!({"sha": "sha256:1", "cache": true, "build": true, "launch": false});
        let label = json!({"buildpacks": [{"key": "ex/bp", "version": "1",
            "layers": {"deps": layer}}]});
        let request = json!({
            "platform_api": "0.14", "directory": "/layers",
            "group": [{"id": "ex/bp", "version": "1", "api": "0.10"}],
            "cache": {"label": label.to_string()}, "explain": true,
        });
        let (status, body) = post("/v1/buildpacks/plan", &request);
        assert_eq!(status, 200, "{body}");
        complete(&body, "buildpacks-restore");
        assert_eq!(
            body["plan"]["files"][0]["path"], "/layers/ex_bp/deps.toml",
            "{body}"
        );
        let mut bad = request;
        bad["platform_api"] = json!("new");
        refused(&post("/v1/buildpacks/plan", &bad), 422, "invalid", "new");
    }

    /// The documents of a build, as `docker buildx history export` writes them.
    fn build(name: &str) -> Value {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../tests/vectors/buildkit-builds"
        );
        let file = File::open(format!("{path}/dockerbuild/{name}.dockerbuild")).unwrap();
        let mut documents = Vec::new();
        for entry in tar::Archive::new(GzDecoder::new(file)).entries().unwrap() {
            let mut bytes = Vec::new();
            let mut entry = entry.unwrap();
            entry.read_to_end(&mut bytes).unwrap();
            // Records begin with a length, which is no text.
            match String::from_utf8(bytes) {
                Ok(text) if text.contains("\"buildDefinition\"") || text.contains("\"Ref\"") => {
                    documents.push(json!({"form": "text", "content": text}));
                }
                Ok(_) => {}
                Err(error) => {
                    let text = encode(error.as_bytes());
                    documents.insert(0, json!({"form": "log", "content": text}));
                }
            }
        }
        assert_eq!(documents.len(), 3);
        json!({ "documents": documents })
    }

    #[test]
    fn a_build_is_compared_with_an_earlier_one() {
        let pair = json!({"build": build("simple-label"), "against": build("base-simple")});
        let (status, body) = post("/v1/buildkit/why", &pair);
        assert_eq!(status, 200, "{body}");
        let causes = body["causes"].as_array().unwrap();
        let steps = body["steps"].as_array().unwrap();
        assert!(
            !causes.is_empty() && steps.iter().any(|step| step["state"] == "ran"),
            "{body}"
        );
        // The same once more: its files are not known, and the results were gone.
        let same = json!({"build": build("base-simple"), "against": build("base-simple")});
        let (_, body) = post("/v1/buildkit/why", &same);
        let causes = body["causes"].as_array().unwrap().iter();
        let codes: Vec<&Value> = causes.map(|cause| &cause["finding"]["code"]).collect();
        assert_eq!(codes, ["builds/files-unknown", "builds/result-lost"]);
    }

    #[test]
    fn why_wants_builds() {
        let nothing = json!({"build": {"documents": []}, "against": {"documents": []}});
        refused(
            &post("/v1/buildkit/why", &nothing),
            422,
            "invalid",
            "no document",
        );
        let text = json!({"form": "text", "content": "{"});
        let bad = json!({"build": {"documents": [text]}, "against": {"documents": []}});
        assert_eq!(post("/v1/buildkit/why", &bad).0, 422);
    }

    /// What the service says of itself is there, and nothing else is.
    #[test]
    fn every_path_is_described() {
        let table = Table::default();
        let described = asked(&table, "GET", "/openapi.json", "").body;
        let described: Value = serde_json::from_str(&described).unwrap();
        let methods: BTreeMap<String, String> = described["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                let methods = item.as_object().unwrap().keys();
                methods.map(move |method| (path.clone(), method.to_uppercase()))
            })
            .collect();
        let source = include_str!("../src/front.rs");
        let paths = source.split('"').filter(|part| part.starts_with('/'));
        for path in paths.filter(|path| !path.contains(char::is_whitespace)) {
            assert!(methods.contains_key(path), "{path}");
        }
        for (path, method) in &methods {
            assert_ne!(asked(&table, method, path, "").status, 404, "{path}");
            assert_ne!(asked(&table, method, path, "").status, 405, "{path}");
        }
    }

    #[test]
    fn paths_methods_and_sizes() {
        let table = Table::default();
        let get = |path| asked(&table, "GET", path, "");
        assert_eq!(
            (get("/health").status, &*get("/health").body),
            (200, "{\"status\":\"ok\"}\n")
        );
        assert_eq!(get("/nothing").status, 404);
        assert_eq!(get("/v1/docker/plan").status, 405);
        assert_eq!(asked(&table, "POST", "/health", "").status, 405);
        let large = " ".repeat(200_001);
        let response = asked(&table, "POST", "/v1/docker/plan", &large);
        let body: Value = serde_json::from_str(&response.body).unwrap();
        refused(
            &(response.status, body),
            413,
            "limit-exceeded",
            "body-bytes",
        );
        let metrics = get("/metrics");
        assert!(
            metrics
                .body
                .contains("path=\"/v1/docker/plan\",status=\"413\"} 1"),
            "{metrics:?}"
        );
        for text in ["", "[", "null", "{}", "\u{0}", &"[".repeat(90_000)] {
            for path in [
                "docker/plan",
                "buildkit/verify",
                "buildkit/why",
                "buildpacks/plan",
            ] {
                let response = asked(&table, "POST", &format!("/v1/{path}"), text);
                assert_eq!(response.status, 400, "{path} {text:.9}");
            }
        }
    }
}
