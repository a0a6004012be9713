//! The node.

pub mod env;
pub mod timer;
