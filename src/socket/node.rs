//! The node's own server, whose sockets belong to services.

use super::event::{Driven, Event, Id, Owner, Polled, What};
use super::info::Info;
use super::message::Packed;
use super::outgoing::{Buffer, Priority};
use super::server::Server;
use super::socket::Refused;
use crate::error::{Error, Result};
use crate::runtime::message::Message;
use crate::runtime::{node, registry, scheduler, timer};
use crate::sync::atomic::Ordering;
use crossbeam_epoch::{self as epoch, Atomic, Owned, Shared};
use skynet_abi::mq::skynet_message;
use std::ffi::CStr;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

/// The node's server while there is one: between [`init`] and [`free`]. Every send
/// looks here, so that a look must write nothing that other threads read.
static SERVER: Atomic<Arc<Server>> = Atomic::null();

/// Lends the server to `f`, which must not wait for anything long: what others
/// retire meanwhile stays in memory.
#[inline]
fn with<R>(f: impl FnOnce(&Server) -> R) -> Result<R> {
    let guard = epoch::pin();
    let server = SERVER.load(Ordering::Acquire, &guard);
    // SAFETY: init has stored it, and free leaves it in memory while somebody is
    // pinned who may have loaded it.
    let server = unsafe { server.as_ref() };
    server
        .map(|server| f(server))
        .ok_or(Error::NotInitialised("socket server"))
}

/// The server, for as long as the caller wants it.
fn server() -> Result<Arc<Server>> {
    let guard = epoch::pin();
    let server = SERVER.load(Ordering::Acquire, &guard);
    // SAFETY: as above.
    let server = unsafe { server.as_ref() };
    server
        .cloned()
        .ok_or(Error::NotInitialised("socket server"))
}

/// Has the server do something that the thread which polls has to carry out.
fn ask<R>(request: impl FnOnce(&Server) -> Result<R>) -> Result<R> {
    let result = with(request)?;
    scheduler::sockets_wanted();
    result
}

/// What polling once came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The polling thread is to end.
    Exit,
    /// Poll again at once.
    More,
    /// A message went out, after a look at the operating system's poller.
    Delivered,
}

/// Makes the server.
///
/// # Errors
/// There is one already, or the process is out of descriptors or memory.
pub fn init() -> Result<()> {
    let guard = epoch::pin();
    let made = Owned::new(Arc::new(Server::new()?));
    SERVER
        .compare_exchange(
            Shared::null(),
            made,
            Ordering::AcqRel,
            Ordering::Relaxed,
            &guard,
        )
        .map_err(|_| Error::AlreadyInitialised("socket server"))?;
    Ok(())
}

/// Asks the polling thread to end.
pub fn exit() -> Result<()> {
    ask(Server::exit)
}

/// Closes every socket and lets the server go, without a word to the services.
/// A thread that polls keeps it until it comes back.
pub fn free() {
    let guard = epoch::pin();
    let taken = SERVER.swap(Shared::null(), Ordering::AcqRel, &guard);
    // SAFETY: as in `with`.
    if let Some(server) = unsafe { taken.as_ref() } {
        server.clear();
        // SAFETY: it is out of the static, and destroyed after everybody who may
        // have loaded it there has unpinned.
        unsafe { guard.defer_destroy(taken) };
    }
}

/// Waits for one event and puts it into the mailbox of the socket's service. If
/// that is gone, the socket is closed, as nobody else would do it.
///
/// # Errors
/// There is no server, or its poller failed: polling again would fail too.
pub fn poll() -> Result<Progress> {
    poll_for(push)
}

/// As [`poll`]; `deliver` gives a message back for which there is no service.
fn poll_for(deliver: impl FnOnce(u32, Packed) -> Result<(), Packed>) -> Result<Progress> {
    let server = server()?;
    let (event, slept) = match server.poll()? {
        Polled::Exit => return Ok(Progress::Exit),
        Polled::Interrupted => return Ok(Progress::More),
        Polled::Event { event, slept } => (event, slept),
    };
    send_on(&server, event, deliver)?;
    Ok(if slept {
        Progress::Delivered
    } else {
        Progress::More
    })
}

/// Carries out what was asked of the node's sockets and serves them, for as long
/// as something is due, and puts the events into the services' mailboxes. If
/// there is nothing, waits at most `timeout`, without limit if there is none.
/// `woken` is called before the first event is put anywhere. Returns at once if
/// another thread is at it. See [`Server::drive`].
///
/// # Errors
/// As [`poll`].
pub fn drive(timeout: Option<Duration>, woken: &mut dyn FnMut()) -> Result<Driven> {
    let server = server()?;
    let mut failed = Ok(());
    let mut first = true;
    let driven = server.drive(timeout, &mut |event| {
        if std::mem::take(&mut first) {
            woken();
        }
        if let Err(error) = send_on(&server, event, push) {
            failed = Err(error);
        }
    })?;
    failed?;
    Ok(driven)
}

/// Has the thread that polls the node's sockets, or the next one that does,
/// return soon. Without a server nobody does.
pub fn interrupt() -> Result<()> {
    with(Server::interrupt).unwrap_or(Ok(()))
}

/// Whether somebody is to poll the node's sockets: there are some, or a request.
pub fn is_needed() -> bool {
    with(Server::is_needed).unwrap_or(false)
}

/// Gives an event to its service. If that is gone, the socket is closed, as
/// nobody else would do it, and a connection that it would have heard of, too.
fn send_on(
    server: &Server,
    event: Event,
    deliver: impl FnOnce(u32, Packed) -> Result<(), Packed>,
) -> Result<()> {
    let Event { id, owner, .. } = event;
    let accepted = match event.what {
        What::Accept { new, .. } => Some(new),
        _ => None,
    };
    let delivered = match Packed::new(event) {
        Some(packed) => deliver(owner as u32, packed).is_ok(),
        None => {
            let text = format!("error: no memory for a message about socket {id}, closing it");
            node::log(owner as u32, text.as_bytes());
            false
        }
    };
    if delivered {
        return Ok(());
    }
    abandon(server, owner, (id, accepted))
}

/// Closes the sockets that a message was about which nobody has received.
fn abandon(server: &Server, owner: Owner, (id, accepted): (Id, Option<Id>)) -> Result<()> {
    server.abandon(owner, id)?;
    match accepted {
        Some(accepted) => server.abandon(owner, accepted),
        None => Ok(()),
    }
}

/// Closes the sockets that a message was about which was left in the mailbox of a
/// service that is gone, unless they are another service's by now.
pub fn undelivered(handle: u32, sockets: (Id, Option<Id>)) {
    // It fails without a server, which has no sockets, or with the poller, of
    // which its thread tells.
    let _ = ask(|server| abandon(server, handle as Owner, sockets));
}

/// How long a socket is left alone whose service is gone: another one may be about
/// to start it. Centiseconds.
const GRACE: u32 = 500;

/// A service is gone. Its sockets that nobody has taken over by then are closed, in
/// one to two times [`GRACE`].
pub fn service_ended() {
    if with(Server::ask_for_sweep).unwrap_or(false) {
        arm_sweep();
    }
}

fn arm_sweep() {
    // Without a timer there is no node to keep clean.
    if let Ok(timer) = timer::timer() {
        timer.add(0, 0, GRACE);
    }
}

/// The time that [`service_ended`] has asked for has come.
pub fn sweep() {
    let is_gone = |owner: Owner| {
        let handle = owner as u32;
        handle != 0 && registry::get().is_ok_and(|registry| !registry.contains(handle))
    };
    let again = ask(|server| Ok(server.sweep(is_gone)? && server.ask_for_sweep()));
    if again.unwrap_or(false) {
        arm_sweep();
    }
}

fn push(handle: u32, packed: Packed) -> Result<(), Packed> {
    let (data, sz) = packed.into_raw();
    // SAFETY: into_raw has given up the block, which is of the malloc family.
    let message = unsafe {
        Message::from_raw(skynet_message {
            source: 0,
            session: 0,
            data: data.as_ptr(),
            sz,
        })
    };
    node::push_or_return(handle, message).map_err(|message| {
        // The message is the one of above; what it owns goes back to a Packed.
        let _ = message.into_raw();
        // SAFETY: these are into_raw's results, and no callback saw them.
        unsafe { Packed::from_raw(data, sz) }
    })
}

/// Takes a foreign descriptor in for a service; see [`Server::bind`].
pub fn bind(handle: u32, fd: RawFd) -> Result<Id> {
    ask(|server| server.bind(handle as Owner, fd))
}

/// Connects for a service; see [`Server::connect`].
pub fn connect(handle: u32, host: &CStr, port: i32) -> Result<Id> {
    ask(|server| server.connect(handle as Owner, host, port))
}

/// Listens for a service; see [`Server::listen`].
pub fn listen(handle: u32, host: Option<&CStr>, port: i32, backlog: i32) -> Result<Id> {
    ask(|server| server.listen(handle as Owner, host, port, backlog))
}

/// Opens a socket for datagrams; see [`Server::udp`].
pub fn udp(handle: u32, host: Option<&CStr>, port: i32) -> Result<Id> {
    ask(|server| server.udp(handle as Owner, host, port))
}

/// Opens a socket for datagrams at an address; see [`Server::udp_listen`].
pub fn udp_listen(handle: u32, host: Option<&CStr>, port: i32) -> Result<Id> {
    ask(|server| server.udp_listen(handle as Owner, host, port))
}

/// Opens a socket for datagrams to an address; see [`Server::udp_dial`].
pub fn udp_dial(handle: u32, host: &CStr, port: i32) -> Result<Id> {
    ask(|server| server.udp_dial(handle as Owner, host, port))
}

/// Sets where datagrams go by default; see [`Server::udp_connect`].
pub fn udp_connect(id: Id, host: &CStr, port: i32) -> Result<()> {
    ask(|server| server.udp_connect(id, host, port))
}

/// Sends on a socket; see [`Server::send`].
///
/// # Errors
/// The socket is gone or closed, or there is no server.
#[inline]
pub fn send(id: Id, buffer: Buffer, priority: Priority) -> Result<(), Refused> {
    with(|server| server.send(id, buffer, priority)).unwrap_or(Err(Refused))
}

/// Sends a datagram; see [`Server::udp_send`].
///
/// # Errors
/// As [`send`], or it is no socket for datagrams to this address.
pub fn udp_send(id: Id, to: Option<SocketAddr>, buffer: Buffer) -> Result<(), Refused> {
    with(|server| server.udp_send(id, to, buffer)).unwrap_or(Err(Refused))
}

/// Asks for small segments to be sent at once; see [`Server::nodelay`].
pub fn nodelay(id: Id) -> Result<()> {
    ask(|server| server.nodelay(id))
}

/// Ends a connection whose peer has vanished; see [`Server::keepalive`].
pub fn keepalive(id: Id, duration: Duration) -> Result<()> {
    ask(|server| server.keepalive(id, duration))
}

/// What the node's sockets are doing; see [`Server::info`].
pub fn info() -> Result<Vec<Info>> {
    with(Server::info)
}

/// Reads from a socket on behalf of a service; see [`Server::start`].
pub fn start(handle: u32, id: Id) -> Result<()> {
    ask(|server| server.start(handle as Owner, id))
}

/// Stops reading; see [`Server::pause`].
pub fn pause(id: Id) -> Result<()> {
    ask(|server| server.pause(id))
}

/// Closes a socket when it has sent everything; see [`Server::close`].
pub fn close(id: Id) -> Result<()> {
    ask(|server| server.close(id))
}

/// Closes a socket at once; see [`Server::shutdown`].
pub fn shutdown(id: Id) -> Result<()> {
    ask(|server| server.shutdown(id))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{DEADLINE, pipe};
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::sync::mpsc;

    /// The node's server is one for the process, so all about it is one test.
    #[test]
    fn node_server() {
        let (sender, finished) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            scenario();
            sender.send(()).unwrap();
        });
        if finished.recv_timeout(DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout) {
            panic!("an event did not come");
        }
        thread.join().unwrap();
    }

    fn scenario() {
        assert!(bind(1, 0).is_err());
        init().unwrap();
        assert!(init().is_err());
        let (reader, mut writer) = pipe();
        writer.write_all(b"bytes").unwrap();
        let id = bind(0x1234, reader.as_raw_fd()).unwrap();

        let received = |wanted: &[u8]| {
            let deliver = |handle, packed: Packed| {
                assert_eq!(handle, 0x1234);
                assert_eq!(packed.bytes(), wanted);
                Ok(())
            };
            assert_ne!(poll_for(deliver).unwrap(), Progress::Exit);
        };
        received(b"binding");
        received(b"bytes");

        // The service goes away: its message is freed, its socket closed, and that
        // has no event.
        writer.write_all(b"more").unwrap();
        poll_for(|_, packed| Err(packed)).unwrap();
        start(0x1234, id).unwrap();
        received(b"invalid socket");

        // Somebody who is gone asked for a socket that is another's.
        let id = bind(0x1234, reader.as_raw_fd()).unwrap();
        received(b"binding");
        drop(writer);
        received(b"");
        start(0x4321, id).unwrap();
        poll_for(|_, packed| Err(packed)).unwrap();
        start(0x1234, id).unwrap();
        received(b"socket closed");

        // A listening service goes away, and its socket with a new connection.
        let listener = listen(0x1234, Some(c"127.0.0.1"), 0, 8).unwrap();
        received(b"127.0.0.1");
        let all = server().unwrap().shared.table.all();
        let port = all.iter().find_map(|socket| {
            let local = socket.lock().source.as_ref()?.local();
            (socket.id() == listener).then(|| local.unwrap())
        });
        start(0x1234, listener).unwrap();
        received(b"start");
        let mut peer = std::net::TcpStream::connect(port.unwrap()).unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        poll_for(|_, packed| Err(packed)).unwrap();
        start(0x1234, listener).unwrap();
        received(b"invalid socket");
        assert_eq!(std::io::Read::read(&mut peer, &mut [0]).unwrap(), 0);

        exit().unwrap();
        let last = poll_for(|_, packed| Err(packed)).unwrap();
        assert_eq!(last, Progress::Exit);
        free();
        assert!(bind(1, 0).is_err());
        init().unwrap();
        free();
    }
}
