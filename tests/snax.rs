//! snax on the executable, its login server and msgserver, and their examples.
#![cfg(feature = "standalone")]

#[path = "support/node.rs"]
mod node;

#[path = "support/program.rs"]
mod program;

use node::process::{self, Ended, Outcome};
use node::{assert_passed, command, run, scratch};
use program::Program;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30);

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
                    many_port = 0\n\
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

/// The config of an example, and more settings after it.
fn example(name: &str, more: &str) -> String {
    let directory = env!("CARGO_MANIFEST_DIR");
    format!("include '{directory}/examples/config.{name}'\n{more}")
}

/// Runs the client of the login example.
fn log_in(port: &str, player: &str, password: &str) -> Outcome {
    let mut client = Command::new(env!("CARGO_BIN_EXE_skynet"));
    client
        .args(["lua", "examples/login/client.lua", port, player, password])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let scratch = scratch(&format!("snax.client.{player}.{password}"));
    process::run(client, &scratch, DEADLINE)
}

/// What a server answers to these bytes, until it closes the connection.
fn answer_to(port: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn login_example() {
    let config = example("login", "login_port = 0\ngame_port = 0\n");
    let mut node = Program::start(&mut command(&config, &scratch("snax.login_example")));
    let last_word = |line: String| line.rsplit(' ').next().unwrap().to_owned();
    let login = last_word(node.wait_for("login server listen at : 127.0.0.1 "));
    let game = last_word(node.wait_for("The castle is open at port "));

    for (player, password) in [("alice", "wonderland"), ("bob", "builder")] {
        let outcome = log_in(&login, player, password);
        assert_eq!(outcome.ended, Ended::Code(0), "{}", outcome.stderr);
        let lines: Vec<_> = outcome.stdout.lines().skip(1).collect();
        let thought = format!("answer 3: it was {player}");
        let expected = [
            "connection 1: 200 OK",
            "answer 1: 5",
            "answer 2: failed",
            "connection 2: 200 OK",
            "answer 1: 5",
            "answer 4: 7",
            &thought,
            "answer 5: farewell",
            "done",
        ];
        assert_eq!(lines, expected);
        node.wait_for(&format!("{player} leaves with 7"));
    }

    let outcome = log_in(&login, "alice", "wrong");
    assert_eq!(outcome.ended, Ended::Code(1));
    let reason = "no login: 401 Unauthorized";
    assert!(outcome.stderr.contains(reason), "{}", outcome.stderr);
    node.wait_for("invalid client (fd = ");

    let answer = answer_to(&login, b"\xff\0\n");
    assert!(answer.ends_with(b"\n401 Unauthorized\n"), "{answer:?}");
    node.wait_for("invalid client (fd = ");
    let answer = answer_to(&game, b"\0\x03\xff\0\n");
    assert_eq!(answer, b"\0\x12404 User Not Found");
    node.wait_for("Invalid handshake from 127.0.0.1:");
}

#[test]
fn snax_example() {
    let config = example("snax", "");
    let mut node = Program::start(&mut command(&config, &scratch("snax.example")));
    let status = node.wait_end();
    let log = node.seen();
    assert!(status.success(), "{log:#?}");
    let mut rest = log.iter();
    for line in [
        "The corner shop opens",
        "has 5 apples",
        "took 7 apples, -2 are left",
        "repaired: apples",
        "took 0 apples, 0 are left",
        "took 3 pears, 0 are left",
        "take was called 3 times",
        "The supermarket opens",
        "The supermarket closes, 0 things were taken: nobody came",
        "The corner shop closes, 8 things were taken: it is late",
    ] {
        let found = rest.any(|logged| logged.ends_with(line));
        assert!(found, "no {line:?} in its turn in {log:#?}");
    }
}
