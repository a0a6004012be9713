//! snax on the executable, its login server and msgserver, and their examples.
#![cfg(feature = "standalone")]

#[path = "support/node.rs"]
mod node;

use node::{assert_passed, run};

#[test]
fn services() {
    let settings = "snax = './no/directory/?.lua;./tests/lua/snax/?.lua'\n\
                    snax_interface_g = 'snax.globals'\n\
                    snax_loader = './tests/lua/snax/loader.lua'\n";
    assert_passed(&run("snax_service", "snax.services", settings));
}

#[test]
fn login_protocol() {
    let settings = "luaservice = luaservice .. ';./tests/lua/login/?.lua'\n\
                    login_port = 0\n\
                    gate_port = 0\n";
    let outcome = run("login_protocol", "snax.login", settings);
    assert_passed(&outcome);
    for line in [
        "auth failed: socket (fd = ",
        "socket buffer overflow: fd=",
        ") error = Invalid client key",
        ") error = challenge failed",
        "no such token",
        ") error = User slow is already login",
        "Invalid handshake from 127.0.0.1:",
        "Conflict session 35",
        "Invalid package ",
    ] {
        let found = outcome.stdout.contains(line);
        assert!(found, "no {line:?} in the log:\n{}", outcome.stdout);
    }
}
