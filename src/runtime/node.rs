//! The node: what its services have in common.

use super::mailbox::Runnable;
use super::message::{Message, Payload};
use super::{harbor, registry};
use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicBool, AtomicIsize, AtomicU32, Ordering};
use crate::sync::{Condvar, Mutex, lock};
use once_cell::sync::OnceCell;
use skynet_abi::{PTYPE_CLIENT, PTYPE_TEXT};
use std::time::{Duration, Instant};

static NODE: OnceCell<Node> = OnceCell::new();

/// The name of the logger, without its dot.
const LOGGER: &std::ffi::CStr = c"logger";

/// Counters and switches of the node.
#[derive(Debug)]
pub struct Node {
    /// Services that the node waits for before it stops.
    total: AtomicIsize,
    /// The service that is told of exits; 0 for none.
    monitor: AtomicU32,
    /// The logger's handle once it has its name.
    logger: AtomicU32,
    /// The first service; 0 when it counts as started, or before there is one.
    bootstrap: AtomicU32,
    /// The first service ended before it had started anything of its own.
    bootstrap_ended: AtomicBool,
    profile: AtomicBool,
    /// No service is started any more.
    stopping: AtomicBool,
    /// [`super::start`] is in charge, and retires the logger itself.
    managed: AtomicBool,
    changed: Mutex<()>,
    change: Condvar,
}

/// The node.
#[inline]
pub fn get() -> &'static Node {
    NODE.get_or_init(|| Node {
        total: AtomicIsize::new(0),
        monitor: AtomicU32::new(0),
        logger: AtomicU32::new(0),
        bootstrap: AtomicU32::new(0),
        bootstrap_ended: AtomicBool::new(false),
        profile: AtomicBool::new(true),
        stopping: AtomicBool::new(false),
        managed: AtomicBool::new(false),
        changed: Mutex::new(()),
        change: Condvar::new(),
    })
}

impl Node {
    /// Services that the node waits for before it stops.
    pub fn total(&self) -> isize {
        self.total.load(Ordering::Acquire)
    }

    pub(super) fn total_up(&self) {
        self.total.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn total_down(&self) {
        let left = self.total.fetch_sub(1, Ordering::AcqRel) - 1;
        if left <= 1 {
            self.tell_change();
        }
    }

    fn tell_change(&self) {
        drop(lock(&self.changed));
        self.change.notify_all();
    }

    /// Waits until `done`, which is asked again whenever the last services go or
    /// the node begins to stop; at `deadline` at the latest. False if too late.
    pub(super) fn wait(&self, deadline: Option<Instant>, done: impl Fn(&Self) -> bool) -> bool {
        let mut guard = lock(&self.changed);
        while !done(self) {
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            guard = match left {
                Some(Duration::ZERO) => return false,
                Some(left) => match self.change.wait_timeout(guard, left) {
                    Ok((guard, _)) => guard,
                    Err(poison) => poison.into_inner().0,
                },
                None => self
                    .change
                    .wait(guard)
                    .unwrap_or_else(std::sync::PoisonError::into_inner),
            };
        }
        true
    }

    /// Whether the CPU time of services is measured.
    #[inline]
    pub fn profile(&self) -> bool {
        self.profile.load(Ordering::Relaxed)
    }

    /// Says whether the CPU time of services is measured.
    pub fn set_profile(&self, enable: bool) {
        self.profile.store(enable, Ordering::Relaxed);
    }

    /// The service that is told of exits; 0 for none.
    pub fn exit_monitor(&self) -> u32 {
        self.monitor.load(Ordering::Relaxed)
    }

    /// Has `handle` told of exits; 0 for nobody.
    pub fn set_exit_monitor(&self, handle: u32) {
        self.monitor.store(handle, Ordering::Relaxed);
    }

    /// Names the first service. Before any worker runs it.
    pub(super) fn set_bootstrap(&self, handle: u32) {
        self.bootstrap.store(handle, Ordering::Relaxed);
    }

    /// A service ended after so many messages.
    pub(super) fn note_end(&self, handle: u32, messages: u64) {
        // A Lua service, for one, loads its program in its first message.
        if messages <= 1 && handle == self.bootstrap.load(Ordering::Relaxed) {
            self.bootstrap_ended.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the first service ended in its first message or before.
    pub(super) fn has_bootstrap_ended(&self) -> bool {
        self.bootstrap_ended.load(Ordering::Relaxed)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(super) fn manage(&self) {
        self.managed.store(true, Ordering::Relaxed);
    }
}

/// Takes a service out of the registry. True if there was one.
pub fn retire(handle: u32) -> bool {
    // The reference is dropped here, outside of the registry's lock.
    registry::get().is_ok_and(|registry| registry.retire(handle).is_some())
}

/// A service leaves, by its own will or another's: its exit is told to the
/// monitor in its name, then it is retired.
pub fn exit(handle: u32) {
    let monitor = get().exit_monitor();
    if monitor != 0 {
        let told = Message::new(handle, 0, PTYPE_CLIENT as u8, Payload::empty());
        // A monitor that is gone need not know.
        let _ = route(monitor, told);
    }
    retire(handle);
}

/// Stops the node: no service is started from now on, and all are retired, the
/// logger last.
pub fn abort() {
    let node = get();
    node.stopping.store(true, Ordering::SeqCst);
    let Ok(registry) = registry::get() else {
        return;
    };
    let logger = logger();
    loop {
        let mut found = false;
        for handle in registry.handles() {
            if handle != logger {
                found = true;
                retire(handle);
            }
        }
        if !found {
            break;
        }
    }
    if logger != 0 && !node.managed.load(Ordering::Relaxed) {
        retire(logger);
    }
    node.tell_change();
}

/// The logger's handle; 0 while there is none.
pub(super) fn logger() -> u32 {
    let node = get();
    let known = node.logger.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    let found = registry::get()
        .ok()
        .and_then(|registry| registry.find_name(LOGGER))
        .unwrap_or(0);
    node.logger.store(found, Ordering::Relaxed);
    found
}

/// Sends a line to the logger in the name of `source`. Before there is a logger
/// the line is lost.
pub fn log(source: u32, text: &[u8]) {
    let logger = logger();
    if logger == 0 {
        return;
    }
    // SAFETY: the slice is valid for its length.
    let copy = unsafe { Payload::copy_of(text.as_ptr().cast(), text.len()) };
    let Some(payload) = copy else {
        return;
    };
    let message = Message::new(source, 0, PTYPE_TEXT as u8, payload);
    // Without a logger nobody can be told. A line is in no hurry: what its writer
    // sends otherwise goes first, and nobody is woken.
    if let Ok(Some(runnable)) = put(logger, message) {
        super::scheduler::schedule_later(runnable);
    }
}

/// Puts a message into the mailbox of a service of this node.
///
/// # Errors
/// There is no such service; the message is freed.
#[inline]
pub fn push(handle: u32, message: Message) -> Result<()> {
    push_or_return(handle, message).map_err(|message| {
        drop(message);
        Error::NoSuchService(handle)
    })
}

/// As [`push`]; the message comes back when there is no such service.
///
/// # Errors
/// There is no such service.
#[inline]
pub fn push_or_return(handle: u32, message: Message) -> Result<(), Message> {
    if let Some(runnable) = put(handle, message)? {
        super::scheduler::schedule(runnable);
    }
    Ok(())
}

/// Puts a message into a mailbox, and leaves it to the caller to have it run.
#[inline]
fn put(handle: u32, message: Message) -> Result<Option<Runnable>, Message> {
    let Ok(registry) = registry::get() else {
        return Err(message);
    };
    let guard = crossbeam_epoch::pin();
    let pushed = match registry.find(handle, &guard) {
        Some(service) => service.mailbox().push(message),
        None => Err(message),
    };
    // Whoever runs the service next must not find this thread pinned.
    drop(guard);
    pushed
}

/// Sends a message to a service of this node or another.
///
/// # Errors
/// As [`push`] and [`harbor::send`]; the message is freed.
#[inline]
pub fn route(destination: u32, message: Message) -> Result<()> {
    if harbor::is_remote(destination) {
        harbor::send(harbor::Remote::Handle(destination), message)
    } else {
        push(destination, message)
    }
}
