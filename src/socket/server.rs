//! A socket server, for any thread.

use super::clock::Clock;
use super::event::{Driven, Event, Id, Owner, Polled, Text, text};
use super::info::{self, Info};
use super::outgoing::{Buffer, ObjectInterface, Priority};
use super::poll::{Poller, Shared};
use super::request::{Manner, Request};
use super::resolve::{self, Resolver};
use super::socket::{After, Refused, Socket, Stage};
use super::source::{Source, Transport};
use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};
use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::{OnceLock, RwLock, TryLockError, Weak};
use std::time::Duration;

/// As much of a name as a connection is asked for with. Bytes.
const MAX_HOST: usize = 231;

/// Sockets and the thread that polls them. Everything but [`Server::poll`] may
/// be called from any thread and returns without waiting for that one.
///
/// # Errors
/// The requests fail if the polling thread cannot be woken.
#[derive(Debug)]
pub struct Server {
    pub(super) shared: Arc<Shared>,
    /// Locked while a thread polls; a second one would wait for the first.
    pub(super) poller: Mutex<Poller>,
    resolver: OnceLock<Resolver>,
    objects: RwLock<Option<ObjectInterface>>,
    sweep_asked: AtomicBool,
    /// Sockets whose owner was gone at the last sweep.
    suspects: Mutex<HashSet<(Id, Owner)>>,
}

/// How an address turns out.
enum Found {
    /// It was one in numbers.
    Now(Vec<SocketAddr>),
    /// It is a name.
    Later(CString),
}

impl Server {
    /// A server without sockets, whose statistics show the node's time.
    ///
    /// # Errors
    /// The process is out of descriptors or memory.
    pub fn new() -> Result<Server> {
        Server::with_clock(Clock::Node)
    }

    /// As [`Server::new`], with a clock of its own.
    ///
    /// # Errors
    /// The process is out of descriptors or memory.
    pub fn with_clock(clock: Clock) -> Result<Server> {
        let poller = Poller::new(clock)?;
        Ok(Server {
            shared: poller.shared(),
            poller: Mutex::new(poller),
            resolver: OnceLock::new(),
            objects: RwLock::new(None),
            sweep_asked: AtomicBool::new(false),
            suspects: Mutex::default(),
        })
    }

    /// Waits for the next event, on the polling thread.
    ///
    /// # Errors
    /// The operating system's poller failed.
    pub fn poll(&self) -> Result<Polled> {
        // A connection that was being read when a panic struck is still whole.
        let mut poller = lock(&self.poller);
        poller.poll()
    }

    /// Carries out all requests and serves what is due, unless another thread is
    /// at it; if that brings nothing, waits once for the operating system's
    /// poller: at most `timeout`, without limit if there is none. `deliver` gets
    /// the events, and must not poll itself. Returns after about 256 events, or
    /// when there is nothing more to do, or when somebody [interrupts].
    ///
    /// # Errors
    /// The operating system's poller failed.
    ///
    /// [interrupts]: Server::interrupt
    pub fn drive(
        &self,
        timeout: Option<Duration>,
        deliver: &mut dyn FnMut(Event),
    ) -> Result<Driven> {
        let mut poller = match self.poller.try_lock() {
            Ok(poller) => poller,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(Driven::Busy),
        };
        poller.drive(timeout, deliver)
    }

    /// Closes every socket, without events, unless a thread polls.
    pub fn clear(&self) {
        if let Ok(mut poller) = self.poller.try_lock() {
            poller.clear();
        }
    }

    /// Has the thread that polls, or the next one that does, return soon. Makes a
    /// system call only if one sleeps.
    pub fn interrupt(&self) -> Result<()> {
        self.shared.requests.interrupt().map_err(waking)
    }

    /// Whether there is any socket, open or about to be. One relaxed load.
    #[inline]
    pub fn has_sockets(&self) -> bool {
        self.shared.table.count() > 0
    }

    /// Whether there is anything to poll for: a socket, or a request, which may be
    /// about one that is gone and wants an answer. Two relaxed loads.
    #[inline]
    pub fn is_needed(&self) -> bool {
        self.has_sockets() || self.shared.requests.are_waiting()
    }

    /// The server's time for statistics, if it has a clock of its own.
    pub fn tell_time(&self, now: u64) {
        self.shared.clock.tell(now);
    }

    /// How user objects are read and freed from now on.
    pub fn set_objects(&self, interface: ObjectInterface) {
        let mut objects = self.objects.write().unwrap_or_else(|e| e.into_inner());
        *objects = Some(interface);
    }

    /// How user objects are read and freed; `None` before anybody has said.
    pub fn objects(&self) -> Option<ObjectInterface> {
        *self.objects.read().unwrap_or_else(|e| e.into_inner())
    }

    /// Takes a descriptor in that somebody else opened, and reads from it. It
    /// stays the caller's, who keeps it open until the socket is closed and
    /// closes it then. An Open event follows, or an Error.
    pub fn bind(&self, owner: Owner, fd: RawFd) -> Result<Id> {
        let socket = self.reserve(owner)?;
        let id = socket.id();
        self.request([Request::Open(socket), Request::Bind { id, fd }])?;
        Ok(id)
    }

    /// Connects to the first address of `host` that answers. An Open event with
    /// the peer's address follows, or an Error with the last cause. What is sent
    /// before waits.
    pub fn connect(&self, owner: Owner, host: &CStr, port: i32) -> Result<Id> {
        if host.count_bytes() > MAX_HOST {
            return Err(Error::InvalidHost(host.to_string_lossy().into_owned()));
        }
        let port = checked_port("connect", port)?;
        let found = find(host, port, Transport::Tcp);
        let socket = self.reserve(owner)?;
        let id = socket.id();
        match found {
            Ok(Found::Now(addresses)) => {
                self.request([Request::Open(socket), Request::Connect { id, addresses }])?;
            }
            Err(text) => self.request([Request::Open(socket), Request::Fail { id, text }])?,
            Ok(Found::Later(host)) => {
                self.request([Request::Open(socket)])?;
                self.later(id, move |shared| {
                    let request = match resolve::look_up(&host, port, Transport::Tcp) {
                        Ok(addresses) => Request::Connect { id, addresses },
                        Err(text) => Request::Fail { id, text },
                    };
                    // It fails with the poller, of which its thread tells.
                    let _ = shared.requests.push([request]);
                });
            }
        }
        Ok(id)
    }

    /// Listens at an address; `None` or an empty text is 0.0.0.0, port 0 any. An
    /// Open event with the address and port follows; connections are accepted
    /// after [`Server::start`].
    ///
    /// # Errors
    /// The address is in numbers and cannot be listened at. A name is looked up
    /// later; an Error event comes if it is none, or cannot be listened at.
    pub fn listen(&self, owner: Owner, host: Option<&CStr>, port: i32, backlog: i32) -> Result<Id> {
        let port = checked_port("listen", port)?;
        let open = move |address| Source::listen(address, backlog);
        match find_local("listen", host, port, Transport::Tcp)? {
            Found::Now(addresses) => {
                let source = open(first(&addresses)?).map_err(|error| refused("listen", error))?;
                let socket = self.reserve(owner)?;
                let id = socket.id();
                self.request([Request::Open(socket), Request::Listen { id, source }])?;
                Ok(id)
            }
            Found::Later(host) => {
                let socket = self.reserve(owner)?;
                let id = socket.id();
                self.request([Request::Open(socket)])?;
                self.later(id, move |shared| {
                    let found = resolve::look_up(&host, port, Transport::Tcp);
                    let source = found.and_then(|all| open(all[0]).map_err(|error| text(&error)));
                    let request = match source {
                        Ok(source) => Request::Listen { id, source },
                        Err(text) => Request::Fail { id, text },
                    };
                    let _ = shared.requests.push([request]);
                });
                Ok(id)
            }
        }
    }

    /// A socket for datagrams: at an address, or at any port of IPv4 if there is
    /// neither host nor port. It is read at once; no Open event comes.
    ///
    /// # Errors
    /// As [`Server::listen`], for a name too.
    pub fn udp(&self, owner: Owner, host: Option<&CStr>, port: i32) -> Result<Id> {
        let port = checked_port("udp", port)?;
        if host.is_none() && port == 0 {
            let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
            let source = Source::datagram_like(any).map_err(|error| refused("udp", error))?;
            return self.open_datagram(owner, source, None);
        }
        match find_local("udp", host, port, Transport::Udp)? {
            Found::Now(addresses) => {
                let source = Source::datagram_at(first(&addresses)?);
                let source = source.map_err(|error| refused("udp", error))?;
                self.open_datagram(owner, source, None)
            }
            Found::Later(host) => self.open_datagram_later(owner, move || {
                let found = resolve::look_up(&host, port, Transport::Udp)?;
                let source = Source::datagram_at(found[0]).map_err(|error| text(&error))?;
                Ok((source, None))
            }),
        }
    }

    /// As [`Server::udp`] with an address, whose port must not be 0.
    pub fn udp_listen(&self, owner: Owner, host: Option<&CStr>, port: i32) -> Result<Id> {
        if port == 0 {
            return Err(Error::bad_argument("udp_listen", "port 0"));
        }
        // An empty host is one: 0.0.0.0.
        self.udp(owner, Some(host.unwrap_or(c"")), port)
    }

    /// A socket for datagrams that go to one address by default.
    ///
    /// # Errors
    /// The process is out of descriptors. A name is looked up later: an Error
    /// event comes if it is none; what is sent before waits.
    pub fn udp_dial(&self, owner: Owner, host: &CStr, port: i32) -> Result<Id> {
        let port = checked_port("udp_dial", port)?;
        match find(host, port, Transport::Udp).map_err(|why| bad_address("udp_dial", why))? {
            Found::Now(addresses) => {
                let address = first(&addresses)?;
                let source = Source::datagram_like(address);
                let source = source.map_err(|error| refused("udp_dial", error))?;
                self.open_datagram(owner, source, Some(address))
            }
            Found::Later(host) => self.open_datagram_later(owner, move || {
                let address = resolve::look_up(&host, port, Transport::Udp)?[0];
                let source = Source::datagram_like(address).map_err(|error| text(&error))?;
                Ok((source, Some(address)))
            }),
        }
    }

    /// Where a socket's datagrams go by default. An Error event comes if the
    /// address is not of its family.
    ///
    /// # Errors
    /// There is no such socket, or the address in numbers is malformed. A name is
    /// looked up later: what is sent to the default address waits for it, and an
    /// Error event comes if it is none.
    pub fn udp_connect(&self, id: Id, host: &CStr, port: i32) -> Result<()> {
        let port = checked_port("udp_connect", port)?;
        let Some(socket) = self.shared.table.get(id) else {
            return Err(Error::bad_argument("udp_connect", "no such socket"));
        };
        match find(host, port, Transport::Udp).map_err(|why| bad_address("udp_connect", why))? {
            Found::Now(addresses) => {
                let told = socket.set_default(first(&addresses)?, &self.shared.clock);
                tell_default(&self.shared, id, told);
                Ok(())
            }
            Found::Later(host) => {
                socket.lock().resolving += 1;
                let waiting = Arc::clone(&socket);
                let run = move |shared: &Shared| {
                    let found = resolve::look_up(&host, port, Transport::Udp);
                    let clock = &shared.clock;
                    let told = match found {
                        Ok(addresses) => waiting.resolved(Some(addresses[0]), clock),
                        Err(text) => {
                            let _ = shared.requests.push([Request::Report { id, text }]);
                            waiting.resolved(None, clock)
                        }
                    };
                    tell_default(shared, id, told);
                };
                if self.submit(run).is_err() {
                    // No thread for it: the address stays as it was.
                    let told = socket.resolved(None, &self.shared.clock);
                    tell_default(&self.shared, id, told);
                    return Err(Error::bad_argument(
                        "udp_connect",
                        "no thread to look it up",
                    ));
                }
                Ok(())
            }
        }
    }

    /// Sends on a socket. What cannot be sent now waits. The buffer is freed when
    /// it is sent, or cannot be.
    ///
    /// # Errors
    /// The socket is gone or closed; nothing is said about that in the log, since
    /// a peer may leave at any time.
    #[inline]
    pub fn send(&self, id: Id, buffer: Buffer, priority: Priority) -> Result<(), Refused> {
        let socket = self.shared.table.get(id).ok_or(Refused)?;
        let after = socket.send(buffer, priority, &self.shared.clock)?;
        self.leave(id, after);
        Ok(())
    }

    /// Sends one datagram, to an address or, without one, as [`Server::send`].
    ///
    /// # Errors
    /// The socket is gone, or it is none for datagrams to this address.
    pub fn udp_send(&self, id: Id, to: Option<SocketAddr>, buffer: Buffer) -> Result<(), Refused> {
        let Some(to) = to else {
            return self.send(id, buffer, Priority::High);
        };
        let socket = self.shared.table.get(id).ok_or(Refused)?;
        let after = socket.send_datagram(buffer, Some(to), Priority::High, &self.shared.clock)?;
        self.leave(id, after);
        Ok(())
    }

    /// Reads from a socket, for the first time or after a pause. If it is
    /// listening or connected, it is `owner`'s from now on, who gets an Open
    /// event: `start` the first time, then `transfer`. An Error event goes to
    /// `owner` if it cannot be read any more.
    pub fn start(&self, owner: Owner, id: Id) -> Result<()> {
        // What the caller sends after this must not be taken for too early.
        if let Some(socket) = self.shared.table.get(id) {
            let mut writer = socket.lock();
            if writer.stage == Stage::Accepted {
                writer.stage = Stage::Connected;
            }
        }
        self.request([Request::Start { id, owner }])
    }

    /// Stops reading from a socket until it is started. Data that has been read
    /// already may still arrive.
    pub fn pause(&self, id: Id) -> Result<()> {
        self.request([Request::Pause { id }])
    }

    /// Asks for small segments to be sent at once.
    pub fn nodelay(&self, id: Id) -> Result<()> {
        self.request([Request::Nodelay { id }])
    }

    /// Ends a connection, or an attempt to connect, with an Error event when nothing comes
    /// from its peer for `duration`, not even an acknowledgement. An idle peer is asked
    /// every second, so it is more than that.
    pub fn keepalive(&self, id: Id, duration: Duration) -> Result<()> {
        self.request([Request::Keepalive { id, duration }])
    }

    /// Closes a socket once everything written to it is sent. A Close event
    /// follows, unless there was one.
    pub fn close(&self, id: Id) -> Result<()> {
        let manner = Manner::Orderly;
        self.request([Request::Close { id, manner }])
    }

    /// Closes a socket at once.
    pub fn shutdown(&self, id: Id) -> Result<()> {
        let manner = Manner::AtOnce;
        self.request([Request::Close { id, manner }])
    }

    /// Closes a socket if its owner is the one that is gone; what was written to it
    /// is still sent, and no event follows.
    pub fn abandon(&self, owner: Owner, id: Id) -> Result<()> {
        self.request([Request::Abandon { id, owner }])
    }

    /// Asks for a [`Server::sweep`]: `true` if there are sockets, and nobody has asked
    /// since the last one.
    pub fn ask_for_sweep(&self) -> bool {
        self.has_sockets() && !self.sweep_asked.swap(true, Ordering::Relaxed)
    }

    /// Closes the sockets whose owner is gone and was gone at the last sweep too: in
    /// between somebody else could have taken them over. True when there may be some
    /// to close next time.
    pub fn sweep(&self, is_gone: impl Fn(Owner) -> bool) -> Result<bool> {
        // An owner that goes from here on has its own sweep.
        self.sweep_asked.store(false, Ordering::Relaxed);
        let owners = self.shared.table.owners().into_iter();
        let ownerless: HashSet<_> = owners.filter(|&(_, owner)| is_gone(owner)).collect();
        let mut suspects = lock(&self.suspects);
        for &(id, owner) in ownerless.intersection(&suspects) {
            self.abandon(owner, id)?;
        }
        *suspects = ownerless.difference(&suspects).copied().collect();
        Ok(!suspects.is_empty())
    }

    /// Lets one call of [`Server::poll`] return [`Polled::Exit`], after the
    /// requests made before.
    pub fn exit(&self) -> Result<()> {
        self.request([Request::Exit])
    }

    /// What the sockets are doing, by ascending id.
    pub fn info(&self) -> Vec<Info> {
        let all = self.shared.table.all();
        all.iter()
            .filter_map(|socket| info::describe(socket))
            .collect()
    }

    fn reserve(&self, owner: Owner) -> Result<Arc<Socket>> {
        let socket = self.shared.table.reserve(owner);
        socket.ok_or_else(|| Error::bad_argument("socket", "every id is in use"))
    }

    fn open_datagram(
        &self,
        owner: Owner,
        source: Source,
        default: Option<SocketAddr>,
    ) -> Result<Id> {
        let socket = self.reserve(owner)?;
        let (id, source) = (socket.id(), Arc::new(source));
        // It can be sent on before the polling thread knows of it.
        socket.attach(Arc::clone(&source), default);
        self.request([Request::Open(socket), Request::Datagram { id, source }])?;
        Ok(id)
    }

    fn open_datagram_later(
        &self,
        owner: Owner,
        open: impl FnOnce() -> Result<(Source, Option<SocketAddr>), Text> + Send + 'static,
    ) -> Result<Id> {
        let socket = self.reserve(owner)?;
        let id = socket.id();
        self.request([Request::Open(Arc::clone(&socket))])?;
        self.later(id, move |shared| {
            let request = match open() {
                Ok((source, default)) => {
                    let source = Arc::new(source);
                    if !socket.attach(Arc::clone(&source), default) {
                        // It was closed in the meantime.
                        return;
                    }
                    Request::Datagram { id, source }
                }
                Err(text) => Request::Fail { id, text },
            };
            let _ = shared.requests.push([request]);
        });
        Ok(id)
    }

    /// Runs what may take long for a socket that is being opened. If no thread
    /// can be had for it, its owner hears of that.
    fn later(&self, id: Id, run: impl FnOnce(&Shared) + Send + 'static) {
        if self.submit(run).is_err() {
            let text = text(&std::io::Error::last_os_error());
            let _ = self.request([Request::Fail { id, text }]);
        }
    }

    fn submit(&self, run: impl FnOnce(&Shared) + Send + 'static) -> Result<(), resolve::Job> {
        // A server that is gone needs no answer.
        let shared: Weak<Shared> = Arc::downgrade(&self.shared);
        let job = move || {
            if let Some(shared) = shared.upgrade() {
                run(&shared);
            }
        };
        self.resolver
            .get_or_init(Resolver::default)
            .submit(Box::new(job))
    }

    /// Has the polling thread do what a send has left; mostly nothing.
    #[inline]
    fn leave(&self, id: Id, after: After) {
        if let Some(request) = after.into_request(id) {
            // It fails with the poller, of which its thread tells.
            let _ = self.request([request]);
        }
    }

    fn request<const N: usize>(&self, requests: [Request; N]) -> Result<()> {
        self.shared.requests.push(requests).map_err(waking)
    }
}

/// Has the polling thread do what a new default address has left, and tell if it
/// was of the wrong family. A failure is the poller's, of which its thread tells.
fn tell_default(shared: &Shared, id: Id, told: Result<After, Refused>) {
    let request = match told {
        Ok(after) => after.into_request(id),
        Err(Refused) => {
            let text = "protocol mismatch".into();
            Some(Request::Report { id, text })
        }
    };
    if let Some(request) = request {
        let _ = shared.requests.push([request]);
    }
}

fn waking(source: std::io::Error) -> Error {
    Error::Io {
        what: String::from("waking the socket thread"),
        source,
    }
}

/// Addresses in numbers at once, names later.
fn find(host: &CStr, port: u16, transport: Transport) -> Result<Found, Text> {
    match resolve::read_numeric(host, port, transport) {
        Some(result) => result.map(Found::Now),
        None => Ok(Found::Later(host.to_owned())),
    }
}

/// As [`find`], for an address of this machine; none, or an empty one, is 0.0.0.0.
fn find_local(
    function: &'static str,
    host: Option<&CStr>,
    port: u16,
    transport: Transport,
) -> Result<Found> {
    match host.filter(|host| !host.is_empty()) {
        Some(host) => find(host, port, transport).map_err(|why| bad_address(function, why)),
        None => Ok(Found::Now(vec![(Ipv4Addr::UNSPECIFIED, port).into()])),
    }
}

fn first(addresses: &[SocketAddr]) -> Result<SocketAddr> {
    let first = addresses.first().copied();
    first.ok_or_else(|| Error::bad_argument("socket", "no address"))
}

fn checked_port(function: &'static str, port: i32) -> Result<u16> {
    port.try_into()
        .map_err(|_| Error::bad_argument(function, format!("port {port}")))
}

fn bad_address(function: &'static str, why: Text) -> Error {
    Error::bad_argument(function, why)
}

fn refused(function: &'static str, source: std::io::Error) -> Error {
    Error::Io {
        what: String::from(function),
        source,
    }
}
