//! bson's documents, without Lua.

// Each file is a module of the crate; not all of it is used here.
#[path = "../src/bson/format.rs"]
#[allow(dead_code)]
mod format;
#[path = "../src/bson/output.rs"]
#[allow(dead_code)]
mod output;

use format::*;
use output::{Output, Refusal};

fn sample() -> Vec<u8> {
    let mut out = Output::default();
    let start = out.begin().unwrap();
    out.integer(b"small", -1).unwrap();
    out.integer(b"large", 1 << 40).unwrap();
    out.real(b"real", 1.5).unwrap();
    out.boolean(b"yes", true).unwrap();
    out.string(b"text", "\u{e9}\0".as_bytes()).unwrap();
    out.string(b"date", b"\0\x09\x01\0\0\0").unwrap();
    out.string(b"id", b"\0\x07abcdefghijkl").unwrap();
    out.string(b"binary", b"\0\x05\x02xyz").unwrap();
    out.string(b"regex", b"\0\x0ba.*\0i\0").unwrap();
    out.string(b"stamp", b"\0\x1112345678").unwrap();
    out.string(b"null", b"\0\x0a").unwrap();
    out.string(b"min", b"\0\xff").unwrap();
    out.string(b"code", b"\0\x0d\x02\0\0\0x\0").unwrap();
    out.string(b"pointer", b"\0\x0c\x02\0\0\0x\0abcdefghijkl")
        .unwrap();
    out.string(b"scope", b"\0\x0f\x0b\0\0\0\x02\0\0\0x\0\0")
        .unwrap();
    out.head(ARRAY, b"list").unwrap();
    let list = out.begin().unwrap();
    out.integer(b"0", 7).unwrap();
    out.end(list).unwrap();
    out.end(start).unwrap();
    out.bytes().to_vec()
}

/// Reads everything in a document; how many values there are.
fn read(reader: Reader<'_>) -> Result<usize, Fault> {
    let mut reader = reader;
    let mut count = 0;
    while let Some(element) = reader.next()? {
        count += match element.value {
            Value::Document(nested) | Value::Array(nested) => 1 + read(nested)?,
            _ => 1,
        };
        let _ = array_index(element.key);
    }
    Ok(count)
}

#[test]
fn what_was_written_is_read() {
    let bytes = sample();
    let mut reader = Reader::document(&bytes).unwrap();
    let mut next = || reader.next().unwrap().unwrap();
    let first = next();
    assert_eq!(
        (first.kind, first.key, first.offset),
        (INT32, &b"small"[..], 7)
    );
    assert_eq!(first.value, Value::Integer(-1));
    assert_eq!(next().value, Value::Integer(1 << 40));
    assert_eq!(next().value, Value::Real(1.5));
    assert_eq!(next().value, Value::Boolean(true));
    assert_eq!(next().value, Value::Text("\u{e9}\0".as_bytes()));
    assert_eq!(next().value, Value::Date(1000));
    let others: [&[u8]; 9] = [
        b"abcdefghijkl",
        b"\x02xyz",
        b"a.*\0i\0",
        b"12345678",
        b"",
        b"",
        b"\x02\0\0\0x\0",
        b"\x02\0\0\0x\0abcdefghijkl",
        b"\x0b\0\0\0\x02\0\0\0x\0\0",
    ];
    for other in others {
        assert_eq!(next().value, Value::Other(other));
    }
    let Value::Array(mut list) = next().value else {
        panic!("an array");
    };
    assert_eq!(list.next().unwrap().unwrap().value, Value::Integer(7));
    assert_eq!(list.next(), Ok(None));
    assert_eq!(reader.next(), Ok(None));
}

#[test]
fn refusals() {
    let refused = |string: &[u8]| Output::default().string(b"key", string).unwrap_err();
    assert_eq!(refused(b"\0\x05"), Refusal::Special(BINARY));
    assert_eq!(refused(b"\0\x07short"), Refusal::Special(OBJECTID));
    assert_eq!(refused(b"\0\x09short"), Refusal::Special(DATE));
    assert_eq!(refused(b"\0\x0b"), Refusal::Special(REGEX));
    assert_eq!(refused(b"\0\x0bno end"), Refusal::Special(REGEX));
    assert_eq!(refused(b"\0\x0ba\0b\0c\0"), Refusal::Zero);
    assert_eq!(refused(b"\0\x63"), Refusal::Kind(0x63));
    for text in [
        &b"\xc0\x80"[..],
        b"\xed\xa0",
        b"\xff",
        b"\xf4\x90\x80\x80",
        b"x\x80",
    ] {
        assert_eq!(refused(text), Refusal::Text);
    }
    assert_eq!(Output::default().string(b"key", b"\xed\xa0\x80x"), Ok(()));
    assert_eq!(Output::default().integer(b"a\0b", 1), Err(Refusal::Zero));
}

#[test]
fn hostile_documents() {
    let fault = |bytes: &[u8]| Reader::document(bytes).and_then(read).unwrap_err();
    assert_eq!(fault(b""), Fault::Block { left: 0, need: 4 });
    assert_eq!(fault(b"\x05\0\0\0"), Fault::Block { left: 0, need: 1 });
    assert_eq!(fault(b"\x04\0\0\0\0"), Fault::Block { left: 1, need: -1 });
    assert_eq!(
        fault(b"\xff\xff\xff\xff\0"),
        Fault::Block { left: 1, need: -6 }
    );
    assert_eq!(fault(b"\x05\0\0\0x"), Fault::End);
    assert_eq!(fault(b"\x08\0\0\0\x01ab\0"), Fault::Key);
    assert_eq!(fault(b"\x08\0\0\0\x06a\0\0"), Fault::Kind(6));
    assert_eq!(
        fault(b"\x0c\0\0\0\x02a\0\0\0\0\0\0"),
        Fault::Text { length: 0 }
    );
    for size in [-1, i32::MIN, i32::MAX, 1] {
        for kind in [
            STRING, DOCUMENT, ARRAY, BINARY, DBPOINTER, JSCODE, SYMBOL, CODEWS,
        ] {
            let mut bytes = vec![12, 0, 0, 0, kind, b'a', 0];
            bytes.extend_from_slice(&size.to_le_bytes());
            bytes.push(0);
            fault(&bytes);
        }
    }
}

#[test]
fn array_keys() {
    for (key, index) in [
        ("0", 1),
        ("41", 42),
        ("", 1),
        ("x", 1),
        ("7x", 8),
        (" 3", 4),
        ("-2", -1),
        ("+1", 2),
    ] {
        assert_eq!(array_index(key.as_bytes()), index, "{key}");
    }
    array_index(b"99999999999999999999999");
    array_index(b"-99999999999999999999999");
    array_index(b"2147483647");
}

/// Small and repeatable.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

#[test]
fn any_bytes_end_in_values_or_a_fault() {
    let sample = sample();
    let mut random = Random(0x0123_4567_89ab_cdef);
    let mut good = 0;
    for _ in 0..500_000 {
        let mut bytes = sample.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes[at] ^= 1 << random.below(8),
                2 => bytes[at] = [0, 1, 3, 4, 5, 15, 0x7f, 0xff][random.below(8)],
                _ => bytes.truncate(at.max(4)),
            }
        }
        good += usize::from(Reader::document(&bytes).and_then(read).is_ok());
        // As a size that is true makes more of it readable.
        let size = (bytes.len() as u32).to_le_bytes();
        bytes[..4].copy_from_slice(&size);
        good += usize::from(Reader::document(&bytes).and_then(read).is_ok());
        let string: Vec<u8> = (0..random.below(20))
            .map(|_| random.below(256) as u8)
            .collect();
        let _ = Output::default().string(b"", &string);
        let special = [&[0, random.below(20) as u8], &string[..]].concat();
        let _ = Output::default().string(b"", &special);
    }
    assert!(good > 1000, "{good}");
}
