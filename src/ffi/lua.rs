//! The few functions of Lua's that `dump_mem_lua` needs. The core is linked into
//! programs without Lua too, so they are weak references: null where nobody
//! defines them.

use core::arch::global_asm;
use core::ffi::c_int;
use skynet_abi::malloc_hook::lua_State;

/// `lua_Integer`.
type Integer = i64;

/// Lua's functions, in the order of the table below.
#[repr(C)]
struct Lua {
    createtable: Option<unsafe extern "C-unwind" fn(*mut lua_State, c_int, c_int)>,
    rawgeti: Option<unsafe extern "C-unwind" fn(*mut lua_State, c_int, Integer) -> c_int>,
    tointegerx: Option<unsafe extern "C-unwind" fn(*mut lua_State, c_int, *mut c_int) -> Integer>,
    settop: Option<unsafe extern "C-unwind" fn(*mut lua_State, c_int)>,
    pushinteger: Option<unsafe extern "C-unwind" fn(*mut lua_State, Integer)>,
    rawseti: Option<unsafe extern "C-unwind" fn(*mut lua_State, c_int, Integer)>,
}

// Stable Rust has no weak references. The linker, or the dynamic linker, fills
// the table in.
global_asm!(
    ".weak lua_createtable",
    ".weak lua_rawgeti",
    ".weak lua_tointegerx",
    ".weak lua_settop",
    ".weak lua_pushinteger",
    ".weak lua_rawseti",
    ".pushsection .data.rel.ro.skynet_lua, \"aw\"",
    ".hidden skynet_lua",
    ".globl skynet_lua",
    ".type skynet_lua, %object",
    ".size skynet_lua, {size}",
    ".balign {align}",
    "skynet_lua:",
    ".8byte lua_createtable",
    ".8byte lua_rawgeti",
    ".8byte lua_tointegerx",
    ".8byte lua_settop",
    ".8byte lua_pushinteger",
    ".8byte lua_rawseti",
    ".popsection",
    size = const size_of::<Lua>(),
    align = const align_of::<Lua>(),
);

/// A table of sums on a Lua stack, at the top.
pub struct SumTable {
    state: *mut lua_State,
    lua: &'static Lua,
}

impl SumTable {
    /// Pushes an empty table with room for so many sums. None, and nothing is
    /// pushed, without Lua in this program.
    ///
    /// # Safety
    /// `state` must be a Lua state with room for two values, and two more for
    /// [`add`](Self::add), which must come to no other place of its stack. Both
    /// may leave by a jump.
    pub unsafe fn push(state: *mut lua_State, room: c_int) -> Option<SumTable> {
        unsafe extern "C" {
            static skynet_lua: Lua;
        }
        // SAFETY: the table above has this type; it was filled in before any code
        // of this program ran.
        let lua = unsafe { &skynet_lua };
        // SAFETY: as the caller says.
        unsafe { (lua.createtable?)(state, 0, room) };
        Some(SumTable { state, lua })
    }

    /// Adds to the sum under a key.
    pub fn add(&mut self, key: u32, amount: usize) {
        let (state, key) = (self.state, Integer::from(key));
        let Lua {
            rawgeti: Some(rawgeti),
            tointegerx: Some(tointegerx),
            settop: Some(settop),
            pushinteger: Some(pushinteger),
            rawseti: Some(rawseti),
            ..
        } = *self.lua
        else {
            // Who has one of Lua's functions has all of them.
            return;
        };
        // SAFETY: as promised to `push`; the table is at the top before and after.
        unsafe {
            rawgeti(state, -1, key);
            let before = tointegerx(state, -1, core::ptr::null_mut());
            settop(state, -2);
            pushinteger(state, before + amount as Integer);
            rawseti(state, -2, key);
        }
    }
}
