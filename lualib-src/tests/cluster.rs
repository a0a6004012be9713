//! The frames of a cluster, and long payloads in parts, without Lua.

#[path = "../src/cluster/parts.rs"]
mod parts;
#[path = "../src/cluster/wire.rs"]
mod wire;

use parts::{Joined, Parts, Storage};
use std::cell::Cell;
use wire::{Address, Answer, Head, LONGEST_NAME, PART, Request};

/// A frame's size, and its content with a payload.
fn frame(head: &Head, payload: &[u8]) -> (usize, Vec<u8>) {
    let (size, rest) = head.bytes().split_first_chunk().unwrap();
    (u16::from_be_bytes(*size).into(), [rest, payload].concat())
}

#[test]
fn short_requests() {
    let name = [b'n'; LONGEST_NAME];
    for address in [
        Address::Handle(0x0102_0304),
        Address::Handle(0),
        Address::Name(b"@sdb"),
        Address::Name(&name),
    ] {
        for (size, push) in [(0, false), (5, true), (PART - 1, false), (PART - 1, true)] {
            assert!(!wire::is_long_request(size));
            let payload = vec![7; size];
            let head = wire::request(address, 0x7fff_ffff, size as u32, push);
            let (announced, content) = frame(&head, &payload);
            assert_eq!(announced, content.len());
            let session = if push { 0 } else { 0x7fff_ffff };
            let whole = Request::Whole {
                address,
                session,
                payload: &payload,
            };
            assert_eq!(Request::read(&content), Ok(whole));
        }
    }
}

#[test]
fn long_requests() {
    for (address, kinds) in [
        (Address::Handle(9), [0x01, 0x41]),
        (Address::Name(b"a"), [0x81, 0xc1]),
    ] {
        for push in [false, true] {
            assert!(wire::is_long_request(PART));
            let (size, content) = frame(&wire::request(address, 3, u32::MAX, push), &[]);
            assert_eq!(size, content.len());
            assert_eq!(content[0], kinds[usize::from(push)]);
            let begin = Request::Begin {
                address,
                session: 3,
                size: u32::MAX,
                push,
            };
            assert_eq!(Request::read(&content), Ok(begin));
        }
    }
    for (last, kind) in [(false, 2), (true, 3)] {
        let payload = vec![1; PART];
        let (size, content) = frame(&wire::part_of_request(8, PART, last), &payload);
        assert_eq!((size, content[0]), (content.len(), kind));
        let part = Request::Part {
            session: 8,
            payload: &payload,
            last,
        };
        assert_eq!(Request::read(&content), Ok(part));
    }
    let (size, content) = frame(&wire::trace(PART), &[b't'; PART]);
    assert_eq!(size, content.len());
    assert_eq!(Request::read(&content), Ok(Request::Trace(&content[1..])));
}

#[test]
fn what_is_no_request() {
    for (bytes, text) in [
        (&b""[..], "Invalid req package. size == 0"),
        (b"\0", "Invalid cluster message (size=1)"),
        (b"\x00abcdefg", "Invalid cluster message (size=8)"),
        (b"\x80", "Invalid cluster message (size=1)"),
        (b"\x80\x01a\0\0\0", "Invalid cluster message (size=6)"),
        (
            b"\x81\x01a\0\0\0\0\0\0\0",
            "Invalid cluster message (size=10)",
        ),
        (
            b"\x01abcdefghijk",
            "Invalid cluster message size 12 (multi req must be 13)",
        ),
        (
            b"\x41abcdefghijklm",
            "Invalid cluster message size 14 (multi req must be 13)",
        ),
        (b"\x02abc", "Invalid cluster multi part message"),
        (b"\x03", "Invalid cluster multi part message"),
        (b"\x05", "Invalid req package type 5"),
        (b"\x82abcdefgh", "Invalid req package type -126"),
        (b"\xff", "Invalid req package type -1"),
    ] {
        let fault = Request::read(bytes).unwrap_err();
        assert_eq!(fault.to_string(), text);
        assert_eq!(wire::text(&mut [0; 96], fault), text.as_bytes());
        assert_eq!(wire::text(&mut [0; 9], fault), &text.as_bytes()[..9]);
    }
}

#[test]
fn responses() {
    for ok in [false, true] {
        for size in [0, PART] {
            assert!(!wire::is_long_response(size));
            let payload = vec![b'r'; size];
            let (announced, content) = frame(&wire::response(u32::MAX, ok, size), &payload);
            assert_eq!(announced, content.len());
            let answer = if ok {
                Answer::Whole(&payload)
            } else {
                Answer::Error(&payload)
            };
            assert_eq!(wire::read_response(&content), Some((u32::MAX, answer)));
            assert_eq!(&content[wire::RESPONSE_HEAD..], payload);
        }
    }
    assert!(wire::is_long_response(PART + 1));
    let (size, content) = frame(&wire::long_response(4, 0x0001_0203), &[]);
    assert_eq!(size, content.len());
    assert_eq!(
        wire::read_response(&content),
        Some((4, Answer::Begin(0x0001_0203)))
    );
    let (_, content) = frame(&wire::part_of_response(4, 2, false), b"ab");
    assert_eq!(
        wire::read_response(&content),
        Some((4, Answer::Part(b"ab")))
    );
    let (_, content) = frame(&wire::part_of_response(4, 1, true), b"c");
    assert_eq!(wire::read_response(&content), Some((4, Answer::Last(b"c"))));
    for bytes in [
        &b""[..],
        b"1234",
        b"1234\x05",
        b"1234\x02abc",
        b"1234\x02abcde",
    ] {
        assert_eq!(wire::read_response(bytes), None);
    }
}

thread_local! {
    /// Bytes of room that there are, and how many may still be taken.
    static ROOM: Cell<usize> = const { Cell::new(0) };
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

#[derive(Debug, PartialEq, Eq)]
struct Counted {
    bytes: Vec<u8>,
    room: usize,
}

fn take(size: usize) -> Option<()> {
    LEFT.set(LEFT.get().checked_sub(size)?);
    ROOM.set(ROOM.get() + size);
    Some(())
}

impl Storage for Counted {
    fn allocate(room: usize) -> Option<Self> {
        take(room)?;
        Some(Self {
            bytes: Vec::new(),
            room,
        })
    }

    fn grow(&mut self, size: usize) -> bool {
        if take(size - self.room).is_none() {
            return false;
        }
        self.room = size;
        true
    }

    fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        assert!(self.bytes.len() <= self.room, "more than there is room for");
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ROOM.set(ROOM.get() - self.room);
    }
}

type Payloads = Parts<&'static str, Counted>;

#[test]
fn several_at_a_time() {
    let mut parts = Payloads::new(1 << 30);
    parts.begin(1, 6, "one", 0).unwrap();
    parts.begin(2, 0, "two", 0).unwrap();
    assert_eq!(parts.add(1, b"abc", false), Ok(None));
    let two = parts.add(2, b"", true).unwrap().unwrap();
    assert_eq!((two.meta, two.size), ("two", 0));
    assert_eq!(two.content.unwrap().bytes, b"");
    let one = parts.add(1, b"def", true).unwrap().unwrap();
    assert_eq!((one.meta, one.size), ("one", 6));
    assert_eq!(one.content.unwrap().bytes, b"abcdef");
    assert_eq!(ROOM.get(), 0);
    // Both are gone, and may come again.
    assert_eq!(parts.add(1, b"", true), Err(parts::Fault::Unknown(1)));
    parts.begin(1, 1, "again", 0).unwrap();
    assert_eq!(parts.begin(1, 1, "twice", 0), Err(parts::Fault::Twice(1)));
}

#[test]
fn other_sizes() {
    let mut parts = Payloads::new(1 << 30);
    for (announced, pieces) in [(5, [2, 2]), (3, [2, 2]), (0, [1, 0])] {
        parts.begin(1, announced, "", 0).unwrap();
        parts.add(1, &vec![0; pieces[0]], false).unwrap();
        let joined = parts.add(1, &vec![0; pieces[1]], true).unwrap().unwrap();
        let nothing = Joined {
            meta: "",
            size: announced as usize,
            content: None,
        };
        assert_eq!(joined, nothing);
        assert_eq!(ROOM.get(), 0);
    }
}

/// Memory follows what has come, not what is announced.
#[test]
fn memory() {
    let limit = 8 << 20;
    let mut parts = Payloads::new(limit);
    // What can never be complete is refused.
    let fault = parts::Fault::Limit(limit);
    assert_eq!(parts.begin(1, limit as u32, "", 0), Err(fault));
    parts.begin(1, 7 << 20, "", 0).unwrap();
    parts.begin(2, 7 << 20, "", 0).unwrap();
    assert_eq!(ROOM.get(), 0);
    let piece = vec![0; PART];
    let mut sent = 0;
    let fault = loop {
        let session = 1 + (sent / PART % 2) as u32;
        match parts.add(session, &piece, false) {
            Ok(_) => sent += PART,
            Err(fault) => break fault,
        }
        assert!(ROOM.get() <= (2 * sent).max(2 << 20));
    };
    assert_eq!(fault, parts::Fault::Limit(limit));
    assert!(sent <= limit && ROOM.get() <= limit);
    drop(parts);
    assert_eq!(ROOM.get(), 0);

    // Beginnings count, and what is known of them.
    let mut parts = Payloads::new(limit);
    let count = (0..).find(|session| parts.begin(*session, 0, "", 1000).is_err());
    assert!(count.unwrap() < limit as u32 / 1000);

    // What is complete does not.
    let mut parts = Payloads::new(1000);
    for _ in 0..10 {
        parts.begin(1, 500, "", 0).unwrap();
        let joined = parts.add(1, &[0; 500], true).unwrap().unwrap();
        assert_eq!(joined.content.unwrap().bytes.len(), 500);
    }
}

#[test]
fn out_of_memory() {
    let mut parts = Payloads::new(usize::MAX);
    LEFT.set(2 << 20);
    parts.begin(1, u32::MAX, "", 0).unwrap();
    let piece = vec![0; PART];
    let fault = loop {
        if let Err(fault) = parts.add(1, &piece, false) {
            break fault;
        }
    };
    assert_eq!(fault, parts::Fault::OutOfMemory);
    LEFT.set(0);
    parts.begin(2, 5, "", 0).unwrap();
    assert_eq!(parts.add(2, &[0; 5], true), Err(parts::Fault::OutOfMemory));
    LEFT.set(usize::MAX);
    for fault in [
        parts::Fault::Twice(1),
        parts::Fault::Unknown(1),
        parts::Fault::Limit(1),
        parts::Fault::OutOfMemory,
    ] {
        assert!(!fault.to_string().is_empty());
    }
}
