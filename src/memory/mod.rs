//! Memory: the allocator of the process, and who is charged for what.
//!
//! Every block of the malloc family carries the account it is charged to.
//! [`open`] gives a service its [`Account`]; a worker makes it current with
//! [`set_current`] for the length of a slice, and whatever the slice allocates
//! is charged there. Whoever frees a block uncharges the account in it.
//!
//! What lives and dies in which order: the account's record is taken when the
//! service is made, closed after its last slice, and lives on until the last
//! block that was charged to it is freed, by whomever; then the next service
//! may have it. Records are never given back to the system, so a reference to
//! one is always good. Threads have records of their own, under the
//! pseudo-handles that `skynet_initthread` gives them, for what they allocate
//! outside of any service.
//!
//! The allocator runs before `main`, inside the C library and in threads that
//! this crate has never heard of. On its path nothing allocates, panics,
//! takes a lock or touches a thread-local that needs initialising.
//!
//! With the cargo feature `system-malloc` the system's allocator stays in
//! place and nothing is charged; accounts can be opened and read 0.

mod accounting;
#[cfg_attr(feature = "system-malloc", path = "system.rs")]
mod allocator;
#[cfg_attr(feature = "system-malloc", path = "system_control.rs")]
pub mod control;
mod pages;
mod records;
mod statistics;
#[cfg_attr(
    feature = "system-malloc",
    expect(dead_code, reason = "nobody is charged")
)]
mod thread;

pub use accounting::{Account, Usage};
pub use allocator::{
    aligned_alloc, calloc, free, lalloc, malloc, page_alloc, posix_memalign, realloc, usable_size,
};
pub use pages::page_size;
pub use records::open;
pub use statistics::{
    current_usage, debug_line, for_each_account, for_each_usage, total_usage, usage_by_handle,
};
pub use thread::{Current, current_handle, init_thread, is_initialised, set_current};
