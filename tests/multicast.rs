//! `skynet.multicast` on the executable: programs of `tests/lua`, each a service that
//! prints `passed`.
#![cfg(feature = "standalone")]

#[path = "support/node.rs"]
mod node;

/// Runs a program of `tests/lua`.
#[track_caller]
fn passes(name: &str) -> node::process::Outcome {
    let outcome = node::run(name, &format!("multicast.{name}"), "");
    node::assert_passed(&outcome);
    outcome
}

#[test]
fn core() {
    passes("multicast_core");
}

#[test]
fn channels() {
    let outcome = passes("multicast_channels");
    for text in ["unpack fails here", "dispatch fails here"] {
        assert!(outcome.stdout.contains(text), "no {text:?} in the log");
    }
}

#[test]
fn memory() {
    passes("multicast_memory");
}
