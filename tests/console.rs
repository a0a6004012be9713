//! Standard input, through the executable: the console, and what skynet.socket
//! reads from descriptors that the node was started with.
#![cfg(feature = "standalone")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);

/// A node with a directory of its own.
struct Node {
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
    directory: PathBuf,
}

/// A service that says with what it was started.
const HELLO: &str = "local skynet = require 'skynet'
local words = table.concat({ ... }, ',')
skynet.start(function() skynet.error('hello ' .. words) end)";

/// A snax service that says with what it was started.
const SNAX: &str = "local snax = require 'skynet.snax'
function init(...) snax.printf('object %s', table.concat({ ... }, ',')) end";

fn directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("skynet-console-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(directory.join("service")).unwrap();
    directory
}

impl Node {
    /// A node whose first service is `start`: the console, or `main`.
    fn start(start: &str, stdin: impl Into<Stdio>, main: &str) -> Node {
        let directory = directory();
        let config = format!(
            "thread = 2 harbor = 0 start = '{start}' luaservice = '{0}/service/?.lua' \
             snax = '{0}/service/?.lua'",
            directory.display()
        );
        for (name, text) in [
            ("config", config.as_str()),
            ("service/hello.lua", HELLO),
            ("service/broken.lua", "error 'broken on purpose'"),
            ("service/object.lua", SNAX),
            ("service/main.lua", main),
        ] {
            fs::write(directory.join(name), text).unwrap();
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_skynet"))
            .arg("config")
            .current_dir(&directory)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Node {
            child,
            lines,
            seen: Vec::new(),
            directory,
        }
    }

    /// Waits for a line with this text; the lines before it are passed over.
    #[track_caller]
    fn expect(&mut self, text: &str) {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => {
                    let found = line.contains(text);
                    self.seen.push(line);
                    if found {
                        break;
                    }
                }
                Err(_) => panic!("no {text:?} in:\n{}", self.seen.join("\n")),
            }
        }
    }

    fn stdin(&mut self) -> &mut impl Write {
        self.child.stdin.as_mut().unwrap()
    }

    /// The end that a test expects: by itself, or after SIGTERM.
    fn expect_end(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the node does not end");
            thread::yield_now();
        }
        assert!(self.child.wait().unwrap().success());
    }

    fn terminate(&mut self) {
        let pid = self.child.id().try_into().unwrap();
        // SAFETY: kill has no memory effects; the child was not waited for.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
        self.expect_end();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn console_reads_a_file() {
    let name = directory().join("lines");
    fs::write(
        &name,
        "hello one two\n\n  \nbroken\nmissing x\n\
         snax object a b\nsnax absent\nsnax\nhello last-line",
    )
    .unwrap();
    let mut node = Node::start("console", File::open(&name).unwrap(), "");
    node.expect("hello one,two");
    node.expect("console: broken: ");
    node.expect("console: missing: ");
    node.expect("object a,b");
    node.expect("console: snax absent: ");
    node.expect("console: snax: ");
    node.expect("hello last-line");
    // The end of the file ends the console, and not the node.
    node.expect("KILL self");
    node.terminate();
    fs::remove_dir_all(name.parent().unwrap()).unwrap();
}

#[test]
fn console_without_input() {
    let mut node = Node::start("console", Stdio::null(), "");
    node.expect("LAUNCH snlua console");
    node.expect("[:00000008] KILL self");
    node.terminate();
}

#[test]
fn console_on_a_terminal() {
    let (mut master, mut slave): (RawFd, RawFd) = (0, 0);
    // SAFETY: null leaves name, modes and size alone; the descriptors are new.
    let (mut master, slave) = unsafe {
        let done = libc::openpty(
            &mut master,
            &mut slave,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
        );
        assert_eq!(done, 0);
        (File::from_raw_fd(master), File::from_raw_fd(slave))
    };
    let blocks = || {
        // SAFETY: F_GETFL has no pointers.
        unsafe { libc::fcntl(slave.as_raw_fd(), libc::F_GETFL) & libc::O_NONBLOCK == 0 }
    };
    let mut node = Node::start("console", slave.try_clone().unwrap(), "");
    master.write_all(b"hello typed\n").unwrap();
    node.expect("hello typed");
    // The shell shares the terminal, so its mode is not ours to change.
    assert!(blocks(), "while the console reads");
    master.write_all(b"hello again\n").unwrap();
    node.expect("hello again");
    master.write_all(b"\x04").unwrap();
    node.expect("[:00000008] KILL self");
    node.terminate();
    assert!(blocks(), "when the node has ended");
}

/// A service `main` around the body; `say` writes a line that a test expects.
fn program(body: &str) -> String {
    format!(
        "local skynet = require 'skynet.manager'
local socket = require 'skynet.socket'
local function say(...)
    local words = {{}}
    for i = 1, select('#', ...) do
        local text = tostring((select(i, ...)))
        words[i] = #text > 60 and '#' .. #text or text
    end
    skynet.error('say ' .. table.concat(words, '|') .. '.')
end
skynet.start(function() skynet.fork(function()
    local ok, err = xpcall(function() {body} end, debug.traceback)
    if not ok then say('FAILED', err) end
    skynet.abort()
end) end)"
    )
}

#[test]
fn reading() {
    let main = program(
        r"local id = socket.stdin()
        say('open', socket.invalid(id), socket.disconnected(id))
        socket.onclose(id, function(which) say('onclose', which == id) end)
        say('line', socket.readline(id))
        say('separated', socket.readline(id, '--'))
        say('five', socket.read(id, 5))
        say('some', socket.read(id))
        say('block', socket.block(id))
        say('rest', socket.readline(id))
        say('again', socket.readline(id))
        say('all', socket.readall(id))
        say('state', socket.invalid(id), socket.disconnected(id))
        socket.close(id)
        say('state', socket.invalid(id), socket.disconnected(id))
        say('gone', (select(2, pcall(socket.read, id))):match('socket .*'))",
    );
    let mut node = Node::start("main", Stdio::piped(), &main);
    node.expect("say open|false|false.");
    node.stdin().write_all(b"a line\npart-").unwrap();
    node.expect("say line|a line.");
    node.stdin().write_all(b"-fiv").unwrap();
    node.expect("say separated|part.");
    node.stdin().write_all(b"esome").unwrap();
    node.expect("say five|fives.");
    node.expect("say some|ome.");
    node.stdin().write_all(b"no newline").unwrap();
    node.expect("say block|true.");
    drop(node.child.stdin.take());
    node.expect("say onclose|true.");
    node.expect("say rest|false|no newline.");
    node.expect("say again|false|.");
    node.expect("say all|false.");
    node.expect("say state|false|true.");
    node.expect("say state|true.");
    node.expect("is not open in this service.");
    node.expect_end();
}

#[test]
fn readall_is_not_held_back() {
    let main = program("local id = socket.stdin() say('all', socket.readall(id))");
    let mut node = Node::start("main", Stdio::piped(), &main);
    node.stdin().write_all(&vec![b'x'; 1_000_000]).unwrap();
    drop(node.child.stdin.take());
    node.expect("say all|#1000000.");
    node.expect_end();
}

#[test]
fn pause_when_nobody_reads() {
    let main = program(
        r"local id = socket.stdin()
        say('ready')
        skynet.sleep(1 << 30)",
    );
    let mut node = Node::start("main", Stdio::piped(), &main);
    node.expect("say ready.");
    let mut stdin = node.child.stdin.take().unwrap();
    let writer = thread::spawn(move || stdin.write_all(&vec![b'x'; 10_000_000]));
    node.expect("Pause socket (1) size : ");
    assert!(!writer.is_finished(), "all of it was read");
    node.terminate();
    // The node's end is the pipe's.
    assert!(writer.join().unwrap().is_err());
}

#[test]
fn resume_after_a_pause() {
    let main = program(
        r"local id = socket.stdin()
        say('size', socket.read(id, 200000))
        local total = 0
        while true do
            local some = socket.read(id)
            if not some then break end
            total = total + #some
            skynet.yield()
        end
        say('total', total)",
    );
    let mut node = Node::start("main", Stdio::piped(), &main);
    let mut stdin = node.child.stdin.take().unwrap();
    stdin.write_all(&vec![b'x'; 200_000]).unwrap();
    node.expect("Pause socket (1) size : ");
    node.expect("say size|#200000.");
    node.expect("Resume socket (1)");
    let writer = thread::spawn(move || stdin.write_all(&vec![b'y'; 3_000_000]));
    node.expect("say total|3000000.");
    writer.join().unwrap().unwrap();
    node.expect_end();
}

#[test]
fn readers_and_closers() {
    let main = program(
        r"local id = socket.stdin()
        skynet.fork(function() say('reader', socket.readline(id)) end)
        skynet.yield()
        say('second', (select(2, pcall(socket.read, id))):match('socket .*'))
        say('start', (select(2, pcall(socket.start, id))):match('socket .*'))
        say('close_fd', (select(2, pcall(socket.close_fd, id))):match('socket .*'))
        socket.close(id)
        say('closed', socket.invalid(id))
        socket.close(id)
        -- The descriptor is as good as before.
        local again = socket.stdin()
        say('again', again ~= id, socket.readline(again))
        skynet.fork(function() say('abandoned', socket.readline(again)) end)
        skynet.yield()
        socket.abandon(again)
        skynet.yield()
        say('bad', socket.bind(12345))
        say('bad', socket.start(54321))
        local limited = socket.stdin()
        socket.limit(limited, 100)
        say('limited', (socket.readline(limited)))",
    );
    let mut node = Node::start("main", Stdio::piped(), &main);
    node.expect("say second|socket 1: another coroutine reads it.");
    node.expect("say start|socket 1 is not closed.");
    node.expect("say close_fd|socket 1 is started: use socket.close.");
    node.expect("say reader|false|.");
    node.expect("say closed|true.");
    node.stdin().write_all(b"later\n").unwrap();
    node.expect("say again|true|later.");
    node.expect("say abandoned|false|.");
    node.expect("say bad|nil|Bad file descriptor.");
    node.expect("say bad|nil|invalid socket.");
    node.stdin().write_all(&[b'x'; 1000]).unwrap();
    node.expect("socket buffer overflow: fd=");
    node.expect("say limited|false.");
    node.expect_end();
}
