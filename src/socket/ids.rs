//! Giving out ids.

use super::event::Id;
use crate::sync::{Mutex, MutexGuard, lock};
use std::collections::HashSet;

/// The ids in use. They count upwards, so that a number comes back as late as
/// possible, and one that is alive is passed over.
#[derive(Debug, Default)]
pub struct Ids {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Id,
    alive: HashSet<Id>,
}

impl Ids {
    /// A new id; `None` when every number is taken.
    pub fn reserve(&self) -> Option<Id> {
        let mut state = self.lock();
        if state.alive.len() >= Id::MAX as usize {
            return None;
        }
        loop {
            let id = state.last.checked_add(1).unwrap_or(1);
            state.last = id;
            if state.alive.insert(id) {
                return Some(id);
            }
        }
    }

    /// Gives an id back.
    pub fn release(&self, id: Id) {
        self.lock().alive.remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code under the lock leaves the state half changed, so a panic
        // there (out of memory) is no reason to refuse service.
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order() {
        let ids = Ids::default();
        assert_eq!(ids.reserve(), Some(1));
        assert_eq!(ids.reserve(), Some(2));
        ids.release(1);
        assert_eq!(ids.reserve(), Some(3));
    }

    #[test]
    fn passes_over_the_living_when_it_wraps() {
        let ids = Ids::default();
        assert_eq!(ids.reserve(), Some(1));
        ids.state.lock().unwrap().last = Id::MAX - 1;
        assert_eq!(ids.reserve(), Some(Id::MAX));
        assert_eq!(ids.reserve(), Some(2));
    }
}
