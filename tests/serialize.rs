//! `skynet.unpack` on any bytes whatsoever, and `skynet.pack` when it fails, in a
//! Lua state whose memory is counted.
#![cfg(feature = "standalone")]

// For their symbols: the modules see the core through the C ABI.
use skynet as _;
use skynet_lua as _;

use std::ffi::{CStr, CString, c_int, c_void};
use std::time::{Duration, Instant};
use std::{ptr, slice};

use mlua_sys::*;

/// How long random input is tried.
const TIME: Duration = Duration::from_secs(4);

/// Memory that Lua may take for a stream, beside what it has: a byte of the
/// stream makes at most an empty table or a pair of a table.
const MEMORY_PER_BYTE: usize = 200;
const MEMORY_ANYWAY: usize = 64 * 1024;

/// What the state's allocator counts.
struct Memory {
    used: usize,
    peak: usize,
    /// No block is given that would make `used` more.
    limit: usize,
}

unsafe extern "C" fn allocate(
    ud: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: Lua passes on the Memory that the state was made with, blocks that
    // came from here, and their sizes.
    unsafe {
        let memory = &mut *ud.cast::<Memory>();
        let old = if block.is_null() { 0 } else { old };
        if new == 0 {
            libc::free(block);
            memory.used -= old;
            return ptr::null_mut();
        }
        if new > old && memory.used - old + new > memory.limit {
            return ptr::null_mut();
        }
        let moved = libc::realloc(block, new);
        if !moved.is_null() {
            memory.used = memory.used - old + new;
            memory.peak = memory.peak.max(memory.used);
        }
        moved
    }
}

/// A Lua state with the standard libraries and skynet.core as global `core`.
struct Lua {
    state: *mut lua_State,
    memory: *mut Memory,
}

impl Lua {
    fn new() -> Self {
        let memory = Box::into_raw(Box::new(Memory {
            used: 0,
            peak: 0,
            limit: usize::MAX,
        }));
        let (_, open) = skynet_lualib::MODULES
            .iter()
            .find(|(name, _)| *name == c"skynet.core")
            .expect("skynet.core is among the modules");
        // SAFETY: `memory` lives until the state is closed; nothing that is
        // called here finds a service to act for, so any address will do.
        let state = unsafe {
            let state = lua_newstate(allocate, memory.cast(), 1);
            luaL_openlibs(state);
            lua_pushlightuserdata(state, memory.cast());
            lua_setfield(state, LUA_REGISTRYINDEX, c"skynet_context".as_ptr());
            luaL_requiref(state, c"core".as_ptr(), *open, 1);
            lua_settop(state, 0);
            state
        };
        Self { state, memory }
    }

    /// Runs a chunk with one string as argument. Returns its result or its error
    /// as bytes; none for nil.
    fn run(&self, chunk: &CStr, argument: &[u8]) -> Result<Option<Vec<u8>>, String> {
        // SAFETY: the state is this value's alone. Errors are caught by the
        // protected call; memory for the argument does not run out.
        unsafe {
            let state = self.state;
            let loaded = luaL_loadstring(state, chunk.as_ptr());
            assert_eq!(loaded, LUA_OK, "the chunk is Lua");
            lua_pushlstring(state, argument.as_ptr().cast(), argument.len());
            let status = lua_pcall(state, 1, 1, 0);
            let mut len = 0;
            let text = lua_tolstring(state, -1, &mut len);
            let bytes = (!text.is_null()).then(|| slice::from_raw_parts(text.cast(), len).to_vec());
            lua_settop(state, 0);
            if status == LUA_OK {
                return Ok(bytes);
            }
            let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            Err(text.unwrap_or_else(|| "an error that is no string".to_owned()))
        }
    }

    fn used(&self) -> usize {
        // SAFETY: a live state; the allocator does not run now.
        unsafe {
            lua_gc(self.state, LUA_GCCOLLECT);
            (*self.memory).used
        }
    }

    /// Runs a chunk and returns the memory it took at its peak as well.
    fn measured(&self, chunk: &CStr, argument: &[u8]) -> (Result<Option<Vec<u8>>, String>, usize) {
        let before = self.used();
        // SAFETY: as in used.
        unsafe { (*self.memory).peak = before };
        let result = self.run(chunk, argument);
        // SAFETY: as in used.
        let peak = unsafe { (*self.memory).peak };
        (result, peak - before)
    }
}

impl Drop for Lua {
    fn drop(&mut self) {
        // SAFETY: both are this value's, and not used after this.
        unsafe {
            lua_close(self.state);
            assert_eq!((*self.memory).used, 0, "Lua frees all it has");
            drop(Box::from_raw(self.memory));
        }
    }
}

/// Values with some of everything, packed.
const SAMPLES: &CStr = c"
local n = tonumber((...))
local units = {}
for i = 1, n % 40 do
    units[i] = { id = i * 1000, name = ('u'):rep(i), pos = { x = i / 3, y = -i }, [i + 0.5] = true }
end
return core.packstring('cmd', n, -n, n << 33, ('long'):rep(n), nil, true, units, { units, [units] = 1 })
";

/// Unpacks the argument, then packs what came. What could be read can be written,
/// unless tables nest deeper than `pack` lets them.
const ROUND: &CStr = c"
local values = table.pack(core.unpack((...)))
local written, text = pcall(core.packstring, table.unpack(values, 1, values.n))
if not written then
    assert(text:find('too depth', 1, true), text)
    return
end
assert(select('#', core.unpack(text)) == values.n)
";

const UNPACK: &CStr = c"core.unpack((...))";

/// Small and repeatable; a failure names the input anyway.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 11) as usize % limit
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Changes a stream the way a fault on the way, or somebody hostile, might.
fn mutate(random: &mut Random, stream: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..=random.below(4) {
        let at = random.below(stream.len().max(1)).min(stream.len());
        match random.below(6) {
            0 => stream.truncate(at),
            1 => stream.insert(at, random.next() as u8),
            2 if at < stream.len() => {
                stream.remove(at);
            }
            3 if at < stream.len() => stream[at] ^= 1 << random.below(8),
            4 => {
                // The head of an array, or of a string, with any length.
                let mut head = vec![[0xfe, 0x15, 0x25, 0x32][random.below(4)]];
                head.extend(random.bytes(9));
                let end = (at + head.len()).min(stream.len());
                stream.splice(at..end, head);
            }
            _ => {
                let from = random.below(other.len());
                stream.truncate(at);
                stream.extend_from_slice(&other[from..]);
            }
        }
    }
}

/// Unpacks a stream and checks how it ends, and what it took.
fn try_stream(lua: &Lua, stream: &[u8]) {
    let (result, memory) = lua.measured(UNPACK, stream);
    if let Err(text) = result {
        let named = ["Invalid serialize stream ", "stack overflow"];
        assert!(
            named.iter().any(|name| text.contains(name)),
            "{text}: {stream:x?}"
        );
    }
    assert!(
        memory <= stream.len() * MEMORY_PER_BYTE + MEMORY_ANYWAY,
        "{memory} bytes of memory for {} bytes: {stream:x?}",
        stream.len()
    );
    if let Err(text) = lua.run(ROUND, stream) {
        let named = [
            "Invalid serialize stream ",
            "stack overflow",
            "too many results",
        ];
        assert!(
            named.iter().any(|name| text.contains(name)),
            "{text}: {stream:x?}"
        );
    }
}

#[test]
fn any_bytes_end_in_values_or_an_error() {
    let lua = Lua::new();
    let samples: Vec<Vec<u8>> = ["0", "1", "7", "39", "70", "300"]
        .map(|n| lua.run(SAMPLES, n.as_bytes()))
        .into_iter()
        .map(|sample| sample.expect("packs").expect("a string"))
        .collect();
    let seed = Instant::now().elapsed().as_nanos() as u64 ^ u64::from(std::process::id());
    let mut random = Random(seed | 1);
    let deadline = Instant::now() + TIME;
    while Instant::now() < deadline {
        let len = random.below(200);
        let stream = random.bytes(len);
        try_stream(&lua, &stream);
        let mut stream = samples[random.below(samples.len())].clone();
        let other = random.below(samples.len());
        mutate(&mut random, &mut stream, &samples[other]);
        try_stream(&lua, &stream);
    }
}

#[test]
fn hostile_streams() {
    let lua = Lua::new();
    let fails = |stream: &[u8], reason: &str| {
        let (result, memory) = lua.measured(UNPACK, stream);
        let text = result.expect_err(reason);
        assert!(text.contains(reason), "{text}");
        assert!(memory < stream.len() + MEMORY_ANYWAY, "{memory}");
    };
    let mut long_array = vec![0xfe, 0x22, 0xff, 0xff, 0xff, 0x7f];
    fails(&long_array, "ends within a table");
    long_array.extend([0x09; 1000]);
    fails(&long_array, "ends within a table");
    fails(
        &[0xfe, 0x32, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0, 0],
        "ends within a table",
    );
    fails(&[0xfe, 0x22, 0, 0, 0, 0x80, 0, 0], "negative");
    fails(
        &[0x25, 0xff, 0xff, 0xff, 0xff, 1, 2, 3],
        "longer than the stream",
    );
    fails(&[0x06, 0x42, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f, 0x09, 0], "NaN");
    fails(&[0x06; 1_000_000], "nested too deep");
    fails(&[0x0e; 1_000_000], "nested too deep");
    fails(&[0x09, 0x07], "unknown type");
    // Nothing else is wrong with two million values.
    let text = lua.run(UNPACK, &[0x09; 2_000_000]).expect_err("too many");
    assert!(
        text.contains("stack overflow (too many values in a message)"),
        "{text}"
    );
    try_stream(&lua, &[0x06, 0x09, 0x00, 0x00]);
    try_stream(&lua, &[0x00; 5000]);
}

#[test]
fn sizes_of_other_messages() {
    let lua = Lua::new();
    let fails = |chunk: &str, reason: &str| {
        let chunk = CString::new(chunk).expect("no zeros");
        let text = lua.run(&chunk, b"").expect_err(reason);
        assert!(text.contains(reason), "{text}");
    };
    let packed = "local msg, size = core.pack('x') ";
    for name in ["unpack", "tostring"] {
        for size in ["-1", "1 << 31", "math.mininteger", "math.maxinteger"] {
            fails(
                &format!("{packed} core.{name}(msg, {size})"),
                "message size out of range",
            );
        }
    }
    fails("core.unpack(true, 5)", "null pointer");
    fails("core.tostring(true, 5)", "message expected");
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = text
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("a number of pages");
    pages * 4096
}

#[test]
fn failures_give_their_memory_back() {
    let lua = Lua::new();
    // A thousand times 2 MiB, each failing in another place.
    let chunk = c"
local text = ('x'):rep(2 << 20)
local deep = {}
deep[1] = deep
local failing = setmetatable({}, { __pairs = function() return error end })
for i = 1, 250 do
    assert(not pcall(core.pack, text, print))
    assert(not pcall(core.pack, text, { [print] = 1 }))
    assert(not pcall(core.packstring, text, deep))
    assert(not pcall(core.packstring, text, { failing }))
end";
    let before = resident();
    lua.run(chunk, b"").expect("fails as it should");
    let grown = resident().saturating_sub(before);
    assert!(grown < 512 << 20, "{grown} bytes more");
}

#[test]
fn long_messages() {
    let lua = Lua::new();
    let chunk = c"
local big = ('x'):rep(64)
local values = {}
for i = 1, 2000 do values[i] = big end
local packed = core.packstring(values)
assert(#packed > 2000 * 64)
local msg, size = core.pack(values)
assert(core.tostring(msg, size) == packed)
core.trash(msg, size)
local read = core.unpack(packed)
assert(#read == 2000 and read[2000] == big)
";
    lua.run(chunk, b"").expect("packs and unpacks");
}

#[test]
fn no_memory_for_a_string() {
    let lua = Lua::new();
    let prepare = c"
text = ('x'):rep(2 << 20)
function try()
    for i = 1, 500 do
        local packed, why = pcall(core.packstring, text)
        assert(not packed and why == 'not enough memory', why)
    end
end";
    lua.run(prepare, b"").expect("has memory");
    let used = lua.used();
    // SAFETY: the allocator does not run now.
    unsafe { (*lua.memory).limit = used + (1 << 20) };
    let before = resident();
    lua.run(c"try()", b"").expect("fails as it should");
    let grown = resident().saturating_sub(before);
    assert!(grown < 512 << 20, "{grown} bytes more");
}

/// What the table of modules promises. One of them looks among the symbols of the
/// process, of which the executable has more than a test.
#[test]
fn modules_open() {
    const LOOKS_FOR_SYMBOLS: &CStr = c"skynet.sharetable.core";
    let lua = Lua::new();
    for (name, open) in skynet_lualib::MODULES {
        if *name == LOOKS_FOR_SYMBOLS {
            continue;
        }
        // SAFETY: protected, in a state that has what modules need.
        let kind = unsafe {
            lua_pushcclosure(lua.state, *open, 0);
            let status = lua_pcall(lua.state, 0, 1, 0);
            assert_eq!(status, LUA_OK as c_int, "{name:?}");
            lua_type(lua.state, -1)
        };
        assert_eq!(kind, LUA_TTABLE, "{name:?}");
    }
}
