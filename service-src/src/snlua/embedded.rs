//! Lua modules and Lua files that the executable carries.
//!
//! The executable says once, before the first service, what it has. Its Lua
//! files appear under a directory that does not exist, `[skynet]/`, whose
//! patterns come last on every search path: a file in a real directory takes
//! its place, and a traceback shows which of the two was running. So that this
//! works everywhere, states get versions of `loadfile`, `package.searchpath`
//! and the searcher for Lua files that know the directory.
//!
//! Built-in modules are found by a searcher of their own. Config key `builtin`
//! says when it is asked: `first`, before any file (the default), `last`, when
//! no file was found, or `off`.
//!
//! Lua compiles each file once for all states, embedded ones too: under the path
//! that they appear under.
//!
//! Without an executable that calls [`set_embedded`], as in a shared object that
//! another core loads, states are left as Lua made them.

use super::search::{FileName, patterns};
use crate::context::Context;
use core::ffi::{CStr, c_char, c_int};
use core::mem::MaybeUninit;
use core::ptr;
use core::slice;
use mlua_sys as lua;
use mlua_sys::{lua_CFunction, lua_Integer, lua_State};
use std::sync::OnceLock;

/// What the executable carries.
#[derive(Debug)]
pub struct Embedded {
    /// Names of modules and the functions that open them.
    pub modules: &'static [(&'static CStr, lua_CFunction)],
    /// Paths such as `lualib/skynet.lua` and their contents, sorted by path.
    pub files: &'static [(&'static str, &'static [u8])],
    /// Compiles a file's content, or takes what another state has compiled.
    pub load: LoadCached,
}

/// Lua's function that loads a text through its code cache: with the state, the
/// cache's key, the text and its size, the chunk's name and the mode.
pub type LoadCached = unsafe extern "C-unwind" fn(
    *mut lua_State,
    *const c_char,
    *const c_char,
    usize,
    *const c_char,
    *const c_char,
) -> c_int;

/// The directory of embedded files.
const ROOT: &[u8] = b"[skynet]/";
/// What search paths end with.
const LUA_PATH: &CStr = c"[skynet]/lualib/?.lua;[skynet]/lualib/?/init.lua";
const SERVICE_PATH: &CStr = c"[skynet]/service/?.lua";

/// luaL_loadfilex's status for a file that cannot be read.
const LUA_ERRFILE: c_int = lua::LUA_ERRERR + 1;

static EMBEDDED: OnceLock<&Embedded> = OnceLock::new();

/// Gives every state made from now on the embedded modules and files. Only the
/// first call counts; it belongs before the node's start.
pub fn set_embedded(embedded: &'static Embedded) {
    let _ = EMBEDDED.set(embedded);
}

pub(super) fn embedded() -> Option<&'static Embedded> {
    EMBEDDED.get().copied()
}

impl Embedded {
    /// The file under its path without the root.
    fn file(&self, path: &[u8]) -> Option<&'static [u8]> {
        let at = self
            .files
            .binary_search_by(|(name, _)| name.as_bytes().cmp(path))
            .ok()?;
        Some(self.files[at].1)
    }

    /// The file that stands in for one that is not there: the one whose path
    /// is the end of the missing one's.
    fn stand_in(&self, path: &[u8]) -> Option<&'static str> {
        self.files.iter().map(|(name, _)| *name).find(|name| {
            path.strip_suffix(name.as_bytes())
                .is_some_and(|front| front.is_empty() || front.ends_with(b"/"))
        })
    }

    fn module(&self, name: &CStr) -> Option<lua_CFunction> {
        let found = self.modules.iter().find(|(known, _)| *known == name);
        found.map(|(_, open)| *open)
    }
}

/// A file's content, if its path is in the embedded directory, and what loads it.
fn content(path: &CStr) -> Option<(&'static [u8], LoadCached)> {
    let inside = path.to_bytes().strip_prefix(ROOT)?;
    let embedded = embedded()?;
    Some((embedded.file(inside)?, embedded.load))
}

/// Whether a file can be read, embedded or not.
fn readable(path: &CStr) -> bool {
    // SAFETY: access reads a C string.
    content(path).is_some() || unsafe { libc::access(path.as_ptr(), libc::R_OK) } == 0
}

/// Pushes `path` with the embedded directory's patterns after it.
unsafe fn push_path(state: *mut lua_State, path: *const c_char, addition: &CStr) {
    // SAFETY: the caller is a function that Lua called, with two slots, and
    // `path` is a C string; the format takes two of them.
    unsafe {
        if embedded().is_none() {
            lua::lua_pushstring(state, path);
        } else if *path == 0 {
            lua::lua_pushstring(state, addition.as_ptr());
        } else {
            lua::lua_pushfstring(state, c"%s;%s".as_ptr(), path, addition.as_ptr());
        }
    }
}

/// Pushes the search path for modules.
pub(super) unsafe fn push_lua_path(state: *mut lua_State, configured: *const c_char) {
    // SAFETY: passed on.
    unsafe { push_path(state, configured, LUA_PATH) }
}

/// Pushes the search path for services.
pub(super) unsafe fn push_service_path(state: *mut lua_State, configured: *const c_char) {
    // SAFETY: passed on.
    unsafe { push_path(state, configured, SERVICE_PATH) }
}

/// When built-in modules are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    First,
    Last,
    Off,
}

impl Order {
    fn configured(node: Context) -> Self {
        match node.env(c"builtin").map(CStr::to_bytes) {
            Some(b"off") => Self::Off,
            Some(b"last") => Self::Last,
            // The executable lets no other value pass.
            _ => Self::First,
        }
    }
}

/// Prepares a state whose standard libraries are open.
pub(super) unsafe fn install(state: *mut lua_State, node: Context) {
    if embedded().is_none() {
        return;
    }
    // SAFETY: the caller is a function that Lua called, with LUA_MINSTACK
    // slots, of which this uses four, and leaves none.
    unsafe {
        lua::lua_pushcfunction(state, load_file_function);
        lua::lua_setglobal(state, c"loadfile".as_ptr());

        lua::lua_getglobal(state, c"package".as_ptr());
        lua::lua_pushcfunction(state, search_path);
        lua::lua_setfield(state, -2, c"searchpath".as_ptr());

        lua::lua_getfield(state, -1, c"searchers".as_ptr());
        // Lua's searchers: preload, Lua files, C files, C files of the root.
        lua::lua_pushvalue(state, -2);
        lua::lua_pushcclosure(state, search_lua, 1);
        lua::lua_rawseti(state, -2, 2);
        match Order::configured(node) {
            Order::First => insert_builtin(state, 2),
            Order::Last => insert_builtin(state, 5),
            Order::Off => {}
        }
        lua::lua_pop(state, 2);
    }
}

/// Inserts the searcher for built-in modules into the list on top.
unsafe fn insert_builtin(state: *mut lua_State, position: lua_Integer) {
    // SAFETY: the list of searchers is on top, and there is a slot.
    unsafe {
        let mut last = lua::lua_rawlen(state, -1) as lua_Integer;
        while last >= position {
            lua::lua_rawgeti(state, -1, last);
            lua::lua_rawseti(state, -2, last + 1);
            last -= 1;
        }
        lua::lua_pushcfunction(state, search_builtin);
        lua::lua_rawseti(state, -2, position);
    }
}

/// Loads a file, embedded or not, as luaL_loadfilex does: the function or the
/// error is left on the stack.
///
/// # Safety
///
/// As for any function of Lua's API; four slots.
unsafe fn load_file(state: *mut lua_State, path: *const c_char, mode: *const c_char) -> c_int {
    // SAFETY: the caller's promise. A null path is standard input; the chunk's
    // name stays on the stack until the text is compiled.
    unsafe {
        if path.is_null() {
            return lua::luaL_loadfilex(state, path, mode);
        }
        let name = CStr::from_ptr(path);
        if let Some((text, load)) = content(name) {
            let chunk = lua::lua_pushfstring(state, c"@%s".as_ptr(), path);
            let status = load(state, path, text.as_ptr().cast(), text.len(), chunk, mode);
            lua::lua_remove(state, -2);
            return status;
        }
        if name.to_bytes().starts_with(ROOT) {
            lua::lua_pushfstring(
                state,
                c"cannot open %s: no such embedded file".as_ptr(),
                path,
            );
            return LUA_ERRFILE;
        }
        lua::luaL_loadfilex(state, path, mode)
    }
}

/// Loads the loader. If the configured file is not there, an embedded file of
/// the same name stands in.
///
/// # Safety
///
/// As [`load_file`].
pub(super) unsafe fn load_loader(state: *mut lua_State, path: &CStr) -> c_int {
    let stand_in = if readable(path) {
        None
    } else {
        embedded().and_then(|embedded| embedded.stand_in(path.to_bytes()))
    };
    // SAFETY: the caller's promise, and a C string that Lua holds meanwhile.
    unsafe {
        let Some(name) = stand_in else {
            return load_file(state, path.as_ptr(), ptr::null());
        };
        lua::lua_pushlstring(state, ROOT.as_ptr().cast(), ROOT.len());
        lua::lua_pushlstring(state, name.as_ptr().cast(), name.len());
        lua::lua_concat(state, 2);
        let status = load_file(state, lua::lua_tostring(state, -1), ptr::null());
        lua::lua_remove(state, -2);
        status
    }
}

/// `loadfile(filename, mode, env)`.
unsafe extern "C-unwind" fn load_file_function(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; five slots at most; owns nothing.
    unsafe {
        let path = lua::luaL_optstring(state, 1, ptr::null());
        let mode = lua::luaL_optstring(state, 2, ptr::null());
        let has_environment = lua::lua_type(state, 3) != lua::LUA_TNONE;
        if load_file(state, path, mode) != lua::LUA_OK {
            lua::lua_pushnil(state);
            lua::lua_insert(state, -2);
            return 2;
        }
        if has_environment {
            lua::lua_pushvalue(state, 3);
            if lua::lua_setupvalue(state, -2, 1).is_null() {
                // Binary chunks may have no upvalue at all.
                lua::lua_pop(state, 1);
            }
        }
    }
    1
}

/// The bytes of the string at `index`, which Lua must keep where it is.
unsafe fn bytes<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    // SAFETY: luaL_checklstring returns as many bytes as it says, or raises.
    unsafe {
        let mut length = 0;
        let text = lua::luaL_checklstring(state, index, &mut length);
        slice::from_raw_parts(text.cast(), length)
    }
}

/// Pushes the first readable file, or else a text that lists all that were
/// tried; true if there was one.
unsafe fn push_found(
    state: *mut lua_State,
    name: &[u8],
    path: &[u8],
    separator: &[u8],
    replacement: &[u8],
) -> bool {
    let mut file = FileName::new();
    // SAFETY: the caller is a function that Lua called, with free slots for
    // the buffer. Neither the buffer nor the file name has a destructor.
    unsafe {
        for pattern in patterns(path) {
            if let Some(candidate) = file.fill(pattern, name, separator, replacement)
                && readable(candidate)
            {
                lua::lua_pushstring(state, candidate.as_ptr());
                return true;
            }
        }
        let mut buffer = MaybeUninit::uninit();
        let buffer = buffer.as_mut_ptr();
        lua::luaL_buffinit(state, buffer);
        let mut lead = c"no file '";
        for pattern in patterns(path) {
            lua::luaL_addstring(buffer, lead.as_ptr());
            match file.fill(pattern, name, separator, replacement) {
                Some(candidate) => lua::luaL_addstring(buffer, candidate.as_ptr()),
                None => lua::luaL_addlstring(buffer, pattern.as_ptr().cast(), pattern.len()),
            }
            lua::luaL_addstring(buffer, c"'".as_ptr());
            lead = c"\n\tno file '";
        }
        lua::luaL_pushresult(buffer);
    }
    false
}

/// `package.searchpath(name, path, separator, replacement)`.
unsafe extern "C-unwind" fn search_path(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the strings stay on its stack until it returns.
    unsafe {
        let name = bytes(state, 1);
        let path = bytes(state, 2);
        let mut length = 1;
        let separator = lua::luaL_optlstring(state, 3, c".".as_ptr(), &mut length);
        let separator = slice::from_raw_parts(separator.cast(), length);
        length = 1;
        let replacement = lua::luaL_optlstring(state, 4, c"/".as_ptr(), &mut length);
        let replacement = slice::from_raw_parts(replacement.cast(), length);
        if push_found(state, name, path, separator, replacement) {
            return 1;
        }
        lua::lua_pushnil(state);
        lua::lua_insert(state, -2);
    }
    2
}

/// The searcher for Lua files. Its upvalue is the table `package`.
unsafe extern "C-unwind" fn search_lua(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; five slots and a buffer's; owns nothing.
    unsafe {
        let name = bytes(state, 1);
        lua::lua_getfield(state, lua::lua_upvalueindex(1), c"path".as_ptr());
        if lua::lua_isstring(state, -1) == 0 {
            return lua::luaL_error(state, c"'package.path' must be a string".as_ptr());
        }
        let path = bytes(state, -1);
        if !push_found(state, name, path, b".", b"/") {
            return 1;
        }
        let file = lua::lua_tostring(state, -1);
        if load_file(state, file, ptr::null()) != lua::LUA_OK {
            return lua::luaL_error(
                state,
                c"error loading module '%s' from file '%s':\n\t%s".as_ptr(),
                lua::lua_tostring(state, 1),
                file,
                lua::lua_tostring(state, -1),
            );
        }
        // The function and, as its second argument, where it comes from.
        lua::lua_insert(state, -2);
    }
    2
}

/// The searcher for built-in modules.
unsafe extern "C-unwind" fn search_builtin(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots; owns nothing.
    unsafe {
        let name = CStr::from_ptr(lua::luaL_checkstring(state, 1));
        let Some(open) = embedded().and_then(|embedded| embedded.module(name)) else {
            lua::lua_pushfstring(state, c"no built-in module '%s'".as_ptr(), name.as_ptr());
            return 1;
        };
        lua::lua_pushcfunction(state, open);
        lua::lua_pushliteral(state, c":builtin:");
    }
    2
}
