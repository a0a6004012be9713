//! A node in the background, known by its pid file.
//!
//! The pid file is locked for as long as the node lives, and the lock decides: a
//! node whose pid file is locked by another one does not start, and a pid file
//! that nobody holds is left over, whatever the number in it stands for by now.
//! The reference's nodes hold the same lock.
//!
//! In this order: the file is locked, the process forks, the child leads a
//! session of its own and writes its id into the file; its standard streams become
//! /dev/null before its threads start, and after that the parent, which waits, ends
//! with code 0. If the child ends before that, the parent ends with an error
//! too, so who starts a daemon learns whether it runs. The lock is the child's,
//! which has inherited it. The working directory stays.

use crate::error::{Error, Result};
use std::ffi::{CStr, OsStr};
use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, PoisonError};

/// What standard streams are in the background.
const NULL: &CStr = c"/dev/null";
const NO_NULL: &str = "Unable to open /dev/null";

/// The pid file of this process. It stays open, and so locked, until the process
/// removes it or ends.
static HELD: Mutex<Option<PidFile>> = Mutex::new(None);

/// A daemon that has not said yet that it started. Dropped without [`succeed`], it
/// lets the process that started it wait for this one's end, and fail.
///
/// [`succeed`]: Starting::succeed
#[derive(Debug)]
pub struct Starting {
    tell: PipeWriter,
}

/// Puts this process into the background, with its id in the file: returns in a
/// child process, while the calling one does not come back. No other thread may
/// be there. What goes wrong before the fork is returned in the calling process.
///
/// # Errors
/// [`Error::Running`] if another node holds the file; [`Error::PidFile`] if it
/// cannot be made, locked or written; [`Error::Io`] if there can be no process.
pub fn begin(pid_file: &CStr) -> Result<Starting> {
    open_standard_streams()?;
    let mut file = PidFile::lock(Path::new(OsStr::from_bytes(pid_file.to_bytes())))?;
    let begun = fork().and_then(|starting| file.write_id().map(|()| starting));
    match begun {
        Ok(_) => *HELD.lock().unwrap_or_else(PoisonError::into_inner) = Some(file),
        // Still locked, so it is nobody else's. If it stays, it does no harm.
        Err(_) => drop(fs::remove_file(&file.path)),
    }
    begun
}

/// Removes the pid file, if it is this process's or nobody has told this process of
/// one, and gives up the lock.
///
/// # Errors
/// [`Error::PidFile`] if it cannot be removed, or is another's by now.
pub fn end(pid_file: &CStr) -> Result<()> {
    let path = Path::new(OsStr::from_bytes(pid_file.to_bytes()));
    let held = HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
    let remove = || match &held {
        Some(held) if !held.is_at(path)? => Err(io::ErrorKind::NotFound.into()),
        // Before the lock is given up with the file, so that whoever locks it
        // then finds it gone.
        _ => fs::remove_file(path),
    };
    remove().map_err(|source| failure("remove", path, source))
}

impl Starting {
    /// Makes the standard streams /dev/null.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no /dev/null.
    pub fn detach(&self) -> Result<()> {
        let path = OsStr::from_bytes(NULL.to_bytes());
        let null = OpenOptions::new().read(true).write(true).open(path);
        let null = null.map_err(|source| Error::Io {
            what: String::from(NO_NULL),
            source,
        })?;
        for stream in 0..=2 {
            // SAFETY: takes numbers. Standard streams belong to nobody who
            // counts on what they are.
            if unsafe { libc::dup2(null.as_raw_fd(), stream) } < 0 {
                return Err(Error::last_os(format!("Unable to dup2 {stream}")));
            }
        }
        Ok(())
    }

    /// Lets the process that started this one end with code 0.
    pub fn succeed(mut self) {
        // If it is gone, there is nobody to tell.
        let _ = self.tell.write_all(&[0]);
    }
}

/// Gives /dev/null to standard streams that are closed. Else the pid file or the
/// pipe to the starter would be among them, and be closed when they are replaced.
fn open_standard_streams() -> Result<()> {
    for stream in 0..=2 {
        // SAFETY: asks about a number.
        if unsafe { libc::fcntl(stream, libc::F_GETFD) } >= 0 {
            continue;
        }
        // SAFETY: the path is a C string. The descriptor is the lowest that is
        // free: this one.
        if unsafe { libc::open(NULL.as_ptr(), libc::O_RDWR) } < 0 {
            return Err(Error::last_os(NO_NULL));
        }
    }
    Ok(())
}

/// Goes on in a child that leads a session of its own; this process waits for its
/// word and ends.
fn fork() -> Result<Starting> {
    let (hear, tell) = io::pipe().map_err(|source| Error::Io {
        what: String::from("Can't daemonize"),
        source,
    })?;
    // SAFETY: the caller is the only thread, so that the child has all locks,
    // allocator and library as they should be.
    match unsafe { libc::fork() } {
        -1 => Err(Error::last_os("Can't daemonize")),
        0 => {
            drop(hear);
            // SAFETY: takes nothing. A child that has just been forked leads no
            // group, so it can lead a session.
            unsafe { libc::setsid() };
            Ok(Starting { tell })
        }
        child => {
            drop(tell);
            let code = outcome(hear, child);
            // SAFETY: ends the process without what is to be done at its end:
            // that, and output that is still buffered, is the child's.
            unsafe { libc::_exit(code) }
        }
    }
}

/// The exit code for the process that started the child: 0 once it has started,
/// the child's own if it ends first.
fn outcome(mut hear: PipeReader, child: libc::pid_t) -> libc::c_int {
    if hear.read_exact(&mut [0]).is_ok() {
        return 0;
    }
    let mut status = 0;
    // SAFETY: `status` is writable; the child is this process's.
    while unsafe { libc::waitpid(child, &mut status, 0) } < 0 {
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return 1;
        }
    }
    match libc::WIFEXITED(status) {
        true => libc::WEXITSTATUS(status).max(1),
        false => 1,
    }
}

/// An open, locked pid file.
#[derive(Debug)]
struct PidFile {
    path: PathBuf,
    file: File,
}

impl PidFile {
    fn lock(path: &Path) -> Result<PidFile> {
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o644)
                .open(path)
                .map_err(|source| failure("create", path, source))?;
            // SAFETY: takes numbers.
            if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
                let source = io::Error::last_os_error();
                return Err(match source.kind() {
                    io::ErrorKind::WouldBlock => Error::Running(read_id(file)),
                    _ => failure("lock", path, source),
                });
            }
            let locked = PidFile {
                path: path.to_owned(),
                file,
            };
            // Else its owner has removed it since it was opened.
            if locked
                .is_at(path)
                .map_err(|source| failure("lock", path, source))?
            {
                // Whoever is refused from here on is not told what was left in it.
                let emptied = locked.file.set_len(0);
                emptied.map_err(|source| failure("write", path, source))?;
                return Ok(locked);
            }
        }
    }

    /// Whether this is the file of that name.
    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let mine = self.file.metadata()?;
        match fs::metadata(path) {
            Ok(there) => Ok((mine.dev(), mine.ino()) == (there.dev(), there.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes this process's id into the file, which is empty.
    fn write_id(&mut self) -> Result<()> {
        let id = format!("{}\n", process::id());
        let written = self.file.write_all(id.as_bytes());
        written.map_err(|source| failure("write", &self.path, source))
    }
}

/// The number in a pid file, if there is one.
fn read_id(mut file: File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn failure(what: &'static str, path: &Path, source: io::Error) -> Error {
    Error::PidFile {
        what,
        path: path.to_owned(),
        source,
    }
}
