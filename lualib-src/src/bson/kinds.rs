//! `bson.type` and the functions that make values of kinds that Lua has no type
//! for. Each is a string of a zero, the kind, and the value.

use std::convert::Infallible;
use std::ffi::{CStr, c_int};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use mlua_sys::*;

use super::decode::push_special;
use super::format::*;
use super::kind_name;
use super::output::regex_parts;
use crate::crypt::{random_bytes, text};
use crate::strings::{check_bytes, push_bytes, push_filled};

/// `date(seconds)`: seconds since 1970, of 32 bits.
pub(super) unsafe extern "C-unwind" fn date(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let seconds = luaL_checkinteger(L, 1) as u32;
        push_special(L, DATE, &seconds.to_le_bytes());
    }
    1
}

/// `timestamp(seconds, increment)`: without an increment, the next one of the
/// process.
pub(super) unsafe extern "C-unwind" fn timestamp(L: *mut lua_State) -> c_int {
    static INCREMENT: AtomicU32 = AtomicU32::new(0);
    // SAFETY: called by Lua.
    unsafe {
        let seconds = luaL_checkinteger(L, 1) as u32;
        let increment = if lua_isnoneornil(L, 2) != 0 {
            INCREMENT.fetch_add(1, Ordering::Relaxed)
        } else {
            luaL_checkinteger(L, 2) as u32
        };
        let value = u64::from(seconds) << 32 | u64::from(increment);
        push_special(L, TIMESTAMP, &value.to_le_bytes());
    }
    1
}

/// `int64(number)`: an integer that takes 64 bits however small it is.
pub(super) unsafe extern "C-unwind" fn int64(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let number = luaL_checkinteger(L, 1);
        push_special(L, INT64, &number.to_le_bytes());
    }
    1
}

/// `regex(pattern, options)`.
pub(super) unsafe extern "C-unwind" fn regex(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the arguments stay on the stack, and the closure owns
    // nothing.
    unsafe {
        let pattern = check_bytes(L, 1);
        let options = if lua_type(L, 2) == LUA_TNONE {
            &[]
        } else {
            check_bytes(L, 2)
        };
        let Ok(()) = push_filled(L, pattern.len() + options.len() + 4, |out| {
            out[1] = REGEX;
            let (first, second) = out[2..].split_at_mut(pattern.len() + 1);
            first[..pattern.len()].copy_from_slice(pattern);
            second[..options.len()].copy_from_slice(options);
            Ok::<_, Infallible>(out.len())
        });
    }
    1
}

/// `binary(bytes)`, of subtype 0.
pub(super) unsafe extern "C-unwind" fn binary(L: *mut lua_State) -> c_int {
    // SAFETY: as in regex.
    unsafe {
        let bytes = check_bytes(L, 1);
        let Ok(()) = push_filled(L, 3 + bytes.len(), |out| {
            out[1] = BINARY;
            out[3..].copy_from_slice(bytes);
            Ok::<_, Infallible>(out.len())
        });
    }
    1
}

/// What all object identifiers of this process have in common, and a count that
/// goes on from a random number.
struct Identity {
    process: [u8; 5],
    count: AtomicU32,
}

static IDENTITY: OnceLock<Identity> = OnceLock::new();

/// Gives the process its identity, if it has none.
///
/// # Safety
/// As [`random_bytes`].
pub(super) unsafe fn identify(L: *mut lua_State) -> &'static impl Sized {
    // SAFETY: the caller's promise.
    unsafe { identity(L) }
}

/// # Safety
/// As [`random_bytes`].
unsafe fn identity(L: *mut lua_State) -> &'static Identity {
    if let Some(identity) = IDENTITY.get() {
        return identity;
    }
    // SAFETY: the caller's promise. The cell's own function cannot fail.
    let [a, b, c, d, e, count @ ..] = unsafe { random_bytes::<9>(L) };
    IDENTITY.get_or_init(|| Identity {
        process: [a, b, c, d, e],
        count: AtomicU32::new(u32::from_le_bytes(count)),
    })
}

/// The value of a digit, and of a letter that is none; 0 for anything else.
fn digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'z' => digit - b'a' + 10,
        b'A'..=b'Z' => digit - b'A' + 10,
        _ => 0,
    }
}

/// `objectid(text)`: the identifier that 24 digits stand for; a new one without an
/// argument.
pub(super) unsafe extern "C-unwind" fn objectid(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let mut value = [0; 12];
        if lua_isstring(L, 1) != 0 {
            let digits = check_bytes(L, 1);
            if digits.len() != 24 {
                let format = c"Invalid objectid %s".as_ptr();
                let text = lua_pushfstring(L, format, lua_tolstring(L, 1, std::ptr::null_mut()));
                return luaL_argerror(L, 1, text);
            }
            for (byte, pair) in value.iter_mut().zip(digits.chunks_exact(2)) {
                *byte = digit(pair[0]) << 4 | digit(pair[1]);
            }
        } else {
            let identity = identity(L);
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let seconds = now.map_or(0, |now| now.as_secs()) as u32;
            let count = identity.count.fetch_add(1, Ordering::Relaxed);
            value[..4].copy_from_slice(&seconds.to_be_bytes());
            value[4..9].copy_from_slice(&identity.process);
            value[9..].copy_from_slice(&count.to_be_bytes()[1..]);
        }
        push_special(L, OBJECTID, &value);
    }
    1
}

/// Pushes a name.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor. One slot is used.
unsafe fn push_name(L: *mut lua_State, name: &CStr) {
    // SAFETY: the caller's promise.
    unsafe { lua_pushstring(L, name.as_ptr()) };
}

/// `type(value)`: the name of its type in BSON, then what it consists of.
pub(super) unsafe extern "C-unwind" fn type_of(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; three slots are used.
    unsafe {
        let name = match lua_type(L, 1) {
            LUA_TNUMBER => c"number",
            LUA_TBOOLEAN => c"boolean",
            LUA_TTABLE => c"table",
            LUA_TNIL => {
                push_name(L, c"nil");
                return 1;
            }
            LUA_TSTRING => {
                if let [0, kind, value @ ..] = check_bytes(L, 1) {
                    return special(L, *kind, value);
                }
                c"string"
            }
            kind => {
                let name = lua_typename(L, kind);
                return luaL_argerror(L, 1, lua_pushfstring(L, c"Invalid type %s".as_ptr(), name));
            }
        };
        push_name(L, name);
        lua_pushvalue(L, 1);
    }
    2
}

/// The results of `type` for a special string.
///
/// # Safety
/// As [`push_name`]. Three slots are used.
unsafe fn special(L: *mut lua_State, kind: u8, value: &[u8]) -> c_int {
    // SAFETY: the caller's promise; the formats match their arguments.
    unsafe {
        let name = kind_name(kind);
        match (kind, value) {
            (NULL | MINKEY | MAXKEY, _) => {
                push_name(L, name);
                return 1;
            }
            (BINARY, [subtype, bytes @ ..]) => {
                push_name(L, name);
                push_bytes(L, bytes);
                lua_pushinteger(L, (*subtype).into());
                return 3;
            }
            (TIMESTAMP, [a, b, c, d, e, f, g, h]) => {
                push_name(L, name);
                lua_pushinteger(L, u32::from_le_bytes([*e, *f, *g, *h]).into());
                lua_pushinteger(L, u32::from_le_bytes([*a, *b, *c, *d]).into());
                return 3;
            }
            (DATE, [a, b, c, d]) => {
                push_name(L, name);
                lua_pushinteger(L, i32::from_le_bytes([*a, *b, *c, *d]).into());
                return 2;
            }
            (JSCODE | DBPOINTER | SYMBOL | CODEWS, _) => {
                push_name(L, c"unsupported");
                push_bytes(L, value);
                return 2;
            }
            (REGEX, _) => {
                if let Some((pattern, options)) = regex_parts(value) {
                    push_name(L, name);
                    push_bytes(L, pattern);
                    push_bytes(L, options);
                    return 3;
                }
            }
            (OBJECTID, _) if value.len() == 12 => {
                let mut digits = [0; 24];
                text::hex_encode(value, &mut digits);
                push_name(L, name);
                push_bytes(L, &digits);
                return 2;
            }
            (INT64, _) => {
                if let Ok(value) = value.try_into() {
                    push_name(L, name);
                    lua_pushinteger(L, i64::from_le_bytes(value));
                    return 2;
                }
            }
            (BINARY | TIMESTAMP | DATE | OBJECTID, _) => {}
            _ => {
                let format = c"Invalid subtype %d".as_ptr();
                return luaL_argerror(L, 1, lua_pushfstring(L, format, c_int::from(kind)));
            }
        }
        luaL_argerror(
            L,
            1,
            lua_pushfstring(L, c"Invalid %s".as_ptr(), name.as_ptr()),
        )
    }
}
