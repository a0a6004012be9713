//! The chat of `examples`: the server with its config file, and its client.
#![cfg(feature = "standalone")]

#[path = "support/program.rs"]
mod program;

use program::Program;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30);

struct Chat {
    node: Program,
    port: String,
}

impl Chat {
    fn open(test: &str) -> Chat {
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chat.{test}"));
        fs::create_dir_all(&scratch).unwrap();
        let config = scratch.join("config");
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/config.chat");
        fs::write(&config, format!("include '{example}'\nchat_port = 0\n")).unwrap();
        let mut node = Program::start(
            Command::new(env!("CARGO_BIN_EXE_skynet"))
                .arg(config)
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .stdin(Stdio::null()),
        );
        let line = node.wait_for("The chat is open at");
        let port = line.rsplit(':').next().unwrap().to_owned();
        Chat { node, port }
    }

    fn client(&self, name: &str, lines: &[&str]) -> Program {
        Program::start(
            Command::new(env!("CARGO_BIN_EXE_skynet"))
                .args(["lua", "examples/chat/client.lua", &self.port, name])
                .args(lines)
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .stdin(Stdio::piped())
                .stderr(Stdio::null()),
        )
    }

    /// A connection that is no client, and has sent this. The server closes it.
    fn garbage(&mut self, bytes: &[u8]) {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"", "{bytes:?}");
        self.node.wait_for("does not speak the protocol");
    }

    /// Ends the node, when the agents of so many clients have ended.
    fn close(mut self, clients: usize) {
        // Those of main and bootstrap are there, too.
        let ended = |node: &Program| {
            let ended = |line: &&String| line.ends_with("KILL self");
            node.seen().iter().filter(ended).count()
        };
        while ended(&self.node) < clients + 2 {
            self.node.wait_for("KILL self");
        }
        let pid = self.node.child.id().try_into().unwrap();
        // SAFETY: kill has no memory effects; the node was not waited for, so the
        // number is its own.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
        assert!(self.node.wait_end().success());
        let log = self.node.seen().join("\n");
        assert!(!log.contains("traceback"), "{log}");
    }
}

#[track_caller]
fn shows(client: &mut Program, expected: &[&str]) {
    let status = client.wait_end();
    assert_eq!(client.seen(), expected);
    assert!(status.success());
}

#[test]
fn two_talk() {
    let chat = Chat::open("two_talk");
    let mut alice = chat.client(
        "alice",
        &[
            "/wait bob has come",
            "hello bob",
            "/wait bob: hello alice",
            "/wait bob has gone",
            "/who",
            "/wait here:",
        ],
    );
    alice.wait_for("* here: alice");
    let lines = ["/wait alice: hello bob", "hello alice", "/wait bob: hello"];
    let mut bob = chat.client("bob", &lines);
    shows(
        &mut bob,
        &["* here: alice, bob", "alice: hello bob", "bob: hello alice"],
    );
    shows(
        &mut alice,
        &[
            "* here: alice",
            "* bob has come",
            "alice: hello bob",
            "bob: hello alice",
            "* bob has gone",
            "* here: alice",
        ],
    );
    chat.close(2);
}

/// Lines from standard input, and everything that is refused.
#[test]
fn refusals() {
    let chat = Chat::open("refusals");
    let mut alice = chat.client("alice", &[]);
    alice.wait_for("* here: alice");
    for name in ["alice", "", "a name that is too long", "two\nlines"] {
        let mut other = chat.client(name, &["hello"]);
        assert_eq!(other.wait_end().code(), Some(1), "{name:?}");
        assert_eq!(other.seen(), [""; 0], "{name:?}");
    }
    let mut input = alice.child.stdin.take().unwrap();
    for (line, answer) in [
        ("x".repeat(501), "! a text has"),
        ("/nonsense".to_owned(), "! /who, /leave"),
        ("last".to_owned(), "alice: last"),
    ] {
        writeln!(input, "{line}").unwrap();
        alice.wait_for(answer);
    }
    input.write_all(b"/leave\n").unwrap();
    shows(
        &mut alice,
        &[
            "* here: alice",
            "! a text has 1 to 500 bytes, and no control characters",
            "! /who, /leave and /wait are all there is",
            "alice: last",
        ],
    );
    chat.close(5);
}

/// A client that is killed, and ones that do not speak the protocol, are ended
/// alone; the others go on.
#[test]
fn bad_clients() {
    let mut chat = Chat::open("bad_clients");
    let lines = ["/wait carol: still here?", "yes", "/wait carol has gone"];
    let mut alice = chat.client("alice", &lines);
    alice.wait_for("* here: alice");
    let mut bob = chat.client("bob", &["/wait for ever"]);
    alice.wait_for("* bob has come");
    bob.child.kill().unwrap();
    alice.wait_for("* bob has gone");

    // No message of sproto, with its zeros packed.
    chat.garbage(b"\x00\x04\xff\xff\xff\xff");
    // A header that ends early, and one without a type.
    chat.garbage(b"\x00\x01\x05");
    chat.garbage(b"\x00\x00");
    // What only the server says, and a protocol that there is not.
    chat.garbage(b"\x00\x03\x05\x01\x1a");
    chat.garbage(b"\x00\x03\x05\x01\xfe");
    // A frame that does not come to its end.
    let mut half = TcpStream::connect(format!("127.0.0.1:{}", chat.port)).unwrap();
    half.write_all(b"\xff\xffhalf").unwrap();

    let mut carol = chat.client("carol", &["still here?", "/wait alice: yes"]);
    shows(
        &mut carol,
        &["* here: alice, carol", "carol: still here?", "alice: yes"],
    );
    shows(
        &mut alice,
        &[
            "* here: alice",
            "* bob has come",
            "* bob has gone",
            "* carol has come",
            "carol: still here?",
            "alice: yes",
            "* carol has gone",
        ],
    );
    drop(half);
    chat.close(9);
}

/// What waits for a client that does not read does not grow for ever.
#[test]
fn slow_reader() {
    let mut chat = Chat::open("slow_reader");
    let mut alice = chat.client("alice", &[]);
    alice.wait_for("* here: alice");
    let mut slow = TcpStream::connect(format!("127.0.0.1:{}", chat.port)).unwrap();
    // Three groups of eight bytes that are not packed: the header { type = 1 }, then
    // { name = "slow" }.
    slow.write_all(b"\x00\x1a\xff\x02\x01\x00\x04\x00\x01\x00\x00\x00\x04\x00\x00\x00slow")
        .unwrap();
    slow.write_all(&[0; 8]).unwrap();
    alice.wait_for("* slow has come");
    let mut input = alice.child.stdin.take().unwrap();
    let mut rounds = 0;
    while !alice.seen().iter().any(|line| line == "* slow has gone") {
        let lines = format!("{}\n", "x".repeat(500)).repeat(60);
        writeln!(input, "{lines}round {rounds}").unwrap();
        alice.wait_for(&format!("alice: round {rounds}"));
        rounds += 1;
        assert!(rounds < 1000, "30 MB wait");
    }
    input.write_all(b"/leave\n").unwrap();
    assert!(alice.wait_end().success());
    chat.node.wait_for("does not read");
    chat.close(2);
}

/// A client that asks more than is answered is ended.
#[test]
fn hasty_client() {
    let mut chat = Chat::open("hasty_client");
    let mut stream = TcpStream::connect(format!("127.0.0.1:{}", chat.port)).unwrap();
    // `who`, again and again, which nobody answers without a session.
    let request = b"\x00\x03\x05\x01\x08".repeat(1000);
    while stream.write_all(&request).is_ok() {}
    chat.node.wait_for("asks too much");
    chat.close(1);
}
