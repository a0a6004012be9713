//! Names of fields that a message repeats.
//!
//! A list of records has the same few names over and over. Lua finds the string
//! for some bytes by hashing and comparing them; to copy one that is on the stack
//! takes a fraction of that.

use std::ffi::c_int;

use mlua_sys::*;

/// How many names are remembered, a power of two.
const PLACES: usize = 32;

/// The longest name that is remembered: two words tell it from any other.
const LONGEST: usize = 16;

/// A name's bytes. Those of one length differ if and only if these do.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Name {
    first: u64,
    last: u64,
    len: usize,
}

impl Name {
    /// Equal to no name, because the empty one is not remembered.
    const NONE: Self = Self {
        first: 0,
        last: 0,
        len: 0,
    };

    #[inline(always)]
    fn new(bytes: &[u8]) -> Option<Self> {
        let len = bytes.len();
        let (first, last) = match len {
            1..4 => {
                let [first, middle, last] = [bytes[0], bytes[len / 2], bytes[len - 1]];
                let packed = u64::from(first) | u64::from(middle) << 8 | u64::from(last) << 16;
                (packed, 0)
            }
            4..8 => {
                let first = u32::from_le_bytes(*bytes.first_chunk()?);
                let last = u32::from_le_bytes(*bytes.last_chunk()?);
                (first.into(), last.into())
            }
            8..=LONGEST => {
                let first = u64::from_le_bytes(*bytes.first_chunk()?);
                let last = u64::from_le_bytes(*bytes.last_chunk()?);
                (first, last)
            }
            _ => return None,
        };
        Some(Self { first, last, len })
    }

    /// Where the name is remembered, if it is.
    #[inline(always)]
    fn place(self) -> usize {
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (self.first ^ self.last.rotate_left(23) ^ self.len as u64).wrapping_mul(FACTOR);
        (mixed >> (u64::BITS - PLACES.trailing_zeros())) as usize
    }
}

/// The names of the message being unpacked, in slots of the Lua stack.
pub(super) struct Names {
    known: [Name; PLACES],
    /// The slot of the first.
    base: c_int,
}

impl Names {
    /// Slots that the names take.
    pub(super) const SLOTS: c_int = PLACES as c_int;

    /// Tables with more pairs are unlikely to be records. Their keys would push
    /// out names that are repeated.
    pub(super) const MOST: u32 = PLACES as u32 / 2;

    /// Takes the next slots of the stack.
    ///
    /// # Safety
    /// `L` has that many free slots. They are left alone as long as the names are
    /// used.
    pub(super) unsafe fn new(L: *mut lua_State) -> Self {
        // SAFETY: the caller's promise.
        let top = unsafe {
            let top = lua_gettop(L);
            lua_settop(L, top + Self::SLOTS);
            top
        };
        Self {
            known: [Name::NONE; PLACES],
            base: top + 1,
        }
    }

    /// Pushes the string.
    ///
    /// # Safety
    /// `L` is the state that the names were made with, and has a free slot.
    #[inline(always)]
    pub(super) unsafe fn push(&mut self, L: *mut lua_State, bytes: &[u8]) {
        let name = Name::new(bytes);
        // SAFETY: the caller's promise; a known name's slot holds its string.
        unsafe {
            let Some(name) = name else {
                lua_pushlstring(L, bytes.as_ptr().cast(), bytes.len());
                return;
            };
            let place = name.place();
            let slot = self.base + place as c_int;
            if self.known[place] == name {
                lua_pushvalue(L, slot);
            } else {
                lua_pushlstring(L, bytes.as_ptr().cast(), bytes.len());
                lua_copy(L, -1, slot);
                self.known[place] = name;
            }
        }
    }
}
