//! Lua 5.5, built by this crate's build script and linked as a static library.
//!
//! The declarations are mlua-sys's, re-exported here. A crate that is also
//! built as a module for another program (the C services, the Lua modules)
//! depends on mlua-sys alone and finds Lua in the program that loads it; this
//! crate is for the program itself.
//!
//! `exports.txt` lists, sorted, every public symbol of Lua. The executable
//! exports them all, so that Lua modules in shared objects find them.

mod share;

pub use mlua_sys::*;
pub use share::*;

/// The names of Lua's public symbols, sorted, one a line.
pub const EXPORTS: &str = include_str!("../exports.txt");

#[cfg(test)]
mod tests {
    use super::EXPORTS;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    /// Names in parentheses that follow LUA_API, LUALIB_API or LUAMOD_API:
    /// how Lua's headers declare a function.
    fn declared(header: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for start in header.match_indices("\nLUA").map(|(at, _)| at + 1) {
            let declaration = &header[start..];
            let macro_name = declaration.split_whitespace().next().unwrap_or("");
            if !matches!(macro_name, "LUA_API" | "LUALIB_API" | "LUAMOD_API") {
                continue;
            }
            let open = declaration.find('(').expect("a function's name");
            let close = declaration.find(')').expect("the name's end");
            names.insert(declaration[open + 1..close].trim().to_owned());
        }
        names
    }

    #[test]
    fn exports_are_complete() {
        let include = Path::new(env!("SKYNET_LUA_INCLUDE"));
        let mut expected = BTreeSet::from(["lua_ident".to_owned()]);
        for name in ["lua.h", "lauxlib.h", "lualib.h"] {
            let text = fs::read_to_string(include.join(name)).expect(name);
            expected.extend(declared(&text));
        }
        let listed: Vec<&str> = EXPORTS.lines().collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        assert_eq!(listed, expected);
    }
}
