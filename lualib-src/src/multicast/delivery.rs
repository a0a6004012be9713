//! Deposits, groups and inboxes for Lua.

use std::ffi::{CStr, c_int};
use std::ptr;
use std::sync::Arc;

use mlua_sys::*;
use skynet_abi::{
    PTYPE_MULTICAST, PTYPE_TAG_DONTCOPY, skynet_context, skynet_current_handle, skynet_send,
};

use super::carrier::{check_bytes, copy};
use super::exchange::{Deposits, Directory, Inbox};
use super::payload::Payload;
use crate::core::context;
use crate::library::Entry;
use crate::object::{self, Object};
use crate::seri;

pub(super) const FUNCTIONS: [Entry; 7] = [
    (c"deposit", deposit),
    (c"depositcopy", deposit_copy),
    (c"withdraw", withdraw),
    (c"keeper", keeper),
    (c"receiver", receiver),
    (c"group", group),
    (c"count", count),
];

pub(super) const SERVICE_FUNCTIONS: [Entry; 2] = [(c"publish", publish), (c"forward", forward)];

/// What the subscribers of a channel share.
struct Package {
    channel: u32,
    payload: Payload,
}

static DEPOSITS: Deposits<Payload> = Deposits::new();
static INBOXES: Directory<Package> = Directory::new();

/// A service's own side of its inbox, which ends with it.
#[derive(Default)]
struct Receiver(Option<Arc<Inbox<Package>>>);

impl Object for Receiver {
    const NAME: &'static CStr = c"multicast receiver";
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(inbox) = &self.0 {
            INBOXES.close(inbox);
        }
    }
}

/// A package whose payload Lua reads in place.
#[derive(Default)]
struct Held(Option<Arc<Package>>);

impl Object for Held {
    const NAME: &'static CStr = c"multicast package";
    const METAMETHODS: &'static [Entry] = &[(c"__close", object::collect::<Held>)];
}

/// The subscribers of a channel.
#[derive(Default)]
struct Group(super::exchange::Group<Package>);

impl Object for Group {
    const NAME: &'static CStr = c"multicast group";
    const METHODS: &'static [Entry] = &[(c"add", add), (c"remove", remove)];
}

/// Multicastd's. An empty one is left behind when it is collected, and does nothing.
#[derive(Default)]
struct Keeper(bool);

impl Object for Keeper {
    const NAME: &'static CStr = c"multicast keeper";
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.0 {
            DEPOSITS.clear();
        }
    }
}

/// `deposit(data, size)`: keeps a payload, a block that is given away, and returns its
/// ticket, which means something to all services of the process.
unsafe extern "C-unwind" fn deposit(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with a block of this size that is given away; one slot is
    // used. An integer is no object, so pushing it cannot fail.
    unsafe {
        let (data, size) = check_bytes(L);
        let ticket = DEPOSITS.put(Payload::from_raw(data, size));
        lua_pushinteger(L, ticket);
    }
    1
}

/// `depositcopy(data, size)`: the same with a copy of the payload.
unsafe extern "C-unwind" fn deposit_copy(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with an address of as many bytes; one slot is used.
    unsafe {
        let (data, size) = check_bytes(L);
        let payload = Payload::from_raw(copy(L, data, size), size);
        lua_pushinteger(L, DEPOSITS.put(payload));
    }
    1
}

/// `withdraw(ticket)`: frees what was deposited, if nobody has taken it.
unsafe extern "C-unwind" fn withdraw(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    let ticket = unsafe { luaL_checkinteger(L, 1) };
    drop(DEPOSITS.take(ticket));
    0
}

/// `keeper()`: makes this service the one with whose end all deposits end. It is
/// multicastd: nobody else takes them.
unsafe extern "C-unwind" fn keeper(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; four slots are used. The registry keeps the object as long
    // as the Lua state is there, and not until some collection of garbage.
    unsafe {
        let keeper = object::push::<Keeper>(L);
        lua_setfield(
            L,
            LUA_REGISTRYINDEX,
            c"multicast keeper of this state".as_ptr(),
        );
        (*keeper).0 = true;
    }
    0
}

/// `group()`: a channel's subscribers, none yet.
unsafe extern "C-unwind" fn group(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; four slots are used.
    unsafe { object::push::<Group>(L) };
    1
}

/// The group in an argument; a Lua error if it is none.
///
/// # Safety
/// As [`object::test`]; nothing on the caller's frames has a destructor.
unsafe fn check_group<'a>(L: *mut lua_State, arg: c_int) -> &'a mut Group {
    // SAFETY: the caller's promise; what passes luaL_checkudata passes the test.
    unsafe {
        let found = luaL_checkudata(L, arg, Group::NAME.as_ptr());
        &mut *found.cast()
    }
}

/// `group:add(handle)`: adds a service, once; a Lua error if it has no receiver.
unsafe extern "C-unwind" fn add(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. Nothing is held when the error is raised.
    unsafe {
        let handle = luaL_checkinteger(L, 2) as u32;
        let group = check_group(L, 1);
        match INBOXES.find(handle) {
            Some(inbox) => group.0.add(inbox),
            None => {
                let text = c"no multicast receiver in the service %I";
                let text = lua_pushfstring(L, text.as_ptr(), lua_Integer::from(handle));
                return luaL_argerror(L, 2, text);
            }
        }
    }
    0
}

/// `group:remove(handle)`
unsafe extern "C-unwind" fn remove(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let handle = luaL_checkinteger(L, 2) as u32;
        check_group(L, 1).0.remove(handle);
    }
    0
}

/// `count(group)`: how many subscribers it has.
unsafe extern "C-unwind" fn count(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used.
    unsafe { lua_pushinteger(L, check_group(L, 1).0.len() as lua_Integer) };
    1
}

/// What was deposited under the ticket in the first argument.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a destructor.
unsafe fn take_deposit(L: *mut lua_State) -> Option<Payload> {
    // SAFETY: the caller's promise.
    DEPOSITS.take(unsafe { luaL_checkinteger(L, 1) })
}

/// `forward(ticket, source, channel, address)`: sends a deposit on to another node's
/// multicastd.
unsafe extern "C-unwind" fn forward(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue; the deposit is taken when all
    // arguments are known to be good.
    unsafe {
        let source = luaL_checkinteger(L, 2) as u32;
        let channel = luaL_checkinteger(L, 3) as c_int;
        let address = luaL_checkinteger(L, 4) as u32;
        if let Some(payload) = take_deposit(L) {
            let (data, size) = payload.into_raw();
            let kind = PTYPE_MULTICAST | PTYPE_TAG_DONTCOPY;
            skynet_send(context(L), source, address, kind, channel, data, size);
        }
    }
    0
}

/// `publish(ticket, source, channel, group, address, ...)`: what was deposited goes to
/// all of a group, in the name of `source`, and a copy to the multicastd of other nodes.
/// Returns how many the group has afterwards.
unsafe extern "C-unwind" fn publish(L: *mut lua_State) -> c_int {
    const FIRST_ADDRESS: c_int = 5;
    // SAFETY: called by Lua, with the service as upvalue; one slot is used. All that
    // can fail in Lua comes before the deposit is taken: reading an integer that is
    // there, and pushing one, cannot.
    unsafe {
        let service = context(L);
        let source = luaL_checkinteger(L, 2) as u32;
        let channel = luaL_checkinteger(L, 3) as u32;
        let group = check_group(L, 4);
        let last = lua_gettop(L);
        for arg in FIRST_ADDRESS..=last {
            luaL_checkinteger(L, arg);
        }
        if let Some(payload) = take_deposit(L) {
            for arg in FIRST_ADDRESS..=last {
                let address = lua_tointeger(L, arg) as u32;
                let (data, size) = (payload.data(), payload.size());
                let session = channel as c_int;
                skynet_send(
                    service,
                    source,
                    address,
                    PTYPE_MULTICAST,
                    session,
                    data,
                    size,
                );
            }
            let package = Arc::new(Package { channel, payload });
            group
                .0
                .publish(&package, |member| tell(service, source, member));
        }
        lua_pushinteger(L, group.0.len() as lua_Integer);
    }
    1
}

/// Tells a subscriber that a package is in its inbox; `false` if there is no such
/// service.
///
/// # Safety
/// `service` is live.
unsafe fn tell(service: *mut skynet_context, source: u32, member: u32) -> bool {
    // Session 0: if the subscriber ends before it handles this, the publisher learns
    // that it is gone, and no request of the publisher's is taken for failed.
    // SAFETY: the caller's promise.
    unsafe {
        skynet_send(
            service,
            source,
            member,
            PTYPE_MULTICAST,
            0,
            ptr::null_mut(),
            0,
        ) >= 0
    }
}

/// `receiver(channels, raw)`: opens this service's inbox, and returns the `unpack` of
/// its messages of the type multicast. That takes a package out, and returns:
///
/// * the value that `channels` has for the package's channel, and the values that were
///   packed;
/// * or the value that `raw` has for it, an object that keeps the package while it is
///   referred to and not closed, and the payload: address and size;
/// * or nothing, if neither has one.
///
/// A service opens one; the second is a Lua error.
unsafe extern "C-unwind" fn receiver(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; at most seven slots are used. The inbox belongs to an
    // object on the stack from its opening on.
    unsafe {
        luaL_checktype(L, 1, LUA_TTABLE);
        luaL_checktype(L, 2, LUA_TTABLE);
        lua_settop(L, 2);
        let receiver = object::push::<Receiver>(L);
        (*receiver).0 = INBOXES.open(skynet_current_handle());
        if (*receiver).0.is_none() {
            return luaL_error(L, c"this service has a multicast receiver already".as_ptr());
        }
        lua_rotate(L, 1, 1);
        lua_pushcclosure(L, receive, 3);
    }
    1
}

/// The function that [`receiver`] returns.
unsafe extern "C-unwind" fn receive(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the upvalues that `receiver` has given it; at most
    // four slots are used, beside the values that a call returns. A reference to the
    // package is held as a pointer, and given up or given away on every path; between
    // its taking and that there is nothing that raises an error: lua_rawgeti, pushes of
    // values that are no objects, and a protected call.
    unsafe {
        let receiver: *const Receiver = lua_touserdata(L, lua_upvalueindex(1)).cast();
        lua_settop(L, 0);
        let Some(package) = (*receiver).0.as_ref().and_then(|inbox| inbox.take()) else {
            return luaL_error(L, c"no multicast package has come".as_ptr());
        };
        let package = Arc::into_raw(package);
        let channel = lua_Integer::from((*package).channel);
        if lua_rawgeti(L, lua_upvalueindex(2), channel) != LUA_TNIL {
            lua_pushcclosure(L, seri::unpack, 0);
            lua_pushlightuserdata(L, (*package).payload.data());
            lua_pushinteger(L, (*package).payload.size() as lua_Integer);
            let status = lua_pcall(L, 2, LUA_MULTRET, 0);
            drop(Arc::from_raw(package));
            if status != LUA_OK {
                lua_error(L);
            }
            return lua_gettop(L);
        }
        lua_settop(L, 0);
        if lua_rawgeti(L, lua_upvalueindex(3), channel) == LUA_TNIL {
            drop(Arc::from_raw(package));
            return 0;
        }
        lua_pushcclosure(L, hold, 0);
        lua_pushlightuserdata(L, package.cast_mut().cast());
        if lua_pcall(L, 1, 1, 0) != LUA_OK {
            drop(Arc::from_raw(package));
            lua_error(L);
        }
        // The object on the stack has it now.
        lua_pushlightuserdata(L, (*package).payload.data());
        lua_pushinteger(L, (*package).payload.size() as lua_Integer);
    }
    4
}

/// An object that takes the reference over which its argument is; if it fails, the
/// caller keeps that.
unsafe extern "C-unwind" fn hold(L: *mut lua_State) -> c_int {
    // SAFETY: `receive` calls it with a reference as a pointer; four slots are used.
    // Nothing fails after the object is there.
    unsafe {
        let package: *const Package = lua_touserdata(L, 1).cast();
        let held = object::push::<Held>(L);
        (*held).0 = Some(Arc::from_raw(package));
    }
    1
}
