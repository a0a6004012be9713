//! `skynet.stm`: a message that one service replaces and others read, each as one
//! whole and without a copy.
//!
//! The writer is a userdata. `copy` makes a reference for a reader in another
//! service: an address, which travels in a message and which `newcopy` turns into a
//! reader, once. When the writer is collected, readers find nothing any more; what
//! they have read stays valid until they read again.
//!
//! As in the reference, addresses are light userdata: a program that makes them up,
//! or uses one twice, is on its own, and one that nobody uses is never freed.

mod cell;

use std::ffi::{CStr, c_int, c_void};
use std::hint::unreachable_unchecked;
use std::sync::Arc;

use mlua_sys::*;
use skynet_abi::malloc::{skynet_free, skynet_malloc};

use crate::library::{self, Entry};
use crate::object::{self, Object};
use cell::Cell;

/// What the cell is made of; its model checks take other ones.
mod sync {
    use std::sync::{MutexGuard, PoisonError};

    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
    pub(super) use std::sync::{Arc, Mutex};

    /// Nothing panics while it holds the lock.
    pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const FUNCTIONS: [Entry; 3] = [(c"new", new), (c"copy", copy), (c"newcopy", newcopy)];

/// A block of the malloc family, freed with this value. Null has no bytes.
struct Message {
    start: *mut c_void,
    size: usize,
}

// SAFETY: the block has one owner at a time and is not written to as long as several
// threads see it; any thread may free it.
unsafe impl Send for Message {}
// SAFETY: as above.
unsafe impl Sync for Message {}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: the block became this value's when it was made; free takes null.
        unsafe { skynet_free(self.start) }
    }
}

#[derive(Default)]
struct Writer(Option<Arc<Cell<Message>>>);

impl Object for Writer {
    const NAME: &'static CStr = c"skynet.stm.writer";
    const METAMETHODS: &'static [Entry] = &[(c"__call", update)];
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(cell) = &self.0 {
            cell.replace(None);
        }
    }
}

#[derive(Default)]
struct Reader(Option<cell::Reader<Message>>);

impl Object for Reader {
    const NAME: &'static CStr = c"skynet.stm.reader";
    /// `__close` is for `read`, whose visit ends by it, with an error too.
    const METAMETHODS: &'static [Entry] = &[(c"__call", read), (c"__close", leave)];
}

/// Opens `skynet.stm`.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_stm(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used.
    unsafe { library::push(L, &FUNCTIONS) };
    1
}

/// The cell of the writer in argument 1; a Lua error if it is none, or collected.
///
/// # Safety
/// As [`object::test`]; nothing on the caller's frames has a destructor.
unsafe fn check_writer<'a>(L: *mut lua_State) -> &'a Arc<Cell<Message>> {
    // SAFETY: the caller's promise; luaL_argerror does not return.
    unsafe {
        match object::test::<Writer>(L, 1) {
            Some(Writer(Some(cell))) => cell,
            _ => {
                luaL_argerror(L, 1, c"stm writer expected".as_ptr());
                unreachable_unchecked()
            }
        }
    }
}

/// The message in an argument and the next one: a string, of which it is a copy, or a
/// block, which is given away, and its size. A Lua error if it is neither.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a destructor.
/// Nothing may raise an error before somebody owns the message.
unsafe fn take_message(L: *mut lua_State, arg: c_int) -> Message {
    // SAFETY: the caller's promise. Light userdata is a block of the size that comes
    // with it, and the caller's to give, which is the contract of these functions. A
    // string stays on the stack while it is copied.
    unsafe {
        if lua_type(L, arg) == LUA_TLIGHTUSERDATA {
            let start = lua_touserdata(L, arg);
            let size = usize::try_from(luaL_checkinteger(L, arg + 1));
            let valid = size.is_ok_and(|size| size == 0 || !start.is_null());
            if !valid {
                luaL_argerror(L, arg + 1, c"not a message's size".as_ptr());
            }
            return Message {
                start,
                size: size.unwrap_or(0),
            };
        }
        let mut size = 0;
        let bytes = luaL_checklstring(L, arg, &mut size);
        let start = skynet_malloc(size.max(1));
        if start.is_null() {
            luaL_error(L, c"not enough memory".as_ptr());
        }
        start
            .cast::<u8>()
            .copy_from_nonoverlapping(bytes.cast(), size);
        Message { start, size }
    }
}

/// `new(string)` or `new(msg, size)`: a writer with a first message, whose block is
/// the writer's from here on.
unsafe extern "C-unwind" fn new(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; five slots are used. The message is taken last.
    unsafe {
        lua_settop(L, 2);
        let writer = object::push::<Writer>(L);
        let message = take_message(L, 1);
        (*writer).0 = Some(Arc::new(Cell::new(message)));
    }
    1
}

/// `writer(string)` or `writer(msg, size)`: replaces the message.
unsafe extern "C-unwind" fn update(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. The writer stays on the stack; the message is owned at
    // once, and nothing after it raises.
    unsafe {
        let cell = check_writer(L);
        cell.replace(Some(take_message(L, 2)));
    }
    0
}

/// `copy(writer)`: a reference for one reader, to be sent to where it will read.
unsafe extern "C-unwind" fn copy(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used, and pushing an address allocates
    // nothing. The reference is `newcopy`'s to take back.
    unsafe {
        let cell = check_writer(L).clone();
        lua_pushlightuserdata(L, Arc::into_raw(cell).cast_mut().cast());
    }
    1
}

/// `newcopy(reference)`: the reader for a reference, which it takes.
unsafe extern "C-unwind" fn newcopy(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; five slots are used. What is trusted: the address comes
    // from `copy` and was not given here before, so that a count of the cell is in it.
    // The userdata comes first, because nothing may fail once the count is taken.
    unsafe {
        let address = lua_touserdata(L, 1).cast_const().cast::<Cell<Message>>();
        if lua_type(L, 1) != LUA_TLIGHTUSERDATA || address.is_null() {
            return luaL_argerror(L, 1, c"stm copy expected".as_ptr());
        }
        let reader = object::push::<Reader>(L);
        (*reader).0 = Some(cell::Reader::new(Arc::from_raw(address)));
    }
    1
}

/// The reader in argument 1, if it is one and not collected.
///
/// # Safety
/// As [`object::test`].
unsafe fn reader<'a>(L: *mut lua_State) -> Option<&'a mut cell::Reader<Message>> {
    // SAFETY: the caller's promise.
    unsafe { object::test::<Reader>(L, 1)?.0.as_mut() }
}

/// `reader(func, ud)`: false if there is nothing that was not read yet, or else true
/// and what `func(msg, size, ud)` returns. The message is valid within `func`.
unsafe extern "C-unwind" fn read(L: *mut lua_State) -> c_int {
    const READER: c_int = 1;
    const FUNCTION: c_int = 2;
    const ARGUMENT: c_int = 3;
    // SAFETY: called by Lua; four slots are used. The reference to the reader is gone
    // before Lua runs the function, which may read again: the version at hand is kept
    // by the visit, which ends when Lua closes the slot, however the function ends.
    unsafe {
        luaL_checktype(L, FUNCTION, LUA_TFUNCTION);
        lua_settop(L, ARGUMENT);
        let Some(reader) = reader(L) else {
            return luaL_argerror(L, READER, c"stm reader expected".as_ptr());
        };
        let Some(&Message { start, size }) = reader.advance() else {
            lua_pushboolean(L, 0);
            return 1;
        };
        lua_toclose(L, READER);
        reader.enter();
        lua_pushvalue(L, FUNCTION);
        lua_pushlightuserdata(L, start);
        lua_pushinteger(L, size as lua_Integer);
        lua_pushvalue(L, ARGUMENT);
        lua_call(L, 3, LUA_MULTRET);
        lua_closeslot(L, READER);
        // In front of the results.
        lua_pushboolean(L, 1);
        lua_replace(L, ARGUMENT);
        lua_gettop(L) - ARGUMENT + 1
    }
}

/// Ends a visit.
unsafe extern "C-unwind" fn leave(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the reference is used for this statement only.
    unsafe {
        if let Some(reader) = reader(L) {
            reader.leave();
        }
    }
    0
}
