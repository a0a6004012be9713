//! The objects of skynet.sharedata, without Lua.

// The file is a module of the crate; not all of it is used here.
#[path = "../src/sharedata/tree.rs"]
#[allow(dead_code)]
mod tree;

use tree::{Builder, Key, Name, Tree, Value};

/// How many keys the large table has, beside its array.
const KEYS: i64 = 5000;

/// A table with an array of which every other value is nil, integers, strings and a table.
fn sample() -> Tree {
    let mut builder = Builder::default();
    let outer = builder.begin(4).unwrap();
    builder.set(outer, 0, Value::Integer(10));
    builder.set(outer, 2, Value::Boolean(false));
    let inner = builder.begin(0).unwrap();
    let text = builder.text(b"value").unwrap();
    builder.set(outer, 3, Value::Table(inner));
    for number in 0..KEYS {
        let name = builder.text(format!("key {number}").as_bytes()).unwrap();
        builder
            .add(outer, Name::String(name), Value::Integer(number))
            .unwrap();
        builder
            .add(outer, Name::Integer(-number), Value::String(text))
            .unwrap();
    }
    builder.finish()
}

#[test]
fn lookup() {
    let tree = sample();
    let [outer, inner] = &*tree.tables else {
        panic!("{} tables", tree.tables.len());
    };
    assert_eq!(outer.get(&tree, Key::Integer(1)), Value::Integer(10));
    assert_eq!(outer.get(&tree, Key::Integer(2)), Value::Nil);
    assert_eq!(outer.get(&tree, Key::Integer(4)), Value::Table(1));
    for number in 0..KEYS {
        let name = format!("key {number}");
        let found = outer.get(&tree, Key::String(name.as_bytes()));
        assert_eq!(found, Value::Integer(number));
        let Value::String(text) = outer.get(&tree, Key::Integer(-number)) else {
            panic!("no string under {}", -number);
        };
        assert_eq!(tree.text(text), b"value");
    }
    for missing in [Key::Integer(5), Key::Integer(i64::MIN), Key::String(b"")] {
        assert_eq!(outer.get(&tree, missing), Value::Nil);
        assert_eq!(outer.next(&tree, Some(missing)), None);
        assert_eq!(inner.get(&tree, missing), Value::Nil);
    }
    assert_eq!((outer.array_len(), inner.array_len()), (4, 0));
    assert_eq!(outer.hash_len() as i64, 2 * KEYS);
}

#[test]
fn order() {
    let tree = sample();
    let (outer, inner) = (&tree.tables[0], &tree.tables[1]);
    assert_eq!(inner.next(&tree, None), None);
    let mut names = Vec::new();
    let mut key = None;
    while let Some(name) = outer.next(&tree, key) {
        names.push(name);
        key = Some(match name {
            Name::Integer(number) => Key::Integer(number),
            Name::String(text) => Key::String(tree.text(text)),
        });
    }
    assert_eq!(names.len() as i64, 3 + 2 * KEYS);
    let array = [1, 3, 4].map(Name::Integer);
    assert_eq!(names[..3], array);
    assert_eq!(names[4], Name::Integer(0));
    // From a hole in the array it goes on, too.
    assert_eq!(outer.next(&tree, Some(Key::Integer(2))), Some(array[1]));
}

#[test]
fn short_strings_are_kept_once() {
    let mut builder = Builder::default();
    let (short, long) = ([b'x'; 10], [b'x'; 1000]);
    assert_eq!(builder.text(&short), builder.text(&short));
    assert_ne!(builder.text(&long), builder.text(&long));
    let (a, b) = (builder.text(&short).unwrap(), builder.text(&long).unwrap());
    let tree = builder.finish();
    assert_eq!((tree.text(a), tree.text(b)), (&short[..], &long[..]));
}

#[test]
fn counts_add_up() {
    // The address of the tree in its tables is not used here.
    struct Shared(Tree);
    // SAFETY: nothing but the two atomics of a tree changes.
    unsafe impl Sync for Shared {}

    let shared = Shared(sample());
    let shared = &shared;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                let tree = &{ shared }.0;
                for _ in 0..50_000 {
                    assert!(tree.count(1) >= 1);
                    tree.count(-1);
                }
                tree.count(1);
                tree.mark();
            });
        }
    });
    assert_eq!(shared.0.references(), 4);
    assert!(shared.0.is_marked());
}
