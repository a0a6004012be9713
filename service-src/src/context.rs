//! A service's own context: the few calls of `skynet.h` that these services make.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::fmt::Display;
use core::ptr::{self, NonNull};
use skynet_abi::{
    PTYPE_ERROR, PTYPE_TAG_DONTCOPY, skynet_command, skynet_context, skynet_error, skynet_send,
};
use std::ffi::CString;

/// The context that the core handed to a service. It is valid from `init` to
/// the end of `release`, which is as long as an instance may keep it.
#[derive(Clone, Copy, Debug)]
pub struct Context(NonNull<skynet_context>);

// SAFETY: the functions of skynet.h that take a context may be called from any
// thread as long as the context lives.
unsafe impl Send for Context {}

impl Context {
    /// # Safety
    ///
    /// `context` is what the core passed to the service's `init` or callback,
    /// and the value is not used after the service's release.
    pub unsafe fn new(context: *mut skynet_context) -> Self {
        Self(NonNull::new(context).expect("the core passes a service its context"))
    }

    pub fn as_ptr(self) -> *mut skynet_context {
        self.0.as_ptr()
    }

    /// Writes a line to the log in the service's name.
    pub fn log(self, line: impl Display) {
        let mut text = line.to_string().into_bytes();
        // A C string ends at its first zero; the rest of the line is worth keeping.
        for byte in &mut text {
            if *byte == 0 {
                *byte = b' ';
            }
        }
        let text = CString::new(text).unwrap_or_default();
        // SAFETY: the context lives, and "%s" asks for exactly one C string.
        unsafe { skynet_error(self.as_ptr(), c"%s".as_ptr(), text.as_ptr()) }
    }

    /// Runs a text command. The answer lives until the next command, or, for
    /// `GETENV`, as long as the node.
    pub fn command(self, name: &CStr, parameter: Option<&CStr>) -> *const c_char {
        let parameter = parameter.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: the context lives, and both texts are C strings.
        unsafe { skynet_command(self.as_ptr(), name.as_ptr(), parameter) }
    }

    /// A key of the node's environment.
    pub fn env(self, key: &CStr) -> Option<&'static CStr> {
        let value = self.command(c"GETENV", Some(key));
        if value.is_null() {
            return None;
        }
        // SAFETY: the environment's values are C strings that are never freed.
        Some(unsafe { CStr::from_ptr(value) })
    }

    /// The service's own handle.
    pub fn handle(self) -> u32 {
        let name = self.command(c"REG", None);
        assert!(!name.is_null(), "REG without a name answers the handle");
        // SAFETY: the answer is a C string that lives until the next command.
        let name = unsafe { CStr::from_ptr(name) }.to_bytes();
        let digits = name.strip_prefix(b":").unwrap_or(name);
        let digits = str::from_utf8(digits).unwrap_or("");
        u32::from_str_radix(digits, 16).expect("a handle is written in hexadecimal")
    }

    /// Sends a copy of `message`.
    pub fn send(self, destination: u32, kind: c_int, session: c_int, message: &[u8]) {
        // SAFETY: the core only reads the message: the type has no DONTCOPY.
        unsafe {
            skynet_send(
                self.as_ptr(),
                0,
                destination,
                kind,
                session,
                message.as_ptr().cast_mut().cast::<c_void>(),
                message.len(),
            );
        }
    }

    /// Tells `destination` that its request `session` to `source` has failed.
    pub fn send_error(self, source: u32, destination: u32, session: c_int) {
        // SAFETY: an error message is empty.
        unsafe {
            skynet_send(
                self.as_ptr(),
                source,
                destination,
                PTYPE_ERROR,
                session,
                ptr::null_mut(),
                0,
            );
        }
    }

    /// Passes on a message in the name of `source`; false if there was no such
    /// destination, and the message is gone.
    ///
    /// # Safety
    ///
    /// `message` comes from the malloc family, holds `size` bytes, and belongs
    /// to the core from here on.
    pub unsafe fn forward(
        self,
        source: u32,
        destination: u32,
        kind: c_int,
        session: c_int,
        message: *mut c_void,
        size: usize,
    ) -> bool {
        // SAFETY: the caller gives the message away, and DONTCOPY says so.
        let sent = unsafe {
            skynet_send(
                self.as_ptr(),
                source,
                destination,
                kind | PTYPE_TAG_DONTCOPY,
                session,
                message,
                size,
            )
        };
        sent >= 0
    }
}
