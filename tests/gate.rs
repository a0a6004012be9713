//! The C service gate on the executable, with real clients.
#![cfg(feature = "standalone")]

#[path = "support/program.rs"]
mod program;

use program::Program;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);

/// A node with tests/lua/gate_events.lua.
struct Node {
    program: Program,
    port: u16,
    header: usize,
}

impl Node {
    fn start(name: &str, header: &str) -> Node {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("gate.{name}"));
        fs::create_dir_all(&scratch).unwrap();
        let config = scratch.join("config");
        let text = format!(
            "thread = 2\nharbor = 0\nstart = 'gate_events'\nport = {port}\nheader = '{header}'\n\
             luaservice = './service/?.lua;./tests/lua/?.lua'\n\
             lua_path = './lualib/?.lua;./tests/lua/?.lua'\n"
        );
        fs::write(&config, text).unwrap();
        let mut program = Program::start(
            Command::new(env!("CARGO_BIN_EXE_skynet"))
                .arg(config)
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .stdin(Stdio::null()),
        );
        program.wait_for("listening");
        Node {
            program,
            port,
            header: if header == "S" { 2 } else { 4 },
        }
    }

    /// Waits for a line that contains a text.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        self.program.wait_for(text);
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client {
            stream,
            header: self.header,
        }
    }

    fn end(mut self, client: &mut Client) {
        client.send("exit");
        assert!(self.program.wait_end().success());
    }
}

struct Client {
    stream: TcpStream,
    header: usize,
}

impl Client {
    fn frame(&self, text: &str) -> Vec<u8> {
        let size = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&size[4 - self.header..], text.as_bytes()].concat()
    }

    fn send(&mut self, text: &str) {
        let frame = self.frame(text);
        self.stream.write_all(&frame).unwrap();
    }

    /// The gate sends what it is given, without a header.
    #[track_caller]
    fn gets(&mut self, text: &str) {
        let mut bytes = vec![0; text.len()];
        self.stream.read_exact(&mut bytes).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), text);
    }

    /// The other side has closed, or is gone.
    #[track_caller]
    fn is_closed(&mut self) {
        match self.stream.read(&mut [0]) {
            Ok(size) => assert_eq!(size, 0),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}

fn frames(name: &str, header: &str) {
    let mut node = Node::start(name, header);
    let mut client = node.connect();
    node.wait_for("open\t127.0.0.1\ttrue");
    // A byte at a time, several at once, and none.
    for byte in client.frame("echo one") {
        client.stream.write_all(&[byte]).unwrap();
    }
    client.gets("one");
    let several = ["echo two", "", "echo three"]
        .map(|text| client.frame(text))
        .concat();
    client.stream.write_all(&several).unwrap();
    client.gets("twothree");
    let long = "x".repeat(60_000);
    client.send(&format!("echo {long}"));
    client.gets(&long);
    node.end(&mut client);
}

#[test]
fn two_bytes_of_header() {
    frames("two", "S");
}

#[test]
fn four_bytes_of_header() {
    frames("four", "L");
}

#[test]
fn wrong_parameters() {
    let mut node = Node::start("wrong", "S");
    for text in [
        "Invalid gate parm ",
        "Invalid gate parm S",
        "Invalid gate address 0",
        "Invalid watchdog .nobody",
        "Invalid data header style",
        "Need max connection",
        "Invalid gate address no:port",
    ] {
        // The log is written by another service than the one that listens.
        if !node.program.seen().iter().any(|line| line.contains(text)) {
            node.wait_for(text);
        }
    }
    let mut client = node.connect();
    client.send("wrong");
    node.wait_for("[gate] Unknown command : dance");
    node.wait_for("Invalid client message from ");
    node.wait_for("Invalid client id -5 from ");
    node.end(&mut client);
}

#[test]
fn routes() {
    let mut node = Node::start("routes", "S");
    let mut client = node.connect();
    client.send("forward");
    client.gets("forwarded");
    client.send("hello");
    client.gets("agent :00000123 hello");
    let mut other = node.connect();
    other.send("broker");
    other.gets("brokered");
    // Before everything else, and in the gate's own name.
    client.send("again");
    client.gets("broker :");
    drop(client);
    node.wait_for("close");
}

#[test]
fn ends() {
    let mut node = Node::start("ends", "L");
    let (mut first, mut second) = (node.connect(), node.connect());
    for client in [&mut first, &mut second] {
        client.send("echo here");
        client.gets("here");
    }
    // Two are the most.
    node.connect().is_closed();
    // So is a frame of 16 MiB too much, which its header says.
    second.stream.write_all(&[1, 0, 0, 0]).unwrap();
    second.is_closed();
    node.wait_for("Recv socket message > 16M");
    // There is room again, until nobody listens any more.
    let mut third = node.connect();
    third.send("kick");
    third.is_closed();
    first.send("close");
    first.gets("closed");
    let asked = Instant::now();
    while TcpStream::connect(("127.0.0.1", node.port)).is_ok() {
        assert!(asked.elapsed() < DEADLINE, "it still listens");
    }
    // A gate that goes takes its connections along.
    first.send("release");
    first.is_closed();
}
