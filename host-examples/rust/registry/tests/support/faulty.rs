//! A registry that answers whatever a test says, one request a connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What a client asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// How many requests came before.
    pub before: usize,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }
}

/// What the client gets.
pub enum Reply {
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// These bytes, then nothing for a while.
    Hang(Vec<u8>),
    /// These bytes, then more of them until the client has enough.
    Endless(Vec<u8>),
    /// These bytes, then one more from time to time without end.
    Drip(Vec<u8>, Duration),
    /// A reset connection.
    Reset,
}

/// A status, headers and a body.
pub fn reply(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !headers.iter().any(|(name, _)| *name == "Content-Length") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    Reply::Raw([head.as_bytes(), body].concat())
}

pub fn ok(body: &[u8]) -> Reply {
    reply(200, &[], body)
}

/// The server; its thread ends with the test.
pub struct Faulty {
    pub host: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    most: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
}

impl Faulty {
    pub fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let faulty = Self {
            host,
            asked: Arc::default(),
            most: Arc::default(),
            sent: Arc::default(),
        };
        let now = AtomicUsize::new(0);
        let most = faulty.most.clone();
        // Counted until the reply is known: then the client may go on.
        let answer = Arc::new(move |asked: &Asked| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let reply = answer(asked);
            now.fetch_sub(1, Ordering::SeqCst);
            reply
        });
        let (asked, sent) = (faulty.asked.clone(), faulty.sent.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, asked, sent) = (answer.clone(), asked.clone(), sent.clone());
                thread::spawn(move || serve(stream, &*answer, &asked, &sent));
            }
        });
        faulty
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// The most requests that were served at the same time.
    pub fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    /// How many bytes endless answers had.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }
}

fn serve(
    stream: TcpStream,
    answer: &dyn Fn(&Asked) -> Reply,
    asked: &Mutex<Vec<Asked>>,
    sent: &AtomicUsize,
) {
    let mut output = stream.try_clone().unwrap();
    let mut input = BufReader::new(stream);
    let Some(mut request) = head(&mut input) else {
        return;
    };
    let length = request
        .header("content-length")
        .map_or(0, |text| text.parse().unwrap());
    request.body = vec![0; length];
    if input.read_exact(&mut request.body).is_err() {
        return;
    }
    {
        let mut all = asked.lock().unwrap();
        request.before = all.len();
        all.push(request.clone());
    }
    match answer(&request) {
        Reply::Raw(bytes) => {
            let _ = output.write_all(&bytes);
        }
        Reply::Hang(bytes) => {
            let _ = output.write_all(&bytes);
            thread::sleep(Duration::from_secs(20));
        }
        Reply::Endless(bytes) => {
            let chunk = [b'x'; 8192];
            let _ = output.write_all(&bytes);
            while output.write_all(&chunk).is_ok() {
                sent.fetch_add(chunk.len(), Ordering::SeqCst);
            }
        }
        Reply::Drip(bytes, pause) => {
            let _ = output.write_all(&bytes);
            while output.write_all(b"x").is_ok() {
                thread::sleep(pause);
            }
        }
        Reply::Reset => {
            let _ = output.write_all(b"HTTP/1.1 200 X\r\nContent-Le");
        }
    }
}

fn head(input: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Some(Asked {
        method,
        path,
        headers,
        body: Vec::new(),
        before: 0,
    })
}
