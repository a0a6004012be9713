//! What the gate reads: frames, parameters and commands, without a core.

#[path = "../src/gate/frames.rs"]
mod frames;
#[path = "../src/gate/words.rs"]
mod words;

use frames::{Broken, Frames, Header, LIMIT};
use words::{Command, Parameters, Wrong, host_and_port};

/// What the pieces complete, and how it ends.
fn read(header: Header, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Result<(), Broken>) {
    let mut frames = Frames::default();
    let mut got = Vec::new();
    for piece in pieces {
        if let Err(broken) = frames.read(header, piece, |frame| got.push(frame.to_vec())) {
            return (got, Err(broken));
        }
    }
    (got, Ok(()))
}

#[test]
fn any_cuts_give_the_same_frames() {
    for header in [Header::Two, Header::Four] {
        let contents: [&[u8]; 6] = [b"a", b"", b"bcd", &[0; 300], b"", &[7; 0xffff]];
        let mut stream = Vec::new();
        for content in contents {
            let size = u32::try_from(content.len()).unwrap().to_be_bytes();
            stream.extend_from_slice(if header == Header::Two {
                &size[2..]
            } else {
                &size
            });
            stream.extend_from_slice(content);
        }
        let wanted: Vec<Vec<u8>> = contents
            .iter()
            .filter(|content| !content.is_empty())
            .map(|content| content.to_vec())
            .collect();
        for size in [1, 2, 3, 5, 64, 1000, stream.len()] {
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            assert_eq!(read(header, &pieces), (wanted.clone(), Ok(())), "{size}");
        }
    }
}

/// The header alone is enough to refuse a frame.
#[test]
fn too_large() {
    for (header, largest) in [
        ([1, 0, 0, 0], false),
        ([0xff; 4], false),
        ([0x80, 0, 0, 0], false),
        ([0, 0xff, 0xff, 0xff], true),
    ] {
        let (got, end) = read(Header::Four, &[b"\0\0\0\x01a", &header]);
        assert_eq!(got, [b"a"]);
        assert_eq!(
            end,
            if largest {
                Ok(())
            } else {
                Err(Broken::TooLarge)
            },
            "{header:?}"
        );
    }
    let content = vec![1; LIMIT - 1];
    let (got, end) = read(Header::Four, &[&[0, 0xff], &[0xff, 0xff], &content]);
    assert!(got == [content] && end == Ok(()));
}

#[test]
fn parameters() {
    let parse = Parameters::parse;
    let wanted = Parameters {
        header: Header::Two,
        watchdog: Some(".dog"),
        address: "127.0.0.1:80",
        tag: 0,
        maximum: 64,
    };
    assert_eq!(parse("S .dog 127.0.0.1:80 0 64").as_ref(), Ok(&wanted));
    assert_eq!(
        parse("S.dog\t127.0.0.1:80 +0x 64 more").as_ref(),
        Ok(&wanted)
    );
    let alone = parse("L ! 80 12 1").unwrap();
    assert_eq!(
        (alone.header, alone.watchdog, alone.tag),
        (Header::Four, None, 12)
    );
    for text in ["", "S", "S dog", "S dog 80", "S dog 80 x 5"] {
        assert_eq!(parse(text), Err(Wrong::Words), "{text}");
    }
    for text in [
        "S dog 80 0",
        "S dog 80 0 0",
        "X dog 80 0 -1",
        "S dog 80 0 x",
    ] {
        assert_eq!(parse(text), Err(Wrong::Maximum), "{text}");
    }
    assert_eq!(parse("X dog 80 0 1"), Err(Wrong::Header));
    for (address, parts) in [
        ("80", Some(("", 80))),
        ("host:80", Some(("host", 80))),
        ("::1:80x", Some(("::1", 80))),
        ("0", None),
        ("host:-1", None),
        ("host:", None),
        ("host", None),
    ] {
        assert_eq!(host_and_port(address), parts, "{address}");
    }
}

#[test]
fn commands() {
    let forward = |id, agent, client| Command::Forward { id, agent, client };
    let cases: [(&[u8], Command<'_>); 18] = [
        (b"kick 7", Command::Kick(7)),
        (b"k  -7x", Command::Kick(-7)),
        (b"kick", Command::Kick(0)),
        (b"kick \xff", Command::Kick(0)),
        (b"kick 99999999999", Command::Kick(i32::MAX)),
        (b"forward 3 :0a :00000b", forward(3, 10, 11)),
        (b"forward 3 :xyz :", forward(3, 0, 0)),
        (b"forward 3  :a", forward(3, 0, 10)),
        (b"forward 3 :a", Command::Incomplete),
        (b"forward", Command::Incomplete),
        (b"broker .name", Command::Broker(b".name")),
        (b"broker", Command::Broker(b"")),
        (b"start 5", Command::Start(5)),
        (b"close", Command::Close),
        (b"closed", Command::Unknown),
        (b"kick7", Command::Unknown),
        (b"what ever", Command::Unknown),
        (b"\0", Command::Unknown),
    ];
    for (text, command) in cases {
        let shown = String::from_utf8_lossy(text);
        assert_eq!(Command::parse(text), command, "{shown}");
    }
}
