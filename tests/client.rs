//! `skynet lua`: plain Lua programs on the executable, and client.socket.
#![cfg(feature = "standalone")]

#[path = "support/process.rs"]
mod process;

use process::{Ended, Outcome};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30);

fn scratch(name: &str) -> PathBuf {
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("client.{name}"));
    fs::create_dir_all(&scratch).unwrap();
    scratch
}

fn command(name: &str, program: &str, arguments: &[&str]) -> Command {
    let scratch = scratch(name);
    fs::write(scratch.join("program.lua"), program).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet"));
    command
        .args(["lua", "program.lua"])
        .args(arguments)
        .current_dir(scratch)
        .env_remove("LUA_PATH")
        .env_remove("LUA_CPATH");
    command
}

fn run(name: &str, program: &str, arguments: &[&str]) -> Outcome {
    process::run(command(name, program, arguments), &scratch(name), DEADLINE)
}

#[track_caller]
fn prints(outcome: &Outcome, expected: &str) {
    assert_eq!(outcome.stdout, expected, "{}", outcome.stderr);
    assert_eq!(outcome.ended, Ended::Code(0), "{}", outcome.stderr);
}

#[test]
fn arguments() {
    let program = "print(#arg, arg[-1], arg[0], ...)\nprint(table.unpack(arg))";
    let outcome = run("arguments", program, &["a", "-x", "--help", "", "b c"]);
    let words = "a\t-x\t--help\t\tb c\n";
    prints(&outcome, &format!("5\tlua\tprogram.lua\t{words}{words}"));
}

#[test]
fn modules() {
    let program = "
        package.path = 'nowhere/?.lua'
        package.cpath = 'nowhere/?.so'
        print(type(require 'client.socket'.connect))
        print(type(require 'skynet.coroutine'.wrap))
        print(pcall(require, 'skynet.core'))
        print(select(2, pcall(require, 'no.such')):match '[^\\n]*built%-in[^\\n]*')";
    let outcome = run("modules", program, &[]);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(outcome.ended, Ended::Code(0), "{}", outcome.stderr);
    assert_eq!(lines[0], "function");
    assert_eq!(lines[1], "function");
    assert!(lines[2].contains("Init skynet context first"), "{lines:?}");
    assert!(
        lines[3].contains("no built-in module 'no.such'"),
        "{lines:?}"
    );
}

#[test]
fn errors() {
    for (program, text) in [
        (
            "local function f() error 'broken' end\nf()",
            "skynet: program.lua:1: broken\nstack traceback:\n",
        ),
        ("error({})", "skynet: (error object is a table value)\n"),
        (
            "error(setmetatable({}, { __tostring = function() return 'mine' end }))",
            "skynet: mine\n",
        ),
        ("x = = 1", "skynet: program.lua:1: unexpected symbol"),
    ] {
        let outcome = run("errors", program, &[]);
        assert!(outcome.stderr.starts_with(text), "{}", outcome.stderr);
        assert_eq!(outcome.ended, Ended::Code(1), "{}", outcome.stdout);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet"));
    command.args(["lua", "no-such-file.lua"]);
    let outcome = process::run(command, &scratch("errors"), DEADLINE);
    assert!(
        outcome.stderr.contains("no-such-file.lua"),
        "{}",
        outcome.stderr
    );
    assert_eq!(outcome.ended, Ended::Code(1));
}

#[test]
fn wrong_arguments() {
    let program = "
        local socket = require 'client.socket'
        local function fails(f, ...) print((select(2, pcall(f, ...)))) end
        fails(socket.connect, '127.0.0.1', 0)
        fails(socket.connect, '127.0.0.1', 65536)
        fails(socket.connect, 'no such address', 80)
        fails(socket.recv, -1)
        fails(socket.send, -1, 'x')
        fails(socket.shutdown, -1, 'x')
        fails(socket.shutdown, -1, '')
        socket.close(-1)
        socket.usleep(-5)
        socket.usleep(1.5)";
    let outcome = run("wrong_arguments", program, &[]);
    prints(
        &outcome,
        "Connect 127.0.0.1 0 failed\n\
         Connect 127.0.0.1 65536 failed\n\
         Connect no such address 80 failed\n\
         socket error: Bad file descriptor\n\
         socket error: Bad file descriptor\n\
         Invalid mode x\n\
         mode should be r or/and w\n",
    );
}

/// More than the buffers of a socket hold, both ways, to the end of both sides.
#[test]
fn socket() {
    const SIZE: usize = 8 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut word = [0; 5];
        stream.read_exact(&mut word).unwrap();
        stream.write_all(b"ready").unwrap();
        let mut bytes = vec![0; SIZE];
        stream.read_exact(&mut bytes).unwrap();
        assert!(bytes.iter().all(|byte| *byte == b'x'));
        stream.write_all(b"got it").unwrap();
        // The program ends its side, then we end ours.
        assert_eq!(stream.read(&mut word).unwrap(), 0);
        stream.shutdown(Shutdown::Write).unwrap();
        word
    });
    let program = format!(
        "
        local socket = require 'client.socket'
        local fd = socket.connect('localhost', tonumber((...)))
        print(socket.recv(fd))
        socket.send(fd, 'hello')
        socket.send(fd, '')
        local function read(size)
            local got = ''
            while #got < size do
                local piece = socket.recv(fd)
                assert(piece ~= '', 'closed')
                got = got .. (piece or '')
                if not piece then socket.usleep(1000) end
            end
            return got
        end
        print(read(5))
        socket.send(fd, ('x'):rep({SIZE}))
        print(read(6))
        socket.shutdown(fd, 'w')
        local piece
        repeat piece = socket.recv(fd) until piece
        print(#piece)
        socket.close(fd)
        print(pcall(socket.recv, fd))"
    );
    let outcome = run("socket", &program, &[&port]);
    assert_eq!(&server.join().unwrap(), b"hello", "{}", outcome.stderr);
    let shutdown = outcome.stdout.lines().nth(3).unwrap_or("").to_owned();
    assert!(
        shutdown.starts_with("SHUTDOWN ") && shutdown.ends_with(" 1"),
        "{}",
        outcome.stdout
    );
    let rest = outcome.stdout.replace(&format!("{shutdown}\n"), "");
    let expected = "\nready\ngot it\n0\nfalse\tsocket error: Bad file descriptor\n";
    assert_eq!(rest, expected, "{}", outcome.stderr);
    assert_eq!(outcome.ended, Ended::Code(0));
}

/// Lines come as they are typed; after the last one the program ends with 1.
#[test]
fn stdin() {
    let program = "
        local socket = require 'client.socket'
        io.stdout:setvbuf 'no'
        print(socket.readstdin())
        while true do
            local line = socket.readstdin()
            if line then print('[' .. line .. ']') else socket.usleep(1000) end
        end";
    let mut child = command("stdin", program, &[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id().try_into().unwrap();
    let (ended, end) = mpsc::channel::<()>();
    // A program that does not go on would leave a reader waiting for ever.
    let watchdog = thread::spawn(move || {
        if end.recv_timeout(DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout) {
            // SAFETY: takes numbers only. The child is waited for only after
            // this thread was told or has ended, so the id is still its own.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    });
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(line(), "\n");
    for text in ["one", "", "two words"] {
        writeln!(input, "{text}").unwrap();
        assert_eq!(line(), format!("[{text}]\n"));
    }
    // More lines than wait, and the last one without an end.
    let many: String = (0..3000).map(|n| format!("{n}\n")).collect();
    input.write_all(many.as_bytes()).unwrap();
    input.write_all(b"last").unwrap();
    drop(input);
    for n in 0..3000 {
        assert_eq!(line(), format!("[{n}]\n"));
    }
    assert_eq!(line(), "[last]\n");
    assert_eq!(line(), "");
    drop(ended);
    watchdog.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
