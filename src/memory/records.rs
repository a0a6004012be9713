//! The table of account records: a few chunks, each twice as large as the one
//! before, that are never given back, and a list of the records in them that
//! are free. No locks: a free of the last block of a service that is gone puts
//! its record on the list, on the allocator's path.

use core::ptr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64};
use std::alloc::{Layout, handle_alloc_error};

use super::accounting::{Account, Role};
use super::allocator;

/// Records in the first chunk.
const FIRST: u32 = 64;
/// Chunks: enough for every index of 32 bits.
const CHUNKS: usize = 27;

static TABLE: Table = Table {
    chunks: [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS],
    length: AtomicU32::new(0),
    free: AtomicU64::new(0),
};

struct Table {
    chunks: [AtomicPtr<Account>; CHUNKS],
    /// Records handed out at least once, numbered from 0.
    length: AtomicU32,
    /// The top of the list of free records. Low half: its index plus one, 0
    /// for an empty list. High half: a count of changes, so that a top which
    /// left and came back meanwhile is told from one that stayed.
    free: AtomicU64,
}

/// Opens an account that holds nothing yet, for the service with this handle;
/// [`Account::close`] is for when the service is gone. Without memory for a
/// record the process ends, as for any of Rust's allocations.
pub fn open(handle: u32) -> &'static Account {
    take(handle, Role::Service)
}

/// The record that threads with this pseudo-handle share when they cannot get
/// one each. Made on first use; two threads that make it at the same time get
/// one each, which add up. Not for the allocator's path.
pub(super) fn shared(handle: u32) -> &'static Account {
    iterate()
        .find(|account| account.role() == Role::Shared && account.handle() == handle)
        .unwrap_or_else(|| take(handle, Role::Shared))
}

/// Every record of the table that is somebody's.
pub(super) fn iterate() -> impl Iterator<Item = &'static Account> {
    // Pairs with nothing: a record that is being added now may be left out.
    (0..TABLE.length.load(Relaxed))
        .filter_map(|index| TABLE.get(index))
        .filter(|account| account.role() != Role::Free)
}

/// Puts a record with nothing charged to it on the list of free ones.
pub(super) fn recycle(account: &'static Account) {
    let mut top = TABLE.free.load(Relaxed);
    loop {
        account.next_free().store(top as u32, Relaxed);
        let next = tagged(top, account.index() + 1);
        // Release: pairs with the load in `take`, for all that was written here.
        match TABLE
            .free
            .compare_exchange_weak(top, next, Release, Relaxed)
        {
            Ok(_) => return,
            Err(now) => top = now,
        }
    }
}

fn take(handle: u32, role: Role) -> &'static Account {
    let account = TABLE.pop().unwrap_or_else(|| TABLE.extend());
    account.occupy(handle, role);
    account
}

/// The list's next top: another index, one more change.
fn tagged(top: u64, index_plus_one: u32) -> u64 {
    ((top >> 32).wrapping_add(1) << 32) | u64::from(index_plus_one)
}

/// Chunk and place in it of a record.
fn locate(index: u32) -> (usize, usize) {
    // Chunk k starts at FIRST * (2^k - 1).
    let shifted = u64::from(index) + u64::from(FIRST);
    let chunk = (shifted / u64::from(FIRST)).ilog2();
    let start = u64::from(FIRST) << chunk;
    (chunk as usize, (shifted - start) as usize)
}

impl Table {
    fn get(&self, index: u32) -> Option<&'static Account> {
        let (chunk, place) = locate(index);
        // Pairs with the exchange in `extend`.
        let records = self.chunks[chunk].load(Acquire);
        if records.is_null() {
            return None;
        }
        // SAFETY: a chunk has FIRST << chunk records, which `locate` stays
        // within; they were zeroed, which is a vacant record, before the
        // pointer was published, and are never freed.
        Some(unsafe { &*records.add(place) })
    }

    /// Takes the top of the list of free records.
    fn pop(&self) -> Option<&'static Account> {
        // Pairs with the exchange in `recycle`, here and below.
        let mut top = self.free.load(Acquire);
        loop {
            let account = self.get((top as u32).checked_sub(1)?)?;
            // If the record has left the list meanwhile, this reads something
            // else, and the exchange fails by the count of changes.
            let next = tagged(top, account.next_free().load(Relaxed));
            match self.free.compare_exchange_weak(top, next, Acquire, Acquire) {
                Ok(_) => return Some(account),
                Err(now) => top = now,
            }
        }
    }

    /// A record that nobody has had before.
    fn extend(&self) -> &'static Account {
        let index = self.length.fetch_add(1, Relaxed);
        let (chunk, _) = locate(index);
        if self.chunks[chunk].load(Relaxed).is_null() {
            self.add_chunk(chunk);
        }
        let account = self.get(index).expect("the chunk has just been added");
        account.set_index(index);
        account
    }

    fn add_chunk(&self, chunk: usize) {
        let layout = Layout::array::<Account>((FIRST as usize) << chunk)
            .expect("a chunk fits the address space");
        let records = allocator::raw_allocate_zeroed(layout).cast::<Account>();
        if records.is_null() {
            handle_alloc_error(layout);
        }
        // Release: pairs with the load in `get`, for the zeroes.
        let published =
            self.chunks[chunk].compare_exchange(ptr::null_mut(), records, Release, Relaxed);
        if published.is_err() {
            // SAFETY: another thread was first, and nobody has seen this chunk.
            unsafe { allocator::raw_free(records.cast(), layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_join_without_gaps() {
        assert_eq!(locate(0), (0, 0));
        assert_eq!(locate(FIRST - 1), (0, FIRST as usize - 1));
        assert_eq!(locate(FIRST), (1, 0));
        assert_eq!(locate(3 * FIRST - 1), (1, 2 * FIRST as usize - 1));
        assert_eq!(locate(3 * FIRST), (2, 0));
        let (chunk, place) = locate(u32::MAX);
        assert!(chunk < CHUNKS && place < (FIRST as usize) << chunk);
    }

    #[test]
    fn an_index_of_the_list_is_tagged_by_every_change() {
        let first = tagged(0, 7);
        assert_eq!(first as u32, 7);
        assert_ne!(tagged(first, 7), first);
    }
}
