//! One slice: a part of a mailbox, run in one go. The same code serves workers
//! and driver loops written in C.

use crate::memory;
use crate::runtime::mailbox::Runnable;
use crate::runtime::monitor::Monitor;
use crate::runtime::service::{self, Service, ServiceRef};
use crate::runtime::{cpu, node, registry};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is left after a slice.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// More messages: the mailbox has to run again.
    More(Runnable),
    /// The mailbox is idle, or its service is gone.
    Done,
}

/// Runs messages of one mailbox: one if `weight` is negative, else as many as
/// wait behind the first, shifted right by `weight`, and at least one.
#[inline]
pub(crate) fn run_slice(mut runnable: Runnable, weight: i32, monitor: &Monitor) -> Outcome {
    let Some(service) = service_of(&runnable) else {
        service::give_up(runnable);
        return Outcome::Done;
    };
    let handle = service.handle();
    let before = memory::set_current(memory::Current::service(handle, service.account()));
    let profile = node::get().profile();
    let mut count = 0;
    let mut limit = 1;
    while count < limit
        && !service.is_retired()
        && let Some(message) = runnable.take()
    {
        let waiting = runnable.mailbox().len();
        if count == 0 && weight >= 0 {
            limit = (waiting >> weight).max(1);
        }
        count += 1;
        if let Some(length) = runnable.warning(waiting) {
            let text = format!("error: May overload, message queue length = {length}");
            node::log(handle, text.as_bytes());
        }
        monitor.trigger(message.source(), handle);
        let handled = catch_unwind(AssertUnwindSafe(|| service.dispatch(message)));
        if handled.is_err() {
            node::log(handle, b"error: a panic in the service's callback");
        }
        if profile {
            cpu::charge(&service.cpu);
        }
    }
    monitor.trigger(0, 0);
    let retired = service.is_retired();
    // If this is the last reference, the instance ends here, while messages that
    // it sends still come from its own address.
    drop(service);
    memory::set_current(before);
    if retired {
        service::give_up(runnable);
        return Outcome::Done;
    }
    match runnable.settle() {
        Some(runnable) => Outcome::More(runnable),
        None => Outcome::Done,
    }
}

/// A reference to the service whose mailbox this is, unless it is gone.
fn service_of(runnable: &Runnable) -> Option<ServiceRef> {
    let mailbox = runnable.mailbox();
    let owner: *const Service = mailbox.owner();
    // SAFETY: a mailbox is a part of its service, so they are freed together, and
    // not while there is a `Runnable`.
    match unsafe { owner.as_ref() } {
        Some(owner) if owner.is_retired() => None,
        Some(owner) => owner.try_grab(),
        // A mailbox made by a C program serves the service with its handle.
        None => registry::get().ok()?.grab(mailbox.handle()),
    }
}
