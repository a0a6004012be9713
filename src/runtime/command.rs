//! The text commands of `skynet_command`.

use super::node;
use super::send::{local, parse_hex, start_timeout};
use super::service::{Service, ServiceRef};
use super::{cpu, env, registry, timer};
use crate::error::{Error, Result};
use std::ffi::{CStr, CString, c_char};
use std::ptr;

/// A command's result: a C string, or null for none. It lives until the
/// service's next command; environment values and names live longer.
type Answer = Result<*const c_char>;

/// Who runs a command: a service, or somebody who is none, for whom commands work
/// that are not about a service of one's own and answer nothing of their own.
#[derive(Clone, Copy)]
struct Caller<'a>(Option<&'a Service>);

impl<'a> Caller<'a> {
    /// 0 for one who is no service.
    fn handle(self) -> u32 {
        self.0.map_or(0, Service::handle)
    }

    fn service(self) -> Result<&'a Service> {
        self.0.ok_or_else(|| bad("only a service can ask for this"))
    }

    fn answer(self, text: &str) -> Answer {
        Ok(self.service()?.set_result(text))
    }

    fn log(self, text: &str) {
        node::log(self.handle(), text.as_bytes());
    }
}

/// Runs a command for `service`, if it is one. An unknown command, like one without
/// a result, gives null; one that fails is logged and gives null.
pub fn command(service: Option<&Service>, name: &CStr, parm: Option<&CStr>) -> *const c_char {
    let caller = Caller(service);
    let result = run(caller, name.to_bytes(), parm);
    result.unwrap_or_else(|error| {
        if matches!(error, Error::LaunchFailed { .. }) {
            // The launch has said so itself.
            return ptr::null();
        }
        caller.log(&format!("error: {}: {error}", name.to_string_lossy()));
        ptr::null()
    })
}

fn run(caller: Caller<'_>, name: &[u8], parm: Option<&CStr>) -> Answer {
    let needed = || parm.ok_or_else(|| bad("no argument was given"));
    match name {
        b"TIMEOUT" => timeout(caller.service()?, needed()?),
        b"REG" => register(caller.service()?, parm),
        b"QUERY" => query(caller, needed()?),
        b"NAME" => set_name(caller, needed()?),
        b"EXIT" => {
            leave(caller.service()?);
            NONE
        }
        b"KILL" => {
            let handle = target(caller, needed()?)?;
            if handle != 0 {
                leave_by(caller, handle);
            }
            NONE
        }
        b"LAUNCH" => launch(caller.service()?, needed()?),
        b"GETENV" => Ok(env::env()?.get(needed()?).map_or(ptr::null(), CStr::as_ptr)),
        b"SETENV" => set_env(needed()?),
        b"STARTTIME" => {
            let seconds = timer::timer()?.starttime();
            caller.answer(&seconds.to_string())
        }
        b"ABORT" => {
            node::abort();
            NONE
        }
        b"MONITOR" => monitor(caller, parm),
        b"STAT" => Ok(stat(caller.service()?, needed()?)),
        b"LOGON" => {
            if let Some(target) = grab(caller, needed()?)? {
                target.log().begin(caller.handle(), target.handle())?;
            }
            NONE
        }
        b"LOGOFF" => {
            if let Some(target) = grab(caller, needed()?)? {
                target.log().end(caller.handle(), target.handle());
            }
            NONE
        }
        b"SIGNAL" => signal(caller, needed()?),
        _ => NONE,
    }
}

const NONE: Answer = Ok(ptr::null());

fn bad(what: impl Into<String>) -> Error {
    // The log line names the command already.
    Error::bad_argument("argument", what)
}

/// The words of an argument, at white space.
fn words(parm: &CStr) -> impl Iterator<Item = &[u8]> {
    parm.to_bytes()
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

/// The number that `text` begins with, as C's `strtol` reads it: 0 if none.
fn leading_number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let number = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0i64, |n, byte| {
            n.saturating_mul(10).saturating_add(i64::from(byte - b'0'))
        });
    if negative { -number } else { number }
}

fn timeout(service: &Service, parm: &CStr) -> Answer {
    let time = leading_number(parm.to_bytes());
    let time = time.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
    let session = service.new_session();
    match start_timeout(service.handle(), time, session) {
        // The service was killed while it runs. What it still does is no error.
        Ok(()) | Err(Error::NoSuchService(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(service.set_result(&session.to_string()))
}

fn register(service: &Service, parm: Option<&CStr>) -> Answer {
    match parm.map(CStr::to_bytes) {
        None | Some([]) => Ok(service.set_result(&format!(":{:x}", service.handle()))),
        Some([b'.', ..]) => name_handle(service.handle(), parm.unwrap_or_default()),
        Some(global) => {
            let name = String::from_utf8_lossy(global);
            let text = format!("error: Can't register global name {name} in C");
            node::log(service.handle(), text.as_bytes());
            NONE
        }
    }
}

/// Gives a handle the local name `.name`.
fn name_handle(handle: u32, name: &CStr) -> Answer {
    let copy = registry::get()?.set_name(handle, &name[1..])?;
    Ok(copy.as_ptr())
}

fn query(caller: Caller<'_>, parm: &CStr) -> Answer {
    let found = match parm.to_bytes() {
        [b'.', ..] => local(&parm[1..]),
        _ => None,
    };
    found.map_or(NONE, |handle| caller.answer(&format!(":{handle:x}")))
}

fn set_name(caller: Caller<'_>, parm: &CStr) -> Answer {
    let mut words = words(parm);
    let (Some(name), Some([b':', hex @ ..])) = (words.next(), words.next()) else {
        return Err(bad("a name and a :handle are needed"));
    };
    let handle = parse_hex(hex);
    if handle == 0 {
        return Err(bad("handle 0 cannot have a name"));
    }
    if name[0] == b'.' {
        let name = CString::new(name).map_err(|_| bad("the name has a zero in it"))?;
        return name_handle(handle, &name);
    }
    let name = String::from_utf8_lossy(name);
    caller.log(&format!("error: Can't set global name {name} in C"));
    NONE
}

fn leave(service: &Service) {
    node::log(service.handle(), b"KILL self");
    node::exit(service.handle());
}

fn leave_by(caller: Caller<'_>, handle: u32) {
    caller.log(&format!("KILL :{handle:x}"));
    node::exit(handle);
}

/// The handle that `:handle` or `.name` stands for; 0 for a name that nobody
/// has, and for any other text, which is logged.
fn target(caller: Caller<'_>, parm: &CStr) -> Result<u32> {
    match parm.to_bytes() {
        [b':', hex @ ..] => Ok(parse_hex(hex)),
        [b'.', ..] => {
            let name = words(parm).next().unwrap_or_default();
            let name = CString::new(&name[1..]).map_err(|_| bad("the name has a zero in it"))?;
            Ok(local(&name).unwrap_or(0))
        }
        other => {
            let text = String::from_utf8_lossy(other);
            caller.log(&format!("error: Can't convert {text} to handle"));
            Ok(0)
        }
    }
}

fn grab(caller: Caller<'_>, parm: &CStr) -> Result<Option<ServiceRef>> {
    Ok(registry::get()?.grab(target(caller, parm)?))
}

fn launch(service: &Service, parm: &CStr) -> Answer {
    let text = parm.to_bytes();
    let end = text
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(text.len());
    let (module, rest) = text.split_at(end);
    // The argument is the rest of the line, without the one separator.
    let rest = rest.get(1..).map(|rest| {
        let end = rest.iter().position(|b| matches!(b, b'\r' | b'\n'));
        &rest[..end.unwrap_or(rest.len())]
    });
    let c_string = |bytes: &[u8]| CString::new(bytes).map_err(|_| bad("a zero in the text"));
    let module = c_string(module)?;
    let rest = rest.map(c_string).transpose()?;
    let handle = Service::launch(&module, rest.as_deref())?;
    Ok(service.set_result(&format!(":{handle:08X}")))
}

fn set_env(parm: &CStr) -> Answer {
    let text = parm.to_bytes();
    let Some(space) = text.iter().position(|&byte| byte == b' ') else {
        return Err(bad("a key and a value are needed"));
    };
    let key = CString::new(&text[..space]).map_err(|_| bad("the key has a zero in it"))?;
    env::env()?.set(&key, &parm[space + 1..])?;
    NONE
}

fn monitor(caller: Caller<'_>, parm: Option<&CStr>) -> Answer {
    let node = node::get();
    match parm {
        Some(parm) if !parm.is_empty() => {
            node.set_exit_monitor(target(caller, parm)?);
            NONE
        }
        _ => match node.exit_monitor() {
            0 => NONE,
            handle => caller.answer(&format!(":{handle:x}")),
        },
    }
}

fn stat(service: &Service, parm: &CStr) -> *const c_char {
    let seconds = |nanoseconds: u64| format!("{:.6}", nanoseconds as f64 / 1e9);
    let text = match parm.to_bytes() {
        b"mqlen" => service.queue_length().to_string(),
        b"endless" => u8::from(service.take_endless()).to_string(),
        b"cpu" => seconds(service.cpu.cost()),
        b"time" if node::get().profile() => seconds(cpu::current()),
        b"time" => String::from("0"),
        b"message" => service.messages().to_string(),
        _ => String::new(),
    };
    service.set_result(&text)
}

fn signal(caller: Caller<'_>, parm: &CStr) -> Answer {
    let Some(target) = grab(caller, parm)? else {
        return NONE;
    };
    let number = words(parm).nth(1).map_or(0, parse_c_number);
    target.signal(number as i32);
    NONE
}

/// A number as C's `strtol` with base 0 reads it.
fn parse_c_number(text: &[u8]) -> i64 {
    match text {
        [b'0', b'x' | b'X', ..] => i64::from(parse_hex(text)),
        [b'0', octal @ ..] => octal
            .iter()
            .take_while(|byte| (b'0'..b'8').contains(*byte))
            .fold(0, |n, byte| n << 3 | i64::from(byte - b'0')),
        _ => leading_number(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_c_reads_them() {
        assert_eq!(leading_number(b"-12abc"), -12);
        assert_eq!(leading_number(b"abc"), 0);
        assert_eq!(leading_number(b"99999999999999999999"), i64::MAX);
        assert_eq!(parse_hex(b"1fg"), 31);
        assert_eq!(parse_hex(b"0x1F"), 31);
        assert_eq!(parse_hex(b"0x"), 0);
        assert_eq!(parse_c_number(b"0x1F"), 31);
        assert_eq!(parse_c_number(b"017"), 15);
        assert_eq!(parse_c_number(b"7"), 7);
    }
}
