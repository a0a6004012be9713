//! The core's one C file, and what the executable needs beside its own code: the
//! lists of symbols that it exports to the modules it loads, and the Lua files
//! that it carries.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Directories of Lua files that the executable carries.
const EMBEDDED: [&str; 2] = ["lualib", "service"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    compile_varargs();
    tabulate_exports("exports.txt");
    if env::var_os("CARGO_FEATURE_STANDALONE").is_some() {
        let mut lists = vec!["exports.txt", "lua/exports.txt"];
        if env::var_os("CARGO_FEATURE_SYSTEM_MALLOC").is_none() {
            lists.push("exports-jemalloc.txt");
        }
        export_symbols(&lists);
        embed_lua();
    }
}

/// Compiles the core's one C file.
fn compile_varargs() {
    const SOURCE: &str = "src/ffi/varargs.c";
    println!("cargo:rerun-if-changed={SOURCE}");
    cc::Build::new()
        .file(SOURCE)
        .std("c11")
        .extra_warnings(true)
        // skynet_error, which jumps into it, is what others see.
        .flag("-fvisibility=hidden")
        .compile("skynet_varargs");
}

/// Writes `exports.rs`: an array of the exported functions' addresses, so that
/// who needs the array needs all of them.
fn tabulate_exports(list: &str) {
    println!("cargo:rerun-if-changed={list}");
    let names = read(Path::new(list));
    let names: Vec<&str> = names.lines().collect();
    let mut text = String::from("unsafe extern \"C\" {\n");
    for name in &names {
        writeln!(text, "    fn {name}();").expect("writes to memory");
    }
    writeln!(
        text,
        "}}\npub static EXPORTS: [unsafe extern \"C\" fn(); {}] = [{}];",
        names.len(),
        names.join(", ")
    )
    .expect("writes to memory");
    let file = Path::new(&variable("OUT_DIR")).join("exports.rs");
    fs::write(file, text).expect("OUT_DIR is writable");
}

/// Makes the executable export every name of these lists. Naming a symbol as
/// undefined pulls its archive member in and keeps it through garbage
/// collection; modules find it only if it is in the dynamic table too.
fn export_symbols(lists: &[&str]) {
    let mut arguments = String::new();
    for list in lists {
        println!("cargo:rerun-if-changed={list}");
        for name in read(Path::new(list)).lines() {
            writeln!(arguments, "-u {name} --export-dynamic-symbol={name}")
                .expect("writes to memory");
        }
    }
    let file = Path::new(&variable("OUT_DIR")).join("exports.ld");
    fs::write(&file, arguments).expect("OUT_DIR is writable");
    // The linker reads its arguments from the file.
    println!("cargo:rustc-link-arg-bins=-Wl,@{}", file.display());
}

/// Writes `embedded.rs`, a sorted table of paths and contents.
fn embed_lua() {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in EMBEDDED {
        println!("cargo:rerun-if-changed={directory}");
        collect(&root.join(directory), &mut files);
    }
    let mut named: Vec<(&str, &Path)> = files
        .iter()
        .map(|path| (name_under(&root, path), path.as_path()))
        .collect();
    // By name, byte for byte: the order that a search for a name relies on.
    named.sort();

    let mut table = String::from("&[\n");
    for (name, path) in named {
        writeln!(table, "    ({name:?}, include_bytes!({path:?})),").expect("writes to memory");
    }
    table.push_str("]\n");
    let target = Path::new(&variable("OUT_DIR")).join("embedded.rs");
    fs::write(target, table).expect("OUT_DIR is writable");
}

/// A file's path under the root, as the table has it.
fn name_under<'a>(root: &Path, path: &'a Path) -> &'a str {
    path.strip_prefix(root)
        .expect("collected under the root")
        .to_str()
        .expect("names of Lua files are UTF-8")
}

/// Adds every Lua file under a directory; a directory that is not there has none.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(listing) = fs::read_dir(directory) else {
        return;
    };
    for entry in listing {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "lua") {
            files.push(path);
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}
