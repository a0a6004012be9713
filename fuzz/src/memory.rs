//! Memory that is counted: what Rust code and Lua states take, and the most that they
//! took at once. One thread allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);
static REFUSED: AtomicBool = AtomicBool::new(false);

#[global_allocator]
static COUNTED: Counted = Counted;

struct Counted;

fn took(bytes: usize) {
    let live = LIVE.load(Relaxed) + bytes;
    LIVE.store(live, Relaxed);
    if live > PEAK.load(Relaxed) {
        PEAK.store(live, Relaxed);
    }
}

fn gave(bytes: usize) {
    LIVE.store(LIVE.load(Relaxed).wrapping_sub(bytes), Relaxed);
}

// SAFETY: all is left to the system's allocator; counting touches atomics alone.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        gave(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

/// A Lua state's allocator. It gives no more than the limit, and then
/// [`was_refused`].
///
/// # Safety
/// Called by Lua.
pub unsafe extern "C" fn lua(
    _: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // Lua gives a kind of object in place of a size where there is no block.
    let old = if block.is_null() { 0 } else { old };
    if new > old && LIVE.load(Relaxed) + (new - old) > LIMIT.load(Relaxed) {
        REFUSED.store(true, Relaxed);
        return std::ptr::null_mut();
    }
    // SAFETY: Lua gives a block that this function returned, or null.
    unsafe {
        if new == 0 {
            gave(old);
            libc::free(block);
            return std::ptr::null_mut();
        }
        let moved = libc::realloc(block, new);
        if !moved.is_null() {
            gave(old);
            took(new);
        }
        moved
    }
}

/// Counts anew: the peak from here, and Lua gets at most `more` bytes.
pub fn begin(more: usize) -> usize {
    let live = LIVE.load(Relaxed);
    PEAK.store(live, Relaxed);
    LIMIT.store(live.saturating_add(more), Relaxed);
    REFUSED.store(false, Relaxed);
    live
}

pub fn peak() -> usize {
    PEAK.load(Relaxed)
}

/// Lua wanted more than the limit.
pub fn was_refused() -> bool {
    REFUSED.load(Relaxed)
}

/// Bytes of the malloc family that this thread holds, whoever took them: what C
/// functions give to Lua programs is in it.
pub fn held() -> usize {
    skynet::memory::current_usage().bytes
}
