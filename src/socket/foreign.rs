//! Descriptors that somebody else opened, standard input above all.
//!
//! The polling thread must never be stuck in a read. The plain way is to set
//! O_NONBLOCK on the descriptor, but that flag belongs to the open file
//! description, which is shared: by standard output and standard error when all
//! three are one terminal (whose writers then fail with EAGAIN), and by the
//! shell that gets the terminal back. So each kind of descriptor is read in the
//! gentlest way that cannot block:
//!
//! | kind | how |
//! |---|---|
//! | regular file, directory, block device | as it is; these never wait for a peer |
//! | socket | each call says MSG_DONTWAIT |
//! | terminal, pipe (Linux) | a description of our own, opened through /proc |
//! | anything else, or if that fails | O_NONBLOCK, taken back when we let go |
//!
//! A foreign descriptor is never closed here: it is its opener's.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// A foreign descriptor, ready to be read without blocking.
#[derive(Debug)]
pub struct Foreign {
    access: Access,
    kind: Kind,
}

#[derive(Debug)]
enum Access {
    /// The foreign descriptor itself.
    Borrowed(RawFd),
    /// The foreign descriptor, on which we have set O_NONBLOCK.
    Changed(RawFd),
    /// A second description of the same terminal or pipe.
    Own(OwnedFd),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Socket,
    Pipe,
    Terminal,
    Other,
}

impl Foreign {
    /// Takes `fd` in. It stays its opener's, who keeps it open until this
    /// value is dropped.
    ///
    /// # Errors
    /// `fd` is not open, or its flags cannot be changed.
    pub fn new(fd: RawFd) -> io::Result<Foreign> {
        let kind = kind_of(fd)?;
        let access = match kind {
            Kind::File | Kind::Socket => Access::Borrowed(fd),
            Kind::Pipe | Kind::Terminal => match reopen(fd) {
                Ok(own) => Access::Own(own),
                Err(_) => without_blocking(fd)?,
            },
            Kind::Other => without_blocking(fd)?,
        };
        Ok(Foreign { access, kind })
    }

    /// Data may be there although the poller will not say so: a named pipe
    /// whose last writer left before we opened it counts as never written.
    pub fn look_at_once(&self) -> bool {
        self.kind == Kind::Pipe
    }

    /// A socket, for which there are calls that others do not take.
    pub fn is_socket(&self) -> bool {
        self.kind == Kind::Socket
    }

    /// Sets TCP_NODELAY.
    pub fn set_nodelay(&self) -> io::Result<()> {
        // SAFETY: the descriptor is open, as its opener vouches until we let go.
        let fd = unsafe { BorrowedFd::borrow_raw(self.as_raw_fd()) };
        socket2::SockRef::from(&fd).set_tcp_nodelay(true)
    }

    /// Writes without blocking. A pipe that nobody reads any more is an error
    /// here, since a node ignores SIGPIPE.
    pub fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let fd = self.as_raw_fd();
        let count = if self.kind == Kind::Socket {
            // SAFETY: all zeros is a message header without anything.
            let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
            header.msg_iov = slices.as_ptr().cast_mut().cast();
            header.msg_iovlen = slices.len() as _;
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: IoSlice is an iovec, as std says, of memory that is lent
            // for the call, which does not write through the header.
            unsafe { libc::sendmsg(fd, &header, flags) }
        } else {
            let count = slices.len().try_into().unwrap_or(libc::c_int::MAX);
            // SAFETY: as above.
            unsafe { libc::writev(fd, slices.as_ptr().cast(), count) }
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }

    /// Reads into `buffer`: the count of bytes, which are then initialised;
    /// 0 at the end.
    pub fn read(&self, buffer: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        let (fd, start, size) = (self.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len());
        let count = if self.kind == Kind::Socket {
            // SAFETY: start points to size writable bytes, lent for the call.
            unsafe { libc::recv(fd, start, size, libc::MSG_DONTWAIT) }
        } else {
            // SAFETY: as above.
            unsafe { libc::read(fd, start, size) }
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }
}

impl AsRawFd for Foreign {
    fn as_raw_fd(&self) -> RawFd {
        match &self.access {
            Access::Borrowed(fd) | Access::Changed(fd) => *fd,
            Access::Own(fd) => fd.as_raw_fd(),
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        if let Access::Changed(fd) = self.access {
            // There is nobody to tell if the opener has closed it already.
            if let Ok(flags) = flags(fd) {
                let _ = set_flags(fd, flags & !libc::O_NONBLOCK);
            }
        }
    }
}

fn kind_of(fd: RawFd) -> io::Result<Kind> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: stat has room for the result; a bad descriptor is reported.
    if unsafe { libc::fstat(fd, stat.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: fstat succeeded, so it has filled the whole struct.
    let stat = unsafe { stat.assume_init() };
    Ok(match stat.st_mode & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFDIR | libc::S_IFBLK => Kind::File,
        libc::S_IFSOCK => Kind::Socket,
        libc::S_IFIFO => Kind::Pipe,
        libc::S_IFCHR if is_terminal(fd) => Kind::Terminal,
        _ => Kind::Other,
    })
}

/// A terminal, and not the master side of a pseudo-terminal: opening that one
/// again would make a new pair.
fn is_terminal(fd: RawFd) -> bool {
    // SAFETY: isatty takes any number.
    if unsafe { libc::isatty(fd) } != 1 {
        return false;
    }
    #[cfg(target_os = "linux")]
    {
        let mut number: libc::c_uint = 0;
        // SAFETY: the request writes one unsigned int, to which it gets a pointer.
        unsafe { libc::ioctl(fd, libc::TIOCGPTN, &raw mut number) != 0 }
    }
    #[cfg(not(target_os = "linux"))]
    true
}

/// Opens what `fd` stands for a second time, without blocking. Only Linux gives
/// a new description for that; elsewhere /dev/fd duplicates the old one.
#[cfg(target_os = "linux")]
fn reopen(fd: RawFd) -> io::Result<OwnedFd> {
    let mode = flags(fd)? & libc::O_ACCMODE;
    let path = std::ffi::CString::new(format!("/proc/self/fd/{fd}"))?;
    let flags = mode | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: path ends in a zero, which CString sees to.
    match unsafe { libc::open(path.as_ptr(), flags) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: open has just made the descriptor, so it is ours alone.
        own => Ok(unsafe { OwnedFd::from_raw_fd(own) }),
    }
}

#[cfg(not(target_os = "linux"))]
fn reopen(_fd: RawFd) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

fn without_blocking(fd: RawFd) -> io::Result<Access> {
    let flags = flags(fd)?;
    if flags & libc::O_NONBLOCK != 0 {
        return Ok(Access::Borrowed(fd));
    }
    set_flags(fd, flags | libc::O_NONBLOCK)?;
    Ok(Access::Changed(fd))
}

fn flags(fd: RawFd) -> io::Result<libc::c_int> {
    // SAFETY: F_GETFL has no pointers; a bad descriptor is reported.
    match unsafe { libc::fcntl(fd, libc::F_GETFL) } {
        -1 => Err(io::Error::last_os_error()),
        flags => Ok(flags),
    }
}

fn set_flags(fd: RawFd, flags: libc::c_int) -> io::Result<()> {
    // SAFETY: F_SETFL takes a number; a bad descriptor is reported.
    match unsafe { libc::fcntl(fd, libc::F_SETFL, flags) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
