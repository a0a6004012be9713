//! Sockets and foreign descriptors.
//!
//! A [`Server`] has two sides. Any thread asks it for something (`connect`,
//! `start`, `close`, …): that reserves an id where one is needed, puts a
//! [`request`] into a queue and returns; it never waits. And any thread sends: it
//! writes to the descriptor itself ([`socket`]). One thread at a time calls
//! [`Server::poll`] or [`Server::drive`], which owns every [`connection`], carries
//! the requests out in the order they came, reads, accepts, sends what has had to
//! wait, and returns [`event`]s. It sleeps in the operating system's poller,
//! without a timeout, until a descriptor has something or a request arrives.
//!
//! What lives and dies in which order: an id is reserved first, and the socket is
//! in the [`table`] from then on; the connection is made when its request is
//! carried out. When a socket is closed the connection goes first, then the
//! socket leaves the table, and its id may be given out again; then what waits to
//! be sent is freed, and the descriptor is closed. A thread that has found the
//! socket in the table before finds it gone. Dropping the server drops all
//! connections.
//!
//! [`node`] owns the node's own server and turns events into messages for
//! services, in the layout of [`message`].

mod address;
mod block;
mod carry_out;
mod clock;
mod connection;
mod event;
mod foreign;
mod info;
pub mod message;
pub mod node;
mod outgoing;
mod poll;
mod request;
mod resolve;
mod serve;
mod server;
mod silence;
#[allow(clippy::module_inception)]
mod socket;
mod source;
mod table;
#[cfg(test)]
mod tests;

pub use address::{packed_size, unpack};
pub use clock::Clock;
pub use event::{Driven, Event, Id, Owner, Polled, What};
pub use info::{Info, Kind};
pub use outgoing::{Buffer, ObjectInterface, Priority};
pub use server::Server;
pub use socket::Refused;
