//! `skynet.cluster.core`: the requests and responses that the nodes of a cluster send
//! each other.
//!
//! Payloads are messages of the malloc family: those that are packed into requests are
//! freed here, those that come out of requests are the caller's.

mod link;
mod outbox;
mod parts;
mod wire;

use std::convert::Infallible;
use std::ffi::{CStr, c_int, c_void};
use std::{ptr, slice};

use mlua_sys::*;
use skynet_abi::malloc::skynet_free;

use crate::block::allocate;
use crate::library;
use crate::strings::{self, check_bytes, push_bytes, push_filled};
use wire::{Address, Answer, Fault, Head, LONGEST_NAME, PART, Request};

pub(crate) use link::luaopen_skynet_cluster_link;

const FUNCTIONS: [(&CStr, lua_CFunction); 10] = [
    (c"packrequest", packrequest),
    (c"packpush", packpush),
    (c"packtrace", packtrace),
    (c"unpackrequest", unpackrequest),
    (c"packresponse", packresponse),
    (c"unpackresponse", unpackresponse),
    (c"append", append),
    (c"concat", concat),
    (c"isname", isname),
    (c"nodename", nodename),
];

/// Opens `skynet.cluster.core`.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_cluster_core(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used.
    unsafe { library::push(L, &FUNCTIONS) };
    1
}

/// Pushes a frame as a string. Two slots are used.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a destructor.
unsafe fn push_frame(L: *mut lua_State, head: &Head, payload: &[u8]) {
    let head = head.bytes();
    // SAFETY: the caller's promise; the closure has references only.
    unsafe {
        let Ok(()) = push_filled(L, head.len() + payload.len(), |out| {
            let (first, rest) = out.split_at_mut(head.len());
            first.copy_from_slice(head);
            rest.copy_from_slice(payload);
            Ok::<_, Infallible>(out.len())
        });
    }
}

/// Adds the parts of a long payload to the list on top of the stack, from `index` on.
/// Three slots are used.
///
/// # Safety
/// As [`push_frame`].
unsafe fn push_parts(
    L: *mut lua_State,
    index: lua_Integer,
    payload: &[u8],
    head: impl Fn(usize, bool) -> Head,
) {
    for (index, (part, last)) in (index..).zip(parts_of(payload)) {
        // SAFETY: the caller's promise.
        unsafe {
            push_frame(L, &head(part.len(), last), part);
            lua_rawseti(L, -2, index);
        }
    }
}

/// The parts of a long payload, and which one is the last.
fn parts_of(payload: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    let count = payload.len().div_ceil(PART);
    payload
        .chunks(PART)
        .enumerate()
        .map(move |(index, part)| (part, index + 1 == count))
}

/// A request's arguments.
struct Packing<'a> {
    address: Address<'a>,
    session: u32,
    payload: *mut c_void,
    size: u32,
}

impl Packing<'_> {
    /// The session of the next request: they go round among the positive ints.
    fn next_session(&self) -> lua_Integer {
        match i32::try_from(self.session + 1) {
            Ok(next) => next.into(),
            Err(_) => 1,
        }
    }

    /// # Safety
    /// The arguments are a message and its size, and it is not freed yet.
    unsafe fn bytes(&self) -> &[u8] {
        // SAFETY: the caller's promise; check_request has seen that it is not null.
        unsafe { slice::from_raw_parts(self.payload.cast(), self.size as usize) }
    }
}

/// The size of a message in an argument; a Lua error if it needs more than 32 bits.
///
/// # Safety
/// As [`push_frame`].
unsafe fn check_size(L: *mut lua_State, arg: c_int) -> u32 {
    // SAFETY: the caller's promise.
    unsafe {
        match u32::try_from(luaL_checkinteger(L, arg)) {
            Ok(size) => size,
            Err(_) => luaL_argerror(L, arg, c"size out of range".as_ptr()) as u32,
        }
    }
}

/// The arguments `(address, session, msg, size)` of a request, from `first` on. The message is freed
/// before an error about the address or the session.
///
/// # Safety
/// As [`push_frame`]; the name is good while its argument is on the stack.
unsafe fn check_request<'a>(L: *mut lua_State, first: c_int) -> Packing<'a> {
    // SAFETY: the caller's promise. Light userdata is a message of the size that comes
    // with it, which is the contract of this module; each format matches its arguments.
    unsafe {
        let payload = match lua_type(L, first + 2) {
            LUA_TLIGHTUSERDATA => lua_touserdata(L, first + 2),
            _ => ptr::null_mut(),
        };
        if payload.is_null() {
            luaL_error(L, c"Invalid request message".as_ptr());
        }
        let size = check_size(L, first + 3);
        let number = luaL_checkinteger(L, first + 1);
        let session = match i32::try_from(number) {
            Ok(session @ 1..) => session as u32,
            _ => {
                skynet_free(payload);
                luaL_error(L, c"Invalid request session %I".as_ptr(), number);
                0
            }
        };
        let address = match lua_type(L, first) {
            LUA_TNUMBER => Address::Handle(lua_tointeger(L, first) as u32),
            LUA_TSTRING => {
                let name = check_bytes(L, first);
                if !(1..=LONGEST_NAME).contains(&name.len()) {
                    skynet_free(payload);
                    let text = c"name length is invalid, must be between 1 and 255 characters: %s";
                    luaL_error(L, text.as_ptr(), lua_tostring(L, first));
                }
                Address::Name(name)
            }
            other => {
                skynet_free(payload);
                let kind = lua_typename(L, other);
                luaL_error(L, c"name is not a string, it's a %s".as_ptr(), kind);
                Address::Handle(0)
            }
        };
        Packing {
            address,
            session,
            payload,
            size,
        }
    }
}

/// The results of `packrequest` and `packpush`.
///
/// # Safety
/// The running function of `L` is one of them.
unsafe fn pack(L: *mut lua_State, push: bool) -> c_int {
    // SAFETY: the caller's promise; six slots are used. The message is freed at the end
    // of this function, and only there.
    unsafe {
        let request = check_request(L, 1);
        let payload = request.bytes();
        let session = request.session;
        let head = wire::request(request.address, session, request.size, push);
        let long = wire::is_long_request(payload.len());
        push_frame(L, &head, if long { &[] } else { payload });
        lua_pushinteger(L, request.next_session());
        if long {
            lua_createtable(L, payload.len().div_ceil(PART) as c_int, 0);
            push_parts(L, 1, payload, |size, last| {
                wire::part_of_request(session, size, last)
            });
        }
        skynet_free(request.payload);
        if long { 3 } else { 2 }
    }
}

/// `packrequest(address, session, msg, size)`: a request, the session of the next one,
/// and, if it is long, a list of what is to be sent after it. Frees the message.
unsafe extern "C-unwind" fn packrequest(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { pack(L, false) }
}

/// `packpush(address, session, msg, size)`: the same for a request without an answer.
unsafe extern "C-unwind" fn packpush(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { pack(L, true) }
}

/// `packtrace(tag)`: what is sent before a request that is traced.
unsafe extern "C-unwind" fn packtrace(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the tag stays on the stack.
    unsafe {
        let tag = check_bytes(L, 1);
        if tag.len() > PART {
            let size = tag.len() as lua_Integer;
            return luaL_error(L, c"trace tag is too long : %I".as_ptr(), size);
        }
        push_frame(L, &wire::trace(tag.len()), tag);
    }
    1
}

/// Pushes the address of a request.
///
/// # Safety
/// As [`push_frame`]. One slot is used.
unsafe fn push_address(L: *mut lua_State, address: Address) {
    // SAFETY: the caller's promise.
    unsafe {
        match address {
            Address::Handle(handle) => lua_pushinteger(L, handle.into()),
            Address::Name(name) => push_bytes(L, name),
        }
    }
}

/// Pushes a copy of a payload as a message, and its size. Two slots are used.
///
/// # Safety
/// As [`push_frame`].
unsafe fn push_message(L: *mut lua_State, payload: &[u8]) {
    // SAFETY: the caller's promise; the block has as many bytes. What is pushed
    // allocates nothing, so that the block is not lost.
    unsafe {
        let block = allocate(L, payload.len()).cast::<u8>();
        block.copy_from_nonoverlapping(payload.as_ptr(), payload.len());
        lua_pushlightuserdata(L, block.cast());
        lua_pushinteger(L, payload.len() as lua_Integer);
    }
}

/// Raises the error for a frame that is no request.
///
/// # Safety
/// As [`push_frame`].
#[cold]
unsafe fn raise(L: *mut lua_State, fault: Fault) -> c_int {
    let mut space = [0; 96];
    let text = wire::text(&mut space, fault);
    // SAFETY: the caller's promise.
    unsafe { strings::raise(L, text) }
}

/// The bytes of a frame: a string, or light userdata with a size in argument 2.
///
/// # Safety
/// As [`push_frame`]; the bytes are good while argument 1 is on the stack, or for
/// light userdata as long as the message is not freed.
unsafe fn check_frame<'a>(L: *mut lua_State) -> &'a [u8] {
    // SAFETY: the caller's promise. Light userdata is memory of the size that comes
    // with it, which is the contract of this function.
    unsafe {
        if lua_type(L, 1) != LUA_TLIGHTUSERDATA {
            return check_bytes(L, 1);
        }
        let bytes = lua_touserdata(L, 1).cast::<u8>();
        let size = usize::try_from(luaL_checkinteger(L, 2)).unwrap_or(0);
        if bytes.is_null() {
            return &[];
        }
        slice::from_raw_parts(bytes, size)
    }
}

/// `unpackrequest(frame [, size])`: what a request's frame says. Of a whole one:
/// address, session, message and size, and if it wants no answer nil and true. Of the
/// beginning of a long one: address, session, nil, its size, true, and whether it wants
/// no answer. Of a part: false, session, message, size, and whether there are more. Of
/// a trace: the tag.
unsafe extern "C-unwind" fn unpackrequest(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; six slots are used.
    unsafe {
        match Request::read(check_frame(L)) {
            Ok(Request::Whole {
                address,
                session,
                payload,
            }) => {
                push_address(L, address);
                lua_pushinteger(L, session.into());
                push_message(L, payload);
                if session != 0 {
                    return 4;
                }
                lua_pushnil(L);
                lua_pushboolean(L, 1);
                6
            }
            Ok(Request::Begin {
                address,
                session,
                size,
                push,
            }) => {
                push_address(L, address);
                lua_pushinteger(L, session.into());
                lua_pushnil(L);
                lua_pushinteger(L, size.into());
                lua_pushboolean(L, 1);
                lua_pushboolean(L, push.into());
                6
            }
            Ok(Request::Part {
                session,
                payload,
                last,
            }) => {
                lua_pushboolean(L, 0);
                lua_pushinteger(L, session.into());
                push_message(L, payload);
                lua_pushboolean(L, (!last).into());
                5
            }
            Ok(Request::Trace(tag)) => {
                push_bytes(L, tag);
                1
            }
            Err(fault) => raise(L, fault),
        }
    }
}

/// The payload of a response: a string in argument `arg`, or memory and its size in the
/// next one.
///
/// # Safety
/// As [`check_frame`], with that argument.
unsafe fn check_payload<'a>(L: *mut lua_State, arg: c_int) -> &'a [u8] {
    // SAFETY: the caller's promise.
    unsafe {
        if lua_type(L, arg) == LUA_TSTRING {
            return check_bytes(L, arg);
        }
        let bytes = lua_touserdata(L, arg).cast::<u8>();
        let size = check_size(L, arg + 1);
        if size == 0 {
            return &[];
        }
        let room = match lua_type(L, arg) {
            LUA_TLIGHTUSERDATA => usize::MAX,
            _ => lua_rawlen(L, arg) as usize,
        };
        if bytes.is_null() || room < size as usize {
            luaL_argerror(L, arg, c"message expected".as_ptr());
        }
        slice::from_raw_parts(bytes, size as usize)
    }
}

/// `packresponse(session, ok, msg [, size])`: a response, or if it is long the list of
/// what is to be sent. The message stays the caller's. An error's text that is too long
/// is cut.
unsafe extern "C-unwind" fn packresponse(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; four slots are used.
    unsafe {
        let session = luaL_checkinteger(L, 1) as u32;
        let ok = lua_toboolean(L, 2) != 0;
        let payload = check_payload(L, 3);
        if !ok || !wire::is_long_response(payload.len()) {
            let payload = &payload[..payload.len().min(PART)];
            push_frame(L, &wire::response(session, ok, payload.len()), payload);
            return 1;
        }
        let Ok(size) = u32::try_from(payload.len()) else {
            return luaL_argerror(L, 3, c"message too long".as_ptr());
        };
        lua_createtable(L, payload.len().div_ceil(PART) as c_int + 1, 0);
        push_frame(L, &wire::long_response(session, size), &[]);
        lua_rawseti(L, -2, 1);
        push_parts(L, 2, payload, |size, last| {
            wire::part_of_response(session, size, last)
        });
    }
    1
}

/// `unpackresponse(frame)`: session, whether it is no error, its bytes or its size, and
/// whether more is to come; nothing if the frame is no response.
unsafe extern "C-unwind" fn unpackresponse(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; four slots are used.
    unsafe {
        let Some((session, answer)) = wire::read_response(check_bytes(L, 1)) else {
            return 0;
        };
        lua_pushinteger(L, session.into());
        lua_pushboolean(L, (!matches!(answer, Answer::Error(_))).into());
        match answer {
            Answer::Error(bytes) | Answer::Whole(bytes) | Answer::Last(bytes) => {
                push_bytes(L, bytes);
                return 3;
            }
            Answer::Begin(size) => lua_pushinteger(L, size.into()),
            Answer::Part(bytes) => push_bytes(L, bytes),
        }
        lua_pushboolean(L, 1);
        4
    }
}

/// `append(list, msg, size)`: adds a message's bytes to a list, and frees it; with nil
/// for a message, adds the size.
unsafe extern "C-unwind" fn append(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used. Light userdata is a message of the size
    // that comes with it, which is the contract of this module.
    unsafe {
        luaL_checktype(L, 1, LUA_TTABLE);
        let next = lua_rawlen(L, 1) as lua_Integer + 1;
        if lua_type(L, 2) == LUA_TNIL {
            lua_settop(L, 3);
            lua_rawseti(L, 1, next);
            return 0;
        }
        if lua_type(L, 2) != LUA_TLIGHTUSERDATA || lua_touserdata(L, 2).is_null() {
            return luaL_error(L, c"Need lightuserdata".as_ptr());
        }
        push_bytes(L, check_payload(L, 2));
        skynet_free(lua_touserdata(L, 2));
        lua_rawseti(L, 1, next);
    }
    0
}

/// `concat(list)`: the strings of a list as one message, and its size, which the list
/// begins with. Nothing if that is not the size of what follows.
unsafe extern "C-unwind" fn concat(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used. Access is raw and calls nothing, so
    // that the list stays the same and the block cannot be lost; each string is on the
    // stack while its bytes are looked at.
    unsafe {
        if lua_type(L, 1) != LUA_TTABLE || lua_rawgeti(L, 1, 1) != LUA_TNUMBER {
            return 0;
        }
        let Ok(size) = usize::try_from(lua_tointeger(L, -1)) else {
            return 0;
        };
        lua_settop(L, 1);
        let mut total = 0;
        let mut count = 1;
        while lua_rawgeti(L, 1, count + 1) == LUA_TSTRING {
            total += lua_rawlen(L, -1) as usize;
            count += 1;
            lua_settop(L, 1);
        }
        if total != size {
            return 0;
        }
        let block = allocate(L, size).cast::<u8>();
        let mut end = block;
        for index in 2..=count {
            lua_rawgeti(L, 1, index);
            let bytes = check_bytes(L, -1);
            end.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            end = end.add(bytes.len());
            lua_settop(L, 1);
        }
        lua_pushlightuserdata(L, block.cast());
        lua_pushinteger(L, size as lua_Integer);
    }
    2
}

/// `isname(address)`: true for a name that was registered with the cluster, which begins
/// with an `@`; nothing for others.
unsafe extern "C-unwind" fn isname(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used.
    unsafe {
        if lua_type(L, 1) != LUA_TSTRING || check_bytes(L, 1).first() != Some(&b'@') {
            return 0;
        }
        lua_pushboolean(L, 1);
    }
    1
}

/// Room for the name of a machine. Bytes.
const HOSTNAME: usize = 256;

/// `nodename()`: the machine's name, with `_` for white space and what is no ASCII,
/// and the number of the process.
unsafe extern "C-unwind" fn nodename(L: *mut lua_State) -> c_int {
    let mut space = [0_u8; HOSTNAME];
    // SAFETY: called by Lua; gethostname writes within the space, whose last byte is
    // kept for a zero.
    unsafe {
        let failed = libc::gethostname(space.as_mut_ptr().cast(), HOSTNAME - 1) != 0;
        let name = if failed {
            c"noname"
        } else {
            for byte in &mut space {
                if !(b'!'..=0x7f).contains(byte) && *byte != 0 {
                    *byte = b'_';
                }
            }
            CStr::from_bytes_until_nul(&space).unwrap_or(c"noname")
        };
        let process = lua_Integer::from(libc::getpid());
        lua_pushfstring(L, c"%s%I".as_ptr(), name.as_ptr(), process);
    }
    1
}
