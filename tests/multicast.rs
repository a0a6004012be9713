//! `skynet.multicast` on the executable: programs of `tests/lua`, each a service that
//! prints `passed`.
#![cfg(feature = "standalone")]

#[path = "support/network.rs"]
mod network;
#[path = "support/node.rs"]
mod node;
#[path = "support/program.rs"]
mod program;

use program::Program;

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

#[test]
fn two_nodes() {
    let master = network::free_port();
    let start = |id: u8| {
        let scratch = node::scratch(&format!("multicast.network.{id}"));
        let config = network::config(id, "multicast_network", master, network::free_port());
        Program::start(&mut node::command(&config, &scratch))
    };
    let mut one = start(1);
    one.wait_for("LAUNCH snlua multicast_network");
    let mut two = start(2);
    two.wait_for("kill this node");
    one.wait_for("kill the other node");
    two.child.kill().unwrap();
    one.wait_for("passed");
    assert!(one.wait_end().success());
    // Nothing fails but the last request to the other node.
    let log = one.seen().join("\n");
    assert_eq!(log.matches("] error : ").count(), 1, "{log}");
    // Some are on their way when the other node goes; from then on its subscribers are
    // sent nothing. The session is the channel, in its lowest byte the channel's node.
    let late = log
        .split("Drop message to harbor 2 ")
        .filter_map(|rest| {
            rest.split("session = ")
                .nth(1)?
                .split(',')
                .next()?
                .parse()
                .ok()
        })
        .filter(|session: &u32| session % 256 == 1);
    assert!(late.count() < 100, "{log}");
}
