//! The cell of skynet.stm, without Lua: versions as readers see them, when they are
//! dropped, and, under loom, that from every interleaving.

// The file is a module of the crate.
#[path = "../src/stm/cell.rs"]
mod cell;

#[cfg(not(loom))]
mod sync {
    pub use std::sync::atomic::{AtomicU64, Ordering};
    pub use std::sync::{Arc, Mutex, MutexGuard};

    pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }
}

#[cfg(loom)]
mod sync {
    pub use loom::sync::atomic::{AtomicU64, Ordering};
    pub use loom::sync::{Arc, Mutex, MutexGuard};

    pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }
}

use cell::{Cell, Reader};
use sync::Arc;

/// A value of two parts that belong together, and a count of those there are.
struct Pair {
    left: usize,
    right: usize,
    live: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

const RELAXED: std::sync::atomic::Ordering = std::sync::atomic::Ordering::Relaxed;

impl Drop for Pair {
    fn drop(&mut self) {
        self.live.fetch_sub(1, RELAXED);
    }
}

/// Makes pairs, and counts them.
#[derive(Clone, Default)]
struct Pairs(std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl Pairs {
    fn pair(&self, number: usize) -> Pair {
        self.0.fetch_add(1, RELAXED);
        Pair {
            left: number,
            right: number,
            live: self.0.clone(),
        }
    }

    fn live(&self) -> usize {
        self.0.load(RELAXED)
    }
}

fn read(reader: &mut Reader<Pair>) -> Option<usize> {
    let pair = reader.advance()?;
    assert_eq!(pair.left, pair.right);
    Some(pair.left)
}

#[cfg(not(loom))]
mod plain {
    use super::*;

    #[test]
    fn each_version_once() {
        let pairs = Pairs::default();
        let cell = Arc::new(Cell::new(pairs.pair(1)));
        let mut reader = Reader::new(cell.clone());
        assert_eq!(read(&mut reader), Some(1));
        assert_eq!(read(&mut reader), None);
        cell.replace(Some(pairs.pair(2)));
        cell.replace(Some(pairs.pair(3)));
        assert_eq!(read(&mut reader), Some(3));
        assert_eq!(read(&mut reader), None);
    }

    #[test]
    fn drops() {
        let pairs = Pairs::default();
        let cell = Arc::new(Cell::new(pairs.pair(1)));
        let mut first = Reader::new(cell.clone());
        let mut second = Reader::new(cell.clone());
        read(&mut first);
        read(&mut second);
        cell.replace(Some(pairs.pair(2)));
        assert_eq!(pairs.live(), 2);
        read(&mut first);
        assert_eq!(pairs.live(), 2);
        drop(second);
        assert_eq!(pairs.live(), 1);
        // The writer is gone: what was read stays until the next read.
        cell.replace(None);
        assert_eq!(pairs.live(), 1);
        assert_eq!(read(&mut first), None);
        assert_eq!(pairs.live(), 0);
    }

    #[test]
    fn a_visit_keeps_what_it_looks_at() {
        let pairs = Pairs::default();
        let cell = Arc::new(Cell::new(pairs.pair(1)));
        let mut reader = Reader::new(cell.clone());
        read(&mut reader);
        reader.enter();
        for number in 2..5 {
            cell.replace(Some(pairs.pair(number)));
            assert_eq!(read(&mut reader), Some(number));
            reader.enter();
            reader.leave();
        }
        assert_eq!(pairs.live(), 4);
        reader.leave();
        assert_eq!(pairs.live(), 1);
        // One end too many does no harm.
        reader.leave();
        reader.enter();
        reader.leave();
    }

    #[test]
    fn threads() {
        const VERSIONS: usize = 20_000;
        let pairs = Pairs::default();
        let cell = Arc::new(Cell::new(pairs.pair(0)));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let mut reader = Reader::new(cell.clone());
                scope.spawn(move || {
                    let mut last = 0;
                    while last < VERSIONS {
                        if let Some(number) = read(&mut reader) {
                            assert!(number == 0 || number > last);
                            last = number;
                        }
                    }
                });
            }
            for number in 1..=VERSIONS {
                cell.replace(Some(pairs.pair(number)));
            }
        });
        assert_eq!(pairs.live(), 1);
        drop(cell);
        assert_eq!(pairs.live(), 0);
    }
}

#[cfg(loom)]
mod model {
    use super::*;
    use loom::sync::atomic::AtomicBool;
    use loom::thread;
    use sync::Ordering;

    /// Two readers, one of which reads again, while the writer replaces and leaves. All
    /// interleavings are too many to try.
    #[test]
    fn versions_are_whole_in_order_and_dropped_once() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let pairs = Pairs::default();
            let cell = Arc::new(Cell::new(pairs.pair(1)));
            let readers: Vec<_> = [1, 2]
                .into_iter()
                .map(|reads| {
                    let mut reader = Reader::new(cell.clone());
                    thread::spawn(move || {
                        let mut last = 0;
                        for _ in 0..reads {
                            if let Some(number) = read(&mut reader) {
                                assert!(number > last);
                                last = number;
                            }
                        }
                    })
                })
                .collect();
            cell.replace(Some(pairs.pair(2)));
            cell.replace(None);
            drop(cell);
            for reader in readers {
                reader.join().unwrap();
            }
            assert_eq!(pairs.live(), 0);
        });
    }

    /// Who was told of a version finds it.
    #[test]
    fn a_message_about_a_version_comes_after_it() {
        loom::model(|| {
            let pairs = Pairs::default();
            let cell = Arc::new(Cell::new(pairs.pair(1)));
            let mut reader = Reader::new(cell.clone());
            assert_eq!(read(&mut reader), Some(1));
            let told = Arc::new(AtomicBool::new(false));
            let writer = {
                let told = told.clone();
                let pairs = pairs.clone();
                thread::spawn(move || {
                    cell.replace(Some(pairs.pair(2)));
                    told.store(true, Ordering::Release);
                })
            };
            if told.load(Ordering::Acquire) {
                assert_eq!(read(&mut reader), Some(2));
            }
            writer.join().unwrap();
        });
    }
}
