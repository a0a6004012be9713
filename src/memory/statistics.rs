//! What all of it adds up to. Nothing here is on the allocator's path.

use std::collections::BTreeMap;

use super::accounting::{Account, Role, Usage};
use super::{records, thread};

/// Visits every account: those of services, of services that are gone while
/// blocks of theirs live on, and of threads. Several may have the same handle.
pub fn for_each_account(visit: impl FnMut(&'static Account)) {
    thread::iterate().chain(records::iterate()).for_each(visit);
}

/// Visits what [`usage_by_handle`] lists, account by account, so that a handle
/// may come up several times. Nothing is allocated or held meanwhile: `visit` may
/// be left by a jump.
pub fn for_each_usage(mut visit: impl FnMut(u32, Usage)) {
    for_each_account(|account| {
        let (handle, usage) = (account.handle(), account.usage());
        // A service that is being made has no handle yet.
        let lives = account.role() == Role::Service && handle != 0;
        if lives || usage != Usage::default() {
            visit(handle, usage);
        }
    });
}

/// What is charged under each handle: that of every service that lives, and,
/// where it is more than nothing, those of services that are gone and the
/// pseudo-handles of threads. A block that a service allocates before it has a
/// handle is listed under 0 until it has.
pub fn usage_by_handle() -> BTreeMap<u32, Usage> {
    let mut all = BTreeMap::new();
    for_each_usage(|handle, usage| *all.entry(handle).or_default() += usage);
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
