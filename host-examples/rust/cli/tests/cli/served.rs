//! A registry that has the blobs of a layout, and takes nothing.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread::{self, sleep};
use std::time::Duration;

use serde_json::Value;

/// Serves a layout under any repository; a tag is its first manifest.
pub fn layout(layout: &Path) -> String {
    start(layout, None)
}

/// The same, but this blob is sent byte by byte, with a pause after each of them.
pub fn slowly(layout: &Path, blob: &Path, pause: Duration) -> String {
    let name = blob.file_name().unwrap().to_str().unwrap();
    start(layout, Some((name.to_owned(), pause)))
}

/// A blob that is sent slowly, and the pause after each byte.
type Slow = Option<(String, Duration)>;

fn start(layout: &Path, slow: Slow) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let layout = layout.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (layout, slow) = (layout.clone(), slow.clone());
            thread::spawn(move || serve(stream, &layout, slow));
        }
    });
    host
}

fn serve(mut stream: TcpStream, layout: &Path, slow: Slow) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let request = lines.next()?.ok()?;
    while !lines.next()?.ok()?.is_empty() {}
    let path = request.split(' ').nth(1)?;
    let name = path.rsplit('/').next()?;
    let index = fs::read_to_string(layout.join("index.json")).ok()?;
    let index: Value = serde_json::from_str(&index).ok()?;
    let first = &index["manifests"][0];
    let digest = match name.strip_prefix("sha256:") {
        Some(digest) => digest,
        None => &first["digest"].as_str()?[7..],
    };
    let bytes = fs::read(layout.join("blobs/sha256").join(digest)).ok()?;
    let kind = match path.contains("/manifests/") {
        true => first["mediaType"].as_str()?,
        false => "application/octet-stream",
    };
    let head = format!(
        "HTTP/1.1 200 X\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        bytes.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    if request.starts_with("HEAD") {
        return Some(());
    }
    let Some((_, pause)) = slow.filter(|(name, _)| name == digest) else {
        return stream.write_all(&bytes).ok();
    };
    for byte in bytes {
        stream.write_all(&[byte]).ok()?;
        sleep(pause);
    }
    Some(())
}
