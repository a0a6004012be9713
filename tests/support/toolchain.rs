//! The C compiler: objects of the C tests against `include/` and the core.

use super::case;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The ways of linking a program.
pub const LINKS: [&str; 2] = ["static", "shared"];

/// The directory of the compiled modules and services; they are compiled once.
pub fn modules() -> &'static Path {
    static MODULES: OnceLock<PathBuf> = OnceLock::new();
    MODULES.get_or_init(|| {
        let directory = super::scratch("modules");
        for kind in ["modules", "services"] {
            for name in case::names(kind) {
                let mut command = compiler();
                command
                    .args(["-fPIC", "-shared"])
                    .arg(source(kind, &name))
                    .arg("-o")
                    .arg(directory.join(&name).with_extension("so"));
                succeed(command);
            }
        }
        let in_cpp = match has_cpp() {
            true => case::names_with("modules", "cpp"),
            false => Vec::new(),
        };
        for name in in_cpp {
            let mut command = cpp_compiler();
            command
                .args(["-fPIC", "-shared"])
                .arg(source("modules", &name).with_extension("cpp"))
                .arg("-o")
                .arg(directory.join(&name).with_extension("so"));
            succeed(command);
        }
        directory
    })
}

/// A program linked to the core, and to Lua if it asks for that. It is linked
/// once, since another test may be running it already.
pub fn program(name: &str, link: &str, lua: bool) -> PathBuf {
    type Programs = BTreeMap<(String, String), Arc<OnceLock<PathBuf>>>;
    static PROGRAMS: Mutex<Programs> = Mutex::new(Programs::new());
    let key = (name.to_owned(), link.to_owned());
    // A test that failed to link one leaves the others as they are.
    let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
    let program = Arc::clone(programs.entry(key).or_default());
    drop(programs);
    program
        .get_or_init(|| link_program(name, link, lua))
        .clone()
}

fn link_program(name: &str, link: &str, lua: bool) -> PathBuf {
    let target = super::scratch(&format!("{name}.{link}.build")).join(name);
    let mut command = compiler();
    command.arg(source("programs", name)).arg("-o").arg(&target);
    let libraries = libraries();
    if link == "static" {
        // Its modules look for the core's functions in the program.
        command.arg(libraries.join("libskynet.a")).arg("-Wl,-E");
    } else {
        command.arg(libraries.join("libskynet.so"));
        command.arg(format!("-Wl,-rpath,{}", libraries.display()));
    }
    if lua {
        command.arg("-Wl,-E").arg(lua_library());
    }
    command.args(["-lgcc_s", "-lm", "-ldl", "-lrt"]);
    succeed(command);
    target
}

/// Compiles a Lua module in C of `tests/lua` into a directory.
#[cfg(feature = "standalone")]
pub fn lua_module(name: &str, directory: &Path) {
    let headers = lua_library().with_file_name("lua");
    let mut command = compiler();
    command
        .args(["-fPIC", "-shared", "-I"])
        .arg(headers)
        .arg(
            case::root()
                .with_file_name("lua")
                .join(name)
                .with_extension("c"),
        )
        .arg("-o")
        .arg(directory.join(name).with_extension("so"));
    succeed(command);
}

/// The functions of the headers: names of exports.txt that occur there.
/// Names that are macros in C count as what they stand for.
pub fn declared_symbols() -> BTreeSet<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let exports = read(&manifest.join("exports.txt"));
    let exports: BTreeSet<&str> = exports.lines().collect();
    let headers = fs::read_dir(manifest.join("include")).expect("lists include/");
    let headers: Vec<String> = headers
        .map(|entry| read(&entry.expect("a directory entry").path()))
        .collect();
    let macros: BTreeSet<&str> = headers
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.strip_prefix("#define ")?.split_whitespace().next())
        .collect();
    headers
        .iter()
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|word| exports.contains(word) && !macros.contains(word))
        .map(str::to_owned)
        .collect()
}

/// What the objects of all C tests leave for others to define.
pub fn undefined_symbols() -> BTreeSet<String> {
    let directory = super::scratch("objects");
    let mut undefined = BTreeSet::new();
    for kind in ["modules", "programs", "services"] {
        for name in case::names(kind) {
            let object = directory.join(format!("{kind}.{name}.o"));
            let mut command = compiler();
            command
                .arg("-c")
                .arg(source(kind, &name))
                .arg("-o")
                .arg(&object);
            succeed(command);
            let output = Command::new("nm")
                .arg("-u")
                .arg(&object)
                .output()
                .expect("runs nm");
            assert!(output.status.success(), "nm failed on {}", object.display());
            for line in String::from_utf8_lossy(&output.stdout).lines() {
                undefined.extend(line.split_whitespace().last().map(str::to_owned));
            }
        }
    }
    undefined
}

fn compiler() -> Command {
    let mut command = compiler_of("CC", "cc");
    command.arg("-std=gnu11");
    command
}

fn cpp_compiler() -> Command {
    let mut command = compiler_of("CXX", "c++");
    command.arg("-std=c++17");
    command
}

/// Whether there is a C++ compiler, which the core itself does not need.
pub fn has_cpp() -> bool {
    let output = cpp_compiler().arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}

fn compiler_of(variable: &str, usual: &str) -> Command {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(env::var_os(variable).unwrap_or_else(|| usual.into()));
    command
        .args(["-g", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread"])
        .arg("-I")
        .arg(manifest.join("include"))
        .arg("-I")
        .arg(case::root());
    command
}

fn source(kind: &str, name: &str) -> PathBuf {
    case::root().join(kind).join(name).with_extension("c")
}

/// Cargo puts libskynet.a and libskynet.so beside the tests that it builds.
fn libraries() -> PathBuf {
    let test = env::current_exe().expect("knows its own path");
    test.parent().expect("a file has a parent").to_owned()
}

/// The newest Lua archive that the `skynet-lua` crate has built in this profile.
fn lua_library() -> PathBuf {
    let profile = libraries();
    let build = profile.parent().expect("deps/ has a parent").join("build");
    let mut archives: Vec<_> = fs::read_dir(&build)
        .expect("lists the build directory")
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.to_string_lossy().contains("skynet-lua-"))
        .flat_map(|path| fs::read_dir(path.join("out")).into_iter().flatten())
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "a"))
        .map(|path| (path.metadata().and_then(|m| m.modified()).ok(), path))
        .collect();
    archives.sort();
    archives
        .pop()
        .expect("skynet-lua has built a Lua archive")
        .1
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn succeed(mut command: Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
