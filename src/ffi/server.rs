//! `skynet_server.h`.

use super::{guard, mq, optional, service};
use crate::memory;
use crate::runtime::message::{Message, Payload};
use crate::runtime::monitor::Monitor;
use crate::runtime::scheduler::{self, Outcome};
use crate::runtime::service::{Service, ServiceRef};
use crate::runtime::{self, cpu, node, registry, start};
use skynet_abi::monitor::skynet_monitor;
use skynet_abi::mq::{message_queue, skynet_message};
use skynet_abi::skynet_context;
use std::ffi::{c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering};

/// Starts a service of module `name`. Returns its handle, 0 if it did not start.
///
/// # Safety
/// `name` must be a C string, `parm` null or one.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_context_new(
    name: *const c_char,
    parm: *const c_char,
) -> u32 {
    // SAFETY: as the caller says.
    let (name, parm) = unsafe { (optional(name), optional(parm)) };
    guard(0, || {
        name.and_then(|name| Service::launch(name, parm).ok())
            .unwrap_or(0)
    })
}

/// Counts one more reference, which `skynet_context_release` gives back.
///
/// # Safety
/// `context` must be a service that the caller has a reference of.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_context_grab(context: *mut skynet_context) {
    // SAFETY: as the caller says.
    if let Some(service) = unsafe { service(context) } {
        let _ = service.grab().into_raw();
    }
}

/// As `skynet_context_grab`; and the node does not wait for the service before
/// it stops.
///
/// # Safety
/// As `skynet_context_grab`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_context_reserve(context: *mut skynet_context) {
    // SAFETY: as the caller says.
    if let Some(service) = unsafe { service(context) } {
        let _ = service.reserve().into_raw();
    }
}

/// Gives a reference back. The last one destroys the service.
///
/// # Safety
/// The caller must have the reference, and not use `context` by it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_context_release(context: *mut skynet_context) {
    if let Some(service) = NonNull::new(context.cast::<Service>()) {
        // SAFETY: as the caller says.
        guard((), || drop(unsafe { ServiceRef::from_raw(service) }));
    }
}

/// The service's handle; 0 for null.
///
/// # Safety
/// `context` must be a service or null.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_context_handle(context: *mut skynet_context) -> u32 {
    // SAFETY: as the caller says.
    unsafe { service(context) }.map_or(0, Service::handle)
}

/// Puts a message into the mailbox of `handle`. 0 for success; -1 when there is
/// no such service, and then the message's data is still the caller's.
///
/// # Safety
/// `message` must be readable, its data null or a block of the malloc family.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_context_push(
    handle: u32,
    message: *mut skynet_message,
) -> c_int {
    if message.is_null() {
        return -1;
    }
    // SAFETY: as the caller says.
    let message = unsafe { Message::from_raw(*message) };
    guard(-1, || match node::push_or_return(handle, message) {
        Ok(()) => 0,
        Err(message) => {
            let _ = message.into_raw();
            -1
        }
    })
}

/// Puts a message into a service's mailbox; the block `msg` is handed over.
///
/// # Safety
/// `context` must be a service that the caller has a reference of, `msg` null or
/// a block of the malloc family.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_context_send(
    context: *mut skynet_context,
    msg: *mut c_void,
    sz: usize,
    source: u32,
    type_: c_int,
    session: c_int,
) {
    // SAFETY: as the caller says.
    let (service, payload) = unsafe { (service(context), Payload::from_raw(msg, sz)) };
    let message = Message::new(source, session, type_ as u8, payload);
    if let Some(service) = service {
        // One that is closed already drops the message, as nobody waits for it.
        guard((), || drop(runtime::deliver(service, message)));
    }
}

/// The context's next session, a positive number; 0 for null.
///
/// # Safety
/// `context` must be a service or null.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_context_newsession(context: *mut skynet_context) -> c_int {
    // SAFETY: as the caller says.
    unsafe { service(context) }.map_or(0, Service::new_session)
}

/// Runs a slice of a mailbox, for a driver loop: of `queue`, or of the next one
/// if that is null. Returns the mailbox to run next, whose right to run is the
/// caller's, or null when there is nothing to do. `weight` is negative for one
/// message, else the share of the mailbox, as a shift.
///
/// # Safety
/// `monitor` must come from `skynet_monitor_new`. `queue` must be null or a
/// mailbox whose right to run the caller has; it goes to the core.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_context_message_dispatch(
    monitor: *mut skynet_monitor,
    queue: *mut message_queue,
    weight: c_int,
) -> *mut message_queue {
    // SAFETY: as the caller says.
    let (monitor, given) = unsafe { (monitor.cast::<Monitor>().as_ref(), mq::right(queue)) };
    let (Some(monitor), Ok(scheduler)) = (monitor, scheduler::get()) else {
        return ptr::null_mut();
    };
    guard(ptr::null_mut(), || {
        let Some(runnable) = given.or_else(|| scheduler.take_any()) else {
            return ptr::null_mut();
        };
        // What the loop did since its last slice is no service's time.
        cpu::begin();
        let rest = scheduler::run_slice(runnable, weight, monitor);
        mq::hand_out(match (rest, scheduler.take_any()) {
            (Outcome::More(runnable), Some(next)) => {
                scheduler::inject(runnable);
                Some(next)
            }
            (Outcome::More(runnable), None) => Some(runnable),
            (Outcome::Done, next) => next,
        })
    })
}

/// Services that the node waits for before it stops.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_context_total() -> c_int {
    node::get().total() as c_int
}

/// Handles all messages of a service in this thread, which no other thread may
/// be running: for the last lines of a log.
///
/// # Safety
/// `context` must be a service that the caller has a reference of, and no worker
/// or driver loop may be running.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_context_dispatchall(context: *mut skynet_context) {
    // SAFETY: as the caller says.
    if let Some(service) = unsafe { service(context) } {
        guard((), || start::dispatch_all(&service.grab()));
    }
}

/// Marks the service as being in a message without end, for STAT endless.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_context_endless(handle: u32) {
    guard((), || {
        if let Some(service) = registry::get().ok().and_then(|r| r.grab(handle)) {
            service.mark_endless();
        }
    });
}

static GLOBALLY_INITIALISED: AtomicBool = AtomicBool::new(false);

/// Whether `skynet_globalinit` was called.
pub(super) fn is_globally_initialised() -> bool {
    GLOBALLY_INITIALISED.load(Ordering::Relaxed)
}

/// Sets the node up, as the process's main thread does first.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_globalinit() {
    node::get();
    GLOBALLY_INITIALISED.store(true, Ordering::Relaxed);
    skynet_initthread(skynet_abi::imp::THREAD_MAIN);
}

/// The counterpart of `skynet_globalinit`. There is nothing to give back.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_globalexit() {}

/// Says what this thread is: one of the THREAD constants.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_initthread(m: c_int) {
    memory::init_thread(m);
}

/// Whether the CPU time of services is measured from now on.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_profile_enable(enable: c_int) {
    node::get().set_profile(enable != 0);
}
