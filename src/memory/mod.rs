//! Memory of the node's services: who runs on this thread, and what it is
//! charged with.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};

/// What is charged to one service.
#[derive(Debug)]
pub struct Account {
    handle: AtomicU32,
}

impl Account {
    /// Says whose account this is.
    pub fn set_handle(&self, handle: u32) {
        self.handle.store(handle, Ordering::Relaxed);
    }

    /// The service is gone.
    pub fn close(&self) {}
}

/// Opens an account.
pub fn open(handle: u32) -> &'static Account {
    Box::leak(Box::new(Account {
        handle: AtomicU32::new(handle),
    }))
}

/// Who runs on a thread.
#[derive(Debug, Clone, Copy)]
pub struct Current {
    handle: u32,
    account: Option<&'static Account>,
}

impl Current {
    /// A service.
    pub fn service(handle: u32, account: &'static Account) -> Self {
        Self {
            handle,
            account: Some(account),
        }
    }

    /// No service; `kind` is one of the THREAD constants.
    pub fn thread(kind: i32) -> Self {
        Self {
            handle: kind.wrapping_neg() as u32,
            account: None,
        }
    }
}

thread_local! {
    static CURRENT: Cell<Current> = const {
        Cell::new(Current {
            handle: u32::MAX,
            account: None,
        })
    };
}

/// Says who runs on this thread; who did before comes back.
#[inline]
pub fn set_current(current: Current) -> Current {
    let before = CURRENT.replace(current);
    let _ = before.account;
    before
}

/// The handle of whoever runs on this thread.
pub fn current_handle() -> u32 {
    CURRENT.get().handle
}

/// A block, charged to whoever runs on this thread.
pub fn malloc(size: usize) -> *mut c_void {
    // SAFETY: any size may be asked for.
    unsafe { libc::malloc(size) }
}

/// Frees a block.
///
/// # Safety
/// It must come from the malloc family.
pub unsafe fn free(block: *mut c_void) {
    // SAFETY: as the caller says.
    unsafe { libc::free(block) };
}

/// A line on this thread's memory.
pub fn debug_line(info: &str) -> String {
    format!("[:{:08x}] {info} 0x0", current_handle())
}
