//! Lua tables as messages.

use std::ffi::{CStr, c_int};
use std::slice;

use mlua_sys::*;

use super::schema::{Container, Field, Kind, Schema, Type};
use super::wire::{Full, Numbers, Open, Output};
use super::{MAX_DEPTH, raise_full};

/// Slots that a struct needs beside those of the structs in it.
const SLOTS: c_int = 12;

/// Writes structs of a schema. It has no destructor: Lua errors pass over it.
pub(super) struct Encoder<'a> {
    pub L: *mut lua_State,
    pub schema: &'a Schema,
    /// Where to write. Lua code that runs in between never reaches it, but a
    /// reference to it is held for one call only.
    pub out: *mut Output,
}

/// A field at work, for error messages: its struct and the index in its array.
#[derive(Clone, Copy)]
struct Place<'a> {
    of: &'a Type,
    field: &'a Field,
    index: lua_Integer,
}

/// An array of a kind that is no struct.
enum Values {
    Numbers(Numbers),
    /// Booleans or strings.
    Plain,
}

impl Encoder<'_> {
    /// Raises an error if a write failed.
    ///
    /// # Safety
    /// As all functions here: nothing on the frames up to the next protected call
    /// has a destructor.
    #[inline]
    unsafe fn check<T>(&self, result: Result<T, Full>) -> T {
        match result {
            Ok(value) => value,
            // SAFETY: the caller's promise.
            Err(full) => unsafe { raise_full(self.L, full) },
        }
    }

    #[inline]
    #[allow(clippy::mut_from_ref)]
    unsafe fn out(&self) -> &mut Output {
        // SAFETY: the output outlives the encoder, and callers let go of the
        // reference before they call Lua or ask for another.
        unsafe { &mut *self.out }
    }

    /// Raises that a value is of the wrong type.
    #[cold]
    unsafe fn mismatch(&self, place: Place, expected: &CStr) -> ! {
        // SAFETY: as above; the value is on top of the stack, and the names are of
        // the schema.
        unsafe {
            luaL_error(
                self.L,
                c"%s.%s[%d] is not %s (Is a %s)".as_ptr(),
                place.of.name.as_ptr(),
                place.field.name.as_ptr(),
                place.index as c_int,
                expected.as_ptr(),
                lua_typename(self.L, lua_type(self.L, -1)),
            );
            lua_error(self.L)
        }
    }

    /// Writes the value at index `table` as a struct.
    ///
    /// # Safety
    /// Called in a C function of `L` with nothing on its frames that has a
    /// destructor; `table` is an absolute index. The stack is left as it was.
    pub(super) unsafe fn structure(&self, of: &Type, table: c_int, depth: c_int) {
        // SAFETY: the caller's promise; SLOTS are there after enter.
        unsafe {
            let mut open = self.enter(of, depth);
            for field in &of.fields {
                if lua_getfield(self.L, table, field.name.as_ptr()) == LUA_TNIL {
                    lua_settop(self.L, -2);
                } else {
                    self.field(of, field, &mut open, depth);
                }
            }
            self.out().close(open);
        }
    }

    /// Writes a key and a value, in the two slots on top, as a struct of a map.
    unsafe fn pair(&self, of: &Type, depth: c_int) {
        // SAFETY: as in structure. The schema has two fields or more where it has
        // a map; the others have no value.
        unsafe {
            let key = lua_gettop(self.L) - 1;
            let mut open = self.enter(of, depth);
            for (field, slot) in of.fields.iter().zip([key, key + 1]) {
                lua_pushvalue(self.L, slot);
                if lua_type(self.L, -1) == LUA_TNIL {
                    lua_settop(self.L, -2);
                } else {
                    self.field(of, field, &mut open, depth);
                }
            }
            self.out().close(open);
        }
    }

    unsafe fn enter(&self, of: &Type, depth: c_int) -> Open {
        // SAFETY: as in structure.
        unsafe {
            if depth >= MAX_DEPTH && !of.fields.is_empty() {
                luaL_error(self.L, c"The table is too deep".as_ptr());
            }
            luaL_checkstack(self.L, SLOTS, std::ptr::null());
            self.check(self.out().open(of.max_records))
        }
    }

    /// Writes the value on top of the stack, which is not nil, as a field, and
    /// pops it.
    unsafe fn field(&self, of: &Type, field: &Field, open: &mut Open, depth: c_int) {
        let place = Place {
            of,
            field,
            index: 0,
        };
        // SAFETY: as in structure. A string stays on the stack until it is copied.
        unsafe {
            if field.container != Container::One {
                self.array(place, open, depth);
                lua_settop(self.L, -2);
                return;
            }
            match field.kind {
                Kind::Integer { scale } => {
                    let value = self.integer(place, scale);
                    self.check(self.out().integer(open, field.tag, value));
                }
                Kind::Boolean => {
                    let value = self.boolean(place);
                    self.check(self.out().integer(open, field.tag, value.into()));
                }
                Kind::Double => {
                    let value = lua_tonumber(self.L, -1);
                    self.check(self.out().double(open, field.tag, value));
                }
                Kind::String { .. } => {
                    let value = self.string(place);
                    self.check(self.out().string(open, field.tag, value));
                }
                Kind::Struct(index) => {
                    let length = self.check(self.out().begin());
                    if let Some(kind) = self.schema.types.get(index) {
                        self.structure(kind, lua_gettop(self.L), depth + 1);
                    }
                    self.out().end_field(length, open, field.tag);
                }
            }
            lua_settop(self.L, -2);
        }
    }

    /// The value on top as an integer; multiplied, if there is a scale.
    #[inline]
    unsafe fn integer(&self, place: Place, scale: i32) -> i64 {
        // SAFETY: as in field.
        unsafe {
            if scale != 0 {
                let scaled = (lua_tonumber(self.L, -1) * f64::from(scale)).round();
                const LIMIT: f64 = (1_u64 << 63) as f64;
                // Out of range is the least integer, as x86 converts.
                return if (-LIMIT..LIMIT).contains(&scaled) {
                    scaled as i64
                } else {
                    i64::MIN
                };
            }
            let mut is_integer = 0;
            let value = lua_tointegerx(self.L, -1, &mut is_integer);
            if is_integer == 0 {
                self.mismatch(place, c"an integer");
            }
            value
        }
    }

    #[inline]
    unsafe fn boolean(&self, place: Place) -> bool {
        // SAFETY: as in field.
        unsafe {
            if lua_type(self.L, -1) != LUA_TBOOLEAN {
                self.mismatch(place, c"a boolean");
            }
            lua_toboolean(self.L, -1) != 0
        }
    }

    /// The string on top; it lives as long as it is on the stack.
    #[inline]
    unsafe fn string<'s>(&self, place: Place) -> &'s [u8] {
        // SAFETY: as in field; Lua gives the address and size of the string.
        unsafe {
            if lua_type(self.L, -1) != LUA_TSTRING {
                self.mismatch(place, c"a string");
            }
            let mut size = 0;
            let start = lua_tolstring(self.L, -1, &mut size);
            slice::from_raw_parts(start.cast(), size)
        }
    }

    /// Writes the value on top, which stays, as an array.
    unsafe fn array(&self, place: Place, open: &mut Open, depth: c_int) {
        let L = self.L;
        // SAFETY: as in field. What __pairs gives is kept in three slots.
        unsafe {
            let array = lua_gettop(L);
            let pairs = luaL_getmetafield(L, array, c"__pairs".as_ptr()) != LUA_TNIL;
            if pairs {
                lua_pushvalue(L, array);
                lua_call(L, 1, 3);
            } else if lua_type(L, array) != LUA_TTABLE {
                luaL_error(
                    L,
                    c"%s.%s(%d) should be a table or an userdata with metamethods (Is a %s)"
                        .as_ptr(),
                    place.of.name.as_ptr(),
                    place.field.name.as_ptr(),
                    1 as c_int,
                    lua_typename(L, lua_type(L, array)),
                );
            } else {
                lua_pushnil(L);
            }
            let mut values = Values::Plain;
            let length = match place.field.kind {
                Kind::Integer { .. } | Kind::Double => {
                    let numbers = self.check(self.out().begin_numbers());
                    values = Values::Numbers(numbers);
                    numbers.length()
                }
                _ => self.check(self.out().begin()),
            };
            let mut place = place;
            loop {
                place.index += 1;
                if place.field.container == Container::List {
                    if lua_geti(L, array, place.index) == LUA_TNIL {
                        break;
                    }
                } else if !self.next(array, pairs) {
                    break;
                }
                if let (Container::Map(_), Kind::Struct(index)) =
                    (place.field.container, place.field.kind)
                {
                    let entry = self.check(self.out().begin());
                    if let Some(kind) = self.schema.types.get(index) {
                        self.pair(kind, depth + 1);
                    }
                    self.out().end(entry);
                } else if lua_type(L, -1) == LUA_TNIL {
                    break;
                } else {
                    self.element(place, &mut values, depth);
                }
                lua_settop(L, -2);
            }
            self.out().end_field(length, open, place.field.tag);
            lua_settop(L, array);
        }
    }

    /// The next pair of the table at `array`: replaces the key on top by the next
    /// key and its value. False after the last one.
    unsafe fn next(&self, array: c_int, pairs: bool) -> bool {
        let L = self.L;
        // SAFETY: as in array, which put function, state and key behind the table.
        unsafe {
            if !pairs {
                return lua_next(L, array) != 0;
            }
            lua_pushvalue(L, array + 1);
            lua_pushvalue(L, array + 2);
            lua_pushvalue(L, array + 3);
            lua_call(L, 2, 2);
            if lua_type(L, -2) == LUA_TNIL {
                return false;
            }
            lua_remove(L, array + 3);
            true
        }
    }

    /// Writes the value on top as an element of an array.
    #[inline]
    unsafe fn element(&self, place: Place, values: &mut Values, depth: c_int) {
        // SAFETY: as in field.
        unsafe {
            match (place.field.kind, values) {
                (Kind::Integer { scale }, Values::Numbers(numbers)) => {
                    let value = self.integer(place, scale);
                    self.check(self.out().number(numbers, value));
                }
                (_, Values::Numbers(numbers)) => {
                    let value = lua_tonumber(self.L, -1).to_bits() as i64;
                    self.check(self.out().wide_number(numbers, value));
                }
                (Kind::Boolean, _) => {
                    let value = self.boolean(place);
                    self.check(self.out().append(&[value.into()]));
                }
                (Kind::Struct(index), _) => {
                    let length = self.check(self.out().begin());
                    if let Some(kind) = self.schema.types.get(index) {
                        self.structure(kind, lua_gettop(self.L), depth + 1);
                    }
                    self.out().end(length);
                }
                _ => {
                    let value = self.string(place);
                    self.check(self.out().element(value));
                }
            }
        }
    }
}
