//! The Lua layer on the executable: the programs of `tests/lua`, each a service
//! that prints `passed`, and the tutorial.
#![cfg(feature = "standalone")]

#[path = "support/node.rs"]
mod node;

use node::process::{Ended, Outcome};
use std::fs;
use std::path::PathBuf;

/// Runs a program of `tests/lua`.
#[track_caller]
fn passes(name: &str) -> Outcome {
    passes_with(name, "")
}

/// The same with more settings.
#[track_caller]
fn passes_with(name: &str, more: &str) -> Outcome {
    let outcome = node::run(name, &format!("lualib.{name}"), more);
    node::assert_passed(&outcome);
    outcome
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
fn queues() {
    let outcome = passes("queues");
    for line in ["] throw an error : it failed", "] return something"] {
        assert!(outcome.stdout.contains(line), "no {line:?} in the log");
    }
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
fn json() {
    passes("json");
}

#[test]
fn memory() {
    passes("memory");
}

#[test]
fn debug_channel() {
    passes("debug_channel");
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
    let config = format!("include \"{include}\"\n{more}");
    node::run_config(&config, &format!("lualib.{name}"))
}

#[test]
fn tutorial_plays_every_exchange() {
    let outcome = tutorial("tutorial", "");
    assert_eq!(outcome.ended, Ended::Code(0), "{}", outcome.stdout);
    let last = "tutorial: all 14 exchanges were as expected";
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
