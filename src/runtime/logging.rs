//! A file for each service that has its messages logged, in the format of
//! skynet's log files: one line for each message, the bytes in hexadecimal.
//!
//! The files are streams of the C library, since C code may hold them too.

use super::{env, node, timer};
use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};
use core::ffi::c_int;
use libc::FILE;
use skynet_abi::PTYPE_SOCKET;
use skynet_abi::socket::skynet_socket_message;
use std::ffi::{CStr, CString};
use std::io;
use std::path::PathBuf;
use std::ptr::{self, NonNull};
use std::{mem, slice};

/// Input bytes that are turned to text at a time.
const PIECE: usize = 2048;

/// Whether a service's messages are logged, and where. For one service, which
/// may have its log begun and ended by another while it runs.
#[derive(Debug, Default)]
pub struct ServiceLog {
    /// Spares a service without a log the lock.
    on: AtomicBool,
    file: Mutex<Option<LogFile>>,
}

impl ServiceLog {
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the log of the service `handle`, unless it is open. The node's log
    /// says so in the name of `by`, or that it failed.
    ///
    /// # Errors
    /// The environment has no `logpath`, or the file cannot be opened.
    pub fn begin(&self, by: u32, handle: u32) -> Result<()> {
        let mut file = lock(&self.file);
        if file.is_none() {
            *file = Some(LogFile::begin(by, handle)?);
            self.on.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Closes the log if it is open; the node's log says so in the name of `by`.
    pub fn end(&self, by: u32, handle: u32) {
        let mut slot = lock(&self.file);
        self.on.store(false, Ordering::Relaxed);
        if let Some(file) = slot.take() {
            file.end(by, handle);
        }
    }

    /// Whether the log is open; may be a moment behind.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Closes the log without a word, as the service is gone.
    pub fn close(&self) {
        if self.is_on() {
            self.on.store(false, Ordering::Relaxed);
            drop(lock(&self.file).take());
        }
    }

    /// Logs a message if the log is open.
    ///
    /// # Safety
    /// As for [`LogFile::output`].
    #[inline]
    pub unsafe fn output(&self, source: u32, kind: c_int, session: c_int, data: &[u8]) {
        // A message too many or too few about the moment of a change is as good.
        if self.on.load(Ordering::Relaxed)
            && let Some(file) = &*lock(&self.file)
        {
            // SAFETY: as the caller says.
            unsafe { file.output(source, kind, session, data) };
        }
    }
}

/// An open log. Closed when dropped, without a closing line.
#[derive(Debug)]
pub struct LogFile(NonNull<FILE>);

// SAFETY: the C library locks a stream for each operation, whoever calls.
unsafe impl Send for LogFile {}

impl LogFile {
    /// Opens the file of the service `handle` in the directory that the key
    /// `logpath` names, for appending, and writes when. The node's log says so
    /// in the name of `by`, or that it failed.
    ///
    /// # Errors
    /// The environment has no `logpath`, or the file cannot be opened.
    pub fn begin(by: u32, handle: u32) -> Result<LogFile> {
        let directory = env::env()?
            .get(c"logpath")
            .ok_or_else(|| Error::bad_argument("log", "the config has no key logpath"))?;
        let path = path_of(directory, handle);
        let file = LogFile::open(&path);
        let outcome = if file.is_ok() { "" } else { " fail" };
        let text = [b"Open log file ", path.as_bytes(), outcome.as_bytes()].concat();
        node::log(by, &text);
        let file = file?;
        let (start, now) = timer::timer().map_or((0, 0), |t| (t.starttime(), t.now()));
        let wall = i64::from(start) + (now / 100) as i64;
        file.write(format!("open time: {} {}\n", now as u32, calendar(wall)).as_bytes());
        file.flush();
        Ok(file)
    }

    /// Writes when, and closes the file; the node's log says so in the name of `by`.
    pub fn end(self, by: u32, handle: u32) {
        node::log(by, format!("Close log file :{handle:08x}").as_bytes());
        self.write(format!("close time: {}\n", now()).as_bytes());
    }

    /// Writes one message, and flushes.
    ///
    /// # Safety
    /// Of a message of type PTYPE_SOCKET that begins with a
    /// `skynet_socket_message`, `buffer` must be null or valid for `ud` bytes.
    pub unsafe fn output(&self, source: u32, kind: c_int, session: c_int, data: &[u8]) {
        if let (PTYPE_SOCKET, Some((head, text))) = (kind, split_socket(data)) {
            // SAFETY: as the caller says.
            unsafe { self.socket(&head, text) };
        } else {
            let time = now();
            self.write(format!(":{source:08x} {kind} {session} {time} ").as_bytes());
            self.blob(data);
        }
        self.write(b"\n");
        self.flush();
    }

    /// # Safety
    /// `head.buffer` must be null or valid for `head.ud` bytes.
    unsafe fn socket(&self, head: &skynet_socket_message, text: &[u8]) {
        let start = format!("[socket] {} {} {} ", head.type_, head.id, head.ud);
        self.write(start.as_bytes());
        if head.buffer.is_null() {
            let end = text.iter().position(|&byte| byte == 0);
            self.write(b"[");
            self.write(&text[..end.unwrap_or(text.len())]);
            self.write(b"]");
        } else {
            let size = usize::try_from(head.ud).unwrap_or(0);
            // SAFETY: as the caller says.
            self.blob(unsafe { slice::from_raw_parts(head.buffer.cast::<u8>(), size) });
        }
    }

    fn open(path: &CStr) -> Result<LogFile> {
        // SAFETY: both are C strings.
        let file = unsafe { libc::fopen(path.as_ptr(), c"ab".as_ptr()) };
        NonNull::new(file).map(LogFile).ok_or_else(|| Error::File {
            path: PathBuf::from(path.to_string_lossy().into_owned()),
            source: io::Error::last_os_error(),
        })
    }

    /// Takes a stream over from C code.
    ///
    /// # Safety
    /// `file` must be an open stream that nobody else closes.
    pub unsafe fn from_raw(file: *mut FILE) -> Option<LogFile> {
        NonNull::new(file).map(LogFile)
    }

    /// Gives the stream to the caller, who closes it.
    pub fn into_raw(self) -> *mut FILE {
        let file = self.0.as_ptr();
        mem::forget(self);
        file
    }

    fn write(&self, bytes: &[u8]) {
        // SAFETY: the stream is open as long as `self` lives. What cannot be
        // written is not logged, as nobody could be told by this log.
        unsafe { libc::fwrite(bytes.as_ptr().cast(), 1, bytes.len(), self.0.as_ptr()) };
    }

    fn blob(&self, data: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; PIECE * 2];
        for piece in data.chunks(PIECE) {
            for (pair, byte) in text.chunks_exact_mut(2).zip(piece) {
                pair[0] = DIGITS[usize::from(byte >> 4)];
                pair[1] = DIGITS[usize::from(byte & 15)];
            }
            self.write(&text[..piece.len() * 2]);
        }
    }

    fn flush(&self) {
        // SAFETY: as in `write`.
        unsafe { libc::fflush(self.0.as_ptr()) };
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        // SAFETY: open until here, and closed once.
        unsafe { libc::fclose(self.0.as_ptr()) };
    }
}

/// The low 32 bits of the node's time, 0 before it has one.
fn now() -> u32 {
    timer::timer().map_or(0, |timer| timer.now() as u32)
}

fn path_of(directory: &CStr, handle: u32) -> CString {
    let name = format!("/{handle:08x}.log");
    let path = [directory.to_bytes(), name.as_bytes()].concat();
    CString::new(path).expect("made from a C string and hexadecimal digits")
}

/// A socket message's head and what follows it; `None` for a message too short
/// to have one.
fn split_socket(data: &[u8]) -> Option<(skynet_socket_message, &[u8])> {
    let (head, text) = data.split_at_checked(size_of::<skynet_socket_message>())?;
    // SAFETY: the slice is as long as the struct, which any bytes are valid for.
    Some((unsafe { ptr::read_unaligned(head.as_ptr().cast()) }, text))
}

/// Local time in the form of C's `ctime`, whose names are English everywhere.
fn calendar(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let name = |names: &[&'static str], index: c_int| {
        let index = usize::try_from(index).ok();
        index.and_then(|i| names.get(i).copied()).unwrap_or("???")
    };
    let seconds = seconds as libc::time_t;
    // SAFETY: the struct is plain numbers and a pointer, for which zeros are valid.
    let mut time: libc::tm = unsafe { mem::zeroed() };
    // SAFETY: both point to live values.
    unsafe { libc::localtime_r(&raw const seconds, &raw mut time) };
    format!(
        "{} {} {:2} {:02}:{:02}:{:02} {}",
        name(&DAYS, time.tm_wday),
        name(&MONTHS, time.tm_mon),
        time.tm_mday,
        time.tm_hour,
        time.tm_min,
        time.tm_sec,
        time.tm_year + 1900,
    )
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::*;
    use std::fs;

    /// A log that writes to memory.
    struct Memory {
        file: Option<LogFile>,
        path: PathBuf,
    }

    impl Memory {
        fn new(test: &str) -> Self {
            let name = format!("skynet-log-{test}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = fs::remove_file(&path);
            let c_path = CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
            Memory {
                file: Some(LogFile::open(&c_path).unwrap()),
                path,
            }
        }

        fn output(&self, source: u32, kind: c_int, session: c_int, data: &[u8]) {
            // SAFETY: the tests' buffers live as long as the call.
            unsafe {
                let file = self.file.as_ref().unwrap();
                file.output(source, kind, session, data);
            }
        }

        fn text(&self) -> String {
            fs::read_to_string(&self.path).unwrap()
        }
    }

    impl Drop for Memory {
        fn drop(&mut self) {
            self.file = None;
            let _ = fs::remove_file(&self.path);
        }
    }

    fn socket_message(ud: c_int, buffer: &[u8], text: &[u8]) -> Vec<u8> {
        let buffer = match buffer {
            [] => ptr::null_mut(),
            bytes => bytes.as_ptr().cast_mut().cast(),
        };
        let head = skynet_socket_message {
            type_: 1,
            id: 22,
            ud,
            buffer,
        };
        let mut message = vec![0; size_of_val(&head)];
        // SAFETY: the vector has the struct's size.
        unsafe { ptr::write_unaligned(message.as_mut_ptr().cast(), head) };
        message.extend(text);
        message
    }

    #[test]
    fn a_line_for_each_message() {
        let log = Memory::new("line");
        log.output(0x0100_00ff, 0, -7, &[0, 0x0f, 0xf0, 0xff]);
        log.output(1, 10, 0, &[]);
        let text = log.text();
        let mut lines = text.lines();
        // The time is 0, or any number if another test has made the node's timer.
        let line = lines.next().unwrap();
        let rest = line.strip_prefix(":010000ff 0 -7 ").unwrap();
        let (time, bytes) = rest.split_once(' ').unwrap();
        assert!(time.parse::<u32>().is_ok(), "{line}");
        assert_eq!(bytes, "000ff0ff");
        let line = lines.next().unwrap();
        assert!(
            line.starts_with(":00000001 10 0 ") && line.ends_with(' '),
            "{line}"
        );
        assert!(text.ends_with('\n') && lines.next().is_none());
    }

    #[test]
    fn long_messages() {
        let log = Memory::new("long");
        let data: Vec<u8> = (0..3 * PIECE + 5).map(|i| i as u8).collect();
        log.output(1, 0, 0, &data);
        let text = log.text();
        let bytes = text.trim_end().rsplit(' ').next().unwrap();
        let expected: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(bytes, expected);
    }

    #[test]
    fn socket_messages() {
        let log = Memory::new("socket");
        log.output(1, PTYPE_SOCKET, 0, &socket_message(3, b"\x01\xabz?", b""));
        log.output(
            1,
            PTYPE_SOCKET,
            0,
            &socket_message(9, b"", b"1.2.3.4:5\0rest"),
        );
        log.output(1, PTYPE_SOCKET, 0, &socket_message(-9, b"", b"open"));
        log.output(1, PTYPE_SOCKET, 0, &socket_message(-9, b"x", b""));
        let lines = "[socket] 1 22 3 01ab7a\n[socket] 1 22 9 [1.2.3.4:5]\n\
                     [socket] 1 22 -9 [open]\n[socket] 1 22 -9 \n";
        assert_eq!(log.text(), lines);
        // Too short for a socket's message: any other.
        log.output(0xab, PTYPE_SOCKET, 3, &[1, 2]);
        assert!(log.text().contains(":000000ab 6 3 "), "{}", log.text());
    }

    #[test]
    fn names_and_times() {
        assert_eq!(path_of(c"./log", 0xa), *c"./log/0000000a.log");
        let text = calendar(1_700_000_000);
        // ctime pads with blanks and has 24 characters and a line feed.
        assert_eq!(text.len(), 24, "{text}");
        assert!(
            text.starts_with("Tue Nov 14 ") || text.starts_with("Wed Nov 15 "),
            "{text}"
        );
        assert!(calendar(1_000_000 * 86_400).len() >= 24);
    }

    #[test]
    fn a_closed_log_takes_nothing() {
        let log = ServiceLog::new();
        // SAFETY: no socket message.
        unsafe { log.output(1, 0, 0, b"x") };
        log.end(1, 1);
        let mut file = Memory::new("closed");
        *lock(&log.file) = file.file.take();
        log.on.store(true, Ordering::Relaxed);
        // SAFETY: no socket message.
        unsafe { log.output(1, 0, 0, b"x") };
        log.end(1, 1);
        // SAFETY: no socket message.
        unsafe { log.output(1, 0, 0, b"y") };
        let text = file.text();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.lines().last().unwrap().starts_with("close time: "),
            "{text}"
        );
    }
}
