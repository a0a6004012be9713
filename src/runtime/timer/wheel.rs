//! A hierarchical timing wheel over 64-bit ticks.
//!
//! Level `n` has 64 slots of 64^n ticks. An entry sits at the level of the
//! highest group of six bits in which its tick differs from the wheel's, so
//! every entry of a level is due before any entry of the level above, and
//! within a level the slots are due in the order of their index. Occupancy is
//! kept in bit masks and each slot knows its earliest tick, which makes the
//! next expiry a matter of two bit scans and exact, however far away it is.
//!
//! Eleven levels cover every `u64`: there is no longest timeout and no wrap.
//! Entries for one tick leave in the order in which they came: a slot is moved
//! down before the wheel's tick enters it, hence before a later entry for the
//! same tick could be put on a lower level.

#![forbid(unsafe_code)]

use std::mem;

const LEVEL_BITS: u32 = 6;
const SLOTS: usize = 1 << LEVEL_BITS;
const LEVELS: usize = u64::BITS.div_ceil(LEVEL_BITS) as usize;

/// Entries in a full block. Blocks bound what one insertion copies when a slot
/// grows, and what is still held while a slot is being emptied.
const BLOCK: usize = 512;
/// An emptied slot keeps room for this many entries; the rest goes back.
const KEEP: usize = 16;

struct Entry<T> {
    tick: u64,
    item: T,
}

/// Items in order of arrival: those of one slot, or those that are due at one tick.
pub struct Bucket<T> {
    full: Vec<Vec<Entry<T>>>,
    open: Vec<Entry<T>>,
    earliest: u64,
}

impl<T> Bucket<T> {
    pub const fn new() -> Self {
        Bucket {
            full: Vec::new(),
            open: Vec::new(),
            earliest: u64::MAX,
        }
    }

    fn push(&mut self, entry: Entry<T>) {
        if self.open.len() == BLOCK {
            let block = mem::replace(&mut self.open, Vec::with_capacity(BLOCK));
            self.full.push(block);
        }
        self.earliest = self.earliest.min(entry.tick);
        self.open.push(entry);
    }

    /// Takes the items out one by one, giving memory back on the way.
    pub fn drain(&mut self, mut take: impl FnMut(T)) {
        self.drain_entries(|entry| take(entry.item));
    }

    fn drain_entries(&mut self, mut take: impl FnMut(Entry<T>)) {
        for block in self.full.drain(..) {
            block.into_iter().for_each(&mut take);
        }
        self.open.drain(..).for_each(&mut take);
        if self.full.capacity() > KEEP {
            self.full = Vec::new();
        }
        if self.open.capacity() > KEEP {
            self.open = Vec::new();
        }
        self.earliest = u64::MAX;
    }

    fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

struct Level<T> {
    /// Bit `i` is set when slot `i` holds entries.
    occupied: u64,
    slots: [Bucket<T>; SLOTS],
}

/// The wheel. It does not read a clock: the caller says what tick it is.
pub struct Wheel<T> {
    /// Everything due before this tick has left.
    tick: u64,
    /// Bit `i` is set when level `i` holds entries.
    occupied: u16,
    levels: Box<[Level<T>]>,
}

impl<T> Wheel<T> {
    /// An empty wheel at `tick`.
    pub fn new(tick: u64) -> Self {
        let level = || Level {
            occupied: 0,
            slots: [const { Bucket::new() }; SLOTS],
        };
        Wheel {
            tick,
            occupied: 0,
            levels: (0..LEVELS).map(|_| level()).collect(),
        }
    }

    /// Adds an item that is due at `tick`; if that has passed, at the wheel's tick.
    pub fn insert(&mut self, tick: u64, item: T) {
        let tick = tick.max(self.tick);
        let level = level_of(self.tick ^ tick);
        let slot = slot_of(tick, level);
        let row = &mut self.levels[level];
        row.slots[slot].push(Entry { tick, item });
        row.occupied |= 1 << slot;
        self.occupied |= 1 << level;
    }

    /// When the earliest item is due.
    pub fn next(&self) -> Option<u64> {
        self.first()
            .map(|(level, slot)| self.levels[level].slots[slot].earliest)
    }

    /// Moves the items of the earliest tick that is not after `now` into `due`,
    /// which must be empty, and returns true; or returns false, and the wheel
    /// is at `now`. To be repeated until it does.
    pub fn pop_due(&mut self, now: u64, due: &mut Bucket<T>) -> bool {
        debug_assert!(due.is_empty());
        while let Some((level, slot)) = self.first() {
            let start = self.start_of(level, slot);
            if start > now {
                break;
            }
            if level == 0 {
                self.tick = start;
                self.take(level, slot, due);
                return true;
            }
            // Its memory goes back: the slot's turn comes again after a whole round.
            let mut moving = Bucket::new();
            self.take(level, slot, &mut moving);
            self.tick = start;
            moving.drain_entries(|entry| self.insert(entry.tick, entry.item));
        }
        self.tick = self.tick.max(now);
        false
    }

    /// The slot that is due first.
    fn first(&self) -> Option<(usize, usize)> {
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros() as usize;
        Some((level, self.levels[level].occupied.trailing_zeros() as usize))
    }

    /// The first tick of a slot that is not behind the wheel's tick.
    fn start_of(&self, level: usize, slot: usize) -> u64 {
        let shift = level as u32 * LEVEL_BITS;
        let above = self
            .tick
            .checked_shr(shift + LEVEL_BITS)
            .and_then(|high| high.checked_shl(shift + LEVEL_BITS))
            .unwrap_or(0);
        above | (slot as u64) << shift
    }

    /// Exchanges a slot's bucket for an empty one.
    fn take(&mut self, level: usize, slot: usize, into: &mut Bucket<T>) {
        let row = &mut self.levels[level];
        mem::swap(&mut row.slots[slot], into);
        row.occupied &= !(1 << slot);
        if row.occupied == 0 {
            self.occupied &= !(1 << level);
        }
    }
}

/// The level for a tick that differs from the wheel's in the bits of `difference`.
fn level_of(difference: u64) -> usize {
    ((difference | 1).ilog2() / LEVEL_BITS) as usize
}

fn slot_of(tick: u64, level: usize) -> usize {
    (tick >> (level as u32 * LEVEL_BITS)) as usize % SLOTS
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Everything due up to `now`, as (tick, item).
    fn pop_all(wheel: &mut Wheel<u32>, now: u64) -> Vec<(u64, u32)> {
        let mut due = Bucket::new();
        let mut out = Vec::new();
        while wheel.pop_due(now, &mut due) {
            due.drain_entries(|entry| out.push((entry.tick, entry.item)));
        }
        out
    }

    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }
    }

    #[test]
    fn smoke() {
        let mut wheel = Wheel::new(10);
        assert_eq!(wheel.next(), None);
        wheel.insert(15, 1);
        wheel.insert(12, 2);
        assert_eq!(wheel.next(), Some(12));
        assert_eq!(pop_all(&mut wheel, 11), []);
        assert_eq!(pop_all(&mut wheel, 12), [(12, 2)]);
        assert_eq!(wheel.next(), Some(15));
        assert_eq!(pop_all(&mut wheel, 1000), [(15, 1)]);
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn a_passed_tick_is_due_at_once() {
        let mut wheel = Wheel::new(0);
        pop_all(&mut wheel, 500);
        wheel.insert(499, 1);
        wheel.insert(500, 2);
        assert_eq!(wheel.next(), Some(500));
        assert_eq!(pop_all(&mut wheel, 500), [(500, 1), (500, 2)]);
    }

    #[test]
    fn next_is_exact_at_any_distance() {
        for start in [0, 63, 64, 4095, u64::from(u32::MAX) - 3, 1 << 40] {
            for bit in 0..40 {
                for offset in [0, 1, 7] {
                    let mut wheel = Wheel::new(start);
                    let tick = start + (1 << bit) + offset;
                    wheel.insert(tick, 0);
                    assert_eq!(wheel.next(), Some(tick));
                    assert_eq!(pop_all(&mut wheel, tick - 1), []);
                    assert_eq!(wheel.next(), Some(tick));
                    assert_eq!(pop_all(&mut wheel, tick), [(tick, 0)]);
                }
            }
        }
    }

    #[test]
    fn crosses_the_32_bit_boundary() {
        let edge = 1u64 << 32;
        let mut wheel = Wheel::new(edge - 300);
        for (item, tick) in (edge - 290..edge + 300).step_by(7).enumerate() {
            wheel.insert(tick, item as u32);
        }
        let mut seen = 0;
        for now in edge - 300..edge + 310 {
            for (tick, item) in pop_all(&mut wheel, now) {
                assert_eq!((tick, item), (now, seen));
                seen += 1;
            }
        }
        assert_eq!(seen, 85);
    }

    #[test]
    fn the_last_tick() {
        let mut wheel = Wheel::new(u64::MAX - 70);
        wheel.insert(u64::MAX, 1);
        wheel.insert(u64::MAX - 1, 2);
        let due = pop_all(&mut wheel, u64::MAX);
        assert_eq!(due, [(u64::MAX - 1, 2), (u64::MAX, 1)]);
        let mut wheel = Wheel::new(0);
        wheel.insert(u64::MAX, 3);
        assert_eq!(wheel.next(), Some(u64::MAX));
        assert_eq!(pop_all(&mut wheel, u64::MAX), [(u64::MAX, 3)]);
    }

    /// Insertions and steps of random length, against a sorted map.
    #[test]
    fn order() {
        let steps = if cfg!(miri) { 300 } else { 60_000 };
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut now = u64::from(u32::MAX) - 5_000;
        let mut wheel = Wheel::new(now);
        let mut model: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        for item in 0..steps {
            let reach = 1 << (random.next() % 20);
            // Coarse ticks make many items meet at one.
            let tick = now + 1 + (random.next() % reach) / 5 * 5;
            wheel.insert(tick, item);
            model.entry(tick).or_default().push(item);
            assert_eq!(wheel.next(), model.keys().next().copied());
            if random.next().is_multiple_of(4) {
                now += random.next() % (1 << (random.next() % 12));
                let later = model.split_off(&(now + 1));
                let expected: Vec<(u64, u32)> = mem::replace(&mut model, later)
                    .into_iter()
                    .flat_map(|(tick, items)| items.into_iter().map(move |item| (tick, item)))
                    .collect();
                assert_eq!(pop_all(&mut wheel, now), expected);
            }
        }
    }

    #[test]
    fn order_in_one_tick_through_every_level() {
        let target = 5_000_001;
        let mut wheel = Wheel::new(0);
        let mut item = 0;
        for distance in [
            5_000_000, 300_000, 262_143, 5_000, 4_096, 4_095, 64, 63, 1, 0,
        ] {
            assert_eq!(pop_all(&mut wheel, target - distance - 1), []);
            for _ in 0..3 {
                wheel.insert(target, item);
                item += 1;
            }
        }
        let expected: Vec<_> = (0..item).map(|item| (target, item)).collect();
        assert_eq!(pop_all(&mut wheel, target), expected);
    }

    #[test]
    fn memory_goes_back() {
        let mut wheel = Wheel::new(0);
        for item in 0..20_000 {
            wheel.insert(1 + u64::from(item) % 10_000, item);
            wheel.insert(3_000_000, item);
        }
        assert_eq!(pop_all(&mut wheel, 4_000_000).len(), 40_000);
        let buckets = wheel.levels.iter().flat_map(|level| &level.slots);
        for bucket in buckets {
            assert!(bucket.open.capacity() <= KEEP && bucket.full.capacity() <= KEEP);
        }
    }
}
