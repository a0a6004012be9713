//! Descriptors, and what can be done with them without waiting.

use super::foreign::Foreign;
use mio::net::TcpListener;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// A peer that is gone is an error of the call, not a signal to the process.
const FLAGS: libc::c_int = libc::MSG_NOSIGNAL;

/// An open descriptor; dropping it closes it, unless it is foreign.
#[derive(Debug)]
pub enum Source {
    Stream(Socket),
    Listener(TcpListener),
    Datagram { socket: Socket, is_ipv6: bool },
    Foreign(Foreign),
}

/// The two kinds of sockets that are opened by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    fn open(self, address: SocketAddr) -> io::Result<Socket> {
        let (kind, protocol) = match self {
            Transport::Tcp => (Type::STREAM, Protocol::TCP),
            Transport::Udp => (Type::DGRAM, Protocol::UDP),
        };
        // Sockets of this library are not inherited by child processes.
        let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn bound(self, address: SocketAddr) -> io::Result<Socket> {
        let socket = self.open(address)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        Ok(socket)
    }
}

/// A stream that is about to be connected, or is already.
#[derive(Debug)]
pub struct Attempt {
    pub source: Source,
    pub connected: bool,
}

/// How it stands with the other side of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    /// For how long nothing has come, not even an acknowledgement.
    pub lasts: Duration,
    /// Something was sent since, and should have had an answer.
    pub unanswered: bool,
}

impl Source {
    /// Begins to connect.
    ///
    /// # Errors
    /// The address cannot be reached, or the process is out of descriptors.
    pub fn connect(address: SocketAddr, nodelay: bool) -> io::Result<Attempt> {
        let socket = Transport::Tcp.open(address)?;
        // These two are wishes: a connection without them works as well.
        let _ = socket.set_keepalive(true);
        if nodelay {
            let _ = socket.set_tcp_nodelay(true);
        }
        let connected = match socket.connect(&address.into()) {
            Ok(()) => true,
            Err(error)
                if error.raw_os_error() == Some(libc::EINPROGRESS)
                    || error.kind() == io::ErrorKind::Interrupted =>
            {
                false
            }
            Err(error) => return Err(error),
        };
        Ok(Attempt {
            source: Source::Stream(socket),
            connected,
        })
    }

    /// A socket that listens.
    ///
    /// # Errors
    /// The address is taken or not this machine's, among others.
    pub fn listen(address: SocketAddr, backlog: libc::c_int) -> io::Result<Source> {
        let socket = Transport::Tcp.bound(address)?;
        socket.listen(backlog)?;
        Ok(Source::Listener(OwnedFd::from(socket).into()))
    }

    /// A socket for datagrams that come to `address`.
    ///
    /// # Errors
    /// As [`Source::listen`].
    pub fn datagram_at(address: SocketAddr) -> io::Result<Source> {
        let socket = Transport::Udp.bound(address)?;
        let is_ipv6 = address.is_ipv6();
        Ok(Source::Datagram { socket, is_ipv6 })
    }

    /// A socket for datagrams of `address`'s family, at whatever port the system
    /// gives it.
    ///
    /// # Errors
    /// The process is out of descriptors, among others.
    pub fn datagram_like(address: SocketAddr) -> io::Result<Source> {
        let socket = Transport::Udp.open(address)?;
        let is_ipv6 = address.is_ipv6();
        Ok(Source::Datagram { socket, is_ipv6 })
    }

    /// Takes a connection out of a listening socket's queue.
    pub fn accept(&self) -> io::Result<(Source, SocketAddr)> {
        let Source::Listener(listener) = self else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let (stream, address) = listener.accept()?;
        let socket = Socket::from(OwnedFd::from(stream));
        let _ = socket.set_keepalive(true);
        Ok((Source::Stream(socket), address))
    }

    /// Whether a connection waits to be accepted. Without descriptors accepting
    /// fails although none does.
    pub fn has_waiting(&self) -> bool {
        let mut poll = libc::pollfd {
            fd: self.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: there is one struct, which the call may change.
        unsafe { libc::poll(&mut poll, 1, 0) > 0 }
    }

    /// Reads bytes: their count, which are then initialised; 0 at the end.
    pub fn read(&self, buffer: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        match self {
            Source::Stream(socket) => socket.recv(buffer),
            Source::Foreign(foreign) => foreign.read(buffer),
            Source::Listener(_) | Source::Datagram { .. } => {
                Err(io::ErrorKind::InvalidInput.into())
            }
        }
    }

    /// Reads one datagram: its size, and where it came from.
    pub fn receive(&self, buffer: &mut [MaybeUninit<u8>]) -> io::Result<(usize, SocketAddr)> {
        let Source::Datagram { socket, .. } = self else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let (size, from) = socket.recv_from(buffer)?;
        let from = from.as_socket().ok_or(io::ErrorKind::InvalidData)?;
        Ok((size, from))
    }

    /// Writes bytes of a stream, `total` of them: the count of those that were
    /// taken.
    pub fn write(&self, slices: &[IoSlice<'_>], total: usize) -> io::Result<usize> {
        if total == 0 {
            return Ok(0);
        }
        match (self, slices) {
            (Source::Stream(socket), [one]) => socket.send_with_flags(one, FLAGS),
            (Source::Stream(socket), many) => socket.send_vectored_with_flags(many, FLAGS),
            (Source::Foreign(foreign), many) => foreign.write(many),
            (Source::Listener(_) | Source::Datagram { .. }, _) => {
                Err(io::ErrorKind::InvalidInput.into())
            }
        }
    }

    /// Sends one datagram.
    pub fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        let Source::Datagram { socket, .. } = self else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        socket.send_to_with_flags(bytes, &SockAddr::from(to), FLAGS)
    }

    /// Whether the address is of this socket's family.
    pub fn can_send_to(&self, to: SocketAddr) -> bool {
        matches!(self, Source::Datagram { is_ipv6, .. } if *is_ipv6 == to.is_ipv6())
    }

    /// After a read that did not fill its buffer nothing is left, and the poller
    /// will tell of more: so it is with sockets, not with terminals or files.
    pub fn short_read_means_empty(&self) -> bool {
        matches!(self, Source::Stream(_))
    }

    /// After a write that was cut short the socket is full, and the poller will
    /// tell of room.
    pub fn short_write_means_full(&self) -> bool {
        matches!(self, Source::Stream(_))
    }

    /// Ends one direction. It fails if there is no peer any more, or if it is no
    /// socket: then there is nothing to end.
    pub fn shutdown(&self, how: Shutdown) {
        // A foreign socket is its opener's, who may still use it.
        if let Source::Stream(socket) = self {
            drop(socket.shutdown(how));
        }
    }

    /// Asks for small segments to be sent at once. What is no TCP socket has no
    /// such choice.
    pub fn set_nodelay(&self) {
        let _ = match self {
            Source::Stream(socket) => socket.set_tcp_nodelay(true),
            Source::Listener(listener) => SockRef::from(listener).set_tcp_nodelay(true),
            Source::Datagram { .. } => Ok(()),
            Source::Foreign(foreign) if foreign.is_socket() => foreign.set_nodelay(),
            Source::Foreign(_) => Ok(()),
        };
    }

    /// Has the system ask an idle peer every second whether it is there.
    pub fn probe(&self) {
        if let Source::Stream(socket) = self {
            let second = Duration::from_secs(1);
            let probes = TcpKeepalive::new().with_time(second).with_interval(second);
            let _ = socket.set_tcp_keepalive(&probes);
        }
    }

    /// What has come from the peer; `None` where the system does not say.
    pub fn silence(&self) -> Option<Silence> {
        match self {
            Source::Stream(socket) => silence(socket),
            _ => None,
        }
    }

    /// Closing it will not wait until the peer has everything.
    pub fn drop_unsent(&self) {
        if let Source::Stream(socket) = self {
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
    }

    /// The error that the system has noted for this socket, which it then forgets.
    pub fn take_error(&self) -> Option<io::Error> {
        match self {
            Source::Stream(socket) => socket.take_error().unwrap_or_else(Some),
            _ => None,
        }
    }

    pub fn peer(&self) -> io::Result<SocketAddr> {
        match self {
            Source::Stream(socket) => socket.peer_addr()?.as_socket(),
            _ => None,
        }
        .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// The address of this side.
    pub fn local(&self) -> io::Result<SocketAddr> {
        let address = match self {
            Source::Listener(listener) => return listener.local_addr(),
            Source::Stream(socket) | Source::Datagram { socket, .. } => socket.local_addr()?,
            Source::Foreign(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        address
            .as_socket()
            .ok_or_else(|| io::ErrorKind::Unsupported.into())
    }
}

/// How long an acknowledgement may take. Milliseconds.
#[cfg(target_os = "linux")]
const ANSWER: u32 = 500;

#[cfg(target_os = "linux")]
fn silence(socket: &Socket) -> Option<Silence> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let size = size_of::<libc::tcp_info>();
    let mut length = libc::socklen_t::try_from(size).ok()?;
    // SAFETY: `info` has room for `length` bytes, which the call writes at most.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    // SAFETY: the struct has numbers alone, for which zero bytes are valid; what an older
    // system does not write is zero.
    let info = unsafe { info.assume_init() };
    let lasts = info.tcpi_last_data_recv.min(info.tcpi_last_ack_recv);
    let sent = info.tcpi_unacked > 0 && (ANSWER..lasts).contains(&info.tcpi_last_data_sent);
    (result == 0).then(|| Silence {
        lasts: Duration::from_millis(lasts.into()),
        unanswered: sent || info.tcpi_probes >= 2,
    })
}

#[cfg(not(target_os = "linux"))]
fn silence(_socket: &Socket) -> Option<Silence> {
    None
}

impl AsRawFd for Source {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Source::Stream(socket) | Source::Datagram { socket, .. } => socket.as_raw_fd(),
            Source::Listener(listener) => listener.as_raw_fd(),
            Source::Foreign(foreign) => foreign.as_raw_fd(),
        }
    }
}
