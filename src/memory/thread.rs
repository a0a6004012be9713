//! What a thread knows about itself: the handle it works for, and the account
//! that its allocations are charged to.
//!
//! Outside of services a thread is charged under its pseudo-handle. It has a
//! record to itself if one of [`PRIVATE`] is to be had, because then it counts
//! without locked instructions, and else shares one with others. A record
//! belongs to the thread whose state is at a certain address; threads end
//! without telling us, and the next one whose state is at that address, which
//! proves that its predecessor is gone, takes the record over.

use core::cell::Cell;
use core::iter;
use core::ptr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::compiler_fence;

use super::accounting::{Account, Role};
use super::records;

/// The pseudo-handle of a thread that nobody has initialised: the main thread's.
const MAIN: u32 = 1u32.wrapping_neg();

/// Records for threads, each used by one at a time. In static memory, because
/// a thread gets its record on its first allocation.
static PRIVATE: [Account; 128] = [const { Account::vacant() }; 128];

/// For threads that nobody has initialised and that found no private record.
static UNINITIALISED: Account = Account::shared(MAIN);

/// Zeroed memory is the state of a thread that has not allocated yet.
#[repr(C)]
struct Thread {
    /// Whom this thread charges without locked instructions: the service it
    /// runs, or itself. None when it shares a record, or has not asked.
    current: Cell<Option<&'static Account>>,
    /// This thread's private record.
    private: Cell<Option<&'static Account>>,
    /// What it shares with others instead. None: `UNINITIALISED`.
    shared: Cell<Option<&'static Account>>,
    /// The handle, inverted so that 0 stands for `MAIN`.
    handle: Cell<u32>,
    /// The pseudo-handle, inverted.
    pseudo_handle: Cell<u32>,
    /// Whether there is no use in looking for a private record.
    settled: Cell<bool>,
    /// Whether somebody has said what kind of thread this is.
    initialised: Cell<bool>,
}

/// The calling thread's state.
///
/// It has no destructor and needs no initialisation, so it is there in every
/// thread from its first instruction to its last. The initial-exec model, which
/// `thread_local!` does not offer, finds it with two instructions and, in the
/// shared library too, without `__tls_get_addr`, which may call `malloc`.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#[inline(always)]
fn state() -> &'static Thread {
    let thread: *const Thread;
    // SAFETY: adds the variable's offset to the thread pointer, both of which
    // stay what they are while the thread lives. No memory that a program may
    // write to is read.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        core::arch::asm!(
            "mov {thread}, qword ptr fs:[0]",
            "add {thread}, qword ptr [rip + skynet_memory_thread@GOTTPOFF]",
            thread = out(reg) thread,
            options(pure, nomem, nostack),
        );
        #[cfg(target_arch = "aarch64")]
        core::arch::asm!(
            "mrs {thread}, tpidr_el0",
            "adrp {offset}, :gottprel:skynet_memory_thread",
            "ldr {offset}, [{offset}, :gottprel_lo12:skynet_memory_thread]",
            "add {thread}, {thread}, {offset}",
            thread = out(reg) thread,
            offset = out(reg) _,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    // SAFETY: the variable below has the size and alignment of `Thread`, and
    // zeroes are a valid one. `Thread` is not `Sync`, so the reference stays
    // in the thread whose variable it is.
    unsafe { &*thread }
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
core::arch::global_asm!(
    ".pushsection .tbss.skynet_memory_thread, \"awT\", %nobits",
    ".hidden skynet_memory_thread",
    ".globl skynet_memory_thread",
    ".type skynet_memory_thread, %object",
    ".size skynet_memory_thread, {size}",
    ".balign {align}",
    "skynet_memory_thread:",
    ".zero {size}",
    ".popsection",
    size = const size_of::<Thread>(),
    align = const align_of::<Thread>(),
);

/// The calling thread's state. It has no destructor and a constant initial
/// value, so nothing is registered or initialised on first use.
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[inline(always)]
fn state() -> &'static Thread {
    thread_local! {
        static STATE: Thread = const {
            Thread {
                current: Cell::new(None),
                private: Cell::new(None),
                shared: Cell::new(None),
                handle: Cell::new(0),
                pseudo_handle: Cell::new(0),
                settled: Cell::new(false),
                initialised: Cell::new(false),
            }
        };
    }
    let thread = STATE.with(ptr::from_ref);
    // SAFETY: without a destructor the variable is there as long as the
    // thread, and `Thread` is not `Sync`, so the reference stays in it.
    unsafe { &*thread }
}

/// The handle of the service that this thread runs, or what the thread was
/// initialised to. A thread that nobody initialised has the main thread's
/// pseudo-handle, 0xffff_ffff.
#[inline]
pub fn current_handle() -> u32 {
    !state().handle.get()
}

/// Whether this thread was initialised by [`init_thread`].
pub fn is_initialised() -> bool {
    state().initialised.get()
}

/// Whom a thread works for. Made by [`Current::service`], and returned by
/// [`set_current`] for whoever it was before.
#[derive(Clone, Copy, Debug)]
pub struct Current {
    handle: u32,
    /// None: the thread itself.
    account: Option<&'static Account>,
}

impl Current {
    /// The service with this handle and account.
    #[inline]
    pub fn service(handle: u32, account: &'static Account) -> Self {
        Current {
            handle,
            account: Some(account),
        }
    }
}

/// Says whom this thread works for from now on, and returns whom it worked for
/// until now, to be set again. Called around every slice.
///
/// A service's account may be current on one thread at a time; else counts are
/// lost.
#[inline]
pub fn set_current(current: Current) -> Current {
    let thread = state();
    let private = thread.private.get();
    // The compiler knows `malloc` by its name and takes it to read nothing of
    // ours; it must not move or drop these stores for that reason.
    compiler_fence(SeqCst);
    let before = Current {
        handle: !thread.handle.replace(!current.handle),
        account: thread.current.replace(current.account.or(private)),
    };
    compiler_fence(SeqCst);
    // A private record may be another thread's by the time it is set again.
    if before.account.map(ptr::from_ref) == private.map(ptr::from_ref) {
        Current {
            account: None,
            ..before
        }
    } else {
        before
    }
}

/// Gives the calling thread the pseudo-handle of its kind, a `THREAD_`
/// constant: the kind's negative as an unsigned number. What the thread
/// allocates outside of services is charged to it. May allocate.
pub fn init_thread(kind: i32) {
    let thread = state();
    let handle = kind.wrapping_neg() as u32;
    thread.handle.set(!handle);
    thread.initialised.set(true);
    if thread.pseudo_handle.replace(!handle) != !handle {
        // What was charged stays with the old record, for its next thread.
        if let Some(record) = thread.private.take() {
            record.thread().store(0, Release);
        }
        thread.settled.set(false);
    }
    thread.current.set(None);
    if thread.private.get().is_none() {
        settle(thread);
    }
    thread.current.set(thread.private.get());
    let shared = match thread.private.get() {
        None if handle != MAIN => Some(records::shared(handle)),
        _ => None,
    };
    thread.shared.set(shared);
}

/// The account that the calling thread charges, if it is a service's.
pub(super) fn current_service() -> Option<&'static Account> {
    let current = state().current.get()?;
    (current.role() == Role::Service).then_some(current)
}

/// The account is about to be closed: the calling thread charges itself from
/// now on if it charged this account.
pub(super) fn leave(account: &'static Account) {
    let thread = state();
    if is_current(account) {
        thread.current.set(thread.private.get());
    }
}

#[inline(always)]
fn is_current(account: &'static Account) -> bool {
    let current = state().current.get();
    ptr::eq(current.map_or(ptr::null(), ptr::from_ref), account)
}

/// Whom the calling thread charges without locked instructions, if anybody.
#[inline(always)]
pub(super) fn current() -> Option<&'static Account> {
    state().current.get()
}

/// Charges a new block of this many bytes and says to whom.
#[inline(always)]
pub(super) fn charge(bytes: usize) -> &'static Account {
    match state().current.get() {
        Some(account) => {
            account.charge(bytes);
            account
        }
        None => charge_thread(bytes),
    }
}

/// Uncharges a block that is about to be freed.
#[inline(always)]
pub(super) fn uncharge(account: &'static Account, bytes: usize) {
    if is_current(account) {
        account.uncharge(bytes);
    } else {
        account.uncharge_elsewhere(bytes);
    }
}

/// A charged block is somewhere else and has another size: it is the current
/// account's from now on. Returns that.
#[inline(always)]
pub(super) fn recharge(account: &'static Account, from: usize, to: usize) -> &'static Account {
    if is_current(account) {
        account.resize(from, to);
        account
    } else {
        account.uncharge_elsewhere(from);
        charge(to)
    }
}

/// Outside of services, on the first allocation or with a shared record.
#[cold]
fn charge_thread(bytes: usize) -> &'static Account {
    let thread = state();
    if !thread.settled.get() {
        settle(thread);
        thread.current.set(thread.private.get());
    }
    if let Some(account) = thread.private.get() {
        account.charge(bytes);
        return account;
    }
    let account = thread.shared.get().unwrap_or(&UNINITIALISED);
    account.charge_elsewhere(bytes);
    account
}

/// Looks for a private record under the thread's pseudo-handle.
fn settle(thread: &'static Thread) {
    thread.settled.set(true);
    let me = ptr::from_ref(thread) as u64;
    let handle = !thread.pseudo_handle.get();
    let vacant_or_same =
        |record: &&Account| record.role() == Role::Free || record.handle() == handle;
    for record in &PRIVATE {
        // A predecessor's at this address; nobody else can take it.
        if record.thread().load(Relaxed) == me {
            if record.handle() == handle {
                thread.private.set(Some(record));
                return;
            }
            record.thread().store(0, Release);
        }
    }
    for record in PRIVATE.iter().filter(vacant_or_same) {
        // Acquire: the counters as the thread that gave the record up left
        // them. Pairs with the stores of 0.
        let taken = record
            .thread()
            .compare_exchange(0, me, Acquire, Relaxed)
            .is_ok();
        if !taken {
            continue;
        }
        // It is this thread's now, but another may have had it meanwhile.
        if record.role() == Role::Free {
            record.occupy(handle, Role::Thread);
        } else if record.handle() != handle {
            record.thread().store(0, Release);
            continue;
        }
        thread.private.set(Some(record));
        return;
    }
}

/// Every record that threads have or had.
pub(super) fn iterate() -> impl Iterator<Item = &'static Account> {
    PRIVATE
        .iter()
        .filter(|account| account.role() != Role::Free)
        // Not an array, whose iterator has a destructor: `for_each_usage`.
        .chain(iter::once(&UNINITIALISED))
}
