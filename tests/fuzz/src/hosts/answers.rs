//! Registries that answer anything: an answer or a refusal in good time, and what
//! is read has its digest.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use layerwise::host::{Registry as _, Shelf};
use layerwise::oci::{Descriptor, sha256};
use layerwise_registry::{Limit, Limits};

use super::ground::Ground;
use crate::draw::Draw;

const TEXT: &str = r#"{"schemaVersion":2,"config":{},"layers":[]}"#;
const HEADERS: [&str; 12] = [
    "Content-Type: application/vnd.oci.image.manifest.v1+json",
    "Content-Length: 0",
    "Content-Length: 43",
    "Content-Length: 99000000000000",
    "Content-Length: -1",
    "Transfer-Encoding: chunked",
    "Location: /v2/app/blobs/uploads/1",
    "Location: http://127.0.0.1:1/x",
    "Location: ",
    "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:1/token\",service=\"x\"",
    "WWW-Authenticate: Basic realm=\"x\"",
    "Retry-After: 99999",
];

/// Any answers.
pub fn answers(bytes: &[u8]) {
    let server = Server::start(bytes);
    let ground = Ground::new();
    let limits = Limits::default()
        .with(Limit::ManifestBytes, 1 << 12)
        .with(Limit::TransferSeconds, 2);
    let all = ground.open(|options| options.limits(limits));
    let at = format!("{}/app", server.host);
    let begun = Instant::now();
    let wanted = Descriptor {
        digest: sha256(TEXT.as_bytes()).to_string(),
        size: u64::try_from(TEXT.len()).unwrap_or_default(),
        ..Descriptor::default()
    };
    let _ = all.resolve(&[format!("{at}:t")]);
    for text in all
        .read(&at, std::slice::from_ref(&wanted), 1 << 12)
        .into_iter()
        .flatten()
    {
        assert_eq!(text, TEXT, "other bytes were read");
    }
    let _ = all.has(&at, std::slice::from_ref(&wanted.digest));
    let _ = all.write(&at, Shelf::Blob, "", "a document");
    let _ = all.tag(&format!("{at}:t"), &wanted.digest);
    let _ = all.delete(&at, &wanted.digest);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(30), "it took {took:?}");
}

/// A registry on loopback.
struct Server {
    host: String,
    stopped: Arc<AtomicBool>,
}

impl Server {
    fn start(bytes: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("its address").to_string();
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let draw = Arc::new(Mutex::new(Draw::new(bytes)));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let draw = Arc::clone(&draw);
                thread::spawn(move || serve(stream, &draw));
            }
        });
        Self { host, stopped }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(&self.host);
    }
}

fn serve(mut stream: TcpStream, draw: &Mutex<Draw>) -> Option<()> {
    let waits = Some(Duration::from_secs(2));
    stream.set_read_timeout(waits).ok()?;
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    while !lines.next()?.ok()?.is_empty() {}
    let answer = answer(&mut draw.lock().unwrap_or_else(PoisonError::into_inner));
    stream.write_all(answer.as_bytes()).ok()
}

fn answer(draw: &mut Draw) -> String {
    if draw.rarely(12) {
        return draw.anything();
    }
    let status = draw.one(&[200, 200, 200, 201, 202, 206, 302, 401, 404, 429, 500, 99]);
    let mut head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
    for header in draw.several(4, |draw| draw.text(&HEADERS)) {
        head.push_str(&header.replace('\n', " "));
        head.push_str("\r\n");
    }
    let body = draw.text(&[
        TEXT,
        "",
        r#"{"errors":[{"code":"X","message":"y"}]}"#,
        "0\r\n\r\n",
    ]);
    draw.perhaps_spoiled(format!("{head}\r\n{body}"))
}
