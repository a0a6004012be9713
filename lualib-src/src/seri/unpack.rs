//! From bytes to Lua values.
//!
//! A stream is surveyed before Lua hears of it. So it is known to be sound, and
//! every table is created with room for what it will hold: growing a table entry
//! by entry takes longer than reading the bytes twice.

use std::ffi::c_int;
use std::slice;

use mlua_sys::*;

use super::Fail;
use super::format::{self, Fault, Item, Reader};

/// Tables whose sizes are kept on the C stack; a stream with more of them gets a
/// userdata, which Lua frees whatever happens.
const LOCAL_TABLES: usize = 128;

/// Tables on so many levels share one check of the Lua stack.
const LEVELS: u32 = 8;

/// Slots that they use at most: each level holds its table and a key.
const SLOTS: c_int = 24;

/// Pushes the values of `stream`. Returns how many.
///
/// # Safety
/// `L` runs `unpack`, and no caller's frame has a destructor.
pub(super) unsafe fn values(L: *mut lua_State, stream: &[u8]) -> Result<c_int, Fail> {
    let mut local = [0u32; LOCAL_TABLES];
    let mut pairs = &mut local[..];
    let survey = format::survey(stream, pairs).map_err(Fail::Stream)?;
    // SAFETY: the caller's promise. The userdata stays in its slot, below the
    // values, until they are returned; u32 needs no more than its alignment.
    unsafe {
        if survey.tables > LOCAL_TABLES {
            let block = lua_newuserdatauv(L, survey.tables * size_of::<u32>(), 0).cast::<u32>();
            block.write_bytes(0, survey.tables);
            pairs = slice::from_raw_parts_mut(block, survey.tables);
            format::survey(stream, pairs).map_err(Fail::Stream)?;
        }
        let Ok(count) = c_int::try_from(survey.values) else {
            return Err(Fail::Size);
        };
        if lua_checkstack(L, count.saturating_add(SLOTS)) == 0 {
            return Err(Fail::Stack);
        }
        let mut builder = Builder {
            L,
            reader: Reader::new(stream),
            pairs: pairs.iter(),
        };
        while !builder.reader.is_empty() {
            builder.push(0).map_err(Fail::Stream)?;
        }
        Ok(count)
    }
}

struct Builder<'a> {
    L: *mut lua_State,
    reader: Reader<'a>,
    /// For the tables to come.
    pairs: slice::Iter<'a, u32>,
}

impl Builder<'_> {
    /// Pushes the next value. Returns whether it is nil.
    ///
    /// # Safety
    /// As for [`values`], with a free slot.
    #[inline(always)]
    unsafe fn push(&mut self, level: u32) -> Result<bool, Fault> {
        let L = self.L;
        let item = self.reader.next()?;
        // SAFETY: the caller's promise.
        unsafe {
            match item {
                Item::Bytes(bytes) => {
                    lua_pushlstring(L, bytes.as_ptr().cast(), bytes.len());
                }
                Item::Integer(value) => lua_pushinteger(L, value),
                Item::Table(array) => self.table(array, level)?,
                Item::Boolean(value) => lua_pushboolean(L, value.into()),
                Item::Real(value) => lua_pushnumber(L, value),
                Item::Pointer(address) => lua_pushlightuserdata(L, address as *mut _),
                Item::Nil => lua_pushnil(L),
            }
        }
        Ok(item == Item::Nil)
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
            for index in 1..=array as lua_Integer {
                self.push(level + 1)?;
                lua_rawseti(L, -2, index);
            }
            loop {
                if self.push(level + 1)? {
                    lua_settop(L, -2);
                    return Ok(());
                }
                self.push(level + 1)?;
                lua_rawset(L, -3);
            }
        }
    }
}
