//! Peers that have to show signs of life. That one vanishes is in tests/network.rs.

use super::{Harness, OWNER};
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

#[test]
fn nobody_answers() {
    let harness = Harness::new();
    // When its queue is full the system drops what comes.
    let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    full.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    let waiting: Vec<Socket> = (0..4)
        .map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address);
            socket
        })
        .collect();
    let port = address.as_socket().unwrap().port();
    let id = harness
        .server
        .connect(OWNER, c"127.0.0.1", port.into())
        .unwrap();
    harness
        .server
        .keepalive(id, Duration::from_secs(1))
        .unwrap();
    harness.expect_error(id, "Connection timed out");
    drop(waiting);
}

#[test]
fn peers_that_are_there() {
    let harness = Harness::new();
    let (idle, _peer) = harness.connected();
    let (full, _slow) = harness.connected();
    let limit = Duration::from_secs(2);
    harness.server.keepalive(idle, limit).unwrap();
    harness.server.keepalive(full, limit).unwrap();
    harness.fill(full);
    // Long enough for the system to ask the full one less often than that.
    harness.expect_nothing_for(Duration::from_secs(7));
}
