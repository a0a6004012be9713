//! The service that writes the node's log.
//!
//! Every message of type PTYPE_TEXT is one line, from whatever service sent it.
//! Without a parameter the log goes to standard output; with one, the parameter
//! names a file that lines are appended to, each with the time in front. A
//! PTYPE_SYSTEM message makes it open the file again, after a rotation.

use crate::context::Context;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::slice;
use skynet_abi::{PTYPE_SYSTEM, PTYPE_TEXT, skynet_callback, skynet_context, skynet_now};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

unsafe extern "C" {
    /// C's standard output, shared with Lua's `print` and `io.write`.
    #[cfg_attr(target_vendor = "apple", link_name = "__stdoutp")]
    static stdout: *mut libc::FILE;
}

/// Where the lines go.
enum Output {
    /// Through C's buffer, so that lines and what Lua printed keep their order.
    Stdout,
    File {
        file: File,
        path: PathBuf,
    },
}

impl Output {
    fn open(path: &Path) -> io::Result<Self> {
        let file = append_to(path)?;
        Ok(Self::File {
            file,
            path: path.to_owned(),
        })
    }

    /// Writes whole lines; they are out when this returns.
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            // SAFETY: C's standard output is open as long as the process, its
            // functions lock it, and the slice is as long as it says.
            Self::Stdout => unsafe {
                libc::fwrite(lines.as_ptr().cast(), 1, lines.len(), stdout);
                libc::fflush(stdout);
                Ok(())
            },
            Self::File { file, .. } => file.write_all(lines),
        }
    }

    /// Opens the file again under its name. If that fails the old one stays.
    fn reopen(&mut self) -> io::Result<()> {
        if let Self::File { file, path } = self {
            *file = append_to(path)?;
        }
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).open(path)
}

/// The time in front of a line, `dd/mm/yy HH:MM:SS`, kept for a second.
struct Stamp {
    second: libc::time_t,
    text: String,
}

impl Stamp {
    fn at(&mut self, second: libc::time_t) -> &str {
        if self.second != second || self.text.is_empty() {
            self.second = second;
            self.text = local_time(second);
        }
        &self.text
    }
}

fn local_time(second: libc::time_t) -> String {
    // SAFETY: all zeros is a valid `tm`.
    let mut time: libc::tm = unsafe { core::mem::zeroed() };
    // SAFETY: both pointers are to locals, which localtime_r does not keep.
    unsafe { libc::localtime_r(&second, &mut time) };
    format!(
        "{:02}/{:02}/{:02} {:02}:{:02}:{:02}",
        time.tm_mday,
        time.tm_mon + 1,
        time.tm_year % 100,
        time.tm_hour,
        time.tm_min,
        time.tm_sec
    )
}

/// The logger's instance.
struct Logger {
    output: Output,
    /// When the node was started, in seconds of the wall clock.
    start: libc::time_t,
    stamp: Stamp,
    /// The line being put together, kept for its capacity.
    line: Vec<u8>,
}

impl Logger {
    fn new() -> Self {
        Self {
            output: Output::Stdout,
            start: 0,
            stamp: Stamp {
                second: 0,
                text: String::new(),
            },
            line: Vec::new(),
        }
    }

    fn line(&mut self, source: u32, text: &[u8]) {
        // A long line's buffer is not kept for the short ones after it.
        const KEEP: usize = 64 * 1024;

        self.line.clear();
        if matches!(self.output, Output::File { .. }) {
            // SAFETY: reads the node's clock, which runs before any service.
            let now = unsafe { skynet_now() };
            let seconds = libc::time_t::try_from(now / 100).unwrap_or(0);
            let stamp = self.stamp.at(self.start + seconds);
            let _ = write!(self.line, "{stamp}.{:02} ", now % 100);
        }
        let _ = write!(self.line, "[:{source:08x}] ");
        self.line.extend_from_slice(text);
        self.line.push(b'\n');
        if let Err(error) = self.output.write(&self.line) {
            // The log itself cannot say it.
            eprintln!("logger: cannot write: {error}");
        }
        self.line.shrink_to(KEEP);
    }

    fn reopen(&mut self, own_handle: u32) {
        if let Err(error) = self.output.reopen() {
            let text = format!("logger: cannot open the log again: {error}");
            self.line(own_handle, text.as_bytes());
        }
    }
}

/// Makes a logger that writes to standard output.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn logger_create() -> *mut c_void {
    Box::into_raw(Box::new(Logger::new())).cast()
}

/// Opens the log. `parm` is the file's name or null. Returns 1 if the file
/// cannot be opened, after a line on standard error.
///
/// # Safety
///
/// `inst` comes from [`logger_create`], `context` from the core, and `parm` is
/// null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn logger_init(
    inst: *mut c_void,
    context: *mut skynet_context,
    parm: *const c_char,
) -> c_int {
    // SAFETY: the core passes what `create` made, and nobody else has it yet.
    let logger = unsafe { &mut *inst.cast::<Logger>() };
    // SAFETY: the core's promise about `context`.
    let node = unsafe { Context::new(context) };

    let start = node.command(c"STARTTIME", None);
    if !start.is_null() {
        // SAFETY: STARTTIME answers a C string.
        logger.start = unsafe { libc::strtol(start, core::ptr::null_mut(), 10) };
    }
    if !parm.is_null() {
        // SAFETY: not null, so a C string.
        let name = unsafe { CStr::from_ptr(parm) }.to_bytes();
        let path = Path::new(OsStr::from_bytes(name));
        match Output::open(path) {
            Ok(output) => logger.output = output,
            Err(error) => {
                eprintln!("logger: cannot open {}: {error}", path.display());
                return 1;
            }
        }
    }
    // SAFETY: the instance outlives the callback: the core releases it last.
    unsafe { skynet_callback(context, inst, Some(on_message)) };
    0
}

/// Closes the log.
///
/// # Safety
///
/// `inst` comes from [`logger_create`] and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn logger_release(inst: *mut c_void) {
    // SAFETY: `create` made it with Box, and the core releases it once.
    drop(unsafe { Box::from_raw(inst.cast::<Logger>()) });
}

unsafe extern "C-unwind" fn on_message(
    context: *mut skynet_context,
    ud: *mut c_void,
    kind: c_int,
    _session: c_int,
    source: u32,
    msg: *const c_void,
    size: usize,
) -> c_int {
    // SAFETY: `ud` is the instance, and the core runs one callback at a time.
    let logger = unsafe { &mut *ud.cast::<Logger>() };
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| match kind {
        PTYPE_TEXT => {
            let text = if msg.is_null() {
                &[]
            } else {
                // SAFETY: the core keeps the message for the callback's duration.
                unsafe { slice::from_raw_parts(msg.cast::<u8>(), size) }
            };
            logger.line(source, text);
        }
        PTYPE_SYSTEM => {
            // SAFETY: the callback's own context.
            let own = unsafe { Context::new(context) }.handle();
            logger.reopen(own);
        }
        _ => {}
    }));
    if outcome.is_err() {
        eprintln!("logger: a line from :{source:08x} was lost");
    }
    0
}
