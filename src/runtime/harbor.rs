//! Messages to other nodes: they go to the harbor service, which is a service
//! like any other and lives until the node has stopped.

use super::message::{Message, Payload};
use super::service::{Service, ServiceRef};
use crate::error::{Error, Result};
use crate::memory;
use crate::sync::atomic::{AtomicPtr, Ordering};
use once_cell::sync::OnceCell;
use skynet_abi::PTYPE_SYSTEM;
use skynet_abi::handle::{HANDLE_MASK, HANDLE_REMOTE_SHIFT};
use skynet_abi::harbor::{GLOBALNAME_LENGTH, remote_message, remote_name};
use std::ffi::c_char;
use std::ptr::{self, NonNull};

static HARBOR: OnceCell<Harbor> = OnceCell::new();

/// This node's number, and the service that knows the other nodes.
#[derive(Debug)]
pub struct Harbor {
    /// In a handle's high bits.
    number: u32,
    /// A reference of the harbor service; null while there is none.
    service: AtomicPtr<Service>,
}

/// Where a message to another node goes.
#[derive(Debug, Clone, Copy)]
pub enum Remote<'a> {
    /// A service of a node whose number is in the handle.
    Handle(u32),
    /// A global name.
    Name(&'a [u8]),
}

/// Says which harbor this node is, 0 to 255.
///
/// # Errors
/// It was said before.
pub fn init(number: u32) -> Result<()> {
    let harbor = Harbor {
        number: number << HANDLE_REMOTE_SHIFT,
        service: AtomicPtr::default(),
    };
    HARBOR
        .set(harbor)
        .map_err(|_| Error::AlreadyInitialised("harbor"))
}

/// Whether a handle is of another node. Before [`init`], none is.
#[inline]
pub fn is_remote(handle: u32) -> bool {
    let harbor = handle & !HANDLE_MASK;
    harbor != 0 && HARBOR.get().is_some_and(|own| own.number != harbor)
}

/// Makes `service` the harbor service. The node keeps a reference, and does not
/// wait for the service before it stops.
///
/// # Errors
/// The harbor is not initialised.
pub fn start(service: &Service) -> Result<()> {
    let harbor = HARBOR.get().ok_or(Error::NotInitialised("harbor"))?;
    let reference = service.reserve().into_raw();
    let before = harbor.service.swap(reference.as_ptr(), Ordering::AcqRel);
    release(before);
    Ok(())
}

/// Drops the node's reference of the harbor service.
pub fn exit() {
    if let Some(harbor) = HARBOR.get() {
        release(harbor.service.swap(ptr::null_mut(), Ordering::AcqRel));
    }
}

fn release(service: *mut Service) {
    if let Some(service) = NonNull::new(service) {
        // SAFETY: the pointer is the reference that `start` put aside.
        drop(unsafe { ServiceRef::from_raw(service) });
    }
}

/// A reference to the harbor service. Another may take its place at any moment,
/// and then the node's own reference is no help.
fn service() -> Option<ServiceRef> {
    let harbor = HARBOR.get()?;
    let _guard = crossbeam_epoch::pin();
    let service = harbor.service.load(Ordering::Acquire);
    // SAFETY: whoever takes the pointer out gives its reference up after that,
    // and a service's memory stays for those who were pinned before.
    unsafe { service.as_ref() }?.try_grab()
}

/// Hands a message for another node to the harbor service.
///
/// # Errors
/// There is no harbor service, or the message's type is one that harbors use
/// among themselves. The message is freed.
pub fn send(to: Remote<'_>, message: Message) -> Result<()> {
    let service = service().ok_or(Error::NoHarbor)?;
    let raw = message.into_raw();
    // SAFETY: the message was taken apart just now.
    let payload =
        unsafe { Payload::from_raw(raw.data, raw.sz & skynet_abi::mq::MESSAGE_TYPE_MASK) };
    let kind = (raw.sz >> skynet_abi::mq::MESSAGE_TYPE_SHIFT) as i32;
    let mut destination = remote_name {
        name: [0; GLOBALNAME_LENGTH],
        handle: 0,
    };
    match to {
        Remote::Handle(handle) => destination.handle = handle,
        Remote::Name(name) => {
            for (to, from) in destination.name.iter_mut().zip(name) {
                *to = *from as c_char;
            }
        }
    }
    let (message, sz) = payload.into_raw();
    let remote = Box::new(remote_message {
        destination,
        message,
        sz,
        type_: kind,
    });
    forward(&service, remote, raw.source, raw.session)
}

/// A destination in words, for the log: a global name, or `:handle`.
pub fn address(to: &remote_name) -> String {
    if to.handle != 0 {
        return format!(":{:08x}", to.handle);
    }
    let name = to.name.iter().map(|&byte| byte as u8);
    let name: Vec<u8> = name.take_while(|&byte| byte != 0).collect();
    String::from_utf8_lossy(&name).into_owned()
}

/// As [`send`], for a message in C's form.
///
/// # Safety
/// `remote` and the message in it must be blocks of the malloc family that the
/// caller hands over.
///
/// # Errors
/// As [`send`].
pub unsafe fn send_raw(remote: NonNull<remote_message>, source: u32, session: i32) -> Result<()> {
    // SAFETY: the caller hands the block over; boxes are of the malloc family.
    let remote = unsafe { Box::from_raw(remote.as_ptr()) };
    match service() {
        Some(service) => forward(&service, remote, source, session),
        None => {
            // SAFETY: the caller handed the message over with the block.
            unsafe { memory::free(remote.message.cast_mut()) };
            Err(Error::NoHarbor)
        }
    }
}

fn forward(
    service: &Service,
    remote: Box<remote_message>,
    source: u32,
    session: i32,
) -> Result<()> {
    use skynet_abi::PTYPE_HARBOR;
    if remote.type_ == PTYPE_SYSTEM || remote.type_ == PTYPE_HARBOR {
        let what = format!("type {} is the harbor's own", remote.type_);
        // SAFETY: the message came with the block, and nobody else frees it.
        unsafe { memory::free(remote.message.cast_mut()) };
        return Err(Error::bad_argument("skynet_harbor_send", what));
    }
    let inner = remote.message.cast_mut();
    let block = Box::into_raw(remote);
    // SAFETY: a box is a block of the malloc family, given away here.
    let payload = unsafe { Payload::from_raw(block.cast(), size_of::<remote_message>()) };
    let message = Message::new(source, session, PTYPE_SYSTEM as u8, payload);
    super::deliver(service, message).map_err(|message| {
        drop(message);
        // SAFETY: the harbor service did not get it, so it is still ours.
        unsafe { memory::free(inner) };
        Error::ServiceExited
    })
}
