//! TLS without Lua and without sockets: both sides in memory.

// Each file is a module of the crate; not all of it is used here.
#[path = "../src/ltls/certificates.rs"]
mod certificates;
#[path = "../src/ltls/ciphers.rs"]
mod ciphers;
#[path = "../../tests/support/certificates.rs"]
mod made;
#[path = "../../fuzz/src/random.rs"]
#[allow(dead_code)]
mod random;
#[path = "../src/ltls/session.rs"]
mod session;
#[path = "../src/ltls/settings.rs"]
mod settings;
#[path = "../src/ltls/trust.rs"]
mod trust;

use std::cell::RefCell;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use made::{Authority, Pair};
use random::Random;
use session::{Role, Session};
use settings::Settings;

/// No cipher of TLS 1.3, and so TLS 1.2.
const OLD: &str = "DEFAULT:!TLS_AES_256_GCM_SHA384:!TLS_CHACHA20_POLY1305_SHA256:\
                   !TLS_AES_128_GCM_SHA256";

fn directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ltls.{test}"));
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn add(settings: &mut Settings, pair: &Pair) -> Result<(), String> {
    settings.set_cert(bytes(&pair.certificate), bytes(&pair.key))
}

/// A context of servers with these certificates.
fn serving(pairs: &[&Pair]) -> Settings {
    let mut settings = Settings::default();
    for pair in pairs {
        add(&mut settings, pair).unwrap();
    }
    settings
}

/// A context of clients that trust an authority.
fn trusting(pair: &Pair) -> Settings {
    let mut settings = Settings::default();
    settings.set_ca(bytes(&pair.certificate)).unwrap();
    settings
}

fn server(settings: Settings) -> Session {
    Session::new(Role::Server, Rc::new(RefCell::new(settings)))
}

fn client(settings: Settings, host: Option<&str>) -> Session {
    let role = match host {
        Some(host) => Role::client(host.as_bytes()).unwrap(),
        None => Role::Client(None),
    };
    Session::new(role, Rc::new(RefCell::new(settings)))
}

/// An authority, and a pair that it has made for this host.
fn issued(directory: &Path, host: &str) -> (Authority, Pair, Pair) {
    let (authority, root) = made::authority(directory, "root");
    let pair = authority.issue(directory, "server", &[host]);
    (authority, root, pair)
}

fn take(bytes: &mut Vec<u8>) -> Vec<u8> {
    std::mem::take(bytes)
}

/// Gives one side what the other one sends, in pieces of at most `size` bytes.
fn give(to: &mut Session, sent: &[u8], size: usize) -> Result<(), String> {
    for piece in sent.chunks(size) {
        match to.finished() {
            true => to.read(piece)?,
            false => to.handshake(piece)?,
        }
    }
    Ok(())
}

/// Runs the handshake to its end or to an error.
fn shake_hands(client: &mut Session, server: &mut Session, size: usize) -> Result<(), String> {
    client.handshake(b"")?;
    while !client.finished() || !server.finished() {
        let sent = take(client.output());
        let answer = give(server, &sent, size);
        let sent = take(server.output());
        give(client, &sent, size)?;
        answer?;
        let nothing = sent.is_empty() && client.output().is_empty();
        assert!(
            !nothing || client.finished() && server.finished(),
            "a stalemate"
        );
    }
    // What the server sends behind its handshake: tickets, for example.
    let sent = take(server.output());
    give(client, &sent, size)
}

/// Both sides of a connection whose handshake is done.
fn connected(test: &str) -> (Session, Session) {
    let (_, _, pair) = issued(&directory(test), "host.test");
    let mut server = server(serving(&[&pair]));
    let mut client = client(Settings::default(), Some("host.test"));
    shake_hands(&mut client, &mut server, usize::MAX).unwrap();
    (client, server)
}

fn talk(from: &mut Session, to: &mut Session, text: &[u8], size: usize) {
    from.write(text).unwrap();
    let sent = take(from.output());
    give(to, &sent, size).unwrap();
    assert!(take(to.plain()) == text, "{} bytes", text.len());
}

#[test]
fn smoke() {
    let (_, _, pair) = issued(&directory("smoke"), "host.test");
    for list in ["ALL", OLD] {
        for size in [1, 7, usize::MAX] {
            let mut settings = Settings::default();
            settings.set_ciphers(list.as_bytes()).unwrap();
            let mut server = server(serving(&[&pair]));
            let mut client = client(settings, Some("host.test"));
            shake_hands(&mut client, &mut server, size).unwrap();
            for length in [0, 1, 16384, 16385, 300_000] {
                let text: Vec<u8> = (0..length).map(|at| at as u8).collect();
                talk(&mut client, &mut server, &text, size);
                talk(&mut server, &mut client, &text, size);
            }
        }
    }
}

/// What a client sends at once, behind its handshake, is there for the first read.
#[test]
fn words_with_the_handshake() {
    let (_, _, pair) = issued(&directory("words"), "host.test");
    let mut server = server(serving(&[&pair]));
    let mut client = client(Settings::default(), Some("host.test"));
    client.handshake(b"").unwrap();
    while !client.finished() {
        server.handshake(&take(client.output())).unwrap();
        client.handshake(&take(server.output())).unwrap();
    }
    let text = vec![b'x'; 100_000];
    client.write(&text).unwrap();
    server.handshake(&take(client.output())).unwrap();
    assert!(server.finished());
    server.read(b"").unwrap();
    assert!(take(server.plain()) == text);
}

#[test]
fn anybody_is_trusted_unless_it_is_said_who() {
    let directory = directory("anybody");
    let (authority, root, pair) = issued(&directory, "host.test");
    let old = authority.issue_old(&directory, "old", &["host.test"]);
    let (_, other) = made::authority(&directory, "other");
    let attempt = |settings, host, pair: &Pair| {
        let mut server = server(serving(&[pair]));
        shake_hands(&mut client(settings, host), &mut server, usize::MAX)
    };
    for host in [
        None,
        Some("host.test"),
        Some("other.test"),
        Some("127.0.0.1"),
    ] {
        for pair in [&pair, &old] {
            assert_eq!(attempt(Settings::default(), host, pair), Ok(()));
        }
    }
    let refused = |settings, host, pair, reason: &str| {
        let error = attempt(settings, host, pair).unwrap_err();
        assert!(error.contains(reason), "{error}");
    };
    let host = Some("host.test");
    assert_eq!(attempt(trusting(&root), host, &pair), Ok(()));
    refused(trusting(&other), host, &pair, "UnknownIssuer");
    refused(trusting(&root), Some("other.test"), &pair, "other.test");
    refused(trusting(&root), Some("127.0.0.1"), &pair, "127.0.0.1");
    refused(trusting(&root), None, &pair, "host name is needed");
    refused(trusting(&root), host, &old, "expired");
    // A certificate that nobody else has signed is trusted if it is in the file.
    let itself = Some("authority.test");
    assert_eq!(attempt(trusting(&root), itself, &root), Ok(()));
    refused(trusting(&root), host, &root, "host.test");
    refused(trusting(&other), itself, &root, "CaUsedAsEndEntity");
}

#[test]
fn the_server_hears_of_a_refusal() {
    let directory = directory("refusal");
    let (_, _, pair) = issued(&directory, "host.test");
    let (_, other) = made::authority(&directory, "other");
    let mut server = server(serving(&[&pair]));
    let mut client = client(trusting(&other), Some("host.test"));
    shake_hands(&mut client, &mut server, usize::MAX).unwrap_err();
    client.write(b"").unwrap();
    let alert = take(client.output());
    let error = server.handshake(&alert).unwrap_err();
    assert_eq!(error, "received fatal alert: UnknownCA");
}

#[test]
fn the_certificate_is_that_of_the_name() {
    let directory = directory("names");
    let (authority, root) = made::authority(&directory, "root");
    let [a, b] = ["a", "b"].map(|name| {
        let host = format!("{name}.test");
        authority.issue(&directory, name, &[&host, "both.test"])
    });
    for pairs in [[&a, &b], [&b, &a]] {
        for host in ["a.test", "b.test", "both.test"] {
            let mut server = server(serving(&pairs));
            let mut client = client(trusting(&root), Some(host));
            shake_hands(&mut client, &mut server, usize::MAX).unwrap();
        }
    }
    // A certificate that is renewed in its file.
    let mut settings = serving(&[&a]);
    let a = authority.issue(&directory, "a", &["new.test"]);
    add(&mut settings, &a).unwrap();
    let mut server = server(settings);
    let mut client = client(trusting(&root), Some("new.test"));
    shake_hands(&mut client, &mut server, usize::MAX).unwrap();
}

#[test]
fn files_that_are_no_good() {
    let directory = directory("files");
    let (authority, root, pair) = issued(&directory, "host.test");
    let other = authority.issue(&directory, "other", &["host.test"]);
    let mut settings = Settings::default();
    let mut refused = |certificate: &Path, key: &Path, reason: &str| {
        let error = settings.set_cert(bytes(certificate), bytes(key));
        let error = error.unwrap_err();
        assert!(error.contains(reason), "{error}");
    };
    let none = directory.join("none.pem");
    let _ = fs::remove_file(&none);
    refused(&none, &pair.key, "cannot read");
    refused(&pair.certificate, &none, "none.pem: No such file");
    refused(&directory, &pair.key, "Is a directory");
    refused(&pair.key, &pair.key, "has no certificate");
    refused(&pair.certificate, &pair.certificate, "has no private key");
    refused(&pair.certificate, &other.key, "is not that of");
    let broken = directory.join("broken.pem");
    let text = fs::read_to_string(&pair.certificate).unwrap();
    fs::write(&broken, &text[..text.len() / 2]).unwrap();
    refused(&broken, &pair.key, "is no PEM file");
    fs::write(&broken, text.replace("MII", "AAA")).unwrap();
    refused(&broken, &pair.key, "certificate cannot be used");
    fs::write(&broken, vec![b'\n'; (16 << 20) + 1]).unwrap();
    refused(&broken, &pair.key, "more than 16777216 bytes");
    let error = settings.set_ca(bytes(&root.key)).unwrap_err();
    assert!(error.contains("has no certificate"), "{error}");
    // None of them was taken.
    let mut server = server(settings);
    let error = server.handshake(b"").unwrap_err();
    assert!(error.contains("needs a certificate"), "{error}");
}

#[test]
fn lists_of_ciphers() {
    let chosen = |list: &str| {
        let suites = ciphers::choose(list).unwrap_or_default();
        let names = suites.iter().map(|suite| format!("{:?}", suite.suite()));
        let names = names.map(|name| name.replace("TLS13_", "").replace("TLS_ECDHE_", ""));
        names.collect::<Vec<_>>().join(" ")
    };
    const MODERN: &str = "AES_256_GCM_SHA384 CHACHA20_POLY1305_SHA256 AES_128_GCM_SHA256";
    for nothing in [
        "",
        ":",
        "FOO:BAR",
        "ALL:!ALL",
        "!aRSA",
        "ECDSA+aRSA",
        "ECDHE+",
        "aNULL",
    ] {
        assert_eq!(chosen(nothing), "", "{nothing}");
    }
    let expect = |list, expected: &str| {
        assert_eq!(chosen(list), format!("{MODERN} {expected}"), "{list}");
    };
    expect("ECDHE-RSA-AES128-GCM-SHA256", "RSA_WITH_AES_128_GCM_SHA256");
    expect(
        "FOO:ECDHE-RSA-AES128-GCM-SHA256,ECDHE-RSA-AES256-GCM-SHA384 !MD5",
        "RSA_WITH_AES_128_GCM_SHA256 RSA_WITH_AES_256_GCM_SHA384",
    );
    expect(
        "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:@STRENGTH",
        "RSA_WITH_AES_256_GCM_SHA384 RSA_WITH_AES_128_GCM_SHA256",
    );
    expect(
        "AES+ECDSA:CHACHA20:-ECDSA+AES256:+ECDSA+CHACHA20:AES256+aRSA:!AES256:AES256",
        "ECDSA_WITH_AES_128_GCM_SHA256 RSA_WITH_CHACHA20_POLY1305_SHA256 \
         ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    );
    assert_eq!(chosen("TLS_AES_128_GCM_SHA256"), "AES_128_GCM_SHA256");
    assert_eq!(chosen("ALL"), chosen("DEFAULT"));
    assert_eq!(chosen("ALL").split(' ').count(), 9);
    assert_eq!(chosen(OLD).split(' ').count(), 6);
    assert_eq!(ciphers::names().split(':').count(), 9);
}

#[test]
fn ciphers_that_do_not_meet() {
    let (_, _, pair) = issued(&directory("meet"), "host.test");
    let mut settings = serving(&[&pair]);
    settings.set_ciphers(b"TLS_AES_128_GCM_SHA256").unwrap();
    let mut other = Settings::default();
    other.set_ciphers(OLD.as_bytes()).unwrap();
    let error = shake_hands(&mut client(other, None), &mut server(settings), usize::MAX);
    let error = error.unwrap_err();
    assert!(error.contains("ProtocolVersion"), "{error}");
    let error = Settings::default().set_ciphers(b"FOO:BAR").unwrap_err();
    assert!(error.starts_with("no cipher of 'FOO:BAR' is known; there are TLS_"));
}

#[test]
fn the_end_of_a_connection() {
    let (mut client, mut server) = connected("end");
    client.write(b"last words").unwrap();
    client.close();
    let mut sent = take(client.output());
    sent.extend(b"what is behind the end is not looked at");
    server.read(&sent).unwrap();
    assert_eq!(take(server.plain()), b"last words");
    assert!(server.ended());
    server.read(&[0; 100_000]).unwrap();
    assert!(server.plain().is_empty());
    // The other direction is still open.
    talk(&mut server, &mut client, b"answer", usize::MAX);
}

#[test]
fn words_in_the_wrong_order() {
    let (_, _, pair) = issued(&directory("order"), "host.test");
    let mut side = server(serving(&[&pair]));
    side.write(b"").unwrap();
    side.close();
    assert!(side.output().is_empty());
    let error = side.write(b"too early").unwrap_err();
    assert_eq!(error, "the handshake is not finished");
    assert!(side.set_name(b"host.test").is_err());
    let mut side = client(Settings::default(), None);
    for wrong in ["", "a b", "a..b", "\u{e9}", &"x".repeat(300)] {
        let error = side.set_name(wrong.as_bytes()).unwrap_err();
        assert!(error.contains("is not the name of a host"), "{error}");
    }
    side.set_name(b"host.test").unwrap();
    side.handshake(b"").unwrap();
    assert!(side.set_name(b"host.test").is_err());
    let (mut side, _) = connected("order");
    assert_eq!(side.handshake(b"").unwrap_err(), "handshake is finished");
}

/// What came before an error counts.
#[test]
fn the_last_words_before_an_error() {
    let (mut client, mut server) = connected("last");
    client.write(b"good").unwrap();
    let mut sent = take(client.output());
    sent.extend(b"\x17\x03\x03\0\x20 this was not encrypted at all...");
    server.read(&sent).unwrap();
    assert_eq!(take(server.plain()), b"good");
    for _ in 0..2 {
        let error = server.read(b"").unwrap_err();
        assert_eq!(error, "cannot decrypt peer's message");
    }
    assert_eq!(
        server.write(b"answer").unwrap_err(),
        "cannot decrypt peer's message"
    );
    server.write(b"").unwrap();
    let error = client.read(&take(server.output())).unwrap_err();
    assert_eq!(error, "received fatal alert: BadRecordMac");
}

/// Bytes of the handshake and behind it, with some of them changed, doubled or left
/// out: an error or none, but no panic, and no answer that is larger than one side says
/// in a handshake.
#[test]
fn hostile_bytes() {
    let (_, _, pair) = issued(&directory("hostile"), "host.test");
    let mut random = Random::new(1);
    let mut finished = 0;
    for round in 0..1500 {
        let mut server = server(serving(&[&pair]));
        let mut settings = Settings::default();
        if round % 2 == 0 {
            settings.set_ciphers(OLD.as_bytes()).unwrap();
        }
        let mut client = client(settings, Some("host.test"));
        client.handshake(b"").unwrap();
        let mut sides = [&mut client, &mut server];
        for turn in 0..6 {
            if sides[turn % 2].finished() {
                let _ = sides[turn % 2].write(b"text");
            }
            let mut sent = take(sides[turn % 2].output());
            for _ in 0..random.below(3) {
                if sent.is_empty() {
                    break;
                }
                let at = random.below(sent.len());
                match random.below(4) {
                    0 => sent[at] ^= 1 << random.below(8),
                    1 => sent.truncate(at),
                    2 => sent.extend_from_within(at..),
                    _ => sent.extend((0..at).map(|_| random.byte())),
                }
            }
            let result = give(sides[1 - turn % 2], &sent, 1 + random.below(5000));
            if let Err(error) = result {
                assert!(!error.contains("TLS library"), "{error}");
            }
            let other = &mut sides[1 - turn % 2];
            assert!(other.output().len() < 8192, "{}", other.output().len());
            assert!(take(other.plain()).len() <= sent.len());
        }
        finished += usize::from(client.finished() && server.finished());
    }
    // Some of them come through, some do not.
    assert!((100..1400).contains(&finished), "{finished}");
}

/// A handshake message that does not end, and records that are too large.
#[test]
fn floods() {
    let (_, _, pair) = issued(&directory("floods"), "host.test");
    let record = |kind: u8, content: &[u8]| {
        let mut record = vec![kind, 3, 3];
        record.extend((content.len() as u16).to_be_bytes());
        record.extend(content);
        record
    };
    let mut hello = vec![1, 0xff, 0xff, 0xff];
    hello.resize(16384, 0);
    let floods = [
        record(22, &hello),
        record(22, &[0; 16384]),
        record(20, &[1]),
        record(21, &[1, 90]),
        record(23, &[]),
        record(22, &[]),
        record(23, &[0; 18000]),
    ];
    for flood in &floods {
        let mut server = server(serving(&[&pair]));
        let refused = (0..1000).any(|_| server.handshake(flood).is_err());
        assert!(refused, "{:?}", &flood[..5]);
        assert!(server.output().len() < 100);
    }
}
