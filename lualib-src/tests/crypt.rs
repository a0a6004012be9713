//! What skynet.crypt and md5.core compute, without Lua.

// Each file is a module of the crate; not all of it is used here.
#[path = "../src/crypt/block.rs"]
mod block;
#[path = "../src/crypt/digest.rs"]
mod digest;
#[path = "../src/crypt/exchange.rs"]
mod exchange;
#[path = "../src/md5/stream.rs"]
mod stream;
#[path = "../src/crypt/text.rs"]
mod text;

use block::Padding;
use stream::Seed;
use text::Invalid;

const VECTORS: &str = include_str!("crypt.vectors");
const KEY: [u8; 8] = [1, 35, 69, 103, 137, 171, 205, 239];

fn unhex(digits: &str) -> Vec<u8> {
    let mut out = vec![0; digits.len() / 2];
    if digits != "-" {
        text::hex_decode(digits.as_bytes(), &mut out).unwrap();
    }
    out
}

fn eight(digits: &str) -> [u8; 8] {
    unhex(digits).try_into().unwrap()
}

fn rows(kind: &str) -> Vec<Vec<&'static str>> {
    let lines = VECTORS.lines().map(|line| line.split(' '));
    let rows = lines.filter_map(|mut fields| (fields.next()? == kind).then(|| fields.collect()));
    let rows: Vec<Vec<&str>> = rows.collect();
    assert!(rows.len() > 5);
    rows
}

fn encrypt(key: [u8; 8], plain: &[u8], padding: Padding) -> Vec<u8> {
    let mut out = vec![0; block::encrypted_size(plain.len())];
    block::encrypt(key, plain, padding, &mut out);
    out
}

fn decrypt(key: [u8; 8], text: &[u8], padding: Padding) -> Option<Vec<u8>> {
    let mut out = vec![0; text.len()];
    let size = block::decrypt(key, text, padding, &mut out)?;
    out.truncate(size);
    Some(out)
}

fn base64(bytes: &[u8]) -> String {
    let mut out = vec![0; text::base64_size(bytes.len())];
    assert_eq!(text::base64_encode(bytes, &mut out), Ok(out.len()));
    String::from_utf8(out).unwrap()
}

fn unbase64(encoded: &[u8]) -> Result<Vec<u8>, Invalid> {
    let mut out = vec![0; text::base64_room(encoded.len())];
    let size = text::base64_decode(encoded, &mut out)?;
    out.truncate(size);
    Ok(out)
}

#[test]
fn recorded_texts() {
    for row in rows("text") {
        let plain = unhex(row[0]);
        assert_eq!(digest::hashkey(&plain)[..], unhex(row[1]));
        assert_eq!(digest::sha1(&plain)[..], unhex(row[2]));
        let key = b"what do ya want for nothing?";
        assert_eq!(digest::hmac_sha1(&plain, key)[..], unhex(row[3]));
        assert_eq!(digest::hmac_hash(KEY, &plain)[..], unhex(row[4]));
        assert_eq!(encrypt(KEY, &plain, Padding::Iso7816_4), unhex(row[5]));
        assert_eq!(encrypt(KEY, &plain, Padding::Pkcs7), unhex(row[6]));
        assert_eq!(digest::md5(&plain)[..], unhex(row[7]));

        let seed = Seed::new(b"seed").unwrap();
        let mut crypted = vec![0; 5 + plain.len()];
        stream::encrypt(seed, b"key", &plain, &mut crypted);
        assert_eq!(crypted, unhex(row[8]));
        let (seed, rest) = Seed::split(&crypted).unwrap();
        let mut again = vec![0; rest.len()];
        stream::decrypt(seed, b"key", rest, &mut again);
        assert_eq!(again, plain);
    }
}

#[test]
fn recorded_pairs() {
    for row in rows("pair") {
        let (x, y) = (eight(row[0]), eight(row[1]));
        assert_eq!(digest::hmac64(x, y), eight(row[2]));
        assert_eq!(digest::hmac64_md5(x, y), eight(row[3]));
        assert_eq!(exchange::public_key(x), Some(eight(row[4])));
        assert_eq!(exchange::shared_secret(x, y), Some(eight(row[5])));
    }
    assert_eq!(exchange::public_key([0; 8]), None);
    assert_eq!(exchange::shared_secret([0; 8], KEY), None);
    assert_eq!(exchange::shared_secret(KEY, [0; 8]), None);
}

#[test]
fn hmac_md5_of_rfc_2104() {
    let code = digest::hmac_md5(&[0x0b; 16], b"Hi There");
    assert_eq!(code[..], unhex("9294727a3638bb1c13f48ef8158bfc9d"));
    let code = digest::hmac_md5(
        &[0xaa; 80],
        b"Test Using Larger Than Block-Size Key - Hash Key First",
    );
    assert_eq!(code[..], unhex("6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"));
}

#[test]
fn hex_digits() {
    let decode = |digits: &str| {
        let mut out = vec![0; digits.len() / 2];
        text::hex_decode(digits.as_bytes(), &mut out).map(|()| out)
    };
    assert_eq!(decode("00ff7e"), Ok(vec![0, 0xff, 0x7e]));
    // As the reference counts them.
    assert_eq!(decode("W1`9"), Ok(vec![0x01, 0x99]));
    assert_eq!(decode("0gg0"), Ok(vec![0x10, 0x00]));
    for wrong in ["0A", "h0", "V0", " 0", "0\u{7f}"] {
        assert_eq!(decode(wrong), Err(Invalid), "{wrong}");
    }
}

#[test]
fn base64_texts() {
    for (plain, encoded) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
    ] {
        assert_eq!(base64(plain.as_bytes()), encoded);
        assert_eq!(unbase64(encoded.as_bytes()).unwrap(), plain.as_bytes());
    }
    for lenient in [
        "Zm9v\nYg==",
        "Z m 9 v Y g",
        "Zm9vYg=",
        "Zm9vYg",
        "-Zm9vYg==",
        "Zm9v*Y*g*==",
    ] {
        assert_eq!(unbase64(lenient.as_bytes()).unwrap(), b"foob", "{lenient}");
    }
    assert_eq!(unbase64(b"Zg==Zg==").unwrap(), b"ff");
    for wrong in [
        "Z", "Z===", "====", "Zh==", "Zm9=", "Zm9v\n", "=Zm9", "Z=m9", "Zm=v", "*",
    ] {
        assert_eq!(unbase64(wrong.as_bytes()), Err(Invalid), "{wrong}");
    }
}

#[test]
fn padding() {
    let raw = |plain: [u8; 8]| encrypt(KEY, &plain, Padding::Pkcs7)[..8].to_vec();
    let iso = |plain| decrypt(KEY, &raw(plain), Padding::Iso7816_4);
    assert_eq!(iso([0x80, 0, 0, 0, 0, 0, 0, 0]), Some(vec![]));
    assert_eq!(iso([1, 0x80, 0x80, 0, 0, 0, 0, 0]), Some(vec![1, 0x80]));
    assert_eq!(iso([0; 8]), None);
    assert_eq!(iso([1, 2, 3, 4, 5, 6, 7, 8]), None);
    let pkcs7 = |plain| decrypt(KEY, &raw(plain), Padding::Pkcs7);
    assert_eq!(pkcs7([8; 8]), Some(vec![]));
    assert_eq!(pkcs7([1, 1, 1, 1, 1, 3, 3, 3]), Some(vec![1; 5]));
    assert_eq!(pkcs7([0; 8]), None);
    assert_eq!(pkcs7([9; 8]), None);
    assert_eq!(pkcs7([255; 8]), None);
    assert_eq!(pkcs7([1, 1, 1, 1, 1, 2, 3, 3]), None);
}

#[test]
fn keys_repeat() {
    let mut out = [0; 5];
    text::xor(b"abcab", b"abc", &mut out);
    assert_eq!(out, [0; 5]);
    text::xor(b"\x00\x01\x02\x03\x04", b"\x01\x02", &mut out);
    assert_eq!(out, [1, 3, 3, 1, 5]);
}

/// Small and repeatable.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, limit: usize) -> Vec<u8> {
        let len = (self.next() >> 11) as usize % limit;
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Whatever was written can be read, and whatever comes ends in a result.
#[test]
fn random_bytes() {
    let mut random = Random(0x0123_4567_89ab_cdef);
    for _ in 0..20_000 {
        let bytes = random.bytes(80);
        let key = random.next().to_le_bytes();
        assert_eq!(unbase64(base64(&bytes).as_bytes()).unwrap(), bytes);
        let mut encoded = base64(&bytes).into_bytes();
        if let Some(at) = (random.next() as usize).checked_rem(encoded.len()) {
            encoded[at] = random.next() as u8;
            encoded.truncate(encoded.len() - (random.next() as usize & 1));
        }
        if let Ok(decoded) = unbase64(&encoded) {
            assert!(decoded.len() <= text::base64_room(encoded.len()));
        }
        let _ = unbase64(&bytes);
        let mut digits = vec![0; bytes.len() * 2];
        text::hex_encode(&bytes, &mut digits);
        let mut again = vec![0; bytes.len()];
        assert_eq!(text::hex_decode(&digits, &mut again), Ok(()));
        assert_eq!(again, bytes);
        for padding in Padding::ALL {
            let crypted = encrypt(key, &bytes, padding);
            assert_eq!(decrypt(key, &crypted, padding), Some(bytes.clone()));
            let _ = decrypt(KEY, &crypted, padding);
        }
        let whole = bytes.len() / 8 * 8;
        for padding in Padding::ALL {
            let _ = decrypt(key, &bytes[..whole], padding);
        }
        if let Some((seed, rest)) = Seed::split(&bytes) {
            stream::decrypt(seed, &key, rest, &mut vec![0; rest.len()]);
        }
        let (x, y) = (random.next() | 1, random.next() | 1);
        let mine = exchange::public_key(x.to_le_bytes()).unwrap();
        let yours = exchange::public_key(y.to_le_bytes()).unwrap();
        assert_eq!(
            exchange::shared_secret(mine, y.to_le_bytes()),
            exchange::shared_secret(yours, x.to_le_bytes())
        );
    }
}
