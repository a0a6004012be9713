//! From bytes to Lua values.
//!
//! A stream with tables in it is surveyed before they are made. So it is known to
//! be sound, and every table is created with room for what it will hold: growing
//! a table entry by entry takes longer than reading the bytes twice.

use std::ffi::{CStr, c_int};
use std::slice;

use mlua_sys::*;

use super::Fail;
use super::format::{self, Fault, Item, Reader};
use super::names::Names;

/// Tables whose sizes are kept on the C stack; a stream with more of them gets a
/// userdata, which Lua frees whatever happens.
const LOCAL_TABLES: usize = 128;

const TOO_MANY: &CStr = c"too many values in a message";

/// Plain values share one check of the Lua stack by so many.
const RUN: c_int = 16;

/// Tables on so many levels share one check of the Lua stack.
const LEVELS: u32 = 8;

/// Slots that they use at most: each level holds its table and a key.
const SLOTS: c_int = 24;

/// Pushes the values of `stream`. Returns how many.
///
/// # Safety
/// `L` runs `unpack` with its argument alone on the stack, and no caller's frame
/// has a destructor.
pub(super) unsafe fn values(L: *mut lua_State, stream: &[u8]) -> Result<c_int, Fail> {
    let mut reader = Reader::new(stream);
    let mut count = 0;
    // Most messages are a few plain values, which need no survey.
    while !reader.is_empty() {
        let item = reader.next().map_err(Fail::Stream)?;
        if let Item::Table(_) = item {
            // SAFETY: the caller's promise; this starts anew.
            return unsafe {
                lua_settop(L, 1);
                with_tables(L, stream)
            };
        }
        count += 1;
        // SAFETY: the caller's promise. Lua grants LUA_MINSTACK slots at first.
        unsafe {
            if count % RUN == 0 {
                luaL_checkstack(L, RUN + 2, TOO_MANY.as_ptr());
            }
            push_plain(L, item);
        }
    }
    Ok(count)
}

/// Pushes a value that is no table.
///
/// # Safety
/// As for [`values`], with a free slot.
#[inline(always)]
unsafe fn push_plain(L: *mut lua_State, item: Item) {
    // SAFETY: the caller's promise.
    unsafe {
        match item {
            Item::Bytes(bytes) => {
                lua_pushlstring(L, bytes.as_ptr().cast(), bytes.len());
            }
            Item::Integer(value) => lua_pushinteger(L, value),
            Item::Boolean(value) => lua_pushboolean(L, value.into()),
            Item::Real(value) => lua_pushnumber(L, value),
            Item::Pointer(address) => lua_pushlightuserdata(L, address as *mut _),
            Item::Nil | Item::Table(_) => lua_pushnil(L),
        }
    }
}

/// Does the same for a stream with tables.
///
/// # Safety
/// As for [`values`].
#[inline(never)]
unsafe fn with_tables(L: *mut lua_State, stream: &[u8]) -> Result<c_int, Fail> {
    let mut local = [0u32; LOCAL_TABLES];
    let mut pairs = &mut local[..];
    let survey = format::survey(stream, pairs).map_err(Fail::Stream)?;
    let Ok(count) = c_int::try_from(survey.values) else {
        return Err(Fail::Size);
    };
    // SAFETY: the caller's promise. The userdata and the names lie below the
    // values, and so stay until they are returned. Lua aligns a userdata for any
    // type.
    unsafe {
        let slots = count.saturating_add(SLOTS + Names::SLOTS);
        luaL_checkstack(L, slots, TOO_MANY.as_ptr());
        if survey.tables > LOCAL_TABLES {
            let block = lua_newuserdatauv(L, survey.tables * size_of::<u32>(), 0).cast::<u32>();
            block.write_bytes(0, survey.tables);
            pairs = slice::from_raw_parts_mut(block, survey.tables);
            format::survey(stream, pairs).map_err(Fail::Stream)?;
        }
        let mut builder = Builder {
            L,
            reader: Reader::new(stream),
            pairs: pairs.iter(),
            names: Names::new(L),
            records: survey.tables > 2,
        };
        for _ in 0..count {
            let item = builder.reader.next().map_err(Fail::Stream)?;
            builder.push(item, 0).map_err(Fail::Stream)?;
        }
    }
    Ok(count)
}

struct Builder<'a> {
    L: *mut lua_State,
    reader: Reader<'a>,
    /// For the tables to come.
    pairs: slice::Iter<'a, u32>,
    names: Names,
    /// Whether there are tables enough for names to be repeated.
    records: bool,
}

impl Builder<'_> {
    /// Pushes a value whose head has been read.
    ///
    /// # Safety
    /// As for [`values`], with a free slot.
    #[inline(always)]
    unsafe fn push(&mut self, item: Item, level: u32) -> Result<(), Fault> {
        // SAFETY: the caller's promise.
        unsafe {
            match item {
                Item::Table(array) => self.table(array, level)?,
                _ => push_plain(self.L, item),
            }
        }
        Ok(())
    }

    /// Pushes a table whose head has been read.
    ///
    /// # Safety
    /// As for [`push`](Self::push).
    unsafe fn table(&mut self, array: u64, level: u32) -> Result<(), Fault> {
        let L = self.L;
        let pairs = self.pairs.next().copied().unwrap_or(0);
        // SAFETY: the caller's promise. The survey found that many values in the
        // stream, so both sizes fit in a c_int; no key is nil or NaN.
        unsafe {
            if level.is_multiple_of(LEVELS) {
                luaL_checkstack(L, SLOTS, std::ptr::null());
            }
            lua_createtable(L, array as c_int, pairs as c_int);
            let record = self.records && pairs <= Names::MOST;
            for index in 1..=array as lua_Integer {
                let value = self.reader.next()?;
                self.push(value, level + 1)?;
                lua_rawseti(L, -2, index);
            }
            loop {
                match self.reader.next()? {
                    Item::Nil => return Ok(()),
                    Item::Bytes(name) if record => self.names.push(L, name),
                    key => self.push(key, level + 1)?,
                }
                let value = self.reader.next()?;
                self.push(value, level + 1)?;
                lua_rawset(L, -3);
            }
        }
    }
}
