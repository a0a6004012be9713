//! What can go wrong in the node. One type for all of it, so that every
//! failure reaches a log line or an error return with the name of its cause.

use core::ffi::c_int;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A failure, with what is needed to name its cause.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No service lives at the handle.
    NoSuchService(u32),
    /// No service goes by the name.
    NoSuchName(String),
    /// The size does not fit beside the message's type. Bytes.
    MessageTooLarge { size: usize, destination: u32 },
    /// Handle 0 is nobody's address.
    DestinationZero,
    /// The destination is on another node, and no harbor service runs here.
    NoHarbor,
    /// The service is on its way out and takes no more messages or names.
    ServiceExited,
    /// No file and no built-in gave the module. One line of `tried` for each attempt.
    ModuleNotFound { name: String, tried: Vec<String> },
    /// A pattern of the module path has no place for the name.
    PathWithoutMark { pattern: String },
    /// A service has the name, this or another.
    NameTaken(String),
    /// The environment's keys are set once.
    KeyTaken(String),
    /// The named part was used before its `_init` function.
    NotInitialised(&'static str),
    /// The named part's `_init` function was called again.
    AlreadyInitialised(&'static str),
    /// A text command's argument, or a function's, is missing or malformed.
    BadArgument { command: String, what: String },
    /// A host that is too long to be one.
    InvalidHost(String),
    /// A service's `_init` refused.
    LaunchFailed { name: String },
    /// Every handle is in use.
    NoMoreHandles,
    /// Another node holds the pid file, with this number in it.
    Running(Option<u32>),
    /// The pid file; `what` is what could not be done with it.
    PidFile {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// A file operation; `path` is what it was about.
    File { path: PathBuf, source: io::Error },
    /// The operating system refused; `what` names the call or the object.
    Io { what: String, source: io::Error },
}

/// The node's results.
pub type Result<T, E = Error> = core::result::Result<T, E>;

impl Error {
    /// An [`Error::Io`] from the calling thread's `errno`.
    pub fn last_os(what: impl Into<String>) -> Self {
        Error::Io {
            what: what.into(),
            source: io::Error::last_os_error(),
        }
    }

    /// A [`Error::BadArgument`] for the named command or function.
    pub fn bad_argument(command: impl Into<String>, what: impl Into<String>) -> Self {
        Error::BadArgument {
            command: command.into(),
            what: what.into(),
        }
    }

    /// The convention of the functions that return a session: -2 for a message
    /// too large to be sent, -1 for any other failure.
    pub fn to_session(&self) -> c_int {
        match self {
            Error::MessageTooLarge { .. } => -2,
            _ => -1,
        }
    }
}

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        Error::Io {
            what: String::from("input/output"),
            source,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoSuchService(handle) => write!(f, "no service at :{handle:08x}"),
            Error::NoSuchName(name) => write!(f, "no service is named {name:?}"),
            Error::MessageTooLarge { size, destination } => {
                write!(
                    f,
                    "a message of {size} bytes to :{destination:08x} is too large"
                )
            }
            Error::DestinationZero => f.write_str("destination is 0, no service's address"),
            Error::NoHarbor => {
                f.write_str("destination is on another node, and no harbor service runs here")
            }
            Error::ServiceExited => f.write_str("the service has exited"),
            Error::ModuleNotFound { name, tried } if tried.is_empty() => {
                write!(f, "module {name:?} not found: cpath has no pattern to try")
            }
            Error::ModuleNotFound { name, tried } => {
                write!(f, "module {name:?} not found; tried {}", tried.join("; "))
            }
            Error::PathWithoutMark { pattern } => {
                write!(
                    f,
                    "cpath pattern {pattern:?} has no '?' for the module's name"
                )
            }
            Error::NameTaken(name) => write!(f, "the name {name:?} is taken"),
            Error::KeyTaken(key) => write!(f, "the environment's key {key:?} is set already"),
            Error::NotInitialised(part) => write!(f, "the {part} is not initialised"),
            Error::AlreadyInitialised(part) => write!(f, "the {part} is initialised already"),
            Error::BadArgument { command, what } => write!(f, "{command}: {what}"),
            Error::InvalidHost(host) => write!(f, "Invalid addr {host}."),
            Error::LaunchFailed { name } => write!(f, "service {name:?} failed to start"),
            Error::NoMoreHandles => f.write_str("every handle is in use"),
            Error::Running(Some(id)) => write!(f, "Skynet is already running, pid = {id}."),
            Error::Running(None) => f.write_str("Skynet is already running."),
            Error::PidFile { what, path, source } => {
                write!(f, "Can't {what} pidfile [{}]: {source}", path.display())
            }
            Error::File { path, source } => write!(f, "{}: {source}", path.display()),
            Error::Io { what, source } => write!(f, "{what}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::File { source, .. }
            | Error::PidFile { source, .. }
            | Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_the_cause() {
        let cases = [
            (Error::NoSuchService(0x10), ":00000010"),
            (Error::NoSuchName("db".into()), "\"db\""),
            (
                Error::MessageTooLarge {
                    size: 99,
                    destination: 0xff,
                },
                "99 bytes to :000000ff",
            ),
            (
                Error::ModuleNotFound {
                    name: "gate".into(),
                    tried: vec!["./gate.so: no such file".into()],
                },
                "./gate.so: no such file",
            ),
            (
                Error::PathWithoutMark {
                    pattern: "./x.so".into(),
                },
                "./x.so",
            ),
            (Error::KeyTaken("thread".into()), "thread"),
            (Error::NotInitialised("timer"), "timer"),
            (Error::bad_argument("LAUNCH", "no name"), "LAUNCH: no name"),
        ];
        for (error, part) in cases {
            let text = error.to_string();
            assert!(text.contains(part), "{text:?} lacks {part:?}");
        }
    }

    #[test]
    fn session_convention() {
        let large = Error::MessageTooLarge {
            size: usize::MAX,
            destination: 1,
        };
        assert_eq!(large.to_session(), -2);
        assert_eq!(Error::NoSuchService(1).to_session(), -1);
    }

    #[test]
    fn keeps_the_source() {
        let error = Error::File {
            path: "x".into(),
            source: io::ErrorKind::NotFound.into(),
        };
        assert!(std::error::Error::source(&error).is_some());
    }
}
