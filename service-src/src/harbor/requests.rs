//! Requests that were sent to other nodes, and wait for their answers there.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// As many requests are in one of the two lists at most.
const LIST: usize = 1 << 18;

/// Below this it does not matter what is kept in vain.
const FEW: usize = 1024;

/// A request of this node's: who sent it, its session, whom it was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    pub source: u32,
    pub session: i32,
    pub destination: u32,
}

/// Spreads the sessions of a few services over all bits. The keys are this
/// node's own, so nobody can choose them to collide.
#[derive(Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 << 8 | u64::from(byte));
        }
    }

    fn write_u64(&mut self, key: u64) {
        let wide = u128::from(key ^ self.0) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (wide >> 64) as u64 ^ wide as u64;
    }
}

type List = HashMap<u64, u32, BuildHasherDefault<Spread>>;

fn key(source: u32, session: i32) -> u64 {
    u64::from(source) << 32 | u64::from(session.cast_unsigned())
}

fn request(key: u64, destination: u32) -> Request {
    Request {
        source: (key >> 32) as u32,
        session: (key as u32).cast_signed(),
        destination,
    }
}

/// The requests. Not every message with a session is answered to this harbor or
/// at all, so what is old is forgotten when there is too much: there are two
/// lists, and when the younger is full it takes the place of the older.
pub struct Requests {
    young: List,
    old: List,
    /// How many there may be before the services that sent them are looked for.
    patience: usize,
}

impl Requests {
    pub fn new() -> Self {
        Self {
            young: List::default(),
            old: List::default(),
            patience: FEW,
        }
    }

    pub fn sent(&mut self, request: Request, is_alive: impl Fn(u32) -> bool) {
        if self.young.len() >= self.patience {
            self.forget_the_dead(is_alive);
        }
        let key = key(request.source, request.session);
        self.young.insert(key, request.destination);
        if !self.old.is_empty() {
            // Its session was used before, and there was no answer.
            self.old.remove(&key);
        }
    }

    pub fn answered(&mut self, source: u32, session: i32) {
        let key = key(source, session);
        if self.young.remove(&key).is_none() && !self.old.is_empty() {
            self.old.remove(&key);
        }
    }

    /// Takes out those to a harbor.
    pub fn take(&mut self, is_for: impl Fn(u32) -> bool) -> Vec<Request> {
        let mut taken = Vec::new();
        for list in [&mut self.old, &mut self.young] {
            list.retain(|&key, &mut destination| {
                let kept = !is_for(destination);
                if !kept {
                    taken.push(request(key, destination));
                }
                kept
            });
        }
        taken
    }

    /// Costs as much as there are requests, and happens when their number has
    /// doubled.
    fn forget_the_dead(&mut self, is_alive: impl Fn(u32) -> bool) {
        let mut known: HashMap<u32, bool> = HashMap::new();
        let mut lives = |key: u64| {
            let source = (key >> 32) as u32;
            *known.entry(source).or_insert_with(|| is_alive(source))
        };
        self.young.retain(|&key, _| lives(key));
        self.old.retain(|&key, _| lives(key));
        if self.young.len() >= LIST {
            self.old = core::mem::take(&mut self.young);
        }
        self.patience = (2 * self.young.len()).clamp(FEW, LIST);
        self.young.shrink_to(self.patience);
    }
}
