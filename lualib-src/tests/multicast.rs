//! What multicast's packages wait in, without Lua.

#[path = "../src/multicast/exchange.rs"]
mod exchange;

use std::sync::Arc;
use std::thread;

use exchange::{Deposits, Directory, Group, Inbox};

/// A group with the inboxes of these services.
fn group(directory: &Directory<u32>, owners: &[u32]) -> (Group<u32>, Vec<Arc<Inbox<u32>>>) {
    let mut group = Group::default();
    let inboxes: Vec<_> = owners
        .iter()
        .map(|&owner| directory.open(owner).unwrap())
        .collect();
    for inbox in &inboxes {
        group.add(inbox.clone());
    }
    (group, inboxes)
}

fn taken(inbox: &Inbox<u32>) -> Vec<u32> {
    std::iter::from_fn(|| inbox.take())
        .map(|package| *package)
        .collect()
}

#[test]
fn order() {
    let directory = Directory::new();
    let (mut group, inboxes) = group(&directory, &[3, 1, 2]);
    let mut told = Vec::new();
    for number in 0..3 {
        group.publish(&Arc::new(number), |owner| {
            told.push(owner);
            true
        });
    }
    assert_eq!(told, [3, 1, 2, 3, 1, 2, 3, 1, 2]);
    for inbox in inboxes {
        assert_eq!(taken(&inbox), [0, 1, 2]);
    }
}

#[test]
fn members() {
    let directory = Directory::new();
    let (mut group, inboxes) = group(&directory, &[1, 2, 3, 4]);
    group.add(inboxes[1].clone());
    assert_eq!(group.len(), 4);
    group.remove(1);
    group.remove(1);
    group.remove(9);
    assert_eq!(group.len(), 3);
    let package = Arc::new(7);
    // Two cannot be told; those that follow in their places are told all the same.
    group.publish(&package, |owner| owner == 3);
    assert_eq!(group.len(), 1);
    for (place, inbox) in inboxes.iter().enumerate() {
        assert_eq!(taken(inbox), vec![7; (place > 0).into()]);
    }
    group.remove(3);
    assert_eq!(group.len(), 0);
}

#[test]
fn drops() {
    let directory = Directory::new();
    let (mut group, inboxes) = group(&directory, &[1, 2]);
    let package = Arc::new(7);
    group.publish(&package, |_| true);
    group.publish(&package, |_| true);
    assert_eq!(Arc::strong_count(&package), 5);
    directory.close(&inboxes[0]);
    assert_eq!(Arc::strong_count(&package), 3);
    // A closed inbox takes nothing, its owner is not told, and it leaves.
    group.publish(&package, |owner| {
        assert_eq!(owner, 2);
        true
    });
    assert_eq!((Arc::strong_count(&package), group.len()), (4, 1));
    assert!(inboxes[0].take().is_none());
    drop(taken(&inboxes[1]));
    assert_eq!(Arc::strong_count(&package), 1);
}

#[test]
fn one_inbox_for_a_service() {
    let directory = Directory::<u32>::new();
    let first = directory.open(1).unwrap();
    assert!(directory.open(1).is_none());
    assert!(Arc::ptr_eq(&directory.find(1).unwrap(), &first));
    assert!(directory.find(2).is_none());
    directory.close(&first);
    assert!(directory.find(1).is_none());
    // A later service of the handle: a group that knows the first takes the new one.
    let second = directory.open(1).unwrap();
    let mut group = Group::default();
    group.add(first);
    group.add(second.clone());
    assert_eq!(group.len(), 1);
    group.publish(&Arc::new(5), |_| true);
    assert_eq!(taken(&second), [5]);
}

#[test]
fn deposits() {
    let deposits = Deposits::new();
    let things = [Arc::new(0), Arc::new(1), Arc::new(2)];
    let tickets = things.each_ref().map(|thing| deposits.put(thing.clone()));
    assert!(tickets[0] < tickets[1] && tickets[1] < tickets[2]);
    assert_eq!(deposits.take(tickets[1]).as_deref(), Some(&1));
    assert!(deposits.take(tickets[1]).is_none());
    assert!(deposits.take(tickets[2] + 1).is_none());
    deposits.clear();
    assert!(deposits.take(tickets[0]).is_none());
    assert_eq!(things.map(|thing| Arc::strong_count(&thing)), [1, 1, 1]);
}

#[test]
fn close_while_others_publish() {
    let directory = Directory::new();
    let (mut group, inboxes) = group(&directory, &[1, 2]);
    let package = Arc::new(7);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..10_000 {
                group.publish(&package, |_| true);
            }
        });
        scope.spawn(|| {
            while inboxes[0].take().is_none() {
                thread::yield_now();
            }
            directory.close(&inboxes[0]);
        });
    });
    assert_eq!(taken(&inboxes[1]).len(), 10_000);
    assert_eq!(Arc::strong_count(&package), 1);
}
