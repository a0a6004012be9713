//! The node: services, their mailboxes, and what runs them.
//!
//! A message's journey, file by file: [`send`] checks it and makes it a
//! [`message`]; [`node::route`] finds its destination in the [`registry`] or
//! hands it to the [`harbor`]; it waits in a [`mailbox`]; the [`scheduler`] has a
//! worker run a slice of that mailbox; the [`service`] hands it to its callback.

mod clock;
pub mod command;
pub(crate) mod cpu;
mod cycles;
pub mod daemon;
pub mod env;
pub mod harbor;
pub mod heap;
pub mod logging;
pub(crate) mod mailbox;
pub mod message;
pub mod module;
pub mod monitor;
pub mod node;
pub mod registry;
pub(crate) mod scheduler;
pub mod send;
pub mod service;
pub mod signals;
pub mod start;
pub mod timer;

use message::Message;
use service::Service;

/// Puts a message into the mailbox of a service that the caller has a reference
/// of; the message comes back when the service is gone.
///
/// # Errors
/// The service's mailbox is closed.
pub fn deliver(service: &Service, message: Message) -> Result<(), Message> {
    if let Some(runnable) = service.mailbox().push(message)? {
        scheduler::schedule(runnable);
    }
    Ok(())
}
