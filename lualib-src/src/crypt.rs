//! `skynet.crypt` and `client.crypt`: what the login protocol needs.

pub(crate) mod block;
pub(crate) mod digest;
mod exchange;
pub(crate) mod text;

use std::convert::Infallible;
use std::ffi::{CStr, c_int};

use mlua_sys::*;

use crate::library;
use crate::strings::{check_array, check_bytes, push_bytes, push_filled};
use block::{BLOCK, Padding};
use text::Invalid;

const FUNCTIONS: [(&CStr, lua_CFunction); 16] = [
    (c"hashkey", hashkey),
    (c"randomkey", randomkey),
    (c"desencode", desencode),
    (c"desdecode", desdecode),
    (c"hexencode", hexencode),
    (c"hexdecode", hexdecode),
    (c"hmac64", hmac64),
    (c"hmac64_md5", hmac64_md5),
    (c"dhexchange", dhexchange),
    (c"dhsecret", dhsecret),
    (c"base64encode", base64encode),
    (c"base64decode", base64decode),
    (c"sha1", sha1),
    (c"hmac_sha1", hmac_sha1),
    (c"hmac_hash", hmac_hash),
    (c"xor_str", xor_str),
];

/// In the order of [`Padding::ALL`].
const PADDING_NAMES: [&CStr; 2] = [c"iso7816_4", c"pkcs7"];

/// Opens `skynet.crypt`.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_crypt(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; three slots are used.
    unsafe {
        library::push(L, &FUNCTIONS);
        lua_createtable(L, 0, PADDING_NAMES.len() as c_int);
        for (number, name) in PADDING_NAMES.iter().enumerate() {
            lua_pushinteger(L, number as lua_Integer);
            lua_setfield(L, -2, name.as_ptr());
        }
        lua_setfield(L, -2, c"padding".as_ptr());
    }
    1
}

/// Opens `client.crypt`, which is the same for programs that are no services.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_client_crypt(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { luaopen_skynet_crypt(L) }
}

/// Fills the bytes from the system's generator; a Lua error if it has none to give.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor.
pub(crate) unsafe fn random_bytes<const N: usize>(L: *mut lua_State) -> [u8; N] {
    const { assert!(N <= 256, "what getentropy gives at once") };
    let mut bytes = [0; N];
    // SAFETY: the array is valid for N bytes; the caller's promise.
    unsafe {
        if libc::getentropy(bytes.as_mut_ptr().cast(), N) != 0 {
            luaL_error(L, c"the system has no random bytes".as_ptr());
        }
    }
    bytes
}

/// `hashkey(text)`: 8 bytes.
unsafe extern "C-unwind" fn hashkey(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the argument stays on the stack.
    unsafe { push_bytes(L, &digest::hashkey(check_bytes(L, 1))) };
    1
}

/// `randomkey()`: 8 random bytes, not all of them zero.
unsafe extern "C-unwind" fn randomkey(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let mut key = random_bytes::<8>(L);
        if key == [0; 8] {
            key[0] = 1;
        }
        push_bytes(L, &key);
    }
    1
}

/// The key in argument 1; a Lua error if it is none.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor. One slot is used.
unsafe fn check_key(L: *mut lua_State) -> [u8; BLOCK] {
    // SAFETY: the caller's promise; the format matches its argument.
    unsafe {
        let key = check_bytes(L, 1);
        key.try_into().unwrap_or_else(|_| {
            let format = c"Invalid key size %I, need 8 bytes".as_ptr();
            luaL_argerror(L, 1, lua_pushfstring(L, format, key.len() as lua_Integer));
            [0; BLOCK]
        })
    }
}

/// The padding whose number is in argument 3, or the first; a Lua error for a
/// number that no padding has.
///
/// # Safety
/// As [`check_key`].
unsafe fn check_padding(L: *mut lua_State) -> Padding {
    // SAFETY: the caller's promise; the format matches its argument.
    unsafe {
        let number = luaL_optinteger(L, 3, 0);
        let padding = usize::try_from(number)
            .ok()
            .and_then(|number| Padding::ALL.get(number));
        padding.copied().unwrap_or_else(|| {
            let format = c"Invalid padding mode %I".as_ptr();
            luaL_argerror(L, 3, lua_pushfstring(L, format, number));
            Padding::Iso7816_4
        })
    }
}

/// `desencode(key, text, padding)`: the encrypted text.
unsafe extern "C-unwind" fn desencode(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the arguments stay on the stack, and the closure owns
    // nothing.
    unsafe {
        let key = check_key(L);
        let text = check_bytes(L, 2);
        let padding = check_padding(L);
        let Ok(()) = push_filled(L, block::encrypted_size(text.len()), |out| {
            block::encrypt(key, text, padding, out);
            Ok::<_, Infallible>(out.len())
        });
    }
    1
}

/// `desdecode(key, text, padding)`: the plain text.
unsafe extern "C-unwind" fn desdecode(L: *mut lua_State) -> c_int {
    // SAFETY: as in desencode; the format matches its argument.
    unsafe {
        let key = check_key(L);
        let text = check_bytes(L, 2);
        if text.is_empty() || !text.len().is_multiple_of(BLOCK) {
            let format = c"Invalid des crypt text length %I".as_ptr();
            return luaL_argerror(L, 2, lua_pushfstring(L, format, text.len() as lua_Integer));
        }
        let padding = check_padding(L);
        let decrypted = push_filled(L, text.len(), |out| {
            block::decrypt(key, text, padding, out).ok_or(Invalid)
        });
        match decrypted {
            Ok(()) => 1,
            Err(Invalid) => luaL_argerror(L, 2, c"Invalid des crypt text".as_ptr()),
        }
    }
}

/// `hexencode(text)`: two lower-case digits for each byte.
unsafe extern "C-unwind" fn hexencode(L: *mut lua_State) -> c_int {
    // SAFETY: as in desencode.
    unsafe {
        let bytes = check_bytes(L, 1);
        let Ok(()) = push_filled(L, bytes.len() * 2, |out| {
            text::hex_encode(bytes, out);
            Ok::<_, Infallible>(out.len())
        });
    }
    1
}

/// `hexdecode(text)`: one byte for each pair of lower-case digits.
unsafe extern "C-unwind" fn hexdecode(L: *mut lua_State) -> c_int {
    // SAFETY: as in desencode; the format matches its argument.
    unsafe {
        let digits = check_bytes(L, 1);
        if !digits.len().is_multiple_of(2) {
            let format = c"Invalid hex text size %I".as_ptr();
            return luaL_argerror(
                L,
                1,
                lua_pushfstring(L, format, digits.len() as lua_Integer),
            );
        }
        let decoded = push_filled(L, digits.len() / 2, |out| {
            text::hex_decode(digits, out).map(|()| out.len())
        });
        match decoded {
            Ok(()) => 1,
            Err(Invalid) => luaL_argerror(L, 1, c"Invalid hex text".as_ptr()),
        }
    }
}

/// The two numbers of 64 bits in arguments 1 and 2.
///
/// # Safety
/// As [`check_key`].
unsafe fn check_pair(L: *mut lua_State) -> ([u8; 8], [u8; 8]) {
    // SAFETY: the caller's promise.
    unsafe {
        (
            check_array(L, 1, c"Invalid uint64 x"),
            check_array(L, 2, c"Invalid uint64 y"),
        )
    }
}

/// `hmac64(x, y)`: 8 bytes for two times 8.
unsafe extern "C-unwind" fn hmac64(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let (x, y) = check_pair(L);
        push_bytes(L, &digest::hmac64(x, y));
    }
    1
}

/// `hmac64_md5(x, y)`: the same over whole MD5.
unsafe extern "C-unwind" fn hmac64_md5(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let (x, y) = check_pair(L);
        push_bytes(L, &digest::hmac64_md5(x, y));
    }
    1
}

/// `dhexchange(private)`: what to send to the other side.
unsafe extern "C-unwind" fn dhexchange(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let private = check_array(L, 1, c"Invalid dh uint64 key");
        let Some(public) = exchange::public_key(private) else {
            return luaL_argerror(L, 1, c"Can't be 0".as_ptr());
        };
        push_bytes(L, &public);
    }
    1
}

/// `dhsecret(public, private)`: what both sides share.
unsafe extern "C-unwind" fn dhsecret(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let (public, private) = check_pair(L);
        let Some(secret) = exchange::shared_secret(public, private) else {
            let arg = if public == [0; 8] { 1 } else { 2 };
            return luaL_argerror(L, arg, c"Can't be 0".as_ptr());
        };
        push_bytes(L, &secret);
    }
    1
}

/// `base64encode(text)`: with padding, on one line.
unsafe extern "C-unwind" fn base64encode(L: *mut lua_State) -> c_int {
    // SAFETY: as in desencode.
    unsafe {
        let bytes = check_bytes(L, 1);
        let encoded = push_filled(L, text::base64_size(bytes.len()), |out| {
            text::base64_encode(bytes, out)
        });
        match encoded {
            Ok(()) => 1,
            Err(Invalid) => luaL_argerror(L, 1, c"too long".as_ptr()),
        }
    }
}

/// `base64decode(text)`: the bytes.
unsafe extern "C-unwind" fn base64decode(L: *mut lua_State) -> c_int {
    // SAFETY: as in desencode.
    unsafe {
        let encoded = check_bytes(L, 1);
        let decoded = push_filled(L, text::base64_room(encoded.len()), |out| {
            text::base64_decode(encoded, out)
        });
        match decoded {
            Ok(()) => 1,
            Err(Invalid) => luaL_argerror(L, 1, c"Invalid base64 text".as_ptr()),
        }
    }
}

/// `sha1(text)`: 20 bytes.
unsafe extern "C-unwind" fn sha1(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the argument stays on the stack.
    unsafe { push_bytes(L, &digest::sha1(check_bytes(L, 1))) };
    1
}

/// `hmac_sha1(key, text)`: 20 bytes.
unsafe extern "C-unwind" fn hmac_sha1(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the arguments stay on the stack.
    unsafe { push_bytes(L, &digest::hmac_sha1(check_bytes(L, 1), check_bytes(L, 2))) };
    1
}

/// `hmac_hash(key, text)`: 8 bytes.
unsafe extern "C-unwind" fn hmac_hash(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the arguments stay on the stack.
    unsafe {
        let key = check_array(L, 1, c"Invalid uint64 key");
        push_bytes(L, &digest::hmac_hash(key, check_bytes(L, 2)));
    }
    1
}

/// `xor_str(text, key)`: the text changed by the key, which repeats.
unsafe extern "C-unwind" fn xor_str(L: *mut lua_State) -> c_int {
    // SAFETY: as in desencode.
    unsafe {
        let text = check_bytes(L, 1);
        let key = check_bytes(L, 2);
        if key.is_empty() {
            return luaL_argerror(L, 2, c"Can't xor empty string".as_ptr());
        }
        let Ok(()) = push_filled(L, text.len(), |out| {
            text::xor(text, key, out);
            Ok::<_, Infallible>(out.len())
        });
    }
    1
}
