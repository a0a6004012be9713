//! The config file: Lua code whose assignments are the node's settings.
//!
//! `$NAME` anywhere in the text stands for an environment variable, and
//! `include "file"` runs another file in the same place, found relative to the
//! file that names it. The code sees nothing of Lua but that.
//!
//! Settings are strings. Numbers and booleans become strings; anything else is
//! an error that names its key.

use skynet_lua as lua;
use skynet_lua::lua_State;
use std::ffi::{CStr, CString, OsStr, c_int};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::slice;

/// Keys and values, as the environment takes them.
pub type Settings = Vec<(CString, CString)>;

/// Runs a config file.
///
/// # Errors
/// A text for the user: which file, key or environment variable is wrong.
pub fn load(file: &Path) -> Result<Settings, String> {
    let mut loader = Loader {
        directory: PathBuf::from("."),
        text: Vec::new(),
        chunk: CString::default(),
        settings: Vec::new(),
        error: None,
    };
    let file = CString::new(file.as_os_str().as_bytes())
        .map_err(|_| String::from("the config file's name has a zero byte"))?;
    // SAFETY: a state of its own, closed before the loader goes. The stack of a
    // new state has room for the function and its arguments, and pushing them
    // allocates nothing but the name.
    unsafe {
        let state = lua::luaL_newstate();
        if state.is_null() {
            return Err(String::from("not enough memory for the config's Lua state"));
        }
        lua::lua_pushcfunction(state, evaluate);
        lua::lua_pushlightuserdata(state, (&raw mut loader).cast());
        lua::lua_pushlightuserdata(state, file.as_ptr().cast_mut().cast());
        if lua::lua_pcall(state, 2, 0, 0) != lua::LUA_OK {
            let text = lua::lua_tostring(state, -1);
            let text = if text.is_null() {
                String::from("the config raised an error that is no text")
            } else {
                CStr::from_ptr(text).to_string_lossy().into_owned()
            };
            loader.error.get_or_insert(text);
        }
        lua::lua_close(state);
    }
    match loader.error {
        Some(error) => Err(error),
        None => Ok(loader.settings),
    }
}

/// What the functions that Lua calls work on. They may be left by a Lua error,
/// so everything with a destructor is kept here, outside of them.
struct Loader {
    /// Of the file that is running.
    directory: PathBuf,
    /// The text that Lua is about to compile, and its name.
    text: Vec<u8>,
    chunk: CString,
    settings: Settings,
    /// Set by the first failure on Rust's side, which then raises a Lua error.
    error: Option<String>,
}

impl Loader {
    /// Reads a file. Returns the directory to go back to after running it.
    fn open(&mut self, name: &[u8]) -> Option<PathBuf> {
        let path = self.directory.join(Path::new(OsStr::from_bytes(name)));
        match read(&path) {
            Ok(text) => self.text = text,
            Err(error) => {
                self.error.get_or_insert(error);
                return None;
            }
        }
        self.chunk = CString::new([b"@", name].concat()).unwrap_or_default();
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        Some(std::mem::replace(&mut self.directory, directory))
    }

    fn add(&mut self, key: Option<&CStr>, value: Option<&CStr>) {
        let error = match (key, value) {
            (Some(key), Some(value)) => {
                self.settings.push((key.to_owned(), value.to_owned()));
                return;
            }
            (Some(key), None) => {
                format!("Invalid config table key = {}", key.to_string_lossy())
            }
            (None, _) => String::from("Invalid config table: a key has a zero byte"),
        };
        self.error.get_or_insert(error);
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let text =
        fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    expand(&text, |name| Some(std::env::var_os(name)?.into_vec()))
        .map_err(|name| format!("os.getenv() failed: {name} (in {})", path.display()))
}

/// Replaces each `$NAME`. The error is the name of a variable that is not set.
fn expand(text: &[u8], value: impl Fn(&str) -> Option<Vec<u8>>) -> Result<Vec<u8>, String> {
    let mut result = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.iter().position(|&byte| byte == b'$') {
        let after = &rest[dollar + 1..];
        let length = after
            .iter()
            .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
            .unwrap_or(after.len());
        result.extend_from_slice(&rest[..dollar]);
        if length == 0 {
            result.push(b'$');
        } else {
            let name = String::from_utf8_lossy(&after[..length]);
            result.extend(value(&name).ok_or_else(|| name.into_owned())?);
        }
        rest = &after[length..];
    }
    result.extend_from_slice(rest);
    Ok(result)
}

/// Raises the loader's error, whose text `load` takes from the loader.
unsafe fn give_up(state: *mut lua_State) -> ! {
    // SAFETY: the caller is a function that Lua called, and owns nothing.
    unsafe {
        lua::lua_pushnil(state);
        lua::lua_error(state)
    }
}

/// Runs the file with a fresh environment and collects what it has set.
/// Arguments: the loader, the file's name.
unsafe extern "C-unwind" fn evaluate(state: *mut lua_State) -> c_int {
    // SAFETY: called by `load`, whose loader and name outlive the call. Nothing
    // here has a destructor.
    unsafe {
        let loader = lua::lua_touserdata(state, 1);
        let name = lua::lua_touserdata(state, 2);
        lua::lua_settop(state, 0);
        // For the methods of strings; the code cannot name the libraries.
        lua::luaL_openlibs(state);

        lua::lua_newtable(state);
        lua::lua_pushlightuserdata(state, loader);
        lua::lua_pushvalue(state, 1);
        lua::lua_pushcclosure(state, include, 2);
        // `include` is found through a metatable, so that it is no setting.
        lua::lua_createtable(state, 0, 1);
        lua::lua_createtable(state, 0, 1);
        lua::lua_pushvalue(state, 2);
        lua::lua_setfield(state, -2, c"include".as_ptr());
        lua::lua_setfield(state, -2, c"__index".as_ptr());
        lua::lua_setmetatable(state, 1);

        lua::lua_pushstring(state, name.cast_const().cast());
        lua::lua_call(state, 1, 0);
        collect(state, &mut *loader.cast::<Loader>());
    }
    0
}

/// `include(name)`. Upvalues: the loader, the environment.
unsafe extern "C-unwind" fn include(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. The loader outlives the state, and no reference to
    // it is kept while Lua runs. Between taking `outer` and giving it back, no
    // call can raise an error: compiling and running are both protected.
    unsafe {
        let name = CStr::from_ptr(lua::luaL_checkstring(state, 1));
        let loader = lua::lua_touserdata(state, lua::lua_upvalueindex(1)).cast::<Loader>();
        let Some(outer) = (*loader).open(name.to_bytes()) else {
            give_up(state);
        };
        let text = &(*loader).text;
        let mut status = lua::luaL_loadbufferx(
            state,
            text.as_ptr().cast(),
            text.len(),
            (*loader).chunk.as_ptr(),
            c"t".as_ptr(),
        );
        if status == lua::LUA_OK {
            lua::lua_pushvalue(state, lua::lua_upvalueindex(2));
            lua::lua_setupvalue(state, -2, 1);
            status = lua::lua_pcall(state, 0, 0, 0);
        }
        (*loader).directory = outer;
        if status != lua::LUA_OK {
            lua::lua_error(state);
        }
    }
    0
}

/// The string or number at `index`, unless it has a zero byte inside.
unsafe fn text<'a>(state: *mut lua_State, index: c_int) -> Option<&'a CStr> {
    // SAFETY: Lua puts a zero after every string, and the caller keeps it on
    // the stack as long as the result is used.
    unsafe {
        let mut length = 0;
        let text = lua::lua_tolstring(state, index, &mut length);
        if text.is_null() {
            return None;
        }
        CStr::from_bytes_with_nul(slice::from_raw_parts(text.cast(), length + 1)).ok()
    }
}

/// Takes the settings from the environment on top of the stack.
unsafe fn collect(state: *mut lua_State, loader: &mut Loader) {
    // SAFETY: called by `evaluate` with three slots. Keys stay strings, so the
    // traversal is not disturbed, and the texts are on the stack.
    unsafe {
        lua::lua_pushnil(state);
        while lua::lua_next(state, -2) != 0 {
            if lua::lua_type(state, -2) != lua::LUA_TSTRING {
                let error = String::from("Invalid config table: a key is no string");
                loader.error.get_or_insert(error);
                return;
            }
            let value = match lua::lua_type(state, -1) {
                lua::LUA_TBOOLEAN if lua::lua_toboolean(state, -1) != 0 => Some(c"true"),
                lua::LUA_TBOOLEAN => Some(c"false"),
                _ => text(state, -1),
            };
            loader.add(text(state, -2), value);
            lua::lua_pop(state, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A directory of its own, removed at the end.
    struct Directory(PathBuf);

    impl Directory {
        fn with(files: &[(&str, &str)]) -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("skynet-config-{}-{number}", process::id());
            let directory = Self(std::env::temp_dir().join(name));
            for (name, text) in files {
                let path = directory.0.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            directory
        }

        fn load(&self, name: &str) -> Result<Vec<(String, String)>, String> {
            let text = |c: CString| c.into_string().unwrap();
            let settings = load(&self.0.join(name))?;
            let mut pairs: Vec<_> = settings
                .into_iter()
                .map(|(key, value)| (text(key), text(value)))
                .collect();
            pairs.sort();
            Ok(pairs)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
        expected.iter().map(own).collect()
    }

    #[test]
    fn values_become_text() {
        let directory = Directory::with(&[(
            "config",
            "thread = 8\nprofile = true\ndaemon = false\nlogger = nil\nroot = \"./\"\n\
             cpath = root .. \"cservice/?.so\"\nratio = 1.5\nupper = root:rep(2)\n",
        )]);
        let expected = pairs(&[
            ("cpath", "./cservice/?.so"),
            ("daemon", "false"),
            ("profile", "true"),
            ("ratio", "1.5"),
            ("root", "./"),
            ("thread", "8"),
            ("upper", "././"),
        ]);
        assert_eq!(directory.load("config"), Ok(expected));
    }

    #[test]
    fn includes_are_relative_to_their_file() {
        let directory = Directory::with(&[
            ("config", "include \"sub/one\"\ninclude \"last\"\n"),
            ("sub/one", "one = 1\ninclude \"two\"\n"),
            ("sub/two", "two = one + 1\n"),
            ("last", "last = two + 1\n"),
        ]);
        let expected = pairs(&[("last", "3"), ("one", "1"), ("two", "2")]);
        assert_eq!(directory.load("config"), Ok(expected));
    }

    #[test]
    fn failures_name_their_cause() {
        let cases = [
            (
                "x = $SKYNET_NO_SUCH_VARIABLE",
                "os.getenv() failed: SKYNET_NO_SUCH_VARIABLE",
            ),
            ("include \"nowhere\"", "nowhere: No such file"),
            ("a = \"x\\0y\"", "Invalid config table key = a"),
            ("a = {}", "Invalid config table key = a"),
            ("local t = _ENV\nt[1] = 2", "Invalid config table"),
            ("= 1", "config:1: unexpected symbol"),
            (
                "x = 1\nnosuch()",
                "config:2: attempt to call a nil value (global 'nosuch')",
            ),
            ("include(nil)", "bad argument #1"),
        ];
        for (text, part) in cases {
            let directory = Directory::with(&[("config", text)]);
            let error = directory.load("config").unwrap_err();
            assert!(error.contains(part), "{error:?} lacks {part:?}");
        }
    }

    #[test]
    fn variables_are_replaced() {
        let value = |name: &str| (name == "A_1").then(|| b"one".to_vec());
        assert_eq!(expand(b"x$A_1-$A_1", value), Ok(b"xone-one".to_vec()));
        assert_eq!(expand(b"a$ b$", value), Ok(b"a$ b$".to_vec()));
        assert_eq!(expand(b"$A_12", value), Err(String::from("A_12")));
    }
}
