//! What states share, tested by a C program that uses Lua's internals as modules
//! do that were compiled for the reference's Lua: share.c, which says more.
//! `ci/lua-sanitizers` runs it under race and memory checkers.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory that goes with its owner.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("share-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("the target directory is writable");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Compiles share.c with the Lua that the executable has.
fn compile(directory: &Directory) -> PathBuf {
    let include = Path::new(env!("SKYNET_LUA_INCLUDE"));
    let library = include.parent().expect("a directory in OUT_DIR");
    let program = directory.0.join("share");
    succeed(
        Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-I"])
            .arg(include)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/share.c"))
            .arg("-L")
            .arg(library)
            .args(["-lskynet_lua55", "-lm", "-ldl", "-lpthread", "-o"])
            .arg(&program),
    );
    program
}

#[test]
fn contract() {
    let directory = Directory::new("contract");
    succeed(
        Command::new(compile(&directory))
            .arg("api")
            .arg(&directory.0),
    );
}

#[test]
fn race() {
    let directory = Directory::new("race");
    let constructs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/constructs");
    let mut files: Vec<OsString> = fs::read_dir(constructs)
        .expect("the programs are there")
        .map(|entry| entry.expect("a directory entry").path().into())
        .collect();
    files.sort();
    assert!(files.len() > 10, "the constructs are there");
    succeed(Command::new(compile(&directory)).arg("race").args(&files));
}
