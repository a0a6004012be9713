//! `client.socket`: simple sockets for clients that are plain Lua programs, not
//! services: connecting and sending block, receiving does not.
//!
//! Sockets are descriptors, as numbers; whoever connects closes.

mod stdin;

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::io;
use std::net::TcpStream;
use std::os::fd::{IntoRawFd, RawFd};

use mlua_sys::*;

use crate::library;
use stdin::Next;

/// What `recv` reads at once at most. Bytes.
const RECEIVED: usize = 0x1000;

/// Room for an error's text.
const ERROR_SPACE: usize = 256;

const MICROSECONDS: u32 = 1_000_000;

const FUNCTIONS: [(&CStr, lua_CFunction); 7] = [
    (c"connect", connect),
    (c"recv", recv),
    (c"send", send),
    (c"shutdown", shutdown),
    (c"close", close),
    (c"usleep", usleep),
    (c"readstdin", readstdin),
];

/// Opens `client.socket`.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_client_socket(L: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a valid state and LUA_MINSTACK free slots, of
    // which two are used. Nothing on this frame has a destructor.
    unsafe {
        library::push(L, &FUNCTIONS);
    }
    1
}

/// Argument 1 as a descriptor; a Lua error if it cannot be one.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor. One slot is used before the error.
unsafe fn descriptor(L: *mut lua_State) -> RawFd {
    // SAFETY: the caller's promise.
    unsafe {
        let number = luaL_checkinteger(L, 1);
        match RawFd::try_from(number) {
            Ok(descriptor) => descriptor,
            Err(_) => luaL_argerror(L, 1, c"descriptor out of range".as_ptr()),
        }
    }
}

/// Raises the Lua error for an error number of the system.
///
/// # Safety
/// As [`descriptor`].
unsafe fn socket_error(L: *mut lua_State, number: c_int) -> c_int {
    let mut space = [0 as c_char; ERROR_SPACE];
    // SAFETY: the caller's promise; the text ends within the space, because it
    // was all zeros and the last one is not written.
    unsafe {
        libc::strerror_r(number, space.as_mut_ptr(), ERROR_SPACE - 1);
        luaL_error(L, c"socket error: %s".as_ptr(), space.as_ptr())
    }
}

fn last_error() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// A connection that does not block from here on.
fn open(address: &[u8], port: u16) -> Option<RawFd> {
    let address = str::from_utf8(address).ok()?;
    let stream = TcpStream::connect((address, port)).ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(stream.into_raw_fd())
}

/// `connect(address, port)`: the descriptor of a TCP connection. Waits for it.
unsafe extern "C-unwind" fn connect(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the address is on the stack while it is looked at.
    unsafe {
        let mut length = 0;
        let address = luaL_checklstring(L, 1, &mut length);
        let port = luaL_checkinteger(L, 2);
        let bytes = std::slice::from_raw_parts(address.cast::<u8>(), length);
        let opened = u16::try_from(port).ok().and_then(|port| open(bytes, port));
        match opened {
            Some(descriptor) => lua_pushinteger(L, descriptor.into()),
            None => {
                luaL_error(L, c"Connect %s %I failed".as_ptr(), address, port);
            }
        }
    }
    1
}

/// `close(fd)`.
unsafe extern "C-unwind" fn close(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. Which descriptors it may close is the program's
    // own business, as with every function of this module.
    unsafe { libc::close(descriptor(L)) };
    0
}

/// `send(fd, string)`: returns when everything is with the system.
unsafe extern "C-unwind" fn send(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the string is on the stack while it is sent.
    unsafe {
        let socket = descriptor(L);
        let mut length = 0;
        let string = luaL_checklstring(L, 2, &mut length);
        let mut rest = std::slice::from_raw_parts(string.cast::<u8>(), length);
        while !rest.is_empty() {
            let start: *const c_void = rest.as_ptr().cast();
            let sent = libc::send(socket, start, rest.len(), libc::MSG_NOSIGNAL);
            if let Ok(sent) = usize::try_from(sent) {
                rest = rest.get(sent..).unwrap_or(&[]);
                continue;
            }
            match last_error() {
                libc::EINTR => {}
                libc::EAGAIN => {
                    let mut wait = libc::pollfd {
                        fd: socket,
                        events: libc::POLLOUT,
                        revents: 0,
                    };
                    // What it returns does not matter: the next send tells.
                    libc::poll(&mut wait, 1, -1);
                }
                number => return socket_error(L, number),
            }
        }
    }
    0
}

/// `recv(fd)`: what has come, at most 4096 bytes; nothing if nothing has; the
/// empty string if the other side has closed.
unsafe extern "C-unwind" fn recv(L: *mut lua_State) -> c_int {
    let mut space = [0u8; RECEIVED];
    // SAFETY: called by Lua; the system writes into the space, and says how much.
    unsafe {
        let socket = descriptor(L);
        let got = libc::recv(socket, space.as_mut_ptr().cast(), RECEIVED, 0);
        match usize::try_from(got) {
            Ok(got) => {
                lua_pushlstring(L, space.as_ptr().cast(), got);
                1
            }
            Err(_) => match last_error() {
                libc::EAGAIN | libc::EINTR => 0,
                number => socket_error(L, number),
            },
        }
    }
}

/// `shutdown(fd, mode)`: ends reading (`r`), writing (`w`) or both (`rw`). It
/// says so on standard output.
unsafe extern "C-unwind" fn shutdown(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the mode is a C string that stays on the stack.
    unsafe {
        let socket = descriptor(L);
        let mode = CStr::from_ptr(luaL_checkstring(L, 2));
        let (mut read, mut write) = (false, false);
        for byte in mode.to_bytes() {
            match byte {
                b'r' => read = true,
                b'w' => write = true,
                other => return luaL_error(L, c"Invalid mode %c".as_ptr(), c_int::from(*other)),
            }
        }
        let how = match (read, write) {
            (false, false) => return luaL_error(L, c"mode should be r or/and w".as_ptr()),
            (true, false) => libc::SHUT_RD,
            (false, true) => libc::SHUT_WR,
            (true, true) => libc::SHUT_RDWR,
        };
        // Through C's buffer, which Lua's print uses as well.
        libc::printf(c"SHUTDOWN %d %d\n".as_ptr(), socket, how);
        libc::shutdown(socket, how);
    }
    0
}

/// `usleep(n)`: waits for so many microseconds.
unsafe extern "C-unwind" fn usleep(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. Numbers out of range become the nearest there is.
    unsafe {
        let mut rest = luaL_checknumber(L, 1) as u32;
        while rest > 0 {
            // The system takes less than a second at a time.
            let now = rest.min(MICROSECONDS - 1);
            libc::usleep(now as c_uint);
            rest -= now;
        }
    }
    0
}

/// `readstdin()`: a line of standard input without its end, or nothing if none
/// has come. When the input has ended and all lines have been read, it ends the
/// process with code 1.
unsafe extern "C-unwind" fn readstdin(L: *mut lua_State) -> c_int {
    // The error, which has a destructor, stays within this statement.
    let size = match stdin::next().map_err(|_| ()) {
        Ok(Next::Line(size)) => size,
        Ok(Next::Nothing) => return 0,
        // SAFETY: ends the process as os.exit does, from the thread of Lua.
        Ok(Next::End) => unsafe { libc::exit(1) },
        // SAFETY: called by Lua; nothing on this frame has a destructor.
        Err(()) => unsafe {
            return luaL_error(L, c"cannot start a thread for standard input".as_ptr());
        },
    };
    // SAFETY: called by Lua; the userdata has room for the line, which leaves
    // the list only when it is there. Two slots are used.
    unsafe {
        let space = lua_newuserdatauv(L, size.max(1), 0).cast::<u8>();
        space.write_bytes(0, size);
        if !stdin::take(std::slice::from_raw_parts_mut(space, size)) {
            // Another state was faster.
            return 0;
        }
        lua_pushlstring(L, space.cast(), size);
    }
    1
}
