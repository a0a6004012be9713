//! skynet.cluster between nodes, each a process: calls in all ways, a node that dies, and
//! connections that speak anything else.
#![cfg(feature = "standalone")]

#[path = "support/node.rs"]
mod node;

#[path = "support/program.rs"]
mod program;

use program::Program;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);

/// What a call may take that a node's death ends.
const LOST: Duration = Duration::from_secs(5);

fn config(start: &str, more: &str) -> String {
    format!(
        "thread = 2\nharbor = 0\nstart = \"cluster/{start}\"\n\
         luaservice = \"./service/?.lua;./tests/lua/?.lua\"\n\
         lua_path = \"./lualib/?.lua;./tests/lua/?.lua\"\n\
         snax = \"./tests/lua/cluster/?.lua\"\n{more}"
    )
}

/// A node with tests/lua/cluster/server.lua, and the two ports that it listens at.
struct Server {
    program: Program,
    first: u16,
    second: u16,
}

impl Server {
    fn start(test: &str, more: &str) -> Server {
        let scratch = node::scratch(&format!("cluster.{test}.server"));
        let mut program = Program::start(&mut node::command(&config("server", more), &scratch));
        let line = program.wait_for("listening");
        let ports: Vec<u16> = line
            .split('\t')
            .filter_map(|word| word.parse().ok())
            .collect();
        let [first, second] = ports[..] else {
            panic!("no two ports in {line:?}");
        };
        Server {
            program,
            first,
            second,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.first)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }
}

/// A port of loopback where connections are neither made nor refused, as long as what is
/// returned with it lives.
fn silent_port() -> (u16, (TcpListener, Vec<TcpStream>)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // SAFETY: takes numbers only; it makes the queue of a listening socket shorter.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let mut queue = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queue.push(stream);
    }
    (address.port(), (listener, queue))
}

#[test]
fn services() {
    let mut server = Server::start("services", "");
    let (first, second) = (server.first, server.second);
    let (silent, _queue) = silent_port();
    let nodes = node::scratch("cluster.services.client").join("nodes.lua");
    fs::write(&nodes, format!("filed = \"127.0.0.1:{first}\"\n")).unwrap();
    let more = format!(
        "cluster = \"{}\"\nsilent = \"127.0.0.1:{silent}\"\n\
         snax = \"./tests/lua/cluster/?.lua\"\n\
         first = \"127.0.0.1:{first}\"\nsecond = \"127.0.0.1:{second}\"\n",
        nodes.display()
    );
    let outcome = node::run("cluster/client", "cluster.services.client", &more);
    node::assert_passed(&outcome);
    for line in [
        "Waiting for cluster node [later]",
        "Cluster node [later] resolved : 127.0.0.1:",
        "Config nowaiting = true",
        "cluster node [never] is absent.",
        "changenode [moving] (127.0.0.1:1) failed",
        "Connect failed Connection refused 127.0.0.1:1 nil",
        "Close cluster sender 127.0.0.1:",
        "Register [here] :",
        "unknown is down",
        "Invalid name server",
        "name not found",
        ": call failed",
    ] {
        let found = outcome.stdout.contains(line);
        assert!(found, "no {line:?} in the log:\n{}", outcome.stdout);
    }
    assert!(server.program.wait_end().success());
    let seen = server.program.seen().join("\n");
    for line in [
        "socket accept from 127.0.0.1:",
        "Unregister [echo] :",
        "-server-",
    ] {
        assert!(seen.contains(line), "no {line:?} in the log:\n{seen}");
    }
}

/// Calls in flight end when their node dies, each with an error; the node that comes back
/// is found, and gets nothing that was for the one before.
#[test]
fn a_node_dies() {
    let mut server = Server::start("dies", "");
    let port = server.first;
    let scratch = node::scratch("cluster.dies.client");
    let more = format!("first = \"127.0.0.1:{port}\"\n");
    let mut client = Program::start(&mut node::command(&config("survivor", &more), &scratch));
    client.wait_for("in flight");
    server.program.child.kill().unwrap();
    let died = Instant::now();
    client.wait_for("all have failed");
    assert!(died.elapsed() < LOST, "it took {:?}", died.elapsed());
    server.program.child.wait().unwrap();
    let mut again = Server::start("dies", &format!("port = {port}\n"));
    client.wait_for("passed");
    assert!(client.wait_end().success());
    assert!(again.program.wait_end().success());
}

/// A call fails; it does not wait for ever.
#[test]
fn a_limit_that_is_no_number() {
    let server = Server::start("limit", "");
    let (first, second) = (server.first, server.second);
    let more = format!(
        "cluster_limit = \"256M\"\nonly = \"senders\"\n\
         first = \"127.0.0.1:{first}\"\nsecond = \"127.0.0.1:{second}\"\n"
    );
    let outcome = node::run("cluster/client", "cluster.limit.client", &more);
    for text in ["number expected, got string", "bad\tsenders"] {
        assert!(outcome.stdout.contains(text), "{}", outcome.stdout);
    }
}

/// A frame: its size and its content.
fn frame(content: &[u8]) -> Vec<u8> {
    let size = u16::try_from(content.len()).unwrap();
    [&size.to_be_bytes(), content].concat()
}

/// A request to a handle.
fn request(kind: u8, handle: u32, session: u32, rest: &[u8]) -> Vec<u8> {
    let numbers = [handle.to_le_bytes(), session.to_le_bytes()].concat();
    frame(&[&[kind], &numbers[..], rest].concat())
}

/// A part of a long request.
fn part(kind: u8, session: u32, bytes: &[u8]) -> Vec<u8> {
    frame(&[&[kind], &session.to_le_bytes()[..], bytes].concat())
}

/// A query for the handle of `echo`.
fn query(session: u32) -> Vec<u8> {
    request(0, 0, session, b"\x24echo")
}

fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut size = [0; 2];
    stream.read_exact(&mut size).unwrap();
    let mut content = vec![0; u16::from_be_bytes(size).into()];
    stream.read_exact(&mut content).unwrap();
    content
}

/// The other side has closed, and sent nothing before.
#[track_caller]
fn is_closed(stream: &mut TcpStream, what: &str) {
    match stream.read(&mut [0; 64]) {
        Ok(size) => assert_eq!(size, 0, "{what} is answered"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{what}"),
    }
}

#[test]
fn hostile_bytes() {
    let mut server = Server::start("hostile", "cluster_limit = 100000\n");
    let mut other = server.connect();
    let long = |size: u32| request(1, 1, 7, &size.to_le_bytes());
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("an empty frame", frame(b""), "size == 0"),
        ("an unknown kind", frame(b"\x99what"), "type -103"),
        ("a short request", frame(b"\x00\x01\x02"), "(size=3)"),
        ("a name that is cut off", frame(b"\x80\x09name"), "(size=6)"),
        (
            "a beginning without a size",
            request(1, 1, 7, b"\x01"),
            "size 10 (multi req must be 13)",
        ),
        ("a part of a part", frame(b"\x02\x01"), "multi part message"),
        ("a part of nothing", part(2, 9, b"x"), "unknown session 9"),
        (
            "two beginnings",
            [long(9), long(9)].concat(),
            "begins twice",
        ),
        (
            "more than the limit",
            long(100_000),
            "more than 100000 bytes",
        ),
        (
            "two that are more than the limit",
            [
                long(70000),
                request(1, 1, 8, &70000_u32.to_le_bytes()),
                part(2, 7, b"x"),
                part(2, 8, b"x"),
            ]
            .concat(),
            "more than 100000 bytes",
        ),
        (
            "many beginnings",
            (0..1000)
                .flat_map(|session| request(0x41, 1, session, &[255; 4]))
                .collect(),
            "more than 100000 bytes",
        ),
        (
            "a query for a number",
            request(0, 0, 3, b"\x0a\x05"),
            "query",
        ),
        (
            "a query for nothing",
            request(0, 0, 3, b"\xff\xff"),
            "query",
        ),
        ("text", b"GET / HTTP/1.0\r\n\r\n".repeat(2000), "type 84"),
    ];
    for (what, bytes, reason) in cases {
        let mut stream = server.connect();
        // The rest of it may come when nobody listens any more.
        let _ = stream.write_all(&bytes);
        server.program.wait_for(reason);
        is_closed(&mut stream, what);
        other.write_all(&query(5)).unwrap();
        assert_eq!(read_frame(&mut other)[..5], [5, 0, 0, 0, 1], "{what}");
    }
    // Much of it from many at once: when it is refused there is more on its way already.
    let flood = frame(&[b'T'; 1024]).repeat(2000);
    let port = server.first;
    thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let _ = stream.write_all(&flood);
                is_closed(&mut stream, "a flood");
            });
        }
    });
    // What makes no sense to a service is answered, and more can be asked.
    for (bytes, answer) in [
        (
            [long(9), part(3, 7, b"12345678")].concat(),
            "Invalid large req",
        ),
        (
            [long(7), part(3, 7, b"12345678")].concat(),
            "Invalid large req",
        ),
        (request(0, 0, 7, b"\x34nobody"), "name not found"),
        (frame(b"\x80\x07@nobody\x07\0\0\0"), "Invalid name"),
        (frame(b"\x80\x05.echo\x07\0\0\0\xff"), "call failed"),
    ] {
        other.write_all(&bytes).unwrap();
        let frame = read_frame(&mut other);
        assert_eq!(frame[..5], [7, 0, 0, 0, 0], "{answer}");
        let text = String::from_utf8_lossy(&frame[5..]).into_owned();
        assert!(text.ends_with(answer), "{text}");
    }
    // Half a frame, and half of a long request, are forgotten with their connection.
    let mut stream = server.connect();
    stream.write_all(&long(100)).unwrap();
    stream.write_all(&part(2, 7, b"beginning")[..9]).unwrap();
    drop(stream);
    other.write_all(&query(6)).unwrap();
    assert_eq!(read_frame(&mut other)[..5], [6, 0, 0, 0, 1]);
    other
        .write_all(&frame(b"\x80\x05.echo\0\0\0\0\x24exit"))
        .unwrap();
    assert!(server.program.wait_end().success());
    let seen = server.program.seen();
    assert!(!seen.iter().any(|line| line.contains("Drop message")));
}
