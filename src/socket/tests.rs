//! A server with real descriptors. Here: what the tests share, and foreign
//! descriptors: pipes, terminals, sockets, files.

mod drive;
mod limits;
mod silence;
mod soak;
mod tcp;
mod udp;

use super::{Event, Id, Polled, Server, What};
use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::thread::JoinHandleExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub const DEADLINE: Duration = Duration::from_secs(10);
const OWNER: usize = 7;

/// A server, and a thread that polls it.
struct Harness {
    server: Arc<Server>,
    events: mpsc::Receiver<Event>,
    thread: Option<JoinHandle<()>>,
}

impl Harness {
    fn new() -> Harness {
        let server = Arc::new(Server::new().unwrap());
        // A full channel holds the thread up, and what is always readable with it.
        let (sender, events) = mpsc::sync_channel(64);
        let polled = Arc::clone(&server);
        let thread = std::thread::spawn(move || {
            loop {
                match polled.poll().unwrap() {
                    Polled::Exit => break,
                    Polled::Interrupted => {}
                    Polled::Event { event, .. } => sender.send(event).unwrap(),
                }
            }
        });
        Harness {
            server,
            events,
            thread: Some(thread),
        }
    }

    fn next(&self) -> Event {
        let event = self.events.recv_timeout(DEADLINE).expect("no event came");
        assert_eq!(event.owner, OWNER);
        event
    }

    /// The next event, as text: the kind, its id and what it says. Data is
    /// counted only.
    fn told(&self) -> String {
        tell(&self.next())
    }

    fn expect(&self, wanted: impl AsRef<str>) {
        assert_eq!(self.told(), wanted.as_ref());
    }

    /// The next events, in any order.
    fn expect_all<const N: usize>(&self, mut wanted: [String; N]) {
        let mut told = wanted.each_ref().map(|_| self.told());
        told.sort();
        wanted.sort();
        assert_eq!(told, wanted);
    }

    fn expect_open(&self, id: Id) {
        self.expect(format!("open {id} binding"));
    }

    fn expect_close(&self, id: Id) {
        let event = self.next();
        assert_eq!(event.id, id);
        assert!(matches!(event.what, What::Close), "{event:?}");
    }

    fn expect_error(&self, id: Id, words: &str) {
        let event = self.next();
        assert_eq!(event.id, id);
        assert!(
            matches!(&event.what, What::Error(text) if text == words),
            "{event:?}"
        );
    }

    /// Data events until there are as many bytes.
    fn expect_data(&self, id: Id, wanted: &[u8]) {
        let mut got = Vec::new();
        while got.len() < wanted.len() {
            let event = self.next();
            assert_eq!(event.id, id);
            match event.what {
                What::Data(block) => got.extend_from_slice(block.as_slice()),
                other => panic!("{other:?} after {} bytes", got.len()),
            }
        }
        assert!(got == wanted, "the bytes differ");
    }

    /// Everything asked for so far is done and all its events are taken: no
    /// event stands between here and that of a request made now.
    fn expect_quiet(&self) {
        self.server.start(OWNER, Id::MAX).unwrap();
        self.expect_error(Id::MAX, "invalid socket");
    }

    /// No event comes for so long; for what must not happen at any time.
    fn expect_nothing_for(&self, time: Duration) {
        if let Ok(event) = self.events.recv_timeout(time) {
            panic!("{event:?}");
        }
    }

    fn bind(&self, fd: &impl AsRawFd) -> Id {
        let id = self.server.bind(OWNER, fd.as_raw_fd()).unwrap();
        self.expect_open(id);
        id
    }
}

/// Waits until something is so that has no event of its own.
fn until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it does not come to that");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The CPU time that the polling thread has used.
fn thread_time(harness: &Harness) -> Duration {
    let thread = harness.thread.as_ref().unwrap().as_pthread_t();
    let mut clock: libc::clockid_t = 0;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the thread was not joined; both results have room.
    unsafe {
        assert_eq!(libc::pthread_getcpuclockid(thread, &mut clock), 0);
        assert_eq!(libc::clock_gettime(clock, &mut time), 0);
    }
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// An event in words, without its owner.
fn tell(event: &Event) -> String {
    let id = event.id;
    match &event.what {
        What::Open { text, port: 0 } => format!("open {id} {text}"),
        What::Open { text, port } => format!("open {id} {text} {port}"),
        What::Accept { new, text } => format!("accept {id} {new} {text}"),
        What::Data(block) => format!("data {id} {}", block.len()),
        What::Datagram { block, len } => format!(
            "datagram {id} {}",
            String::from_utf8_lossy(&block.as_slice()[..*len])
        ),
        What::Close => format!("close {id}"),
        What::Error(text) => format!("error {id} {text}"),
        What::Warning(kib) => format!("warning {id} {kib}"),
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What the test found may be that the thread is stuck.
            return;
        }
        self.server.exit().unwrap();
        let last = std::iter::from_fn(|| Some(self.events.recv_timeout(DEADLINE)))
            .find_map(Result::err)
            .unwrap();
        assert_eq!(
            last,
            mpsc::RecvTimeoutError::Disconnected,
            "it does not end"
        );
        self.thread.take().unwrap().join().unwrap();
    }
}

pub fn pipe() -> (File, File) {
    let mut fds: [RawFd; 2] = [0; 2];
    // SAFETY: the array has room for both, which are nobody else's yet.
    unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1]))
    }
}

/// Master and slave.
fn terminal() -> (File, File) {
    let (mut master, mut slave): (RawFd, RawFd) = (0, 0);
    // SAFETY: null leaves name, modes and size alone; the descriptors are new.
    unsafe {
        let done = libc::openpty(
            &mut master,
            &mut slave,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        );
        assert_eq!(done, 0);
        (File::from_raw_fd(master), File::from_raw_fd(slave))
    }
}

fn blocks(fd: &impl AsRawFd) -> bool {
    // SAFETY: F_GETFL has no pointers.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    assert_ne!(flags, -1, "the descriptor was closed");
    flags & libc::O_NONBLOCK == 0
}

/// A name that goes with the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Temporary {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("skynet-socket-{}-{number}", std::process::id());
        Temporary(std::env::temp_dir().join(name))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn smoke() {
    let harness = Harness::new();
    let (reader, mut writer) = pipe();
    let id = harness.bind(&reader);
    writer.write_all(b"hello\n").unwrap();
    harness.expect_data(id, b"hello\n");
    writer.write_all(b"again\n").unwrap();
    harness.expect_data(id, b"again\n");
    drop(writer);
    harness.expect_close(id);
    harness.server.close(id).unwrap();
    harness.expect_quiet();
    assert!(blocks(&reader));
}

#[test]
fn data_and_end_at_once() {
    let harness = Harness::new();
    let (reader, mut writer) = pipe();
    writer.write_all(b"last words").unwrap();
    drop(writer);
    let id = harness.bind(&reader);
    harness.expect_data(id, b"last words");
    harness.expect_close(id);
    harness.expect_quiet();
}

#[test]
fn order() {
    let harness = Harness::new();
    let (reader, mut writer) = pipe();
    let id = harness.bind(&reader);
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n / 7) as u8).collect();
    let copy = bytes.clone();
    let thread = std::thread::spawn(move || writer.write_all(&copy).unwrap());
    harness.expect_data(id, &bytes);
    thread.join().unwrap();
    harness.expect_close(id);
}

#[test]
fn closing_leaves_the_descriptor_open() {
    for manner in [Server::close, Server::shutdown] {
        let harness = Harness::new();
        let (reader, mut writer) = pipe();
        let id = harness.bind(&reader);
        manner(&harness.server, id).unwrap();
        harness.expect_close(id);
        manner(&harness.server, id).unwrap();
        harness.expect_quiet();
        writer.write_all(b"for the opener").unwrap();
        drop(writer);
        let mut rest = String::new();
        (&reader).read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "for the opener");
    }
}

#[test]
fn pause() {
    let harness = Harness::new();
    let (reader, mut writer) = pipe();
    let id = harness.bind(&reader);
    writer.write_all(b"one").unwrap();
    harness.expect_data(id, b"one");
    harness.server.pause(id).unwrap();
    harness.expect_quiet();
    writer.write_all(b"two").unwrap();
    // A second socket goes through the poller meanwhile.
    let (other, mut other_writer) = pipe();
    let other_id = harness.bind(&other);
    other_writer.write_all(b"other").unwrap();
    harness.expect_data(other_id, b"other");
    harness.expect_quiet();
    harness.server.start(OWNER, id).unwrap();
    harness.expect_data(id, b"two");
    // Starting what is started changes nothing.
    harness.server.start(OWNER, id).unwrap();
    harness.expect_quiet();
    // The end is not seen while paused, and is not lost.
    harness.server.pause(id).unwrap();
    drop(writer);
    harness.expect_quiet();
    harness.server.start(OWNER, id).unwrap();
    harness.expect_close(id);
}

#[test]
fn terminal_keeps_its_flags() {
    let harness = Harness::new();
    let (mut master, slave) = terminal();
    let id = harness.bind(&slave);
    assert!(blocks(&slave), "the flag is shared with the shell");
    master.write_all(b"first\nsecond\n").unwrap();
    harness.expect_data(id, b"first\nsecond\n");
    // Control-D on an empty line: the end, for now.
    master.write_all(b"\x04").unwrap();
    harness.expect_close(id);
    harness.server.close(id).unwrap();
    harness.expect_quiet();
    assert!(blocks(&slave));
}

#[test]
fn terminal_is_hung_up() {
    let harness = Harness::new();
    let (master, slave) = terminal();
    let id = harness.bind(&slave);
    drop(master);
    let event = harness.next();
    assert_eq!(event.id, id);
    // Linux says end or EIO, by the time at which the read comes.
    assert!(
        matches!(event.what, What::Close | What::Error(_)),
        "{event:?}"
    );
    harness.expect_quiet();
}

#[test]
fn blocking_comes_back() {
    let (master, mut slave) = terminal();
    {
        // A master cannot be opened again, so its flag has to change.
        let harness = Harness::new();
        let id = harness.bind(&master);
        assert!(!blocks(&master));
        slave.write_all(b"out").unwrap();
        harness.expect_data(id, b"out");
        harness.server.close(id).unwrap();
        harness.expect_close(id);
        assert!(blocks(&master));

        harness.bind(&master);
        assert!(!blocks(&master));
    }
    assert!(blocks(&master), "dropping the server must restore it too");
}

#[test]
fn error_is_reported_once() {
    let harness = Harness::new();
    let (master, slave) = terminal();
    let id = harness.bind(&master);
    drop(slave);
    harness.expect_error(id, "Input/output error");
    harness.expect_quiet();
    harness.server.shutdown(id).unwrap();
    harness.expect_close(id);
}

#[test]
fn regular_file() {
    let harness = Harness::new();
    let name = Temporary::new();
    let text: Vec<u8> = (0..20_000u32)
        .flat_map(|n| format!("{n}\n").into_bytes())
        .collect();
    std::fs::write(&name.0, [b"skipped\n", &text[..]].concat()).unwrap();
    let mut file = File::open(&name.0).unwrap();
    // It is read from where its opener stands, as a shell's `< file` in a loop.
    file.seek(SeekFrom::Start(8)).unwrap();
    let id = harness.bind(&file);
    harness.expect_data(id, &text);
    harness.expect_close(id);
    harness.expect_quiet();
    assert!(blocks(&file));
}

#[test]
fn null_device() {
    let harness = Harness::new();
    let null = File::open("/dev/null").unwrap();
    let id = harness.bind(&null);
    harness.expect_close(id);
    harness.server.close(id).unwrap();
    harness.expect_quiet();
    assert!(blocks(&null));
}

#[test]
fn endless_file_starves_nobody() {
    let harness = Harness::new();
    let zero = File::open("/dev/zero").unwrap();
    let endless = harness.bind(&zero);
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let id = harness.server.bind(OWNER, ours.as_raw_fd()).unwrap();
    let until = |wanted: fn(&What) -> bool| {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let event = harness.next();
            if event.id == id && wanted(&event.what) {
                break;
            }
            assert!(Instant::now() < deadline, "nothing from the other socket");
        }
    };
    until(|what| matches!(what, What::Open { .. }));
    theirs.write_all(b"me too").unwrap();
    until(|what| matches!(what, What::Data(_)));
    harness.server.close(endless).unwrap();
    while !matches!(harness.next().what, What::Close) {}
}

#[test]
fn named_pipe_whose_writer_has_left() {
    for text in ["", "left"] {
        let harness = Harness::new();
        let name = Temporary::new();
        let path = CString::new(name.0.to_str().unwrap()).unwrap();
        // SAFETY: path ends in a zero; the descriptor is new.
        let reader = unsafe {
            assert_eq!(libc::mkfifo(path.as_ptr(), 0o600), 0);
            let fd = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_NONBLOCK);
            assert_ne!(fd, -1);
            OwnedFd::from_raw_fd(fd)
        };
        let mut writer = File::options().write(true).open(&name.0).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
        drop(writer);
        let id = harness.bind(&reader);
        harness.expect_data(id, text.as_bytes());
        harness.expect_close(id);
    }
}

#[test]
fn socket() {
    let harness = Harness::new();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let id = harness.bind(&ours);
    theirs.write_all(b"over a socket").unwrap();
    harness.expect_data(id, b"over a socket");
    // The thread does not wait in a read.
    harness.expect_quiet();
    assert!(blocks(&ours));
    drop(theirs);
    harness.expect_close(id);
}

#[test]
fn bad_input() {
    let harness = Harness::new();
    let id = harness.server.bind(OWNER, -1).unwrap();
    harness.expect_error(id, "Bad file descriptor");
    harness.server.start(OWNER, id).unwrap();
    harness.expect_error(id, "invalid socket");
    for id in [id, 0, -1, Id::MAX] {
        harness.server.close(id).unwrap();
        harness.server.shutdown(id).unwrap();
        harness.server.pause(id).unwrap();
    }
    harness.expect_quiet();

    let directory = File::open("/").unwrap();
    let id = harness.bind(&directory);
    harness.expect_error(id, "Is a directory");

    let (reader, writer) = pipe();
    let id = harness.bind(&reader);
    drop(writer);
    harness.expect_close(id);
    harness.server.start(OWNER, id).unwrap();
    harness.expect_error(id, "socket closed");
}

#[test]
fn overload() {
    let harness = Harness::new();
    let pipes: Vec<_> = (0..300).map(|_| pipe()).collect();
    let ids: Vec<_> = pipes.iter().map(|(r, _)| harness.bind(r)).collect();
    for (_, writer) in &pipes {
        let mut writer: &File = writer;
        writer.write_all(b"x").unwrap();
    }
    let mut heard: Vec<Id> = ids.iter().map(|_| harness.next().id).collect();
    heard.sort_unstable();
    assert_eq!(heard, ids);
    harness.expect_quiet();
}

#[test]
fn drops() {
    let (reader, mut writer) = pipe();
    let harness = Harness::new();
    harness.bind(&reader);
    drop(harness);
    writer.write_all(b"still here").unwrap();
    let mut buffer = [0; 10];
    (&reader).read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"still here");
    // Only the opener's end is left, so that the writer sees it go.
    drop(reader);
    let error = writer.write_all(b"nobody").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}
