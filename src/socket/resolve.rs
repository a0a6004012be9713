//! From names to addresses.
//!
//! An address in numbers is read at once, by whoever asks. A name is looked up by
//! a thread of a small pool, which ends when it has had nothing to do for a while:
//! name servers may take long to answer, or never do.

use super::event::Text;
use super::source::Transport;
use crate::sync::{Condvar, Mutex, lock};
use socket2::SockAddr;
use std::collections::VecDeque;
use std::ffi::{CStr, CString, c_int};
use std::net::SocketAddr;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

/// Names to be looked up at a time.
const MAX_THREADS: usize = 4;
/// How long a thread waits for another name.
const IDLE: Duration = Duration::from_secs(10);

/// The addresses that `host` means; at least one.
///
/// # Errors
/// The resolver's words.
pub fn look_up(host: &CStr, port: u16, transport: Transport) -> Result<Vec<SocketAddr>, Text> {
    getaddrinfo(host, port, transport, 0).map_err(describe)
}

/// As [`look_up`], if `host` is an address in numbers; `None` if it is a name,
/// which takes time.
pub fn read_numeric(
    host: &CStr,
    port: u16,
    transport: Transport,
) -> Option<Result<Vec<SocketAddr>, Text>> {
    match getaddrinfo(host, port, transport, libc::AI_NUMERICHOST) {
        Err(libc::EAI_NONAME) => None,
        result => Some(result.map_err(describe)),
    }
}

fn getaddrinfo(
    host: &CStr,
    port: u16,
    transport: Transport,
    flags: c_int,
) -> Result<Vec<SocketAddr>, c_int> {
    let service = CString::new(port.to_string()).map_err(|_| libc::EAI_SERVICE)?;
    // SAFETY: all zeros is a hint without any wish.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_flags = flags;
    hints.ai_family = libc::AF_UNSPEC;
    (hints.ai_socktype, hints.ai_protocol) = match transport {
        Transport::Tcp => (libc::SOCK_STREAM, libc::IPPROTO_TCP),
        Transport::Udp => (libc::SOCK_DGRAM, libc::IPPROTO_UDP),
    };
    let mut list = ptr::null_mut();
    // SAFETY: both texts end in zeros; hints is read, list written.
    let failed = unsafe { libc::getaddrinfo(host.as_ptr(), service.as_ptr(), &hints, &mut list) };
    if failed != 0 {
        return Err(failed);
    }
    let mut addresses = Vec::new();
    let mut next = list;
    // SAFETY: getaddrinfo made the list, which ends with null.
    while let Some(entry) = unsafe { next.as_ref() } {
        addresses.extend(address_of(entry));
        next = entry.ai_next;
    }
    // SAFETY: the list is getaddrinfo's, and no entry is used any more.
    unsafe { libc::freeaddrinfo(list) };
    if addresses.is_empty() {
        return Err(libc::EAI_NONAME);
    }
    Ok(addresses)
}

/// The address of an entry, if it is of a family that this server knows.
fn address_of(entry: &libc::addrinfo) -> Option<SocketAddr> {
    if entry.ai_addr.is_null() {
        return None;
    }
    let fill = |storage: *mut socket2::SockAddrStorage, length: *mut libc::socklen_t| {
        let size = (entry.ai_addrlen as usize).min(size_of::<socket2::SockAddrStorage>());
        // SAFETY: the entry has ai_addrlen bytes of address, the storage room for
        // at least as many as are copied; length is writable.
        unsafe {
            ptr::copy_nonoverlapping(entry.ai_addr.cast::<u8>(), storage.cast::<u8>(), size);
            *length = size as libc::socklen_t;
        }
        Ok(())
    };
    // SAFETY: fill has written an address of the length that it says.
    let (_, address) = unsafe { SockAddr::try_init(fill) }.ok()?;
    address.as_socket()
}

fn describe(code: c_int) -> Text {
    // SAFETY: the text is static, for every number.
    let text = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
    text.to_string_lossy()
}

/// Something that may wait for a name server.
pub type Job = Box<dyn FnOnce() + Send>;

/// The threads that look names up. Dropping it lets them end; jobs that none has
/// begun are dropped.
#[derive(Default)]
pub struct Resolver {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Resolver {
    /// Has a thread run the job. When the system gives no thread, and none is
    /// there, the job comes back.
    pub fn submit(&self, job: Job) -> Result<(), Job> {
        let mut state = lock(&self.shared.state);
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() || state.threads >= MAX_THREADS {
            drop(state);
            self.shared.changed.notify_one();
            return Ok(());
        }
        state.threads += 1;
        drop(state);
        let shared = Arc::clone(&self.shared);
        let started = std::thread::Builder::new()
            .name(String::from("resolver"))
            .spawn(move || shared.run());
        if started.is_ok() {
            return Ok(());
        }
        let mut state = lock(&self.shared.state);
        state.threads -= 1;
        match state.threads {
            0 => state.jobs.pop_back().map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = lock(&self.shared.state);
        f.debug_struct("Resolver")
            .field("jobs", &state.jobs.len())
            .field("threads", &state.threads)
            .finish()
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        self.shared.changed.notify_all();
        drop(jobs);
    }
}

impl Shared {
    fn run(&self) {
        let mut state = lock(&self.state);
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                // A job that panics has told nobody, and the next one must not
                // suffer for it.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                state = lock(&self.state);
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let waited = self.changed.wait_timeout(state, IDLE);
            let (woken, timeout) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && state.jobs.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::DEADLINE;
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn numbers() {
        let read = |host: &CStr| read_numeric(host, 80, Transport::Tcp);
        let addresses = read(c"127.0.0.1").unwrap().unwrap();
        assert_eq!(addresses, ["127.0.0.1:80".parse().unwrap()]);
        assert_eq!(
            read(c"::1").unwrap().unwrap(),
            ["[::1]:80".parse().unwrap()]
        );
        assert!(read(c"localhost").is_none());
        assert!(read(c"").is_none());
    }

    #[test]
    fn names() {
        let found = look_up(c"localhost", 80, Transport::Udp).unwrap();
        assert!(
            found
                .iter()
                .all(|address| address.ip().is_loopback() && address.port() == 80)
        );
        let error = look_up(c"no such name", 80, Transport::Tcp).unwrap_err();
        assert!(!error.is_empty());
    }

    #[test]
    fn many_jobs_and_one_that_panics() {
        let resolver = Resolver::default();
        let (sender, results) = mpsc::channel();
        for n in 0..50 {
            let sender = sender.clone();
            let job = move || {
                assert_ne!(n, 7, "this one is to fail");
                sender.send(n).unwrap();
            };
            assert!(resolver.submit(Box::new(job)).is_ok());
        }
        let mut all: Vec<i32> = (0..49)
            .map(|_| results.recv_timeout(DEADLINE).unwrap())
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..50).filter(|n| *n != 7).collect::<Vec<_>>());
    }

    #[test]
    fn drops() {
        let (sender, results) = mpsc::channel::<()>();
        let resolver = Resolver::default();
        let job = move || drop(sender);
        assert!(resolver.submit(Box::new(job)).is_ok());
        drop(resolver);
        let end = results.recv_timeout(DEADLINE);
        assert_eq!(end, Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
