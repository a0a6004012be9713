//! What services share without copying it: the programs of `tests/lua/share` on the
//! executable.
#![cfg(feature = "standalone")]

#[path = "support/node.rs"]
mod node;

use node::assert_passed;
use node::process::Outcome;

/// Runs a program on more threads than others, so that several read what one writes.
#[track_caller]
fn passes(name: &str) -> Outcome {
    let settings = "thread = 4\nluaservice = luaservice .. ';./tests/lua/share/?.lua'\n";
    let outcome = node::run(name, &format!("share.{name}"), settings);
    assert_passed(&outcome);
    outcome
}

#[test]
fn stm() {
    passes("stm_readers");
}

#[test]
fn sharemap() {
    passes("sharemap_board");
}
