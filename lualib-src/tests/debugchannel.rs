//! Debug channels, without Lua.

#[path = "../src/debugchannel/channel.rs"]
mod channel;

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use channel::{CAPACITY, Full, connect, create};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn order() {
    let writer = create();
    let reader = connect(Arc::as_ptr(&writer)).unwrap();
    for line in ["one", "", "three"] {
        writer.write(line.as_bytes()).unwrap();
    }
    for line in ["one", "", "three"] {
        assert_eq!(reader.read(Duration::ZERO).unwrap(), line.as_bytes());
    }
    assert_eq!(reader.read(Duration::ZERO), None);
}

#[test]
fn waits() {
    let writer = create();
    let reader = connect(Arc::as_ptr(&writer)).unwrap();
    let begin = Instant::now();
    assert_eq!(reader.read(Duration::from_millis(20)), None);
    assert!(begin.elapsed() >= Duration::from_millis(20));
    let reading = thread::spawn(move || reader.read(LONG));
    writer.write(b"late").unwrap();
    assert_eq!(reading.join().unwrap().unwrap(), b"late");
    assert!(begin.elapsed() < LONG);
}

#[test]
fn two_ends() {
    let one = create();
    let address = Arc::as_ptr(&one);
    let two = connect(address).unwrap();
    assert!(connect(address).is_none());
    // When the other end is gone, there may be another one.
    drop(two);
    let two = connect(address).unwrap();
    drop(one);
    two.write(b"to itself").unwrap();
    assert_eq!(two.read(Duration::ZERO).unwrap(), b"to itself");
    drop(two);
    assert!(connect(address).is_none());
}

#[test]
fn no_channel() {
    let one = create();
    assert!(connect(std::ptr::null()).is_none());
    assert!(connect(Arc::as_ptr(&one).wrapping_byte_add(8)).is_none());
}

#[test]
fn one_of_many_connects() {
    let one = create();
    let address = Arc::as_ptr(&one) as usize;
    let start = Arc::new(Barrier::new(4));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let start = Arc::clone(&start);
            thread::spawn(move || {
                start.wait();
                connect(address as *const _)
            })
        })
        .collect();
    // Their ends stay until all have tried.
    let ends: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    assert_eq!(ends.iter().flatten().count(), 1);
}

#[test]
fn overload() {
    let channel = create();
    assert_eq!(channel.write(&vec![b'x'; CAPACITY]), Err(Full));
    let mut lines = 0;
    while channel.write(b"").is_ok() {
        lines += 1;
        assert!(lines <= CAPACITY);
    }
    // What is read makes room.
    assert!(channel.read(Duration::ZERO).is_some());
    assert_eq!(channel.write(b""), Ok(()));
    assert_eq!(channel.write(b""), Err(Full));
}
