//! What the executable brings along: C services, Lua modules and Lua files.

use mlua_sys::lua_CFunction;
use skynet::{Builtin, set_builtins};
use skynet_service::{Embedded, gate, harbor, logger, set_embedded, snlua};
use std::ffi::CStr;

static SERVICES: [Builtin; 4] = [
    Builtin {
        name: c"snlua",
        create: Some(snlua::snlua_create),
        init: snlua::snlua_init,
        release: Some(snlua::snlua_release),
        signal: Some(snlua::snlua_signal),
    },
    Builtin {
        name: c"logger",
        create: Some(logger::logger_create),
        init: logger::logger_init,
        release: Some(logger::logger_release),
        signal: None,
    },
    Builtin {
        name: c"harbor",
        create: Some(harbor::harbor_create),
        init: harbor::harbor_init,
        release: Some(harbor::harbor_release),
        signal: None,
    },
    Builtin {
        name: c"gate",
        create: Some(gate::gate_create),
        init: gate::gate_init,
        release: Some(gate::gate_release),
        signal: None,
    },
];

static LUA: Embedded = Embedded {
    modules: skynet_lualib::MODULES,
    // A sorted table of paths and contents, written by the build script.
    files: include!(concat!(env!("OUT_DIR"), "/embedded.rs")),
    load: skynet_lua::luaL_loadcached,
};

/// The Lua modules in Rust, for a state that is no service's.
pub fn modules() -> &'static [(&'static CStr, lua_CFunction)] {
    LUA.modules
}

/// The content of a Lua file that the executable carries, by its path.
pub fn file(path: &str) -> Option<&'static [u8]> {
    let at = LUA.files.binary_search_by(|(name, _)| (*name).cmp(path));
    Some(LUA.files[at.ok()?].1)
}

/// Tells the core and snlua what there is. To be called before the node starts.
///
/// # Errors
/// It has been called before.
pub fn register() -> Result<(), String> {
    set_builtins(&SERVICES).map_err(|error| error.to_string())?;
    set_embedded(&LUA);
    // SAFETY: it may be called at any time; states made later share more.
    unsafe { skynet_lua::luaL_initcodecache() };
    Ok(())
}
