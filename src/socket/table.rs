//! All sockets of a server, by their ids, for any thread.

use super::event::{Id, Owner};
use super::socket::Socket;
use crate::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard, lock};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// Locks to take turns on: more than threads that look sockets up at a time.
const SHARDS: usize = 64;

/// A map by ids.
pub type ById<T> = HashMap<Id, T, BuildHasherDefault<IdHasher>>;

/// Spreads ids, which count upwards and are nobody's choice.
#[derive(Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_i32(&mut self, id: i32) {
        // The map takes its slot from the low bits, and a tag from the high ones.
        let spread = (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread ^ (spread >> 32);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_i32(self.0 as i32 ^ i32::from(*byte));
        }
    }
}

/// The sockets that are alive. Ids count upwards, so that a number comes back as
/// late as possible, and one that is alive is passed over.
#[derive(Debug)]
pub struct Table {
    shards: Box<[Mutex<ById<Arc<Socket>>>]>,
    last: AtomicI32,
    count: AtomicUsize,
}

impl Table {
    pub fn new() -> Table {
        Table {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            last: AtomicI32::new(0),
            count: AtomicUsize::new(0),
        }
    }

    /// A socket that is about to be opened, under a new id; `None` when every
    /// number is taken.
    pub fn reserve(&self, owner: Owner) -> Option<Arc<Socket>> {
        // Counted first, so that a number is left for everybody who looks for one.
        if self.count.fetch_add(1, Ordering::Relaxed) >= Id::MAX as usize {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        loop {
            let next = |last: Id| Some(last.checked_add(1).unwrap_or(1));
            let update = self
                .last
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
            let id = match update {
                Ok(last) | Err(last) => next(last)?,
            };
            let mut shard = self.shard(id);
            if let std::collections::hash_map::Entry::Vacant(entry) = shard.entry(id) {
                let socket = Arc::new(Socket::new(id, owner));
                entry.insert(Arc::clone(&socket));
                return Some(socket);
            }
        }
    }

    pub fn get(&self, id: Id) -> Option<Arc<Socket>> {
        self.shard(id).get(&id).cloned()
    }

    /// Takes a socket out; its id may be given out again.
    pub fn release(&self, id: Id) {
        if self.shard(id).remove(&id).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many sockets there are.
    #[inline]
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// The sockets there are now, by ascending id.
    pub fn all(&self) -> Vec<Arc<Socket>> {
        let mut all = Vec::with_capacity(self.count());
        for shard in &self.shards {
            all.extend(lock(shard).values().cloned());
        }
        all.sort_unstable_by_key(|socket| socket.id());
        all
    }

    /// Each socket's id and owner, in any order.
    pub fn owners(&self) -> Vec<(Id, Owner)> {
        let mut owners = Vec::with_capacity(self.count());
        for shard in &self.shards {
            let shard = lock(shard);
            owners.extend(shard.values().map(|socket| (socket.id(), socket.owner())));
        }
        owners
    }

    fn shard(&self, id: Id) -> MutexGuard<'_, ById<Arc<Socket>>> {
        lock(&self.shards[id as usize % SHARDS])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reserve(table: &Table) -> Option<Id> {
        table.reserve(1).map(|socket| socket.id())
    }

    #[test]
    fn order() {
        let table = Table::new();
        assert_eq!(reserve(&table), Some(1));
        assert_eq!(reserve(&table), Some(2));
        assert_eq!(table.count(), 2);
        table.release(1);
        table.release(1);
        assert_eq!(table.count(), 1);
        assert!(table.get(1).is_none());
        assert_eq!(table.get(2).unwrap().id(), 2);
        assert_eq!(reserve(&table), Some(3));
        let ids: Vec<Id> = table.all().iter().map(|socket| socket.id()).collect();
        assert_eq!(ids, [2, 3]);
    }

    #[test]
    fn passes_over_the_living_when_it_wraps() {
        let table = Table::new();
        assert_eq!(reserve(&table), Some(1));
        table.last.store(Id::MAX - 1, Ordering::Relaxed);
        assert_eq!(reserve(&table), Some(Id::MAX));
        assert_eq!(reserve(&table), Some(2));
    }

    /// What thousands of idle connections cost, beside the descriptors.
    #[test]
    fn a_socket_is_small() {
        use crate::socket::connection::Connection;
        let size = size_of::<Socket>() + size_of::<Connection>();
        assert!(size <= 512, "{size} bytes");
    }

    #[test]
    fn ids_that_none_has() {
        let table = Table::new();
        for id in [0, -1, Id::MIN, Id::MAX] {
            assert!(table.get(id).is_none());
            table.release(id);
        }
        assert_eq!(table.count(), 0);
    }
}
