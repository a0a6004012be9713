//! What a state may allocate: counted, limited, and reported when it is much.

use super::Snlua;
use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use skynet_abi::malloc::skynet_lalloc;
use skynet_abi::skynet_error;

/// The first report comes when a state has more bytes than this, each next one
/// at twice the figure before.
const FIRST_REPORT: usize = 32 * 1024 * 1024;

/// A state's memory, in bytes. Only the thread that runs the service writes, so
/// loads and stores need no ordering; a signal may read `used` at any time.
pub struct Memory {
    used: AtomicUsize,
    report: AtomicUsize,
    /// 0 is no limit.
    limit: AtomicUsize,
}

impl Memory {
    pub const fn new() -> Self {
        Self {
            used: AtomicUsize::new(0),
            report: AtomicUsize::new(FIRST_REPORT),
            limit: AtomicUsize::new(0),
        }
    }

    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// The total after a block goes from `old` to `new` bytes, or nothing if the
    /// limit forbids it. Blocks may always shrink, or Lua could not recover.
    fn after(&self, old: usize, new: usize) -> Option<usize> {
        let total = self.used().wrapping_add(new).wrapping_sub(old);
        let limit = self.limit.load(Ordering::Relaxed);
        (new <= old || limit == 0 || total <= limit).then_some(total)
    }

    /// Sets the total. True if it is time for a report.
    fn settle(&self, total: usize) -> bool {
        self.used.store(total, Ordering::Relaxed);
        let report = self.report.load(Ordering::Relaxed);
        if total <= report {
            return false;
        }
        self.report
            .store(report.saturating_mul(2), Ordering::Relaxed);
        true
    }
}

/// Lua's allocator. `ud` is the instance.
pub unsafe extern "C" fn allocate(
    ud: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: `create` passed the instance, which outlives the state.
    let snlua = unsafe { &*ud.cast::<Snlua>() };
    // Without a block, `old` is the kind of object Lua is making.
    let charged = if block.is_null() { 0 } else { old };
    let Some(total) = snlua.memory.after(charged, new) else {
        return ptr::null_mut();
    };
    // SAFETY: Lua passes a block that this function returned, and its size.
    let result = unsafe { skynet_lalloc(block, old, new) };
    if result.is_null() && new != 0 {
        return result;
    }
    if snlua.memory.settle(total) {
        warn(snlua, total);
    }
    result
}

#[cold]
fn warn(snlua: &Snlua, total: usize) {
    let megabytes = total as f32 / (1024.0 * 1024.0);
    // SAFETY: the context is the service's own or null, which stands for the
    // node; the format takes one double.
    unsafe {
        skynet_error(
            snlua.context.load(Ordering::Relaxed),
            c"Memory warning %.2f M".as_ptr(),
            f64::from(megabytes),
        );
    }
}
