//! MongoDB's messages, without Lua.

#[path = "../src/mongo/message.rs"]
mod message;

use message::{Fault, HEAD, MAX_LENGTH, Reply};

const EMPTY: &[u8] = b"\x05\0\0\0\0";

fn message() -> Vec<u8> {
    [&message::head(0x0102, 2, EMPTY.len()).unwrap()[..], EMPTY].concat()
}

#[test]
fn heads() {
    assert_eq!(
        message(),
        b"\x1a\0\0\0\x02\x01\0\0\0\0\0\0\xdd\x07\0\0\x02\0\0\0\0\x05\0\0\0\0"
    );
    assert_eq!(message::head(1, 0, i32::MAX as usize), None);
    assert_eq!(message().len(), HEAD + EMPTY.len());
}

#[test]
fn lengths() {
    assert_eq!(message::rest(26_i32.to_le_bytes()), Some(22));
    assert_eq!(message::rest(4_i32.to_le_bytes()), Some(0));
    for length in [i32::MIN, -1, 0, 3, MAX_LENGTH + 1, i32::MAX] {
        assert_eq!(message::rest(length.to_le_bytes()), None);
    }
}

#[test]
fn replies() {
    let mut bytes = message()[4..].to_vec();
    bytes[4] = 9;
    let whole = Reply {
        id: 9,
        document: EMPTY,
    };
    assert_eq!(message::reply(&bytes), Ok(Some(whole)));
    for end in 0..16 {
        assert_eq!(message::reply(&bytes[..end]), Ok(None));
    }
    for end in 16..bytes.len() {
        assert_eq!(message::reply(&bytes[..end]), Err(Fault::Size));
    }
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        message::reply(&bytes).map(|_| ())
    };
    assert_eq!(with(8, 0xdc), Err(Fault::Opcode(2012)));
    assert_eq!(with(12, 1), Err(Fault::Checksum));
    assert_eq!(with(12, 4), Err(Fault::Flags(4)));
    assert_eq!(with(16, 1), Err(Fault::Section(1)));
    assert_eq!(with(17, 6), Err(Fault::Size));
    assert_eq!(with(20, 0xff), Err(Fault::Size));
    assert_eq!(with(12, 0), Ok(()));
}
