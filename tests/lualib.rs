//! The Lua layer on the executable: the programs of `tests/lua`, each a service
//! that prints `passed`, and the tutorial.
#![cfg(feature = "standalone")]

#[path = "support/process.rs"]
mod process;

use process::{Ended, Outcome};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// No node here takes longer than this.
const DEADLINE: Duration = Duration::from_secs(90);

/// Runs a node in the repository, with a config of its own.
fn run(name: &str, config: &str) -> Outcome {
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("lualib.{name}"));
    fs::create_dir_all(&scratch).unwrap();
    let file = scratch.join("config");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet"));
    command.arg(file).current_dir(env!("CARGO_MANIFEST_DIR"));
    process::run(command, &scratch, DEADLINE)
}

/// Runs a program of `tests/lua`.
#[track_caller]
fn passes(name: &str) {
    passes_with(name, "");
}

/// The same with more settings.
#[track_caller]
fn passes_with(name: &str, more: &str) {
    let config = format!(
        "thread = 2\nharbor = 0\nstart = \"{name}\"\n\
         luaservice = \"./service/?.lua;./tests/lua/?.lua\"\n\
         lua_path = \"./lualib/?.lua;./tests/lua/?.lua\"\n{more}"
    );
    let outcome = run(name, &config);
    let passed = outcome.stdout.lines().any(|line| line == "passed");
    assert!(
        passed && outcome.ended == Ended::Code(0),
        "{name}: {:?}\n{}{}",
        outcome.ended,
        outcome.stdout,
        outcome.stderr
    );
}

#[test]
fn names() {
    passes("names");
}

#[test]
fn semantics() {
    passes("semantics");
}

#[test]
fn netpack() {
    passes("netpack");
}

#[test]
fn gate() {
    passes("gate_service");
}

#[test]
fn session_wrap() {
    passes("wrap");
}

#[test]
fn crypt() {
    passes("crypt");
}

#[test]
fn bson() {
    passes("bson");
}

#[test]
fn memory() {
    passes("memory");
}

#[test]
fn multicast() {
    passes("multicast");
}

#[test]
fn debug_channel() {
    passes("debug_channel");
}

#[test]
fn snax() {
    let settings = "snax = './no/directory/?.lua;./tests/lua/snax/?.lua'\n\
                    snax_interface_g = 'snax.globals'\n\
                    snax_loader = './tests/lua/snax/loader.lua'\n";
    passes_with("snax_service", settings);
}

#[test]
fn old_names() {
    let settings = "lua_path = '[skynet]/lualib/compat10/?.lua;./tests/lua/?.lua'\n\
                    snax = './tests/lua/snax/?.lua'\n";
    passes_with("old_names", settings);
}

/// The tutorial's config, and perhaps more settings after it.
fn tutorial(name: &str, more: &str) -> Outcome {
    let include = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/config.tutorial");
    run(name, &format!("include \"{include}\"\n{more}"))
}

#[test]
fn tutorial_plays_every_exchange() {
    let outcome = tutorial("tutorial", "");
    assert_eq!(outcome.ended, Ended::Code(0), "{}", outcome.stdout);
    let last = "tutorial: all 13 exchanges were as expected";
    assert!(outcome.stdout.contains(last), "{}", outcome.stdout);
}

#[test]
fn tutorial_names_what_is_missing() {
    let other = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("lualib.programs");
    fs::create_dir_all(&other).unwrap();
    let program = "local skynet = require 'skynet'\n\
                   skynet.start(function() skynet.error('testmsg 1.22 true') end)\n";
    fs::write(other.join("18-testpack.lua"), program).unwrap();
    let first = format!(
        "luaservice = \"{}/?.lua;\" .. luaservice\n",
        other.display()
    );
    let outcome = tutorial("tutorial.broken", &first);
    assert_eq!(outcome.ended, Ended::Code(1), "{}", outcome.stdout);
    let reason = "this line is missing: [18-testpack] testmsg 1.22 false";
    assert!(outcome.stdout.contains(reason), "{}", outcome.stdout);
}
