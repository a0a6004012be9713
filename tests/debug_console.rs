//! The debug console on the executable, as who types into it sees it. What the
//! sessions in docs/debug-console.md show is what happens here.
#![cfg(feature = "standalone")]

#[path = "support/program.rs"]
mod program;
#[path = "support/transcript.rs"]
mod transcript;

use program::Program;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use transcript::Transcript;

const DEADLINE: Duration = Duration::from_secs(30);

const OK: &str = "<CMD OK>";
const ERROR: &str = "<CMD Error>";

/// A node with `tests/lua/console/session.lua`.
struct Node {
    program: Program,
    port: u16,
    scratch: PathBuf,
}

impl Node {
    fn start(name: &str) -> Node {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("console.{name}"));
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir_all(&scratch).unwrap();
        let config = format!(
            "thread = 4\nharbor = 0\nstart = 'session'\nconsole_port = {port}\n\
             luaservice = './service/?.lua;./tests/lua/console/?.lua'\n\
             snax = './tests/lua/snax/?.lua'\n\
             lua_path = './lualib/?.lua;./tests/lua/snax/?.lua'\nlogpath = '{}'\n",
            scratch.display()
        );
        fs::write(scratch.join("config"), config).unwrap();
        let mut program = Program::start(
            Command::new(env!("CARGO_BIN_EXE_skynet"))
                .arg(scratch.join("config"))
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .stdin(Stdio::null())
                .stderr(File::create(scratch.join("stderr")).unwrap()),
        );
        program.wait_for(&format!("Start debug console at 127.0.0.1:{port}"));
        program.wait_for("LAUNCH snlua idle");
        // The last one that `session` waits for, and so it has ended.
        program.wait_for("[:00000002] KILL self");
        Node {
            program,
            port,
            scratch,
        }
    }

    fn dial(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    fn connect(&mut self) -> Console {
        let mut console = Console {
            stream: BufReader::new(self.dial()),
            transcript: Transcript::new(self.port),
        };
        assert_eq!(console.line(), "Welcome to skynet console");
        self.program.wait_for(" connected");
        console
    }
}

/// A client of the console.
struct Console {
    stream: BufReader<TcpStream>,
    transcript: Transcript,
}

impl Console {
    /// Types a line as telnet does.
    fn say(&mut self, line: &str) {
        let bytes = format!("{line}\r\n");
        self.stream.get_mut().write_all(bytes.as_bytes()).unwrap();
    }

    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert_eq!(line.pop(), Some('\n'), "the console has closed");
        line
    }

    /// The lines up to the one that ends a command.
    #[track_caller]
    fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            let last = line == OK || line == ERROR;
            self.transcript.line(&line);
            lines.push(line);
            if last {
                return lines;
            }
        }
    }

    #[track_caller]
    fn ask(&mut self, line: &str) -> Vec<String> {
        self.transcript.typed_line(line);
        self.say(line);
        self.lines()
    }

    #[track_caller]
    fn answers(&mut self, line: &str, expected: &[&str]) {
        assert_eq!(self.ask(line), expected, "{line}");
    }

    /// Text up to a debugger's prompt, which ends with `end`.
    #[track_caller]
    fn prompt(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            let mut byte = [0];
            let sofar = String::from_utf8_lossy(&text);
            self.stream
                .read_exact(&mut byte)
                .unwrap_or_else(|error| panic!("{error}: no {end:?} after {sofar:?}"));
            text.push(byte[0]);
        }
        let text = String::from_utf8(text).unwrap();
        self.transcript.text(&text);
        text.strip_suffix(end).unwrap().to_owned()
    }

    /// Types a line at a debugger's prompt.
    fn debug(&mut self, line: &str) {
        self.transcript.typed(line);
        self.say(line);
    }
}

const COUNTER: &str = ":0000000a>";

#[test]
fn commands() {
    let mut node = Node::start("commands");
    let mut console = node.connect();
    let help = console.ask("help");
    let names: Vec<_> = help
        .iter()
        .filter_map(|line| Some(line.split_once('\t')?.0))
        .collect();
    for line in [
        "list",
        "service",
        "start counter",
        "start idle again",
        "stat",
        "mem",
        "gc",
        "info .counter apples",
        "call .counter \"add\", 2",
        "ping a",
        "task .counter",
        "uniqtask .counter",
    ] {
        console.ask(line);
    }
    node.program.wait_for(" Kb, cost ");
    let task = console.ask("task .counter");
    console.transcript.forget_last();
    let thread = task[0].split(' ').nth(1).unwrap();
    console.ask(&format!("killtask .counter {thread}"));
    node.program.wait_for(&format!("Kill thread: {thread}"));
    console.ask("dbgcmd .counter STAT");
    console.ask("trace .counter on");
    node.program.wait_for("Turn trace log true for lua");
    console.ask("trace .counter lua off");
    node.program.wait_for("Turn trace log false for lua");
    console.ask("inject .counter tests/lua/console/patch.lua care");
    console.ask("call .counter \"twice\", 21");
    console.ask("logon .counter");
    console.ask("logoff .counter");
    node.program.wait_for("Close log file");
    console.ask("log idle");
    console.ask("snax counter");
    console.ask("signal .counter 1");
    node.program.wait_for("Current Memory");
    for line in [
        "clearcache",
        "cmem",
        "jmem",
        "netstat",
        "profactive",
        "dumpheap",
        "getenv thread",
        "setenv color blue",
        "getenv color",
        "exit :0000000b",
        "kill .counter",
    ] {
        console.ask(line);
    }
    console.transcript.check("commands");
    for name in names {
        let seen = name == "debug" || console.transcript.has_typed(name);
        assert!(seen, "{name} has not been tried");
    }
    // A description for each, in the same document.
    for line in &help[..help.len() - 1] {
        let (name, _) = line.split_once('\t').unwrap();
        assert!(
            transcript::document().contains(&format!("| `{name}")),
            "{name}"
        );
    }
    assert!(node.scratch.join("0000000a.log").exists());
    drop(console);
    node.program.wait_for(" disconnect");
    let pid = node.program.child.id().try_into().unwrap();
    // SAFETY: kill has no memory effects; the child was not waited for.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
    assert!(node.program.wait_end().success());
    let mut log = node.program.seen().iter();
    assert!(
        log.all(|line| !line.contains("lua call")),
        "a command failed"
    );
}

#[test]
fn values() {
    let mut node = Node::start("values");
    let mut console = node.connect();
    let list = [
        ":00000004\tsnlua cdummy",
        ":00000006\tsnlua datacenterd",
        ":00000007\tsnlua service_mgr",
        &format!(":00000009\tsnlua debug_console {}", node.port),
        ":0000000a\tsnlua counter",
        ":0000000b\tsnlua idle",
        OK,
    ];
    console.answers("list", &list);
    console.answers("service", &["idle\t:0000000b", OK]);
    console.answers("call a 'add',  5", &["1\t0", "2\t5", "n\t2", OK]);
    console.answers("call .counter 'sort', { 3, 1, 2 }", &["1\t123", "n\t1", OK]);
    console.answers("info .counter m", &["count\t5", "unit\tm", OK]);
    console.answers("info :0000000a", &["count\t5", "unit\tnone", OK]);
    console.answers("info b", &[OK]);
    console.answers("start nothing", &["Failed", OK]);
    console.answers("snax nothing", &["Failed", OK]);
    console.answers("start counter", &[":0000000d\tcounter", OK]);
    console.answers("killtask .counter nothing", &["Not found", OK]);
    console.answers("kill :0000000d", &[":0000000d\tsnlua counter", OK]);
    console.answers("kill d", &[":0000000d\tnil", OK]);
    console.answers("dbgcmd a SUPPORT lua", &["true", OK]);
    console.answers("getenv nothing", &["nothing\tnil", OK]);
    console.answers("inject a nothing.lua", &["Can't open nothing.lua", OK]);
    // What a service runs by itself prints to the node's output.
    console.answers("start dbg LIST", &["Exit", OK]);
    node.program.wait_for(":0000000b\tsnlua idle");
    console.ask("start cmemory");
    node.program.wait_for(":00000001 ");
    node.program.wait_for("Total memory:");
    node.program.wait_for("Total block:");
    let busy = console.ask("dbgcmd a MEM");
    assert!(busy[0].parse::<f64>().unwrap() > 10.0);
}

#[test]
fn errors() {
    let mut node = Node::start("errors");
    let mut console = node.connect();
    for (line, reason) in [
        ("ping", "Need an address"),
        ("ping zzz", "Need an address"),
        ("kill :", "Need an address"),
        ("task .nobody", "Not a valid name"),
        ("call .counter", "need arguments"),
        ("call .counter +", "Invalid arguments"),
        ("call .counter error", "./lualib/skynet.lua: call failed"),
        (
            "call .counter nil + 1",
            "attempt to perform arithmetic on a nil value",
        ),
        (
            "call 777 1",
            "./lualib/skynet.lua: call to invalid address :00000777",
        ),
        ("stat soon", "Need a timeout in 1/100 s, not soon"),
        ("killtask a", "Need a thread"),
        ("inject a", "Need a file"),
        ("inject a tests/lua/console/broken.lua", "broken on purpose"),
        ("signal a one", "Need a signal's number, not one"),
        ("getenv", "Need a name"),
        ("setenv color", "Need a name and a value"),
        ("debug", "Need an address"),
        ("debug 777", "Debugger attach failed"),
        ("dbgcmd a NOTHING", "call failed"),
    ] {
        let lines = console.ask(line);
        assert_eq!(lines.last().unwrap(), ERROR, "{line}");
        // Positions in Lua files may change.
        let text: Vec<_> = lines[0].split(':').collect();
        let told = text.iter().any(|part| reason.ends_with(part.trim()));
        assert!(told, "{line}: {lines:?}");
    }
    let unknown = ["Invalid command, type help for command list", "", ERROR];
    console.answers("nothing", &unknown);
    console.answers(" ", &unknown);
    // The connection has outlived them all.
    console.answers("info b", &[OK]);
}

#[test]
fn several_lines_at_once() {
    let mut node = Node::start("at_once");
    let mut console = node.connect();
    let all = b"info a\ninfo b\r\n\ninfo nobody\ninfo b";
    console.stream.get_mut().write_all(all).unwrap();
    for end in [OK, OK, ERROR] {
        assert_eq!(console.lines().last().unwrap(), end);
    }
    // The rest of a line, one byte at a time.
    for byte in b"\nhelp\n" {
        console.stream.get_mut().write_all(&[*byte]).unwrap();
    }
    assert_eq!(console.lines(), [OK]);
    assert_eq!(console.lines().len(), 33);
}

#[test]
fn overload() {
    let mut node = Node::start("overload");
    let mut console = node.connect();
    let endless = vec![b'x'; 1 << 20];
    // It may be closed before all of it is sent.
    let _ = console.stream.get_mut().write_all(&endless);
    node.program
        .wait_for("debug_console: a line of more than 65536 bytes");
    node.program.wait_for(" disconnect");
    node.connect().answers("info b", &[OK]);
}

#[test]
fn signal() {
    let mut node = Node::start("signal");
    let (mut busy, mut console) = (node.connect(), node.connect());
    busy.say("call .counter 'spin'");
    node.program.wait_for("spinning");
    assert!(
        console
            .ask("mem 10")
            .iter()
            .any(|line| line.contains("TIMEOUT (snlua counter)"))
    );
    console.answers("signal .counter", &[OK]);
    assert_eq!(busy.lines().last().unwrap(), ERROR);
    console.answers("call .counter 'sort', {}", &["1\t", "n\t1", OK]);
}

/// What a web client gets.
#[track_caller]
fn web(node: &mut Node, pieces: &[&[u8]]) -> String {
    let mut stream = node.dial();
    for piece in pieces {
        stream.write_all(piece).unwrap();
    }
    let mut answer = Vec::new();
    // What the console has not read makes the end of the connection a reset.
    let end = stream.read_to_end(&mut answer);
    assert!(matches!(
        end.map_err(|e| e.kind()),
        Ok(_) | Err(ErrorKind::ConnectionReset)
    ));
    let answer = String::from_utf8(answer).unwrap();
    node.program.wait_for(" disconnect");
    let answer = answer.strip_prefix("Welcome to skynet console\n");
    answer.expect("the console's greeting").to_owned()
}

#[test]
fn web_clients() {
    let mut node = Node::start("web");
    let get = b"GET /info/.counter HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = "count\t0\nunit\tnone\n<CMD OK>\n";
    assert_eq!(web(&mut node, &[get]), answer);
    let slow: Vec<_> = get.chunks(1).collect();
    assert_eq!(web(&mut node, &slow), answer);
    let info = b"GET /info/a/m HTTP/1.0\r\n\r\n";
    assert_eq!(web(&mut node, &[info]), "count\t0\nunit\tm\n<CMD OK>\n");
    let unknown = "Invalid command, type help for command list\n\n<CMD Error>\n";
    assert_eq!(web(&mut node, &[b"GET / HTTP/1.1\r\n\r\n"]), unknown);
    let body = "call .counter 'add', 2";
    let post = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
    let sum = "1\t0\n2\t2\nn\t2\n<CMD OK>\n";
    assert_eq!(web(&mut node, &[post.as_bytes(), body.as_bytes()]), sum);
    let chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ninfo b\r\n0\r\n\r\n";
    assert_eq!(web(&mut node, &[chunked]), "<CMD OK>\n");
    // One command only.
    let after = answer.replace('0', "2");
    assert_eq!(web(&mut node, &[get, b"list\r\n"]), after);
    // What is no request gets no answer, and a line in the log.
    let large = b"POST / HTTP/1.1\r\nContent-Length: 70000\r\n\r\n";
    for wrong in [&large[..], b"GET / FTP/9\r\n\r\n", b"GET\x20\r\n\r\n"] {
        assert_eq!(web(&mut node, &[wrong]), "");
        let log = node.program.seen().iter();
        let told = log.rev().take(2).any(|line| line.contains("bad request: "));
        assert!(told, "{:?}", node.program.seen());
    }
    // A client that goes away in the middle of its request.
    let mut stream = node.dial();
    stream.write_all(&get[..20]).unwrap();
    drop(stream);
    node.program.wait_for(" disconnect");
    // Other methods are no commands.
    let mut console = node.connect();
    assert_eq!(console.ask("PUT / HTTP/1.1").last().unwrap(), ERROR);
}

/// The session of docs/debug-console.md.
#[test]
fn debugger() {
    let mut node = Node::start("debugger");
    let (mut console, mut caller) = (node.connect(), node.connect());
    let add = "call .counter \"add\", 2";
    console.ask("ping .counter");
    console.transcript.forget_last();
    console.transcript.typed_line("debug .counter");
    console.say("debug .counter");
    assert_eq!(console.prompt(COUNTER), "");
    node.program.wait_for("Attach to :0000000a");
    node.program.wait_for("Enter debug mode");
    console.debug("1 + 1, type(watch)");
    assert_eq!(console.prompt(COUNTER), "2\tfunction\t\n");
    console.debug("watch(\"lua\", function(session, source, name) return name == \"add\" end)");
    assert_eq!(console.prompt(COUNTER), "\n");
    // Not this one.
    caller.answers("call .counter \"sort\", {}", &["1\t", "n\t1", OK]);
    caller.say(add);
    console
        .transcript
        .note("another console: call .counter \"add\", 2");
    let main = "./tests/lua/console/counter.lua(39)>";
    assert_eq!(console.prompt(main), "");
    // Other messages are handled meanwhile.
    node.connect()
        .answers("call .counter \"sort\", {}", &["1\t", "n\t1", OK]);
    for (typed, output, prompt) in [
        ("name, ...", "add\t2\t\n", 39),
        ("s", "", 40),
        ("s", "", 9),
        ("s", "", 10),
        ("before, n, count", "0\t2\t0\t\n", 10),
        ("n = 5", "\n", 10),
        ("s", "", 11),
        ("count", "5\t\n", 11),
    ] {
        console.debug(typed);
        let prompt = format!("./tests/lua/console/counter.lua({prompt})>");
        assert_eq!(console.prompt(&prompt), output, "{typed}");
    }
    // Over a call that blocks, and back in the caller.
    console.debug("n");
    console.prompt("./tests/lua/console/counter.lua(12)>");
    console.debug("n");
    assert_eq!(console.prompt("./tests/lua/console/counter.lua(41)>"), "");
    console.debug("c");
    assert_eq!(console.prompt(COUNTER), "");
    assert_eq!(caller.lines(), ["1\t0", "2\t5", "n\t2", OK]);
    console.debug("cont");
    assert_eq!(console.lines(), [OK]);
    node.program.wait_for("Leave debug mode");
    console.transcript.check("debug");
    caller.answers(add, &["1\t5", "2\t7", "n\t2", OK]);
    // Over a function of the service, and to the end of the handler.
    console.say("debug a");
    console.prompt(COUNTER);
    console.debug("watch(\"lua\")");
    console.prompt(COUNTER);
    caller.say("call .counter \"sort\", { 2, 1 }");
    console.prompt("counter.lua(39)>");
    for end in ["counter.lua(40)>", "counter.lua(41)>", COUNTER] {
        console.debug("n");
        assert!(!console.prompt(end).contains('>'), "stopped before {end}");
    }
    assert_eq!(caller.lines(), ["1\t12", "n\t1", OK]);
    console.debug("cont");
    assert_eq!(console.lines(), [OK]);
    // A second time, and a handler that is not to be stopped in any more.
    console.say("debug a");
    console.prompt(COUNTER);
    console.debug("watch(\"lua\")");
    console.prompt(COUNTER);
    console.debug("cont");
    assert_eq!(console.lines(), [OK]);
    caller.answers(add, &["1\t7", "2\t9", "n\t2", OK]);
}

#[test]
fn debugger_errors() {
    let mut node = Node::start("debugger_errors");
    let (mut console, mut caller) = (node.connect(), node.connect());
    console.say("debug .counter");
    console.prompt(COUNTER);
    for (typed, output) in [
        ("error 'boo'", "(debug):3: boo\t\n"),
        ("a b", "(debug):3: syntax error near 'b'\t\n"),
        ("watch 'dance'", "No dance\t\n"),
        ("watch 'response'", "No dispatch\t\n"),
        ("", ""),
        ("watch('lua', error)", "\n"),
    ] {
        console.debug(typed);
        assert_eq!(console.prompt(COUNTER), output, "{typed}");
    }
    // A condition that fails is told, and stops nothing.
    caller.answers("call .counter 'sort', {}", &["1\t", "n\t1", OK]);
    assert!(console.prompt("\n").ends_with('\t'));
    // A handler that fails while it is stopped.
    console.debug("watch 'lua'");
    console.prompt(COUNTER);
    caller.say("call .counter 'fail'");
    console.prompt("counter.lua(39)>");
    for line in [40, 16] {
        console.debug("s");
        console.prompt(&format!("counter.lua({line})>"));
    }
    console.debug("s");
    console.prompt(COUNTER);
    node.program.wait_for("on purpose");
    assert_eq!(caller.lines().last().unwrap(), ERROR);
    // Through a function of C that calls back.
    console.debug("watch 'lua'");
    console.prompt(COUNTER);
    caller.say("call .counter 'sort', { 3, 1, 2 }");
    console.prompt("counter.lua(39)>");
    // A watch is for one message.
    node.connect()
        .answers("call .counter 'sort', {}", &["1\t", "n\t1", OK]);
    for line in [40, 27, 29, 27, 30] {
        console.debug("s");
        console.prompt(&format!("counter.lua({line})>"));
    }
    // It stays stopped when the debugger leaves, and goes on then.
    console.debug("cont");
    assert_eq!(console.lines(), [OK]);
    assert_eq!(caller.lines(), ["1\t123", "n\t1", OK]);
}

#[test]
fn debugger_ends() {
    let mut node = Node::start("debugger_ends");
    let (mut first, mut second) = (node.connect(), node.connect());
    first.say("debug .counter");
    first.prompt(COUNTER);
    // One at a time.
    second.answers("debug .counter", &["Debugger attach failed", ERROR]);
    // Who hangs up leaves.
    first.stream.get_ref().shutdown(Shutdown::Both).unwrap();
    node.program.wait_for("Leave debug mode");
    node.program.wait_for(" disconnect");
    second.say("debug .counter");
    second.prompt(COUNTER);
    // The service is gone, and the next line is a command again.
    node.connect().ask("exit .counter");
    assert_eq!(second.lines(), ["Debugger attach failed", ERROR]);
    second.answers("info b", &[OK]);
    // A service in C never answers, and has no debugger to leave.
    second.say("debug 1");
    node.program.wait_for("Attach to :00000001");
    second.say("cont");
    assert_eq!(second.lines(), ["Debugger attach failed", ERROR]);
    second.answers("info b", &[OK]);
}
