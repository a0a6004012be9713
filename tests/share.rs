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

#[test]
fn sharedata_objects() {
    passes("sharedata_core");
}

#[test]
fn sharedata() {
    let outcome = passes("sharedata_services");
    for line in [
        "Invalid key 1.5",
        "Unknown data type number",
        "no such file",
        "nothing is named never",
        "there is something named failing",
    ] {
        assert!(outcome.stdout.contains(line), "no {line:?} in the log");
    }
}

#[test]
fn datasheet_documents() {
    passes("datasheet_core");
}

#[test]
fn datasheet() {
    passes("datasheet_services");
}

#[test]
fn sharetable_states() {
    passes("sharetable_core");
}

#[test]
fn sharetable() {
    let outcome = passes("sharetable_services");
    let line = ") of load";
    assert!(outcome.stdout.contains(line), "no {line:?} in the log");
}

#[test]
fn given_back_after_finalisers() {
    passes("closing");
}

#[test]
fn many_services() {
    passes("many_services");
}
