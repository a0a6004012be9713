//! The table in docs/abi.md says of every exported function in which header it is,
//! and where it is exported, as the built files have it. With `UPDATE_ABI` in the
//! environment it is written anew.
#![cfg(all(feature = "standalone", not(feature = "system-malloc")))]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The table goes from here to the end of the file.
const MARK: &str = "<!-- The rest is written by tests/abi_table.rs. -->\n";
/// Functions of the process that no header of skynet's names.
const C_LIBRARY: [&str; 3] = ["malloc_usable_size", "pvalloc", "valloc"];
const JEMALLOC: &str = "jemalloc's";
const NOWHERE: &str = "none";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a file defines for others. `table` names its symbol table: all that is linked
/// with, or what those find that load it.
///
/// Not by `nm`: an archive of the release profile has Rust's intermediate code in it,
/// and a plugin of `nm`'s that knows only an older LLVM's hides the symbols beside it.
fn defined(file: &Path, table: &str) -> BTreeSet<String> {
    let output = Command::new("readelf")
        .args(["--wide", table])
        .arg(file)
        .output()
        .expect("runs readelf");
    assert!(
        output.status.success(),
        "readelf failed on {}",
        file.display()
    );
    // Number, value, size, type, binding, visibility, section, name.
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| matches!(words[..], [_, _, _, _, "GLOBAL", "DEFAULT", section, _, ..] if section != "UND"))
        .map(|words| words[7].to_owned())
        .collect()
}

/// Which header declares each name, and the names that headers define as others.
fn headers() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let listing = fs::read_dir(root().join("include")).expect("include/ is there");
    let mut paths: Vec<PathBuf> = listing.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    for path in paths {
        let header = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = read(&path);
        for line in text.lines() {
            let mut names = Vec::new();
            if let Some(definition) = line.strip_prefix("#define ") {
                // A name that stands for another.
                names.extend(definition.split_whitespace());
            } else if !line.starts_with([' ', '*', '/', '#'])
                && let Some((before, _)) = line.split_once('(')
            {
                // A declaration's first line.
                names.extend(before.rsplit([' ', '*']).next());
            }
            for name in names {
                found
                    .entry(name.to_owned())
                    .or_insert_with(|| header.clone());
            }
        }
    }
    found
}

/// The table, and the functions that are not everywhere or in no header.
fn table() -> (String, Vec<String>) {
    let test = env::current_exe().expect("knows its own path");
    let libraries = test.parent().expect("a file has a parent");
    let places = [
        defined(&libraries.join("libskynet.a"), "--symbols"),
        defined(&libraries.join("libskynet.so"), "--dyn-syms"),
        defined(Path::new(env!("CARGO_BIN_EXE_skynet")), "--dyn-syms"),
    ];
    let headers = headers();
    let mut rows = BTreeMap::<String, Vec<String>>::new();
    for (list, otherwise) in [("exports.txt", NOWHERE), ("exports-jemalloc.txt", JEMALLOC)] {
        for name in read(&root().join(list)).lines() {
            let header = match headers.get(name) {
                Some(header) => header,
                None if C_LIBRARY.contains(&name) => "the C library's",
                None => otherwise,
            };
            rows.entry(header.to_owned())
                .or_default()
                .push(name.to_owned());
        }
    }
    let count: usize = rows.values().map(Vec::len).sum();
    let mut missing = Vec::new();
    let mut text = format!(
        "\n{count} functions.\n\n| header | function | libskynet.a | libskynet.so | executable |\n\
         |---|---|---|---|---|\n"
    );
    for (header, names) in rows {
        for name in names {
            let states = places.each_ref().map(|place| match place.contains(&name) {
                true => "yes",
                false => "no",
            });
            if states.contains(&"no") || header == NOWHERE {
                missing.push(name.clone());
            }
            writeln!(text, "| {header} | `{name}` | {} |", states.join(" | "))
                .expect("writes to memory");
        }
    }
    (text, missing)
}

#[test]
fn the_table_is_current() {
    let path = root().join("docs/abi.md");
    let page = read(&path);
    let (words, old) = page.split_once(MARK).expect("the mark is in docs/abi.md");
    let (fresh, missing) = table();
    assert!(
        missing.is_empty(),
        "not exported everywhere, or declared nowhere: {missing:?}"
    );
    if env::var_os("UPDATE_ABI").is_some() {
        fs::write(&path, format!("{words}{MARK}{fresh}")).expect("docs/ is writable");
    } else {
        assert!(
            old == fresh,
            "docs/abi.md is not current; run `UPDATE_ABI=1 cargo test --test abi_table`"
        );
    }
}

/// Every header of functions has at least one in the lists: none is forgotten.
#[test]
fn every_header_is_in_the_table() {
    const INLINE: [&str; 4] = ["atomic.h", "rwlock.h", "spinlock.h", "socket_buffer.h"];
    let (text, _) = table();
    for entry in fs::read_dir(root().join("include")).expect("include/ is there") {
        let name = entry
            .expect("a file")
            .file_name()
            .to_string_lossy()
            .into_owned();
        assert!(
            INLINE.contains(&name.as_str()) || text.contains(&format!("| {name} |")),
            "no function of {name} is exported"
        );
    }
}
