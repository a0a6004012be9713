//! `struct skynet_context`, which most headers name.

use core::marker::{PhantomData, PhantomPinned};

/// A service, as C sees it: opaque, reference counted by the core.
#[repr(C)]
pub struct skynet_context {
    _private: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}
