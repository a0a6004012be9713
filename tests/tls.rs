//! TLS on the executable: ltls.c without sockets, http.tlshelper on sockets, and both
//! sides against OpenSSL's program where there is one.
#![cfg(feature = "standalone")]

#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/missing.rs"]
mod missing;
#[path = "support/node.rs"]
mod node;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use node::{assert_passed, process::Outcome};

/// A directory of a test, with certificates: of an authority `root`, of `server`, which
/// it has signed, and of another authority.
fn directory(test: &str) -> PathBuf {
    let directory = node::scratch(&format!("tls.{test}"));
    let (authority, _) = certificates::authority(&directory, "root");
    authority.issue(&directory, "server", &["host.test", "127.0.0.1"]);
    certificates::authority(&directory, "other");
    directory
}

/// Runs a program of `tests/lua` with these certificates, and with more settings.
fn run(name: &str, test: &str, directory: &Path, more: &str) -> Outcome {
    let more = format!(
        "enablessl = true\ncertificates = \"{}\"\n{more}",
        directory.display()
    );
    node::run(name, &format!("tls.{test}"), &more)
}

#[test]
fn memory() {
    let directory = directory("memory");
    assert_passed(&run("tls_memory", "memory", &directory, ""));
}

#[test]
fn off() {
    assert_passed(&node::run("tls_off", "tls.off", "enablessl = false\n"));
}

#[test]
fn sockets() {
    let directory = directory("sockets");
    assert_passed(&run("tls_sockets", "sockets", &directory, ""));
}

#[test]
fn http() {
    let directory = directory("http");
    let file = |name| directory.join(name).display().to_string();
    let more = format!(
        "certfile = \"{}\"\nkeyfile = \"{}\"\ntls_cafile = \"{}\"\n",
        file("server.pem"),
        file("server.key.pem"),
        file("root.pem")
    );
    assert_passed(&run("tls_http", "http", &directory, &more));
}

/// A process that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or it is killed; nothing else is left to be done.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// OpenSSL's program, or none.
fn openssl(arguments: &[&str]) -> Option<Command> {
    let found = Command::new("openssl").arg("version").output();
    if !found.is_ok_and(|output| output.status.success()) {
        missing::program("openssl");
        return None;
    }
    let mut command = Command::new("openssl");
    command.args(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    Some(command)
}

/// Runs OpenSSL's client against a node as the server.
fn node_as_server(test: &str, arguments: &[&str]) {
    let directory = directory(test);
    // The side of TLS that a program is has nothing to do with who opens the connection:
    // both connect to this test, which joins them, and sends bytes one by one.
    let [for_node, for_client] = [(); 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let [node_port, client_port] =
        [&for_node, &for_client].map(|listener| listener.local_addr().unwrap().port());
    let address = format!("127.0.0.1:{client_port}");
    let root = directory.join("root.pem");
    let client = [
        "s_client",
        "-quiet",
        "-no_ign_eof",
        "-connect",
        &address,
        "-CAfile",
    ];
    let Some(mut command) = openssl(&client) else {
        return;
    };
    command.arg(root).args([
        "-verify_return_error",
        "-servername",
        "host.test",
        "-verify_hostname",
        "host.test",
    ]);
    let mut client = Running(command.args(arguments).spawn().unwrap());
    let (client_side, _) = for_client.accept().unwrap();
    let joined = thread::spawn(move || {
        let (node_side, _) = for_node.accept().unwrap();
        let both = [node_side, client_side];
        let [node, client] = both.each_ref().map(|side| side.try_clone().unwrap());
        let [other_node, other_client] = both;
        let back = join(node, client);
        join(other_client, other_node).join().unwrap();
        back.join().unwrap();
    });
    let mut input = client.0.stdin.take().unwrap();
    let mut output = BufReader::new(client.0.stdout.take().unwrap());
    let talk = thread::spawn(move || {
        input.write_all(b"ping\n").unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        // Without standard input the client ends.
        line
    });
    let more = format!("port = {node_port}\nwhat = \"server\"\n");
    let outcome = run("tls_peer", test, &directory, &more);
    drop(client);
    assert_passed(&outcome);
    assert_eq!(talk.join().unwrap(), "pong\n");
    joined.join().unwrap();
}

/// Copies bytes one by one until their end.
fn join(mut from: TcpStream, mut to: TcpStream) -> JoinHandle<()> {
    to.set_nodelay(true).unwrap();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            for byte in &bytes[..count] {
                if to.write_all(&[*byte]).is_err() {
                    return;
                }
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    })
}

/// Runs a node as the client of OpenSSL's server.
fn node_as_client(test: &str, pair: [&str; 2], arguments: &[&str], what: &str, more: &str) {
    let directory = &node::scratch(&format!("tls.{test}"));
    let server = ["s_server", "-accept", "127.0.0.1:0", "-rev"];
    let Some(mut command) = openssl(&server) else {
        return;
    };
    command.current_dir(directory);
    command.args(["-cert", pair[0], "-key", pair[1]]);
    let mut server = Running(command.args(arguments).spawn().unwrap());
    let mut output = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let port = output.find_map(|line| {
        let line = line.unwrap();
        line.strip_prefix("ACCEPT 127.0.0.1:").map(str::to_owned)
    });
    let port = port.expect("the server has a port");
    let rest = thread::spawn(move || output.for_each(drop));
    let more = format!("port = {port}\nwhat = \"{what}\"\n{more}");
    let outcome = run("tls_peer", test, directory, &more);
    drop(server);
    rest.join().unwrap();
    assert_passed(&outcome);
}

const PAIR: [&str; 2] = ["server.pem", "server.key.pem"];

#[test]
fn openssl_s_client() {
    node_as_server("s_client", &[]);
}

#[test]
fn openssl_s_client_of_tls12() {
    node_as_server("s_client.12", &["-tls1_2"]);
}

#[test]
fn openssl_s_server() {
    for (version, name) in [("-tls1_3", "s_server.13"), ("-tls1_2", "s_server.12")] {
        let directory = directory(name);
        let trust = |file| format!("tls_cafile = \"{}/{file}\"\n", directory.display());
        for (what, more) in [
            ("client", String::new()),
            ("client", trust("root.pem")),
            ("refusal", trust("other.pem")),
        ] {
            node_as_client(name, PAIR, &[version], what, &more);
        }
    }
}

/// A server that wants to know who the client is.
#[test]
fn openssl_s_server_that_verifies() {
    directory("verifies");
    for version in ["-tls1_3", "-tls1_2"] {
        let verify = [
            "-Verify",
            "1",
            "-CAfile",
            "root.pem",
            "-verify_return_error",
        ];
        let arguments = [&[version][..], &verify].concat();
        node_as_client("verifies", PAIR, &arguments, "known", "");
    }
}

/// Certificates as people make them for themselves: without extensions, which is
/// version 1, and with keys that ring knows nothing of.
#[test]
fn openssl_s_server_of_somebody() {
    let directory = directory("somebody");
    let make = |arguments: &str| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let Some(mut command) = openssl(&arguments) else {
            return false;
        };
        let output = command.current_dir(&directory).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        true
    };
    let made = make("req -newkey rsa:2048 -nodes -keyout rsa.key.pem -out rsa.csr -subj /CN=me")
        && make("x509 -req -in rsa.csr -signkey rsa.key.pem -out rsa.pem")
        && make("ecparam -name secp521r1 -genkey -noout -out ec.key.pem")
        && make("req -x509 -new -key ec.key.pem -out ec.pem -subj /CN=me");
    if made {
        let (rsa, ec) = (["rsa.pem", "rsa.key.pem"], ["ec.pem", "ec.key.pem"]);
        // In TLS 1.2 a server's curve must be one that ring exchanges keys with.
        for (pair, version) in [(rsa, "-tls1_3"), (rsa, "-tls1_2"), (ec, "-tls1_3")] {
            node_as_client("somebody", pair, &[version], "client", "");
        }
    }
}
