//! Nodes that run tests/lua/network/faults.lua.

use super::hosts::Host;
use super::program::Program;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a call may take after something has gone wrong.
pub const FIVE_SECONDS: Duration = Duration::from_secs(5);

/// A process of its own, on this host or on another one.
pub struct Node {
    program: Program,
    input: ChildStdin,
    /// Lines that nobody has waited for yet.
    unseen: Vec<String>,
}

/// The settings of a node of a harbor.
pub fn harbor(id: usize, address: &str, master: &str) -> String {
    let standalone = if id == 1 {
        format!("standalone = '{master}'\n")
    } else {
        String::new()
    };
    format!(
        "node = '{id}'\nharbor = {id}\naddress = '{address}'\nmaster = '{master}'\n{standalone}"
    )
}

/// The settings of a node of a cluster; `nodes` has the names and addresses of all.
pub fn cluster(name: &str, nodes: &[(String, String)]) -> String {
    let nodes: Vec<String> = nodes
        .iter()
        .map(|(name, address)| format!("{name}={address}"))
        .collect();
    format!(
        "node = '{name}'\nharbor = 0\nnodes = '{}'\n",
        nodes.join(" ")
    )
}

/// Ports of the loopback device that nobody uses.
pub fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    held.iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect()
}

impl Node {
    /// Starts a node. `name` is one that no other node of the tests has.
    pub fn start(name: &str, settings: &str, host: Option<&Host>) -> Node {
        let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("network");
        fs::create_dir_all(&scratch).unwrap();
        let config = scratch.join(name);
        let text = format!(
            "thread = 2\nstart = 'faults'\n{settings}\
             luaservice = './service/?.lua;./tests/lua/network/?.lua'\n\
             lua_path = './lualib/?.lua;./tests/lua/?.lua'\n"
        );
        fs::write(&config, text).unwrap();
        let executable = env!("CARGO_BIN_EXE_skynet");
        let mut command =
            host.map_or_else(|| Command::new(executable), |host| host.command(executable));
        let mut program = Program::start(
            command
                .arg(config)
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .stdin(Stdio::piped()),
        );
        let input = program.child.stdin.take().expect("it is a pipe");
        Node {
            program,
            input,
            unseen: Vec::new(),
        }
    }

    /// Starts a node and waits until it is in its network.
    pub fn ready(name: &str, settings: &str, host: Option<&Host>) -> Node {
        let mut node = Node::start(name, settings, host);
        node.wait_for("ready");
        node
    }

    /// Gives the node something to do.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// Waits for a line that contains a text; others stay for those who wait for them.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        self.wait_for_any(&[text])
    }

    /// Waits for a line that contains one of several texts.
    #[track_caller]
    fn wait_for_any(&mut self, texts: &[&str]) -> String {
        let wanted = |line: &String| texts.iter().any(|text| line.contains(text));
        if let Some(at) = self.unseen.iter().position(wanted) {
            return self.unseen.remove(at);
        }
        loop {
            let line = self.program.wait_for("");
            if wanted(&line) {
                return line;
            }
            self.unseen.push(line);
        }
    }

    /// As `wait_for`, and fails if more time has gone by since `start` than that.
    #[track_caller]
    pub fn wait_within(&mut self, text: &str, start: Instant, limit: Duration) -> String {
        let line = self.wait_for(text);
        let took = start.elapsed();
        assert!(took < limit, "{line:?} took {took:?}");
        line
    }

    /// Gives it something to do, and waits for what comes of it.
    #[track_caller]
    pub fn ask(&mut self, line: &str, text: &str) -> String {
        self.tell(line);
        self.wait_for(text)
    }

    /// Calls another node once, which answers.
    #[track_caller]
    pub fn call(&mut self, node: &str) {
        self.ask(
            &format!("call {node}"),
            &format!("call to {node}: answered"),
        );
    }

    /// Begins calls to another node that it does not answer, and waits until it has them.
    #[track_caller]
    pub fn hold(&mut self, other: &mut Node, name: &str, count: usize) {
        self.tell(&format!("hold {name} {count}"));
        other.wait_for(&format!("holding {count}"));
    }

    /// Fails if another node has taken a message twice, or one that is older than `oldest`.
    #[track_caller]
    pub fn check_totals(&mut self, node: &str, oldest: u64) {
        let line = self.ask(&format!("totals {node}"), &format!("totals of {node}:"));
        assert!(line.contains(" twice 0,"), "{line}");
        assert!(number_after(&line, "lowest ") >= oldest, "{line}");
    }

    /// Ends the process at once.
    pub fn kill(&mut self) {
        self.program.child.kill().unwrap();
        self.program.child.wait().unwrap();
    }

    /// Waits until the node is in its network, or has ended without.
    pub fn is_ready(&mut self) -> bool {
        self.wait_for_any(&["ready", "Can't connect to master"])
            .contains("ready")
    }

    /// Waits until the process ends by itself.
    #[track_caller]
    pub fn ends(&mut self) -> String {
        self.program.wait_end();
        self.program.seen().join("\n")
    }
}

/// The number that follows a text in a line.
#[track_caller]
pub fn number_after(line: &str, text: &str) -> u64 {
    let (_, rest) = line.split_once(text).expect("the text is in the line");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number follows the text")
}
