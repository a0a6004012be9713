//! Global names, and the messages that wait for one.
#![forbid(unsafe_code)]

use std::collections::HashMap;

/// The longest name, in bytes; the ABI's field has one more.
const LONGEST: usize = 15;

/// A global name: at most 15 bytes, padded with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GlobalName([u8; LONGEST + 1]);

impl GlobalName {
    /// A name to be registered: neither empty nor too long.
    pub fn new(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > LONGEST {
            return None;
        }
        let mut field = [0; LONGEST + 1];
        field[..text.len()].copy_from_slice(text);
        Some(Self(field))
    }

    /// A name as a message carries it. Senders may fill all 16 bytes; no such
    /// name can be registered, but it is asked for like any other.
    pub fn from_field(mut field: [u8; LONGEST + 1]) -> Self {
        if let Some(end) = field.iter().position(|&byte| byte == 0) {
            field[end..].fill(0);
        }
        Self(field)
    }

    pub fn text(&self) -> &[u8] {
        let end = self.0.iter().position(|&byte| byte == 0);
        &self.0[..end.unwrap_or(self.0.len())]
    }
}

/// Where a message to a name goes.
pub enum Route<T> {
    /// To this handle, now.
    Known(u32, T),
    /// Nowhere yet: the name has to be asked for.
    Waiting,
}

enum Entry<T> {
    Registered(u32),
    Awaited(Vec<T>),
}

/// The names this node has heard of. `T` is a message.
pub struct Names<T>(HashMap<GlobalName, Entry<T>>);

impl<T> Names<T> {
    pub fn new() -> Self {
        Self(HashMap::new())
    }

    /// Says where `message` goes, and keeps it if that is not known.
    pub fn route(&mut self, name: &GlobalName, message: T) -> Route<T> {
        let entry = self
            .0
            .entry(*name)
            .or_insert_with(|| Entry::Awaited(Vec::new()));
        match entry {
            Entry::Registered(handle) => Route::Known(*handle, message),
            Entry::Awaited(waiting) => {
                waiting.push(message);
                Route::Waiting
            }
        }
    }

    /// Takes out what waits for a name that nobody has, which may still be
    /// registered.
    pub fn forget(&mut self, name: &GlobalName) -> Vec<T> {
        match self.0.get_mut(name) {
            Some(Entry::Awaited(waiting)) => std::mem::take(waiting),
            _ => Vec::new(),
        }
    }

    /// Sets a name's handle, also in place of an earlier one. Returns what
    /// waited for it, in the order it came.
    pub fn register(&mut self, name: GlobalName, handle: u32) -> Vec<T> {
        match self.0.insert(name, Entry::Registered(handle)) {
            Some(Entry::Awaited(waiting)) => waiting,
            _ => Vec::new(),
        }
    }
}
