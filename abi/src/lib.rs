//! Rust declarations of skynet's C ABI: types, constants and functions, one
//! module for each public header. There is no code here: whoever links this
//! crate gets the functions from the core it is loaded into.
//!
//! Names are those of the C headers, so that a reader of either finds the other.
#![no_std]
#![allow(non_camel_case_types)]
// The headers' generator is told by such comments which blocks to leave out.
#![allow(unused_doc_comments)]

mod context;
pub mod daemon;
pub mod env;
pub mod handle;
pub mod harbor;
pub mod imp;
pub mod log;
pub mod malloc;
pub mod malloc_hook;
pub mod mem_info;
pub mod module;
pub mod monitor;
pub mod mq;
pub mod server;
pub mod skynet;
pub mod socket;
pub mod socket_buffer;
pub mod socket_info;
pub mod socket_server;
pub mod timer;

pub use skynet::*;
