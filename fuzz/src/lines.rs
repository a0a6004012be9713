//! Which lines of Lua files run, by a hook of the Lua state.

use std::collections::{BTreeMap, HashSet};
use std::ffi::{CStr, c_char, c_int};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use mlua_sys::*;

/// Steps from one line to another share this many counters.
const STEPS: usize = 1 << 13;

/// What the hook writes to.
static CURRENT: AtomicPtr<Lines> = AtomicPtr::new(std::ptr::null_mut());

/// The lines of some files, and which of them ran.
pub struct Lines {
    files: Vec<String>,
    /// By file and line: whether it ran. Lines without code are not there.
    lines: BTreeMap<(usize, c_int), bool>,
    /// The file that a chunk's name, a string of Lua's, stands for.
    names: Vec<(*const c_char, Option<usize>)>,
    functions: HashSet<(usize, c_int)>,
    last: usize,
    steps: Vec<u8>,
}

impl Lines {
    /// Looks for these files, by their names from the directory that Lua finds them in.
    pub fn new(files: Vec<String>) -> Box<Self> {
        Box::new(Self {
            files,
            lines: BTreeMap::new(),
            names: Vec::new(),
            functions: HashSet::new(),
            last: 0,
            steps: vec![0; STEPS],
        })
    }

    pub fn steps(&mut self) -> &mut [u8] {
        &mut self.steps
    }

    /// Forgets what ran; the lines stay.
    pub fn forget(&mut self) {
        self.lines.values_mut().for_each(|ran| *ran = false);
        self.steps.fill(0);
    }

    pub fn each(&self) -> impl Iterator<Item = (&str, c_int, bool)> {
        let name = |file: usize| self.files[file].as_str();
        let row = move |(&(file, line), &ran): (&(usize, c_int), &bool)| (name(file), line, ran);
        self.lines.iter().map(row)
    }

    fn file(&mut self, source: *const c_char) -> Option<usize> {
        if let Some((_, file)) = self.names.iter().find(|(name, _)| *name == source) {
            return *file;
        }
        // SAFETY: Lua gives a C string.
        let name = unsafe { CStr::from_ptr(source) }.to_bytes();
        // The name of another chunk may be freed, and its place taken by one of a file.
        let path = name.strip_prefix(b"@")?;
        let path = path.strip_prefix(b"./").unwrap_or(path);
        let file = self.files.iter().position(|file| file.as_bytes() == path);
        self.names.push((source, file));
        file
    }

    /// Notes a function's lines, if it is new. The main chunk, which runs once and
    /// before all inputs, has none.
    ///
    /// # Safety
    /// `of` tells of the running function of `L`, or with `what` beginning with `>` of
    /// the one on top of the stack, which is popped.
    unsafe fn add(&mut self, L: *mut lua_State, what: &CStr, of: &mut lua_Debug) {
        // SAFETY: the caller's promise; four slots are used, which a hook has.
        unsafe {
            lua_getinfo(L, what.as_ptr(), of);
            // The lines are on top.
            if let Some(file) = self.file(of.source)
                && CStr::from_ptr(of.what) != c"main"
                && self.functions.insert((file, of.linedefined))
                && lua_type(L, -1) == LUA_TTABLE
            {
                lua_pushnil(L);
                while lua_next(L, -2) != 0 {
                    lua_settop(L, -2);
                    let line = lua_tointeger(L, -1) as c_int;
                    self.lines.entry((file, line)).or_insert(false);
                }
            }
            lua_settop(L, -2);
        }
    }
}

/// Starts to note what runs in the state and its coroutines, or ends it.
///
/// # Safety
/// `lines` lives until it is taken away again.
pub unsafe fn watch(L: *mut lua_State, lines: Option<*mut Lines>) {
    CURRENT.store(lines.unwrap_or_default(), Relaxed);
    // SAFETY: the state is valid.
    unsafe {
        match lines {
            Some(_) => lua_sethook(L, Some(hook), LUA_MASKLINE | LUA_MASKCALL, 0),
            None => lua_sethook(L, None, 0, 0),
        }
    }
}

unsafe extern "C-unwind" fn hook(L: *mut lua_State, event: *mut lua_Debug) {
    // SAFETY: called by Lua. Lines are watched as long as they live, by one thread.
    unsafe {
        let Some(lines) = CURRENT.load(Relaxed).as_mut() else {
            return;
        };
        lua_getinfo(L, c"Sl".as_ptr(), event);
        let Some(file) = lines.file((*event).source) else {
            return;
        };
        if (*event).event != LUA_HOOKLINE {
            if !lines.functions.contains(&(file, (*event).linedefined)) {
                lines.add(L, c"SL", &mut *event);
            }
            return;
        }
        let line = (*event).currentline;
        if let Some(ran) = lines.lines.get_mut(&(file, line)) {
            *ran = true;
        }
        let here = (line as usize).wrapping_mul(0x9e37) ^ file << 7;
        let step = (here ^ lines.last) % STEPS;
        lines.last = here >> 1;
        lines.steps[step] = lines.steps[step].saturating_add(1);
    }
}

/// `note(function)`: notes the lines of a function that has not run yet.
///
/// # Safety
/// Called by Lua.
pub unsafe extern "C-unwind" fn note(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the hook is not running.
    unsafe {
        luaL_checktype(L, 1, LUA_TFUNCTION);
        lua_settop(L, 1);
        if let Some(lines) = CURRENT.load(Relaxed).as_mut() {
            let mut of = MaybeUninit::<lua_Debug>::zeroed();
            lines.add(L, c">SL", &mut *of.as_mut_ptr());
        }
    }
    0
}
