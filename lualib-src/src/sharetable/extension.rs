//! What a Lua that shares tables adds to Lua's API. This crate is a module of other
//! programs too, whose Lua may lack it, so it is looked for where it is used.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

use mlua_sys::lua_State;

type ShareTable = unsafe extern "C-unwind" fn(*mut lua_State, c_int);
type IsSharedTable = unsafe extern "C-unwind" fn(*mut lua_State, c_int) -> c_int;
type CloneTable = unsafe extern "C-unwind" fn(*mut lua_State, *const c_void);
type LoadFile = unsafe extern "C-unwind" fn(*mut lua_State, *const c_char, *const c_char) -> c_int;

/// The functions, with the contracts of docs/lua-patches.md.
#[derive(Clone, Copy)]
pub(super) struct Extension {
    /// `lua_sharetable`
    pub(super) share: ShareTable,
    /// `lua_issharedtable`
    pub(super) is_shared: IsSharedTable,
    /// `lua_clonetable`
    pub(super) clone: CloneTable,
    /// `luaL_loadfilex_`, which takes nothing from the code cache
    pub(super) load_file: LoadFile,
}

/// What this process's Lua has of it: all or nothing.
pub(super) fn extension() -> Option<Extension> {
    static FOUND: OnceLock<Option<Extension>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let share = find(c"lua_sharetable")?;
        let is_shared = find(c"lua_issharedtable")?;
        let clone = find(c"lua_clonetable")?;
        let load_file = find(c"luaL_loadfilex_")?;
        // SAFETY: the types are those of the functions in the headers of the Lua that
        // has these names.
        unsafe {
            Some(Extension {
                share: std::mem::transmute::<*mut c_void, ShareTable>(share),
                is_shared: std::mem::transmute::<*mut c_void, IsSharedTable>(is_shared),
                clone: std::mem::transmute::<*mut c_void, CloneTable>(clone),
                load_file: std::mem::transmute::<*mut c_void, LoadFile>(load_file),
            })
        }
    })
}

/// The address of a symbol of the process.
fn find(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends with a zero; nothing else is asked of the caller.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!address.is_null()).then_some(address)
}
