//! `ltls.c` and `ltls.init.c`: TLS for bytes that come from anywhere.
//!
//! What lives: a context holds settings, shared by the connections that are made with
//! it, so that either may be collected first. Errors and bytes on their way to Lua
//! are kept in the userdata, not on the stack of a function that Lua may leave.
//! Whatever allocates in Lua may run finalisers, and these may close any connection:
//! an object is looked up again after it.

mod certificates;
mod ciphers;
mod session;
mod settings;
mod trust;

use std::cell::RefCell;
use std::ffi::{CStr, c_int};
use std::hint::unreachable_unchecked;
use std::rc::Rc;

use mlua_sys::*;
use skynet_abi::env::skynet_getenv;

use crate::library::{self, Entry};
use crate::object::{self, Object};
use crate::strings::{check_bytes, push_bytes, raise};
use session::{Role, Session};
use settings::{Settings, guarded};

const FUNCTIONS: [Entry; 2] = [(c"newctx", new_context), (c"newtls", new_tls)];

const INIT_FUNCTIONS: [Entry; 2] = [(c"constructor", nothing), (c"destructor", nothing)];

/// What `newctx` returns.
#[derive(Default)]
struct Context {
    settings: Option<Rc<RefCell<Settings>>>,
    /// The text of the last error.
    fault: String,
}

impl Object for Context {
    const NAME: &'static CStr = c"ltls.context";
    const METHODS: &'static [Entry] = &[
        (c"set_cert", set_cert),
        (c"set_ciphers", set_ciphers),
        (c"set_ca", set_ca),
    ];
}

/// What `newtls` returns; closed if it has no session.
#[derive(Default)]
struct Tls {
    session: Option<Box<Session>>,
    /// The text of the last error.
    fault: String,
}

impl Object for Tls {
    const NAME: &'static CStr = c"ltls.tls";
    const METHODS: &'static [Entry] = &[
        (c"handshake", handshake),
        (c"finished", finished),
        (c"read", read),
        (c"ended", ended),
        (c"write", write),
        (c"close", close),
        (c"set_ext_host_name", set_host_name),
    ];
}

/// Whether the config says that there is to be no TLS.
fn is_off() -> bool {
    // SAFETY: the key is a C string; a value stays for as long as the process lives.
    unsafe {
        let value = skynet_getenv(c"enablessl".as_ptr());
        !value.is_null() && CStr::from_ptr(value) == c"false"
    }
}

/// Opens `ltls.c`; a Lua error if the config says `enablessl = false`.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_ltls_c(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used.
    unsafe {
        if is_off() {
            let reason = c"ltls need init, Put enablessl = true in you config file.";
            return luaL_error(L, reason.as_ptr());
        }
        library::push(L, &FUNCTIONS);
    }
    1
}

/// Opens `ltls.init.c`, which programs call that prepare a TLS library and put it
/// away. This one needs neither.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_ltls_init_c(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used.
    unsafe { library::push(L, &INIT_FUNCTIONS) };
    1
}

unsafe extern "C-unwind" fn nothing(_: *mut lua_State) -> c_int {
    0
}

/// Raises a step's error, if it is one; `kept` is in a userdata on the stack.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a destructor.
/// Two slots are used.
unsafe fn settle(L: *mut lua_State, kept: &mut String, step: &str, result: Result<(), String>) {
    if keep(kept, step, result) {
        // SAFETY: the caller's promise; nothing is owned here any more.
        unsafe { raise(L, kept.as_bytes()) }
    }
}

/// Puts an error's text where it is not lost; whether there was one.
fn keep(kept: &mut String, step: &str, result: Result<(), String>) -> bool {
    match result {
        Ok(()) => false,
        Err(fault) => {
            *kept = format!("TLS {step}: {fault}");
            true
        }
    }
}

/// The context in an argument and its settings; a Lua error if it is none.
///
/// # Safety
/// As [`object::test`]; nothing on the caller's frames has a destructor.
unsafe fn check_context<'a>(
    L: *mut lua_State,
    arg: c_int,
) -> (&'a Rc<RefCell<Settings>>, &'a mut String) {
    // SAFETY: the caller's promise; luaL_error does not return.
    unsafe {
        match object::test::<Context>(L, arg) {
            Some(Context {
                settings: Some(settings),
                fault,
            }) => (settings, fault),
            _ => {
                luaL_error(L, c"need sslctx".as_ptr());
                unreachable_unchecked()
            }
        }
    }
}

/// The session in argument 1; a Lua error if it is none, or closed.
///
/// # Safety
/// As [`object::test`]; nothing on the caller's frames has a destructor.
unsafe fn check_session<'a>(L: *mut lua_State) -> (&'a mut Session, &'a mut String) {
    // SAFETY: the caller's promise; luaL_error does not return.
    unsafe {
        let wrong = match object::test::<Tls>(L, 1) {
            Some(Tls {
                session: Some(session),
                fault,
            }) => return (session, fault),
            Some(_) => c"context is closed",
            None => c"need tls context",
        };
        luaL_error(L, wrong.as_ptr());
        unreachable_unchecked()
    }
}

/// The bytes in an argument, none if it is nil.
///
/// # Safety
/// As [`check_bytes`].
unsafe fn optional_bytes<'a>(L: *mut lua_State, arg: c_int) -> &'a [u8] {
    // SAFETY: the caller's promise.
    unsafe {
        match lua_type(L, arg) {
            LUA_TNIL | LUA_TNONE => &[],
            _ => check_bytes(L, arg),
        }
    }
}

/// As [`check_bytes`], with a text of its own for what is no string.
///
/// # Safety
/// As [`check_bytes`].
unsafe fn needed_bytes<'a>(L: *mut lua_State, arg: c_int, missing: &CStr) -> &'a [u8] {
    // SAFETY: the caller's promise.
    unsafe {
        if lua_isstring(L, arg) == 0 {
            luaL_error(L, missing.as_ptr());
        }
        check_bytes(L, arg)
    }
}

/// Pushes bytes that the session in argument 1 has for Lua, and frees them.
///
/// # Safety
/// As [`check_session`]. One slot is used.
unsafe fn push_and_free(L: *mut lua_State, bytes: fn(&mut Session) -> &mut Vec<u8>) {
    // SAFETY: the caller's promise. Lua copies the bytes before it may run finalisers.
    unsafe {
        push_bytes(L, bytes(check_session(L).0));
        if let Some(Tls {
            session: Some(session),
            ..
        }) = object::test(L, 1)
        {
            *bytes(session) = Vec::new();
        }
    }
}

/// `newctx()`: settings for connections.
unsafe extern "C-unwind" fn new_context(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; four slots are used, and the object is on the stack.
    unsafe { (*object::push::<Context>(L)).settings = Some(Rc::default()) };
    1
}

/// `context:set_cert(certfile, keyfile)`: adds a certificate chain and its key, both
/// in PEM format.
unsafe extern "C-unwind" fn set_cert(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the arguments stay on the stack.
    unsafe {
        check_context(L, 1);
        let certificate = needed_bytes(L, 2, c"need certfile");
        let key = needed_bytes(L, 3, c"need private key");
        let (settings, fault) = check_context(L, 1);
        let result = guarded(|| settings.borrow_mut().set_cert(certificate, key));
        settle(L, fault, "set_cert", result);
    }
    0
}

/// `context:set_ciphers(list)`: no other ciphers than these, by OpenSSL's names.
unsafe extern "C-unwind" fn set_ciphers(L: *mut lua_State) -> c_int {
    // SAFETY: as in set_cert.
    unsafe {
        check_context(L, 1);
        let list = needed_bytes(L, 2, c"need cipher list");
        let (settings, fault) = check_context(L, 1);
        let result = guarded(|| settings.borrow_mut().set_ciphers(list));
        settle(L, fault, "set_ciphers", result);
    }
    0
}

/// `context:set_ca(file)`: clients verify their server, by the certificates in a file
/// in PEM format.
unsafe extern "C-unwind" fn set_ca(L: *mut lua_State) -> c_int {
    // SAFETY: as in set_cert.
    unsafe {
        check_context(L, 1);
        let file = needed_bytes(L, 2, c"need cafile");
        let (settings, fault) = check_context(L, 1);
        let result = guarded(|| settings.borrow_mut().set_ca(file));
        settle(L, fault, "set_ca", result);
    }
    0
}

/// `newtls(method, context, hostname)`: one side of a connection, `"client"` or
/// `"server"`; the name or the address of the server for a client.
unsafe extern "C-unwind" fn new_tls(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the arguments stay on the stack, and so does the object,
    // which owns everything before Lua is called again.
    unsafe {
        let method = luaL_optlstring(L, 1, c"nil".as_ptr(), std::ptr::null_mut());
        check_context(L, 2);
        let client = match CStr::from_ptr(method).to_bytes() {
            b"client" => true,
            b"server" => false,
            _ => {
                let format = c"invalid method:%s e.g[server, client]".as_ptr();
                return luaL_error(L, format, method);
            }
        };
        let name = match client && lua_isnoneornil(L, 3) == 0 {
            true => Some(check_bytes(L, 3)),
            false => None,
        };
        let tls = &mut *object::push::<Tls>(L);
        let (settings, _) = check_context(L, 2);
        let result = start(tls, settings, client, name);
        settle(L, &mut tls.fault, "newtls", result);
    }
    1
}

/// Gives a new object its session.
fn start(
    tls: &mut Tls,
    settings: &Rc<RefCell<Settings>>,
    client: bool,
    name: Option<&[u8]>,
) -> Result<(), String> {
    let role = match (client, name) {
        (false, _) => Role::Server,
        (true, None) => Role::Client(None),
        (true, Some(name)) => Role::client(name)?,
    };
    tls.session = Some(Box::new(Session::new(role, settings.clone())));
    Ok(())
}

/// `tls:set_ext_host_name(hostname)`: names the server, before the handshake; 1.
unsafe extern "C-unwind" fn set_host_name(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the arguments stay on the stack.
    unsafe {
        check_session(L);
        let name = check_bytes(L, 2);
        let (session, fault) = check_session(L);
        let result = session.set_name(name);
        settle(L, fault, "set_ext_host_name", result);
        lua_pushinteger(L, 1);
    }
    1
}

/// `tls:handshake(received)`: what is to be sent, or nothing. A client's first call
/// has nothing received yet.
unsafe extern "C-unwind" fn handshake(L: *mut lua_State) -> c_int {
    // SAFETY: as in set_host_name.
    unsafe {
        check_session(L);
        let received = optional_bytes(L, 2);
        let (session, fault) = check_session(L);
        if session.finished() {
            return luaL_error(L, c"handshake is finished".as_ptr());
        }
        let result = session.handshake(received);
        settle(L, fault, "handshake", result);
        push_output(L)
    }
}

/// Pushes what the session in argument 1 has to send; nothing if that is nothing.
///
/// # Safety
/// As [`push_and_free`].
unsafe fn push_output(L: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        if check_session(L).0.output().is_empty() {
            return 0;
        }
        push_and_free(L, Session::output);
    }
    1
}

/// `tls:finished()`: whether the handshake is done.
unsafe extern "C-unwind" fn finished(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushboolean(L, check_session(L).0.finished().into()) };
    1
}

/// `tls:ended()`: whether the peer has said that nothing more comes.
unsafe extern "C-unwind" fn ended(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushboolean(L, check_session(L).0.ended().into()) };
    1
}

/// `tls:read(received)`: what it says.
unsafe extern "C-unwind" fn read(L: *mut lua_State) -> c_int {
    // SAFETY: as in set_host_name.
    unsafe {
        check_session(L);
        let received = optional_bytes(L, 2);
        let (session, fault) = check_session(L);
        let result = session.read(received);
        settle(L, fault, "read", result);
        push_and_free(L, Session::plain);
    }
    1
}

/// `tls:write(text)`: what is to be sent for it.
unsafe extern "C-unwind" fn write(L: *mut lua_State) -> c_int {
    // SAFETY: as in set_host_name.
    unsafe {
        check_session(L);
        let text = optional_bytes(L, 2);
        let (session, fault) = check_session(L);
        let result = session.write(text);
        settle(L, fault, "write", result);
        push_and_free(L, Session::output);
    }
    1
}

/// `tls:close()`: ends its use. What is to be sent to say so to the peer, or nothing.
unsafe extern "C-unwind" fn close(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the object stays on the stack.
    unsafe {
        let Some(tls) = object::test::<Tls>(L, 1) else {
            return luaL_error(L, c"need tls context".as_ptr());
        };
        let Some(session) = &mut tls.session else {
            return 0;
        };
        session.close();
        let results = push_output(L);
        if let Some(tls) = object::test::<Tls>(L, 1) {
            tls.session = None;
        }
        results
    }
}
