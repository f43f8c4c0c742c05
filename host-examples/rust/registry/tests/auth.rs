//! Who is asking: tokens, passwords, helpers, and to whom they are shown.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::env;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use layerwise::host::{FailureCode, Presence, Registry as _};
    use layerwise::oci::sha256;
    use layerwise_registry::{Credentials, Keychain, Repositories};

    use super::support::faulty::{Asked, Faulty, Reply, ok, reply};
    use super::support::*;

    const TEXT: &[u8] = b"text";
    const BASIC: &str = "Basic dXNlcjpwYXNz";

    fn user() -> Credentials {
        Credentials::Password {
            user: "user".to_owned(),
            password: "pass".to_owned(),
        }
    }

    fn knowing(host: &str, credentials: Credentials) -> Repositories {
        Repositories::new(options().keychain(Keychain::none().with(host, credentials))).unwrap()
    }

    fn nobody() -> Repositories {
        Repositories::new(options()).unwrap()
    }

    fn bearer(realm: &str) -> Reply {
        let challenge =
            format!("Bearer realm=\"{realm}\",service=\"s p\",scope=\"repository:app:pull\"");
        reply(401, &[("WWW-Authenticate", &challenge)], b"")
    }

    /// A registry that wants the token `secret`, from itself.
    fn with_tokens(token: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Faulty {
        Faulty::start(move |asked| {
            let host = asked.header("host").unwrap();
            if asked.path.starts_with("/token") {
                return token(asked);
            }
            match asked.header("authorization") {
                Some("Bearer secret") => ok(TEXT),
                _ => bearer(&format!("http://{host}/token")),
            }
        })
    }

    fn count(server: &Faulty, path: &str) -> usize {
        server
            .asked()
            .iter()
            .filter(|asked| asked.path.starts_with(path))
            .count()
    }

    #[test]
    fn words_of_a_registry_that_repeat_a_secret_are_not_passed_on() {
        for (credentials, challenge) in [
            (user(), "Basic realm=\"x\""),
            (
                Credentials::Bearer("bearer-secret".to_owned()),
                "Bearer realm=\"http://127.0.0.1:1/\"",
            ),
        ] {
            let server = Faulty::start(move |asked| match asked.header("authorization") {
                None => reply(401, &[("WWW-Authenticate", challenge)], b""),
                Some(header) => {
                    let words = format!("no: {header} pass bearer-secret");
                    let body =
                        format!("{{\"errors\":[{{\"code\":\"NO\",\"message\":\"{words}\"}}]}}");
                    reply(403, &[], body.as_bytes())
                }
            });
            let all = knowing(&server.host, credentials.clone());
            let at = format!("{}/app", server.host);
            let failure = read(&all, &at, &descriptor(CONFIG, TEXT)).unwrap_err();
            let secret = match credentials {
                Credentials::Password { .. } => "pass",
                _ => "bearer-secret",
            };
            assert_eq!(failure.code, FailureCode::Denied);
            assert!(failure.message.contains("\"NO\""), "{failure}");
            assert!(!failure.message.contains(secret), "{failure}");
            assert!(!failure.message.contains("dXNlcjpwYXNz"), "{failure}");
        }
    }

    #[test]
    fn a_token_is_fetched_once_and_used() {
        let server = with_tokens(|_| ok(br#"{"token":"secret","expires_in":300}"#));
        let at = format!("{}/app", server.host);
        let all = knowing(&server.host, user());
        for _ in 0..3 {
            assert_eq!(read(&all, &at, &descriptor(CONFIG, TEXT)).unwrap(), "text");
        }
        assert_eq!(count(&server, "/token"), 1);
        let asked = server.asked();
        assert_eq!(
            asked[0].header("authorization"),
            None,
            "nothing is shown before it is asked for"
        );
        assert_eq!(asked[1].header("authorization"), Some(BASIC));
        assert_eq!(
            asked[1].path,
            "/token?service=s%20p&scope=repository%3Aapp%3Apull"
        );
        assert_eq!(server.count(), 5);

        let server = with_tokens(|_| ok(br#"{"access_token":"secret","expires_in":0}"#));
        let at = format!("{}/app", server.host);
        let all = nobody();
        for _ in 0..2 {
            assert!(read(&all, &at, &descriptor(CONFIG, TEXT)).is_ok());
        }
        assert_eq!(count(&server, "/token"), 2, "this one does not last");
        assert!(
            server
                .asked()
                .iter()
                .all(|asked| asked.header("authorization") != Some(BASIC))
        );
    }

    #[test]
    fn identity_tokens_are_exchanged() {
        let server = with_tokens(|asked| {
            let form = String::from_utf8(asked.body.clone()).unwrap();
            assert_eq!(asked.method, "POST");
            assert!(
                form.contains("grant_type=refresh_token&service=s%20p"),
                "{form}"
            );
            assert!(form.contains("refresh_token=id%2Ftoken"), "{form}");
            ok(br#"{"access_token":"secret"}"#)
        });
        let at = format!("{}/app", server.host);
        let all = knowing(&server.host, Credentials::Identity("id/token".to_owned()));
        assert!(read(&all, &at, &descriptor(CONFIG, TEXT)).is_ok());
        let server = with_tokens(|_| panic!("none is needed"));
        let at = format!("{}/app", server.host);
        let all = knowing(&server.host, Credentials::Bearer("secret".to_owned()));
        assert!(read(&all, &at, &descriptor(CONFIG, TEXT)).is_ok());
    }

    #[test]
    fn passwords_are_shown_where_they_are_asked_for() {
        let server = Faulty::start(|asked| match asked.header("authorization") {
            Some(BASIC) => ok(TEXT),
            _ => reply(401, &[("WWW-Authenticate", "Basic realm=\"r\"")], b""),
        });
        let at = format!("{}/app", server.host);
        let all = knowing(&server.host, user());
        let digests = [sha256(TEXT).to_string()];
        assert_eq!(all.has(&at, &digests).unwrap(), [Presence::Present]);
        fails(
            nobody().has(&at, &digests),
            FailureCode::Unauthorized,
            &[&server.host],
        );
        let wrong = Credentials::Password {
            user: "user".to_owned(),
            password: "x".to_owned(),
        };
        fails(
            knowing(&server.host, wrong).has(&at, &digests),
            FailureCode::Unauthorized,
            &["401"],
        );
        let token = Credentials::Identity("x".to_owned());
        fails(
            knowing(&server.host, token).has(&at, &digests),
            FailureCode::Unauthorized,
            &[],
        );
    }

    #[test]
    fn what_cannot_be_authenticated_is_unauthorized() {
        for challenge in [
            "",
            "Bearer",
            "Bearer service=\"s\"",
            "Negotiate",
            "Bearer realm=\"x\"",
        ] {
            let server =
                Faulty::start(move |_| reply(401, &[("WWW-Authenticate", challenge)], b""));
            let at = format!("{}/app", server.host);
            let failed = read(
                &knowing(&server.host, user()),
                &at,
                &descriptor(CONFIG, TEXT),
            );
            fails(failed, FailureCode::Unauthorized, &[&server.host]);
            assert_eq!(server.count(), 1, "{challenge}");
        }
        for (answer, code) in [
            (reply(401, &[], b""), FailureCode::Unauthorized),
            (reply(403, &[], b""), FailureCode::Denied),
            (reply(404, &[], b""), FailureCode::Unauthorized),
            (reply(500, &[], b""), FailureCode::Unavailable),
            (ok(b"{}"), FailureCode::Unauthorized),
            (ok(b"no json"), FailureCode::Unauthorized),
            (
                ok(b"{\"token\":\"a\\r\\nX-Evil: 1\"}"),
                FailureCode::Unauthorized,
            ),
            (ok(br#"{"token":"other"}"#), FailureCode::Unauthorized),
        ] {
            let Reply::Raw(bytes) = answer else { panic!() };
            let server = with_tokens(move |_| Reply::Raw(bytes.clone()));
            let at = format!("{}/app", server.host);
            let failed = read(&nobody(), &at, &descriptor(CONFIG, TEXT));
            fails(failed, code, &[]);
        }
    }

    #[test]
    fn no_other_host_sees_credentials() {
        let other = Faulty::start(|_| ok(TEXT));
        let to = format!("http://{}/blob", other.host);
        let server = Faulty::start(move |asked| match asked.header("authorization") {
            Some(BASIC) => reply(307, &[("Location", &to)], b""),
            _ => reply(401, &[("WWW-Authenticate", "Basic realm=\"r\"")], b""),
        });
        let at = format!("{}/app", server.host);
        let all = knowing(&server.host, user());
        assert!(read(&all, &at, &descriptor(CONFIG, TEXT)).is_ok());
        assert!(
            other
                .asked()
                .iter()
                .all(|asked| asked.header("authorization").is_none())
        );

        // Another host that asks for credentials after a redirect gets none.
        let asking =
            Faulty::start(|_| reply(401, &[("WWW-Authenticate", "Basic realm=\"r\"")], b""));
        let to = format!("http://{}/blob", asking.host);
        let server = Faulty::start(move |_| reply(307, &[("Location", &to)], b""));
        let at = format!("{}/app", server.host);
        let all = knowing(&server.host, user());
        let failed = read(&all, &at, &descriptor(CONFIG, TEXT));
        fails(failed, FailureCode::Unauthorized, &[]);
        assert!(
            asking
                .asked()
                .iter()
                .all(|asked| asked.header("authorization").is_none())
        );

        // Nor does the service for tokens that it names.
        let service = Faulty::start(|_| ok(br#"{"token":"secret"}"#));
        let realm = format!("http://{}/token", service.host);
        let asking = Faulty::start(move |_| bearer(&realm));
        let to = format!("http://{}/blob", asking.host);
        let server = Faulty::start(move |_| reply(307, &[("Location", &to)], b""));
        let at = format!("{}/app", server.host);
        let all = knowing(&server.host, user());
        let failed = read(&all, &at, &descriptor(CONFIG, TEXT));
        fails(failed, FailureCode::Unauthorized, &[]);
        assert_eq!(service.count(), 0);

        // Nor does one that uploads are sent to.
        let bucket = Faulty::start(|_| reply(201, &[], b""));
        let to = format!("http://{}/up", bucket.host);
        let server = Faulty::start(move |asked| match asked.header("authorization") {
            Some(BASIC) if asked.method == "HEAD" => reply(404, &[], b""),
            Some(BASIC) => reply(202, &[("Location", &to)], b""),
            _ => reply(401, &[("WWW-Authenticate", "Basic realm=\"r\"")], b""),
        });
        let at = format!("{}/app", server.host);
        let all = knowing(&server.host, user());
        all.write(&at, layerwise::host::Shelf::Blob, CONFIG, "text")
            .unwrap();
        assert_eq!(bucket.asked()[0].body, b"text");
        assert!(
            bucket
                .asked()
                .iter()
                .all(|asked| asked.header("authorization").is_none())
        );
    }

    /// Run by the test below with an environment of its own.
    #[test]
    #[ignore = "needs the environment that the next test makes"]
    fn with_a_config_file() {
        let host = env::var("LAYERWISE_TEST_HOST").unwrap();
        let code = env::var("LAYERWISE_TEST_CODE").ok();
        let all = Repositories::new(options().keychain(Keychain::usual())).unwrap();
        let answer = read(&all, &format!("{host}/app"), &descriptor(CONFIG, TEXT));
        match code.as_deref() {
            None => assert_eq!(answer.unwrap(), "text"),
            Some(says) => fails(answer, FailureCode::Unauthorized, &[says]),
        }
        let again = read(&all, &format!("{host}/app"), &descriptor(CONFIG, TEXT));
        assert_eq!(again.is_ok(), code.is_none());
    }

    #[test]
    fn the_config_file_and_its_helpers_are_used() {
        let dir = Dir::new();
        let server = Faulty::start(|asked| match asked.header("authorization") {
            Some(BASIC) => ok(TEXT),
            _ => reply(401, &[("WWW-Authenticate", "Basic realm=\"r\"")], b""),
        });
        let helper = |name: &str, script: &str| {
            let path = dir.path().join(format!("docker-credential-{name}"));
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        };
        let log = dir.path().join("log");
        let answer = r#"{"ServerURL":"x","Username":"user","Secret":"pass"}"#;
        helper(
            "good",
            &format!("cat >> {log:?}; echo \" $1\" >> {log:?}; echo '{answer}'"),
        );
        helper(
            "unknown",
            "cat > /dev/null; echo 'credentials not found in native keychain'; exit 1",
        );
        let slow = dir.path().join("slow");
        helper("slow", &format!("echo $$ > {slow:?}; sleep 300; true"));
        helper("broken", "cat > /dev/null; echo nonsense; exit 3");
        let host = &server.host;
        let auths = format!(r#""auths": {{"{host}": {{"auth": "dXNlcjpwYXNz"}}}}"#);
        for (config, says) in [
            (format!("{{{auths}}}"), None),
            (format!(r#"{{"credHelpers": {{"{host}": "good"}}}}"#), None),
            (r#"{"credsStore": "good"}"#.to_owned(), None),
            (format!(r#"{{"credsStore": "unknown", {auths}}}"#), None),
            (
                r#"{"credsStore": "unknown"}"#.to_owned(),
                Some("no credentials"),
            ),
            ("{}".to_owned(), Some("no credentials")),
            (
                r#"{"credsStore": "slow"}"#.to_owned(),
                Some("no response within"),
            ),
            (
                r#"{"credsStore": "broken"}"#.to_owned(),
                Some("ended with an error"),
            ),
            (
                r#"{"credsStore": "missing"}"#.to_owned(),
                Some("unable to communicate with credential helper"),
            ),
        ] {
            fs::write(dir.path().join("config.json"), &config).unwrap();
            let path = format!("{}:{}", dir.path().display(), env::var("PATH").unwrap());
            let mut command = Command::new(env::current_exe().unwrap());
            command
                .args(["--ignored", "--exact", "tests::with_a_config_file"])
                .env("DOCKER_CONFIG", dir.path())
                .env("PATH", path)
                .env("LAYERWISE_TEST_HOST", host);
            if let Some(says) = says {
                command.env("LAYERWISE_TEST_CODE", says);
            }
            let output = command.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && text.contains("1 passed"),
                "{config}: {text}"
            );
        }
        // The one that did not answer was ended.
        let process = fs::read_to_string(&slow).unwrap();
        let process = rustix::process::Pid::from_raw(process.trim().parse().unwrap());
        let there = rustix::process::test_kill_process(process.unwrap());
        assert_eq!(there, Err(rustix::io::Errno::SRCH));
        let asked = fs::read_to_string(&log).unwrap();
        assert_eq!(
            asked,
            format!("{host} get\n{host} get\n"),
            "once for each process"
        );
    }

    #[test]
    fn every_usual_place_is_looked_at() {
        let dir = Dir::new();
        let server = Faulty::start(|asked| match asked.header("authorization") {
            Some(BASIC) => ok(TEXT),
            _ => reply(401, &[("WWW-Authenticate", "Basic realm=\"r\"")], b""),
        });
        let host = &server.host;
        let auths = format!(r#"{{"auths": {{"{host}": {{"auth": "dXNlcjpwYXNz"}}}}}}"#);
        let wrong = format!(r#"{{"auths": {{"{host}": {{"auth": "dXNlcjp3cm9uZw=="}}}}}}"#);
        let file = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let given = file("given.json", &auths);
        file("docker/config.json", &auths);
        file("wrong/config.json", &wrong);
        file("run/containers/auth.json", &auths);
        file("home/.config/containers/auth.json", &auths);
        let inside = |name: &str| dir.path().join(name).display().to_string();
        let header = format!(r#"{{"{host}": "{BASIC}"}}"#);
        for (variables, knows) in [
            (vec![("REGISTRY_AUTH_FILE", given.clone())], true),
            (vec![("DOCKER_CONFIG", inside("docker"))], true),
            (vec![("XDG_RUNTIME_DIR", inside("run"))], true),
            (vec![("HOME", inside("home"))], true),
            (vec![("CNB_REGISTRY_AUTH", header.clone())], true),
            (vec![], false),
            // What was given for this run goes before what a login left.
            (
                vec![
                    ("CNB_REGISTRY_AUTH", header),
                    ("DOCKER_CONFIG", inside("wrong")),
                ],
                true,
            ),
            (
                vec![
                    ("REGISTRY_AUTH_FILE", given),
                    ("DOCKER_CONFIG", inside("wrong")),
                ],
                true,
            ),
        ] {
            let mut command = Command::new(env::current_exe().unwrap());
            command
                .args(["--ignored", "--exact", "tests::with_a_config_file"])
                .env_clear()
                .env("HOME", inside("nobody"))
                .env("LAYERWISE_TEST_HOST", host)
                .envs(variables.iter().cloned());
            if !knows {
                command.env("LAYERWISE_TEST_CODE", "no credentials");
            }
            let output = command.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && text.contains("1 passed"),
                "{variables:?}: {text}"
            );
        }
    }
}
