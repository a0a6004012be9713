//! Driving a server from any thread, in batches.

use super::super::{Driven, Event, Server};
use super::{DEADLINE, OWNER, pipe, tell};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

fn drive(server: &Server, timeout: Option<Duration>) -> (Driven, Vec<Event>) {
    let mut events = Vec::new();
    let driven = server
        .drive(timeout, &mut |event| events.push(event))
        .unwrap();
    (driven, events)
}

/// Everything that is due.
fn drain(server: &Server) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        let (driven, events) = drive(server, Some(Duration::ZERO));
        told.extend(events.iter().map(tell));
        if matches!(driven, Driven::Done { more: false, .. }) {
            return told;
        }
    }
}

const NOTHING: Driven = Driven::Done {
    delivered: false,
    more: false,
};

#[test]
fn smoke() {
    let server = Server::new().unwrap();
    assert!(!server.has_sockets());
    assert_eq!(drive(&server, Some(Duration::ZERO)).0, NOTHING);
    let (reader, mut writer) = pipe();
    let id = server.bind(OWNER, reader.as_raw_fd()).unwrap();
    assert!(server.has_sockets());
    assert_eq!(drain(&server), [format!("open {id} binding")]);
    writer.write_all(b"data").unwrap();
    let (driven, events) = drive(&server, Some(DEADLINE));
    assert!(matches!(
        driven,
        Driven::Done {
            delivered: true,
            ..
        }
    ));
    assert_eq!(tell(&events[0]), format!("data {id} 4"));
    server.close(id).unwrap();
    assert_eq!(drain(&server), [format!("close {id}")]);
    assert!(!server.has_sockets());
    // A request is a reason to poll, though there is no socket to poll for.
    assert!(!server.is_needed());
    server.start(OWNER, id).unwrap();
    assert!(server.is_needed());
    assert_eq!(drain(&server), [format!("error {id} invalid socket")]);
    assert!(!server.is_needed());
    server.exit().unwrap();
    assert_eq!(drive(&server, None).0, Driven::Exit);
}

#[test]
fn waits_no_longer_than_it_is_told() {
    let server = Server::new().unwrap();
    let begin = Instant::now();
    let timeout = Duration::from_millis(30);
    assert_eq!(drive(&server, Some(timeout)).0, NOTHING);
    let waited = begin.elapsed();
    assert!(waited >= timeout && waited < DEADLINE, "{waited:?}");
}

#[test]
fn batches_are_bounded() {
    let server = Server::new().unwrap();
    let pipes: Vec<_> = (0..300).map(|_| pipe()).collect();
    for (reader, writer) in &pipes {
        let mut writer: &std::fs::File = writer;
        writer.write_all(b"x").unwrap();
        server.bind(OWNER, reader.as_raw_fd()).unwrap();
    }
    // Requests are all carried out first.
    let (driven, events) = drive(&server, None);
    assert!(matches!(
        driven,
        Driven::Done {
            delivered: true,
            ..
        }
    ));
    let opened = events.iter().filter(|e| tell(e).starts_with("open"));
    assert_eq!(opened.count(), 300);
    let mut count = events.len() - 300;
    let begin = Instant::now();
    while count < 300 {
        let (driven, events) = drive(&server, Some(Duration::ZERO));
        assert!(events.len() <= 257, "{} events in one go", events.len());
        assert_ne!(driven, Driven::Busy);
        count += events.len();
        assert!(begin.elapsed() < DEADLINE);
    }
    assert_eq!(count, 300);
}

#[test]
fn one_thread_at_a_time() {
    let server = Arc::new(Server::new().unwrap());
    let (sender, done) = mpsc::channel();
    let blocked = Arc::clone(&server);
    let thread = std::thread::spawn(move || {
        let driven = drive(&blocked, None).0;
        sender.send(driven).unwrap();
    });
    super::until(|| drive(&server, Some(Duration::ZERO)).0 == Driven::Busy);
    // It sleeps until it is interrupted, and then has nothing to tell.
    server.interrupt().unwrap();
    assert_eq!(done.recv_timeout(DEADLINE).unwrap(), NOTHING);
    thread.join().unwrap();
}

#[test]
fn interrupts_are_not_lost() {
    let server = Server::new().unwrap();
    for _ in 0..3 {
        // Nobody waits, so the next to do it does not.
        server.interrupt().unwrap();
        server.interrupt().unwrap();
        assert_eq!(drive(&server, None).0, NOTHING);
    }
    let begin = Instant::now();
    let timeout = Duration::from_millis(20);
    // But only that one.
    assert_eq!(drive(&server, Some(timeout)).0, NOTHING);
    assert!(begin.elapsed() >= timeout);
}

#[test]
fn interrupts_from_many_threads() {
    let server = Arc::new(Server::new().unwrap());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let server = Arc::clone(&server);
            std::thread::spawn(move || {
                for _ in 0..2000 {
                    server.interrupt().unwrap();
                }
                server.exit().unwrap();
            })
        })
        .collect();
    let mut exits = 0;
    while exits < 4 {
        if drive(&server, None).0 == Driven::Exit {
            exits += 1;
        }
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_panic_ends_one_socket() {
    let server = Server::new().unwrap();
    let pipes: Vec<_> = (0..3).map(|_| pipe()).collect();
    let ids: Vec<_> = pipes
        .iter()
        .map(|(reader, _)| server.bind(OWNER, reader.as_raw_fd()).unwrap())
        .collect();
    drain(&server);
    server.poller.lock().unwrap().break_socket(ids[1]);
    for (_, writer) in &pipes {
        let mut writer: &std::fs::File = writer;
        writer.write_all(b"x").unwrap();
    }
    let mut told = drain(&server);
    told.sort();
    let data = |id| format!("data {id} 1");
    let failed = format!("error {} internal error", ids[1]);
    assert_eq!(told, [data(ids[0]), data(ids[2]), failed]);
    assert!(server.shared.table.get(ids[1]).is_none());
}

#[test]
fn a_receiver_that_panics() {
    let server = Server::new().unwrap();
    let (reader, mut writer) = pipe();
    let id = server.bind(OWNER, reader.as_raw_fd()).unwrap();
    drain(&server);
    writer.write_all(b"x").unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        server.drive(Some(DEADLINE), &mut |_| panic!("a receiver that fails"))
    }));
    assert!(panicked.is_err());
    // The server goes on.
    writer.write_all(b"y").unwrap();
    let (_, events) = drive(&server, Some(DEADLINE));
    assert_eq!(tell(&events[0]), format!("data {id} 1"));
}
