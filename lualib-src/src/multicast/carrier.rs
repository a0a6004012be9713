//! Shared payloads as the reference's Lua files handle them.
//!
//! A payload travels as a *pointer to a package* in a block of its own, which
//! `pack` makes, and which is a message for the service that publishes. There
//! `bind` takes the block, says how many will read, and returns the package's
//! address; copies of that, eight bytes each, are the messages to the subscribers.
//! Each of them `unpack`s and then `close`s its copy, and the last one frees the
//! package and its payload.
//!
//! As in the reference, addresses are light userdata: a program that makes them up,
//! or uses them after `close`, is on its own. Those that are none raise an error.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use mlua_sys::*;
use skynet_abi::malloc::{skynet_free, skynet_malloc};

use crate::block::allocate;
use crate::library::Entry;

pub(super) const FUNCTIONS: [Entry; 7] = [
    (c"pack", pack),
    (c"unpack", unpack),
    (c"bind", bind),
    (c"close", close),
    (c"remote", remote),
    (c"packremote", packremote),
    (c"nextid", nextid),
];

/// The distance between the ids of a node's channels: the lowest byte is the node.
const NODES: u32 = 256;

/// Ids stay below this bit.
const ID_MASK: u32 = 0x7fff_ffff;

/// A payload and how many will still read it. It is a block of the malloc family,
/// and so is the payload.
struct Package {
    references: AtomicI32,
    size: u32,
    data: *mut c_void,
}

/// The size in the second argument; a Lua error if it needs more than 32 bits.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a destructor.
unsafe fn check_size(L: *mut lua_State) -> u32 {
    // SAFETY: the caller's promise.
    unsafe {
        match u32::try_from(luaL_checkinteger(L, 2)) {
            Ok(size) => size,
            Err(_) => luaL_error(L, c"Size should be 32bit integer".as_ptr()) as u32,
        }
    }
}

/// The address in the first argument; a Lua error if there is none.
///
/// # Safety
/// As [`check_size`].
unsafe fn check_address<T>(L: *mut lua_State) -> *mut T {
    // SAFETY: the caller's promise.
    unsafe {
        let address = lua_touserdata(L, 1);
        if address.is_null() {
            luaL_argerror(L, 1, c"an address expected".as_ptr());
        }
        address.cast()
    }
}

/// Makes a package of a payload, which it owns from here on, and pushes the message
/// that carries it: address and size. `data` is freed if there is no memory.
///
/// # Safety
/// As [`check_size`]; `data` is a block of the malloc family, or null, and the
/// caller's.
unsafe fn push_package(L: *mut lua_State, data: *mut c_void, size: u32) -> c_int {
    // SAFETY: the caller's promise; free takes null, and what malloc gives is aligned
    // for these types.
    unsafe {
        let package: *mut Package = skynet_malloc(size_of::<Package>()).cast();
        let carrier: *mut *mut Package = skynet_malloc(size_of::<*mut Package>()).cast();
        if package.is_null() || carrier.is_null() {
            skynet_free(package.cast());
            skynet_free(carrier.cast());
            skynet_free(data);
            return luaL_error(L, c"not enough memory".as_ptr());
        }
        package.write(Package {
            references: AtomicI32::new(0),
            size,
            data,
        });
        carrier.write(package);
        lua_pushlightuserdata(L, carrier.cast());
        lua_pushinteger(L, size_of::<*mut Package>() as lua_Integer);
    }
    2
}

/// The address and size of a payload, in the first two arguments; a Lua error if they
/// are none.
///
/// # Safety
/// As [`check_size`].
pub(super) unsafe fn check_bytes(L: *mut lua_State) -> (*mut c_void, usize) {
    // SAFETY: the caller's promise. A payload of nothing may be null.
    unsafe {
        let size = check_size(L);
        let data = if size == 0 {
            lua_touserdata(L, 1)
        } else {
            check_address(L)
        };
        (data, size as usize)
    }
}

/// A new block with these bytes.
///
/// # Safety
/// As [`check_size`]; `data` has `size` bytes to read, or is null if that is 0.
pub(super) unsafe fn copy(L: *mut lua_State, data: *const c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller's promise; the new block has as many bytes.
    unsafe {
        let block = allocate(L, size);
        if size > 0 {
            ptr::copy_nonoverlapping(data.cast::<u8>(), block.cast(), size);
        }
        block
    }
}

/// `pack(data, size)`: a message with the payload, a block that the package owns from
/// here on.
unsafe extern "C-unwind" fn pack(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with a block that is given away; two slots are used.
    unsafe {
        let (data, size) = check_bytes(L);
        push_package(L, data, size as u32)
    }
}

/// `packremote(data, size)`: the same, with a copy of the payload.
unsafe extern "C-unwind" fn packremote(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with an address of size readable bytes; two slots are
    // used.
    unsafe {
        let (data, size) = check_bytes(L);
        let data = copy(L, data, size);
        push_package(L, data, size as u32)
    }
}

/// `unpack(msg, size)`: the package that the message carries, and its payload:
/// address and size. Nothing is freed.
unsafe extern "C-unwind" fn unpack(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with a message that pack or bind made, whose package
    // lives; three slots are used.
    unsafe {
        let carrier: *const *mut Package = check_address(L);
        let size = luaL_checkinteger(L, 2);
        if size != size_of::<*mut Package>() as lua_Integer {
            return luaL_error(L, c"Invalid multicast package size %I".as_ptr(), size);
        }
        // A copy of the message need not be aligned.
        let package = carrier.read_unaligned();
        if package.is_null() {
            return luaL_argerror(L, 1, c"no multicast package".as_ptr());
        }
        lua_pushlightuserdata(L, package.cast());
        lua_pushlightuserdata(L, (*package).data);
        lua_pushinteger(L, (*package).size.into());
    }
    3
}

/// `bind(msg, count)`: frees the message that [`pack`] made, and returns its package,
/// which `count` subscribers will close.
unsafe extern "C-unwind" fn bind(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with a message that pack made; one slot is used. Nobody
    // else knows the package before it is bound, so no ordering is needed.
    unsafe {
        let carrier: *mut *mut Package = check_address(L);
        let count = luaL_checkinteger(L, 2);
        let Ok(count) = i32::try_from(count) else {
            return luaL_argerror(L, 2, c"a 32-bit count expected".as_ptr());
        };
        let package = *carrier;
        if (*package).references.load(Ordering::Relaxed) != 0 {
            let text = c"Can't bind a multicast package more than once";
            return luaL_error(L, text.as_ptr());
        }
        (*package).references.store(count, Ordering::Relaxed);
        lua_pushlightuserdata(L, package.cast());
        skynet_free(carrier.cast());
    }
    1
}

/// `close(package)`: this reader is done; the last one frees it.
unsafe extern "C-unwind" fn close(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with a package that lives. What other readers did to it
    // happens before the last one frees it: AcqRel on both sides.
    unsafe {
        let package: *mut Package = check_address(L);
        let left = (*package)
            .references
            .fetch_sub(1, Ordering::AcqRel)
            .wrapping_sub(1);
        if left > 0 {
            return 0;
        }
        skynet_free((*package).data);
        skynet_free(package.cast());
        if left < 0 {
            let text = c"Invalid multicast package reference %d";
            return luaL_error(L, text.as_ptr(), left);
        }
    }
    0
}

/// `remote(msg)`: takes a message of [`pack`] apart for another node: the payload,
/// now the caller's, and its size.
unsafe extern "C-unwind" fn remote(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with a message that pack made and that is given up; two
    // slots are used.
    unsafe {
        let carrier: *mut *mut Package = check_address(L);
        let package = *carrier;
        lua_pushlightuserdata(L, (*package).data);
        lua_pushinteger(L, (*package).size.into());
        skynet_free(package.cast());
        skynet_free(carrier.cast());
    }
    2
}

/// `nextid(id)`: the id of the same node's next channel. They begin anew after the
/// last one below 2^31.
unsafe extern "C-unwind" fn nextid(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used.
    unsafe {
        let id = luaL_checkinteger(L, 1) as u32;
        lua_pushinteger(L, (id.wrapping_add(NODES) & ID_MASK).into());
    }
    1
}
