//! `skynet.cluster.link`: the nodes' connections as the services of this project use
//! them. What is sent goes to the socket from here, and what comes is put together here,
//! so that a payload is copied once on its way.

use std::ffi::{CStr, c_int};
use std::ptr;

use mlua_sys::*;
use skynet_abi::malloc::skynet_free;
use skynet_abi::socket::skynet_socket_sendbuffer_lowpriority;
use skynet_abi::socket_buffer::{SOCKET_BUFFER_MEMORY, socket_sendbuffer};

use super::outbox::{Outbox, Socket};
use super::parts::{self, Joined, Parts};
use super::wire::{self, Address, Answer, Head, PART, Request};
use super::{check_frame, check_payload, check_request, parts_of, push_address, push_message};
use crate::block::{Block, allocate};
use crate::core::{context, push_context};
use crate::library::{self, Entry};
use crate::object::{self, Object};
use crate::strings::{check_bytes, push_bytes};

const FUNCTIONS: [Entry; 2] = [(c"requests", requests), (c"responses", responses)];

/// These act for a service, and share its outbox.
const SENDING: [Entry; 4] = [
    (c"request", request),
    (c"respond", respond),
    (c"flush", flush),
    (c"together", together),
];

/// Opens `skynet.cluster.link`.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_cluster_link(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; seven slots are used.
    unsafe {
        library::push(L, &FUNCTIONS);
        push_context(L);
        object::push::<Outbox>(L);
        for (name, function) in SENDING {
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_pushcclosure(L, function, 2);
            lua_setfield(L, -4, name.as_ptr());
        }
        lua_settop(L, -3);
    }
    1
}

impl parts::Storage for Block {
    fn allocate(size: usize) -> Option<Self> {
        Block::new(size)
    }

    fn grow(&mut self, size: usize) -> bool {
        Block::grow(self, size)
    }

    fn append(&mut self, bytes: &[u8]) {
        Block::append(self, bytes);
    }
}

/// The socket in argument 1.
///
/// # Safety
/// The running function acts for a service.
unsafe fn socket(L: *mut lua_State) -> Socket {
    // SAFETY: the caller's promise. A number that is no socket's is refused by the core.
    unsafe {
        Socket {
            service: context(L),
            id: c_int::try_from(luaL_checkinteger(L, 1)).unwrap_or(-1),
        }
    }
}

/// The outbox of the running function's service.
///
/// # Safety
/// The running function is one of [`SENDING`]. The reference is not used beside another
/// one.
unsafe fn outbox<'a>(L: *mut lua_State) -> &'a mut Outbox {
    // SAFETY: luaopen has made the second upvalue, which is there as long as the
    // function is; a Lua state runs on one thread.
    unsafe { &mut *lua_touserdata(L, lua_upvalueindex(2)).cast() }
}

/// Sends a frame behind all that is urgent. Whether the socket takes it.
///
/// # Safety
/// Called from a C function of `L`, for the service of the socket; nothing on the
/// caller's frames has a destructor.
unsafe fn send(L: *mut lua_State, to: Socket, head: &Head, payload: &[u8]) -> bool {
    let head = head.bytes();
    let size = head.len() + payload.len();
    // SAFETY: the caller's promise; the block has room for both, and is the core's from
    // the send on.
    unsafe {
        let block = allocate(L, size).cast::<u8>();
        block.copy_from_nonoverlapping(head.as_ptr(), head.len());
        let rest = block.add(head.len());
        rest.copy_from_nonoverlapping(payload.as_ptr(), payload.len());
        let mut data = socket_sendbuffer {
            id: to.id,
            type_: SOCKET_BUFFER_MEMORY,
            buffer: block.cast(),
            sz: size,
        };
        skynet_socket_sendbuffer_lowpriority(to.service, &mut data) == 0
    }
}

/// Sends the parts of a long payload behind the frame that announces it. They are not
/// urgent, so that short frames do not have to wait for all of them.
///
/// # Safety
/// As [`send`].
unsafe fn send_long(
    L: *mut lua_State,
    to: Socket,
    begin: &Head,
    payload: &[u8],
    head: impl Fn(usize, bool) -> Head,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        // What was to go out before it does.
        outbox(L).flush();
        send(L, to, begin, &[])
            && parts_of(payload).all(|(part, last)| send(L, to, &head(part.len(), last), part))
    }
}

/// `request(fd, address, session, msg, size, push [, tag])`: sends a request, in front of
/// it a trace's tag, and frees the message. Whether the socket takes it, and the session
/// of the next request.
unsafe extern "C-unwind" fn request(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with service and outbox as upvalues; two slots are used.
    // The message is freed at the end of this function, and only there.
    unsafe {
        let to = socket(L);
        let push = lua_toboolean(L, 6) != 0;
        let request = check_request(L, 2);
        let tag = match lua_type(L, 7) {
            LUA_TSTRING => Some(check_bytes(L, 7)),
            _ => None,
        };
        let (session, payload) = (request.session, request.bytes());
        let head = wire::request(request.address, session, request.size, push);
        let long = wire::is_long_request(payload.len());
        // Nothing may come between a tag and its request.
        let announced = tag.is_none_or(|tag| {
            let tag = &tag[..tag.len().min(PART)];
            let head = wire::trace(tag.len());
            if long {
                send(L, to, &head, tag)
            } else {
                outbox(L).add(to, head.bytes(), tag)
            }
        });
        let sent = announced
            && if long {
                send_long(L, to, &head, payload, |size, last| {
                    wire::part_of_request(session, size, last)
                })
            } else {
                outbox(L).add(to, head.bytes(), payload)
            };
        skynet_free(request.payload);
        lua_pushboolean(L, sent.into());
        // Without an answer, and in one frame, it needs no session.
        let used = long || !push;
        lua_pushinteger(
            L,
            if used {
                request.next_session()
            } else {
                session.into()
            },
        );
    }
    2
}

/// `respond(fd, session, ok, msg, size)`: sends a response, or an error with a text,
/// which is cut if it is too long. The message stays the caller's. Whether the socket
/// takes it.
unsafe extern "C-unwind" fn respond(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue; one slot is used.
    unsafe {
        let to = socket(L);
        let session = luaL_checkinteger(L, 2) as u32;
        let ok = lua_toboolean(L, 3) != 0;
        let payload = check_payload(L, 4);
        let sent = if ok && wire::is_long_response(payload.len()) {
            let Ok(size) = u32::try_from(payload.len()) else {
                return luaL_argerror(L, 4, c"message too long".as_ptr());
            };
            let begin = wire::long_response(session, size);
            send_long(L, to, &begin, payload, |size, last| {
                wire::part_of_response(session, size, last)
            })
        } else {
            let payload = &payload[..payload.len().min(PART)];
            let head = wire::response(session, ok, payload.len());
            outbox(L).add(to, head.bytes(), payload)
        };
        lua_pushboolean(L, sent.into());
    }
    1
}

/// `flush()`: sends what waits to be sent with more.
unsafe extern "C-unwind" fn flush(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the outbox as upvalue.
    unsafe { outbox(L).flush() };
    0
}

/// `together()`: from now on short frames wait for more as long as messages wait for
/// the service. Returns a value to be closed after each message, which sends them when
/// none does.
unsafe extern "C-unwind" fn together(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the outbox as upvalue; one slot is used.
    unsafe {
        outbox(L).waits = true;
        lua_pushvalue(L, lua_upvalueindex(2));
    }
    1
}

/// Where a request goes, when the bytes it was read from are gone.
enum Service {
    Handle(u32),
    Name(Box<[u8]>),
}

/// What is known of a long request from its beginning on.
struct Call {
    service: Service,
    push: bool,
    tag: Option<Box<[u8]>>,
}

/// What comes from another node's services.
#[derive(Default)]
struct Requests {
    parts: Parts<Call, Block>,
    /// Of the next request.
    tag: Option<Box<[u8]>>,
    /// The one that is handed to Lua: an error must not lose it.
    joined: Option<Joined<Call, Block>>,
}

impl Object for Requests {
    const NAME: &'static CStr = c"skynet.cluster.requests";
}

/// What comes in answer to this node's requests.
#[derive(Default)]
struct Responses {
    parts: Parts<(), Block>,
}

impl Object for Responses {
    const NAME: &'static CStr = c"skynet.cluster.responses";
}

/// How much a connection's long messages may hold while they are not complete, unless
/// another limit is given. Bytes.
const LIMIT: lua_Integer = 256 << 20;

/// The limit in argument 1.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a destructor.
unsafe fn limit(L: *mut lua_State) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        match usize::try_from(luaL_optinteger(L, 1, LIMIT)) {
            Ok(limit) => limit,
            Err(_) => luaL_argerror(L, 1, c"limit is negative".as_ptr()) as usize,
        }
    }
}

/// `requests(limit)`: a function that takes a connection's frames, `(frame, size)`, of
/// which it keeps at most so many bytes (256 MiB without a number). It returns
///
/// * address, session, whether nobody waits for an answer, the trace's tag or nil, and
///   message and size, which are the caller's: a request;
/// * false and a session: a long request that is not as long as it should be;
/// * nil and a text: what is wrong, and the frame is of no use, nor is what follows;
/// * nothing: there is more to come.
unsafe extern "C-unwind" fn requests(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the object is on the stack when it is filled.
    unsafe {
        let limit = limit(L);
        let requests = object::push::<Requests>(L);
        (*requests).parts = Parts::new(limit);
        lua_pushcclosure(L, read_request, 1);
    }
    1
}

/// `responses(limit)`: a function that takes a connection's frames, `(frame, size)`, and
/// frees them; it keeps at most so many bytes (256 MiB without a number). It returns
///
/// * session, whether it is no error, and message and size, which are the caller's;
/// * false and a session: a long response that is not as long as it should be;
/// * nil and a text: what is wrong, and the frame is of no use, nor is what follows;
/// * nothing: there is more to come.
unsafe extern "C-unwind" fn responses(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the object is on the stack when it is filled.
    unsafe {
        let limit = limit(L);
        let responses = object::push::<Responses>(L);
        (*responses).parts = Parts::new(limit);
        lua_pushcclosure(L, read_response, 1);
    }
    1
}

/// Bytes of a fault's text at most.
const TEXT: usize = 96;

/// Pushes nil and what is wrong.
///
/// # Safety
/// As [`limit`]; two slots are used.
#[cold]
unsafe fn push_fault(L: *mut lua_State, fault: impl std::fmt::Display) -> c_int {
    let mut space = [0; TEXT];
    let text = wire::text(&mut space, fault);
    // SAFETY: the caller's promise.
    unsafe {
        lua_pushnil(L);
        push_bytes(L, text);
    }
    2
}

/// Pushes false and a session.
///
/// # Safety
/// As [`limit`]; two slots are used.
#[cold]
unsafe fn push_mismatch(L: *mut lua_State, session: u32) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        lua_pushboolean(L, 0);
        lua_pushinteger(L, session.into());
    }
    2
}

/// Pushes a trace's tag, or nil. One slot is used.
///
/// # Safety
/// As [`limit`].
unsafe fn push_tag(L: *mut lua_State, tag: Option<&[u8]>) {
    // SAFETY: the caller's promise.
    unsafe {
        match tag {
            Some(tag) => push_bytes(L, tag),
            None => lua_pushnil(L),
        }
    }
}

/// What [`requests`] returns.
unsafe extern "C-unwind" fn read_request(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the object as upvalue; six slots are used. What is
    // owned stays in the object while Lua is called, and the block is given away at the
    // end, where nothing can fail.
    unsafe {
        let frame = check_frame(L);
        let Some(requests) = object::test::<Requests>(L, lua_upvalueindex(1)) else {
            return 0;
        };
        match Request::read(frame) {
            Ok(Request::Whole {
                address,
                session,
                payload,
            }) => {
                push_address(L, address);
                lua_pushinteger(L, session.into());
                lua_pushboolean(L, (session == 0).into());
                push_tag(L, requests.tag.as_deref());
                requests.tag = None;
                push_message(L, payload);
                6
            }
            Ok(Request::Begin {
                address,
                session,
                size,
                push,
            }) => {
                let tag = requests.tag.take();
                let (service, name) = match address {
                    Address::Handle(handle) => (Service::Handle(handle), 0),
                    Address::Name(name) => (Service::Name(name.into()), name.len()),
                };
                let extra = name + tag.as_ref().map_or(0, |tag| tag.len());
                let call = Call { service, push, tag };
                match requests.parts.begin(session, size, call, extra) {
                    Ok(()) => 0,
                    Err(fault) => push_fault(L, fault),
                }
            }
            Ok(Request::Part {
                session,
                payload,
                last,
            }) => match requests.parts.add(session, payload, last) {
                Ok(None) => 0,
                Ok(joined) => {
                    requests.joined = joined;
                    push_joined(L, requests, session)
                }
                Err(fault) => push_fault(L, fault),
            },
            Ok(Request::Trace(tag)) => {
                requests.tag = Some(tag.into());
                0
            }
            Err(fault) => push_fault(L, fault),
        }
    }
}

/// Pushes a long request.
///
/// # Safety
/// As [`read_request`].
unsafe fn push_joined(L: *mut lua_State, requests: &mut Requests, session: u32) -> c_int {
    let Some(joined) = &mut requests.joined else {
        return 0;
    };
    // SAFETY: the caller's promise.
    unsafe {
        if joined.content.is_none() {
            requests.joined = None;
            return push_mismatch(L, session);
        }
        push_address(
            L,
            match &joined.meta.service {
                Service::Handle(handle) => Address::Handle(*handle),
                Service::Name(name) => Address::Name(name),
            },
        );
        lua_pushinteger(L, session.into());
        lua_pushboolean(L, joined.meta.push.into());
        push_tag(L, joined.meta.tag.as_deref());
        push_content(L, joined.content.take(), joined.size);
        requests.joined = None;
    }
    6
}

/// Pushes a message, which is given away, and its size. Two slots are used; nothing can
/// fail.
///
/// # Safety
/// As [`read_request`].
unsafe fn push_content(L: *mut lua_State, content: Option<Block>, size: usize) {
    let block = content.map_or(ptr::null_mut(), Block::into_raw);
    // SAFETY: the caller's promise.
    unsafe {
        lua_pushlightuserdata(L, block);
        lua_pushinteger(L, size as lua_Integer);
    }
}

/// What [`responses`] returns.
unsafe extern "C-unwind" fn read_response(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the object as upvalue, and with a message of the size
    // that comes with it, which is the contract of this function; four slots are used.
    // Nothing can fail while a block is owned: what a short response is pushed with
    // allocates nothing.
    unsafe {
        if lua_type(L, 1) != LUA_TLIGHTUSERDATA {
            return luaL_argerror(L, 1, c"message expected".as_ptr());
        }
        let block = lua_touserdata(L, 1);
        let frame = check_frame(L);
        let Some(responses) = object::test::<Responses>(L, lua_upvalueindex(1)) else {
            return 0;
        };
        let added = match wire::read_response(frame) {
            Some((session, Answer::Error(bytes))) => {
                return push_short(L, session, false, block.cast(), bytes.len());
            }
            Some((session, Answer::Whole(bytes))) => {
                return push_short(L, session, true, block.cast(), bytes.len());
            }
            Some((session, Answer::Begin(size))) => responses
                .parts
                .begin(session, size, (), 0)
                .map(|()| (session, None)),
            Some((session, Answer::Part(bytes))) => responses
                .parts
                .add(session, bytes, false)
                .map(|_| (session, None)),
            Some((session, Answer::Last(bytes))) => responses
                .parts
                .add(session, bytes, true)
                .map(|joined| (session, joined)),
            None => {
                skynet_free(block);
                return push_fault(L, "Invalid cluster response");
            }
        };
        skynet_free(block);
        match added {
            Ok((_, None)) => 0,
            Ok((session, Some(joined))) if joined.content.is_none() => push_mismatch(L, session),
            Ok((session, Some(joined))) => {
                lua_pushinteger(L, session.into());
                lua_pushboolean(L, 1);
                push_content(L, joined.content, joined.size);
                4
            }
            Err(fault) => push_fault(L, fault),
        }
    }
}

/// Pushes a short response, whose frame's block becomes its message.
///
/// # Safety
/// As [`read_response`]; the block ends with `size` bytes of payload behind a head.
unsafe fn push_short(
    L: *mut lua_State,
    session: u32,
    ok: bool,
    block: *mut u8,
    size: usize,
) -> c_int {
    // SAFETY: the caller's promise; both are within the block.
    unsafe {
        block.copy_from(block.add(wire::RESPONSE_HEAD), size);
        lua_pushinteger(L, session.into());
        lua_pushboolean(L, ok.into());
        lua_pushlightuserdata(L, block.cast());
        lua_pushinteger(L, size as lua_Integer);
    }
    4
}
