//! The executable in the background: who refuses to start, what its standard
//! streams are, and what becomes of its pid file.
#![cfg(feature = "standalone")]

use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);

/// A directory with a node's config; removed at the end, and the daemon with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("daemon")
            .join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("creates a directory");
        let place = Place(directory);
        place.write("main.lua", "require 'skynet'.start(function() end)\n");
        place.config("");
        place
    }

    /// The config, with more settings.
    fn config(&self, more: &str) {
        let here = self.0.display();
        self.write(
            "config",
            &format!(
                "thread = 2\nharbor = 0\nstart = \"main\"\ndaemon = \"./node.pid\"\n\
                 logger = \"{here}/log\"\nluaservice = \"{here}/?.lua\"\n{more}\n"
            ),
        );
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("writes a file");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Starts a node and waits until its starter has ended. What a daemon holds of
    /// its starter's output would keep this from returning.
    fn start(&self) -> Output {
        Command::new(env!("CARGO_BIN_EXE_skynet"))
            .arg("config")
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .output()
            .expect("runs the executable")
    }

    /// As `start`, for a node that is to come up.
    fn started(&self) -> libc::pid_t {
        let output = self.start();
        assert!(output.status.success(), "{output:?}");
        self.pid().expect("the pid file is there")
    }

    fn pid(&self) -> Option<libc::pid_t> {
        self.read("node.pid").trim().parse().ok()
    }

    fn has_pid_file(&self) -> bool {
        self.path("node.pid").exists()
    }

    /// Whether some process has the pid file locked. Looks without trying: that
    /// would lock it for a moment, for processes just being started too.
    fn is_locked(&self) -> bool {
        let Ok(file) = fs::metadata(self.path("node.pid")) else {
            return false;
        };
        let place = format!(":{} ", file.ino());
        let locks = fs::read_to_string("/proc/locks").expect("the kernel lists locks");
        let mut locks = locks.lines();
        locks.any(|lock| lock.contains("FLOCK") && lock.contains(&place))
    }

    /// Ends the daemon as an operator does.
    fn stop(&self, pid: libc::pid_t) {
        send(pid, libc::SIGTERM);
        wait_until("the pid file is gone", || !self.has_pid_file());
        wait_until("the process is gone", || !is_alive(pid));
    }
}

impl Drop for Place {
    /// Ends whatever still runs in this directory, which daemons and their children
    /// stay in, however far the test has come.
    fn drop(&mut self) {
        let Ok(here) = fs::canonicalize(&self.0) else {
            return;
        };
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = process.file_name().to_string_lossy().parse();
            if let Ok(pid) = pid
                && fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == here)
            {
                send(pid, libc::SIGKILL);
            }
        }
    }
}

fn send(pid: libc::pid_t, signal: libc::c_int) {
    // SAFETY: takes numbers.
    unsafe { libc::kill(pid, signal) };
}

/// Whether the process runs; whoever adopts it may be late in burying it.
fn is_alive(pid: libc::pid_t) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

fn wait_until(what: &str, mut there: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !there() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn smoke() {
    let place = Place::new("smoke");
    let pid = place.started();
    // SAFETY: takes a number.
    assert_eq!(unsafe { libc::getsid(pid) }, pid, "it leads a session");
    assert!(place.is_locked());
    assert_eq!(place.read("node.pid"), format!("{pid}\n"));
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).expect("a link");
    assert_eq!(link("cwd"), fs::canonicalize(&place.0).expect("is there"));
    for stream in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(link(stream), Path::new("/dev/null"));
    }
    wait_until("it has started", || {
        place.read("log").contains("LAUNCH snlua main")
    });
    place.stop(pid);
}

#[test]
fn runs_lua() {
    let place = Place::new("runs_lua");
    place.write(
        "main.lua",
        "local skynet = require 'skynet'\n\
         skynet.start(function()\n\
             local f = assert(io.open('answer.new', 'w'))\n\
             f:write('from the background')\n\
             f:close()\n\
             os.rename('answer.new', 'answer')\n\
         end)\n",
    );
    let pid = place.started();
    wait_until("it has written", || place.path("answer").exists());
    assert_eq!(place.read("answer"), "from the background");
    place.stop(pid);
}

#[test]
fn a_second_one_is_refused() {
    let place = Place::new("second");
    let pid = place.started();
    let output = place.start();
    assert_eq!(output.status.code(), Some(1));
    let text = format!("Skynet is already running, pid = {pid}.");
    assert!(stderr(&output).contains(&text), "{output:?}");
    assert_eq!(place.pid(), Some(pid), "the file is as it was");
    place.stop(pid);
}

/// The number of a process that runs and is no node.
#[test]
fn a_stale_pid_file_is_no_hindrance() {
    let place = Place::new("stale");
    place.write(
        "node.pid",
        &format!("{}\nand more text\n", std::process::id()),
    );
    let pid = place.started();
    assert_ne!(pid as u32, std::process::id());
    assert_eq!(place.read("node.pid"), format!("{pid}\n"));
    place.stop(pid);
}

#[test]
fn a_killed_node_starts_again() {
    let place = Place::new("killed");
    let pid = place.started();
    send(pid, libc::SIGKILL);
    wait_until("the lock is free", || !place.is_locked());
    assert_eq!(place.pid(), Some(pid), "it could not remove its file");
    let next = place.started();
    assert_ne!(next, pid);
    place.stop(next);
}

/// Programs that a node starts do not hold its lock.
#[test]
fn children_do_not_hold_the_lock() {
    let place = Place::new("children");
    place.write(
        "main.lua",
        "local skynet = require 'skynet'\n\
         skynet.start(function()\n\
             io.popen('echo $$ >child.new; mv child.new child; exec sleep 1000', 'w')\n\
         end)\n",
    );
    let pid = place.started();
    wait_until("the child runs", || place.path("child").exists());
    let child: libc::pid_t = place.read("child").trim().parse().expect("a number");
    send(pid, libc::SIGKILL);
    wait_until("the lock is free", || !place.is_locked());
    assert!(is_alive(child));
    send(child, libc::SIGKILL);
}

/// Whatever keeps a node from starting is told by the process that was called.
#[test]
fn failures_are_told() {
    let place = Place::new("failures");
    for (setting, text) in [
        (
            "daemon = \"./no/such/node.pid\"",
            "Can't create pidfile [./no/such/node.pid]",
        ),
        (
            "logservice = \"no_such_logger\"",
            "Can't launch no_such_logger service",
        ),
        ("bootstrap = \"no_such_service\"", "Bootstrap error"),
    ] {
        place.config(setting);
        let output = place.start();
        assert_eq!(output.status.code(), Some(1), "{setting}: {output:?}");
        assert!(stderr(&output).contains(text), "{setting}: {output:?}");
        assert!(!place.has_pid_file(), "{setting}: the file is removed");
    }
}

/// Late failures too, though nobody reads what they say.
#[test]
fn missing_threads_are_told() {
    let place = Place::new("threads");
    place.config("thread = 1000");
    // Each thread has a stack of 8 MiB.
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 2000000; exec \"$0\" config"])
        .arg(env!("CARGO_BIN_EXE_skynet"))
        .current_dir(&place.0)
        .stdin(Stdio::null())
        .output()
        .expect("runs a shell");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!place.has_pid_file());
}

/// A file that somebody else has put in its place is not the node's to remove.
#[test]
fn another_nodes_file_stays() {
    let place = Place::new("another");
    let pid = place.started();
    fs::remove_file(place.path("node.pid")).expect("is there");
    let other = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(place.path("node.pid"))
        .expect("creates a file");
    drop(other);
    send(pid, libc::SIGTERM);
    wait_until("the process is gone", || !is_alive(pid));
    assert!(place.has_pid_file());
}
