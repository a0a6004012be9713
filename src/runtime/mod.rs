//! The node.

pub mod env;
pub mod module;
pub mod timer;
