//! Services: an instance of a module, its mailbox, and what C calls a context.
//!
//! A service lives while it is registered or referenced. Retiring takes it out
//! of the registry and drops the registry's reference. The last reference to go
//! destroys, in this order: the log file, the instance (`_release`, which may
//! send messages), the mailbox, which answers what is left in it with
//! PTYPE_ERROR. The memory follows when nobody can be looking at it any more:
//! registry lookups borrow a service without counting themselves, under an
//! epoch pin.

use super::cpu::CpuTime;
use super::logging::ServiceLog;
use super::mailbox::{Mailbox, Runnable};
use super::message::{Message, Payload};
use super::module::{self, Instance};
use super::{node, registry, scheduler};
use crate::memory::{self, Account};
use crate::socket;
use crate::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence,
};
use skynet_abi::{PTYPE_ERROR, skynet_cb, skynet_context};
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{self, NonNull};

/// Bytes of the buffer in which text commands leave their result.
const RESULT_SIZE: usize = 32;

/// A service. Shared by the thread that runs it and by everybody who sends to it.
#[derive(Debug)]
pub struct Service {
    mailbox: Mailbox,
    /// References; the instance is destroyed when they reach 0.
    refs: AtomicUsize,
    instance: Instance,
    callback: AtomicPtr<c_void>,
    callback_ud: AtomicPtr<c_void>,
    session: AtomicI32,
    /// No registered service any more: what is still queued gets an error.
    retired: AtomicBool,
    endless: AtomicBool,
    /// The node does not wait for it before it stops.
    reserved: AtomicBool,
    log: ServiceLog,
    messages: AtomicU64,
    pub(crate) cpu: CpuTime,
    account: &'static Account,
    result: UnsafeCell<[u8; RESULT_SIZE]>,
}

// SAFETY: the instance and the result belong to whoever runs the service, one
// thread at a time; everything else is atomic or has its own lock.
unsafe impl Send for Service {}
// SAFETY: as above.
unsafe impl Sync for Service {}

impl Service {
    /// Starts a service of module `name`. The result is its handle; it may be
    /// gone already when this returns, if its first act was to exit.
    ///
    /// # Errors
    /// The module cannot be loaded, makes no instance, or its `_init` refuses:
    /// then messages that came in meanwhile are answered with PTYPE_ERROR.
    pub fn launch(name: &CStr, parm: Option<&CStr>) -> crate::error::Result<u32> {
        use crate::error::Error;

        let node = node::get();
        let failed = || Error::LaunchFailed {
            name: name.to_string_lossy().into_owned(),
        };
        let module = module::modules()?.query(name)?;
        let instance = module.create().ok_or_else(failed)?;
        let service = Self::allocate(instance);
        let right = service.first_right();
        node.total_up();
        let registered = registry::get().and_then(|registry| registry.register(&service));
        let handle = match registered {
            Ok(handle) => handle,
            Err(error) => {
                drop(service);
                give_up(right);
                return Err(error);
            }
        };
        // A node that stops may have looked through the registry before.
        if !node.is_stopping() && service.init(parm) {
            let parm = parm.map(CStr::to_bytes).unwrap_or_default();
            let text = [b"LAUNCH ", name.to_bytes(), b" ", parm].concat();
            node::log(handle, &text);
            drop(service);
            scheduler::schedule(right);
            Ok(handle)
        } else {
            let text = [b"error: launch ", name.to_bytes(), b" FAILED"].concat();
            node::log(handle, &text);
            drop(service);
            node::retire(handle);
            give_up(right);
            Err(failed())
        }
    }

    /// A service that nobody knows yet, with one reference, the caller's.
    fn allocate(instance: Instance) -> ServiceRef {
        let service = Box::new(Self {
            mailbox: Mailbox::new(0, ptr::null()),
            refs: AtomicUsize::new(1),
            instance,
            callback: AtomicPtr::new(ptr::null_mut()),
            callback_ud: AtomicPtr::new(ptr::null_mut()),
            session: AtomicI32::new(0),
            retired: AtomicBool::new(false),
            endless: AtomicBool::new(false),
            reserved: AtomicBool::new(false),
            log: ServiceLog::new(),
            messages: AtomicU64::new(0),
            cpu: CpuTime::new(),
            account: memory::open(0),
            result: UnsafeCell::new([0; RESULT_SIZE]),
        });
        let raw = Box::into_raw(service);
        // SAFETY: the box was just made and nobody else has its address; from
        // here on it is shared and changed through atomics only.
        unsafe { (*raw).mailbox.set_owner(raw) };
        // SAFETY: `refs` is 1 for the value made here.
        unsafe { ServiceRef::from_raw(NonNull::new_unchecked(raw)) }
    }

    /// Has the module initialise the new instance. False when it refuses.
    fn init(&self, parm: Option<&CStr>) -> bool {
        let parm = parm.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: the service lives until after its instance is released, and the
        // argument is a C string that lives as long as this call.
        unsafe { self.instance.init(self.as_context(), parm) == 0 }
    }

    /// The right to run the new mailbox, which is made runnable.
    fn first_right(&self) -> Runnable {
        // SAFETY: called once for each service, by `launch`.
        unsafe { Runnable::from_raw(NonNull::from(&self.mailbox)) }
    }

    /// The service's address.
    pub fn handle(&self) -> u32 {
        self.mailbox.handle()
    }

    /// Called by the registry, under its lock, before the service can be found.
    pub(super) fn set_handle(&self, handle: u32) {
        self.mailbox.set_handle(handle);
        self.account.set_handle(handle);
    }

    /// The service in C's eyes. No reference is counted.
    pub fn as_context(&self) -> *mut skynet_context {
        ptr::from_ref(self).cast_mut().cast()
    }

    /// The service behind a context pointer; `None` for null.
    ///
    /// # Safety
    /// `context` must be null or come from this core, and the service must live
    /// at least as long as the result is used.
    pub unsafe fn from_context<'a>(context: *mut skynet_context) -> Option<&'a Self> {
        // SAFETY: the caller vouches for the pointer and its life.
        unsafe { context.cast::<Self>().as_ref() }
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    pub(crate) fn account(&self) -> &'static Account {
        self.account
    }

    /// The next session, a positive number.
    pub fn new_session(&self) -> i32 {
        let next = self.session.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if next > 0 {
            return next;
        }
        self.session.store(1, Ordering::Relaxed);
        1
    }

    /// Sets what handles the service's messages. Messages that arrive while
    /// there is no callback are dropped.
    pub fn set_callback(&self, ud: *mut c_void, callback: skynet_cb) {
        let address = callback.map_or(ptr::null_mut(), |f| f as *mut c_void);
        self.callback_ud.store(ud, Ordering::Relaxed);
        self.callback.store(address, Ordering::Relaxed);
    }

    /// Hands one message to the callback and frees it unless the callback keeps it.
    /// The caller holds the mailbox's `Runnable`.
    #[inline]
    pub(crate) fn dispatch(&self, message: Message) {
        let address = self.callback.load(Ordering::Relaxed);
        if address.is_null() {
            return;
        }
        let raw = message.into_raw();
        let kind = (raw.sz >> skynet_abi::mq::MESSAGE_TYPE_SHIFT) as i32;
        let len = raw.sz & skynet_abi::mq::MESSAGE_TYPE_MASK;
        if self.log.is_on() {
            let bytes = if raw.data.is_null() { 0 } else { len };
            // SAFETY: the message has that many bytes; one about a socket is in
            // the form that the socket server gave it.
            unsafe {
                let data = std::ptr::slice_from_raw_parts(raw.data.cast::<u8>(), bytes);
                let data = data.as_ref().unwrap_or_default();
                self.log.output(raw.source, kind, raw.session, data);
            }
        }
        // Only the thread that runs the service counts.
        let seen = self.messages.load(Ordering::Relaxed);
        self.messages.store(seen + 1, Ordering::Relaxed);
        // SAFETY: the address was stored by `set_callback` from a function of
        // this very type.
        let callback: unsafe extern "C-unwind" fn(
            *mut skynet_context,
            *mut c_void,
            i32,
            i32,
            u32,
            *const c_void,
            usize,
        ) -> i32 = unsafe { std::mem::transmute(address) };
        let ud = self.callback_ud.load(Ordering::Relaxed);
        // SAFETY: the module promised a callback for these arguments; the message
        // belongs to this call and stays valid through it.
        let keep = unsafe {
            callback(
                self.as_context(),
                ud,
                kind,
                raw.session,
                raw.source,
                raw.data,
                len,
            )
        };
        if keep == 0 && !raw.data.is_null() {
            // SAFETY: the callback did not keep the block, so it is still ours.
            unsafe { memory::free(raw.data) };
        }
    }

    /// Messages handled so far.
    pub fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Messages that wait.
    pub fn queue_length(&self) -> usize {
        self.mailbox.len()
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    pub(super) fn mark_retired(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// Notes that a message seems not to end.
    pub fn mark_endless(&self) {
        self.endless.store(true, Ordering::Relaxed);
    }

    /// Whether a message seemed not to end since this was last asked.
    pub fn take_endless(&self) -> bool {
        self.endless.swap(false, Ordering::Relaxed)
    }

    /// Takes a reference that the node does not wait for when it stops.
    pub fn reserve(&self) -> ServiceRef {
        if !self.reserved.swap(true, Ordering::Relaxed) {
            node::get().total_down();
        }
        self.grab()
    }

    /// One more reference; the caller has one already.
    pub fn grab(&self) -> ServiceRef {
        self.refs.fetch_add(1, Ordering::Relaxed);
        ServiceRef(NonNull::from(self))
    }

    /// One more reference unless the last one went.
    pub(crate) fn try_grab(&self) -> Option<ServiceRef> {
        let mut refs = self.refs.load(Ordering::Relaxed);
        while refs != 0 {
            match self.refs.compare_exchange_weak(
                refs,
                refs + 1,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(ServiceRef(NonNull::from(self))),
                Err(now) => refs = now,
            }
        }
        None
    }

    /// Writes a text command's result and returns it as a C string. It is
    /// overwritten by the service's next command.
    pub(super) fn set_result(&self, text: &str) -> *const c_char {
        let buffer = self.result.get();
        let len = text.len().min(RESULT_SIZE - 1);
        // SAFETY: the buffer belongs to the thread that runs the service, as the
        // ABI says of `skynet_command`; `len` leaves room for the zero.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast::<u8>(), len);
            buffer.cast::<u8>().add(len).write(0);
        }
        buffer.cast()
    }

    /// The file that this service's messages are logged to, if they are.
    pub(super) fn log(&self) -> &ServiceLog {
        &self.log
    }

    /// Calls the module's `_signal`, in the caller's thread, at any time.
    pub fn signal(&self, signal: i32) {
        self.instance.signal(signal);
    }

    /// What the last reference does on its way out.
    fn destroy(&self) {
        self.log.close();
        // SAFETY: this happens once, when nobody refers to the service any more, and
        // an instance does nothing when it is dropped.
        unsafe { ptr::read(&raw const self.instance) }.release();
        let reserved = self.reserved.load(Ordering::Relaxed);
        let (handle, messages) = (self.handle(), self.messages());
        // Whoever drains the mailbox may free the service.
        if let Some(right) = self.mailbox.close() {
            drain(right);
        }
        if !reserved {
            crate::socket::node::service_ended();
            node::get().note_end(handle, messages);
            node::get().total_down();
        }
    }
}

/// The right to run a service that is retired or gone: what is left in its
/// mailbox is answered with errors, here or by whoever destroys the service.
pub(crate) fn give_up(right: Runnable) {
    if let Some(right) = right.into_drain() {
        drain(right);
    }
}

/// Answers what is left in a closed mailbox with PTYPE_ERROR, session 0 too, closes
/// the sockets that it is about, since nobody will act on it, and frees the service
/// that it belonged to.
pub(crate) fn drain(mut right: Runnable) {
    let handle = right.mailbox().handle();
    while let Some(message) = right.take() {
        let (source, session) = (message.source(), message.session());
        let sockets = message.sockets();
        drop(message);
        if let Some(sockets) = sockets {
            socket::node::undelivered(handle, sockets);
        }
        if source != 0 {
            let answer = Message::new(handle, session, PTYPE_ERROR as u8, Payload::empty());
            // A sender that is gone as well needs no answer.
            let _ = node::route(source, answer);
        }
    }
    let service = right.into_raw();
    // SAFETY: the mailbox is closed and empty, and this thread had its right.
    unsafe { free(service) };
}

/// Frees a mailbox, and the service around it, once no lookup can see them.
///
/// # Safety
/// The mailbox is closed, and the caller had its one right.
unsafe fn free(mailbox: NonNull<Mailbox>) {
    // SAFETY: nobody freed it yet: that is what the right means.
    let owner = unsafe { mailbox.as_ref() }.owner();
    if owner.is_null() {
        // SAFETY: a mailbox without a service is a box of its own, made by
        // `skynet_mq_create`; no registry ever showed it to anybody.
        drop(unsafe { Box::from_raw(mailbox.as_ptr()) });
        return;
    }
    let owner = owner.cast_mut();
    let guard = crossbeam_epoch::pin();
    // SAFETY: the registry lost the service before its last reference went; who
    // found it there earlier is pinned, and the epoch waits for them.
    unsafe {
        guard.defer_unchecked(move || {
            (*owner).account.close();
            drop(Box::from_raw(owner));
        });
    }
    guard.flush();
}

/// A counted reference to a service; the last one destroys the instance.
#[derive(Debug)]
pub struct ServiceRef(NonNull<Service>);

// SAFETY: a service may be used and destroyed by any thread.
unsafe impl Send for ServiceRef {}
// SAFETY: as above.
unsafe impl Sync for ServiceRef {}

impl ServiceRef {
    /// Takes over a reference that was counted before.
    ///
    /// # Safety
    /// One reference of `service` must have been given up for this, by
    /// [`into_raw`](Self::into_raw) or by a C caller that had one.
    pub unsafe fn from_raw(service: NonNull<Service>) -> Self {
        Self(service)
    }

    /// The service; the caller has to give the reference back.
    pub fn into_raw(self) -> NonNull<Service> {
        let service = self.0;
        std::mem::forget(self);
        service
    }
}

impl std::ops::Deref for ServiceRef {
    type Target = Service;

    fn deref(&self) -> &Service {
        // SAFETY: the reference keeps the service alive.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for ServiceRef {
    fn drop(&mut self) {
        if self.refs.fetch_sub(1, Ordering::Release) == 1 {
            // Pairs with the releases above: what other threads did with the
            // instance comes before its end.
            fence(Ordering::Acquire);
            self.destroy();
        }
    }
}

#[cfg(all(test, loom))]
mod model;
