//! A cluster's names in etcd: against real servers, which are started here, and against
//! one that answers nonsense. Where no etcd is installed, tests that need it say so.
#![cfg(feature = "standalone")]

#[path = "support/certificates.rs"]
mod certificates;
#[path = "etcd/hostile.rs"]
mod hostile;
#[path = "support/missing.rs"]
mod missing;
#[path = "support/node.rs"]
mod node;
#[path = "support/program.rs"]
mod program;

use hostile::{Answers, Hostile};
use node::assert_passed;
use program::Program;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The lease of nodes here, and what a killed node's name may take longer. etcd itself
/// makes no shorter lease.
const LEASE: Duration = Duration::from_secs(2);
const LATER: Duration = Duration::from_secs(1);

/// What nodes say when etcd does not answer, and when it does again.
const AWAY: &str = "the names that are known stay";
const BACK: &str = "clusteretcd: etcd is back";

/// An empty directory for one test.
fn scratch(test: &str) -> PathBuf {
    let scratch = node::scratch(&format!("etcd.{test}"));
    fs::remove_dir_all(&scratch).unwrap();
    node::scratch(&format!("etcd.{test}"))
}

fn is_installed() -> bool {
    let there = ["etcd", "etcdctl"].iter().all(|program| {
        let version = Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        version.is_ok()
    });
    if !there {
        missing::program("etcd or etcdctl");
    }
    there
}

/// Ports that are free, each another one.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn endpoint(port: u16) -> String {
    format!("http://{}", address(port))
}

/// Sends a signal to a program that has not been waited for.
fn signal(program: &Program, signal: libc::c_int) {
    let process = libc::pid_t::try_from(program.child.id()).unwrap();
    // SAFETY: takes numbers only. The process is our child and not reaped yet.
    assert_eq!(unsafe { libc::kill(process, signal) }, 0);
}

/// An etcd that ends with this value.
struct Etcd {
    data: PathBuf,
    ports: [u16; 2],
    /// Its certificate and key, if clients are to use TLS.
    tls: Option<certificates::Pair>,
    process: Program,
}

impl Etcd {
    fn start(scratch: &Path) -> Etcd {
        Etcd::start_at(scratch, free_ports(), None)
    }

    fn start_at(scratch: &Path, ports: [u16; 2], tls: Option<certificates::Pair>) -> Etcd {
        let data = scratch.join("etcd");
        let process = Etcd::run(&data, ports, tls.as_ref());
        Etcd {
            data,
            ports,
            tls,
            process,
        }
    }

    fn run(data: &Path, [client, peer]: [u16; 2], tls: Option<&certificates::Pair>) -> Program {
        let mut command = Command::new("etcd");
        command.arg("--data-dir").arg(data);
        let mut at = endpoint(client);
        if let Some(pair) = tls {
            at = at.replace("http:", "https:");
            command.arg("--cert-file").arg(&pair.certificate);
            command.arg("--key-file").arg(&pair.key);
        }
        command.args(["--listen-client-urls", &at]);
        command.args(["--advertise-client-urls", &at]);
        command.args(["--listen-peer-urls", &endpoint(peer)]);
        command.args(["--initial-advertise-peer-urls", &endpoint(peer)]);
        let cluster = format!("default={}", endpoint(peer));
        command.args(["--initial-cluster", &cluster]);
        command.args(["--logger", "zap", "--log-outputs", "stdout"]);
        let mut process = Program::start(command.stdin(Stdio::null()));
        process.wait_for("serving client traffic");
        process
    }

    fn endpoint(&self) -> String {
        endpoint(self.ports[0])
    }

    fn stop(&mut self) {
        signal(&self.process, libc::SIGTERM);
        self.process.wait_end();
    }

    fn start_again(&mut self) {
        self.process = Etcd::run(&self.data, self.ports, self.tls.as_ref());
    }

    /// Runs etcdctl, and returns what it prints.
    fn control(&self, words: &[&str]) -> String {
        let output = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &self.endpoint()])
            .args(words)
            .output()
            .unwrap();
        assert!(output.status.success(), "etcdctl {words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Starts a node, which logs what clusterd is told. Without a name it only reads.
fn start_node(scratch: &Path, endpoints: &str, name: &str, more: &str) -> Program {
    start_program("etcd_member", scratch, endpoints, name, more)
}

fn start_program(lua: &str, scratch: &Path, endpoints: &str, name: &str, more: &str) -> Program {
    let scratch = scratch.join(name);
    fs::create_dir_all(&scratch).unwrap();
    let config = format!(
        "thread = 2\nharbor = 0\nstart = \"{lua}\"\n\
         luaservice = \"./service/?.lua;./tests/lua/?.lua\"\n\
         lua_path = \"./lualib/?.lua;./tests/lua/?.lua\"\n\
         cluster_etcd = \"{endpoints}\"\ncluster_etcd_lease = {}\n{more}",
        LEASE.as_secs()
    );
    let mut program = Program::start(node::command(&config, &scratch).stdin(Stdio::null()));
    program.wait_for("started");
    program
}

/// Starts a node with a name, whose address has this port.
fn start_member(scratch: &Path, endpoints: &str, name: &str, port: u16) -> Program {
    start_node(scratch, endpoints, name, &member(name, port))
}

fn member(name: &str, port: u16) -> String {
    let address = address(port);
    format!("cluster_etcd_name = \"{name}\"\ncluster_etcd_address = \"{address}\"\n")
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// Starts two nodes, which find each other.
fn start_two(scratch: &Path, endpoints: &str) -> [Program; 2] {
    let mut first = start_member(scratch, endpoints, "first", 1);
    let mut second = start_member(scratch, endpoints, "second", 2);
    wait_for_member(&mut first, "second", 2);
    wait_for_member(&mut second, "first", 1);
    [first, second]
}

/// Waits until clusterd is told of a name.
#[track_caller]
fn wait_for_member(node: &mut Program, name: &str, port: u16) {
    wait_for_members(node, &[(name, port)]);
}

/// Waits until clusterd is told of names, in any order.
#[track_caller]
fn wait_for_members(node: &mut Program, members: &[(&str, u16)]) {
    let mut missing: Vec<_> = members
        .iter()
        .map(|(name, port)| format!("<{name}={}>", address(*port)))
        .collect();
    while !missing.is_empty() {
        let line = node.wait_for("<");
        missing.retain(|member| !line.contains(member.as_str()));
    }
}

/// How often a text has been in the lines so far.
fn count(node: &Program, text: &str) -> usize {
    let lines = node.seen().iter();
    lines.filter(|line| line.contains(text)).count()
}

/// Ends a node in order.
#[track_caller]
fn end(mut node: Program) {
    signal(&node, libc::SIGTERM);
    let status = node.wait_end();
    assert!(status.success(), "{status}\n{}", node.seen().join("\n"));
}

#[test]
fn client() {
    if !is_installed() {
        return;
    }
    let etcd = Etcd::start(&scratch("client"));
    let more = format!("endpoint = \"{}\"\n", etcd.endpoint());
    assert_passed(&node::run("etcd_client", "etcd.client.node", &more));
}

#[test]
fn members_come_and_go() {
    if !is_installed() {
        return;
    }
    let scratch = scratch("members");
    let etcd = Etcd::start(&scratch);
    let endpoints = etcd.endpoint();
    let [mut first, mut second] = start_two(&scratch, &endpoints);
    // One more, and one that has no name, learn of those that were there before.
    let mut third = start_member(&scratch, &endpoints, "third", 3);
    let mut reader = start_node(&scratch, &endpoints, "reader", "");
    wait_for_members(&mut third, &[("first", 1), ("second", 2)]);
    for node in [&mut first, &mut second, &mut reader] {
        wait_for_member(node, "third", 3);
    }

    // They stay as long as they live.
    let began = Instant::now();
    while began.elapsed() < 2 * LEASE {
        let keys = etcd.control(&["get", "--prefix", "--keys-only", "/skynet/cluster/"]);
        assert_eq!(keys.split_whitespace().count(), 3, "{keys}");
    }

    // A node that ends in order takes its name with it at once, every time.
    for port in 3..8 {
        let began = Instant::now();
        end(third);
        first.wait_for("third=false");
        let took = began.elapsed();
        assert!(took < LEASE / 2, "the name of an ended node stays {took:?}");
        third = start_member(&scratch, &endpoints, "third", port);
        wait_for_member(&mut first, "third", port);
    }
    end(third);

    // A killed node's name goes with its lease, not before.
    signal(&second, libc::SIGKILL);
    let killed = Instant::now();
    first.wait_for("second=false");
    let took = killed.elapsed();
    println!("the name of a killed node stays {took:?} with a lease of {LEASE:?}");
    assert!(took <= LEASE + LATER, "it stays {took:?}");
    assert!(
        took >= LEASE / 2,
        "it has been kept alive for {took:?} only"
    );
    reader.wait_for("second=false");

    // It comes back elsewhere.
    let mut second = start_member(&scratch, &endpoints, "second", 4);
    wait_for_member(&mut first, "second", 4);
    wait_for_member(&mut second, "first", 1);
    // Another one takes the name over while it runs, and leaves.
    let other = start_member(&scratch, &endpoints, "second", 5);
    wait_for_member(&mut first, "second", 5);
    second.wait_for("another node has registered as second");
    end(other);
    wait_for_member(&mut first, "second", 4);

    // Somebody removes the name.
    etcd.control(&["del", "/skynet/cluster/second"]);
    first.wait_for("second=false");
    wait_for_member(&mut first, "second", 4);
    for node in [first, second, reader] {
        assert_eq!(count(&node, AWAY), 0, "{}", node.seen().join("\n"));
        end(node);
    }
    assert_eq!(etcd.control(&["get", "--prefix", "/"]), "");
}

#[test]
fn names_that_cannot_be() {
    if !is_installed() {
        return;
    }
    let scratch = scratch("names");
    let etcd = Etcd::start(&scratch);
    etcd.control(&["put", "/game/__nowaiting", "127.0.0.1:1"]);
    let mut reader = start_node(
        &scratch,
        &etcd.endpoint(),
        "reader",
        "cluster_etcd_prefix = '/game/'\n",
    );
    reader.wait_for("\"__nowaiting\" in etcd is no name of a node");
    etcd.control(&["put", "/game/", "127.0.0.1:1"]);
    reader.wait_for("\"\" in etcd is no name of a node");
    etcd.control(&["put", "/games/other", "127.0.0.1:1"]);
    etcd.control(&["put", "/game/a", "127.0.0.1:1"]);
    reader.wait_for("a=127.0.0.1:1");
    // With an address that is none it is not there.
    etcd.control(&["put", "/game/a", "nowhere"]);
    reader.wait_for("the address of a in etcd is not host:port but \"nowhere\"");
    reader.wait_for("a=false");
    etcd.control(&["put", "/game/a", "[::1]:2"]);
    reader.wait_for("a=[::1]:2");
    assert!(!reader.seen().iter().any(|line| line.contains("other")));
    assert!(!reader.seen().iter().any(|line| line.contains("<__")));
    end(reader);
}

#[test]
fn restarts() {
    if !is_installed() {
        return;
    }
    let scratch = scratch("restarts");
    let mut etcd = Etcd::start(&scratch);
    let endpoints = etcd.endpoint();
    let [mut first, mut second] = start_two(&scratch, &endpoints);

    // With the same data the leases go on.
    etcd.stop();
    for node in [&mut first, &mut second] {
        node.wait_for(AWAY);
    }
    etcd.start_again();
    for node in [&mut first, &mut second] {
        node.wait_for(BACK);
        assert_eq!(count(node, AWAY), 1, "{}", node.seen().join("\n"));
    }

    // Without data everybody registers again, and keeps the others meanwhile.
    etcd.stop();
    fs::remove_dir_all(&etcd.data).unwrap();
    for node in [&mut first, &mut second] {
        node.wait_for(AWAY);
    }
    etcd.start_again();
    for node in [&mut first, &mut second] {
        node.wait_for(BACK);
    }
    let mut third = start_member(&scratch, &endpoints, "third", 3);
    wait_for_members(&mut third, &[("first", 1), ("second", 2)]);
    for node in [&mut first, &mut second] {
        wait_for_member(node, "third", 3);
        let log = node.seen().join("\n");
        assert_eq!((count(node, AWAY), count(node, BACK)), (2, 2), "{log}");
        assert!(!log.contains("=false"), "{log}");
    }

    // Who does not register again is dropped after a lease's time.
    etcd.stop();
    fs::remove_dir_all(&etcd.data).unwrap();
    first.wait_for(AWAY);
    signal(&second, libc::SIGKILL);
    etcd.start_again();
    first.wait_for("etcd has lost what it had");
    let began = Instant::now();
    first.wait_for("second=false");
    assert!(began.elapsed() >= LEASE / 2 && began.elapsed() <= LEASE + LATER);
    end(first);
    end(third);
}

#[test]
fn comes_later() {
    if !is_installed() {
        return;
    }
    let scratch = scratch("later");
    let [dead, ports @ ..] = free_ports::<3>();
    // The first endpoint never answers.
    let endpoints = [endpoint(dead), endpoint(ports[0])].join(", ");
    let mut first = start_member(&scratch, &endpoints, "first", 1);
    let mut second = start_member(&scratch, &endpoints, "second", 2);
    for node in [&mut first, &mut second] {
        node.wait_for(AWAY);
    }
    let _etcd = Etcd::start_at(&scratch, ports, None);
    wait_for_member(&mut first, "second", 2);
    wait_for_member(&mut second, "first", 1);
    for node in [&mut first, &mut second] {
        // They may have found each other a little before.
        if count(node, BACK) == 0 {
            node.wait_for(BACK);
        }
        assert_eq!(count(node, AWAY), 1, "{}", node.seen().join("\n"));
    }
    end(first);
    end(second);
}

#[test]
fn hangs() {
    if !is_installed() {
        return;
    }
    let scratch = scratch("hangs");
    let etcd = Etcd::start(&scratch);
    let endpoints = etcd.endpoint();
    let [mut first, mut second] = start_two(&scratch, &endpoints);
    // Its connections stay, and nothing comes from them.
    signal(&etcd.process, libc::SIGSTOP);
    for node in [&mut first, &mut second] {
        node.wait_for(AWAY);
    }
    signal(&etcd.process, libc::SIGCONT);
    for node in [&mut first, &mut second] {
        node.wait_for(BACK);
    }
    let third = start_member(&scratch, &endpoints, "third", 3);
    for node in [&mut first, &mut second] {
        wait_for_member(node, "third", 3);
    }
    for node in [first, second, third] {
        end(node);
    }
}

#[test]
fn users() {
    if !is_installed() {
        return;
    }
    let scratch = scratch("users");
    let mut etcd = Etcd::start(&scratch);
    etcd.control(&["user", "add", "root:word"]);
    etcd.control(&["user", "grant-role", "root", "root"]);
    etcd.control(&["auth", "enable"]);
    let endpoints = etcd.endpoint();
    let user = "cluster_etcd_user = 'root'\ncluster_etcd_password = 'word'\n";
    let mut stranger = start_member(&scratch, &endpoints, "stranger", 3);
    stranger.wait_for("user name is empty");
    let start = |name: &str, port| {
        let more = member(name, port) + user;
        start_node(&scratch, &endpoints, name, &more)
    };
    let mut first = start("first", 1);
    let mut second = start("second", 2);
    wait_for_member(&mut first, "second", 2);
    wait_for_member(&mut second, "first", 1);
    // etcd forgets the tokens that it has given when it ends.
    etcd.stop();
    first.wait_for(AWAY);
    etcd.start_again();
    first.wait_for(BACK);
    end(second);
    first.wait_for("second=false");
    end(first);
    assert!(!stranger.seen().iter().any(|line| line.contains("first=")));
    end(stranger);
}

#[test]
fn calls() {
    if !is_installed() {
        return;
    }
    let scratch = scratch("calls");
    let mut etcd = Etcd::start(&scratch);
    let endpoints = etcd.endpoint();
    let ports = free_ports::<3>();
    let start = |name: &str, port: u16, more: &str| {
        let more = format!("{}port = {port}\n{more}", member(name, port));
        start_program("etcd_caller", &scratch, &endpoints, name, &more)
    };
    // The name comes after the call.
    let mut first = start("first", ports[0], "peer = 'second'\n");
    first.wait_for("Waiting for cluster node [second]");
    let second = start("second", ports[1], "");
    first.wait_for(&format!("answered by port {}", ports[1]));

    // Calls go on without etcd, for longer than the lease.
    etcd.stop();
    first.wait_for(AWAY);
    let began = Instant::now();
    while began.elapsed() < LEASE + LATER {
        first.wait_for("ten answers");
    }
    etcd.start_again();
    first.wait_for(BACK);
    for _ in 0..2 {
        first.wait_for("ten answers");
    }
    assert_eq!(count(&first, "answered by"), 1);
    assert_eq!(count(&first, "has left"), 0);

    // The node moves.
    end(second);
    first.wait_for("answered by nobody");
    let second = start("second", ports[2], "");
    first.wait_for(&format!("answered by port {}", ports[2]));
    signal(&second, libc::SIGKILL);
    first.wait_for("answered by nobody");
    first.wait_for("second has left");
    end(first);
}

#[test]
fn tls() {
    if !is_installed() {
        return;
    }
    let scratch = scratch("tls");
    let (authority, root) = certificates::authority(&scratch, "root");
    let (_, other) = certificates::authority(&scratch, "other");
    let pair = authority.issue(&scratch, "etcd", &["127.0.0.1"]);
    let ports = free_ports();
    let _etcd = Etcd::start_at(&scratch, ports, Some(pair));
    let endpoints = format!("https://{}", address(ports[0]));
    let start = |name: &str, port: u16, authority: &Path| {
        let file = authority.display();
        let more = format!("{}tls_cafile = \"{file}\"\n", member(name, port));
        start_node(&scratch, &endpoints, name, &more)
    };
    let mut first = start("first", 1, &root.certificate);
    let mut second = start("second", 2, &root.certificate);
    wait_for_member(&mut first, "second", 2);
    wait_for_member(&mut second, "first", 1);
    let began = Instant::now();
    end(second);
    first.wait_for("second=false");
    let took = began.elapsed();
    assert!(took < LEASE / 2, "the name of an ended node stays {took:?}");
    let mut stranger = start("stranger", 3, &other.certificate);
    stranger.wait_for("UnknownIssuer");
    end(stranger);
    end(first);
}

#[test]
fn wrong_settings() {
    let wrong = [
        ("cluster_etcd = 'here'", "is not http://HOST:PORT"),
        ("cluster_etcd = ''", "cluster_etcd is not set"),
        ("cluster_etcd_lease = 0.5", "cluster_etcd_lease must be"),
        ("cluster_etcd_name = 'a'", "come together"),
        (
            "cluster_etcd_name = 'a' cluster_etcd_address = 'a'",
            "cluster_etcd_address is not host:port",
        ),
        (
            "cluster_etcd_name = '__a' cluster_etcd_address = 'a:1'",
            "cluster_etcd_name cannot be",
        ),
    ];
    for (number, (setting, reason)) in wrong.into_iter().enumerate() {
        let scratch = scratch(&format!("wrong.{number}"));
        let config = format!(
            "thread = 2\nharbor = 0\nstart = \"etcd_member\"\n\
             luaservice = \"./service/?.lua;./tests/lua/?.lua\"\n\
             lua_path = \"./lualib/?.lua;./tests/lua/?.lua\"\n\
             cluster_etcd = \"http://127.0.0.1:1\"\n{setting}\n"
        );
        let mut program = Program::start(node::command(&config, &scratch).stdin(Stdio::null()));
        program.wait_for(reason);
    }
}

/// The most memory that a process has used, in KiB.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let size = line.unwrap().split_whitespace().nth(1);
    size.unwrap().parse().unwrap()
}

#[test]
fn hostile_answers() {
    let server = Hostile::start();
    let scratch = scratch("hostile");
    let mut member = start_member(&scratch, &endpoint(server.port()), "first", 1);
    member.wait_for(AWAY);
    for answers in Answers::HOSTILE {
        // Both tasks come again, whatever they get.
        server.give(answers);
        server.wait_for_requests(answers, 3);
    }
    assert_eq!(count(&member, "=false"), 0);
    // The stack, the node, and a few times what an answer may have.
    let peak = peak(member.child.id());
    println!("the node's memory was {peak} KiB at most");
    assert!(peak < 300 << 10, "{peak} KiB");

    server.give(Answers::Good);
    wait_for_member(&mut member, "good", 7);
    member.wait_for(BACK);
    // Not a line for every attempt.
    assert!(count(&member, AWAY) < 10, "{}", member.seen().join("\n"));
    end(member);
}
