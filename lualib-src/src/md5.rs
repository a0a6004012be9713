//! `md5.core`: MD5, and a cipher made of it.

use std::convert::Infallible;
use std::ffi::{CStr, c_int};

use mlua_sys::*;

mod stream;

use crate::crypt::{digest, random_bytes};
use crate::library;
use crate::strings::{check_bytes, push_bytes, push_filled};
use stream::{MAX_SEED, Seed};

/// Most bytes of a key.
const MAX_KEY: usize = 256;

const FUNCTIONS: [(&CStr, lua_CFunction); 6] = [
    (c"sum", sum),
    (c"sumhexa", sumhexa),
    (c"hmacmd5", hmacmd5),
    (c"exor", exor),
    (c"crypt", crypt),
    (c"decrypt", decrypt),
];

/// What programs print to say which library they have; the values are the library's
/// whose interface this is.
const INFORMATION: [(&CStr, &CStr); 3] = [
    (c"_COPYRIGHT", c"Copyright (C) 2003-2013 PUC-Rio"),
    (c"_DESCRIPTION", c"Basic cryptographic facilities"),
    (c"_VERSION", c"MD5 1.2"),
];

/// Opens `md5.core`.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_md5_core(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used.
    unsafe {
        library::push(L, &FUNCTIONS);
        for (name, text) in INFORMATION {
            lua_pushstring(L, text.as_ptr());
            lua_setfield(L, -2, name.as_ptr());
        }
    }
    1
}

/// Pushes a digest as text.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor. One slot is used.
unsafe fn push_hex(L: *mut lua_State, digest: [u8; 16]) {
    let mut digits = [0; 32];
    crate::crypt::text::hex_encode(&digest, &mut digits);
    // SAFETY: the caller's promise.
    unsafe { push_bytes(L, &digits) };
}

/// `sum(text)`: 16 bytes.
unsafe extern "C-unwind" fn sum(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the argument stays on the stack.
    unsafe { push_bytes(L, &digest::md5(check_bytes(L, 1))) };
    1
}

/// `sumhexa(text)`: the same as 32 digits.
unsafe extern "C-unwind" fn sumhexa(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the argument stays on the stack.
    unsafe { push_hex(L, digest::md5(check_bytes(L, 1))) };
    1
}

/// `hmacmd5(text, key)`: 32 digits.
unsafe extern "C-unwind" fn hmacmd5(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the arguments stay on the stack.
    unsafe {
        let text = check_bytes(L, 1);
        push_hex(L, digest::hmac_md5(check_bytes(L, 2), text));
    }
    1
}

/// `exor(a, b)`: two strings of one length, combined by exclusive or.
unsafe extern "C-unwind" fn exor(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the arguments stay on the stack, and the closure owns
    // nothing.
    unsafe {
        let a = check_bytes(L, 1);
        let b = check_bytes(L, 2);
        if a.len() != b.len() {
            return luaL_argerror(L, 2, c"lengths must be equal".as_ptr());
        }
        let Ok(()) = push_filled(L, a.len(), |out| {
            crate::crypt::text::xor(a, b, out);
            Ok::<_, Infallible>(out.len())
        });
    }
    1
}

/// The key in argument 2; a Lua error if it is none.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor. The slice is not used after the argument has left the stack.
unsafe fn check_key<'a>(L: *mut lua_State) -> &'a [u8] {
    // SAFETY: the caller's promise; the format matches its argument.
    unsafe {
        let key = check_bytes(L, 2);
        if key.len() > MAX_KEY {
            let format = c"key too long (> %d)".as_ptr();
            luaL_argerror(L, 2, lua_pushfstring(L, format, MAX_KEY as c_int));
        }
        key
    }
}

/// `crypt(text, key, seed)`: the encrypted text, behind the seed and its length.
/// Without a seed it is random.
unsafe extern "C-unwind" fn crypt(L: *mut lua_State) -> c_int {
    // SAFETY: as in exor; the format matches its argument.
    unsafe {
        let text = check_bytes(L, 1);
        let random: [u8; 8];
        let seed = if lua_type(L, 3) == LUA_TNONE {
            random = random_bytes(L);
            &random[..]
        } else {
            check_bytes(L, 3)
        };
        let Some(seed) = Seed::new(seed) else {
            let format = c"seed too long (> %d)".as_ptr();
            return luaL_argerror(L, 3, lua_pushfstring(L, format, MAX_SEED as c_int));
        };
        let key = check_key(L);
        let Ok(()) = push_filled(L, seed.head().len() + text.len(), |out| {
            stream::encrypt(seed, key, text, out);
            Ok::<_, Infallible>(out.len())
        });
    }
    1
}

/// `decrypt(text, key)`: the plain text of what `crypt` returned.
unsafe extern "C-unwind" fn decrypt(L: *mut lua_State) -> c_int {
    // SAFETY: as in exor.
    unsafe {
        let Some((seed, text)) = Seed::split(check_bytes(L, 1)) else {
            return luaL_argerror(L, 1, c"invalid cyphered string".as_ptr());
        };
        let key = check_key(L);
        let Ok(()) = push_filled(L, text.len(), |out| {
            stream::decrypt(seed, key, text, out);
            Ok::<_, Infallible>(out.len())
        });
    }
    1
}
