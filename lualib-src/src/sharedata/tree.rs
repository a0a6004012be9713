//! A Lua table and all tables in it, as memory that any thread may read.
//!
//! A tree is made once, by a [`Builder`], and then never changes, but for two things:
//! how many use it, and whether there is a newer one.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// Strings up to this many bytes are kept once.
const SHORT: usize = 64;

/// It does not fit: a tree has at most 4 GiB of strings and as many tables as fit in 32
/// bits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Where a string is among those of its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    start: u32,
    size: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Nil,
    Integer(i64),
    Real(f64),
    Boolean(bool),
    String(Text),
    /// A table's index.
    Table(u32),
}

/// What a value is kept under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Integer(i64),
    String(Text),
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    Integer(i64),
    String(&'a [u8]),
}

impl Key<'_> {
    /// FNV-1a for strings, with the high bits mixed into the low ones, which choose
    /// the slot.
    fn hash(self) -> usize {
        let mixed = match self {
            Key::Integer(number) => (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            Key::String(bytes) => bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            }),
        };
        (mixed ^ (mixed >> 32)) as usize
    }
}

#[derive(Clone, Copy)]
struct Node {
    name: Name,
    value: Value,
}

/// One table.
pub(crate) struct Table {
    /// The values of 1, 2, 3, …
    array: Box<[Value]>,
    /// The others, in the order in which they were added.
    nodes: Box<[Node]>,
    /// Indices of nodes plus one, by the hash of their names; 0 is free, and at least
    /// one is. Their number is a power of two.
    slots: Box<[u32]>,
    /// The tree, for who has nothing but the table's address.
    pub(crate) tree: *const Tree,
}

pub(crate) struct Tree {
    texts: Box<[u8]>,
    /// The first one has the others in it.
    pub(crate) tables: Box<[Table]>,
    references: AtomicI64,
    outdated: AtomicBool,
}

impl Tree {
    /// The bytes of one of its strings.
    pub(crate) fn text(&self, text: Text) -> &[u8] {
        let start = text.start as usize;
        self.texts
            .get(start..start + text.size as usize)
            .unwrap_or_default()
    }

    /// Counts one user more or less; how many there are then. What a user did to the
    /// tree comes before what is done by who finds that there are none.
    pub(crate) fn count(&self, change: i64) -> i64 {
        self.references
            .fetch_add(change, Ordering::AcqRel)
            .wrapping_add(change)
    }

    /// How many use it.
    pub(crate) fn references(&self) -> i64 {
        self.references.load(Ordering::Acquire)
    }

    /// Says that there is a newer tree.
    pub(crate) fn mark(&self) {
        self.outdated.store(true, Ordering::Release);
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.outdated.load(Ordering::Acquire)
    }
}

impl Table {
    /// How many values are under 1, 2, 3, …, with nil among them perhaps.
    pub(crate) fn array_len(&self) -> usize {
        self.array.len()
    }

    /// How many other values there are.
    pub(crate) fn hash_len(&self) -> usize {
        self.nodes.len()
    }

    /// The index of an integer key in the array.
    fn in_array(&self, key: Key) -> Option<usize> {
        match key {
            Key::Integer(number) => usize::try_from(number)
                .ok()?
                .checked_sub(1)
                .filter(|&at| at < self.array.len()),
            Key::String(_) => None,
        }
    }

    /// The index of a key's node.
    fn find(&self, tree: &Tree, key: Key) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = key.hash() & mask;
        loop {
            let at = (*self.slots.get(slot)? as usize).checked_sub(1)?;
            let same = match (self.nodes.get(at)?.name, key) {
                (Name::Integer(name), Key::Integer(key)) => name == key,
                (Name::String(name), Key::String(key)) => tree.text(name) == key,
                _ => false,
            };
            if same {
                return Some(at);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// The value of a key; nil if there is none.
    pub(crate) fn get(&self, tree: &Tree, key: Key) -> Value {
        if let Some(at) = self.in_array(key) {
            return self.array[at];
        }
        self.find(tree, key)
            .map_or(Value::Nil, |at| self.nodes[at].value)
    }

    /// The key after this one, or the first one; nothing after the last one and after
    /// what is no key.
    pub(crate) fn next(&self, tree: &Tree, key: Option<Key>) -> Option<Name> {
        let from = match key {
            None => 0,
            Some(key) => match self.in_array(key) {
                Some(at) => at + 1,
                None => return Some(self.nodes.get(self.find(tree, key)? + 1)?.name),
            },
        };
        let found = (from..self.array.len()).find(|&at| self.array[at] != Value::Nil);
        match found {
            Some(at) => Some(Name::Integer(at as i64 + 1)),
            None => Some(self.nodes.first()?.name),
        }
    }
}

struct Draft {
    array: Vec<Value>,
    nodes: Vec<Node>,
}

/// A tree in the making.
#[derive(Default)]
pub(crate) struct Builder {
    texts: Vec<u8>,
    short: HashMap<Box<[u8]>, Text>,
    tables: Vec<Draft>,
}

impl Builder {
    /// Begins a table with an array of this many values, all nil; the table's index.
    pub(crate) fn begin(&mut self, array: usize) -> Result<u32, TooLarge> {
        let index = u32::try_from(self.tables.len()).map_err(|_| TooLarge)?;
        self.tables.push(Draft {
            array: vec![Value::Nil; array],
            nodes: Vec::new(),
        });
        Ok(index)
    }

    /// Keeps a string.
    pub(crate) fn text(&mut self, bytes: &[u8]) -> Result<Text, TooLarge> {
        if let Some(&text) = self.short.get(bytes) {
            return Ok(text);
        }
        let text = Text {
            start: u32::try_from(self.texts.len()).map_err(|_| TooLarge)?,
            size: u32::try_from(bytes.len()).map_err(|_| TooLarge)?,
        };
        self.texts.extend_from_slice(bytes);
        if bytes.len() <= SHORT {
            self.short.insert(bytes.into(), text);
        }
        Ok(text)
    }

    /// Sets a value of a table's array, counted from 0.
    pub(crate) fn set(&mut self, table: u32, at: usize, value: Value) {
        let place = self
            .tables
            .get_mut(table as usize)
            .and_then(|table| table.array.get_mut(at));
        if let Some(place) = place {
            *place = value;
        }
    }

    /// Adds a value under a name that the table does not have yet, and that is no
    /// index of its array.
    pub(crate) fn add(&mut self, table: u32, name: Name, value: Value) -> Result<(), TooLarge> {
        if let Some(table) = self.tables.get_mut(table as usize) {
            // A slot has 32 bits.
            if table.nodes.len() >= u32::MAX as usize {
                return Err(TooLarge);
            }
            table.nodes.push(Node { name, value });
        }
        Ok(())
    }

    /// The finished tree, which nobody uses yet.
    pub(crate) fn finish(self) -> Tree {
        let texts = self.texts.into_boxed_slice();
        let mut tree = Tree {
            texts,
            tables: Box::default(),
            references: AtomicI64::new(0),
            outdated: AtomicBool::new(false),
        };
        tree.tables = self
            .tables
            .into_iter()
            .map(|draft| Table {
                slots: slots(&tree, &draft.nodes),
                array: draft.array.into_boxed_slice(),
                nodes: draft.nodes.into_boxed_slice(),
                tree: ptr::null(),
            })
            .collect();
        tree
    }
}

/// The slots of a table's nodes. A quarter of them or more stays free, so that what is
/// not there is soon found missing.
fn slots(tree: &Tree, nodes: &[Node]) -> Box<[u32]> {
    if nodes.is_empty() {
        return Box::default();
    }
    let size = (nodes.len() + nodes.len() / 3 + 1).next_power_of_two();
    let mut slots = vec![0; size];
    for (number, node) in (1..).zip(nodes) {
        let key = match node.name {
            Name::Integer(number) => Key::Integer(number),
            Name::String(text) => Key::String(tree.text(text)),
        };
        let mut slot = key.hash() & (size - 1);
        while slots[slot] != 0 {
            slot = (slot + 1) & (size - 1);
        }
        slots[slot] = number;
    }
    slots.into_boxed_slice()
}
