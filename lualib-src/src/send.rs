//! Messages that Lua sends, and what it asks about addresses.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use mlua_sys::*;
use skynet_abi::{
    PTYPE_TAG_ALLOCSESSION, PTYPE_TAG_DONTCOPY, skynet_context, skynet_isremote, skynet_send,
    skynet_sendname,
};

use crate::core::context;

/// Where a message goes.
enum Destination {
    Handle(u32),
    /// A name, `.local` or global, owned by the Lua stack.
    Name(*const c_char),
}

/// `send(address, type, session, message [, size])`
///
/// The address is a handle or a name; a nil session asks for a new one; the
/// message is a string, or light userdata and its size, which is given away.
/// Returns the session; `false` when the message is too large; nothing when
/// nobody has that address.
pub(crate) unsafe extern "C-unwind" fn send(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue.
    unsafe { deliver(L, 0, 2) }
}

/// `redirect(address, source, type, session, message [, size])`: as `send`, in
/// the name of `source`.
pub(crate) unsafe extern "C-unwind" fn redirect(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue.
    unsafe {
        let source = luaL_checkinteger(L, 2) as u32;
        deliver(L, source, 3)
    }
}

/// The common part: type, session, message and size start at argument `first`.
///
/// # Safety
/// The running function of `L` is `send` or `redirect`.
#[inline(always)]
unsafe fn deliver(L: *mut lua_State, source: u32, first: c_int) -> c_int {
    // SAFETY: the caller's promise. Strings that are passed on stay on the stack
    // for the whole call. Nothing here has a destructor.
    unsafe {
        let service = context(L);
        // Only the low half counts: a handle may come as a negative number.
        let destination = match lua_tointeger(L, 1) as u32 {
            0 => Destination::Name(name_argument(L)),
            handle => Destination::Handle(handle),
        };

        let mut kind = luaL_checkinteger(L, first) as c_int;
        let mut is_number = 0;
        let mut session = lua_tointegerx(L, first + 1, &mut is_number) as c_int;
        if is_number == 0 {
            if lua_type(L, first + 1) == LUA_TNIL {
                kind |= PTYPE_TAG_ALLOCSESSION;
            } else {
                // Raises the error that says what came instead.
                session = luaL_checkinteger(L, first + 1) as c_int;
            }
        }

        let mut size = 0;
        let message: *mut c_void;
        match lua_type(L, first + 2) {
            LUA_TSTRING => {
                let text = lua_tolstring(L, first + 2, &mut size);
                message = if size == 0 {
                    ptr::null_mut()
                } else {
                    text.cast_mut().cast()
                };
            }
            LUA_TLIGHTUSERDATA => {
                message = lua_touserdata(L, first + 2);
                // A negative size becomes one beyond every limit: the core
                // refuses it and frees the message, which is no longer ours.
                size = luaL_checkinteger(L, first + 3) as usize;
                kind |= PTYPE_TAG_DONTCOPY;
            }
            other => {
                return luaL_error(L, c"invalid param %s".as_ptr(), lua_typename(L, other));
            }
        }

        let result = route(service, source, destination, kind, session, message, size);
        match result {
            // The receiver does not exist, and the caller may care or not.
            i32::MIN..=-3 | -1 => 0,
            -2 => {
                lua_pushboolean(L, 0);
                1
            }
            session => {
                lua_pushinteger(L, session.into());
                1
            }
        }
    }
}

/// # Safety
/// `service` is live; the name, if any, is a C string; `message` and `size` fit
/// the tags in `kind`, see `skynet_send`.
#[inline(always)]
unsafe fn route(
    service: *mut skynet_context,
    source: u32,
    destination: Destination,
    kind: c_int,
    session: c_int,
    message: *mut c_void,
    size: usize,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        match destination {
            Destination::Handle(handle) => {
                skynet_send(service, source, handle, kind, session, message, size)
            }
            Destination::Name(name) => {
                skynet_sendname(service, source, name, kind, session, message, size)
            }
        }
    }
}

/// Argument 1 as a name; raises a Lua error for anything that is none.
///
/// # Safety
/// As for [`deliver`].
unsafe fn name_argument(L: *mut lua_State) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe {
        match lua_type(L, 1) {
            LUA_TNUMBER => {
                luaL_error(L, c"Invalid service address 0".as_ptr());
                ptr::null()
            }
            LUA_TSTRING => lua_tostring(L, 1),
            other => {
                luaL_error(
                    L,
                    c"dest address type (%s) must be a string or number.".as_ptr(),
                    lua_typename(L, other),
                );
                ptr::null()
            }
        }
    }
}

/// `genid()`: a new session, never 0.
pub(crate) unsafe extern "C-unwind" fn genid(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue. A send to address 0
    // with nothing in it only draws a session.
    unsafe {
        let service = context(L);
        let session = skynet_send(service, 0, 0, PTYPE_TAG_ALLOCSESSION, 0, ptr::null_mut(), 0);
        lua_pushinteger(L, session.into());
    }
    1
}

/// `harbor(address)`: the harbor of an address, and whether it is another node's.
pub(crate) unsafe extern "C-unwind" fn harbor(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue.
    unsafe {
        let service = context(L);
        let handle = luaL_checkinteger(L, 1) as u32;
        let mut harbor = 0;
        let remote = skynet_isremote(service, handle, &mut harbor);
        lua_pushinteger(L, harbor.into());
        lua_pushboolean(L, remote);
    }
    2
}
