//! `skynet.mongo.driver`: the messages that MongoDB and its clients exchange.

mod message;

use std::convert::Infallible;
use std::ffi::{CStr, c_int};

use mlua_sys::*;

use crate::bson::document;
use crate::library;
use crate::strings::{check_bytes, push_filled};
use message::{Fault, HEAD};

const FUNCTIONS: [(&CStr, lua_CFunction); 3] =
    [(c"reply", reply), (c"length", length), (c"op_msg", op_msg)];

/// Opens `skynet.mongo.driver`.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_mongo_driver(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used.
    unsafe {
        library::push(L, &FUNCTIONS);
    }
    1
}

/// `reply(message)`: true, the identifier of the message that this one answers, and
/// the address of its document, which is within the string; false for a message
/// without a whole header.
unsafe extern "C-unwind" fn reply(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; three slots are used, and each format matches its
    // argument.
    unsafe {
        match message::reply(check_bytes(L, 1)) {
            Ok(Some(reply)) => {
                lua_pushboolean(L, 1);
                lua_pushinteger(L, reply.id.into());
                lua_pushlightuserdata(L, reply.document.as_ptr().cast_mut().cast());
                3
            }
            Ok(None) => {
                lua_pushboolean(L, 0);
                1
            }
            Err(fault) => match fault {
                Fault::Opcode(code) => luaL_error(L, c"Unsupported opcode:%d".as_ptr(), code),
                Fault::Checksum => {
                    luaL_error(L, c"Unsupported OP_MSG flag checksumPresent".as_ptr())
                }
                Fault::Flags(flags) => luaL_error(L, c"Unsupported OP_MSG flag:%d".as_ptr(), flags),
                Fault::Section(kind) => luaL_error(
                    L,
                    c"Unsupported OP_MSG payload type: %d".as_ptr(),
                    c_int::from(kind),
                ),
                Fault::Size => luaL_error(L, c"Unsupported OP_MSG reply: >1 section".as_ptr()),
            },
        }
    }
}

/// `length(bytes)`: how many bytes follow the four that a message begins with.
unsafe extern "C-unwind" fn length(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let Some(length) = check_bytes(L, 1).first_chunk() else {
            return luaL_argerror(L, 1, c"4 bytes expected".as_ptr());
        };
        let Some(rest) = message::rest(*length) else {
            return luaL_argerror(L, 1, c"no length of a message".as_ptr());
        };
        lua_pushinteger(L, rest.into());
    }
    1
}

/// `op_msg(id, flags, document)`: a message.
unsafe extern "C-unwind" fn op_msg(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the document stays on the stack, and the closure owns
    // nothing.
    unsafe {
        let id = luaL_checkinteger(L, 1) as i32;
        let flags = luaL_checkinteger(L, 2) as i32;
        let Some(document) = document(L, 3) else {
            return luaL_argerror(L, 3, c"opmsg require cmd document".as_ptr());
        };
        let Some(head) = message::head(id, flags, document.len()) else {
            return luaL_argerror(L, 3, c"document too long".as_ptr());
        };
        let Ok(()) = push_filled(L, HEAD + document.len(), |out| {
            let (first, rest) = out.split_at_mut(HEAD);
            first.copy_from_slice(&head);
            rest.copy_from_slice(document);
            Ok::<_, Infallible>(out.len())
        });
    }
    1
}
