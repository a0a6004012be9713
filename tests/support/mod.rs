//! Compiles and runs the C tests, and compares their output.

pub mod case;
mod missing;
pub mod process;
pub mod toolchain;

use case::Case;
use process::Ended;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Services that are also run under valgrind; the others take too long there.
const CHECKED_SERVICES: [&str; 11] = [
    "conserve",
    "lastwords",
    "parties",
    "shared",
    "shutdown",
    "smoke",
    "socket_dead",
    "socket_echo",
    "socket_messages",
    "socket_transfer",
    "watch",
];

/// Whether the core leaves the system's allocator in place, so that valgrind sees it.
const MEMCHECK: bool = cfg!(feature = "system-malloc");

/// Runs a program with each way of linking.
pub fn run_program(name: &str) {
    for case in Case::all("programs", name) {
        if case.lua && !cfg!(feature = "standalone") || case.is_left_out() {
            continue;
        }
        for link in toolchain::LINKS {
            let scratch = scratch(&format!("{name}.{link}.{}", case.number));
            let program = toolchain::program(name, link, case.lua);
            let mut command = checked(&program);
            command.arg(toolchain::modules()).arg(&scratch);
            check(&case, link, command, &scratch);
        }
    }
}

/// Runs a service as the bootstrap of a node, once for each of its settings.
pub fn run_service(name: &str) {
    for case in Case::all("services", name) {
        let scratch = scratch(&format!("{name}.{}", case.number));
        if case.is_left_out() {
            continue;
        }
        if MEMCHECK {
            // Without the executable: a C program runs the node.
            if CHECKED_SERVICES.contains(&name) {
                let program = toolchain::program("start", toolchain::LINKS[0], false);
                let mut command = checked(&program);
                command.arg(toolchain::modules()).arg(&scratch);
                command.args(["thread", "harbor", "logger", "bootstrap"].map(|key| case.key(key)));
                check(&case, "valgrind", command, &scratch);
            }
        } else {
            node(&case, &scratch);
        }
    }
}

#[cfg(feature = "standalone")]
fn node(case: &Case, scratch: &Path) {
    let config = scratch.join("config");
    fs::write(&config, case.config(toolchain::modules(), scratch)).expect("writes the config");
    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet"));
    command.arg(&config);
    check(case, "executable", command, scratch);
}

/// The executable needs the feature `standalone`.
#[cfg(not(feature = "standalone"))]
fn node(_case: &Case, _scratch: &Path) {}

/// Runs a service of `tests/lua` as the bootstrap of a node, with a module in C that
/// lies beside it, and compares what it prints.
#[cfg(feature = "standalone")]
pub fn run_lua_service(name: &str, module: &str) {
    let scratch = scratch(name);
    toolchain::lua_module(module, &scratch);
    let lua = case::root().with_file_name("lua");
    let config = format!(
        "thread = 4\nharbor = 0\nlogservice = \"ctlog\"\nlogger = \"silent\"\n\
         bootstrap = \"snlua {name}\"\nluaservice = \"{}/?.lua\"\n\
         lua_cpath = \"{}/?.so\"\ncpath = \"{}/?.so\"\n",
        lua.display(),
        scratch.display(),
        toolchain::modules().display()
    );
    let file = scratch.join("config");
    fs::write(&file, config).expect("writes the config");
    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet"));
    command.arg(&file);
    let outcome = process::run(command, &scratch, Duration::from_secs(60));
    let expected = lua.join(name).with_extension("expected");
    let expected = fs::read_to_string(expected).expect("the lines");
    assert_eq!(outcome.stdout, expected, "{}", outcome.stderr);
    assert_eq!(outcome.ended, Ended::Code(0), "{}", outcome.stderr);
}

/// The program itself, or valgrind running it.
fn checked(program: &Path) -> Command {
    if !MEMCHECK {
        return Command::new(program);
    }
    let mut command = Command::new("valgrind");
    command
        .args(["-q", "--error-exitcode=99", "--fair-sched=yes"])
        .args(["--leak-check=full", "--errors-for-leak-kinds=definite"])
        // Not those that are reached through their middle, as hash tables are.
        .arg("--show-leak-kinds=definite")
        .arg(format!(
            "--suppressions={}",
            case::root().join("valgrind.supp").display()
        ))
        .arg(program);
    command
}

/// Runs a command and compares its exit code and output with what is expected.
fn check(case: &Case, how: &str, mut command: Command, scratch: &Path) {
    command.envs(case.environment(scratch));
    let deadline = case.deadline * if MEMCHECK { 10 } else { 1 };
    let outcome = process::run(command, scratch, deadline);
    let title = format!("{} ({how}, {})", case.name, case.settings);
    let context = || {
        let (out, err) = (tail(&outcome.stdout), tail(&outcome.stderr));
        format!("\n--- its output ends:\n{out}\n--- and its errors:\n{err}")
    };
    assert_eq!(
        outcome.ended,
        Ended::Code(case.exit),
        "{title}{}",
        context()
    );
    let expected = case.expected();
    if outcome.stdout != expected {
        let difference = first_difference(&expected, &outcome.stdout);
        panic!("{title}: {difference}{}", context());
    }
}

fn first_difference(expected: &str, got: &str) -> String {
    let mut number = 0;
    let (mut expected, mut got) = (expected.split('\n'), got.split('\n'));
    loop {
        number += 1;
        match (expected.next(), got.next()) {
            (Some(e), Some(g)) if e == g => (),
            (None, None) => return "no difference".to_owned(),
            (e, g) => {
                let (e, g) = (e.unwrap_or("the end"), g.unwrap_or("the end"));
                return format!("line {number}:\nexpected {e}\nbut got  {g}");
            }
        }
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// An empty directory for one run.
pub fn scratch(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("c_abi")
        .join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("creates a scratch directory");
    directory
}

/// Waits for an event; panics when it takes long.
pub fn wait_until(what: &str, mut there: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !there() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::yield_now();
    }
}
