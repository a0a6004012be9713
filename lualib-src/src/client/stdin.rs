//! Lines of standard input, read by a thread of their own, so that a program can
//! ask for one without waiting.
//!
//! There is one standard input, and so there is one list of lines in a process.
//! The thread starts with the first question and ends with the input.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Lines that wait at most; the thread stops reading meanwhile.
const WAITING: usize = 1024;

/// A line longer than this comes in pieces. Bytes.
const LONGEST: usize = 64 * 1024;

#[derive(Default)]
struct Lines {
    started: bool,
    ended: bool,
    waiting: VecDeque<Vec<u8>>,
}

static LINES: Mutex<Lines> = Mutex::new(Lines {
    started: false,
    ended: false,
    waiting: VecDeque::new(),
});
static ROOM: Condvar = Condvar::new();

fn lines() -> MutexGuard<'static, Lines> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What there is to read.
pub enum Next {
    /// A line of so many bytes, which [`take`] takes.
    Line(usize),
    Nothing,
    /// The input has ended, and everything has been taken.
    End,
}

/// Looks for a line, and starts the thread if there is none yet.
///
/// # Errors
/// The thread cannot be started.
pub fn next() -> io::Result<Next> {
    let mut lines = lines();
    if !lines.started {
        thread::Builder::new().name("stdin".into()).spawn(read)?;
        lines.started = true;
    }
    Ok(match lines.waiting.front() {
        Some(line) => Next::Line(line.len()),
        None if lines.ended => Next::End,
        None => Next::Nothing,
    })
}

/// Copies the next line to `to` and takes it out of the list, if `to` has its
/// size; false if it has not.
pub fn take(to: &mut [u8]) -> bool {
    let mut lines = lines();
    match lines.waiting.front() {
        Some(line) if line.len() == to.len() => {
            to.copy_from_slice(line);
            lines.waiting.pop_front();
            ROOM.notify_one();
            true
        }
        _ => false,
    }
}

/// The thread. An input that cannot be read has ended.
fn read() {
    let mut input = io::stdin().lock();
    loop {
        let mut line = Vec::new();
        let limited = input
            .by_ref()
            .take(LONGEST as u64)
            .read_until(b'\n', &mut line);
        if !matches!(limited, Ok(size) if size > 0) {
            lines().ended = true;
            return;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        let mut lines = lines();
        while lines.waiting.len() >= WAITING {
            lines = ROOM.wait(lines).unwrap_or_else(PoisonError::into_inner);
        }
        lines.waiting.push_back(line);
    }
}
