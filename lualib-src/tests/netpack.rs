//! Frames from bytes, without Lua.

#[path = "../src/netpack/frames.rs"]
mod frames;

use frames::{Frame, Frames, OutOfMemory, Read, Storage, header, whole};
use std::cell::Cell;
use std::collections::HashMap;

/// A frame as large as its header can say.
const LARGEST: usize = 0xffff;

thread_local! {
    /// Blocks there are, and allocations until one fails.
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static BUDGET: Cell<usize> = const { Cell::new(usize::MAX) };
}

#[derive(Debug, PartialEq, Eq)]
struct Counted(Vec<u8>, usize);

impl Storage for Counted {
    fn allocate(size: usize) -> Option<Self> {
        assert!(size <= LARGEST);
        BUDGET.set(BUDGET.get().checked_sub(1)?);
        LIVE.set(LIVE.get() + 1);
        Some(Self(Vec::new(), size))
    }

    fn append(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        assert!(self.0.len() <= self.1, "more bytes than the header said");
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LIVE.set(LIVE.get() - 1);
    }
}

fn stream(contents: &[&[u8]]) -> Vec<u8> {
    let framed = contents.iter().map(|content| {
        let mut frame = header(content.len()).unwrap().to_vec();
        frame.extend_from_slice(content);
        frame
    });
    framed.collect::<Vec<_>>().concat()
}

/// All frames of a read, however they came, and how many of them by the queue.
fn take(frames: &mut Frames<Counted>, id: i32, bytes: &[u8]) -> (Vec<Vec<u8>>, &'static str) {
    let mut got = Vec::new();
    let mut keep = |frame: Frame<Counted>| {
        assert_eq!((frame.id, frame.size), (id, frame.content.0.len()));
        got.push(frame.content.0.clone());
    };
    let how = match frames.read(id, bytes).unwrap() {
        Read::Nothing => "nothing",
        Read::One(frame) => {
            keep(frame);
            "one"
        }
        Read::Several => "several",
    };
    while let Some(frame) = frames.pop() {
        keep(frame);
    }
    (got, how)
}

#[test]
fn table() {
    // Reads of one socket; what each is, and what it completes.
    type Case<'a> = &'a [(&'a [u8], &'a str, &'a [&'a [u8]])];
    let cases: [Case<'_>; 9] = [
        &[(b"\0\x03abc", "one", &[b"abc"])],
        &[(b"\0\0", "one", &[b""])],
        &[(b"", "nothing", &[])],
        &[
            (b"\0", "nothing", &[]),
            (b"\x02", "nothing", &[]),
            (b"a", "nothing", &[]),
            (b"b", "one", &[b"ab"]),
        ],
        &[(b"\0", "nothing", &[]), (b"\0", "one", &[b""])],
        &[(b"\0\x01a\0\x01b", "several", &[b"a", b"b"])],
        // The second frame is not complete: the first comes by the queue.
        &[
            (b"\0\x01a\0", "several", &[b"a"]),
            (b"\x01b", "one", &[b"b"]),
        ],
        &[
            (b"\0\x02a", "nothing", &[]),
            (b"b\0\0\0\x01", "several", &[b"ab", b""]),
            (b"c", "one", &[b"c"]),
        ],
        &[(b"\0\0\0\0\0\0", "several", &[b"", b"", b""])],
    ];
    for case in cases {
        let mut frames = Frames::default();
        for (bytes, how, contents) in case {
            let (got, was) = take(&mut frames, 5, bytes);
            assert_eq!(
                (got, was),
                (contents.iter().map(|c| c.to_vec()).collect(), *how),
                "{case:?}"
            );
        }
    }
    assert_eq!(LIVE.get(), 0);
}

#[test]
fn whole_frames_need_no_queue() {
    for (bytes, content) in [
        (&b"\0\x02ab"[..], Some(&b"ab"[..])),
        (b"\0\0", Some(b"")),
        (b"\0\x02a", None),
        (b"\0\x02abc", None),
        (b"\0", None),
        (b"", None),
    ] {
        let frame = whole::<Counted>(1, bytes).unwrap();
        assert_eq!(frame.map(|f| f.content.0.clone()).as_deref(), content);
    }
    assert_eq!(header(LARGEST), Some([0xff, 0xff]));
    assert_eq!(header(LARGEST + 1), None);
}

/// A small generator of numbers: xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// Streams of several sockets, cut anywhere and mixed, come out frame by frame.
#[test]
fn any_cuts_give_the_same_frames() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..200 {
        let mut frames = Frames::default();
        let mut streams = HashMap::new();
        let mut wanted: HashMap<i32, Vec<Vec<u8>>> = HashMap::new();
        for id in [-1, 0, 7, i32::MAX] {
            let contents: Vec<Vec<u8>> = (0..random.below(12))
                .map(|_| {
                    let limit = [1, 4, 300, LARGEST + 1][random.below(4)];
                    vec![random.below(256) as u8; random.below(limit)]
                })
                .collect();
            let slices: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
            streams.insert(id, (stream(&slices), 0));
            wanted.insert(id, contents);
        }
        let mut got: HashMap<i32, Vec<Vec<u8>>> = HashMap::new();
        let largest_cut = [1, 3, 1000, 100_000][random.below(4)];
        let mut order: Vec<i32> = streams.keys().copied().collect();
        order.sort_unstable();
        while !order.is_empty() {
            let index = random.below(order.len());
            let id = order[index];
            let (bytes, at) = streams.get_mut(&id).unwrap();
            let end = bytes.len().min(*at + 1 + random.below(largest_cut));
            let piece = &bytes[*at..end];
            *at = end;
            let ended = end == bytes.len();
            let (new, _) = take(&mut frames, id, piece);
            got.entry(id).or_default().extend(new);
            if ended {
                order.remove(index);
            }
            assert!(LIVE.get() <= 4, "one incomplete frame for each socket");
        }
        assert_eq!(got, wanted);
        assert_eq!(LIVE.get(), 0);
    }
}

/// Bytes that nobody meant as frames neither panic nor hold memory.
#[test]
fn hostile_bytes() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut frames = Frames::default();
    for round in 0..20_000 {
        let id = random.below(50) as i32;
        let bytes: Vec<u8> = (0..random.below(40))
            .map(|_| random.below(256) as u8)
            .collect();
        take(&mut frames, id, &bytes);
        if round % 7 == 0 {
            frames.close(random.below(50) as i32);
        }
        assert!(LIVE.get() <= 50);
    }
    drop(frames);
    assert_eq!(LIVE.get(), 0);
}

#[test]
fn a_closed_socket_leaves_only_complete_frames() {
    let mut frames = Frames::<Counted>::default();
    assert_eq!(frames.read(1, b"\0\x01a\0\x05b"), Ok(Read::Several));
    assert_eq!(frames.read(2, b"\0"), Ok(Read::Nothing));
    assert!(frames.has_begun(1) && frames.has_begun(2) && !frames.has_begun(3));
    for id in 1..4 {
        frames.close(id);
        assert!(!frames.has_begun(id));
    }
    assert_eq!(frames.pop().unwrap().content.0, b"a");
    // The number is another socket's now: it begins anew.
    assert_eq!(take(&mut frames, 1, b"\0\x01c").0, [b"c"]);
    drop(frames);
    assert_eq!(LIVE.get(), 0);
}

#[test]
fn out_of_memory() {
    let mut frames = Frames::<Counted>::default();
    BUDGET.set(1);
    assert_eq!(frames.read(1, b"\0\x01a\0\x01b"), Err(OutOfMemory));
    assert_eq!(whole::<Counted>(1, b"\0\x01a"), Err(OutOfMemory));
    BUDGET.set(usize::MAX);
    assert_eq!(frames.pop().unwrap().content.0, b"a");
    assert_eq!(frames.pop(), None);
    assert_eq!(LIVE.get(), 0);
}
