//! Compiles Lua from the sources that the lua-src crate carries.
//!
//! lua-src does not say where its sources are, so cargo is asked for the
//! package's directory. They are copied to OUT_DIR first: what is compiled
//! there may be changed, what lies in cargo's cache may not. There the patches
//! of patches/ are applied and the files of share/ added, which let states share
//! functions and tables; docs/lua-patches.md explains them. A patch that does
//! not fit the sources ends the build.
//!
//! The question is asked of a package of its own, that depends on nothing but
//! lua-src. Asked of this workspace, cargo would want every package that any
//! member could ever need, and a build fetches only those that it needs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package that cargo is asked about. Its `workspace` keeps cargo from
/// taking it for a part of this one.
const QUESTION: &str = r#"[package]
name = "where-is-lua-src"
edition = "2024"

[lib]
path = "lib.rs"

[dependencies]
lua-src = "*"

[workspace]
"#;

/// Patches to Lua's files, each named for its file.
const PATCHES: &str = "patches";
/// Files of our own, compiled with Lua's.
const ADDITIONS: &str = "share";
/// How the compiler is to align code, where it knows these flags.
const ALIGNMENT: [&str; 2] = ["-falign-functions=64", "-falign-loops=32"];

fn main() {
    for input in ["build.rs", "Cargo.toml", PATCHES, ADDITIONS] {
        println!("cargo:rerun-if-changed={input}");
    }

    let out = PathBuf::from(variable("OUT_DIR"));
    let sources = out.join("lua");
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let original = lua_directory(&package_directory(&out));
    remake(&sources);
    copy_files(&original, &sources);
    copy_files(&here.join(ADDITIONS), &sources);
    patch(&here.join(PATCHES), &sources);
    compile(&sources);

    println!("cargo:rustc-env=SKYNET_LUA_INCLUDE={}", sources.display());
    println!("cargo:include={}", sources.display());
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}

/// The directory of the lua-src package that Cargo.lock chose.
fn package_directory(out: &Path) -> PathBuf {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let question = out.join("where");
    fs::create_dir_all(&question).expect("OUT_DIR is writable");
    let manifest = question.join("Cargo.toml");
    fs::write(&manifest, QUESTION).expect("OUT_DIR is writable");
    fs::write(question.join("lib.rs"), "").expect("OUT_DIR is writable");
    // The same versions as in the build; without a lock, what was fetched.
    if let Ok(lock) = fs::read(here.join("../Cargo.lock")) {
        fs::write(question.join("Cargo.lock"), lock).expect("OUT_DIR is writable");
    }
    // Offline, because the packages in question were fetched to get here; for
    // this target only, because packages of other platforms were not. From
    // this directory, because that is where cargo looks for its settings.
    let output = Command::new(variable("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline"])
        .args(["--filter-platform", &variable("TARGET")])
        .arg("--manifest-path")
        .arg(&manifest)
        .current_dir(&here)
        .output()
        .expect("cargo metadata runs");
    assert!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    metadata
        .split("\"manifest_path\":\"")
        .skip(1)
        .map(|rest| PathBuf::from(json_string(rest)))
        .filter_map(|path| path.parent().map(Path::to_owned))
        .find(|directory| {
            let name = directory.file_name().and_then(|name| name.to_str());
            // "lua-src" in a vendored tree, "lua-src-VERSION" in the cache.
            name.is_some_and(|name| name == "lua-src" || name.starts_with("lua-src-"))
        })
        .expect("lua-src is among this crate's dependencies")
}

/// The text of a JSON string whose opening quote has been read. Paths have no
/// escapes but those of the quote and the backslash.
fn json_string(rest: &str) -> String {
    let mut text = String::new();
    let mut characters = rest.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

/// The sources of Lua 5.5 inside the package, whatever the patch level.
fn lua_directory(package: &Path) -> PathBuf {
    entries(package)
        .into_iter()
        .find(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("lua-5.5"))
        })
        .unwrap_or_else(|| panic!("no Lua 5.5 in {}", package.display()))
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let listing = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = listing
        .map(|entry| entry.expect("a directory entry").path())
        .collect();
    paths.sort();
    paths
}

/// Makes an empty directory in place of the last build's.
fn remake(directory: &Path) {
    if directory.exists() {
        fs::remove_dir_all(directory).expect("the last build's sources can be removed");
    }
    fs::create_dir_all(directory).expect("OUT_DIR is writable");
}

fn copy_files(from: &Path, to: &Path) {
    for path in entries(from) {
        let name = path.file_name().expect("listed files have names");
        // Read and write rather than copy: the cache may be read-only, its
        // permissions must not follow.
        let text = fs::read(&path).expect("a source file is readable");
        fs::write(to.join(name), text).expect("OUT_DIR is writable");
    }
}

/// Applies each patch to the source file that it is named for.
fn patch(patches: &Path, sources: &Path) {
    for path in entries(patches) {
        let text = fs::read_to_string(&path).expect("a patch is readable");
        let name = path.file_stem().expect("listed files have names");
        let source = sources.join(name);
        let original = fs::read_to_string(&source)
            .unwrap_or_else(|error| panic!("{} patches no file: {error}", path.display()));
        let patched = diffy::Patch::from_str(&text)
            .map_err(|error| error.to_string())
            .and_then(|patch| diffy::apply(&original, &patch).map_err(|error| error.to_string()))
            .unwrap_or_else(|error| {
                panic!(
                    "{} does not fit this version of Lua: {error}",
                    path.display()
                )
            });
        fs::write(&source, patched).expect("OUT_DIR is writable");
    }
}

fn compile(sources: &Path) {
    let system = if variable("CARGO_CFG_TARGET_VENDOR") == "apple" {
        "LUA_USE_MACOSX"
    } else {
        "LUA_USE_LINUX"
    };
    let mut build = cc::Build::new();
    build
        .std("gnu99")
        .warnings(false)
        // Games spend their time in the interpreter: it is optimised in
        // development builds too.
        .opt_level(2)
        .define(system, None);
    // Where the interpreter's loops and functions begin is worth some percent.
    // Left to chance, a change anywhere in Lua moves it all.
    for flag in ALIGNMENT {
        build.flag_if_supported(flag);
    }
    for path in entries(sources) {
        if path.extension().is_some_and(|extension| extension == "c") {
            build.file(path);
        }
    }
    build.compile("skynet_lua55");
    if variable("CARGO_CFG_TARGET_OS") == "linux" {
        println!("cargo:rustc-link-lib=m");
        println!("cargo:rustc-link-lib=dl");
    }
}
