//! The modules `http.*` on the executable: the programs `tests/lua/http_*.lua`, whose
//! peers are plain sockets.
#![cfg(feature = "standalone")]

#[path = "support/node.rs"]
mod node;

use node::{assert_passed, run};

#[test]
fn server() {
    assert_passed(&run("http_server", "http.server", ""));
}

#[test]
fn client() {
    assert_passed(&run("http_client", "http.client", ""));
}

#[test]
fn websocket() {
    assert_passed(&run("websocket", "http.websocket", ""));
}
