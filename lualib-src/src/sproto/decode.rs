//! Messages as Lua tables.

use std::ffi::c_int;

use mlua_sys::*;

use super::MAX_DEPTH;
use super::schema::{Container, Field, Kind, Schema, Type};
use super::wire::{Elements, Message, Part, Step, number, numbers};

/// Slots that a struct needs beside those of the structs in it.
const SLOTS: c_int = 12;

/// Bytes that are no message of their type.
pub(super) struct Malformed;

/// Reads structs of a schema. It has no destructor: Lua errors pass over it.
pub(super) struct Decoder<'a> {
    pub L: *mut lua_State,
    pub schema: &'a Schema,
}

/// Where the fields of a struct go: absolute indices of the Lua stack.
#[derive(Clone, Copy)]
pub(super) enum Target {
    Table(c_int),
    /// A table, and the field of this tag into the slot after it, too.
    Keyed(c_int, u16),
    /// The first two fields into this slot and the next.
    Pair(c_int),
}

impl Decoder<'_> {
    /// Reads a struct. Returns how many bytes it took.
    ///
    /// # Safety
    /// Called in a C function of `L` with nothing on its frames that has a
    /// destructor; the target's slots are there. The stack is left as it was, but
    /// not after a failure.
    pub(super) unsafe fn structure(
        &self,
        of: &Type,
        bytes: &[u8],
        target: Target,
        depth: c_int,
    ) -> Result<usize, Malformed> {
        // SAFETY: the caller's promise.
        unsafe {
            luaL_checkstack(self.L, SLOTS, std::ptr::null());
            let mut message = Message::new(bytes).ok_or(Malformed)?;
            loop {
                match message.step() {
                    Step::Field(tag, part) => {
                        let Some(position) = of.find(tag) else {
                            continue;
                        };
                        let Some(field) = of.fields.get(position) else {
                            continue;
                        };
                        if depth >= MAX_DEPTH {
                            luaL_error(self.L, c"The table is too deep".as_ptr());
                        }
                        self.push(field, part, depth)?;
                        self.store(target, field, position);
                    }
                    Step::Skip => {}
                    Step::End => return Ok(bytes.len() - message.rest().len()),
                    Step::Cut => return Err(Malformed),
                }
            }
        }
    }

    /// Pops a field's value into its place.
    #[inline]
    unsafe fn store(&self, target: Target, field: &Field, position: usize) {
        let L = self.L;
        // SAFETY: as in structure; the value is on top.
        unsafe {
            match target {
                Target::Table(table) => lua_setfield(L, table, field.name.as_ptr()),
                Target::Keyed(table, key) => {
                    if field.tag == key && field.container == Container::One {
                        lua_pushvalue(L, -1);
                        lua_replace(L, table + 1);
                    }
                    lua_setfield(L, table, field.name.as_ptr());
                }
                Target::Pair(slot) => match position {
                    0 => lua_replace(L, slot),
                    1 => lua_replace(L, slot + 1),
                    _ => lua_settop(L, -2),
                },
            }
        }
    }

    /// Pushes a field's value.
    #[inline]
    unsafe fn push(&self, field: &Field, part: Part, depth: c_int) -> Result<(), Malformed> {
        // SAFETY: as in structure, which checked the stack.
        unsafe {
            match (part, field.container, field.kind) {
                (Part::Data(bytes), Container::One, Kind::String { .. }) => self.bytes(bytes),
                (Part::Data(bytes), Container::One, Kind::Struct(index)) => {
                    self.table(index, bytes, depth)?;
                }
                (Part::Data(bytes), Container::One, Kind::Integer { scale }) => {
                    self.integer(number(bytes).ok_or(Malformed)?, scale);
                }
                (Part::Data(bytes), Container::One, Kind::Double) => {
                    self.double(number(bytes).ok_or(Malformed)?);
                }
                (Part::Data(bytes), Container::List | Container::Keyed(_), _) => {
                    self.array(field, bytes, depth)?;
                }
                (Part::Data(bytes), Container::Map(_), Kind::Struct(index)) => {
                    self.map(field, index, bytes, depth)?;
                }
                (Part::Small(value), Container::One, Kind::Integer { scale }) => {
                    self.integer(value.into(), scale);
                }
                (Part::Small(value), Container::One, Kind::Boolean) => {
                    lua_pushboolean(self.L, (value != 0).into());
                }
                _ => return Err(Malformed),
            }
        }
        Ok(())
    }

    #[inline]
    unsafe fn bytes(&self, bytes: &[u8]) {
        // SAFETY: as in push.
        unsafe { lua_pushlstring(self.L, bytes.as_ptr().cast(), bytes.len()) };
    }

    #[inline]
    unsafe fn integer(&self, value: i64, scale: i32) {
        // SAFETY: as in push.
        unsafe {
            if scale == 0 {
                lua_pushinteger(self.L, value);
            } else {
                lua_pushnumber(self.L, value as f64 / f64::from(scale));
            }
        }
    }

    #[inline]
    unsafe fn double(&self, value: i64) {
        // SAFETY: as in push.
        unsafe { lua_pushnumber(self.L, f64::from_bits(value as u64)) };
    }

    /// The type that a field names.
    fn kind(&self, index: usize) -> Result<&Type, Malformed> {
        self.schema.types.get(index).ok_or(Malformed)
    }

    /// Reads a struct that takes all of `bytes`.
    unsafe fn whole(
        &self,
        of: &Type,
        bytes: &[u8],
        target: Target,
        depth: c_int,
    ) -> Result<(), Malformed> {
        // SAFETY: as in structure.
        let size = unsafe { self.structure(of, bytes, target, depth + 1)? };
        if size == bytes.len() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// Pushes an empty table with room for the fields that a struct may have: no
    /// more than its records.
    ///
    /// # Safety
    /// As [`structure`](Self::structure); one slot is used.
    pub(super) unsafe fn room(&self, of: &Type, bytes: &[u8]) {
        let records = Message::new(bytes).map_or(0, |message| message.record_count());
        let fields = of.fields.len();
        // SAFETY: the caller's promise.
        unsafe { lua_createtable(self.L, 0, records.min(fields) as c_int) };
    }

    /// Pushes a struct.
    unsafe fn table(&self, index: usize, bytes: &[u8], depth: c_int) -> Result<(), Malformed> {
        let of = self.kind(index)?;
        // SAFETY: as in push.
        unsafe {
            self.room(of, bytes);
            let table = lua_gettop(self.L);
            self.whole(of, bytes, Target::Table(table), depth)
        }
    }

    /// Pushes an array, or structs under their keys.
    unsafe fn array(&self, field: &Field, bytes: &[u8], depth: c_int) -> Result<(), Malformed> {
        let L = self.L;
        // SAFETY: as in push. The counts are less than the bytes' number.
        unsafe {
            match field.kind {
                Kind::Integer { .. } | Kind::Double => {
                    let values = numbers(bytes).ok_or(Malformed)?;
                    lua_createtable(L, values.len() as c_int, 0);
                    for (value, index) in values.zip(1..) {
                        let value = number(value).ok_or(Malformed)?;
                        match field.kind {
                            Kind::Integer { scale } => self.integer(value, scale),
                            _ => self.double(value),
                        }
                        lua_rawseti(L, -2, index);
                    }
                }
                Kind::Boolean => {
                    lua_createtable(L, bytes.len() as c_int, 0);
                    for (&value, index) in bytes.iter().zip(1..) {
                        lua_pushboolean(L, (value != 0).into());
                        lua_rawseti(L, -2, index);
                    }
                }
                Kind::String { .. } => {
                    let count = Elements::new(bytes).count_all().ok_or(Malformed)?;
                    lua_createtable(L, count as c_int, 0);
                    for (value, index) in Elements::new(bytes).zip(1..) {
                        self.bytes(value.ok_or(Malformed)?);
                        lua_rawseti(L, -2, index);
                    }
                }
                Kind::Struct(kind) => {
                    let count = Elements::new(bytes).count_all().ok_or(Malformed)?;
                    if let Container::Keyed(key) = field.container {
                        lua_createtable(L, 0, count as c_int);
                        for value in Elements::new(bytes) {
                            self.keyed(field, kind, key, value.ok_or(Malformed)?, depth)?;
                        }
                    } else {
                        lua_createtable(L, count as c_int, 0);
                        for (value, index) in Elements::new(bytes).zip(1..) {
                            self.table(kind, value.ok_or(Malformed)?, depth)?;
                            lua_rawseti(L, -2, index);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads a struct into the table on top, under its key.
    unsafe fn keyed(
        &self,
        field: &Field,
        kind: usize,
        key: u16,
        bytes: &[u8],
        depth: c_int,
    ) -> Result<(), Malformed> {
        let L = self.L;
        let of = self.kind(kind)?;
        // SAFETY: as in push. The key's slot is the one after the struct's table.
        unsafe {
            self.room(of, bytes);
            lua_pushnil(L);
            let table = lua_gettop(L) - 1;
            self.whole(of, bytes, Target::Keyed(table, key), depth)?;
            if lua_type(L, -1) == LUA_TNIL {
                luaL_error(
                    L,
                    c"Can't find main index (tag=%d) in [%s]".as_ptr(),
                    c_int::from(key),
                    field.name.as_ptr(),
                );
            }
            lua_rotate(L, -2, 1);
            // Raises an error for a key that is no key: not a number.
            lua_rawset(L, -3);
        }
        Ok(())
    }

    /// Pushes a map.
    unsafe fn map(
        &self,
        field: &Field,
        kind: usize,
        bytes: &[u8],
        depth: c_int,
    ) -> Result<(), Malformed> {
        let L = self.L;
        let of = self.kind(kind)?;
        // SAFETY: as in push.
        unsafe {
            let count = Elements::new(bytes).count_all().ok_or(Malformed)?;
            lua_createtable(L, 0, count as c_int);
            for entry in Elements::new(bytes) {
                lua_pushnil(L);
                lua_pushnil(L);
                let slot = lua_gettop(L) - 1;
                let target = Target::Pair(slot);
                self.whole(of, entry.ok_or(Malformed)?, target, depth)?;
                for (at, what) in [(slot, c"key"), (slot + 1, c"value")] {
                    if lua_type(L, at) == LUA_TNIL {
                        luaL_error(
                            L,
                            c"Can't find %s field in [%s]".as_ptr(),
                            what.as_ptr(),
                            field.name.as_ptr(),
                        );
                    }
                }
                lua_rawset(L, -3);
            }
        }
        Ok(())
    }
}
