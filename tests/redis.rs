//! skynet.db.redis and its cluster against real servers, which are started here; its
//! replies against none. Where no redis is installed, tests that need it say so.
#![cfg(feature = "standalone")]

#[path = "support/missing.rs"]
mod missing;
#[path = "support/node.rs"]
mod node;

use node::{DEADLINE, assert_passed, process};
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How far a cluster node's second port is from its first.
const BUS_DISTANCE: u16 = 10_000;

/// An empty directory for one test.
fn scratch(test: &str) -> PathBuf {
    let scratch = node::scratch(&format!("redis.{test}"));
    fs::remove_dir_all(&scratch).unwrap();
    node::scratch(&format!("redis.{test}"))
}

fn is_installed(program: &str) -> bool {
    let there = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok();
    if !there {
        missing::program(program);
    }
    there
}

/// A port that is free, and so is the one that a cluster's nodes use besides.
fn free_port() -> u16 {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let Some(other) = port.checked_add(BUS_DISTANCE) else {
            continue;
        };
        if TcpListener::bind(("127.0.0.1", other)).is_ok() {
            return port;
        }
    }
}

/// A redis-server that ends with this value.
struct Server {
    port: u16,
    process: Child,
    log: PathBuf,
}

impl Server {
    fn start(scratch: &Path, options: &[&str]) -> Server {
        // Somebody else may have taken the port in the meantime.
        for _ in 0..10 {
            let port = free_port();
            let directory = scratch.join(port.to_string());
            fs::create_dir_all(&directory).unwrap();
            let log = directory.join("log");
            let process = Command::new("redis-server")
                .args(["--bind", "127.0.0.1", "--save", "", "--port"])
                .arg(port.to_string())
                .arg("--dir")
                .arg(&directory)
                .args(options)
                .stdin(Stdio::null())
                .stdout(File::create(&log).unwrap())
                .spawn()
                .unwrap();
            let mut server = Server { port, process, log };
            if server.says("Ready to accept connections") {
                return server;
            }
        }
        panic!("redis-server does not start");
    }

    /// Waits for a line in the log; false: it has ended.
    fn says(&mut self, text: &str) -> bool {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let ended = self.process.try_wait().unwrap().is_some();
            if fs::read_to_string(&self.log).unwrap().contains(text) {
                return true;
            }
            if ended {
                return false;
            }
            assert!(
                Instant::now() < deadline,
                "redis-server does not say {text:?}"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already if these fail.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn replies() {
    let outcome = node::run("redis_replies", "redis.replies", "");
    assert_passed(&outcome);
}

#[test]
fn client() {
    if !is_installed("redis-server") {
        return;
    }
    let user = ["--user", "bob", "on", ">secret", "~*", "&*", "+@all"];
    let options = [&["--requirepass", "word"][..], &user].concat();
    let server = Server::start(&scratch("client"), &options);
    let more = format!("port = {}\n", server.port);
    let outcome = node::run("redis_client", "redis.client.node", &more);
    assert_passed(&outcome);
    for line in ["WRONGPASS invalid", "ERR DB index is out of range"] {
        assert!(outcome.stdout.contains(line), "no {line:?} in the log");
    }
}

#[test]
fn cluster() {
    if !is_installed("redis-server") || !is_installed("redis-cli") {
        return;
    }
    let scratch = scratch("cluster");
    let mut servers: Vec<Server> = (0..3)
        .map(|_| Server::start(&scratch, &["--cluster-enabled", "yes"]))
        .collect();
    let ports: Vec<String> = servers
        .iter()
        .map(|server| server.port.to_string())
        .collect();
    let mut create = Command::new("redis-cli");
    create.args(["--cluster", "create", "--cluster-yes"]);
    create.args(ports.iter().map(|port| format!("127.0.0.1:{port}")));
    let created = process::run(create, &scratch, DEADLINE);
    let covered = "All 16384 slots covered";
    assert!(created.stdout.contains(covered), "{}", created.stdout);
    for server in &mut servers {
        assert!(server.says("Cluster state changed: ok"));
    }
    let more = format!("ports = \"{}\"\n", ports.join(" "));
    assert_passed(&node::run("redis_cluster", "redis.cluster.node", &more));
}
