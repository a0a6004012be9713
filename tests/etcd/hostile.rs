//! A server that answers as no etcd does.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// How long requests are waited for.
const DEADLINE: Duration = Duration::from_secs(60);

/// What requests get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// The connection ends at once.
    Nothing,
    /// The connection stays, and nothing comes.
    Silence,
    /// No HTTP.
    Noise,
    /// A head without an end.
    EndlessHead,
    /// A body without an end.
    EndlessBody,
    /// A body that is said to be larger than any memory.
    HugeLength,
    /// A body that ends too early.
    CutShort,
    /// No JSON.
    BrokenJson,
    /// JSON that is deeper than any stack.
    DeepJson,
    /// JSON in which nothing is where it belongs.
    WrongTypes,
    /// An error of etcd's, and one of another server.
    Refused,
    Missing,
    Unavailable,
    /// Right answers, until the watch says something that is not JSON.
    WatchBroken,
    /// Or something that has no end.
    WatchEndless,
    /// Or that there is an error.
    WatchFails,
    /// Right answers; the first watch is too late.
    Good,
}

use Answers::*;

impl Answers {
    pub const HOSTILE: [Answers; 16] = [
        Nothing,
        Silence,
        Noise,
        EndlessHead,
        EndlessBody,
        HugeLength,
        CutShort,
        BrokenJson,
        DeepJson,
        WrongTypes,
        Refused,
        Missing,
        Unavailable,
        WatchBroken,
        WatchEndless,
        WatchFails,
    ];

    /// Whether other requests than a watch get right answers.
    fn only_watches(self) -> bool {
        matches!(self, WatchBroken | WatchEndless | WatchFails | Good)
    }
}

struct State {
    answers: Answers,
    requests: usize,
}

/// It goes on until the test ends.
pub struct Hostile {
    port: u16,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Hostile {
    pub fn start() -> Hostile {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State {
            answers: Nothing,
            requests: 0,
        };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let server = Hostile {
            port,
            shared: Arc::clone(&shared),
        };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                // That the node hangs up is what it should do.
                thread::spawn(move || serve(&stream, &shared));
            }
        });
        server
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What requests get from now on.
    pub fn give(&self, answers: Answers) {
        let mut state = self.shared.0.lock().unwrap();
        *state = State {
            answers,
            requests: 0,
        };
    }

    /// Waits until so many requests have got these answers.
    #[track_caller]
    pub fn wait_for_requests(&self, answers: Answers, count: usize) {
        let (state, changed) = &*self.shared;
        let few = |state: &mut State| state.requests < count;
        let state = state.lock().unwrap();
        let (state, late) = changed.wait_timeout_while(state, DEADLINE, few).unwrap();
        let requests = state.requests;
        drop(state);
        assert!(!late.timed_out(), "{answers:?} had {requests} requests");
    }
}

fn serve(stream: &TcpStream, shared: &(Mutex<State>, Condvar)) -> io::Result<()> {
    let path = read_request(stream)?;
    let watch = path == "/v3/watch";
    let (answers, number) = {
        let mut state = shared.0.lock().unwrap();
        if watch || !state.answers.only_watches() {
            state.requests += 1;
            shared.1.notify_all();
        }
        (state.answers, state.requests)
    };
    match answers {
        _ if answers.only_watches() && !watch => good(stream, &path),
        Good | WatchBroken | WatchEndless | WatchFails => serve_watch(stream, answers, number),
        _ => bad(stream, answers),
    }
}

/// Reads a request to its end; the path.
fn read_request(stream: &TcpStream) -> io::Result<String> {
    let mut input = BufReader::new(stream);
    let mut line = String::new();
    input.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        if input.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    input.read_exact(&mut vec![0; length])?;
    Ok(path)
}

/// Writes until the node hangs up.
fn endless(mut stream: &TcpStream, piece: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(piece)?;
    }
}

/// Waits until the node hangs up.
fn until_end(mut stream: &TcpStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(|_| ())
}

/// An answer of this status with a body.
fn answer(mut stream: &TcpStream, status: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

fn bad(mut stream: &TcpStream, answers: Answers) -> io::Result<()> {
    match answers {
        Silence => until_end(stream),
        Noise => stream.write_all(&[0xff; 4096]),
        EndlessHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nX: ")?;
            endless(stream, &[b'x'; 1 << 16])
        }
        EndlessBody => {
            stream.write_all(CHUNKED)?;
            endless(stream, &chunk(&"[".repeat(1 << 16)))
        }
        HugeLength => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n")?;
            endless(stream, &[b'x'; 1 << 16])
        }
        CutShort => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
        BrokenJson => answer(stream, "200 OK", "{\"header\":"),
        DeepJson => answer(stream, "200 OK", &"[".repeat(1 << 20)),
        WrongTypes => {
            let body = r#"{"header":[1],"kvs":{"a":1},"result":7,"ID":{},"TTL":[],"error":false}"#;
            answer(stream, "200 OK", body)
        }
        Refused => {
            let body = r#"{"error":"no","message":"etcdserver: permission denied","code":7}"#;
            answer(stream, "403 Forbidden", body)
        }
        Missing => answer(stream, "404 Not Found", "Not Found\n"),
        Unavailable => {
            let body = r#"{"error":"x","message":"etcdserver: no leader","code":14}"#;
            answer(stream, "503 Service Unavailable", body)
        }
        _ => Ok(()),
    }
}

/// The keys `/skynet/cluster/first` and `/skynet/cluster/good`, at ports 1 and 7.
const FIRST: &str = r#"{"key":"L3NreW5ldC9jbHVzdGVyL2ZpcnN0","value":"MTI3LjAuMC4xOjE=","mod_revision":"5","lease":"9"}"#;
const SEVENTH: &str =
    r#"{"key":"L3NreW5ldC9jbHVzdGVyL2dvb2Q=","value":"MTI3LjAuMC4xOjc=","mod_revision":"6"}"#;

fn good(stream: &TcpStream, path: &str) -> io::Result<()> {
    let body = match path {
        "/v3/lease/grant" => r#"{"ID":"9","TTL":"2"}"#.to_owned(),
        "/v3/lease/keepalive" => r#"{"result":{"ID":"9","TTL":"2"}}"#.to_owned(),
        "/v3/kv/put" => r#"{"header":{"revision":"5"}}"#.to_owned(),
        "/v3/kv/range" => {
            format!("{{\"header\":{{\"revision\":\"5\"}},\"kvs\":[{FIRST}],\"count\":\"1\"}}")
        }
        _ => "{}".to_owned(),
    };
    answer(stream, "200 OK", &body)
}

fn serve_watch(mut stream: &TcpStream, answers: Answers, number: usize) -> io::Result<()> {
    stream.write_all(CHUNKED)?;
    stream.write_all(&chunk("{\"result\":{\"created\":true}}\n"))?;
    match answers {
        WatchBroken => stream.write_all(&chunk("{\"result\":{]\n")),
        WatchEndless => endless(stream, &chunk(&" ".repeat(1 << 16))),
        WatchFails => {
            let text = r#"{"error":{"grpc_code":14,"http_code":503,"message":"no leader"}}"#;
            stream.write_all(&chunk(&format!("{text}\n")))
        }
        _ if number == 1 => {
            let text = r#"{"result":{"canceled":true,"compact_revision":"8"}}"#;
            stream.write_all(&chunk(&format!("{text}\n")))
        }
        _ => {
            let line = format!("{{\"result\":{{\"events\":[{{\"kv\":{SEVENTH}}}]}}}}\n");
            // It comes in two pieces.
            let (head, tail) = line.split_at(20);
            stream.write_all(&chunk(head))?;
            stream.write_all(&chunk(tail))?;
            until_end(stream)
        }
    }
}
