//! The wire format, byte for byte, and what is no stream.

#![allow(dead_code)]
#[path = "../src/seri/format.rs"]
mod format;

use format::{Head, Item, MAX_UNPACK_LEVEL, Reader, Survey, survey};

fn bytes(head: Head) -> Vec<u8> {
    let mut bytes = vec![head.tag];
    bytes.extend(&head.payload.to_le_bytes()[..head.len - 1]);
    bytes
}

#[test]
fn integers_take_the_shortest_form() {
    let cases: [(i64, &[u8]); 13] = [
        (0, &[0x02]),
        (1, &[0x0a, 1]),
        (0xff, &[0x0a, 0xff]),
        (0x100, &[0x12, 0, 1]),
        (0xffff, &[0x12, 0xff, 0xff]),
        (0x10000, &[0x22, 0, 0, 1, 0]),
        (0x7fff_ffff, &[0x22, 0xff, 0xff, 0xff, 0x7f]),
        (0x8000_0000, &[0x32, 0, 0, 0, 0x80, 0, 0, 0, 0]),
        (-1, &[0x22, 0xff, 0xff, 0xff, 0xff]),
        (-0x8000_0000, &[0x22, 0, 0, 0, 0x80]),
        (
            -0x8000_0001,
            &[0x32, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff],
        ),
        (
            i64::MAX,
            &[0x32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ),
        (i64::MIN, &[0x32, 0, 0, 0, 0, 0, 0, 0, 0x80]),
    ];
    for (value, expected) in cases {
        let written = bytes(Head::integer(value));
        assert_eq!(written, expected, "{value}");
        assert_eq!(Reader::new(&written).next(), Ok(Item::Integer(value)));
    }
}

#[test]
fn other_heads() {
    assert_eq!(bytes(Head::nil()), [0x00]);
    assert_eq!(bytes(Head::boolean(false)), [0x01]);
    assert_eq!(bytes(Head::boolean(true)), [0x09]);
    assert_eq!(bytes(Head::real(1.0)), [0x42, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    assert_eq!(
        bytes(Head::pointer(0x0102)),
        [0x03, 2, 1, 0, 0, 0, 0, 0, 0],
        "an address of 64 bits"
    );
    assert_eq!(bytes(Head::string(0)), [0x04]);
    assert_eq!(bytes(Head::string(31)), [0xfc]);
    assert_eq!(bytes(Head::string(32)), [0x15, 32, 0]);
    assert_eq!(bytes(Head::string(0xffff)), [0x15, 0xff, 0xff]);
    assert_eq!(bytes(Head::string(0x10000)), [0x25, 0, 0, 1, 0]);
    let table = |array| {
        let (head, apart) = Head::table(array);
        let mut written = bytes(head);
        written.extend(apart.into_iter().flat_map(bytes));
        written
    };
    assert_eq!(table(0), [0x06]);
    assert_eq!(table(30), [0xf6]);
    assert_eq!(table(31), [0xfe, 0x0a, 31]);
    assert_eq!(table(70000), [0xfe, 0x22, 0x70, 0x11, 1, 0]);
}

#[test]
fn a_survey_counts_pairs_in_the_order_of_heads() {
    // { 1, { x = true } }, { [{}] = 2, y = 0 }, 5
    let stream = [
        0x16, 0x0a, 1, 0x06, 0x0c, b'x', 0x09, 0x00, 0x00, //
        0x06, 0x06, 0x00, 0x0a, 2, 0x0c, b'y', 0x02, 0x00, //
        0x0a, 5,
    ];
    let mut pairs = [77; 6];
    let found = survey(&stream, &mut pairs);
    let expected = Survey {
        values: 3,
        tables: 4,
    };
    assert_eq!(found, Ok(expected));
    assert_eq!(pairs, [0, 1, 2, 0, 77, 77]);
    // Without room for the numbers the rest is the same.
    assert_eq!(survey(&stream, &mut []), Ok(expected));
}

fn reason(stream: &[u8]) -> &str {
    match survey(stream, &mut []) {
        Ok(found) => panic!("{stream:x?} was read: {found:?}"),
        Err(fault) => fault.reason.to_str().expect("reasons are ASCII"),
    }
}

#[test]
fn every_fault_is_named() {
    assert_eq!(reason(&[0x07]), "unknown type");
    assert_eq!(reason(&[0x1a]), "unknown kind of number");
    assert_eq!(reason(&[0x0d]), "unknown kind of string");
    for cut in [
        &[0x0a][..],
        &[0x12, 1],
        &[0x22, 1, 2, 3],
        &[0x42, 0],
        &[3],
        &[0x15, 1],
        &[0xfe],
    ] {
        assert_eq!(reason(cut), "the stream ends within a value");
    }
    assert_eq!(reason(&[0x14, b'x']), "a string is longer than the stream");
    assert_eq!(
        reason(&[0x25, 0xff, 0xff, 0xff, 0xff, b'x']),
        "a string is longer than the stream"
    );
    assert_eq!(reason(&[0x06]), "the stream ends within a table");
    assert_eq!(reason(&[0x06, 0x09]), "the stream ends within a table");
    let endless = [0xfe, 0x32, 0, 0, 0, 0, 0, 0, 0, 0x7f];
    assert_eq!(reason(&endless), "the stream ends within a table");
    assert_eq!(
        reason(&[0xfe, 0x22, 0xff, 0xff, 0xff, 0xff, 0x00]),
        "the length of an array is negative"
    );
    assert_eq!(
        reason(&[0xfe, 0x09, 0x00]),
        "the length of an array is no integer"
    );
    assert_eq!(
        reason(&[0xfe, 0x42, 0, 0, 0, 0, 0, 0, 0, 0]),
        "unknown kind of number"
    );
    let mut not_a_number = vec![0x06];
    not_a_number.extend(bytes(Head::real(f64::NAN)));
    not_a_number.extend([0x09, 0x00]);
    assert_eq!(reason(&not_a_number), "a table's key is NaN");
}

#[test]
fn nesting_is_limited() {
    let nested = |levels: usize| {
        let mut stream = vec![0x0e; levels];
        stream.push(0x06);
        stream.extend(vec![0x00; levels + 1]);
        stream
    };
    let most = MAX_UNPACK_LEVEL as usize;
    assert_eq!(
        survey(&nested(most), &mut []).map(|s| s.tables),
        Ok(most + 1)
    );
    assert_eq!(reason(&nested(most + 1)), "tables are nested too deep");
    assert_eq!(reason(&nested(1_000_000)), "tables are nested too deep");
}

#[test]
fn remaining_bytes_are_reported() {
    let fault = survey(&[0x09, 0x07, 0x09, 0x09], &mut []).unwrap_err();
    assert_eq!(fault.remaining, 2);
}
