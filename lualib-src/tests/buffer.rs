//! The buffer of skynet.socketdriver, without Lua.

#[path = "../src/socketdriver/buffer.rs"]
mod buffer;

use buffer::{Block, Buffer};
use std::ptr::NonNull;

fn block(bytes: &[u8]) -> Block {
    // SAFETY: malloc gives room for all bytes, which are copied before the
    // block is handed on.
    unsafe {
        let start = libc::malloc(bytes.len().max(1));
        let start = NonNull::new(start).unwrap();
        start
            .cast::<u8>()
            .as_ptr()
            .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        Block::from_raw(start, bytes.len())
    }
}

fn buffer(pieces: &[&str]) -> Buffer {
    let mut buffer = Buffer::default();
    for piece in pieces {
        buffer.push(block(piece.as_bytes())).unwrap();
    }
    buffer
}

fn take(buffer: &mut Buffer, size: usize) -> String {
    let mut bytes = vec![0; size];
    // SAFETY: MaybeUninit<u8> and u8 have one layout, and copy only writes.
    buffer.copy(unsafe { &mut *(&raw mut bytes[..] as *mut [std::mem::MaybeUninit<u8>]) });
    if let Some(piece) = buffer.in_one_piece(size) {
        assert_eq!(piece, bytes);
    }
    buffer.consume(size);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn order() {
    let mut buffer = buffer(&["ab", "", "cdef", "g"]);
    assert_eq!(buffer.size(), 7);
    assert_eq!(take(&mut buffer, 1), "a");
    assert_eq!(take(&mut buffer, 2), "bc");
    assert_eq!(take(&mut buffer, 3), "def");
    buffer.push(block(b"h")).unwrap();
    assert_eq!(take(&mut buffer, 2), "gh");
    assert_eq!(buffer.size(), 0);
    buffer.consume(1);
    assert_eq!(buffer.size(), 0);
    assert_eq!(buffer.in_one_piece(0), Some(&b""[..]));
    assert_eq!(buffer.in_one_piece(1), None);
}

#[test]
fn separators() {
    let cases: [(&[&str], &str, Option<usize>); 12] = [
        (&[], "\n", None),
        (&[], "", None),
        (&["x"], "", Some(0)),
        (&["abc\n"], "\n", Some(3)),
        (&["ab", "c\nd\n"], "\n", Some(3)),
        (&["ab\r", "\ncd"], "\r\n", Some(2)),
        (&["a\r", "b\r\n"], "\r\n", Some(3)),
        (&["a", "a", "a", "b"], "aab", Some(1)),
        (&["-", "-", "-", "-x"], "----", Some(0)),
        (&["-", "-", "-"], "----", None),
        (&["short"], "a longer separator", None),
        (&["0123", "456789ab"], "123456789a", Some(1)),
    ];
    for (pieces, separator, at) in cases {
        let mut buffer = buffer(pieces);
        for _ in 0..2 {
            let found = buffer.find(separator.as_bytes());
            assert_eq!(found, at, "{separator:?} in {pieces:?}");
        }
    }
}

/// What is remembered between two searches never hides a separator.
#[test]
fn remembered_searches() {
    let text = "a\r\n\r\nbb\rc\n\n\r\n---\r\n-\r-\n";
    for separator in ["\n", "\r\n", "\n\r", "--", "\r\n-\r-\n-"] {
        for size in 1..4 {
            let mut buffer = Buffer::default();
            let mut rest = text;
            let mut got = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                buffer.push(block(piece)).unwrap();
                while let Some(at) = buffer.find(separator.as_bytes()) {
                    got.push(take(&mut buffer, at));
                    assert_eq!(take(&mut buffer, separator.len()), separator);
                }
                // A search for something else in between.
                assert_eq!(buffer.find(b"nowhere"), None);
            }
            let mut wanted = Vec::new();
            while let Some((line, after)) = rest.split_once(separator) {
                wanted.push(line.to_owned());
                rest = after;
            }
            assert_eq!(got, wanted, "{separator:?} in pieces of {size}");
            let left = buffer.size();
            assert_eq!(take(&mut buffer, left), rest);
        }
    }
}
