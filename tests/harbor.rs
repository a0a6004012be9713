//! Nodes of a harbor network: processes that are linked with each other, and with
//! sockets of the test's that speak the protocol, or do not.
#![cfg(feature = "standalone")]

#[path = "support/network.rs"]
mod network;
#[path = "support/program.rs"]
mod program;

use network::free_port;
use program::Program;
use socket2::{Domain, Socket, Type};
use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);

/// How long a call may take to fail when the other node is gone.
const FAULT: Duration = Duration::from_secs(5);

/// A network of one test's.
struct Network {
    test: &'static str,
    master: u16,
}

impl Network {
    fn new(test: &'static str) -> Network {
        Network {
            test,
            master: free_port(),
        }
    }

    /// Starts a node, and does not wait for it. Number 1 is the master.
    fn start(&self, id: u8) -> Node {
        let port = free_port();
        let settings = network::config(id, "harbor_node", self.master, port);
        Node {
            program: self.run(id, &settings),
            port,
            handle: String::new(),
            taken: HashSet::new(),
        }
    }

    fn run(&self, id: u8, settings: &str) -> Program {
        let scratch =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("harbor.{}.{id}", self.test));
        fs::create_dir_all(&scratch).unwrap();
        let config = scratch.join("config");
        fs::write(&config, settings).unwrap();
        Program::start(
            Command::new(env!("CARGO_BIN_EXE_skynet"))
                .arg(config)
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .stdin(Stdio::piped()),
        )
    }

    /// Starts a node, and waits until it is linked with those that were there.
    fn open(&self, id: u8) -> Node {
        let mut node = self.start(id);
        node.ready();
        node
    }
}

struct Node {
    program: Program,
    port: u16,
    /// Of the service that answers.
    handle: String,
    /// Which of its lines were waited for.
    taken: HashSet<usize>,
}

impl Node {
    #[track_caller]
    fn ready(&mut self) {
        let line = self.program.wait_for("ready\t");
        self.handle = line.rsplit('\t').next().unwrap().to_owned();
    }

    /// Gives it a line without waiting for what comes of it.
    fn begin(&mut self, line: &str) {
        let input = self.program.child.stdin.as_mut().expect("it is a pipe");
        writeln!(input, "{line}").unwrap();
    }

    /// Waits for a line that contains a text, and was not waited for before. What
    /// several services print comes in any order.
    #[track_caller]
    fn wait_for(&mut self, text: &str) -> String {
        let seen = self.program.seen().iter().enumerate();
        let mut new = seen.filter(|(at, _)| !self.taken.contains(at));
        if let Some((at, line)) = new.find(|(_, line)| line.contains(text)) {
            let line = line.clone();
            self.taken.insert(at);
            return line;
        }
        let line = self.program.wait_for(text);
        self.taken.insert(self.program.seen().len() - 1);
        line
    }

    /// Gives it a line, whose tag must be new, and waits for what comes of it.
    #[track_caller]
    fn answers(&mut self, line: &str, answer: &str) {
        self.begin(line);
        self.ends(line, answer);
    }

    #[track_caller]
    fn ends(&mut self, line: &str, answer: &str) {
        let tag = format!("{}\t", line.split(' ').next().unwrap());
        let got = self.wait_for(&tag);
        assert_eq!(got, format!("{tag}{answer}"));
    }

    #[track_caller]
    fn fails(&mut self, line: &str) {
        self.begin(line);
        self.has_failed(line);
    }

    #[track_caller]
    fn has_failed(&mut self, line: &str) {
        let tag = format!("{}\t", line.split(' ').next().unwrap());
        let got = self.wait_for(&tag);
        assert!(got.to_lowercase().contains("fail"), "{got}");
    }

    fn kill(&mut self) {
        self.program.child.kill().unwrap();
        self.program.child.wait().unwrap();
    }

    #[track_caller]
    fn end(mut self) {
        self.begin("bye exit");
        assert!(self.program.wait_end().success());
    }
}

/// Values as Lua services pack them.
mod packed {
    pub fn text(text: &str) -> Vec<u8> {
        let size = u8::try_from(text.len()).unwrap();
        assert!(size < 32, "a short string");
        [&[4 | size << 3], text.as_bytes()].concat()
    }

    pub fn byte(number: u8) -> Vec<u8> {
        vec![2 | 1 << 3, number]
    }

    pub fn handle(handle: u32) -> Vec<u8> {
        [&[2 | 4 << 3][..], &handle.to_le_bytes()].concat()
    }
}

/// Values to or from the master.
fn package(values: &[Vec<u8>]) -> Vec<u8> {
    let content = values.concat();
    let size = u8::try_from(content.len()).unwrap();
    [&[size], &content[..]].concat()
}

/// A slave that the test plays.
struct Player {
    id: u8,
    master: Peer,
    listener: TcpListener,
}

/// A connection.
struct Peer(TcpStream);

impl Peer {
    fn connect(port: u16) -> Peer {
        Peer::new(TcpStream::connect(("127.0.0.1", port)).unwrap())
    }

    fn new(stream: TcpStream) -> Peer {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Peer(stream)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Sends values to the master.
    fn report(&mut self, values: &[Vec<u8>]) {
        self.send(&package(values));
    }

    /// The master sends these values next.
    #[track_caller]
    fn hears(&mut self, values: &[Vec<u8>]) {
        self.gets(&package(values));
    }

    #[track_caller]
    fn gets(&mut self, bytes: &[u8]) {
        assert_eq!(self.read(bytes.len()), bytes);
    }

    #[track_caller]
    fn read(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// The other side closes, whatever it sends before.
    #[track_caller]
    fn ends(&mut self) {
        while self.0.read(&mut [0; 256]).is_ok_and(|size| size > 0) {}
        self.is_closed();
    }

    /// The other side has closed, and has sent nothing more.
    #[track_caller]
    fn is_closed(&mut self) {
        match self.0.read(&mut [0]) {
            Ok(size) => assert_eq!(size, 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}

impl Player {
    /// Comes into a network in which there are so many others.
    #[track_caller]
    fn join(network: &Network, id: u8, others: u8) -> Player {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Player::join_at(network, id, others, &address, listener)
    }

    #[track_caller]
    fn join_at(
        network: &Network,
        id: u8,
        others: u8,
        address: &str,
        listener: TcpListener,
    ) -> Player {
        let mut master = Peer::connect(network.master);
        master.report(&[packed::text("H"), packed::byte(id), packed::text(address)]);
        master.hears(&[packed::text("W"), packed::byte(others)]);
        Player {
            id,
            master,
            listener,
        }
    }

    /// Takes the link of a node, up to its number.
    #[track_caller]
    fn accept(&self, from: u8) -> Peer {
        let (stream, _) = self.listener.accept().unwrap();
        let mut link = Peer::new(stream);
        link.gets(&[from]);
        link
    }

    /// Takes a link, and says who it is.
    #[track_caller]
    fn link(&self, from: u8) -> Peer {
        let mut link = self.accept(from);
        link.send(&[self.id]);
        link
    }
}

fn frame(content: &[u8], source: u32, destination: u32, session: u32) -> Vec<u8> {
    let size = u32::try_from(content.len() + 12).unwrap();
    let cookie = [source, destination, session].map(u32::to_be_bytes);
    [&size.to_be_bytes()[..], content, &cookie.concat()].concat()
}

const RESPONSE: u32 = 1 << 24;
const SYSTEM: u32 = 4 << 24;
const SOCKET: u32 = 6 << 24;
const ERROR: u32 = 7 << 24;
const LUA: u32 = 10 << 24;

fn number(handle: &str) -> u32 {
    u32::from_str_radix(handle.trim_start_matches(':'), 16).unwrap()
}

#[test]
fn calls_and_names() {
    let network = Network::new("calls");
    let mut one = network.open(1);
    // Nobody has these names yet: a message waits in the harbor, a query in .cslave.
    one.begin("early call TWO first");
    one.begin("asked harbor queryname AGAIN");
    let mut two = network.open(2);
    let handle = two.handle.clone();
    two.answers("n1 name TWO", &handle);
    one.ends("early", "first\t2\tfalse");
    two.answers("n2 name AGAIN", &handle);
    one.ends("asked", &handle);

    one.answers(&format!("a call {handle} hello"), "hello\t2\tfalse");
    one.answers("b call AGAIN hello", "hello\t2\tfalse");
    one.answers("c send TWO word", "sent");
    two.wait_for("got\tword");
    let handle = one.handle.clone();
    two.answers("d name TAKEN", &two.handle.clone());
    two.fails(&format!("long harbor queryname {}", "n".repeat(300)));
    one.answers("e name ONE", &handle);
    two.answers("f call ONE back", "back\t1\tfalse");

    // A name that exists before a node comes.
    let mut three = network.open(3);
    three.answers("g harbor queryname ONE", &handle);
    three.answers("h call TWO three", "three\t2\tfalse");
    two.answers("i harbor connect 3", "done");
    two.answers(
        &format!("j call {} across", three.handle),
        "across\t3\tfalse",
    );
    for node in [three, two, one] {
        node.end();
    }
}

/// The largest frame that there is, and larger ones.
#[test]
fn sizes() {
    const LARGEST: usize = 0xff_ffff - 12;
    /// What packing adds to a long string, and the answer to that.
    const AROUND: usize = 5;
    const MORE: usize = 3;
    let network = Network::new("sizes");
    let mut one = network.open(1);
    let mut two = network.open(2);
    let handle = one.handle.clone();
    let largest = LARGEST - AROUND - MORE;
    for size in [2000, 2040, 65536, 1 << 20, largest] {
        two.answers(&format!("s{size} large {handle} {size}"), "true");
    }
    two.fails(&format!("answer large {handle} {}", largest + 1));
    one.wait_for("is too large.");
    two.fails(&format!("call large {handle} {}", largest + MORE + 1));
    two.wait_for("is too large.");
    two.answers(&format!("after call {handle} word"), "word\t1\tfalse");
    two.end();
    one.end();
}

/// Requests in flight, and those that come later, fail when a node is killed.
#[test]
fn killed() {
    let network = Network::new("killed");
    let mut one = network.open(1);
    let mut two = network.open(2);
    let mut three = network.open(3);
    let handle = two.handle.clone();
    two.answers("n name TWO", &handle);
    one.begin("linked harbor link 2");
    one.answers("first call TWO word", "word\t2\tfalse");
    one.begin(&format!("held many {handle} 300"));
    one.wait_for("made\t300");
    for _ in 0..300 {
        two.wait_for("held");
    }
    let killed = Instant::now();
    two.kill();
    one.wait_for("Harbor 2 is down, 300 requests to it fail");
    one.ends("held", "300");
    assert!(killed.elapsed() < FAULT);
    one.fails("later call TWO word");
    one.wait_for("Drop message to harbor 2 from");
    one.answers("gone harbor link 2", "done");
    one.fails("never harbor connect 2");
    one.wait_for("linked\tdone");

    // It has answered others all the time, and its number does not come back.
    let handle = one.handle.clone();
    three.answers(&format!("other call {handle} word"), "word\t1\tfalse");
    let mut again = network.start(2);
    again.wait_for("LAUNCH snlua cslave");
    again.program.wait_end();
    one.wait_for("Slave 2 already register on 127.0.0.1");
    three.answers(&format!("still call {handle} word"), "word\t1\tfalse");
    three.end();
    one.end();
}

/// A node that comes when another one has left knows that from the master: calls by that
/// one's name, and by its handle, fail.
#[test]
fn came_later() {
    let network = Network::new("later");
    let mut one = network.open(1);
    let mut two = network.open(2);
    let handle = two.handle.clone();
    two.answers("n name TWO", &handle);
    one.answers("first call TWO word", "word\t2\tfalse");
    two.kill();
    one.wait_for("slave 2 is down");
    let mut three = network.open(3);
    three.fails("name call TWO word");
    three.wait_for("Drop message to");
    three.fails(&format!("handle call {handle} word"));
    three.answers("query harbor queryname TWO", &handle);
    three.fails("never harbor connect 2");
    let own = one.handle.clone();
    three.answers(&format!("one call {own} word"), "word\t1\tfalse");
    three.end();
    one.end();
}

/// The tutorial's programs for a network.
#[test]
fn tutorial() {
    let network = Network::new("tutorial");
    let start = |id: u8| {
        let settings = network::config(id, "console", network.master, free_port());
        let settings = settings.replace("./tests/lua/", "./examples/tutorial/");
        let mut program = network.run(id, &format!("{settings}tutorial_hurry = 20\n"));
        program.wait_for("LAUNCH snlua console");
        program
    };
    let enter = |program: &Program, line: &str| {
        let mut input = program.child.stdin.as_ref().expect("it is a pipe");
        writeln!(input, "{line}").unwrap();
    };
    let mut one = start(1);
    let mut two = start(2);
    // Also before there is the name.
    enter(&two, "35-globalcall");
    two.wait_for("LAUNCH snlua 35-globalcall");
    enter(&one, "34-globalluamsg");
    two.wait_for("skynet.call return value: TEST REMOTE NODE MSG");
    for node in [&mut two, &mut one] {
        enter(node, "35-globalcall");
        node.wait_for("skynet.call return value: TEST REMOTE NODE MSG");
    }
    enter(&one, "36-multicastpub");
    one.wait_for("new channel ID 1");
    enter(&two, "37-multicastsub 1");
    for _ in 0..3 {
        two.wait_for("channel ID: [Multicast:1] source: :01");
    }
    one.wait_for("KILL self");
}

/// Without a master, nodes that are linked go on, and new names fail at once.
#[test]
fn master_killed() {
    let network = Network::new("master");
    let mut one = network.open(1);
    let mut two = network.open(2);
    let mut three = network.open(3);
    let handle = three.handle.clone();
    three.answers("n name THREE", &handle);
    two.answers("known call THREE word", "word\t3\tfalse");
    two.begin("query harbor queryname NOBODY");
    two.answers("alive harbor queryname THREE", &handle);
    one.kill();
    two.wait_for("Master disconnect");
    two.has_failed("query");
    two.fails("later harbor queryname NOBODY");
    two.fails("message call NOBODY word");
    two.wait_for("Drop message to NOBODY from");
    two.answers("master harbor linkmaster", "done");
    two.answers("still call THREE word", "word\t3\tfalse");
    two.end();
    three.end();
}

/// Ten at once, in no order but that the master listens.
#[test]
fn ten_at_once() {
    let network = Network::new("ten");
    let mut nodes = vec![network.start(1)];
    nodes[0].wait_for("master listen socket");
    nodes.extend([7, 2, 9, 4, 10, 3, 6, 8, 5].map(|id| network.start(id)));
    for node in &mut nodes {
        node.ready();
    }
    let ids = [1, 7, 2, 9, 4, 10, 3, 6, 8, 5];
    let handles: Vec<String> = nodes.iter().map(|node| node.handle.clone()).collect();
    for (node, own) in nodes.iter_mut().zip(ids) {
        for (handle, id) in handles.iter().zip(ids).filter(|(_, id)| *id != own) {
            node.answers(&format!("l{id} harbor connect {id}"), "done");
            node.answers(
                &format!("c{id} call {handle} word"),
                &format!("word\t{id}\tfalse"),
            );
        }
    }
    for node in nodes {
        node.end();
    }
}

/// What is on the sockets, byte by byte.
#[test]
fn bytes() {
    const SERVICE: u32 = 0x0900_0005;
    let network = Network::new("bytes");
    let mut one = network.open(1);
    let own = number(&one.handle);
    let mut nine = Player::join(&network, 9, 1);
    // The node connects, says its number, and sends nothing before it knows ours.
    let mut link = nine.accept(1);
    one.begin(&format!("early call :{SERVICE:08x} hello"));
    one.answers("w send NOBODY word", "sent");
    link.send(&[9]);
    let request = link.read(4 + 6 + 12);
    let session = u32::from_be_bytes(*request.last_chunk().unwrap());
    let hello = packed::text("hello");
    let there = LUA | SERVICE & 0xff_ffff;
    assert_eq!(request, frame(&hello, own, there, session));
    let answer = [packed::text("there"), packed::byte(3)].concat();
    let back = frame(&answer, SERVICE, RESPONSE | own & 0xff_ffff, session);
    // In any pieces.
    for piece in back.chunks(5) {
        link.send(piece);
    }
    one.ends("early", "there\t3");

    // A request of ours, two in one piece, and the answers.
    let word = packed::text("word");
    let request = frame(&word, SERVICE, LUA | own & 0xff_ffff, 77);
    link.send(&[&request[..], &request].concat());
    let answer = [word, packed::byte(1), vec![1]].concat();
    for _ in 0..2 {
        link.gets(&frame(&answer, own, RESPONSE | SERVICE & 0xff_ffff, 77));
    }

    // A service that does not exist.
    link.send(&frame(b"", SERVICE, LUA | 0xff_fff0, 78));
    link.gets(&frame(b"", 0x01ff_fff0, ERROR | SERVICE & 0xff_ffff, 78));
    one.wait_for("Unknown destination :1fffff0 from :9000005 type(10)");
    // An answer to one is no request.
    link.send(&frame(b"", SERVICE, RESPONSE | 0xff_fff0, 79));
    one.wait_for("Unknown destination :1fffff0 from :9000005 type(1)");

    // Names: all are told, those who ask again, and the message that waited comes.
    let name = [
        packed::text("N"),
        packed::text("NOBODY"),
        packed::handle(SERVICE),
    ];
    nine.master.report(&[
        packed::text("R"),
        packed::text("NOBODY"),
        packed::handle(SERVICE),
    ]);
    nine.master.hears(&name);
    link.gets(&frame(&packed::text("word"), own, there, 0));
    nine.master
        .report(&[packed::text("Q"), packed::text("NOBODY")]);
    nine.master.hears(&name);

    // Another one comes and leaves.
    let ten = Player::join(&network, 10, 2);
    let address = ten.listener.local_addr().unwrap().to_string();
    nine.master
        .hears(&[packed::text("C"), packed::byte(10), packed::text(&address)]);
    let _link = ten.link(1);
    drop(ten.master);
    nine.master.hears(&[packed::text("D"), packed::byte(10)]);
    one.wait_for("slave 10 is down");
    one.end();
}

/// Links that break off, or are not what they should be: each is closed with a line
/// in the log, whoever waits is told, and nothing else happens.
#[test]
fn broken_links() {
    let network = Network::new("broken");
    let mut one = network.open(1);
    let own = number(&one.handle);
    let short = [&11_u32.to_be_bytes()[..], &[0; 11]].concat();
    let socket = frame(&[0x41; 24], 0x0900_0005, SOCKET | own & 0xff_ffff, 0);
    let system = frame(&[0x41; 40], 0x0900_0005, SYSTEM | 7, 0);
    let cases: [(u8, &[u8], &str); 6] = [
        (9, &[8], "Invalid shakehand id (9) from fd ="),
        (10, b"\x0a\x01\0\0\0", "Message is too long from harbor 10"),
        (11, b"\x0bGET /", "Message is too long from harbor 11"),
        (
            12,
            &[&[12], &short[..]].concat(),
            "Message is too short from harbor 12",
        ),
        (13, &[&[13], &socket[..]].concat(), "Message of type 6"),
        (14, &[&[14], &system[..]].concat(), "Message of type 4"),
    ];
    let mut players = Vec::new();
    for (others, (id, bytes, line)) in (1..).zip(cases) {
        let player = Player::join(&network, id, others);
        one.begin(&format!("c{id} harbor connect {id}"));
        let mut link = player.accept(1);
        one.ends(&format!("c{id}"), "done");
        one.begin(&format!("l{id} harbor link {id}"));
        // It waits to be sent, or for its answer.
        one.begin(&format!("w{id} call :{id:02x}000005 word"));
        one.answers(&format!("s{id} send :{id:02x}000005 word"), "sent");
        link.send(bytes);
        one.wait_for(line);
        one.wait_for(&format!("l{id}\tdone"));
        one.wait_for(&format!("w{id}\t"));
        one.fails(&format!("x{id} call :{id:02x}000005 word"));
        one.answers(&format!("y{id} harbor link {id}"), "done");
        link.ends();
        players.push(player);
    }
    one.end();
}

/// Nodes that never come, or whose link never begins.
#[test]
fn links_that_never_are() {
    let network = Network::new("never");
    let mut one = network.open(1);
    // It takes no links.
    let closed = format!("127.0.0.1:{}", free_port());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    one.begin("c9 harbor connect 9");
    one.begin("w9 call :09000005 word");
    one.answers("s9 send :09000005 word", "sent");
    let nine = Player::join_at(&network, 9, 1, &closed, listener);
    one.wait_for(&format!("Can't connect to {closed} (harbor 9)"));
    one.wait_for("w9\t");
    one.wait_for("c9\t");
    one.fails("x9 call :09000005 word");
    // It says nothing, and leaves.
    let ten = Player::join(&network, 10, 2);
    let link = ten.accept(1);
    one.begin("w10 call :0a000005 word");
    one.answers("s10 send :0a000005 word", "sent");
    drop((link, ten));
    one.has_failed("w10");
    // It registers a name when its link has ended.
    let mut eleven = Player::join(&network, 11, 2);
    drop(eleven.link(1));
    one.answers("l11 harbor link 11", "done");
    one.begin("w11 call ELEVEN word");
    one.answers("s11 send :01000000 word", "sent");
    eleven.master.report(&[
        packed::text("R"),
        packed::text("ELEVEN"),
        packed::handle(0x0b00_0005),
    ]);
    one.wait_for("Drop message to ELEVEN (in harbor 11)");
    one.wait_for("w11\t");
    // It leaves while the connection to it is under way, and stays so.
    let (listener, _filler) = full_listener();
    let address = listener.local_addr().unwrap().to_string();
    one.begin("c12 harbor connect 12");
    one.begin("w12 call :0c000005 word");
    one.answers("s12 send :0c000005 word", "sent");
    let twelve = Player::join_at(&network, 12, 3, &address, listener);
    drop(twelve.master);
    one.has_failed("w12");
    one.has_failed("c12");
    // What it says is no address.
    one.begin("w13 call :0d000005 word");
    one.answers("s13 send :0d000005 word", "sent");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let thirteen = Player::join_at(&network, 13, 3, "nowhere", listener);
    one.wait_for("Can't connect to nowhere (harbor 13)");
    one.has_failed("w13");
    one.fails("c13 harbor connect 13");
    drop((nine, eleven, thirteen));
    one.end();
}

/// A listener to which nobody gets through: its queue is full.
fn full_listener() -> (TcpListener, TcpStream) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let listener = TcpListener::from(socket);
    let filler = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener, filler)
}

/// Bytes at the master's port that are no slave's.
#[test]
fn strangers_at_the_master() {
    let network = Network::new("strangers");
    let mut one = network.open(1);
    let mut nine = Player::join(&network, 9, 1);
    let hello = |id: Vec<u8>| [packed::text("H"), id, packed::text("127.0.0.1:1")];
    let cases: [(Vec<u8>, &str); 8] = [
        (b"GET / HTTP/1.1\r\n\r\n".repeat(5), "error = "),
        (vec![0], "error = an empty harbor package"),
        (vec![1, 0xff], "error = "),
        (vec![6, 6 | 1 << 3, 6, 6, 6, 6, 6], "error = "),
        (package(&hello(vec![2])), "error = Invalid slave id 0"),
        (
            package(&hello(packed::handle(256))),
            "error = Invalid slave id 256",
        ),
        (
            package(&hello(packed::text("2"))),
            "error = Invalid slave id 2",
        ),
        (
            package(&hello(packed::byte(1))),
            "error = Slave 1 already register on 127.0.0.1:",
        ),
    ];
    for (bytes, line) in cases {
        let mut stranger = Peer::connect(network.master);
        stranger.send(&bytes);
        let got = one.wait_for("disconnect fd = ");
        assert!(got.contains(line), "{got} for {bytes:?}");
        stranger.is_closed();
    }
    // A slave that stops making sense has left; of its letters, one that is unknown is passed over.
    nine.master.report(&[packed::text("Z")]);
    one.wait_for("Invalid slave message type Z");
    nine.master
        .report(&[packed::text("R"), packed::byte(7), packed::byte(8)]);
    one.wait_for("error = Invalid request");
    one.wait_for("slave 9 is down");
    nine.master.is_closed();
    one.end();
}

/// Bytes at the port of a node that waits for its links.
#[test]
fn strangers_at_a_slave() {
    let network = Network::new("waiting");
    let mut one = network.open(1);
    let nine = Player::join(&network, 9, 1);
    let ten = Player::join(&network, 10, 2);
    let mut two = network.start(2);
    two.wait_for("Waiting for 3 harbors");
    two.wait_for("Harbor 1 connected");
    let mut silent = Peer::connect(two.port);
    for (bytes, line) in [
        (&b"\0"[..], "Invalid harbor 0 "),
        (b"\x02", "Invalid harbor 2 "),
        (b"\x01", "Slave 1 exist"),
        (b"GET / HTTP/1.1\r\n\r\n", "Harbor 71 connected"),
        (b"", "Connection (fd ="),
    ] {
        let mut stranger = Peer::connect(two.port);
        stranger.send(bytes);
        if bytes.is_empty() {
            stranger.0.shutdown(std::net::Shutdown::Write).unwrap();
        }
        two.wait_for(line);
        if bytes.len() > 1 {
            // So far it may be a harbor: it learns our number, and then is not one.
            stranger.gets(&[2]);
            stranger.send(b"GET / HTTP/1.1\r\n\r\n");
            two.wait_for("Message is too long from harbor 71");
        }
        stranger.is_closed();
    }
    // None of them was one of the three. One comes, and leaves: first for the master.
    let mut link = Peer::connect(two.port);
    link.send(&[10]);
    link.gets(&[2]);
    two.wait_for("Harbor 10 connected");
    drop(ten.master);
    one.wait_for("slave 10 is down");
    // The node still listens, so it waits for the third.
    let mut again = Peer::connect(two.port);
    again.send(&[10]);
    two.wait_for("Slave 10 exist");
    again.is_closed();
    drop(link);
    let mut link = Peer::connect(two.port);
    link.send(&[9]);
    link.gets(&[2]);
    two.wait_for("Harbor 9 connected");
    two.wait_for("Shakehand ready");
    two.ready();
    silent.is_closed();
    two.answers("c9 harbor connect 9", "done");
    drop(nine);
    two.end();
    one.end();
}
