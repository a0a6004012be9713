//! One account: the counters, and the protocol by which its record is known
//! to be free for the next service.
//!
//! A service runs on one thread at a time, and that thread does nearly all the
//! counting, so it has counters of its own: plain additions, no locked
//! instruction. Every other thread that frees a block of the account uses the
//! second pair, on another cache line. What the account holds is the sum.

use core::ops::AddAssign;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
// Not from `crate::sync`: the allocator runs below a model checker, which
// allocates itself, and these are in statics.
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, compiler_fence, fence};

use super::{records, thread};

/// Held in `elsewhere_blocks` while the record may still be charged, so that
/// the counter cannot reach zero before [`Account::close`]. Twice the value is
/// zero, so the bit disappears where blocks are added up.
const IN_USE: u64 = 1 << 63;

/// What a record is for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Role {
    /// Nobody's. Also the state of zeroed memory.
    Free = 0,
    /// A service's that can still run.
    Service,
    /// A service's that is gone, while blocks charged to it live on.
    Draining,
    /// One thread's, for what it allocates outside of services.
    Thread,
    /// Any number of threads', those that could not get one to themselves.
    Shared,
}

/// Bytes and blocks that are allocated and not yet freed. A block counts with
/// the size that was asked for and the 16 bytes (more where a larger alignment
/// was asked for) in front of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub bytes: usize,
    pub blocks: usize,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Usage) {
        self.bytes += other.bytes;
        self.blocks += other.blocks;
    }
}

/// Whom blocks are charged to. Opened with [`super::open`].
///
/// The alignment keeps accounts off each other's cache lines, and leaves the
/// low seven bits of an address to the block header.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Account {
    own: Own,
    elsewhere: Elsewhere,
}

/// Written by the thread that the account is current on, and nobody else. A
/// service that moves between workers does so through a queue, whose release
/// and acquire order one thread's stores before the next one's loads.
#[derive(Debug)]
#[repr(C, align(64))]
struct Own {
    bytes: AtomicU64,
    blocks: AtomicU64,
    handle: AtomicU32,
    role: AtomicU8,
    /// Where the record stands in the table, for the list of free ones.
    index: AtomicU32,
    /// The next record on the list of free ones.
    next_free: AtomicU32,
    /// For `Role::Thread`: the address of the state of the thread that has it.
    thread: AtomicU64,
}

/// Written by all others.
#[derive(Debug)]
#[repr(C, align(64))]
struct Elsewhere {
    bytes: AtomicU64,
    blocks: AtomicU64,
}

impl Account {
    /// A record that is nobody's. All bits zero, like fresh memory.
    pub(super) const fn vacant() -> Self {
        Account {
            own: Own {
                bytes: AtomicU64::new(0),
                blocks: AtomicU64::new(0),
                handle: AtomicU32::new(0),
                role: AtomicU8::new(Role::Free as u8),
                index: AtomicU32::new(0),
                next_free: AtomicU32::new(0),
                thread: AtomicU64::new(0),
            },
            elsewhere: Elsewhere {
                bytes: AtomicU64::new(0),
                blocks: AtomicU64::new(0),
            },
        }
    }

    /// A record for every thread that has none to itself, charged with
    /// [`Account::charge_elsewhere`] only.
    pub(super) const fn shared(handle: u32) -> Self {
        let mut account = Account::vacant();
        account.own.handle = AtomicU32::new(handle);
        account.own.role = AtomicU8::new(Role::Shared as u8);
        account.elsewhere.blocks = AtomicU64::new(IN_USE);
        account
    }

    /// The service's handle, or the thread's pseudo-handle.
    pub fn handle(&self) -> u32 {
        self.own.handle.load(Relaxed)
    }

    /// Bytes and blocks charged and not freed. Exact once no thread is
    /// allocating or freeing; until then each counter is read at its own moment.
    pub fn usage(&self) -> Usage {
        // The compiler takes `malloc`, by its name, to change nothing of ours.
        compiler_fence(SeqCst);
        let bytes = sum(&self.own.bytes, &self.elsewhere.bytes) as i64;
        let blocks = (sum(&self.own.blocks, &self.elsewhere.blocks) << 1) as i64 >> 1;
        Usage {
            bytes: usize::try_from(bytes).unwrap_or(0),
            blocks: usize::try_from(blocks).unwrap_or(0),
        }
    }

    /// Charges one block. For the thread that the account is current on.
    #[inline(always)]
    pub(super) fn charge(&self, bytes: usize) {
        add(&self.own.bytes, bytes as u64);
        add(&self.own.blocks, 1);
    }

    /// Uncharges one block. For the thread that the account is current on.
    #[inline(always)]
    pub(super) fn uncharge(&self, bytes: usize) {
        add(&self.own.bytes, (bytes as u64).wrapping_neg());
        add(&self.own.blocks, 1u64.wrapping_neg());
    }

    /// A charged block changes its size. For the thread that the account is
    /// current on.
    #[inline(always)]
    pub(super) fn resize(&self, from: usize, to: usize) {
        add(&self.own.bytes, (to as u64).wrapping_sub(from as u64));
    }

    /// Charges one block to a shared record, on any thread.
    pub(super) fn charge_elsewhere(&self, bytes: usize) {
        self.elsewhere.bytes.fetch_add(bytes as u64, Relaxed);
        self.elsewhere.blocks.fetch_add(1, Relaxed);
    }

    /// Uncharges one block, on any thread. The account must not be used by the
    /// caller afterwards: this may have been what kept its record.
    #[inline(always)]
    pub(super) fn uncharge_elsewhere(&'static self, bytes: usize) {
        self.elsewhere.bytes.fetch_sub(bytes as u64, Relaxed);
        // Release: the record's next user comes after this subtraction of
        // bytes. Pairs with the fence in `drained`.
        if self.elsewhere.blocks.fetch_sub(1, Release) == 1 {
            self.drained();
        }
    }

    /// Makes a vacant record somebody's. The caller has it to itself.
    pub(super) fn occupy(&self, handle: u32, role: Role) {
        self.own.handle.store(handle, Relaxed);
        self.elsewhere.blocks.store(IN_USE, Relaxed);
        // Pairs with the load in `role`: who sees the role sees the handle.
        self.own.role.store(role as u8, Release);
    }

    /// Says whose account this is, for a service that gets its handle late.
    pub fn set_handle(&self, handle: u32) {
        self.own.handle.store(handle, Relaxed);
    }

    /// The service has run its last slice, and the account is current on no
    /// other thread; if on this one, the thread charges itself from here on.
    /// The record serves another service as soon as the last block that was
    /// charged to this one is freed, so the account is not to be used, nor
    /// closed again. The reference as such stays good.
    pub fn close(&'static self) {
        thread::leave(self);
        // From here every free is one 'elsewhere', so the count is moved
        // there. Both of the service's own counters are zero before the
        // addition that may hand the record to somebody else.
        let bytes = self.own.bytes.load(Relaxed);
        let blocks = self.own.blocks.load(Relaxed);
        self.own.role.store(Role::Draining as u8, Relaxed);
        self.own.bytes.store(0, Relaxed);
        self.own.blocks.store(0, Relaxed);
        self.elsewhere.bytes.fetch_add(bytes, Relaxed);
        // Pairs with the fence in `drained`, for the last block's release.
        let before = self
            .elsewhere
            .blocks
            .fetch_add(blocks.wrapping_sub(IN_USE), AcqRel);
        if before.wrapping_add(blocks) == IN_USE {
            self.drained();
        }
    }

    #[cold]
    #[inline(never)]
    fn drained(&'static self) {
        // Pairs with the releases in `uncharge_elsewhere` and `close`.
        fence(Acquire);
        self.own.role.store(Role::Free as u8, Relaxed);
        records::recycle(self);
    }

    pub(super) fn role(&self) -> Role {
        match self.own.role.load(Acquire) {
            1 => Role::Service,
            2 => Role::Draining,
            3 => Role::Thread,
            4 => Role::Shared,
            _ => Role::Free,
        }
    }

    pub(super) fn index(&self) -> u32 {
        self.own.index.load(Relaxed)
    }

    pub(super) fn set_index(&self, index: u32) {
        self.own.index.store(index, Relaxed);
    }

    pub(super) fn next_free(&self) -> &AtomicU32 {
        &self.own.next_free
    }

    /// Which thread has this record, as the address of its state; 0 for none.
    pub(super) fn thread(&self) -> &AtomicU64 {
        &self.own.thread
    }
}

/// An addition by the only thread that writes the counter. The two halves
/// become one plain instruction on x86-64.
#[inline(always)]
fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(amount), Relaxed);
}

fn sum(own: &AtomicU64, elsewhere: &AtomicU64) -> u64 {
    own.load(Relaxed).wrapping_add(elsewhere.load(Relaxed))
}
