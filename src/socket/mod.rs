//! Sockets and foreign descriptors.
//!
//! A [`Server`] has two sides. Any thread asks it for something (`bind`,
//! `start`, `close`, …): that reserves an id where one is needed, puts a
//! [`request`] into a queue and returns; it never waits. One thread at a time
//! calls [`Server::poll`], which owns every [`connection`], carries the requests
//! out in the order they came and returns one [`event`] at a time. It sleeps in
//! the operating system's poller, without a timeout, until a descriptor has
//! something or a request arrives.
//!
//! What lives and dies in which order: an id is reserved first; the connection
//! is made when its request is carried out, and goes with its descriptor when
//! it is closed; then the id may be given out again. Dropping the server drops
//! all connections.
//!
//! [`node`] owns the node's own server and turns events into messages for
//! services, in the layout of [`message`].

mod block;
mod connection;
mod event;
mod foreign;
mod ids;
pub mod message;
pub mod node;
mod poll;
mod request;
mod server;
#[cfg(test)]
mod tests;

pub use event::{Event, Id, Polled, What};
pub use server::Server;
