//! `skynet_mq.h`, for driver loops written in C.
//!
//! A pointer to a mailbox stands for two things: for `skynet_mq_push`, `_handle`
//! and `_length` it is the mailbox; a loop that got it from `skynet_globalmq_pop`
//! has the right to run it too, for `skynet_mq_pop`, `_overload`, `_release`,
//! and gives it back with `skynet_globalmq_push`, or by emptying the mailbox.

use super::guard;
use crate::runtime::mailbox::{Mailbox, Runnable};
use crate::runtime::message::Message;
use crate::runtime::{scheduler, service};
use skynet_abi::mq::{message_drop, message_queue, skynet_message};
use std::ffi::{c_int, c_void};
use std::ptr::{self, NonNull};

/// Takes the right to run over from C.
///
/// # Safety
/// `queue` must be null or a mailbox whose right to run the caller has and gives up.
pub(super) unsafe fn right(queue: *mut message_queue) -> Option<Runnable> {
    let mailbox = NonNull::new(queue.cast::<Mailbox>())?;
    // SAFETY: as the caller says.
    Some(unsafe { Runnable::from_raw(mailbox) })
}

/// Gives the right to run to C.
pub(super) fn hand_out(runnable: Option<Runnable>) -> *mut message_queue {
    runnable.map_or(ptr::null_mut(), |r| r.into_raw().as_ptr().cast())
}

/// # Safety
/// `queue` must be a mailbox.
unsafe fn mailbox<'a>(queue: *mut message_queue) -> Option<&'a Mailbox> {
    // SAFETY: as the caller says.
    unsafe { queue.cast::<Mailbox>().as_ref() }
}

/// Puts a mailbox at the end of the run queue.
///
/// # Safety
/// The caller must have the right to run `queue`; it goes to the core.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_globalmq_push(queue: *mut message_queue) {
    // SAFETY: as the caller says.
    if let Some(runnable) = unsafe { right(queue) } {
        guard((), || scheduler::inject(runnable));
    }
}

/// The next mailbox to run, with the right to; null when there is none. Takes
/// from the workers as well.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_globalmq_pop() -> *mut message_queue {
    guard(ptr::null_mut(), || {
        hand_out(scheduler::get().ok().and_then(|s| s.take_any()))
    })
}

/// A new mailbox for the service with `handle`, with the right to run it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_mq_create(handle: u32) -> *mut message_queue {
    Box::into_raw(Box::new(Mailbox::new(handle, ptr::null()))).cast()
}

/// Announces that the mailbox is to be freed by `skynet_mq_release`, and queues
/// it for that if it was idle.
///
/// # Safety
/// `queue` must come from `skynet_mq_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_mq_mark_release(queue: *mut message_queue) {
    // SAFETY: as the caller says.
    if let Some(runnable) = unsafe { mailbox(queue) }.and_then(Mailbox::mark) {
        guard((), || scheduler::inject(runnable));
    }
}

/// Frees a mailbox that was marked, after `drop_func` had every message that is
/// left; one that was not marked goes back to the run queue.
///
/// # Safety
/// The caller must have the right to run `queue`, which came from
/// `skynet_mq_create`. `drop_func` frees the messages' data.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_mq_release(
    queue: *mut message_queue,
    drop_func: message_drop,
    ud: *mut c_void,
) {
    // SAFETY: as the caller says.
    let Some(mut runnable) = (unsafe { right(queue) }) else {
        return;
    };
    if !runnable.mailbox().is_marked() {
        guard((), || scheduler::inject(runnable));
        return;
    }
    while let Some(message) = runnable.take() {
        let mut raw = message.into_raw();
        if let Some(drop_func) = drop_func {
            // SAFETY: as the caller says.
            unsafe { drop_func(&raw mut raw, ud) };
        }
    }
    // It is marked, so nobody waits for it to become idle; nothing is in it.
    let _ = runnable.mailbox().close();
    guard((), || service::give_up(runnable));
}

/// The handle that the mailbox was made for.
///
/// # Safety
/// `queue` must be a mailbox.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_mq_handle(queue: *mut message_queue) -> u32 {
    // SAFETY: as the caller says.
    unsafe { mailbox(queue) }.map_or(0, Mailbox::handle)
}

/// Takes the oldest message out. 0 for success; 1 when there is none, and then
/// the right to run is given back.
///
/// # Safety
/// The caller must have the right to run `queue`; `message` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_mq_pop(
    queue: *mut message_queue,
    message: *mut skynet_message,
) -> c_int {
    // SAFETY: as the caller says.
    let Some(mut runnable) = (unsafe { right(queue) }) else {
        return 1;
    };
    loop {
        if let Some(taken) = runnable.take() {
            runnable.note_length(runnable.mailbox().len());
            // The caller has the right still.
            let _ = runnable.into_raw();
            // SAFETY: as the caller says.
            unsafe { message.write(taken.into_raw()) };
            return 0;
        }
        // A message may come in between the two looks.
        match runnable.settle() {
            Some(again) if !again.mailbox().is_marked() => runnable = again,
            kept => {
                let _ = kept.map(Runnable::into_raw);
                return 1;
            }
        }
    }
}

/// Puts a message in; an idle mailbox goes to the run queue. Its data is handed
/// over; that of a mailbox which takes nothing any more is freed.
///
/// # Safety
/// `queue` must be a mailbox, `message` readable, its data null or a block of
/// the malloc family.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_mq_push(
    queue: *mut message_queue,
    message: *mut skynet_message,
) {
    // SAFETY: as the caller says.
    let (Some(mailbox), false) = (unsafe { mailbox(queue) }, message.is_null()) else {
        return;
    };
    // SAFETY: as the caller says.
    let message = unsafe { Message::from_raw(*message) };
    if let Ok(Some(runnable)) = mailbox.push(message) {
        guard((), || scheduler::inject(runnable));
    }
}

/// Messages that wait.
///
/// # Safety
/// `queue` must be a mailbox.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_mq_length(queue: *mut message_queue) -> c_int {
    // SAFETY: as the caller says.
    let length = unsafe { mailbox(queue) }.map_or(0, Mailbox::len);
    c_int::try_from(length).unwrap_or(c_int::MAX)
}

/// The length that calls for a warning, once; else 0.
///
/// # Safety
/// The caller must have the right to run `queue`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_mq_overload(queue: *mut message_queue) -> c_int {
    // SAFETY: as the caller says.
    let Some(mut runnable) = (unsafe { right(queue) }) else {
        return 0;
    };
    let length = runnable.overload().unwrap_or(0);
    // The caller has the right still.
    let _ = runnable.into_raw();
    c_int::try_from(length).unwrap_or(c_int::MAX)
}

/// Makes the run queue.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_mq_init() {
    if let Err(error) = scheduler::init() {
        eprintln!("skynet_mq_init: {error}");
    }
}
