//! What a registry is asked with is not in a transcript, whatever the registry
//! says.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use layerwise::buildpacks::ImageOptions;
use layerwise_host::{Engine, EngineOptions, Error, Imports, Recorder, SessionLimits};
use layerwise_registry::{Credentials, Keychain, Options, Repositories};

/// A registry that wants a password, and repeats what it is told.
fn registry() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut shown = None;
            for line in BufReader::new(&stream).lines() {
                let Ok(line) = line else { break };
                if line.is_empty() {
                    break;
                }
                if line.to_ascii_lowercase().starts_with("authorization:") {
                    shown = Some(line);
                }
            }
            let (status, more, body) = match shown {
                None => (
                    "401 Unauthorized",
                    "WWW-Authenticate: Basic realm=\"x\"\r\n",
                    String::new(),
                ),
                Some(header) => (
                    "403 Forbidden",
                    "",
                    format!(
                        r#"{{"errors":[{{"code":"HOSTILE","message":"{header} correct-horse"}}]}}"#
                    ),
                ),
            };
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\n{more}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    host
}

#[test]
fn credentials_are_not_in_a_transcript() {
    let host = registry();
    let credentials = Credentials::Password {
        user: "somebody".to_owned(),
        password: "correct-horse".to_owned(),
    };
    let keys = Keychain::none().with(&host, credentials);
    let repositories = Repositories::new(Options::default().keychain(keys)).unwrap();
    let recorder = Recorder::new();
    let options = EngineOptions {
        record: Some(recorder.clone()),
        ..EngineOptions::default()
    };
    let engine = Engine::new(&options).unwrap();
    let lent = Imports {
        registry: Arc::new(repositories),
        ..Imports::default()
    };
    let options = ImageOptions {
        reference: format!("{host}/team/app:cache"),
        scope: "team/app".to_owned(),
        ..ImageOptions::default()
    };
    let opened = engine.buildpacks_image(lent, options, SessionLimits::default());
    assert!(matches!(opened, Err(Error::Refused(_))));
    let text = recorder.transcript().unwrap();
    assert!(text.contains("HOSTILE"), "the registry was asked: {text}");
    for secret in ["correct-horse", "c29tZWJvZHk6Y29ycmVjdC1ob3JzZQ"] {
        assert!(!text.contains(secret), "{text}");
    }
}
