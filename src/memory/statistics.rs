//! What all of it adds up to. Nothing here is on the allocator's path.

use std::collections::BTreeMap;

use super::accounting::{Account, Usage};
use super::{records, thread};

/// Visits every account: those of services, of services that are gone while
/// blocks of theirs live on, and of threads. Several may have the same handle.
pub fn for_each_account(visit: impl FnMut(&'static Account)) {
    thread::iterate().chain(records::iterate()).for_each(visit);
}

/// What is charged under each handle that anything is charged to, those of
/// services and the pseudo-handles of threads.
pub fn usage_by_handle() -> BTreeMap<u32, Usage> {
    let mut all = BTreeMap::new();
    for_each_account(|account| {
        let usage = account.usage();
        if usage != Usage::default() {
            *all.entry(account.handle()).or_default() += usage;
        }
    });
    all
}

/// What is charged to anybody.
pub fn total_usage() -> Usage {
    let mut total = Usage::default();
    for_each_account(|account| total += account.usage());
    total
}

/// What is charged to whom the calling thread works for: its service, or, on a
/// thread without one, all threads with its handle.
pub fn current_usage() -> Usage {
    if let Some(account) = thread::current_service() {
        return account.usage();
    }
    let handle = thread::current_handle();
    let mut sum = Usage::default();
    for_each_account(|account| {
        if account.handle() == handle {
            sum += account.usage();
        }
    });
    sum
}

/// The line that `skynet_debug_memory` prints: handle, text, and the bytes
/// charged to it as C prints a pointer.
pub fn debug_line(info: &str) -> String {
    // Before this function's own text is charged.
    let bytes = current_usage().bytes;
    let handle = thread::current_handle();
    if bytes == 0 {
        format!("[:{handle:08x}] {info} (nil)")
    } else {
        format!("[:{handle:08x}] {info} {bytes:#x}")
    }
}
