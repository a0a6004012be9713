//! Addresses as skynet.socketdriver reads them, without Lua.

#[path = "../src/socketdriver/address.rs"]
mod address;

use address::{Malformed, split};

#[test]
fn hosts_and_ports() {
    for (text, host, port) in [
        ("127.0.0.1:80", "127.0.0.1", 80),
        ("[::1]:80", "::1", 80),
        ("some.name:65535", "some.name", 65535),
        (":0", "", 0),
        ("[]:1", "", 1),
        ("a:00080", "a", 80),
    ] {
        assert_eq!(split(text.as_bytes()), Ok((host.as_bytes(), port)));
    }
}

#[test]
fn malformed() {
    for text in ["", "name", "[::1]", "[::1", "[::1:80", "[::1]80"] {
        assert_eq!(split(text.as_bytes()), Err(Malformed::Address), "{text}");
    }
    for text in [
        "a:", "a:b", "a:1b", "a:65536", "a:-1", "a:+1", "::1:80", "a:1:2",
    ] {
        assert_eq!(split(text.as_bytes()), Err(Malformed::Port), "{text}");
    }
    assert_eq!(split(b"a:\xff"), Err(Malformed::Port));
    assert_eq!(split(b"a:1\0"), Err(Malformed::Port));
}
