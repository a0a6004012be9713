//! Rust values as Lua userdata, dropped when Lua collects them.

use std::ffi::{CStr, c_int};

use mlua_sys::*;

use crate::library::{self, Entry};

/// What a userdata can hold. The empty value is what is left behind when Lua
/// collects it: finalisers of other objects, or a program that calls `__gc` by
/// hand, may still use the userdata.
pub(crate) trait Object: Default {
    /// The name of its metatable, which no other type has.
    const NAME: &'static CStr;
    /// What `object:method()` finds.
    const METHODS: &'static [Entry] = &[];
    /// What Lua itself finds, beside `__gc` and `__index`.
    const METAMETHODS: &'static [Entry] = &[];
    /// How many Lua values each object keeps.
    const USER_VALUES: c_int = 0;
}

/// Pushes an empty object. Four slots are used. The pointer is valid as long as
/// the userdata is on the stack or referred to.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor.
pub(crate) unsafe fn push<T: Object>(L: *mut lua_State) -> *mut T {
    // Lua aligns userdata for a pointer.
    const { assert!(align_of::<T>() <= align_of::<*const u8>()) };
    // SAFETY: the caller's promise. The metatable comes first, so that nothing can
    // fail between the object's birth and its finaliser. The userdata is large
    // enough for the object, and aligned.
    unsafe {
        if luaL_newmetatable(L, T::NAME.as_ptr()) != 0 {
            lua_pushcclosure(L, collect::<T>, 0);
            lua_setfield(L, -2, c"__gc".as_ptr());
            library::add(L, T::METAMETHODS);
            if !T::METHODS.is_empty() {
                lua_createtable(L, 0, T::METHODS.len() as c_int);
                library::add(L, T::METHODS);
                lua_setfield(L, -2, c"__index".as_ptr());
            }
        }
        let object = lua_newuserdatauv(L, size_of::<T>(), T::USER_VALUES).cast::<T>();
        object.write(T::default());
        lua_rotate(L, -2, 1);
        lua_setmetatable(L, -2);
        object
    }
}

/// The object in an argument, if it is one.
///
/// # Safety
/// Called from a C function of `L`. The reference is not used beside another one
/// to the same argument, nor after the argument has left the stack.
pub(crate) unsafe fn test<'a, T: Object>(L: *mut lua_State, arg: c_int) -> Option<&'a mut T> {
    // SAFETY: only push gives this metatable, to a userdata with a T in it; the
    // stack keeps it alive, and a Lua state runs on one thread.
    unsafe {
        luaL_testudata(L, arg, T::NAME.as_ptr())
            .cast::<T>()
            .as_mut()
    }
}

/// The finaliser; also a `__close`, for objects that may be dropped early.
///
/// # Safety
/// Called by Lua.
pub(crate) unsafe extern "C-unwind" fn collect<T: Object>(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the reference is used for this statement only.
    unsafe {
        if let Some(object) = test::<T>(L, 1) {
            std::mem::take(object);
        }
    }
    0
}
