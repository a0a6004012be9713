//! The malloc family, over jemalloc.
//!
//! In front of every block lies a header of 16 bytes: whose it is and how
//! large. The account costs no other cache line than the block's own; that one
//! may be far away when the block is freed, and so nothing but the account waits
//! for it: jemalloc is not told the size but looks it up, in tables that are
//! close at hand. A block whose alignment is larger than the header's has that
//! much in front of it, with the header at the end of it.
//!
//! Sizes too large to be had are passed on as the largest number there is,
//! which jemalloc refuses with ENOMEM as it should.

use core::ffi::{c_int, c_void};
use core::ptr;
use std::alloc::Layout;

use tikv_jemalloc_sys as jemalloc;

use super::accounting::Account;
use super::{pages, thread};

/// What every block is aligned to, and the size of the header in front of it.
const HEADER: usize = size_of::<Header>();
/// The bits of [`Header::owner`] that are not the account's address.
const OFFSET_BITS: usize = align_of::<Account>() - 1;

#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Header {
    /// The account's address; in its low bits the binary logarithm of the
    /// distance from jemalloc's block to the caller's.
    owner: *const Account,
    /// What the caller asked for.
    size: usize,
}

impl Header {
    fn new(account: &'static Account, offset: usize, size: usize) -> Header {
        let owner = ptr::from_ref(account).map_addr(|address| address | offset.ilog2() as usize);
        Header { owner, size }
    }

    fn account(&self) -> &'static Account {
        // SAFETY: `new` made this of an account's address, whose low bits are
        // zero by its alignment. Accounts are never given back.
        unsafe { &*self.owner.map_addr(|address| address & !OFFSET_BITS) }
    }

    /// Whether the block is charged to this account, and there is nothing but the
    /// header in front of it. The one comparison leaves what follows free to go
    /// by `account` while the header is on its way.
    #[inline(always)]
    fn is_plain_of(&self, account: &'static Account) -> bool {
        self.owner.addr() == ptr::from_ref(account).addr() | HEADER.ilog2() as usize
    }

    /// Whether there is nothing but the header in front of the caller's block.
    fn is_plain(&self) -> bool {
        self.owner.addr() & OFFSET_BITS == HEADER.ilog2() as usize
    }

    /// Bytes in front of the caller's block, the header included.
    fn offset(&self) -> usize {
        1 << (self.owner.addr() & OFFSET_BITS)
    }

    /// What is charged for the block, and what jemalloc was asked for.
    fn charged(&self) -> usize {
        self.size + self.offset()
    }
}

/// Charges a fresh block of jemalloc's and gives the caller its part of it.
/// Null stays null.
///
/// # Safety
/// Behavior is undefined unless `base` is null or a block of at least
/// `offset + size` bytes, aligned to 16, that nobody else uses. `offset` is a
/// power of two and at least 16.
#[inline(always)]
unsafe fn hand_out(base: *mut c_void, offset: usize, size: usize) -> *mut c_void {
    if base.is_null() {
        return base;
    }
    let account = thread::charge(offset + size);
    // SAFETY: in bounds by the contract, and the header right before the
    // caller's part is aligned like both.
    unsafe {
        let block = base.byte_add(offset);
        block
            .cast::<Header>()
            .sub(1)
            .write(Header::new(account, offset, size));
        block
    }
}

/// # Safety
/// Behavior is undefined unless `block` is one of this module's, not freed.
#[inline(always)]
unsafe fn header_of(block: *mut c_void) -> Header {
    // SAFETY: `hand_out` has written it there.
    unsafe { block.cast::<Header>().sub(1).read() }
}

/// A block of `size` bytes, aligned to 16 and charged to the thread's current
/// account. Size 0 gives a block too. Null with ENOMEM if it is not to be had.
#[inline]
pub fn malloc(size: usize) -> *mut c_void {
    // SAFETY: the block is new, and jemalloc aligns 16 bytes and more to 16.
    unsafe {
        let base = jemalloc::malloc(size.saturating_add(HEADER));
        hand_out(base, HEADER, size)
    }
}

/// A block for `count` things of `size` bytes, all zero; else like
/// [`malloc`]. A product that does not fit is ENOMEM.
#[inline]
pub fn calloc(count: usize, size: usize) -> *mut c_void {
    let size = count.saturating_mul(size);
    // SAFETY: as in `malloc`.
    unsafe {
        let base = jemalloc::calloc(1, size.saturating_add(HEADER));
        hand_out(base, HEADER, size)
    }
}

/// A block aligned to `alignment`; else like [`malloc`]. Null with EINVAL if
/// `alignment` is not a power of two.
pub fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
    if alignment.is_power_of_two() && alignment <= HEADER {
        return malloc(size);
    }
    // SAFETY: the block is new. If jemalloc accepts the alignment it is a
    // power of two, and larger than the header.
    unsafe {
        let base = jemalloc::aligned_alloc(alignment, size.saturating_add(alignment));
        hand_out(base, alignment, size)
    }
}

/// A block aligned to the system's pages, of whole pages if `whole`; else like
/// [`malloc`].
pub fn page_alloc(size: usize, whole: bool) -> *mut c_void {
    let size = if whole { pages::round_up(size) } else { size };
    aligned_alloc(pages::page_size(), size)
}

/// Like [`aligned_alloc`], with the convention of `posix_memalign`: the
/// block, or the error's number, with `errno` as it was. The alignment must
/// also be a multiple of a pointer's size.
pub fn posix_memalign(alignment: usize, size: usize) -> Result<*mut c_void, c_int> {
    let offset = alignment.max(HEADER);
    let mut base = ptr::null_mut();
    // SAFETY: `base` is writable. A block is new and aligned to 16, because
    // its size is at least that, and to `offset` if that is more: jemalloc
    // accepts powers of two alone.
    unsafe {
        let error = jemalloc::posix_memalign(&mut base, alignment, size.saturating_add(offset));
        match error {
            0 => Ok(hand_out(base, offset, size)),
            _ => Err(error),
        }
    }
}

/// Frees a block, on any thread, and uncharges the account it was charged to.
/// Null is nothing to do.
///
/// # Safety
/// Behavior is undefined unless `block` is null or came from this module's
/// charged functions and has not been freed. Nobody uses it afterwards.
#[inline]
pub unsafe fn free(block: *mut c_void) {
    if block.is_null() {
        return;
    }
    // SAFETY: the caller's promise. The base of a plain block is one header in
    // front of it.
    unsafe {
        let header = header_of(block);
        match thread::current() {
            Some(current) if header.is_plain_of(current) => {
                current.uncharge(HEADER + header.size);
                jemalloc::free(block.byte_sub(HEADER));
            }
            _ => free_foreign(block),
        }
    }
}

/// Frees a block that is charged to another account than the thread's current
/// one, or has a larger alignment. Reads the header again: to be handed it, it
/// would have to be in memory, and so the usual blocks' headers would go through
/// memory too. Not that rare, but what makes `free` a branch: without `cold`, the
/// account would be selected by the header, and so wait for it.
///
/// # Safety
/// As for [`free`].
#[cold]
#[inline(never)]
unsafe fn free_foreign(block: *mut c_void) {
    // SAFETY: the caller's promise; the header says where jemalloc's block is.
    unsafe {
        let header = header_of(block);
        thread::uncharge(header.account(), header.charged());
        jemalloc::free(block.byte_sub(header.offset()));
    }
}

/// Gives a block another size, moving it if need be, and charges it to the
/// thread's current account, whoever was charged before. Contents stay as far
/// as both sizes go, and so does the alignment that the block was asked for
/// with. Null allocates; size 0 gives a block too. On failure, null with
/// ENOMEM, nothing has changed.
///
/// # Safety
/// As for [`free`], if a block is returned.
#[inline]
pub unsafe fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    if block.is_null() {
        return malloc(size);
    }
    // SAFETY: the caller's promise.
    let header = unsafe { header_of(block) };
    if !header.is_plain() {
        // SAFETY: the caller's promise.
        return unsafe { move_aligned(block, size) };
    }
    // SAFETY: the base is a block of jemalloc's, by the caller's promise, and
    // stays one if null is returned. Else the new one holds header and size.
    unsafe {
        let base = jemalloc::realloc(block.byte_sub(HEADER), size.saturating_add(HEADER));
        if base.is_null() {
            return base;
        }
        let account = thread::recharge(header.account(), HEADER + header.size, HEADER + size);
        base.cast::<Header>()
            .write(Header::new(account, HEADER, size));
        base.byte_add(HEADER)
    }
}

/// jemalloc's own `realloc` keeps no alignment.
///
/// # Safety
/// As for [`free`], if a block is returned.
#[cold]
#[inline(never)]
unsafe fn move_aligned(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller's promise.
    let header = unsafe { header_of(block) };
    let moved = aligned_alloc(header.offset(), size);
    if !moved.is_null() {
        // SAFETY: both blocks have at least as many bytes, they are different,
        // and the old one is the caller's to free.
        unsafe {
            ptr::copy_nonoverlapping(
                block.cast::<u8>(),
                moved.cast::<u8>(),
                size.min(header.size),
            );
            free(block);
        }
    }
    moved
}

/// How many bytes of the block the caller may use: as many as it asked for. 0
/// for null.
///
/// # Safety
/// Behavior is undefined unless `block` is null or came from this module's
/// charged functions and has not been freed.
pub unsafe fn usable_size(block: *mut c_void) -> usize {
    if block.is_null() {
        return 0;
    }
    // SAFETY: the caller's promise.
    unsafe { header_of(block).size }
}

/// Allocates, resizes or, for size 0, frees a block that is charged to nobody,
/// for callers that count by themselves. Such a block goes to no other
/// function of the family.
///
/// # Safety
/// Behavior is undefined unless `block` is null or came from this function and
/// has not been freed. If a block is returned or `size` is 0, nobody uses it
/// afterwards.
#[inline]
pub unsafe fn lalloc(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe {
        if size == 0 {
            jemalloc::free(block);
            ptr::null_mut()
        } else {
            jemalloc::realloc(block, size)
        }
    }
}

/// A block of zeroes that is charged to nobody, or null.
pub(super) fn raw_allocate_zeroed(layout: Layout) -> *mut c_void {
    let flags = jemalloc::MALLOCX_ALIGN(layout.align()) | jemalloc::MALLOCX_ZERO;
    // SAFETY: the alignment is a power of two, and a layout's size is not 0
    // here, as chunks are not empty.
    unsafe { jemalloc::mallocx(layout.size(), flags) }
}

/// Frees what `raw_allocate_zeroed` returned.
///
/// # Safety
/// Behavior is undefined unless `block` came from there with this layout and
/// has not been freed.
pub(super) unsafe fn raw_free(block: *mut c_void, layout: Layout) {
    // SAFETY: the caller's promise.
    unsafe {
        jemalloc::sdallocx(
            block,
            layout.size(),
            jemalloc::MALLOCX_ALIGN(layout.align()),
        )
    }
}
