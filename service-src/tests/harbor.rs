//! What the harbor reads and keeps, without a core.

#[allow(dead_code)]
#[path = "../src/block.rs"]
mod block;
#[path = "../src/harbor/command.rs"]
mod command;
#[path = "../src/harbor/frame.rs"]
mod frame;
#[path = "../src/harbor/names.rs"]
mod names;
#[path = "../src/harbor/outbox.rs"]
mod outbox;
#[path = "../src/harbor/requests.rs"]
mod requests;

use block::Block;
use command::{Command, Side};
use frame::{Broken, Cookie, Frames, HEAD, LIMIT};
use names::{GlobalName, Names, Route};
use requests::{Request, Requests};

const COOKIE: Cookie = Cookie {
    source: 0x0102_0304,
    destination: 0x0a00_0005,
    session: 0xffff_fffe,
};

fn frame(content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len() + Cookie::SIZE).unwrap();
    [&size.to_be_bytes()[..], content, &COOKIE.to_bytes()].concat()
}

/// What the pieces complete, and how it ends.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Result<(), Broken>) {
    let mut frames = Frames::default();
    let mut got = Vec::new();
    for piece in pieces {
        let end = frames.read(piece, |cookie, block: Block| {
            assert_eq!(cookie, COOKIE);
            assert_eq!(block.len(), block.bytes().len());
            got.push(block.bytes().to_vec());
            true
        });
        if end.is_err() {
            return (got, end);
        }
    }
    (got, Ok(()))
}

#[test]
fn cookies() {
    let bytes = [1, 2, 3, 4, 10, 0, 0, 5, 0xff, 0xff, 0xff, 0xfe];
    assert_eq!(COOKIE.to_bytes(), bytes);
    assert_eq!(Cookie::from_bytes(&bytes), COOKIE);
}

#[test]
fn any_cuts_give_the_same_messages() {
    let large = vec![7; 300_000];
    let contents: [&[u8]; 5] = [b"a", b"", b"bcd", &large, b"e"];
    let stream: Vec<u8> = contents.iter().flat_map(|content| frame(content)).collect();
    for size in [1, 3, 4, 5, 16, 1000, 65536, stream.len()] {
        let (got, end) = read(stream.chunks(size));
        assert!(got == contents, "{size}");
        assert_eq!(end, Ok(()));
    }
}

#[test]
fn sizes_that_cannot_be() {
    for (size, broken) in [
        (0, Some(Broken::TooShort)),
        (Cookie::SIZE - 1, Some(Broken::TooShort)),
        (LIMIT - 1, None),
        (LIMIT, Some(Broken::TooLong)),
        (u32::MAX as usize, Some(Broken::TooLong)),
    ] {
        let head = u32::try_from(size).unwrap().to_be_bytes();
        let before = frame(b"before");
        let (got, end) = read([&before[..], &head[..HEAD - 1], &head[HEAD - 1..]].into_iter());
        assert_eq!(got, [b"before"]);
        assert_eq!(end.err(), broken, "{size}");
    }
}

/// Nothing is read after a message that the receiver does not want.
#[test]
fn stops() {
    let stream = [frame(b"one"), frame(b"two")].concat();
    let mut count = 0;
    let end = Frames::default().read(&stream, |_, _| {
        count += 1;
        false
    });
    assert_eq!((count, end), (1, Ok(())));
}

#[test]
fn commands() {
    let name = |text: &[u8]| GlobalName::new(text).unwrap();
    let link = |side, socket, harbor| Command::Link {
        side,
        socket,
        harbor,
    };
    for (text, command) in [
        (&b"N NAME"[..], Command::Name(name(b"NAME"))),
        (b"N a b", Command::Name(name(b"a b"))),
        (b"N ", Command::InvalidName(b"")),
        (b"N", Command::InvalidName(b"")),
        (
            b"N 1234567890123456",
            Command::InvalidName(b"1234567890123456"),
        ),
        (b"F NAME", Command::NoName(name(b"NAME"))),
        (b"S 5 9", link(Side::Connects, 5, 9)),
        (b"A 2147483647 255", link(Side::Accepts, i32::MAX, 255)),
        (b"S 0 9", Command::Invalid(b'S', b"0 9")),
        (b"A 5 0", Command::Invalid(b'A', b"5 0")),
        (b"A 5 256", Command::Invalid(b'A', b"5 256")),
        (b"A 5", Command::Invalid(b'A', b"5")),
        (b"A", Command::Invalid(b'A', b"")),
        (b"S x 9", Command::Invalid(b'S', b"x 9")),
        (b"S \xff 9", Command::Invalid(b'S', b"\xff 9")),
        (b"D 9", Command::Gone(9)),
        (b"D -1", Command::Invalid(b'D', b"-1")),
        (b"X", Command::Unknown),
        (b"", Command::Unknown),
    ] {
        assert_eq!(Command::parse(text), command);
    }
}

#[test]
fn names_wait_and_are_given_up() {
    let name = GlobalName::new(b"NAME").unwrap();
    assert_eq!(name.text(), b"NAME");
    let mut names = Names::new();
    assert!(matches!(names.route(&name, 1), Route::Waiting));
    assert!(matches!(names.route(&name, 2), Route::Waiting));
    assert_eq!(names.forget(&name), [1, 2]);
    assert!(matches!(names.route(&name, 3), Route::Waiting));
    assert_eq!(names.register(name, 7), [3]);
    assert_eq!(names.forget(&name), []);
    let same = GlobalName::from_field(*b"NAME\0\0\0\0\0\0\0\0\0\0\0x");
    assert!(matches!(names.route(&same, 4), Route::Known(7, 4)));
}

const fn request(source: u32, session: i32, destination: u32) -> Request {
    Request {
        source,
        session,
        destination,
    }
}

#[test]
fn requests_that_are_open() {
    let mut requests = Requests::new();
    for session in 1..=5 {
        requests.sent(request(7, session, 0x0200_0001), |_| true);
    }
    requests.sent(request(8, 3, 0x0300_0001), |_| true);
    requests.answered(7, 3);
    requests.answered(9, 4);
    let mut open = requests.take(|handle| handle >> 24 == 2);
    open.sort_by_key(|request| request.session);
    let left = [1, 2, 4, 5].map(|session| request(7, session, 0x0200_0001));
    assert_eq!(open, left);
    assert_eq!(requests.take(|_| true), [request(8, 3, 0x0300_0001)]);
    assert_eq!(requests.take(|_| true), []);
}

/// What services ask that are gone is not kept for ever.
#[test]
fn requests_of_the_dead() {
    let mut requests = Requests::new();
    requests.sent(request(1, 1, 5), |_| true);
    for source in 2..100_000 {
        requests.sent(request(source, 1, 5), |asked| asked == 1);
    }
    let open = requests.take(|_| true);
    assert!(open.len() < 5000, "{}", open.len());
    assert!(open.contains(&request(1, 1, 5)));
}

/// A service whose requests are never answered does not fill the memory, and does
/// not push out what was sent lately.
#[test]
fn requests_without_answers() {
    const MANY: i32 = 2_000_000;
    let mut requests = Requests::new();
    for session in 1..=MANY {
        requests.sent(request(1, session, 5), |_| true);
    }
    requests.answered(1, MANY);
    requests.answered(1, MANY - 200_000);
    let open = requests.take(|_| true);
    assert!(open.len() < 600_000, "{}", open.len());
    let sessions: std::collections::HashSet<i32> =
        open.iter().map(|request| request.session).collect();
    assert!(!sessions.contains(&MANY) && !sessions.contains(&(MANY - 200_000)));
    assert!((MANY - 150_000..MANY).all(|session| sessions.contains(&session)));
}

/// A session that is used again counts for the later request alone, however old the
/// earlier one is.
#[test]
fn requests_with_a_session_that_was_used() {
    let mut requests = Requests::new();
    requests.sent(request(1, 1, 0x0200_0005), |_| true);
    for session in 2..=1 << 18 {
        requests.sent(request(1, session, 0x0400_0005), |_| true);
    }
    requests.sent(request(2, 1, 0x0400_0005), |_| true);
    requests.sent(request(1, 1, 0x0300_0005), |_| true);
    assert_eq!(requests.take(|handle| handle >> 24 == 2), []);
    requests.answered(1, 1);
    assert_eq!(requests.take(|handle| handle >> 24 == 3), []);
}
