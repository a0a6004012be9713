//! Running out of descriptors. It is a property of the process, so each test
//! runs in a child process of its own.

use super::super::What;
use super::{DEADLINE, Harness, OWNER};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;

/// Runs a test of this file, which is ignored otherwise, alone.
fn alone(name: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("socket::tests::limits::{name}")])
        .args(["--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "no such test: {text}");
}

/// Takes all descriptors that the process may have but `count`.
fn leave_descriptors(count: usize) -> Vec<File> {
    let limit = libc::rlimit {
        rlim_cur: 128,
        rlim_max: 128,
    };
    // SAFETY: setrlimit reads the struct.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    taken.truncate(taken.len() - count);
    taken
}

#[test]
fn accept_resumes() {
    alone("accept_resumes_alone");
}

#[test]
#[ignore = "runs in a process of its own"]
fn accept_resumes_alone() {
    let harness = Harness::new();
    let (listener, port) = harness.listen();
    let peers: Vec<TcpStream> = (0..8)
        .map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap())
        .collect();
    let mut accepted = Vec::new();
    for _ in &peers {
        match harness.next().what {
            What::Accept { new, .. } => accepted.push(new),
            other => panic!("{other:?}"),
        }
    }
    // One more peer takes the last descriptor, so that none is left to accept it.
    let _taken = leave_descriptors(1);
    let mut last = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    last.set_read_timeout(Some(DEADLINE)).unwrap();
    harness.expect(format!("error {listener} Too many open files"));
    last.write_all(b"patient").unwrap();
    // The error is told once, and the thread does not spin.
    let before = super::thread_time(&harness);
    harness.expect_nothing_for(std::time::Duration::from_millis(400));
    let spent = super::thread_time(&harness) - before;
    assert!(spent < std::time::Duration::from_millis(100), "{spent:?}");

    // Closing any socket makes room.
    harness.server.shutdown(accepted[0]).unwrap();
    harness.expect(format!("close {}", accepted[0]));
    let new = match harness.next().what {
        What::Accept { new, .. } => new,
        other => panic!("{other:?}"),
    };
    harness.server.start(OWNER, new).unwrap();
    harness.expect(format!("open {new} start"));
    harness.expect_data(new, b"patient");
    harness.send(new, b"welcome").unwrap();
    let mut got = [0; 7];
    last.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"welcome");

    // So does what others close, a little later.
    drop(peers);
    let next = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    assert!(matches!(harness.next().what, What::Accept { .. }));
    drop(next);
}

#[test]
fn connect_without_descriptors() {
    alone("connect_without_descriptors_alone");
}

#[test]
#[ignore = "runs in a process of its own"]
fn connect_without_descriptors_alone() {
    let harness = Harness::new();
    let (_, port) = harness.listen();
    let _taken = leave_descriptors(0);
    let id = harness
        .server
        .connect(OWNER, c"127.0.0.1", port.into())
        .unwrap();
    harness.expect(format!("error {id} Too many open files"));
    let listen = harness.server.listen(OWNER, Some(c"127.0.0.1"), 0, 8);
    assert!(listen.is_err());
    assert!(harness.server.udp(OWNER, None, 0).is_err());
    harness.expect_quiet();
}
