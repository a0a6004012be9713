//! Datagrams.

use super::super::outgoing::Buffer;
use super::super::{Id, Kind, Refused, What, packed_size, unpack};
use super::{DEADLINE, Harness, OWNER};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

fn outside() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2000];
    let (size, from) = socket.recv_from(&mut buffer).unwrap();
    (buffer[..size].to_vec(), from)
}

impl Harness {
    fn datagram(&self, id: Id) -> (Vec<u8>, SocketAddr) {
        let event = self.next();
        assert_eq!(event.id, id);
        let What::Datagram { block, len } = event.what else {
            panic!("{event:?}")
        };
        let (data, address) = block.as_slice().split_at(len);
        assert_eq!(packed_size(address[0]), Some(address.len()));
        (data.to_vec(), unpack(address).unwrap())
    }

    fn udp_port(&self, id: Id) -> u16 {
        let socket = self.server.shared.table.get(id).unwrap();
        let source = socket.lock().source.clone().unwrap();
        source.local().unwrap().port()
    }

    fn reply(&self, id: Id, to: SocketAddr, bytes: &[u8]) -> Result<(), Refused> {
        self.server.udp_send(id, Some(to), Buffer::copy_of(bytes))
    }
}

#[test]
fn smoke() {
    let harness = Harness::new();
    let id = harness.server.udp(OWNER, Some(c"127.0.0.1"), 0).unwrap();
    let to = (Ipv4Addr::LOCALHOST, harness.udp_port(id));
    let (peer, address) = outside();
    for text in ["first", "", "third"] {
        peer.send_to(text.as_bytes(), to).unwrap();
        assert_eq!(harness.datagram(id), (text.as_bytes().to_vec(), address));
    }
    harness.reply(id, address, b"answer").unwrap();
    assert_eq!(receive(&peer), (b"answer".to_vec(), to.into()));
    // It has no address of its own to send to.
    assert_eq!(harness.send(id, b"x"), Err(Refused));
    harness.server.close(id).unwrap();
    harness.expect(format!("close {id}"));
    assert_eq!(harness.reply(id, address, b"x"), Err(Refused));
}

#[test]
fn default_address() {
    let harness = Harness::new();
    let id = harness.server.udp(OWNER, None, 0).unwrap();
    let (peer, address) = outside();
    let port = address.port().into();
    harness.server.udp_connect(id, c"127.0.0.1", port).unwrap();
    harness.send(id, b"default").unwrap();
    assert_eq!(receive(&peer).0, b"default");
    let info = &harness.server.info()[0];
    assert_eq!(
        (info.kind, &info.name),
        (Kind::Datagram, &address.to_string())
    );
    // Anybody may answer.
    let (other, _) = outside();
    let to = (Ipv4Addr::LOCALHOST, harness.udp_port(id));
    other.send_to(b"other", to).unwrap();
    assert_eq!(harness.datagram(id).0, b"other");
    harness.server.start(OWNER, id).unwrap();
    harness.expect(format!("open {id} transfer"));
}

#[test]
fn dial() {
    let harness = Harness::new();
    let (peer, address) = outside();
    let port = address.port().into();
    let id = harness.server.udp_dial(OWNER, c"127.0.0.1", port).unwrap();
    harness.send(id, b"dialled").unwrap();
    let (data, from) = receive(&peer);
    assert_eq!(data, b"dialled");
    peer.send_to(b"back", from).unwrap();
    assert_eq!(harness.datagram(id), (b"back".to_vec(), address));
}

#[test]
fn names() {
    let harness = Harness::new();
    // Whichever family the name means, an outside socket is there.
    let (peer, address) = outside();
    let port = i32::from(address.port());
    let id = harness.server.udp(OWNER, Some(c"127.0.0.1"), 0).unwrap();
    harness.server.udp_connect(id, c"localhost", port).unwrap();
    // It waits for the address.
    let sent = harness.send(id, b"named");
    if sent == Ok(()) {
        peer.set_read_timeout(Some(DEADLINE / 10)).unwrap();
        let mut buffer = [0; 9];
        match peer.recv_from(&mut buffer) {
            Ok((size, _)) => assert_eq!(&buffer[..size], b"named"),
            // The name means an IPv6 address first.
            Err(_) => harness.expect(format!("error {id} protocol mismatch")),
        }
    }
    harness
        .server
        .udp_connect(id, c"no such name", port)
        .unwrap();
    let _ = harness.send(id, b"nowhere, or to the former address");
    let event = harness.next();
    assert_eq!(event.id, id);
    assert!(matches!(event.what, What::Error(_)), "{event:?}");

    let id = harness
        .server
        .udp_dial(OWNER, c"no such name", port)
        .unwrap();
    let _ = harness.send(id, b"freed");
    let event = harness.next();
    assert_eq!(event.id, id);
    assert!(matches!(event.what, What::Error(_)), "{event:?}");
    assert_eq!(harness.send(id, b"x"), Err(Refused));

    let id = harness.server.udp(OWNER, Some(c"no such name"), 1).unwrap();
    let event = harness.next();
    assert_eq!(event.id, id);
    assert!(matches!(event.what, What::Error(_)), "{event:?}");
}

#[test]
fn families_do_not_mix() {
    let harness = Harness::new();
    let id = harness.server.udp(OWNER, None, 0).unwrap();
    let v6 = "[::1]:9".parse().unwrap();
    assert_eq!(harness.reply(id, v6, b"x"), Err(Refused));
    harness.server.udp_connect(id, c"::1", 9).unwrap();
    harness.expect(format!("error {id} protocol mismatch"));
    assert_eq!(harness.send(id, b"x"), Err(Refused));
    harness.expect_quiet();
}

#[test]
fn ipv6() {
    let harness = Harness::new();
    let (Ok(id), Ok(peer)) = (
        harness.server.udp(OWNER, Some(c"::1"), 0),
        UdpSocket::bind("[::1]:0"),
    ) else {
        // A machine without it.
        return;
    };
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    peer.send_to(b"six", ("::1", harness.udp_port(id))).unwrap();
    let (data, from) = harness.datagram(id);
    assert_eq!((data, from), (b"six".to_vec(), peer.local_addr().unwrap()));
    harness.reply(id, from, b"answer").unwrap();
    assert_eq!(receive(&peer).0, b"answer");
}

#[test]
fn bad_input() {
    let harness = Harness::new();
    let server = &harness.server;
    assert!(server.udp_listen(OWNER, Some(c"127.0.0.1"), 0).is_err());
    assert!(server.udp(OWNER, Some(c"192.0.2.1"), 9).is_err());
    assert!(server.udp(OWNER, None, -1).is_err());
    assert!(server.udp_connect(Id::MAX, c"127.0.0.1", 9).is_err());
    assert!(server.udp_dial(OWNER, c"127.0.0.1", 70000).is_err());
    // As large as a datagram can be, and larger.
    let id = server.udp(OWNER, None, 0).unwrap();
    let (_, address) = outside();
    harness.reply(id, address, &vec![0; 65507]).unwrap();
    harness.reply(id, address, &vec![0; 65508]).unwrap();
    harness.expect_quiet();
}

#[test]
fn listen_on_a_port() {
    let harness = Harness::new();
    let (taken, address) = outside();
    drop(taken);
    let port = address.port().into();
    let id = harness.server.udp_listen(OWNER, None, port).unwrap();
    let (peer, from) = outside();
    peer.send_to(b"to a port", address).unwrap();
    assert_eq!(harness.datagram(id), (b"to a port".to_vec(), from));
}
