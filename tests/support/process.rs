//! Running a program in a process group of its own, with a deadline.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    Code(i32),
    Signal(i32),
    Deadline,
}

pub struct Outcome {
    pub ended: Ended,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end or its deadline. Whatever else is left of its
/// process group then is killed. Output goes through files in `scratch`, so that
/// nobody who inherits it can hold us up.
pub fn run(mut command: Command, scratch: &Path, deadline: Duration) -> Outcome {
    let (out, err) = (scratch.join("stdout"), scratch.join("stderr"));
    let child = command
        .stdin(Stdio::null())
        .stdout(File::create(&out).expect("creates a file for the output"))
        .stderr(File::create(&err).expect("creates a file for the errors"))
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let ended = wait(child, deadline);
    let read = |path| {
        let bytes = fs::read(path).expect("reads the output");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Outcome {
        ended,
        stdout: read(&out),
        stderr: read(&err),
    }
}

fn wait(mut child: Child, deadline: Duration) -> Ended {
    let group = libc::pid_t::try_from(child.id()).expect("process ids are positive ints");
    let (ended, watch) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        let late = watch.recv_timeout(deadline).is_err();
        if late {
            kill_group(group);
        }
        late
    });
    wait_without_reaping(group);
    // The watchdog must not act on a group whose number may be used again.
    let _ = ended.send(());
    let late = watchdog.join().expect("the watchdog does not panic");
    kill_group(group);
    let status = child.wait().expect("the child is ours to wait for");
    if late {
        Ended::Deadline
    } else {
        describe(status)
    }
}

fn describe(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    }
}

/// Returns when the process has ended; it stays a zombie, so that its number is
/// not given to another.
fn wait_without_reaping(process: libc::pid_t) {
    let id = libc::id_t::try_from(process).expect("process ids are positive");
    loop {
        // SAFETY: siginfo_t is plain data for which zero bytes are valid.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `info` is valid for writing through the call.
        let result =
            unsafe { libc::waitid(libc::P_PID, id, &mut info, libc::WEXITED | libc::WNOWAIT) };
        if result == 0 {
            return;
        }
        let error = std::io::Error::last_os_error();
        assert_eq!(
            error.kind(),
            std::io::ErrorKind::Interrupted,
            "waitid: {error}"
        );
    }
}

/// Kills all processes of a group whose leader is our child, and not waited for yet.
pub fn kill_group(group: libc::pid_t) {
    // SAFETY: takes numbers only. The group's leader is our child and not reaped
    // yet, so the number still names the group that we created.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}
