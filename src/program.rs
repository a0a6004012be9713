//! A Lua program that is no service: `skynet lua FILE ARGUMENTS`.
//!
//! It runs in a Lua state of its own with the standard libraries. `require` finds
//! the built-in modules first; the Lua files of the executable come after those
//! on `package.path`, whatever the program sets that to.

use crate::builtin;
use skynet_lua as lua;
use skynet_lua::lua_State;
use std::ffi::{CStr, CString, OsString, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

/// What the program is called in front of its errors.
const NAME: &str = "skynet";

/// What the protected function works on; it is left by Lua errors, so what has a
/// destructor is kept here.
struct Program {
    /// As in the table `arg`: the executable, `lua`, the file, its arguments.
    words: Vec<CString>,
}

/// Where the file is among the words.
const FILE: usize = 2;

/// Runs a program to its end.
///
/// # Errors
/// A text for the user: the error that ended it, with a traceback.
pub fn run(file: &Path, arguments: &[OsString]) -> Result<(), String> {
    let executable = std::env::args_os().next().unwrap_or_else(|| NAME.into());
    let command = OsString::from("lua");
    let words = [&executable, &command, &file.as_os_str().to_owned()]
        .into_iter()
        .chain(arguments)
        .map(|word| CString::new(word.as_bytes()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| format!("{NAME}: an argument has a zero byte"))?;
    let program = Program { words };
    // SAFETY: a state of its own, closed before the program's words go. The
    // stack of a new state has room for two functions and an argument, and
    // pushing them allocates nothing.
    unsafe {
        lua::luaL_initcodecache();
        let state = lua::luaL_newstate();
        if state.is_null() {
            return Err(format!("{NAME}: not enough memory for a Lua state"));
        }
        lua::lua_pushcfunction(state, with_traceback);
        lua::lua_pushcfunction(state, play);
        lua::lua_pushlightuserdata(state, ptr::from_ref(&program).cast_mut().cast());
        let failure = if lua::lua_pcall(state, 1, 0, 1) == lua::LUA_OK {
            None
        } else {
            let text = lua::lua_tostring(state, -1);
            Some(if text.is_null() {
                format!("{NAME}: (error object is not a string)")
            } else {
                format!("{NAME}: {}", CStr::from_ptr(text).to_string_lossy())
            })
        };
        lua::lua_close(state);
        failure.map_or(Ok(()), Err)
    }
}

/// Makes a text with a traceback of an error, as Lua's own interpreter does.
unsafe extern "C-unwind" fn with_traceback(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with the error; three slots; owns nothing.
    unsafe {
        let mut text = lua::lua_tostring(state, 1);
        if text.is_null() {
            if lua::luaL_getmetafield(state, 1, c"__tostring".as_ptr()) != lua::LUA_TNIL {
                lua::lua_settop(state, 1);
                lua::luaL_tolstring(state, 1, ptr::null_mut());
                return 1;
            }
            text = lua::lua_pushfstring(
                state,
                c"(error object is a %s value)".as_ptr(),
                lua::lua_typename(state, lua::lua_type(state, 1)),
            );
        }
        lua::luaL_traceback(state, state, text, 1);
    }
    1
}

/// Prepares the state and runs the file. Its argument is the [`Program`].
unsafe extern "C-unwind" fn play(state: *mut lua_State) -> c_int {
    // SAFETY: `run` passes its own program, which outlives the call and is only
    // read; owns nothing. The stack is made as large as the arguments need.
    unsafe {
        let program = &*lua::lua_touserdata(state, 1).cast::<Program>();
        lua::luaL_openlibs(state);
        install(state);

        let count = program.words.len();
        lua::lua_createtable(state, (count - FILE) as c_int, FILE as c_int + 1);
        for (index, word) in program.words.iter().enumerate() {
            lua::lua_pushstring(state, word.as_ptr());
            let place = index as lua::lua_Integer - FILE as lua::lua_Integer;
            lua::lua_rawseti(state, -2, place);
        }
        lua::lua_setglobal(state, c"arg".as_ptr());

        let file = &program.words[FILE];
        let path = if file.as_bytes() == b"-" {
            ptr::null()
        } else {
            file.as_ptr()
        };
        if lua::luaL_loadfilex(state, path, ptr::null()) != lua::LUA_OK {
            lua::lua_error(state);
        }
        let arguments = &program.words[FILE + 1..];
        lua::luaL_checkstack(
            state,
            arguments.len() as c_int,
            c"too many arguments to script".as_ptr(),
        );
        for word in arguments {
            lua::lua_pushstring(state, word.as_ptr());
        }
        lua::lua_call(state, arguments.len() as c_int, 0);
    }
    0
}

/// Lets `require` find what the executable brings along.
unsafe fn install(state: *mut lua_State) {
    // SAFETY: the caller is a function that Lua called, with LUA_MINSTACK slots,
    // of which this uses four, and leaves none.
    unsafe {
        lua::lua_getglobal(state, c"package".as_ptr());
        lua::lua_getfield(state, -1, c"preload".as_ptr());
        for (name, open) in builtin::modules() {
            lua::lua_pushcfunction(state, *open);
            lua::lua_setfield(state, -2, name.as_ptr());
        }
        lua::lua_getfield(state, -2, c"searchers".as_ptr());
        let last = lua::lua_rawlen(state, -1) as lua::lua_Integer;
        lua::lua_pushcfunction(state, search);
        lua::lua_rawseti(state, -2, last + 1);
        lua::lua_pop(state, 3);
    }
}

/// The content of a module's file and the file's name; nothing if there is none.
fn find(module: &CStr) -> Option<(&'static [u8], CString)> {
    let path = module.to_str().ok()?.replace('.', "/");
    let names = [
        format!("lualib/{path}.lua"),
        format!("lualib/{path}/init.lua"),
    ];
    names.into_iter().find_map(|name| {
        let content = builtin::file(&name)?;
        Some((content, CString::new(format!("@[skynet]/{name}")).ok()?))
    })
}

/// The searcher for the executable's Lua files.
unsafe extern "C-unwind" fn search(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the name is on its stack. luaL_loadbufferx raises no
    // error of its own but reports them, so the file's name is dropped.
    unsafe {
        let module = CStr::from_ptr(lua::luaL_checkstring(state, 1));
        let status = find(module).map(|(content, name)| {
            lua::luaL_loadbufferx(
                state,
                content.as_ptr().cast(),
                content.len(),
                name.as_ptr(),
                c"t".as_ptr(),
            )
        });
        match status {
            Some(lua::LUA_OK) => lua::lua_pushstring(state, c":builtin:".as_ptr()),
            Some(_) => {
                lua::lua_error(state);
            }
            None => {
                lua::lua_pushfstring(state, c"no built-in module '%s'".as_ptr(), module.as_ptr());
                return 1;
            }
        };
    }
    2
}
