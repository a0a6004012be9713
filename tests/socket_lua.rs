//! skynet.socket and skynet.socketdriver on the executable: the programs
//! `tests/lua/socket_*.lua`, each a service that prints `passed`, alone and with a
//! peer of another kind; skynet.socketchannel, and skynet.dns.
#![cfg(feature = "standalone")]

#[path = "support/node.rs"]
mod node;

use node::{DEADLINE, assert_passed};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

fn run(name: &str, test: &str, more: &str) -> node::process::Outcome {
    node::run(name, &format!("socket_lua.{test}"), more)
}

#[test]
fn streams() {
    let outcome = run("socket_stream", "streams", "");
    assert_passed(&outcome);
    for line in [
        "Pause socket (",
        "Resume socket (",
        "socket buffer overflow: fd=",
        "WARNING: ",
    ] {
        assert!(outcome.stdout.contains(line), "no {line:?} in the log");
    }
}

#[test]
fn datagrams() {
    assert_passed(&run("socket_udp", "datagrams", ""));
}

#[test]
fn driver() {
    assert_passed(&run("socket_driver", "driver", ""));
}

#[test]
fn names() {
    let outcome = run("dns", "names", "");
    assert_passed(&outcome);
    for line in [
        "Udp server open 127.0.0.1:",
        "Recv an invalid name when dns query",
        "Recv an invalid package when dns query",
    ] {
        assert!(outcome.stdout.contains(line), "no {line:?} in the log");
    }
}

#[test]
fn channels() {
    let outcome = run("socket_channel", "channels", "");
    assert_passed(&outcome);
    for line in [
        "socket: unknown session : 99",
        "socket closed by peer :  127.0.0.1 ",
        "Connect failed Connection refused 127.0.0.1 ",
        "Connect failed no more backup host 127.0.0.1 ",
        "socket: connect Connection refused",
        "socket: connect to 127.0.0.1 ",
        "socket: connect to backup host 127.0.0.1 ",
        "K bytes need to send out (fd = ",
    ] {
        assert!(outcome.stdout.contains(line), "no {line:?} in the log");
    }
}

/// Runs socket_peer.lua against a peer, which has its connection. The peer's
/// result counts only if the node's program has passed, since without a
/// connection it waits for one.
#[track_caller]
fn with_peer(what: &str, peer: fn(TcpStream)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let other = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        peer(stream);
    });
    let more = format!("port = {port}\nwhat = \"{what}\"\n");
    assert_passed(&run("socket_peer", what, &more));
    other.join().unwrap();
}

#[test]
fn slow_sender() {
    with_peer("slow", |mut stream| {
        let mut bytes = Vec::new();
        for i in 1..=20 {
            bytes.extend(format!("line {i}\r\n").bytes());
        }
        for i in 1..=20 {
            bytes.extend([0, i]);
            bytes.extend(vec![b'x'; i.into()]);
        }
        bytes.extend(b"the end");
        for byte in bytes {
            stream.write_all(&[byte]).unwrap();
            thread::yield_now();
        }
    });
}

#[test]
fn half_close() {
    with_peer("half", |mut stream| {
        stream.shutdown(Shutdown::Write).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), (8 << 20) + 4);
        assert!(bytes.ends_with(b"ylast"));
    });
}

#[test]
fn reset() {
    with_peer("reset", |mut stream| {
        stream.write_all(b"going\n").unwrap();
        // What the node has sent is there and not read: closing resets.
        stream.peek(&mut [0; 2]).unwrap();
    });
}

#[test]
fn flood() {
    with_peer("flood", |mut stream| {
        let chunk = [b'x'; 4096];
        while stream.write_all(&chunk).is_ok() {}
    });
}
