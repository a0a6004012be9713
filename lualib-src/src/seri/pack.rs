//! From Lua values to bytes.
//!
//! Functions here are told the highest stack slot in use (`top`) and leave it so,
//! which spares asking Lua for it. None of the Lua calls made outside `lua_pcall`
//! can raise an error: they allocate nothing and call no metamethod.

use std::ffi::c_int;

use mlua_sys::*;

use super::Fail;
use super::format::{Head, MAX_PACK_LEVEL, MAX_SIZE};
use super::output::Output;

/// Tables on so many levels share one check of the Lua stack.
const LEVELS: u32 = 2;

/// Values of an array that are pushed before the first of them is packed.
const RUN: usize = 8;

/// Slots that those levels use at most: a run each, which is more than the key
/// and the value of a pair or the five slots of an iteration with `__pairs`; and
/// the innermost calls a function with two arguments.
const SLOTS: c_int = LEVELS as c_int * RUN as c_int + 8;

/// Packs the arguments of the running function, `count` of them.
///
/// # Safety
/// `L` runs `pack` or `packstring`, whose first upvalue is [`super::PAIRS_KEY`]
/// and whose stack holds its arguments alone.
pub(super) unsafe fn arguments(
    L: *mut lua_State,
    out: &mut Output,
    count: c_int,
) -> Result<(), Fail> {
    for index in 1..=count {
        // SAFETY: the caller's promise.
        unsafe { value(L, out, index, lua_type(L, index), count, 0)? };
    }
    Ok(())
}

/// Packs the value in slot `at`, which has type `kind`.
///
/// # Safety
/// As for [`arguments`]; `at` is a slot up to `top`, the highest in use.
#[inline(always)]
unsafe fn value(
    L: *mut lua_State,
    out: &mut Output,
    at: c_int,
    kind: c_int,
    top: c_int,
    level: u32,
) -> Result<(), Fail> {
    // SAFETY: each accessor is called on a value of its type. A string's bytes
    // live as long as it is on the stack.
    unsafe {
        match kind {
            LUA_TSTRING => {
                let mut len = 0;
                let bytes = lua_tolstring(L, at, &mut len);
                out.string(bytes.cast(), len)
            }
            LUA_TNUMBER => {
                if lua_isinteger(L, at) != 0 {
                    out.head(Head::integer(lua_tointeger(L, at)))
                } else {
                    out.head(Head::real(lua_tonumber(L, at)))
                }
            }
            LUA_TBOOLEAN => out.head(Head::boolean(lua_toboolean(L, at) != 0)),
            LUA_TTABLE => table(L, out, at, top, level),
            LUA_TNIL => out.head(Head::nil()),
            LUA_TLIGHTUSERDATA => out.head(Head::pointer(lua_touserdata(L, at) as usize)),
            other => Err(Fail::Type(other)),
        }
    }
}

/// Packs the table in slot `at`, which nests at `level`.
///
/// # Safety
/// As for [`value`].
unsafe fn table(
    L: *mut lua_State,
    out: &mut Output,
    at: c_int,
    top: c_int,
    level: u32,
) -> Result<(), Fail> {
    // SAFETY: the caller's promise, and what is pushed is taken off again.
    unsafe {
        if level.is_multiple_of(LEVELS) && lua_checkstack(L, SLOTS) == 0 {
            return Err(Fail::Stack);
        }
        if lua_getmetatable(L, at) != 0 {
            lua_pushvalue(L, lua_upvalueindex(1));
            if lua_rawget(L, top + 1) != LUA_TNIL {
                lua_replace(L, top + 1);
                return iterated(L, out, at, top, level);
            }
            lua_settop(L, top);
        }

        let length = lua_rawlen(L, at);
        if length > MAX_SIZE {
            return Err(Fail::Size);
        }
        let (head, apart) = Head::table(length as u32);
        out.head(head)?;
        if let Some(apart) = apart {
            out.head(apart)?;
        }
        let holes = array(L, out, at, top, level, length as lua_Integer)?;

        let mark = out.len();
        let skip = if holes { 0 } else { length as lua_Integer };
        if !pairs(L, out, at, top, level, length as lua_Integer, skip)? {
            out.truncate(mark);
            lua_settop(L, top);
            pairs(L, out, at, top, level, length as lua_Integer, 0)?;
        }
        out.head(Head::nil())
    }
}

/// Packs the values of 1 to `length`. Returns whether any is nil.
///
/// # Safety
/// As for [`table`].
#[inline(always)]
unsafe fn array(
    L: *mut lua_State,
    out: &mut Output,
    at: c_int,
    top: c_int,
    level: u32,
    length: lua_Integer,
) -> Result<bool, Fail> {
    if length > 0 && level >= MAX_PACK_LEVEL {
        return Err(Fail::Depth);
    }
    let mut holes = false;
    let mut kinds = [LUA_TNIL; RUN];
    let mut index = 0;
    while index < length {
        let run = ((length - index) as usize).min(RUN);
        let last = top + run as c_int;
        // SAFETY: the caller's promise.
        unsafe {
            for kind in &mut kinds[..run] {
                index += 1;
                *kind = lua_rawgeti(L, at, index);
            }
            for (at, &kind) in (top + 1..).zip(&kinds[..run]) {
                holes |= kind == LUA_TNIL;
                value(L, out, at, kind, last, level + 1)?;
            }
            lua_settop(L, top);
        }
    }
    Ok(holes)
}

/// Packs the keys and values outside 1 to `length`.
///
/// Lua walks a table's array part first, in order. So the first `skip` keys are
/// passed over unseen, with two calls each instead of four. That is right if they
/// are 1 to `skip` in some order, which is shown by the rest: a table has `skip`
/// of those keys, and if none of them turns up later, they have all been passed.
/// If one does turn up, the result is false and the output of no use.
///
/// # Safety
/// As for [`table`].
#[inline(always)]
unsafe fn pairs(
    L: *mut lua_State,
    out: &mut Output,
    at: c_int,
    top: c_int,
    level: u32,
    length: lua_Integer,
    skip: lua_Integer,
) -> Result<bool, Fail> {
    let (key, item) = (top + 1, top + 2);
    // SAFETY: the caller's promise. lua_next gets the key that it gave, and the
    // table does not change meanwhile.
    unsafe {
        lua_pushnil(L);
        for _ in 0..skip {
            if lua_next(L, at) == 0 {
                return Ok(false);
            }
            lua_settop(L, key);
        }
        while lua_next(L, at) != 0 {
            let kind = lua_type(L, key);
            if kind == LUA_TNUMBER
                && lua_isinteger(L, key) != 0
                && (1..=length).contains(&lua_tointeger(L, key))
            {
                if skip > 0 {
                    return Ok(false);
                }
            } else if level >= MAX_PACK_LEVEL {
                return Err(Fail::Depth);
            } else {
                value(L, out, key, kind, item, level + 1)?;
                value(L, out, item, lua_type(L, item), item, level + 1)?;
            }
            lua_settop(L, key);
        }
    }
    Ok(true)
}

/// Packs what `__pairs` iterates over, without an array part. The metamethod is
/// in slot `top + 1`.
///
/// # Safety
/// As for [`table`].
#[inline(never)]
unsafe fn iterated(
    L: *mut lua_State,
    out: &mut Output,
    at: c_int,
    top: c_int,
    level: u32,
) -> Result<(), Fail> {
    let (step, state, control) = (top + 1, top + 2, top + 3);
    let (key, item) = (top + 4, top + 5);
    // SAFETY: the caller's promise. Protected calls, because an error of theirs
    // must not pass over the output, which would then never be freed.
    unsafe {
        let (head, _) = Head::table(0);
        out.head(head)?;
        lua_pushvalue(L, at);
        if lua_pcall(L, 1, 3, 0) != LUA_OK {
            return Err(Fail::Raised);
        }
        loop {
            lua_pushvalue(L, step);
            lua_pushvalue(L, state);
            lua_pushvalue(L, control);
            if lua_pcall(L, 2, 2, 0) != LUA_OK {
                return Err(Fail::Raised);
            }
            let kind = lua_type(L, key);
            if kind == LUA_TNIL {
                break;
            }
            if level >= MAX_PACK_LEVEL {
                return Err(Fail::Depth);
            }
            lua_copy(L, key, control);
            value(L, out, key, kind, item, level + 1)?;
            value(L, out, item, lua_type(L, item), item, level + 1)?;
            lua_settop(L, control);
        }
        lua_settop(L, top);
    }
    out.head(Head::nil())
}
