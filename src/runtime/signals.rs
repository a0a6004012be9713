//! Signals that the node obeys: SIGHUP has the log reopened, SIGTERM and SIGINT
//! stop the node in order, and the second of these two ends the process.
//!
//! A handler may do next to nothing, so it writes the signal's number to a pipe,
//! from which a thread of the node reads. No thread blocks signals: child
//! processes would inherit the mask. They inherit the pipe neither, nor
//! handlers.

use crate::error::{Error, Result};
use core::ffi::c_int;
use once_cell::sync::OnceCell;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::{mem, ptr};

static SIGNALS: OnceCell<Signals> = OnceCell::new();

/// On the pipe instead of a signal's number: [`Signals::stop`].
const STOP: u8 = 0;

/// What [`Signals::wait`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// SIGHUP: the log is to be reopened.
    Reopen,
    /// SIGTERM or SIGINT, by number: the node is to stop.
    Terminate(c_int),
    /// [`Signals::stop`] was called.
    Stopped,
}

/// The node's handlers and the pipe that they write to.
#[derive(Debug)]
pub struct Signals {
    read: PipeReader,
    write: PipeWriter,
    /// Of SIGTERM and SIGINT those that are the node's.
    terminating: Vec<c_int>,
}

impl Signals {
    /// Installs the handlers. SIGTERM and SIGINT are left alone where the
    /// program has handlers of its own, or was started with them ignored, as
    /// SIGINT is by a shell's script for what it runs in the background. To be called
    /// by whoever starts a node, and for nothing less: from here on the two no longer
    /// end the process.
    ///
    /// # Errors
    /// [`Error::AlreadyInitialised`] the second time; [`Error::Io`] if the
    /// system gives no pipe.
    pub fn install() -> Result<&'static Signals> {
        let (read, write) = io::pipe().map_err(|source| Error::Io {
            what: String::from("the pipe for signals"),
            source,
        })?;
        // A handler must not wait when nobody has read for long.
        set_nonblocking(write.as_raw_fd())?;
        let mut terminating = vec![libc::SIGTERM, libc::SIGINT];
        terminating.retain(|&number| has_default(number));
        let signals = Signals {
            read,
            write,
            terminating,
        };
        let signals = SIGNALS
            .try_insert(signals)
            .map_err(|_| Error::AlreadyInitialised("signal handling"))?;
        for &number in signals.terminating.iter().chain(&[libc::SIGHUP]) {
            set_action(number, on_signal as *const () as libc::sighandler_t);
        }
        Ok(signals)
    }

    /// Waits for the next signal, or for [`stop`](Self::stop).
    ///
    /// # Errors
    /// [`Error::Io`] if the pipe cannot be read.
    pub fn wait(&self) -> Result<Event> {
        let mut byte = [STOP];
        // Tries again by itself when a signal interrupts it.
        let read = (&self.read).read_exact(&mut byte);
        read.map_err(|source| Error::Io {
            what: String::from("the pipe for signals"),
            source,
        })?;
        Ok(match c_int::from(byte[0]) {
            libc::SIGHUP => Event::Reopen,
            number if byte[0] != STOP => Event::Terminate(number),
            _ => Event::Stopped,
        })
    }

    /// Ends the waiting, and gives SIGTERM and SIGINT their default meaning:
    /// the process is on its way out.
    pub fn stop(&self) {
        self.let_go();
        self.send(STOP);
    }

    fn send(&self, byte: u8) {
        // A pipe that is full has enough to wake the reader.
        let _ = (&self.write).write(&[byte]);
    }

    fn let_go(&self) {
        for &number in &self.terminating {
            set_action(number, libc::SIG_DFL);
        }
    }
}

/// Runs in whichever thread the signal interrupts: async-signal-safe calls only.
extern "C" fn on_signal(number: c_int) {
    // SAFETY: it returns the address of this thread's errno, which the
    // interrupted code may be about to read.
    let errno = unsafe { errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    if let Some(signals) = SIGNALS.get() {
        if number != libc::SIGHUP {
            signals.let_go();
        }
        signals.send(number as u8);
    }
    // SAFETY: as above.
    unsafe { *errno = before };
}

#[cfg(any(target_os = "netbsd", target_os = "openbsd", target_os = "android"))]
use libc::__errno as errno_location;
#[cfg(any(target_os = "linux", target_os = "emscripten"))]
use libc::__errno_location as errno_location;
#[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
use libc::__error as errno_location;

fn set_action(number: c_int, handler: libc::sighandler_t) {
    // SAFETY: the struct is plain data for which zeros are valid: no flags, an
    // empty mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler;
    // Calls of C code that does not expect it are not interrupted.
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler is `on_signal`, which does only what a handler may, or
    // the default. The call cannot fail for the three signals used here.
    unsafe { libc::sigaction(number, &raw const action, ptr::null_mut()) };
}

/// Whether the signal is neither handled by the program itself nor ignored.
fn has_default(number: c_int) -> bool {
    // SAFETY: as in `set_action`.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: asks only; `action` is there to be written to.
    unsafe { libc::sigaction(number, ptr::null(), &raw mut action) };
    action.sa_sigaction == libc::SIG_DFL
}

fn set_nonblocking(fd: RawFd) -> Result<()> {
    // SAFETY: these two calls change no memory.
    let failed = unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        flags < 0 || libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) < 0
    };
    match failed {
        true => Err(Error::last_os("the pipe for signals")),
        false => Ok(()),
    }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Lines};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, ChildStdout, Command, Stdio};
    use std::thread;
    use std::time::{Duration, Instant};

    const ROLE: &str = "SKYNET_SIGNALS_TEST";

    /// A process with the handlers, which prints its events. It is this test
    /// binary, told to run the test `in_a_process`.
    struct Process {
        child: Child,
        lines: Lines<BufReader<ChildStdout>>,
    }

    impl Process {
        fn start(role: &str) -> Self {
            let name = concat!(module_path!(), "::in_a_process");
            let name = name.split_once("::").unwrap().1;
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", name, "--nocapture"])
                .env(ROLE, role)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut process = Process { child, lines };
            assert_eq!(process.line(), "ready");
            process
        }

        /// The next line that is not the test harness's.
        fn line(&mut self) -> String {
            loop {
                let line = self.lines.next().expect("it should print a line").unwrap();
                if let Some((_, ours)) = line.split_once("> ") {
                    return ours.to_string();
                }
            }
        }

        fn signal(&self, number: c_int) {
            // SAFETY: sends a signal to a child that has not been waited for.
            assert_eq!(unsafe { libc::kill(self.child.id() as i32, number) }, 0);
        }

        /// The signal that ended the process, if one did.
        fn end(&mut self) -> Option<c_int> {
            let start = Instant::now();
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status.signal();
                }
                assert!(start.elapsed() < Duration::from_secs(20), "it does not end");
                thread::yield_now();
            }
        }
    }

    impl Drop for Process {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    extern "C" fn own_handler(_: c_int) {}

    /// Does nothing unless a test below runs it in a process of its own.
    #[test]
    fn in_a_process() {
        let Ok(role) = std::env::var(ROLE) else {
            return;
        };
        // Whatever the tests themselves were started with.
        set_action(libc::SIGTERM, libc::SIG_DFL);
        set_action(
            libc::SIGINT,
            match role.as_str() {
                "own" => own_handler as *const () as libc::sighandler_t,
                "background" => libc::SIG_IGN,
                _ => libc::SIG_DFL,
            },
        );
        let signals = Signals::install().unwrap();
        assert!(Signals::install().is_err());
        println!("> ready");
        if role == "child" {
            let status = Command::new("sh").args(["-c", "kill -TERM $$"]).status();
            println!("> {:?}", status.unwrap().signal());
        }
        let mut terminated = false;
        loop {
            let event = signals.wait().unwrap();
            println!("> {event:?}");
            match event {
                Event::Reopen if terminated => signals.stop(),
                Event::Terminate(_) => terminated = true,
                Event::Stopped => break,
                Event::Reopen => {}
            }
        }
    }

    #[test]
    fn order() {
        let mut process = Process::start("plain");
        for _ in 0..3 {
            process.signal(libc::SIGHUP);
            assert_eq!(process.line(), "Reopen");
        }
        process.signal(libc::SIGTERM);
        assert_eq!(process.line(), "Terminate(15)");
        process.signal(libc::SIGHUP);
        assert_eq!(process.line(), "Reopen");
        assert_eq!(process.line(), "Stopped");
        assert_eq!(process.end(), None);
    }

    #[test]
    fn the_second_ends_at_once() {
        let mut process = Process::start("plain");
        process.signal(libc::SIGINT);
        assert_eq!(process.line(), "Terminate(2)");
        process.signal(libc::SIGTERM);
        assert_eq!(process.end(), Some(libc::SIGTERM));
    }

    #[test]
    fn a_programs_own_handler_stays() {
        only_sigterm_ends("own");
    }

    #[test]
    fn what_was_ignored_is_ignored() {
        only_sigterm_ends("background");
    }

    fn only_sigterm_ends(role: &str) {
        let mut process = Process::start(role);
        process.signal(libc::SIGINT);
        process.signal(libc::SIGHUP);
        assert_eq!(process.line(), "Reopen");
        process.signal(libc::SIGTERM);
        assert_eq!(process.line(), "Terminate(15)");
    }

    #[test]
    fn child_processes_have_the_default() {
        let mut process = Process::start("child");
        assert_eq!(process.line(), format!("{:?}", Some(libc::SIGTERM)));
    }
}
