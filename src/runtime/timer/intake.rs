//! Where timers wait until somebody moves them into the wheel.
//!
//! Threads that arm timers must not queue up at one lock, so each appends to a
//! shard of its own. Across shards the order is that of the clock readings
//! taken when the timers were armed: of two timers of which one was armed in
//! knowledge of the other, the later has the later reading, since news takes
//! longer from thread to thread than the clock's resolution.

#![forbid(unsafe_code)]

use crate::sync::{Mutex, MutexGuard, lock};
use crossbeam_utils::CachePadded;

/// A timer that is not in the wheel yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival<T> {
    /// The clock's reading when it was armed. Nanoseconds.
    pub armed: u64,
    /// When it is due.
    pub tick: u64,
    pub item: T,
}

/// Apart from the others in memory, so that their owners do not slow each other down.
type Shard<T> = CachePadded<Mutex<Vec<Arrival<T>>>>;

pub struct Intake<T> {
    shards: Box<[Shard<T>]>,
}

impl<T: Copy> Intake<T> {
    /// An intake of at least one shard.
    pub fn new(shards: usize) -> Self {
        let shard = || CachePadded::new(Mutex::new(Vec::new()));
        Intake {
            shards: (0..shards.max(1)).map(|_| shard()).collect(),
        }
    }

    /// Appends to one shard; any number will do, the calling thread's own is
    /// fastest. Returns how many the shard now holds.
    pub fn push(&self, shard: usize, arrival: Arrival<T>) -> usize {
        let mut shard = lock(&self.shards[shard % self.shards.len()]);
        shard.push(arrival);
        shard.len()
    }

    /// Moves everything into `into`, in the order of arming. At most `keep`
    /// entries' worth of memory stays with each shard.
    ///
    /// All shards are locked at one moment. Were they emptied one after the
    /// other, a timer could be left behind in the first while one armed after
    /// it is taken from the second.
    pub fn collect(&self, into: &mut Vec<Arrival<T>>, keep: usize) {
        let mut shards: Vec<MutexGuard<'_, Vec<Arrival<T>>>> = Vec::new();
        shards.reserve_exact(self.shards.len());
        shards.extend(self.shards.iter().map(|shard| lock(shard)));
        for shard in &mut shards {
            into.append(shard);
            if shard.capacity() > keep {
                **shard = Vec::new();
            }
        }
        drop(shards);
        // Mostly one thread's, and sorted; sorting would take scratch memory to find out.
        if !into.is_sorted_by_key(|arrival| arrival.armed) {
            into.sort_by_key(|arrival| arrival.armed);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn arrival(armed: u64, item: u32) -> Arrival<u32> {
        Arrival {
            armed,
            tick: 0,
            item,
        }
    }

    #[test]
    fn order() {
        let intake = Intake::new(3);
        assert_eq!(intake.push(0, arrival(1, 10)), 1);
        assert_eq!(intake.push(1, arrival(2, 11)), 1);
        assert_eq!(intake.push(0, arrival(3, 12)), 2);
        assert_eq!(intake.push(5, arrival(3, 13)), 1);
        assert_eq!(intake.push(1, arrival(3, 14)), 2);
        let mut out = Vec::new();
        intake.collect(&mut out, 8);
        let items: Vec<u32> = out.iter().map(|arrival| arrival.item).collect();
        assert_eq!(items, [10, 11, 12, 14, 13]);
        out.clear();
        intake.collect(&mut out, 8);
        assert_eq!(out, []);
    }

    #[test]
    fn memory_goes_back() {
        let intake = Intake::new(2);
        for armed in 0..1000 {
            intake.push(1, arrival(armed, 0));
        }
        intake.collect(&mut Vec::new(), 16);
        assert!(
            intake
                .shards
                .iter()
                .all(|shard| lock(shard).capacity() <= 16)
        );
    }
}
