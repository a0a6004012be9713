//! Where packages wait, and who may have them.
//!
//! An inbox belongs to one service: it is found in the directory from `open` to
//! `close`, and takes packages as long. Groups refer to inboxes; one that is closed
//! drops out of a group when something is published to it.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Packages that a service has been sent and has not taken yet.
pub struct Inbox<T> {
    owner: u32,
    waiting: Mutex<Waiting<T>>,
}

struct Waiting<T> {
    packages: VecDeque<Arc<T>>,
    closed: bool,
}

/// The inboxes of a process.
pub struct Directory<T>(Mutex<BTreeMap<u32, Arc<Inbox<T>>>>);

/// What was deposited under a ticket, until somebody takes it.
pub struct Deposits<T>(Mutex<Tickets<T>>);

struct Tickets<T> {
    last: i64,
    deposits: BTreeMap<i64, T>,
}

/// The inboxes that a channel's packages go to.
pub struct Group<T> {
    members: Vec<Arc<Inbox<T>>>,
    /// Where a member is, by its owner.
    places: HashMap<u32, usize>,
}

impl<T> Inbox<T> {
    /// The oldest package.
    pub fn take(&self) -> Option<Arc<T>> {
        locked(&self.waiting).packages.pop_front()
    }

    /// Adds a package; `false` if the inbox is closed.
    fn put(&self, package: Arc<T>) -> bool {
        let mut waiting = locked(&self.waiting);
        if waiting.closed {
            return false;
        }
        waiting.packages.push_back(package);
        true
    }
}

impl<T> Directory<T> {
    pub const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// A new inbox; nothing if the service has one already.
    pub fn open(&self, owner: u32) -> Option<Arc<Inbox<T>>> {
        let mut inboxes = locked(&self.0);
        if inboxes.contains_key(&owner) {
            return None;
        }
        let waiting = Waiting {
            packages: VecDeque::new(),
            closed: false,
        };
        let inbox = Arc::new(Inbox {
            owner,
            waiting: Mutex::new(waiting),
        });
        inboxes.insert(owner, inbox.clone());
        Some(inbox)
    }

    pub fn find(&self, owner: u32) -> Option<Arc<Inbox<T>>> {
        locked(&self.0).get(&owner).cloned()
    }

    /// Ends an inbox: what is in it is given up, and it takes nothing any more.
    pub fn close(&self, inbox: &Inbox<T>) {
        locked(&self.0).remove(&inbox.owner);
        let mut waiting = locked(&inbox.waiting);
        waiting.closed = true;
        let packages = std::mem::take(&mut waiting.packages);
        // They are dropped without the lock.
        drop(waiting);
        drop(packages);
    }
}

impl<T> Deposits<T> {
    pub const fn new() -> Self {
        let tickets = Tickets {
            last: 0,
            deposits: BTreeMap::new(),
        };
        Self(Mutex::new(tickets))
    }

    /// Keeps something, and returns its ticket.
    pub fn put(&self, what: T) -> i64 {
        let mut tickets = locked(&self.0);
        tickets.last += 1;
        let ticket = tickets.last;
        tickets.deposits.insert(ticket, what);
        ticket
    }

    /// What was deposited; nothing if it was taken already.
    pub fn take(&self, ticket: i64) -> Option<T> {
        locked(&self.0).deposits.remove(&ticket)
    }

    /// Gives up whatever is left.
    pub fn clear(&self) {
        let left = std::mem::take(&mut locked(&self.0).deposits);
        drop(left);
    }
}

impl<T> Default for Group<T> {
    fn default() -> Self {
        Self {
            members: Vec::new(),
            places: HashMap::new(),
        }
    }
}

impl<T> Group<T> {
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Adds a service's inbox, once.
    pub fn add(&mut self, inbox: Arc<Inbox<T>>) {
        match self.places.get(&inbox.owner) {
            Some(&place) => self.members[place] = inbox,
            None => {
                self.places.insert(inbox.owner, self.members.len());
                self.members.push(inbox);
            }
        }
    }

    pub fn remove(&mut self, owner: u32) {
        if let Some(place) = self.places.remove(&owner) {
            self.members.swap_remove(place);
            if let Some(moved) = self.members.get(place) {
                self.places.insert(moved.owner, place);
            }
        }
    }

    /// Puts a package into each inbox, and tells its owner, after that. Members whose
    /// inbox is closed, or whose owner cannot be told, leave the group.
    pub fn publish(&mut self, package: &Arc<T>, mut tell: impl FnMut(u32) -> bool) {
        let mut gone = Vec::new();
        for inbox in &self.members {
            // A package for an owner that is gone goes with its inbox.
            if !(inbox.put(package.clone()) && tell(inbox.owner)) {
                gone.push(inbox.owner);
            }
        }
        for owner in gone {
            self.remove(owner);
        }
    }
}

/// The data is whole between any two statements that hold the lock.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
