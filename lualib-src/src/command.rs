//! The core's text commands, with results as a string, a number or an address.

use std::ffi::{CStr, c_char, c_int};
use std::io::Write;
use std::ptr;

use mlua_sys::*;
use skynet_abi::skynet_command;

use crate::core::context;

/// Long enough for any `i32` in decimal, and its terminating zero.
const NUMBER_SPACE: usize = 12;

/// `command(name [, parameter])`: the result as a string, or nothing.
pub(crate) unsafe extern "C-unwind" fn command(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue.
    unsafe {
        match run(L, text_parameter(L)) {
            Some(result) => {
                lua_pushstring(L, result.as_ptr());
                1
            }
            None => 0,
        }
    }
}

/// `addresscommand(name [, parameter])`: the result, which is `:` and hexadecimal
/// digits, as a handle; nothing when it is anything else.
pub(crate) unsafe extern "C-unwind" fn addresscommand(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue.
    unsafe {
        match run(L, text_parameter(L)).and_then(handle) {
            Some(handle) => {
                lua_pushinteger(L, handle.into());
                1
            }
            None => 0,
        }
    }
}

/// `intcommand(name [, parameter])`: the result as an integer or a float. A
/// number given as parameter is passed on as an integer of 32 bits.
pub(crate) unsafe extern "C-unwind" fn intcommand(L: *mut lua_State) -> c_int {
    let mut space = [0u8; NUMBER_SPACE];
    // SAFETY: called by Lua, with the service as upvalue. `space` outlives the
    // command, and has no destructor.
    unsafe {
        let parameter = if lua_gettop(L) == 2 && lua_isnumber(L, 2) != 0 {
            decimal(luaL_checkinteger(L, 2) as i32, &mut space)
        } else {
            text_parameter(L)
        };
        let Some(result) = run(L, parameter) else {
            return 0;
        };
        // The C library's readers, because they decide what counts as a number
        // here: leading blanks, 0x and octal included.
        let mut end = ptr::null_mut();
        let integer = libc::strtoll(result.as_ptr(), &mut end, 0);
        if *end == 0 {
            lua_pushinteger(L, integer);
            return 1;
        }
        let float = libc::strtod(result.as_ptr(), &mut end);
        if *end == 0 {
            lua_pushnumber(L, float);
            return 1;
        }
        luaL_error(L, c"Invalid result %s".as_ptr(), result.as_ptr())
    }
}

/// Argument 2 if there are exactly two, else null.
///
/// # Safety
/// `L` runs one of the functions above.
unsafe fn text_parameter(L: *mut lua_State) -> *const c_char {
    // SAFETY: the caller's promise. The name is checked first, so that errors
    // come in the order of the arguments.
    unsafe {
        luaL_checkstring(L, 1);
        if lua_gettop(L) == 2 {
            luaL_checkstring(L, 2)
        } else {
            ptr::null()
        }
    }
}

/// Runs the command that argument 1 names. The result lives until the service's
/// next command.
///
/// # Safety
/// `L` runs one of the functions above; `parameter` is null or a C string.
unsafe fn run<'a>(L: *mut lua_State, parameter: *const c_char) -> Option<&'a CStr> {
    // SAFETY: the caller's promise, and skynet_command's result is null or a C
    // string that the service owns.
    unsafe {
        let name = luaL_checkstring(L, 1);
        let result = skynet_command(context(L), name, parameter);
        (!result.is_null()).then(|| CStr::from_ptr(result))
    }
}

/// `value` in decimal, written to `space`.
fn decimal(value: i32, space: &mut [u8; NUMBER_SPACE]) -> *const c_char {
    // The space has room for every value and, zeroed, ends the string.
    let _ = write!(&mut space[..NUMBER_SPACE - 1], "{value}");
    space.as_ptr().cast()
}

/// Reads `:` and hexadecimal digits. Of more than eight the last eight count.
fn handle(text: &CStr) -> Option<u32> {
    let digits = text.to_bytes().strip_prefix(b":")?;
    digits.iter().try_fold(0u32, |value, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some((value << 4) | digit)
    })
}
