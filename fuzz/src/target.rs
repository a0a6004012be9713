//! A target: a Lua file that gives inputs to a parser, in a Lua state of its own.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::size_of;
use std::path::Path;

use mlua_sys::*;
use skynet_abi::malloc::skynet_malloc;
use skynet_abi::socket::skynet_socket_message;

use crate::lines::{self, Lines};
use crate::memory;

/// The service of the state, which has none: no target calls what needs one.
static NO_SERVICE: u8 = 0;

/// What a target file returns, but for its function, which stays in the Lua state.
pub struct Target {
    state: *mut lua_State,
    /// Files whose lines the inputs should reach; after a colon, one function of it.
    pub parser: Vec<String>,
    pub words: Vec<Vec<u8>>,
    /// Most bytes of an input.
    pub longest: usize,
    /// Bytes that an input may take, and for each of its own bytes.
    pub memory: (usize, usize),
    pub lines: Option<Box<Lines>>,
}

impl Target {
    /// Loads a target in a new Lua state.
    ///
    /// # Errors
    /// A text: what is wrong with the file.
    pub fn load(directory: &Path, name: &str) -> Result<Self, String> {
        memory::begin(1 << 30);
        let file = directory.join(format!("{name}.lua"));
        let file = file.strip_prefix(".").unwrap_or(&file);
        let file = CString::new(file.to_string_lossy().as_bytes()).map_err(|e| e.to_string())?;
        // SAFETY: the state is ours. Everything that may raise an error is called in
        // protected mode, over frames that own nothing.
        unsafe {
            let state = lua_newstate(memory::lua, std::ptr::null_mut(), 0);
            if state.is_null() {
                return Err("no memory for a Lua state".into());
            }
            let mut target = Self {
                state,
                parser: Vec::new(),
                words: Vec::new(),
                longest: 0,
                memory: (0, 0),
                lines: None,
            };
            target.protected(open, std::ptr::null_mut(), 0)?;
            target.protected(load, file.as_ptr().cast_mut().cast(), 1)?;
            // It stays at the bottom of the stack.
            target.parser = target.list(c"parser")?;
            target.words = target.optional_list(c"words");
            target.longest = target.integer(c"longest")?;
            target.memory = (
                target.integer(c"memory")?,
                target.integer(c"memory_per_byte")?,
            );
            let lua = target.parser.iter().filter_map(|entry| {
                let (file, _) = entry.split_once(':').unwrap_or((entry, ""));
                file.ends_with(".lua").then(|| file.to_owned())
            });
            let lua: Vec<String> = lua.collect();
            if !lua.is_empty() {
                let mut lines = Lines::new(lua);
                lines::watch(state, Some(&raw mut *lines));
                let walked = target.protected(walk, std::ptr::null_mut(), 0);
                lines::watch(state, None);
                walked?;
                target.lines = Some(lines);
            }
            Ok(target)
        }
    }

    /// Calls a C function with one argument in protected mode.
    ///
    /// # Safety
    /// The argument is what the function expects.
    unsafe fn protected(
        &self,
        function: lua_CFunction,
        argument: *mut c_void,
        results: c_int,
    ) -> Result<(), String> {
        // SAFETY: the caller's promise.
        unsafe {
            lua_pushcclosure(self.state, function, 0);
            lua_pushlightuserdata(self.state, argument);
            if lua_pcall(self.state, 1, results, 0) == LUA_OK {
                return Ok(());
            }
            let error = self.text(-1);
            lua_settop(self.state, -2);
            Err(String::from_utf8_lossy(&error).into_owned())
        }
    }

    /// The string in a slot, or what its kind is.
    unsafe fn text(&self, at: c_int) -> Vec<u8> {
        // SAFETY: the slot is there. A number in it would become a string, which may
        // need memory: there are none.
        unsafe {
            if lua_type(self.state, at) != LUA_TSTRING {
                let kind = lua_typename(self.state, lua_type(self.state, at));
                return CStr::from_ptr(kind).to_bytes().to_vec();
            }
            let mut size = 0;
            let start = lua_tolstring(self.state, at, &mut size);
            std::slice::from_raw_parts(start.cast::<u8>(), size).to_vec()
        }
    }

    fn optional_list(&self, key: &CStr) -> Vec<Vec<u8>> {
        let L = self.state;
        let mut list = Vec::new();
        // SAFETY: the target's table is in slot 1. The name of a field is a string
        // already, or cannot be made: a file that returns is small.
        unsafe {
            if lua_getfield(L, 1, key.as_ptr()) == LUA_TTABLE {
                for index in 1..=lua_rawlen(L, -1) as lua_Integer {
                    lua_rawgeti(L, -1, index);
                    list.push(self.text(-1));
                    lua_settop(L, -2);
                }
            }
            lua_settop(L, 1);
        }
        list
    }

    fn list(&self, key: &CStr) -> Result<Vec<String>, String> {
        let list = self.optional_list(key);
        if list.is_empty() {
            return Err(format!("no {key:?} in the target"));
        }
        let text = |bytes| String::from_utf8(bytes).map_err(|error| error.to_string());
        list.into_iter().map(text).collect()
    }

    fn integer(&self, key: &CStr) -> Result<usize, String> {
        // SAFETY: as in optional_list.
        let number = unsafe {
            lua_getfield(self.state, 1, key.as_ptr());
            let number = lua_tointeger(self.state, -1);
            lua_settop(self.state, 1);
            number
        };
        match usize::try_from(number) {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(format!("{key:?} of the target is no positive integer")),
        }
    }

    /// Gives an input to the parser.
    ///
    /// # Errors
    /// What the parser does not hold. An error that a target does not expect is one.
    pub fn run(&mut self, input: &[u8], watched: bool) -> Result<(), String> {
        let L = self.state;
        let bound = self.memory.0 + self.memory.1 * input.len();
        let held = memory::held();
        let lines = self.lines.as_deref_mut().filter(|_| watched);
        // SAFETY: the state is ours, and its stack has room. The call is protected, the
        // closure and the strings were made before.
        let status = unsafe {
            if let Some(lines) = lines {
                lines::watch(L, Some(lines));
            }
            lua_pushcclosure(L, call, 0);
            lua_pushvalue(L, 1);
            lua_pushlightuserdata(L, (&raw const input).cast_mut().cast());
            // Lua's stack and its limit of C calls are no input's.
            let before = memory::begin(bound);
            let status = lua_pcall(L, 2, 0, 0);
            let taken = memory::peak() - before;
            let refused = memory::was_refused();
            memory::begin(1 << 30);
            lines::watch(L, None);
            if refused || taken > bound {
                return Err(format!(
                    "took {taken} bytes of memory{}, {bound} are allowed for {} bytes",
                    if refused { " and wanted more" } else { "" },
                    input.len()
                ));
            }
            status
        };
        if status != LUA_OK {
            // SAFETY: the error is on top.
            let error = unsafe { self.text(-1) };
            return Err(format!("error: {}", String::from_utf8_lossy(&error)));
        }
        let more = memory::held().saturating_sub(held);
        if more > bound {
            return Err(format!("holds {more} bytes, {bound} are allowed"));
        }
        Ok(())
    }

    /// Bytes that are held after everything that can be collected is.
    pub fn settled(&self) -> usize {
        // SAFETY: finalisers raise warnings at most.
        unsafe {
            lua_gc(self.state, LUA_GCCOLLECT);
            lua_gc(self.state, LUA_GCCOLLECT);
        }
        memory::held()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // SAFETY: it was made by load, and nothing of it is in use.
        unsafe { lua_close(self.state) }
    }
}

/// Opens the libraries, and what `require` finds.
unsafe extern "C-unwind" fn open(L: *mut lua_State) -> c_int {
    const PATH: &CStr = c"./lualib/?.lua;./lualib/?/init.lua";
    // SAFETY: called by Lua; five slots are used.
    unsafe {
        luaL_openlibs(L);
        lua_getglobal(L, c"package".as_ptr());
        lua_pushstring(L, PATH.as_ptr());
        lua_setfield(L, -2, c"path".as_ptr());
        lua_getfield(L, -1, c"preload".as_ptr());
        for &(name, function) in skynet_lualib::MODULES {
            lua_pushcclosure(L, function, 0);
            lua_setfield(L, -2, name.as_ptr());
        }
        lua_pushlightuserdata(L, (&raw const NO_SERVICE).cast_mut().cast());
        lua_setfield(L, LUA_REGISTRYINDEX, c"skynet_context".as_ptr());
    }
    0
}

/// Runs a target's file, whose name is in argument 1.
unsafe extern "C-unwind" fn load(L: *mut lua_State) -> c_int {
    // SAFETY: called with the name; three slots are used.
    unsafe {
        if luaL_loadfilex(L, lua_touserdata(L, 1).cast(), std::ptr::null()) != LUA_OK {
            lua_error(L);
        }
        lua_pushcclosure(L, event, 0);
        lua_callk(L, 1, 1, 0, None);
        luaL_checktype(L, -1, LUA_TTABLE);
    }
    1
}

/// Calls the function of the target in argument 1 with the bytes that argument 2
/// points to.
unsafe extern "C-unwind" fn call(L: *mut lua_State) -> c_int {
    // SAFETY: called by run.
    unsafe {
        let input = *lua_touserdata(L, 2).cast::<&[u8]>();
        lua_getfield(L, 1, c"run".as_ptr());
        lua_pushlstring(L, input.as_ptr().cast(), input.len());
        lua_callk(L, 1, 0, 0, None);
    }
    0
}

unsafe extern "C-unwind" fn walk(L: *mut lua_State) -> c_int {
    const TEXT: &str = include_str!("walk.lua");
    // SAFETY: called by Lua; two slots are used.
    unsafe {
        let name = c"=walk".as_ptr();
        if luaL_loadbufferx(L, TEXT.as_ptr().cast(), TEXT.len(), name, std::ptr::null()) != LUA_OK {
            lua_error(L);
        }
        lua_pushcclosure(L, lines::note, 0);
        lua_callk(L, 1, 0, 0, None);
    }
    0
}

/// `event(kind, id, number, bytes [, as text])`: a message about a socket as the core
/// sends it, and its size. The bytes are in a block that the receiver frees, or behind
/// the message; the number is the bytes' if it is nil.
unsafe extern "C-unwind" fn event(L: *mut lua_State) -> c_int {
    const HEAD: usize = size_of::<skynet_socket_message>();
    // SAFETY: called by Lua. The userdata has room for the head and the text, and is
    // aligned for both.
    unsafe {
        let mut size = 0;
        let bytes = luaL_checklstring(L, 4, &mut size);
        let is_text = lua_toboolean(L, 5) != 0;
        let text = if is_text { size } else { 0 };
        let ud = luaL_optinteger(L, 3, size as lua_Integer) as c_int;
        let type_ = luaL_checkinteger(L, 1) as c_int;
        let id = luaL_checkinteger(L, 2) as c_int;
        let message = lua_newuserdatauv(L, HEAD + text, 0).cast::<skynet_socket_message>();
        let buffer: *mut c_char = if is_text {
            message.add(1).cast::<c_char>().copy_from(bytes, size);
            std::ptr::null_mut()
        } else {
            let block = skynet_malloc(size.max(1)).cast::<c_char>();
            block.copy_from(bytes, size);
            block
        };
        message.write(skynet_socket_message {
            type_,
            id,
            ud,
            buffer,
        });
        lua_pushinteger(L, (HEAD + text) as lua_Integer);
    }
    2
}
