//! Connections: their states, who hears what, and who frees what.

use super::super::outgoing::{Buffer, ObjectInterface};
use super::super::source::Source;
use super::super::{Id, Kind, Priority, Refused, What};
use super::{DEADLINE, Harness, OWNER};
use socket2::SockRef;
use std::ffi::{CStr, CString, c_void};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const MIB: usize = 1 << 20;
/// The buffers that fill a connection. Bytes.
const FILL: usize = 64 << 10;

impl Harness {
    /// A listening socket that is started, and its port.
    pub(super) fn listen(&self) -> (Id, u16) {
        let id = self
            .server
            .listen(OWNER, Some(c"127.0.0.1"), 0, 128)
            .unwrap();
        let port = match self.next().what {
            What::Open { text, port } if text == "127.0.0.1" => port,
            other => panic!("{other:?}"),
        };
        assert_ne!(port, 0);
        self.server.start(OWNER, id).unwrap();
        self.expect(format!("open {id} start"));
        (id, port)
    }

    /// A connection from outside that was accepted, but not started.
    fn accepted(&self, listener: Id, port: u16) -> (Id, TcpStream) {
        let peer = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        peer.set_write_timeout(Some(DEADLINE)).unwrap();
        let from = peer.local_addr().unwrap();
        let event = self.next();
        match event.what {
            What::Accept { new, text } if event.id == listener => {
                assert_eq!(text, from.to_string());
                (new, peer)
            }
            other => panic!("{other:?}"),
        }
    }

    /// A connection that is started.
    pub(super) fn connected(&self) -> (Id, TcpStream) {
        let (listener, port) = self.listen();
        let (id, peer) = self.accepted(listener, port);
        self.server.close(listener).unwrap();
        self.expect(format!("close {listener}"));
        self.server.start(OWNER, id).unwrap();
        self.expect(format!("open {id} start"));
        // The system is to take little, and no more with time.
        let source = self.source(id);
        let Source::Stream(stream) = &*source else {
            panic!("no stream")
        };
        stream.set_send_buffer_size(16 << 10).unwrap();
        SockRef::from(&peer).set_recv_buffer_size(16 << 10).unwrap();
        (id, peer)
    }

    fn source(&self, id: Id) -> Arc<Source> {
        let socket = self.server.shared.table.get(id).unwrap();
        let source = socket.lock().source.clone();
        source.unwrap()
    }

    pub(super) fn send(&self, id: Id, bytes: &[u8]) -> Result<(), Refused> {
        self.server.send(id, Buffer::copy_of(bytes), Priority::High)
    }

    fn send_low(&self, id: Id, bytes: &[u8]) -> Result<(), Refused> {
        self.server.send(id, Buffer::copy_of(bytes), Priority::Low)
    }

    /// Fills the connection until something waits; how much was sent.
    pub(super) fn fill(&self, id: Id) -> usize {
        let mut sent = 0;
        let block = vec![b'f'; FILL];
        while self.waiting(id) == 0 {
            self.send(id, &block).unwrap();
            sent += block.len();
        }
        sent
    }

    fn waiting(&self, id: Id) -> usize {
        let all = self.server.info();
        let info = all.iter().find(|info| info.id == id);
        info.map_or(0, |info| info.statistics.waiting)
    }

    fn kind(&self, id: Id) -> Option<Kind> {
        let all = self.server.info();
        all.iter().find(|info| info.id == id).map(|info| info.kind)
    }
}

fn read(peer: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    peer.read_exact(&mut bytes).unwrap();
    bytes
}

fn reset(peer: TcpStream) {
    SockRef::from(&peer)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(peer);
}

/// A port of this machine that refuses connections.
fn refusing_port() -> i32 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port().into()
}

#[test]
fn smoke() {
    let harness = Harness::new();
    assert!(!harness.server.has_sockets());
    let (id, mut peer) = harness.connected();
    assert!(harness.server.has_sockets());
    peer.write_all(b"question").unwrap();
    harness.expect_data(id, b"question");
    harness.send(id, b"answer").unwrap();
    assert_eq!(read(&mut peer, 6), b"answer");
    harness.server.close(id).unwrap();
    harness.expect(format!("close {id}"));
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    assert_eq!(harness.send(id, b"late"), Err(Refused));
    harness.expect_quiet();
    assert!(!harness.server.has_sockets());
}

#[test]
fn both_ends_here() {
    let harness = Harness::new();
    let (listener, port) = harness.listen();
    let client = harness
        .server
        .connect(OWNER, c"127.0.0.1", port.into())
        .unwrap();
    // It is sent as soon as there is a connection.
    harness.send(client, b"early").unwrap();
    let mut accepted = 0;
    for _ in 0..2 {
        let event = harness.next();
        match event.what {
            What::Open { text, port: 0 } if event.id == client => assert_eq!(text, "127.0.0.1"),
            What::Accept { new, .. } if event.id == listener => accepted = new,
            other => panic!("{other:?}"),
        }
    }
    harness.server.start(OWNER, accepted).unwrap();
    harness.expect(format!("open {accepted} start"));
    harness.expect_data(accepted, b"early");
    harness.server.close(client).unwrap();
    harness.expect_all([format!("close {client}"), format!("close {accepted}")]);
}

#[test]
fn ipv6() {
    let harness = Harness::new();
    let Ok(listener) = harness.server.listen(OWNER, Some(c"::1"), 0, 8) else {
        // A machine without it.
        return;
    };
    let event = harness.next();
    let What::Open { text, port } = event.what else {
        panic!("{event:?}")
    };
    assert_eq!(text, "::1");
    harness.server.start(OWNER, listener).unwrap();
    harness.expect(format!("open {listener} start"));
    let (id, mut peer) = {
        let peer = TcpStream::connect(("::1", port)).unwrap();
        let from = peer.local_addr().unwrap().port();
        match harness.next().what {
            What::Accept { new, text } => {
                assert_eq!(text, format!("::1:{from}"));
                (new, peer)
            }
            other => panic!("{other:?}"),
        }
    };
    harness.server.start(OWNER, id).unwrap();
    harness.expect(format!("open {id} start"));
    peer.write_all(b"six").unwrap();
    harness.expect_data(id, b"six");
}

#[test]
fn accepted_waits_to_be_started() {
    let harness = Harness::new();
    let (listener, port) = harness.listen();
    let (id, mut peer) = harness.accepted(listener, port);
    assert_eq!(harness.kind(id), None);
    peer.write_all(b"early").unwrap();
    // What is sent too early goes nowhere.
    assert_eq!(harness.send(id, b"nowhere"), Ok(()));
    harness.expect_quiet();
    harness.server.start(OWNER, id).unwrap();
    // But not after the request.
    harness.send(id, b"there").unwrap();
    harness.expect(format!("open {id} start"));
    harness.expect_data(id, b"early");
    assert_eq!(read(&mut peer, 5), b"there");
    assert_eq!(harness.kind(id), Some(Kind::Stream));
    harness.server.start(OWNER, id).unwrap();
    harness.expect(format!("open {id} transfer"));
}

#[test]
fn accepted_and_left_before_it_is_started() {
    let harness = Harness::new();
    let (listener, port) = harness.listen();
    let (id, mut peer) = harness.accepted(listener, port);
    peer.write_all(b"bye").unwrap();
    drop(peer);
    harness.expect_quiet();
    harness.server.start(OWNER, id).unwrap();
    harness.expect(format!("open {id} start"));
    harness.expect_data(id, b"bye");
    harness.expect(format!("close {id}"));

    // A reset needs nobody to read.
    let (id, peer) = harness.accepted(listener, port);
    reset(peer);
    harness.expect(format!("error {id} Connection reset by peer"));
    harness.expect(format!("close {id}"));
    harness.server.start(OWNER, id).unwrap();
    harness.expect(format!("error {id} invalid socket"));
}

#[test]
fn transfer_changes_the_owner() {
    let harness = Harness::new();
    let (id, mut peer) = harness.connected();
    harness.server.start(OWNER + 1, id).unwrap();
    let event = harness.events.recv_timeout(DEADLINE).unwrap();
    assert_eq!(event.owner, OWNER + 1);
    assert_eq!(super::tell(&event), format!("open {id} transfer"));
    peer.write_all(b"x").unwrap();
    let event = harness.events.recv_timeout(DEADLINE).unwrap();
    assert_eq!(event.owner, OWNER + 1);
    harness.server.start(OWNER, id).unwrap();
    harness.expect(format!("open {id} transfer"));
}

#[test]
fn pause() {
    let harness = Harness::new();
    let (id, mut peer) = harness.connected();
    peer.write_all(b"one").unwrap();
    harness.expect_data(id, b"one");
    harness.server.pause(id).unwrap();
    harness.expect_quiet();
    peer.write_all(b"two").unwrap();
    // Sending goes on.
    harness.send(id, b"sent").unwrap();
    assert_eq!(read(&mut peer, 4), b"sent");
    harness.expect_quiet();
    harness.server.start(OWNER, id).unwrap();
    harness.expect(format!("open {id} transfer"));
    harness.expect_data(id, b"two");
    // The end waits as well.
    harness.server.pause(id).unwrap();
    drop(peer);
    harness.expect_quiet();
    harness.server.start(OWNER, id).unwrap();
    harness.expect(format!("open {id} transfer"));
    harness.expect(format!("close {id}"));
}

#[test]
fn a_paused_listener_accepts_later() {
    let harness = Harness::new();
    let (listener, port) = harness.listen();
    harness.server.pause(listener).unwrap();
    harness.expect_quiet();
    let peer = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    harness.expect_quiet();
    harness.server.start(OWNER, listener).unwrap();
    let from = peer.local_addr().unwrap();
    harness.expect(format!("accept {listener} {} {from}", listener + 1));
    harness.server.close(listener).unwrap();
    harness.expect(format!("close {listener}"));
}

#[test]
fn read_sizes_double() {
    let harness = Harness::new();
    let (id, mut peer) = harness.connected();
    harness.server.pause(id).unwrap();
    harness.expect_quiet();
    peer.write_all(&[b'x'; 1000]).unwrap();
    harness.server.start(OWNER, id).unwrap();
    harness.expect(format!("open {id} transfer"));
    for size in [64, 128, 256, 512, 40] {
        harness.expect(format!("data {id} {size}"));
    }
}

#[test]
fn half_closed_by_the_peer() {
    let harness = Harness::new();
    let (id, mut peer) = harness.connected();
    peer.write_all(b"last").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    harness.expect_data(id, b"last");
    harness.expect(format!("close {id}"));
    assert_eq!(harness.kind(id), Some(Kind::Closing));
    // It still listens.
    harness.send(id, b"answer").unwrap();
    assert_eq!(read(&mut peer, 6), b"answer");
    harness.server.start(OWNER, id).unwrap();
    harness.expect(format!("error {id} socket closed"));
    harness.server.close(id).unwrap();
    harness.expect_quiet();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    assert!(!harness.server.has_sockets());
}

/// How many bytes come up to the end.
fn read_all(peer: &mut TcpStream) -> usize {
    let mut all = Vec::new();
    peer.read_to_end(&mut all).unwrap()
}

#[test]
fn closing_sends_what_waits() {
    let harness = Harness::new();
    let (id, mut peer) = harness.connected();
    let sent = harness.fill(id);
    harness.server.close(id).unwrap();
    harness.expect(format!("close {id}"));
    // It takes nothing more.
    assert_eq!(harness.send(id, b"late"), Err(Refused));
    assert_eq!(harness.send_low(id, b"late"), Ok(()));
    harness.expect_quiet();
    assert_eq!(read_all(&mut peer), sent);
    harness.expect_quiet();
    super::until(|| !harness.server.has_sockets());
}

#[test]
fn closing_sends_what_waits_after_the_peers_close() {
    let harness = Harness::new();
    let (id, mut peer) = harness.connected();
    let sent = harness.fill(id);
    peer.shutdown(Shutdown::Write).unwrap();
    harness.expect(format!("close {id}"));
    harness.server.close(id).unwrap();
    harness.expect_quiet();
    assert!(harness.server.has_sockets());
    assert_eq!(read_all(&mut peer), sent);
    harness.expect_quiet();
    super::until(|| !harness.server.has_sockets());
}

#[test]
fn an_owner_that_is_gone_hears_nothing() {
    let harness = Harness::new();
    let (id, mut peer) = harness.connected();
    let sent = harness.fill(id);
    harness.server.abandon(OWNER + 1, id).unwrap();
    harness.expect_quiet();
    assert_eq!(harness.kind(id), Some(Kind::Stream), "it is another's");
    harness.server.abandon(OWNER, id).unwrap();
    harness.expect_quiet();
    assert_eq!(harness.send(id, b"late"), Err(Refused));
    // But what it sent arrives.
    assert_eq!(read_all(&mut peer), sent);
    super::until(|| !harness.server.has_sockets());
    harness.expect_quiet();
}

#[test]
fn shutdown_drops_what_waits() {
    let harness = Harness::new();
    let (id, mut peer) = harness.connected();
    let sent = harness.fill(id);
    harness.server.shutdown(id).unwrap();
    harness.expect(format!("close {id}"));
    harness.expect_quiet();
    assert!(!harness.server.has_sockets());
    assert!(read_all(&mut peer) < sent);
}

#[test]
fn reset_while_reading() {
    let harness = Harness::new();
    let (id, peer) = harness.connected();
    reset(peer);
    harness.expect(format!("error {id} Connection reset by peer"));
    harness.expect(format!("close {id}"));
    harness.expect_quiet();
    assert!(!harness.server.has_sockets());
}

#[test]
fn reset_while_paused() {
    let harness = Harness::new();
    let (id, peer) = harness.connected();
    harness.server.pause(id).unwrap();
    harness.expect_quiet();
    reset(peer);
    harness.expect(format!("error {id} Connection reset by peer"));
    harness.expect(format!("close {id}"));
    harness.expect_quiet();
    assert!(!harness.server.has_sockets());
}

#[test]
fn reset_while_closing() {
    let harness = Harness::new();
    let (id, peer) = harness.connected();
    harness.fill(id);
    harness.server.close(id).unwrap();
    harness.expect(format!("close {id}"));
    reset(peer);
    super::until(|| !harness.server.has_sockets());
    harness.expect_quiet();
}

#[test]
fn write_errors_are_reported_once() {
    let harness = Harness::new();
    let (id, peer) = harness.connected();
    harness.server.pause(id).unwrap();
    harness.expect_quiet();
    peer.shutdown(Shutdown::Write).unwrap();
    drop(peer);
    // The peer answers the first of these with a reset, which a later one finds.
    super::until(|| harness.send(id, b"anybody there?").is_err());
    let told: Vec<String> = harness.events.try_iter().map(|e| super::tell(&e)).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with(&format!("error {id} ")), "{told:?}");
    assert_eq!(told[1], format!("close {id}"));
    harness.expect_quiet();
    assert!(!harness.server.has_sockets());
}

/// The warning is of so many MiB, and perhaps of what waited before: the rest of
/// a buffer that went straight to the socket. That counts when the socket has had
/// room again, which is the system's affair.
fn expect_warning(harness: &Harness, id: Id, mib: usize) {
    match harness.next() {
        event if event.id == id => match event.what {
            What::Warning(kib) => {
                let most = mib * 1024 + FILL / 1024;
                assert!((mib * 1024..=most).contains(&kib), "{kib} KiB");
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn warnings() {
    let harness = Harness::new();
    let (id, mut peer) = harness.connected();
    let mut sent = harness.fill(id);
    harness.expect_quiet();
    let block = vec![b'w'; MIB];
    for expected in [Some(1), Some(2), None, Some(4), None] {
        harness.send(id, &block).unwrap();
        sent += MIB;
        match expected {
            Some(mib) => expect_warning(&harness, id, mib),
            None => harness.expect_quiet(),
        }
    }
    read(&mut peer, sent);
    harness.expect(format!("warning {id} 0"));
    // The marks begin anew.
    let sent = harness.fill(id);
    harness.send(id, &block).unwrap();
    expect_warning(&harness, id, 1);
    read(&mut peer, sent + MIB);
    harness.expect(format!("warning {id} 0"));
    harness.expect_quiet();
}

#[test]
fn the_rest_of_a_buffer_gives_no_warning() {
    let harness = Harness::new();
    let (id, mut peer) = harness.connected();
    harness.send(id, &vec![b'r'; 3 * MIB]).unwrap();
    harness.expect_quiet();
    read(&mut peer, 3 * MIB);
    harness.expect_quiet();
}

#[test]
fn a_large_low_priority_buffer_warns_although_nothing_waited() {
    let harness = Harness::new();
    let (id, mut peer) = harness.connected();
    harness.send_low(id, &vec![b'l'; 3 * MIB / 2]).unwrap();
    harness.expect(format!("warning {id} 1536"));
    read(&mut peer, 3 * MIB / 2);
    harness.expect(format!("warning {id} 0"));
}

#[test]
fn priorities() {
    let harness = Harness::new();
    let (id, mut peer) = harness.connected();
    let filled = harness.fill(id);
    harness.send_low(id, b"llll").unwrap();
    harness.send(id, b"hh").unwrap();
    harness.send_low(id, b"LL").unwrap();
    harness.send(id, b"HHHH").unwrap();
    assert!(read(&mut peer, filled).iter().all(|byte| *byte == b'f'));
    assert_eq!(read(&mut peer, 12), b"hhHHHHllllLL");
}

#[test]
fn order_from_many_buffers() {
    let harness = Harness::new();
    let (id, mut peer) = harness.connected();
    let mut expected = Vec::new();
    let mut state = 1u32;
    for _ in 0..3000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = (state >> 16) as usize % 3000;
        let byte = (state >> 8) as u8;
        harness.send(id, &vec![byte; size]).unwrap();
        expected.resize(expected.len() + size, byte);
    }
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        all
    });
    harness.server.close(id).unwrap();
    // Warnings come before and between.
    while harness.told() != format!("close {id}") {}
    assert!(reader.join().unwrap() == expected, "the bytes differ");
}

#[test]
fn sends_in_each_state() {
    let harness = Harness::new();
    for id in [0, -1, Id::MAX] {
        assert_eq!(harness.send(id, b"x"), Err(Refused));
        assert_eq!(harness.send_low(id, b"x"), Err(Refused));
        let to = Some(SocketAddr::from(([127, 0, 0, 1], 9)));
        let sent = harness.server.udp_send(id, to, Buffer::copy_of(b"x"));
        assert_eq!(sent, Err(Refused));
    }
    let (listener, port) = harness.listen();
    // Nobody could read it; the log says so.
    assert_eq!(harness.send(listener, b"x"), Ok(()));
    let (id, _peer) = harness.accepted(listener, port);
    assert_eq!(harness.send(id, b"x"), Ok(()));
    assert_eq!(harness.send_low(id, b"x"), Ok(()));
    harness.server.start(OWNER, id).unwrap();
    harness.expect(format!("open {id} start"));
    let to = Some(SocketAddr::from(([127, 0, 0, 1], 9)));
    let sent = harness.server.udp_send(id, to, Buffer::copy_of(b"x"));
    assert_eq!(sent, Err(Refused), "a stream takes no address");
    harness.send(id, b"").unwrap();
    harness.send_low(id, b"").unwrap();
    harness.expect_quiet();
}

/// Objects that count how many were freed.
static FREED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C-unwind" fn object_buffer(object: *const c_void) -> *const c_void {
    object
}

unsafe extern "C-unwind" fn object_size(_: *const c_void) -> usize {
    MIB
}

unsafe extern "C-unwind" fn free_object(object: *mut c_void) {
    FREED.fetch_add(1, Ordering::SeqCst);
    // SAFETY: the test made it from a box of this type.
    drop(unsafe { Box::from_raw(object.cast::<[u8; MIB]>()) });
}

#[test]
fn objects_are_freed_on_every_way() {
    let harness = Harness::new();
    assert!(harness.server.objects().is_none());
    harness.server.set_objects(ObjectInterface {
        buffer: object_buffer,
        size: object_size,
        free: free_object,
    });
    let interface = harness.server.objects().unwrap();
    let object = || {
        let bytes: Box<[u8; MIB]> = vec![b'o'; MIB].into_boxed_slice().try_into().unwrap();
        // SAFETY: the interface is for boxes of this type.
        unsafe { Buffer::from_object(Box::into_raw(bytes).cast(), &interface) }
    };
    let freed = |count| FREED.load(Ordering::SeqCst) == count;

    // No such socket.
    let refused = harness.server.send(Id::MAX, object(), Priority::High);
    assert_eq!(refused, Err(Refused));
    assert!(freed(1));
    // Sent, after it waited for the most part.
    let (id, mut peer) = harness.connected();
    harness.server.send(id, object(), Priority::High).unwrap();
    assert!(read(&mut peer, MIB).iter().all(|byte| *byte == b'o'));
    super::until(|| freed(2));
    // Dropped with the socket.
    for _ in 0..8 {
        harness.server.send(id, object(), Priority::Low).unwrap();
    }
    harness.server.shutdown(id).unwrap();
    while harness.told() != format!("close {id}") {}
    harness.expect_quiet();
    assert!(freed(10));
    // Never connected.
    let port = refusing_port();
    let id = harness.server.connect(OWNER, c"127.0.0.1", port).unwrap();
    let _ = harness.server.send(id, object(), Priority::High);
    while harness.told() != format!("error {id} Connection refused") {}
    super::until(|| freed(11));
}

#[test]
fn raw_pointers_are_copied_when_they_wait() {
    let harness = Harness::new();
    let (id, mut peer) = harness.connected();
    let filled = harness.fill(id);
    let mut bytes = *b"raw";
    // SAFETY: the array is there during the call.
    let buffer = unsafe { Buffer::borrowed(bytes.as_ptr().cast(), bytes.len()) };
    harness.server.send(id, buffer, Priority::High).unwrap();
    bytes.fill(b'!');
    read(&mut peer, filled);
    assert_eq!(read(&mut peer, 3), b"raw");
    assert_eq!(bytes, *b"!!!");
}

#[test]
fn connect_refused() {
    let harness = Harness::new();
    let id = harness
        .server
        .connect(OWNER, c"127.0.0.1", refusing_port())
        .unwrap();
    harness.expect(format!("error {id} Connection refused"));
    harness.expect_quiet();
    assert_eq!(harness.send(id, b"x"), Err(Refused));
    assert!(!harness.server.has_sockets());
}

#[test]
fn connect_by_name() {
    let harness = Harness::new();
    let (listener, port) = harness.listen();
    // Of the two addresses that it may have, one answers.
    let id = harness
        .server
        .connect(OWNER, c"localhost", port.into())
        .unwrap();
    let (mut opened, mut accepted) = (false, false);
    for _ in 0..2 {
        match harness.next() {
            event if event.id == id => {
                assert_eq!(super::tell(&event), format!("open {id} 127.0.0.1"));
                opened = true;
            }
            event => {
                assert_eq!(event.id, listener);
                accepted = matches!(event.what, What::Accept { .. });
            }
        }
    }
    assert!(opened && accepted);
}

#[test]
fn connect_to_nobody() {
    let harness = Harness::new();
    let long = CString::new(vec![b'a'; 240]).unwrap();
    assert!(harness.server.connect(OWNER, &long, 80).is_err());
    assert!(harness.server.connect(OWNER, c"127.0.0.1", -1).is_err());
    assert!(harness.server.connect(OWNER, c"127.0.0.1", 65536).is_err());
    let id = harness.server.connect(OWNER, c"no such name", 80).unwrap();
    let _ = harness.send(id, b"freed");
    let event = harness.next();
    assert_eq!(event.id, id);
    assert!(matches!(event.what, What::Error(text) if !text.is_empty()));
    assert_eq!(harness.send(id, b"x"), Err(Refused));
    // Closed while it is looked up: one event, and no other later.
    let id = harness.server.connect(OWNER, c"no such name", 80).unwrap();
    harness.server.close(id).unwrap();
    let told = harness.told();
    assert!(
        told == format!("close {id}") || told.starts_with("error"),
        "{told}"
    );
    harness.expect_quiet();
}

#[test]
fn every_address_is_tried() {
    use super::super::request::Request;
    let harness = Harness::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let good = listener.local_addr().unwrap();
    let refused = |port: i32| SocketAddr::from(([127, 0, 0, 1], port as u16));
    // What a resolver would have found.
    let socket = harness.server.shared.table.reserve(OWNER).unwrap();
    let id = socket.id();
    let addresses = vec![refused(refusing_port()), refused(refusing_port()), good];
    let requests = [Request::Open(socket), Request::Connect { id, addresses }];
    harness.server.shared.requests.push(requests).unwrap();
    harness.expect(format!("open {id} 127.0.0.1"));
    listener.accept().unwrap();
}

#[test]
fn listen_fails() {
    let harness = Harness::new();
    let (_, port) = harness.listen();
    let listen = |host: &'static CStr, port| harness.server.listen(OWNER, Some(host), port, 8);
    assert!(listen(c"127.0.0.1", port.into()).is_err(), "taken");
    assert!(listen(c"192.0.2.1", 0).is_err(), "not this machine's");
    assert!(listen(c"127.0.0.1", 65536).is_err());
    harness.expect_quiet();
    let id = listen(c"no such name", 0).unwrap();
    let event = harness.next();
    assert_eq!(event.id, id);
    assert!(matches!(event.what, What::Error(_)), "{event:?}");
    let id = listen(c"localhost", 0).unwrap();
    let event = harness.next();
    assert_eq!(event.id, id);
    assert!(
        matches!(event.what, What::Open { port: 1.., .. }),
        "{event:?}"
    );
}

#[test]
fn accepted_descriptors() {
    let harness = Harness::new();
    let (id, _peer) = harness.connected();
    harness.server.nodelay(id).unwrap();
    harness.expect_quiet();
    let source = harness.source(id);
    let Source::Stream(stream) = &*source else {
        panic!("no stream")
    };
    assert!(stream.keepalive().unwrap());
    assert!(stream.tcp_nodelay().unwrap());
    assert!(stream.nonblocking().unwrap());
    // SAFETY: F_GETFD has no pointers.
    let flags = unsafe { libc::fcntl(stream.as_raw_fd(), libc::F_GETFD) };
    assert_eq!(flags, libc::FD_CLOEXEC);
}

#[test]
fn bound_sockets_write() {
    let harness = Harness::new();
    let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let id = harness.bind(&ours);
    harness.send(id, b"out").unwrap();
    let mut got = [0; 3];
    theirs.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"out");
    // More than it takes at once.
    let bytes = vec![b'b'; 2 * MIB];
    harness.send(id, &bytes).unwrap();
    let mut got = vec![0; 2 * MIB];
    theirs.read_exact(&mut got).unwrap();
    assert_eq!(harness.told(), format!("warning {id} 2048"));
    assert_eq!(harness.told(), format!("warning {id} 0"));
    harness.server.close(id).unwrap();
    harness.expect_close(id);
    assert!(super::blocks(&ours));
}

#[test]
fn info() {
    let harness = Harness::new();
    let (listener, port) = harness.listen();
    let (id, mut peer) = harness.accepted(listener, port);
    harness.server.start(OWNER, id).unwrap();
    harness.expect(format!("open {id} start"));
    peer.write_all(b"12345").unwrap();
    harness.expect_data(id, b"12345");
    harness.send(id, b"123").unwrap();
    let all = harness.server.info();
    assert_eq!(all.len(), 2);
    assert_eq!((all[0].id, all[0].kind), (listener, Kind::Listener));
    assert_eq!(all[0].name, format!("127.0.0.1:{port}"));
    assert_eq!(all[0].statistics.read, 1);
    assert_eq!((all[1].id, all[1].kind), (id, Kind::Stream));
    assert_eq!(all[1].name, peer.local_addr().unwrap().to_string());
    let statistics = &all[1].statistics;
    assert_eq!((statistics.read, statistics.written), (5, 3));
    assert_eq!(statistics.owner, OWNER);
    assert!(statistics.reading);
}
