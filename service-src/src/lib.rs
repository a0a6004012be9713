//! The services that the reference implements in C: [`snlua`], which runs a
//! service written in Lua, the [`logger`], the [`harbor`] and the [`gate`].
//!
//! They see the core through its C ABI alone, as any third party's service
//! does. Linked into the executable they are its built-in services; built as a
//! shared object they load into any core with that ABI, copied or linked under
//! the names that `cpath` is searched for (`snlua.so`, `logger.so`,
//! `harbor.so`, `gate.so`).
//!
//! Each has the four entry points of a module. The core calls `create` and
//! `init` on one thread, then the callback on one thread at a time, then
//! `release` when nobody refers to the service any more. `signal` may come from
//! any thread at any moment in between.

mod block;
mod context;
pub mod gate;
pub mod harbor;
pub mod logger;
pub mod snlua;

pub use snlua::embedded::{Embedded, set_embedded};
