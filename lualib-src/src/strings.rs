//! Strings in and out of Lua functions: arguments as slices, results written in
//! place.

use std::ffi::{CStr, c_int};
use std::mem::MaybeUninit;
use std::slice;

use mlua_sys::*;

/// The bytes of a string argument (a number counts as one); a Lua error if it is
/// neither.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor. The slice is not used after the argument has left the stack.
pub(crate) unsafe fn check_bytes<'a>(L: *mut lua_State, arg: c_int) -> &'a [u8] {
    let mut size = 0;
    // SAFETY: the caller's promise; Lua gives a pointer to size bytes, which
    // live as long as the string.
    unsafe {
        let bytes = luaL_checklstring(L, arg, &mut size);
        slice::from_raw_parts(bytes.cast(), size)
    }
}

/// As [`check_bytes`], of exactly `N` bytes; `wrong` says what is wrong with others.
///
/// # Safety
/// As [`check_bytes`].
pub(crate) unsafe fn check_array<const N: usize>(
    L: *mut lua_State,
    arg: c_int,
    wrong: &CStr,
) -> [u8; N] {
    // SAFETY: the caller's promise.
    unsafe {
        match check_bytes(L, arg).try_into() {
            Ok(bytes) => bytes,
            Err(_) => {
                luaL_argerror(L, arg, wrong.as_ptr());
                [0; N]
            }
        }
    }
}

/// Pushes a copy of the bytes. One slot is used.
///
/// # Safety
/// As [`check_bytes`].
pub(crate) unsafe fn push_bytes(L: *mut lua_State, bytes: &[u8]) {
    // SAFETY: the caller's promise; Lua copies the bytes.
    unsafe { lua_pushlstring(L, bytes.as_ptr().cast(), bytes.len()) };
}

/// Raises a Lua error with this text behind the place in the program, as `luaL_error`
/// does with a format. Lua copies the bytes first: they may be an object's of this
/// state, but no frame's.
///
/// # Safety
/// As [`check_bytes`]. Two slots are used.
pub(crate) unsafe fn raise(L: *mut lua_State, text: &[u8]) -> ! {
    // SAFETY: the caller's promise. The text is not looked at once Lua has had the
    // opportunity to run finalisers, which may free it.
    unsafe {
        push_bytes(L, text);
        luaL_where(L, 1);
        lua_rotate(L, -2, 1);
        lua_concat(L, 2);
        lua_error(L)
    }
}

/// Strings of up to so many bytes are written on the C stack: Lua's own buffer takes
/// longer to set up.
const LOCAL: usize = 128;

/// Pushes a string that `fill` writes: it gets `size` bytes, all zero, and returns
/// how many of them, counted from the first, the string has. Two slots are used.
///
/// # Safety
/// As [`check_bytes`]; `fill` has no destructor and does not call Lua.
#[inline]
pub(crate) unsafe fn push_filled<E>(
    L: *mut lua_State,
    size: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
) -> Result<(), E> {
    let mut local = [0; LOCAL];
    let Some(room) = local.get_mut(..size) else {
        // SAFETY: the caller's promise.
        return unsafe { push_long(L, size, fill) };
    };
    let used = fill(room)?;
    // SAFETY: the caller's promise.
    unsafe { push_bytes(L, &room[..used.min(size)]) };
    Ok(())
}

/// Does it in Lua's buffer, which is large and so has a frame of its own.
///
/// # Safety
/// As [`push_filled`].
#[inline(never)]
unsafe fn push_long<E>(
    L: *mut lua_State,
    size: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
) -> Result<(), E> {
    let mut string = MaybeUninit::<luaL_Buffer>::uninit();
    // SAFETY: Lua initialises string, which has no destructor and stays where it
    // is, and gives room for size bytes, which are written before they are read.
    // On an error the buffer's block stays on the stack, which is Lua's to free.
    unsafe {
        let room: *mut u8 = luaL_buffinitsize(L, string.as_mut_ptr(), size).cast();
        room.write_bytes(0, size);
        let used = fill(slice::from_raw_parts_mut(room, size))?;
        luaL_pushresultsize(string.as_mut_ptr(), used.min(size));
    }
    Ok(())
}
