//! The documents of skynet.datasheet, without Lua.

// The file is a module of the crate; not all of it is used here.
#[path = "../src/datasheet/document.rs"]
#[allow(dead_code)]
mod document;

use document::{Fault, GONE, check};

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// `{ 7, "x", { y = true } }`, and a table that is gone.
fn sample() -> Vec<u8> {
    let mut bytes = words(&[64, 3, 0, GONE, 24, 3, 0]);
    bytes.extend([1, 5, 4, 0]);
    bytes.extend(words(&[7, 0, 2, 0, 1]));
    bytes.extend([3, 0, 0, 0]);
    bytes.extend(words(&[2, 1 << 24]));
    bytes.extend(b"x\0y\0");
    bytes
}

#[test]
fn whole() {
    assert_eq!(check(&sample()), Ok(()));
    // Bytes after it make addresses different.
    let mut longer = sample();
    longer.extend(b"12");
    assert_eq!(check(&longer), Ok(()));
    assert_eq!(check(&words(&[20, 1, 0, 0, 0])), Ok(()));
}

#[test]
fn cut_off() {
    let bytes = sample();
    // The last string's zero is there in any string of Lua's; and the string may be empty.
    for size in 0..bytes.len() - 2 {
        assert_eq!(check(&bytes[..size]), Err(Fault::Short), "{size} bytes");
    }
}

#[test]
fn outside() {
    for (word, value) in [
        (0, 1000), // the strings
        (1, 0),    // no tables
        (1, 1 << 30),
        (2, 1000), // the first table
        (5, 1 << 31),
        (6, u32::MAX),
        (9, 5),  // a string
        (10, 3), // a table
        (14, 5), // a key
    ] {
        let mut bytes = sample();
        bytes[word * 4..][..4].copy_from_slice(&u32::to_le_bytes(value));
        assert_eq!(check(&bytes), Err(Fault::Short), "word {word} = {value}");
    }
}

#[test]
fn unknown_type() {
    let mut bytes = sample();
    bytes[28] = 6;
    assert_eq!(check(&bytes), Err(Fault::Type));
}

#[test]
fn tables_in_tables() {
    let mut bytes = words(&[0, 100]);
    bytes.extend(words(&[0; 100]));
    bytes.extend(words(&[50, 0]));
    bytes.extend([0; 300]);
    assert_eq!(check(&bytes), Err(Fault::Overlap));
}
