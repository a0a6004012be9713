//! A program that runs beside the test, whose lines can be waited for.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long a line, or the end, may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// It ends with this value, if it has not ended yet.
pub struct Program {
    pub child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Program {
    /// Starts a command, and takes its standard output.
    pub fn start(command: &mut Command) -> Program {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let output = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| send.send(line))
        });
        Program {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// All lines so far that were waited for or came before those.
    pub fn seen(&self) -> &[String] {
        &self.seen
    }

    /// Waits for a line that contains a text, and returns it. Those before it are
    /// passed over.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(DEADLINE) else {
                panic!("no {text:?} in:\n{}", self.seen.join("\n"));
            };
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait_end(&mut self) -> ExitStatus {
        let end = loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => self.seen.push(line),
                Err(end) => break end,
            }
        };
        let closed = end == RecvTimeoutError::Disconnected;
        assert!(closed, "it goes on after:\n{}", self.seen.join("\n"));
        self.child.wait().expect("it is ours to wait for")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already, unless the test fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
